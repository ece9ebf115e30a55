"""What follows from expressions alone, whatever agents or messages will come.

`possible` asks: can there be an agent (a message) for whom all these hold and none of
those? Every other question is one of these: a rule is shadowed when its condition is not
possible beside the negation of the earlier ones; a step adds nobody when it is not
possible without the step before it.

The answer "no" is a proof; "yes" is exact too unless the search gives up after `_BUDGET`
steps. It rests on two facts: a comparison speaks of one *variable* (one skill, one
attribute, one field), and variables are independent, so a set of comparisons can hold
together exactly when, for each variable, some value satisfies all of its comparisons. For
one variable a few *candidate* values decide: the constants it is compared with, their
neighbours for integers, one text or tuple that has all that is wanted and nothing else,
and "missing". The candidates are tried with the compiled comparisons themselves, so this
file knows nothing of their meaning.

What ``or`` leaves open is searched depth first, led by a model: the values found so far.
Alternatives that the model satisfies are left alone; of the others the one with the
fewest ways out is branched on. Most questions end without any branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from ..model import Agent, Attachment, Attribute, Channel, Customer, Message
from .compiler import Predicate, compiled
from .fields import is_integer
from .syntax import And, Compare, Kind, Node, Not, Or, Scope

__all__ = ["possible"]

_BUDGET = 1_000

_Literal = tuple[Compare, bool]
_Variable = tuple[Kind, str]


class _Outlook(NamedTuple):
    """How it stands with a queue: the fields of `Scope.QUEUE`."""

    waiting: int = 0
    signed_in: int = 0
    ready: int = 0
    takers: int = 0
    ewt_s: int | None = None
    service_level: int | None = None
    open: bool = True
    draining: bool = False
    nobody: bool = False


_Subject = Agent | Message | _Outlook
#: For each scope a subject of which nothing is known yet.
_ANY: dict[Scope, _Subject] = {
    Scope.AGENT: Agent(id=""),
    Scope.MESSAGE: Message(channel=Channel.EMAIL),
    Scope.QUEUE: _Outlook(),
}
#: For each variable what must hold of it, and a subject for which all of that holds.
_Known = dict[_Variable, tuple[tuple[_Literal, ...], _Subject]]
#: A node and whether it must hold.
_Demand = tuple[Node, bool]


def possible(
    every: Iterable[Node],
    none: Iterable[Node],
    scope: Scope,
    levels: Mapping[str, int] | None = None,
) -> bool:
    """Whether some agent, message or queue satisfies all of ``every`` and none of ``none``.

    ``levels`` are the highest levels of skills, where the plan says so. False is proven;
    True may mean that the search was given up, after some milliseconds.
    """
    demands = [(node, True) for node in every] + [(node, False) for node in none]
    return _Search(scope, levels or {}).run(demands)


class _Search:
    """One question on its way to an answer."""

    def __init__(self, scope: Scope, levels: Mapping[str, int]) -> None:
        self.scope = scope
        self.levels = levels
        self.anybody = _ANY[scope]

    def run(self, demands: list[_Demand]) -> bool:
        stack: list[tuple[list[_Demand], _Known, list[_Demand]]] = [(demands, {}, [])]
        for _ in range(_BUDGET):
            if not stack:
                return False
            demands, known, choices = stack.pop()
            literals, more = _split(demands)
            settled = self.settle(literals, known)
            if settled is None:
                continue
            choices = choices + more
            unmet = [choice for choice in choices if not self.met(choice, settled)]
            if not unmet:
                return True
            ways, choice = min(
                ((self.ways(choice, settled), choice) for choice in unmet),
                key=lambda found: len(found[0]),
            )
            rest = [other for other in choices if other is not choice]
            stack.extend(([way], settled, rest) for way in ways)
        return True

    def settle(self, literals: Iterable[_Literal], known: _Known) -> _Known | None:
        """``known`` with more literals; None when one variable cannot satisfy all of its."""
        added: dict[_Variable, list[_Literal]] = {}
        for literal in literals:
            added.setdefault(_variable(literal[0]), []).append(literal)
        known = dict(known)
        for variable, new in added.items():
            before, witness = known.get(variable, ((), None))
            wanted = (*before, *new)
            if witness is None or not self.satisfies(witness, new):
                witness = self.witness(wanted)
                if witness is None:
                    return None
            known[variable] = wanted, witness
        return known

    def witness(self, literals: tuple[_Literal, ...]) -> _Subject | None:
        """A subject with a value of the variable that satisfies all of its literals."""
        for subject in _subjects(literals, self.scope, self.levels):
            if self.satisfies(subject, literals):
                return subject
        return None

    def satisfies(self, subject: _Subject, literals: Iterable[_Literal]) -> bool:
        for compare, holds in literals:
            if _predicate(compare, self.scope)(subject) is not holds:
                return False
        return True

    def met(self, demand: _Demand, known: _Known) -> bool:
        """Whether the values found so far satisfy it already."""
        node, holds = demand
        if isinstance(node, Compare):
            found = known.get(_variable(node))
            return self.satisfies(found[1] if found else self.anybody, ((node, holds),))
        if isinstance(node, Not):
            return self.met((node.operand, not holds), known)
        of = all if isinstance(node, And if holds else Or) else any
        return of(self.met((operand, holds), known) for operand in node.operands)

    def ways(self, choice: _Demand, known: _Known) -> list[_Demand]:
        """The operands of a choice that are not ruled out already."""
        node, holds = choice
        assert isinstance(node, And | Or)
        return [
            (operand, holds)
            for operand in node.operands
            if not isinstance(operand, Compare) or self.settle([(operand, holds)], known)
        ]


def _split(demands: Iterable[_Demand]) -> tuple[list[_Literal], list[_Demand]]:
    """What must hold, as comparisons, and the choices that stay open."""
    literals: list[_Literal] = []
    choices: list[_Demand] = []
    units = list(demands)
    while units:
        node, holds = units.pop()
        if isinstance(node, Compare):
            literals.append((node, holds))
        elif isinstance(node, Not):
            units.append((node.operand, not holds))
        elif isinstance(node, And if holds else Or):
            units.extend((operand, holds) for operand in node.operands)
        else:
            choices.append((node, holds))
    return literals, choices


def _variable(compare: Compare) -> _Variable:
    if compare.kind is Kind.CHANNEL or compare.name == "is_live":
        return Kind.CHANNEL, "channel"
    return compare.kind, compare.name


@lru_cache(maxsize=4096)
def _predicate(compare: Compare, scope: Scope) -> Predicate:
    return compiled(compare, scope)


# --- candidate values -------------------------------------------------------------------


def _subjects(
    literals: tuple[_Literal, ...], scope: Scope, levels: Mapping[str, int]
) -> Iterator[_Subject]:
    """An agent or a message for each candidate value of the one variable compared."""
    kind, name = _variable(literals[0][0])
    if scope is Scope.QUEUE:
        yield from _outlooks(kind, name, literals)
    elif kind is Kind.LEVEL:
        highest = levels.get(name)
        for level in _integers(literals):
            if level >= 0 and (highest is None or level <= highest):
                yield Agent(id="", skills={name: level})
    elif kind is Kind.NAMES:
        yield Agent(id="", groups=_wanted(literals))
    elif kind is Kind.CHANNEL:
        yield from (Message(channel=channel) for channel in Channel)
    elif kind is Kind.FLAG:
        yield Message(channel=Channel.EMAIL)
        yield Message(channel=Channel.EMAIL, attachments=(Attachment(),))
    elif kind is Kind.ATTRIBUTE:
        for attributes in _attributes(name, literals):
            if scope is Scope.AGENT:
                yield Agent(id="", attributes=attributes)
            else:
                yield Message(channel=Channel.EMAIL, attributes=attributes)
    elif scope is Scope.AGENT:
        yield from (Agent(id=text) for text in _strings(literals))
    else:
        yield from _messages(name, literals)


def _outlooks(kind: Kind, name: str, literals: tuple[_Literal, ...]) -> Iterator[_Outlook]:
    values: list[int | None] = [False, True]
    if kind is Kind.NUMBER:
        highest = 100 if name == "service_level" else max(_integers(literals))
        values = [value for value in _integers(literals) if 0 <= value <= highest]
        values += [None] if name in ("ewt_s", "service_level") else []
    for value in values:
        known: dict[str, Any] = {name: value}
        yield _Outlook(**known)


def _messages(name: str, literals: tuple[_Literal, ...]) -> Iterator[Message]:
    if name == "customer":
        for text in _strings(literals):
            yield Message(channel=Channel.EMAIL, customer=Customer(id=text))
        return
    values: list[str | None] = [*_strings(literals)]
    if name in ("language", "thread_id"):
        values.append(None)
    for value in values:
        field: dict[str, Any] = {name: value}
        yield Message(channel=Channel.EMAIL, **field)


def _attributes(name: str, literals: tuple[_Literal, ...]) -> Iterator[dict[str, Attribute]]:
    values: list[Attribute] = [*_integers(literals), *_strings(literals)]
    values += (True, False, _wanted(literals))
    yield {}
    yield from ({name: value} for value in values)


def _constants(literals: Iterable[_Literal]) -> Iterator[str | int]:
    for compare, _ in literals:
        value = compare.value
        yield from value if isinstance(value, tuple) else (value,)


def _integers(literals: Iterable[_Literal]) -> list[int]:
    """Every integer compared with, and its neighbours."""
    found = {0}
    for value in _constants(literals):
        if is_integer(value):  # no bool: to a set, True is 1
            found.update((value - 1, value, value + 1))
    return sorted(found)


def _strings(literals: tuple[_Literal, ...]) -> Iterator[str]:
    """A text that has all that is wanted and equals none; and every text compared with."""
    texts = {value for value in _constants(literals) if isinstance(value, str)}
    fresh = _fresh(texts)
    yield fresh.join((*_wanted(literals), fresh))
    yield from sorted(texts)


def _wanted(literals: Iterable[_Literal]) -> tuple[str, ...]:
    found = {str(c.value) for c, holds in literals if holds and c.operator == "has"}
    return tuple(sorted(found))


def _fresh(texts: Iterable[str]) -> str:
    """A character that occurs in none of ``texts``; private use, so it has no case."""
    used = set("".join(texts))
    code = 0xE000
    while chr(code) in used:
        code += 1
    return chr(code)
