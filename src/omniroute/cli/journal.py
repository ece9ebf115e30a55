"""``journal verify|stats|export|compact JOURNAL``: look after a journal while no router has it.

JOURNAL is a URL as the router takes it (``sqlite:///router.db``), or the path of an SQLite
file. To look at a journal in use, look at a copy of it. What is sealed in it reads as redacted
without ``--vault KEYS --master-key FILE``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

import anyio
import msgspec

from ..engine import Engine
from ..errors import CorruptJournalError, JournalError, UsageError
from ..events import Event
from ..journal import (
    Chain,
    ClosedVault,
    Header,
    KeyVault,
    Kind,
    Snapshot,
    SqliteStore,
    StoreJournal,
    Vault,
    open_journal,
)
from ..plan import Plan, dumps, load
from ..router import wall_clock
from ..router.recovery import fingerprint
from .entries import plan_line
from .progress import progress
from .tables import show

__all__ = ["configure", "run"]

_DAMAGED = 1
_DAY_MS = 86_400_000
Visit = Callable[[Header, memoryview], None]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of each."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, action, purpose in (
        ("verify", _verify, "read everything, and name the first damage"),
        ("stats", _stats, "tell what is in it, and how much room it takes"),
        ("export", _export, "print its entries as JSON lines"),
        ("compact", _compact, "make a snapshot, and drop what it stands for"),
    ):
        each = actions.add_parser(name, help=purpose, description=purpose)
        each.add_argument("journal", metavar="JOURNAL", help="a URL, or the path of an SQLite file")
        each.add_argument(
            "--vault", metavar="KEYS", help="the key store of a sealed journal (an SQLite file)"
        )
        each.add_argument(
            "--master-key", metavar="FILE", help="its master key; older ones may stand below"
        )
        each.set_defaults(action=action)
        if name in ("verify", "stats"):
            each.add_argument("--json", action="store_true", help="print a JSON object")
        elif name == "export":
            each.add_argument("--out", metavar="FILE", help="write here instead")
            each.add_argument(
                "--from", dest="from_seq", metavar="SEQ", type=int, default=1,
                help="begin with the frame of this event",
            )  # fmt: skip
        else:
            each.add_argument("--plan", metavar="PLAN", required=True, help="the router's plan")
            each.add_argument(
                "--keep-days", metavar="N", type=float, default=0.0,
                help="keep what is younger than this, snapshot or not (0)",
            )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Do what was asked; 1 when the journal is damaged."""
    action: Callable[[argparse.Namespace], Awaitable[int]] = args.action
    try:
        return anyio.run(action, args)
    except CorruptJournalError as error:
        print(f"omniroute: {error}", file=sys.stderr)
        return _DAMAGED


def _url(where: str) -> str:
    """The URL of a journal that exists; looking at one creates no file."""
    url = where if "://" in where or where.startswith("memory:") else f"sqlite:///{quote(where)}"
    if url.startswith("sqlite:///"):
        Path(unquote(url.removeprefix("sqlite:///"))).stat()
    return url


def _vault(args: argparse.Namespace) -> Vault | None:
    """What opens the journal, if it is sealed; looking at one creates no key store."""
    if args.vault is None and args.master_key is None:
        return None if args.action is _compact else ClosedVault()
    if args.vault is None or args.master_key is None:
        raise UsageError("--vault and --master-key go together")
    Path(args.vault).stat()
    master, *older = Path(args.master_key).read_text("utf-8").split() or [""]
    return KeyVault(args.vault, master, older=older)


@asynccontextmanager
async def _opened(args: argparse.Namespace) -> AsyncIterator[StoreJournal]:
    where = args.journal
    journal = open_journal(_url(where), vault=_vault(args))
    if not isinstance(journal, StoreJournal):
        raise UsageError(f"{where!r} keeps nothing that could be looked at")
    async with journal:
        yield journal


async def _walk(journal: StoreJournal, what: str, visit: Visit) -> Chain:
    """Visit every record, checked; returns the end."""
    first, last = await journal.bounds()
    chain = Chain.before(first)
    with progress(what, last - first + 1) as at:
        async for header, body in journal.records(chain):
            visit(header, body)
            at(header.position - first + 1)
    return chain


# --- verify -------------------------------------------------------------------------------


async def _verify(args: argparse.Namespace) -> int:
    async with _opened(args) as journal:
        first, _ = await journal.bounds()
        count = 0

        def visit(header: Header, body: memoryview) -> None:
            nonlocal count
            if header.kind is Kind.FRAME:
                count += len(journal.frame(header, body).events)

        chain = await _walk(journal, "verify", visit)
        good = await journal.newest_snapshot()
        kept = len(await journal.packed_snapshots())
        is_closed = isinstance(journal.vault, ClosedVault) and journal.vault.asked
        if not is_closed:
            await journal.recover()  # raises when the beginning is gone and no snapshot has it
    found = {
        "records": chain.position - first + 1,
        "first_record": first,
        "events": count,
        "next_seq": chain.next_seq,
        "epoch": chain.epoch,
        "snapshots": kept,
        "good_snapshot": None if good is None else good.position,
    }
    if args.json:
        print(msgspec.json.encode(found).decode())
    else:
        print(
            f"whole: {found['records']} records from {first}, {count} events, "
            f"next is event {chain.next_seq}, epoch {chain.epoch}"
        )
        if kept:
            behind = "none of them good" if good is None else f"good from record {good.position}"
            behind = "sealed: --vault can tell whether they are good" if is_closed else behind
            print(f"snapshots: {kept}, {behind}")
    return 0 if good is not None or not kept or is_closed else _DAMAGED


# --- stats --------------------------------------------------------------------------------


class _Stats:
    """What is counted while every record passes."""

    def __init__(self, journal: StoreJournal) -> None:
        self.journal = journal
        self.kinds: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.first_ms: int | None = None
        self.last_ms = 0

    def visit(self, header: Header, body: memoryview) -> None:
        """Count one record."""
        kind = header.kind.name.lower()
        self.kinds[kind] += 1
        self.bytes[kind] += len(body)
        if header.kind is Kind.FRAME:
            if self.first_ms is None:
                self.first_ms = header.at_ms
            self.last_ms = header.at_ms
            self.events.update(_name(event) for event in self.journal.events(header, body))


def _name(event: Event) -> str:
    return str(event.__struct_config__.tag)


async def _stats(args: argparse.Namespace) -> int:
    async with _opened(args) as journal:
        stats = _Stats(journal)
        chain = await _walk(journal, "stats", stats.visit)
        snapshots = [(at, len(data)) for at, data in await journal.packed_snapshots()]
    frames, size = stats.kinds["frame"], sum(stats.bytes.values())
    count = stats.events.total()
    found = {
        "frames": frames,
        "openings": stats.kinds["opening"],
        "events": dict(stats.events.most_common()),
        "bytes": size,
        "bytes_per_event": round(size / count) if count else 0,
        "events_per_frame": round(count / frames, 1) if frames else 0,
        "first_ms": stats.first_ms,
        "last_ms": stats.last_ms,
        "epoch": chain.epoch,
        "snapshots": [{"position": at, "bytes": length} for at, length in snapshots],
    }
    if args.json:
        print(msgspec.json.encode(found).decode())
        return 0
    moments = "nothing happened"
    if stats.first_ms is not None:
        moments = f"{_moment(stats.first_ms)} to {_moment(stats.last_ms)}"
    print(f"{moments}; opened {stats.kinds['opening']} times, epoch {chain.epoch}")
    print(
        f"{count} events in {frames} frames, {size / 1e6:.1f} MB, "
        f"{found['bytes_per_event']} bytes per event"
    )
    for at, length in snapshots:
        print(f"snapshot behind record {at}: {length / 1e6:.1f} MB")
    show("events", ("event", "count"), [(n, str(c)) for n, c in stats.events.most_common()])
    return 0


def _moment(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return f"{at_ms} ms"


# --- export -------------------------------------------------------------------------------


async def _export(args: argparse.Namespace) -> int:
    encode = msgspec.json.Encoder().encode
    with ExitStack() as exits:
        out = sys.stdout.buffer
        if args.out is not None:
            out = exits.enter_context(Path(args.out).open("wb"))  # noqa: ASYNC230

        async with _opened(args) as journal:
            plan = ""

            def visit(header: Header, body: memoryview) -> None:
                nonlocal plan
                if header.kind is Kind.OPENING and header.next_seq >= args.from_seq:
                    before, plan = plan, journal.opening(header, body).plan or plan
                    if plan != before:
                        out.write(plan_line(plan))
                elif header.kind is Kind.FRAME and header.next_seq > args.from_seq:
                    entries = journal.frame(header, body).entries
                    out.writelines(encode(entry) + b"\n" for entry in entries)

            await _walk(journal, "export", visit)
        out.flush()
    return 0


# --- compact ------------------------------------------------------------------------------


async def _compact(args: argparse.Namespace) -> int:
    plan = load(args.plan)
    async with _opened(args) as journal:
        await journal.claim(plan=dumps(plan))
        first, last = await journal.bounds()
        snapshot = await _snapshot(journal, plan, last)
        if await journal.newest_snapshot() != snapshot:
            raise JournalError("the snapshot cannot be read back: nothing was dropped")
        if args.keep_days:
            than_ms = wall_clock() - int(args.keep_days * _DAY_MS)
            begin = await journal.drop_older(than_ms, newest_is_enough=True)
        else:
            begin = await journal.drop(last + 1, newest_is_enough=True)
        if isinstance(journal.store, SqliteStore):
            await journal.store.vacuum()
    print(f"dropped {begin - first} records; {last - begin + 1} are kept")
    return 0


async def _snapshot(journal: StoreJournal, plan: Plan, last: int) -> Snapshot:
    """Fold everything, and save what it comes to."""
    older, chain = await journal.recover()
    engine = Engine(plan) if older is None else Engine.restore(plan, older.state)
    begin = chain.position
    with progress("fold", last - begin) as at:
        async for header, body in journal.records(chain):
            for event in journal.events(header, body):
                engine.apply(event)
            at(header.position - begin)
    snapshot = Snapshot(
        chain.position,
        chain.next_seq,
        chain.epoch,
        chain.digest,
        fingerprint(plan),
        engine.snapshot(),
    )
    await journal.save_snapshot(snapshot)
    return snapshot
