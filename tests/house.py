"""The rules of the house, read from the source by `ast`: who may import whom, and what is banned.

A room is a module or package directly under `omniroute`: `errors`, `plan`, `engine`. Three
ideas carry the whole check:

- `references` turns a module into dotted names with line numbers: what it imports, and what
  it reaches through those imports (`import datetime as dt; dt.datetime.now` gives
  `datetime.datetime.now`). Bans are prefixes of such names.
- Imports count wherever they stand: in a function, under `TYPE_CHECKING`, relative or not.
- Every rule yields `Violation`s, so a rule can be tested on a string with one planted fault.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

GROUND = frozenset({"errors", "model", "events"})
ROUTING = GROUND | {"plan", "channels", "engine"}
SHELL = ROUTING | {"journal", "observe", "router"}

#: The rooms, and what each may import besides itself.
MAY_IMPORT = {
    "errors": frozenset(),
    "model": frozenset({"errors"}),
    "events": frozenset({"errors", "model"}),
    "plan": GROUND,
    "channels": frozenset({"errors", "model", "plan"}),
    "engine": GROUND | {"plan"},
    "importers": frozenset({"errors", "model", "plan"}),
    "journal": GROUND,
    "simulation": ROUTING | {"journal"},
    "observe": GROUND,
    "router": SHELL,
    "cluster": SHELL,
    "web": SHELL | {"cluster"},
    "testing": SHELL | {"simulation"},
    "__init__": SHELL | {"simulation"},
    "cli": SHELL | {"importers", "simulation", "web", "__init__"},
    "__main__": SHELL | {"simulation", "cluster", "web", "__init__", "cli"},
}

#: The rooms that are values in, values out: same inputs, same outputs, on any machine.
PURE = ROUTING | {"importers", "simulation"}
#: The pure rooms that also touch no file (plans are loaded from one, reports written to one).
NO_FILES = PURE - {"plan", "simulation"}
#: Rooms that a user imports on purpose, knowing what they need.
OPT_IN = frozenset({"web", "testing"})
COMMAND_LINE = frozenset({"__main__", "cli"})
EVERYWHERE = frozenset(MAY_IMPORT)

#: How a module says "only for the type checker".
TYPE_CHECKING = frozenset({"TYPE_CHECKING", "typing.TYPE_CHECKING"})

#: What is installed with omniroute; any other third party belongs to an extra.
CORE = frozenset({"attr", "attrs", "anyio", "msgspec", "prometheus_client", "structlog"})

MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 60


class Ban(NamedTuple):
    """Dotted names (and all below them) that some rooms must not touch."""

    names: tuple[str, ...]
    rooms: frozenset[str]
    instead: str
    but_not: tuple[str, ...] = ()


CLOCK = "take the time as an argument: now_ms, integer milliseconds"
DICE = "take a random.Random made from a given seed as an argument"
ENVIRONMENT = "take the value as an argument, or put it into the plan"
CONCURRENCY = "stay synchronous; concurrency lives in omniroute.router"
TELLING = "return values or events; omniroute.observe and the command line tell"
OUTSIDE = "take bytes, return values; the world is reached from omniroute.router and omniroute.web"
RUNNING_TEXT = "parse it: omniroute.plan has a typed expression language"

BANS = (
    Ban(("time",), PURE, CLOCK),
    Ban(
        (
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
            "email.utils.localtime",
            "email.utils.make_msgid",
        ),
        PURE,
        CLOCK,
    ),
    Ban(("random",), PURE, DICE, but_not=("random.Random",)),
    Ban(("secrets", "os.urandom", "uuid.uuid1", "uuid.uuid4"), PURE, DICE),
    Ban(
        ("os.environ", "os.environb", "os.getenv", "os.getenvb", "sys.argv"),
        PURE,
        ENVIRONMENT,
    ),
    Ban(
        ("threading", "_thread", "concurrent", "multiprocessing", "queue", "subprocess"),
        PURE,
        CONCURRENCY,
    ),
    Ban(("asyncio", "anyio", "trio", "sniffio"), PURE, CONCURRENCY),
    Ban(
        ("print", "sys.stdout", "sys.stderr", "logging", "warnings", "structlog"),
        PURE,
        TELLING,
    ),
    Ban(("prometheus_client",), PURE, TELLING),
    Ban(("socket", "ssl", "select", "http", "urllib.request", "smtplib"), PURE, OUTSIDE),
    Ban(("open", "input", "io.open", "os.open", "pathlib.Path"), NO_FILES, OUTSIDE),
    Ban(("print",), EVERYWHERE - COMMAND_LINE, TELLING),
    Ban(("eval", "exec", "builtins.eval", "builtins.exec"), EVERYWHERE, RUNNING_TEXT),
    Ban(
        ("__import__", "importlib.import_module"),
        EVERYWHERE - {"__main__"},  # it has a table of commands
        "write an import statement (inside a function if it must be late): imports are checked",
    ),
)


class Violation(NamedTuple):
    """One broken rule: where, and what to do instead."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Source(NamedTuple):
    """One module: its path relative to `src` (`omniroute/plan/model.py`), text and tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Source":
        return cls(path, text, ast.parse(text, path))

    @property
    def parts(self) -> tuple[str, ...]:
        return PurePosixPath(self.path).with_suffix("").parts

    @property
    def room(self) -> str:
        return self.parts[1]


# --- reading ----------------------------------------------------------------------------


def imported(source: Source, node: ast.AST) -> list[tuple[str, str]]:
    """(local name, absolute dotted name) of everything that an import statement brings."""
    if isinstance(node, ast.Import):
        return [
            (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0], alias.name)
            for alias in node.names
        ]
    if isinstance(node, ast.ImportFrom):
        base = [*source.parts[: -node.level]] if node.level else []
        base += [node.module] if node.module else []
        return [(a.asname or a.name, ".".join([*base, a.name])) for a in node.names]
    return []


def dotted(node: ast.AST) -> str | None:
    """`a.b.c` for a chain of attributes on a name, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else None
    return None


def references(source: Source) -> Iterator[tuple[str, int]]:
    """Every dotted name that the module imports or reaches, with its line."""
    local: dict[str, str] = {}
    for node in ast.walk(source.tree):
        for name, full in imported(source, node):
            plain = isinstance(node, ast.Import) and full.startswith(f"{name}.")
            local[name] = name if plain else full
            yield full, node.lineno
    bound = {
        node.arg if isinstance(node, ast.arg) else node.id
        for node in ast.walk(source.tree)
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and (name := dotted(node)):
            head, _, rest = name.partition(".")
            if head in local:
                yield f"{local[head]}.{rest}", node.lineno
        elif isinstance(node, ast.Name) and node.id not in bound:
            yield local.get(node.id, node.id), node.lineno


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


# --- rules ------------------------------------------------------------------------------


def check_rooms(source: Source) -> Iterator[Violation]:
    """Who may import whom."""
    room = source.room
    if room not in MAY_IMPORT:
        yield Violation(source.path, 1, f"unknown room {room!r}: say in MAY_IMPORT what it sees")
        return
    allowed = MAY_IMPORT[room] | {room}
    for node in ast.walk(source.tree):
        for _, full in imported(source, node):
            if not under(full, "omniroute"):
                continue
            parts = full.split(".")
            seen = parts[1] if len(parts) > 1 and parts[1] in MAY_IMPORT else "__init__"
            if seen not in allowed:
                may = ", ".join(sorted(allowed - {room})) or "nothing"
                yield Violation(
                    source.path, node.lineno, f"{room} must not import {full}; it may: {may}"
                )


def check_bans(source: Source) -> Iterator[Violation]:
    """What the room must not touch, each with what to do instead."""
    found = set()
    for name, line in references(source):
        for ban in BANS:
            banned = source.room in ban.rooms and any(under(name, b) for b in ban.names)
            bare_module = name in {b.rpartition(".")[0] for b in ban.but_not}
            excused = bare_module or any(under(name, b) for b in ban.but_not)
            if banned and not excused:
                found.add(Violation(source.path, line, f"{name} is banned here: {ban.instead}"))
    yield from sorted(found)


def check_pure_syntax(source: Source) -> Iterator[Violation]:
    """Pure rooms know no `async`, and no dice without a seed."""
    if source.room not in PURE:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield Violation(source.path, node.lineno, f"async is banned here: {CONCURRENCY}")
        elif (
            isinstance(node, ast.Call)
            and not (node.args or node.keywords)
            and dotted(node.func) in {"random.Random", "Random"}
        ):
            yield Violation(source.path, node.lineno, f"Random() without a seed: {DICE}")


def check_extras(source: Source) -> Iterator[Violation]:
    """A package of an extra is imported inside the function that needs it."""
    if source.room in OPT_IN:
        return
    late = {
        id(inner)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and dotted(node.test) in TYPE_CHECKING)
        for inner in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        if id(node) in late:
            continue
        for _, full in imported(source, node):
            top = full.split(".")[0]
            if top not in sys.stdlib_module_names | CORE | {"omniroute"}:
                yield Violation(
                    source.path, node.lineno, f"{top} is optional: import it inside the function"
                )


def check_docstring(source: Source) -> Iterator[Violation]:
    """Every file says why it exists."""
    if not ast.get_docstring(source.tree):
        yield Violation(source.path, 1, "no docstring: say why the file exists")


def check_file_length(source: Source) -> Iterator[Violation]:
    """A file over the limit has more than one purpose."""
    lines = source.text.count("\n")
    if lines > MAX_FILE_LINES:
        yield Violation(source.path, 1, f"{lines} lines, at most {MAX_FILE_LINES}: split it")


def check_function_length(source: Source) -> Iterator[Violation]:
    """A function over the limit does more than one thing."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield Violation(
                    source.path,
                    node.lineno,
                    f"{node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}: split it",
                )


#: What holds for the package, and what also holds for examples and benchmarks.
PACKAGE_RULES = (check_rooms, check_bans, check_pure_syntax, check_extras)
COMMON_RULES = (check_docstring, check_file_length, check_function_length)
