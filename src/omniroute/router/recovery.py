"""Recovery: the newest good snapshot, then every event behind it, folded in; nothing decided.

Only the engine is folded event by event. The views (desks, gauges) are made from what stands
at the end: the work of a million events is not done twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from hashlib import blake2b
from typing import NamedTuple

from ..engine import Engine
from ..errors import CorruptJournalError, JournalError, OmnirouteError
from ..events import BecameNotReady, BecameReady, Event
from ..journal import Chain, Journal, Snapshot, StoreJournal
from ..plan import Plan, dumps

__all__ = ["Recovered", "fingerprint", "recover", "restored"]


def fingerprint(plan: Plan) -> str:
    """Tells two plans apart: a digest of the plan's text."""
    return blake2b(dumps(plan).encode(), digest_size=8).hexdigest()


class Recovered(NamedTuple):
    """The engine as it was, and what the engine does not know.

    ``whole`` is True when every event since the beginning was folded, without a snapshot;
    ``snapshot_seq`` is the number of the first event behind the snapshot (1 without one);
    ``not_ready`` has the reasons of agents who are not ready, as far back as was folded.
    ``plan_changed``: the snapshot was folded under another plan. What was decided stays.
    """

    engine: Engine
    next_seq: int
    whole: bool
    snapshot_seq: int
    not_ready: dict[str, str]
    plan_changed: bool


async def recover(
    journal: Journal, plan: Plan, observe: Callable[[Iterable[Event]], object]
) -> Recovered:
    """The state that a journal describes, under this plan.

    ``observe`` hears of every event when all are folded, of none when a snapshot stands for
    the first ones. Raises `JournalError`.
    """
    if isinstance(journal, StoreJournal):
        return await _recover_stored(journal, plan, observe)
    engine = Engine(plan)
    reasons: dict[str, str] = {}
    next_seq = 1
    frames = journal.read(next_seq)
    try:
        async for frame in frames:
            if frame.first_seq != next_seq:
                raise JournalError(
                    f"the journal has a gap: event {next_seq} is missing, "
                    f"the next frame begins at {frame.first_seq}"
                )
            events = frame.events
            _fold(engine, events, reasons)
            if frame.entries:
                engine.pass_time(frame.entries[-1].now_ms)
            observe(events)
            next_seq = frame.next_seq
    finally:
        if isinstance(frames, AsyncGenerator):
            await frames.aclose()
    return Recovered(
        engine, next_seq, whole=True, snapshot_seq=1, not_ready=reasons, plan_changed=False
    )


def restored(plan: Plan, snapshot: Snapshot) -> Engine:
    """The engine of a snapshot; raises `JournalError` when this release cannot read it."""
    try:
        return Engine.restore(plan, snapshot.state)
    except JournalError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise JournalError(f"the snapshot at record {snapshot.position}: {why}") from error


async def _recover_stored(
    journal: StoreJournal, plan: Plan, observe: Callable[[Iterable[Event]], object]
) -> Recovered:
    snapshot, chain = await journal.recover()
    engine = Engine(plan)
    if snapshot is not None:
        try:
            engine = restored(plan, snapshot)
        except JournalError:  # of another release: the whole journal gives the same state
            if (await journal.bounds())[0] > 1:
                raise
            snapshot, chain = None, Chain()
    reasons: dict[str, str] = {}
    records = journal.records(chain)
    try:
        async for header, body in records:
            events = journal.events(header, body)
            try:
                _fold(engine, events, reasons)
            except OmnirouteError:
                raise
            except (LookupError, AssertionError) as error:
                raise CorruptJournalError(
                    header.position,
                    f"its events do not follow from those before: {type(error).__name__}: {error}",
                    first_seq=header.first_seq,
                ) from error
            if snapshot is None:
                observe(events)
    finally:
        await records.aclose()
    engine.pass_time(chain.at_ms)
    if journal.vault is not None:
        journal.know(engine.interactions())
    first = 1 if snapshot is None else snapshot.next_seq
    changed = snapshot is not None and snapshot.plan != fingerprint(plan)
    return Recovered(engine, chain.next_seq, snapshot is None, first, reasons, changed)


def _fold(engine: Engine, events: Iterable[Event], reasons: dict[str, str]) -> None:
    for event in events:
        engine.apply(event)
        if isinstance(event, BecameNotReady):
            reasons[event.agent_id] = event.reason
        elif isinstance(event, BecameReady):
            reasons.pop(event.agent_id, None)
