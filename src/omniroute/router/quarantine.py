"""The way back from the quarantine: read again, after a fix, what could not be understood.

What went into quarantine stands in the journal (`Quarantined`), with the delivery that it came in
where a channel took it (`omniroute.channels.quarantine`). After a new version or another
configuration understands it, `replay_quarantined` normalises and delivers it. That may be done as
often as one likes: what was taken before is told by its message ids.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import MappingProxyType

import msgspec

from ..channels import Adapter
from ..channels.quarantine import kept, replay
from ..errors import UnknownNameError
from ..events import Quarantined
from ..journal import Journal
from ..model import Disposition, Inbound
from .receipt import Receipt

__all__ = ["Replayed", "quarantined_in", "replay_quarantined"]

_NONE: Mapping[str, Adapter] = MappingProxyType({})


class Replayed(msgspec.Struct, frozen=True):
    """What became of one item of the quarantine.

    ``interaction_id`` is the item's, ``receipts`` are those of the messages that were
    delivered, ``reason`` says why it stays in quarantine ("" when it need not).
    """

    interaction_id: str
    receipts: tuple[Receipt, ...] = ()
    reason: str = ""


def _every(event: Quarantined) -> bool:
    """No choice."""
    return True


async def quarantined_in(
    journal: Journal,
    *,
    from_seq: int = 1,
    wanted: Callable[[Quarantined], bool] = _every,
    limit: int = 1_000,
) -> list[Quarantined]:
    """The items of the quarantine, oldest first, at most ``limit``. Reads the whole journal."""
    found: list[Quarantined] = []
    frames = journal.read(from_seq)
    try:
        async for frame in frames:
            aside = [event for event in frame.events if isinstance(event, Quarantined)]
            found += [event for event in aside if wanted(event)]
            if len(found) >= limit:
                break
    finally:
        if isinstance(frames, AsyncGenerator):
            await frames.aclose()
    return found[:limit]


async def replay_quarantined(
    deliver: Callable[[Inbound], Awaitable[Receipt]],
    journal: Journal,
    *,
    adapters: Mapping[str, Adapter] = _NONE,
    wanted: Callable[[Quarantined], bool] = _every,
    from_seq: int = 1,
    limit: int = 1_000,
) -> list[Replayed]:
    """Normalise and deliver again what is in quarantine.

    A call in quarantine is over by now, a chat probably: choose with ``wanted``.

    Args:
        deliver: `Router.deliver`.
        journal: the router's.
        adapters: your configured adapters, by the names that they received under; the others
            are those of `CHANNELS`.
        wanted: which items to replay; by default all that carry their delivery.
        from_seq: the first event of the journal to look at.
        limit: how many items are replayed in one go.

    Returns:
        One value for each item that was looked at, oldest first.
    """
    done: list[Replayed] = []
    for event in await quarantined_in(journal, from_seq=from_seq, wanted=wanted, limit=limit):
        if kept(event.message) is None:
            done.append(Replayed(event.interaction_id, reason="its delivery was not kept"))
            continue
        try:
            found = replay(event.message, adapters)
        except UnknownNameError as error:
            done.append(Replayed(event.interaction_id, reason=str(error)))
            continue
        aside = [one for one in found if one.disposition is Disposition.QUARANTINE]
        receipts = [await deliver(one) for one in found if one not in aside]
        reason = aside[0].reason if aside else ""
        done.append(Replayed(event.interaction_id, tuple(receipts), reason))
    return done
