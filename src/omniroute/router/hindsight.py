"""Why an offer was made, out of the journal: the engine keeps nothing for this question."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..engine import Engine, OfferExplanation
from ..errors import UnknownNameError
from ..events import Offered
from ..journal import Journal, StoreJournal
from ..plan import Plan

__all__ = ["explain_offer"]


async def explain_offer(journal: Journal, plan: Plan, offer_id: int) -> OfferExplanation:
    """Explain an offer as of its moment; ``plan`` is the one that the journal began under.

    Applies the events before the offer: those behind the newest snapshot when it is older than
    the offer, else all. Raises `UnknownNameError` when the journal has no such offer and
    `JournalError`, also when what came before it was dropped.
    """
    engine, from_seq = Engine(plan), 1
    snapshot = await journal.newest_snapshot() if isinstance(journal, StoreJournal) else None
    if snapshot is not None:
        later = Engine.restore(plan, snapshot.state)
        if later.last_offer_id < offer_id:
            engine, from_seq = later, snapshot.next_seq
    seq = from_seq
    frames = journal.read(from_seq)
    try:
        async for frame in frames:
            for number, event in enumerate(frame.events, frame.first_seq):
                if number < seq:
                    continue  # a frame may begin before the snapshot
                if isinstance(event, Offered) and event.offer_id == offer_id:
                    return engine.explain_offer(event)
                engine.apply(event)
                seq = number + 1
    finally:
        if isinstance(frames, AsyncGenerator):
            await frames.aclose()
    raise UnknownNameError("offer", str(offer_id), None)
