"""Write the golden journals of the format that this release writes: ``python tests/golden/make.py``.

Once a release has written a format, its files never change again: this refuses to touch a
folder that is there, unless ``--unreleased`` says that no release has written it yet.

- ``day.db``: a simulated day in an SQLite journal, as a router leaves it behind: openings of three
  writers, frames of several entries, a snapshot in the middle; ``day.toml`` is its plan.
- ``every.records``: every command and every event there is, once with what it must have and
  once with all it can have; records as a store keeps them, each behind its length.
- ``planned.records``: ten minutes of that day by a writer who says by which plan.
- ``day.json``, ``every.json``: what must be read from them.
- ``refused/``: what must not be read, and what is said of it.
"""

import json
import struct
import sys
import types
import typing
from pathlib import Path

import anyio
import msgspec
from facts import facts, plain

from omniroute import (
    Agent,
    Engine,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    Skill,
    Step,
    WrapUp,
    WrapUpKind,
)
from omniroute import events as ev
from omniroute.journal import Entry, Frame, Snapshot, SqliteStore, StoreJournal
from omniroute.journal.codec import FORMAT, Codec, Opening
from omniroute.journal.record import Chain, pack, unpack
from omniroute.model import Channel
from omniroute.plan import dumps
from omniroute.router.recovery import fingerprint
from omniroute.simulation import (
    AgentGroup,
    CustomerKind,
    Exponential,
    Poisson,
    Retrial,
    Scenario,
    simulate,
)

LENGTH = struct.Struct(">I")
_MINUTE = 60_000
PLAN = Plan(
    name="golden",
    queues=[
        Queue(
            name="calls",
            offer_timeout_ms=15_000,
            refusal=Refusal(RefusalRule.AFTER, 30_000),
            wrap_up=WrapUp(WrapUpKind.TIMED, 20_000),
            ladder=[Step("language >= 5", for_ms=30_000), Step()],
        ),
        Queue(name="mails", priority=2, max_waiting=20),
    ],
    skills=[Skill("language")],
    agents=[
        Agent(id=name, skills={"language": level})
        for name, level in (("ann", 9), ("bob", 3), ("cy", 6), ("di", 1))
    ],
)
SCENARIO = Scenario(
    plan=PLAN,
    duration_ms=90 * _MINUTE,
    customers=[
        CustomerKind(
            name="callers",
            queue="calls",
            arrivals=Poisson(60),
            handle=Exponential(100_000),
            patience=Exponential(90_000),
            retrial=Retrial(0.5, Exponential(60_000)),
        ),
        CustomerKind(
            name="writers",
            queue="mails",
            channel=Channel.EMAIL,
            arrivals=Poisson(40),
            handle=Exponential(120_000),
        ),
    ],
    groups=[
        AgentGroup(
            name="all",
            agents=list(PLAN.agents),
            answer_delay=Exponential(4_000),
            decline=0.1,
            no_answer=0.1,
        )
    ],
)


# --- a day --------------------------------------------------------------------------------


async def day(folder):
    """The journal of a day; returns its entries."""
    entries = []
    simulate(SCENARIO, seed=6, record=entries.append)
    frames = [entries[at : at + 1 + at % 4] for at in _cuts(len(entries))]
    engine = Engine(PLAN)
    store = SqliteStore(folder / "day.db")
    for number in range(3):
        part = frames[number * len(frames) // 3 : (number + 1) * len(frames) // 3]
        async with StoreJournal(store, writer=f"host:{number}") as journal:
            await journal.claim()
            for frame in part:
                await journal.append(Frame(journal.next_seq, tuple(frame)))
                for entry in frame:
                    for event in entry.events:
                        engine.apply(event)
            if number == 1:
                chain = journal._claimed()
                at = (chain.position, chain.next_seq, chain.epoch, chain.digest)
                await journal.save_snapshot(Snapshot(*at, fingerprint(PLAN), engine.snapshot()))
    engine.pass_time(entries[-1].now_ms)
    return entries, engine


def beginning(entries):
    """Those of the first ten minutes."""
    return [entry for entry in entries if entry.now_ms < 10 * _MINUTE]


def _cuts(count):
    at = 0
    while at < count:
        yield at
        at += 1 + at % 4


# --- one of everything --------------------------------------------------------------------

_LEAVES = {str: "text", int: 7, bool: True, float: 0.5, bytes: b"bytes", type(None): None}


def sample(kind, *, whole):
    """A value of an annotated type: the least that it may be, or with all its fields."""
    if kind in _LEAVES:
        return _LEAVES[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        others = [each for each in arguments if each is not type(None)]
        return sample(others[0], whole=whole)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple(sample(each, whole=whole) for each in arguments)
    if origin is tuple:
        return (sample(arguments[0], whole=whole),) if whole else ()
    if origin is not None:  # a mapping
        key, value = arguments
        return {sample(key, whole=whole): sample(value, whole=whole)} if whole else {}
    if issubclass(kind, msgspec.Struct):
        return kind(
            **{
                field.name: sample(field.type, whole=whole)
                for field in msgspec.structs.fields(kind)
                if whole or field.required
            }
        )
    return next(iter(kind))


def every():
    """Entries with every command and event."""
    events = [
        sample(kind, whole=whole) for kind in typing.get_args(ev.Event) for whole in (False, True)
    ]
    for number, kind in enumerate(typing.get_args(ev.Command)):
        for whole in (False, True):
            part = tuple(events[number * 4 + whole * 2 : number * 4 + whole * 2 + 2])
            yield Entry(sample(kind, whole=whole), 1_000 + number, part)
    rest = events[len(typing.get_args(ev.Command)) * 4 :]
    yield Entry(ev.Tick(), 2_000, tuple(rest))


def records(entries, plan=""):
    """The records of these entries, one each, behind an opening."""
    codec, chain = Codec(), Chain()
    made = [chain.opening(FORMAT, codec.encode_opening(Opening("host:1", plan)), epoch=1)]
    chain.follow(1, made[0])
    for entry in entries:
        body = codec.encode(Frame(chain.next_seq, (entry,)))
        made.append(chain.frame(FORMAT, body, events=len(entry.events), at_ms=entry.now_ms))
        chain.follow(len(made), made[-1])
    return made


def framed(made):
    """Each behind its length."""
    return b"".join(LENGTH.pack(len(record)) + record for record in made)


def refused(made):
    """name -> (records that must be refused, what is said)."""
    header, body = unpack(made[4], 5)
    newer = pack(msgspec.structs.replace(header, format=99), bytes(body))
    value = msgspec.msgpack.decode(body)
    value[0][0][1][0]["type"] = "event_of_a_later_release"
    unknown = pack(header, msgspec.msgpack.encode(value))
    flipped = bytearray(made[4])
    flipped[-1] ^= 1
    return {
        "newer-format": ([*made[:4], newer], "format 99 is not known"),
        "unknown-event": ([*made[:4], unknown], "event_of_a_later_release"),
        "flipped-bit": ([*made[:4], bytes(flipped), *made[5:]], "its CRC is"),
        "missing-record": ([*made[:4], *made[5:]], "it says that it is record 6"),
        "other-journal": ([*made[:4], _relinked(header, body)], "does not follow the record"),
    }


def _relinked(header, body):
    return pack(msgspec.structs.replace(header, previous=bytes(16)), bytes(body))


# --- all of it ----------------------------------------------------------------------------


def main(is_unreleased):
    folder = Path(__file__).parent / f"format-{FORMAT}"
    if folder.exists() and not is_unreleased:
        return f"{folder} is there: what a release has written never changes"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    (folder / "day.toml").write_text(dumps(PLAN))
    entries, engine = anyio.run(day, folder)
    expected = {"entries": [plain(entry) for entry in entries], "state": facts(engine)}
    (folder / "day.json").write_text(json.dumps(expected, separators=(",", ":")))
    (folder / "planned.records").write_bytes(framed(records(beginning(entries), dumps(PLAN))))
    one_of_each = list(every())
    made = records(one_of_each)
    (folder / "every.records").write_bytes(framed(made))
    (folder / "every.json").write_text(json.dumps([plain(each) for each in one_of_each], indent=0))
    (folder / "refused").mkdir(exist_ok=True)
    said = {}
    for name, (bad, why) in refused(made).items():
        (folder / "refused" / f"{name}.records").write_bytes(framed(bad))
        said[name] = why
    (folder / "refused" / "said.json").write_text(json.dumps(said, indent=0))
    return None


if __name__ == "__main__":
    sys.exit(main("--unreleased" in sys.argv))
