"""The laws of offers and assignments: who gets what, and what follows from an answer.

The other laws are in `laws`; both are lists of one function per event.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

from .. import events as ev
from ..events import OfferKind, RevokeReason
from ..model import Agent, InteractionState
from ..plan import Accelerating, Delivery, OnExpiry, OnRequeue, WrapUp, WrapUpKind
from .books import TAKEN, Books, Law
from .laws_aside import assigned, completed_consult, leave
from .laws_ladder import bar, follow_up
from .works import Asks, Desk, Offer, Work, access_of

__all__ = ["HANDLERS", "candidates"]

#: Codes that the engine completes with, whatever a queue's are.
_ENGINES = frozenset({"customer_left", "handed_over", "callback_failed"})


# --- who gets what --------------------------------------------------------------------


def candidates(books: Books, desk: Desk) -> Iterator[Work]:
    """What the agent may be offered now: of each lane the first, waiting and held out apart."""
    room: dict[Asks, bool] = {}
    for lanes in (books.lanes, books.held_out):
        for lane in lanes:
            work = _first(lane, desk.agent, books.now_ms)
            if work is None or work.queue.delivery is Delivery.PULL:
                continue
            asks = work.asks
            if asks not in room:
                room[asks] = desk.has_room(work.channel, work.limits)
            if room[asks] and work.admits(desk.agent):
                yield work


def _first(lane: Iterator[Work], agent: Agent, now_ms: int) -> Work | None:
    found = (work for work in lane if work.may_go_to(agent))
    first = next(found, None)
    if first is None:
        return None
    if first.state is InteractionState.OFFERED:
        return min([first, *found], key=lambda work: work.seq)
    if isinstance(first.queue.order, Accelerating):
        return min([first, *found], key=lambda work: work.key_at(now_ms))
    return first


def _check_lane(books: Books, work: Work, agent: Agent) -> None:
    """Nobody of its lane goes before it.

    What a rule has moved is matched at once, before others that wait for their turn in the batch;
    and where several become available at once, the first is held out to as many as may be.
    """
    if books.overflows and work.moved_ms == books.now_ms:
        return
    if work.state is InteractionState.WAITING:
        before = books.lanes.before(work, books.now_ms)
    else:
        lane = work.lane
        older = (other for other in books.held_out.of(lane) if other.seq < work.seq)
        in_turn = books.touched if work.id in books.touched else ()
        waiting = (other for other in books.lanes.of(lane) if other.id not in in_turn)
        before = itertools.chain(waiting, older)
    for other in before:
        if not (books.overflows and other.moved_ms == books.now_ms):
            detail = f"{other.id!r} of the same lane goes first"
            books.require(not other.may_go_to(agent), Law.ORDER, detail)


def _check_choice(books: Books, work: Work, desk: Desk) -> None:
    """Of all that the agent could get it is the best: tier, held out, share, key.

    Only where the offer is certain to be the agent's choice: nothing happened to the
    interaction since the last rest, so it is he who became free.
    """
    if work.id in books.touched:
        return
    found = list(candidates(books, desk))
    tier = access_of(desk.agent, work.queue).tier
    tiers = [access_of(desk.agent, other.queue).tier for other in found]
    rivals = [other for other, its in zip(found, tiers, strict=True) if its == tier]
    books.require(tier <= min(tiers, default=tier), Law.ORDER, "another tier goes first")
    by_share = any(w.queue.share and w.state is InteractionState.WAITING for w in rivals)

    def rank(other: Work) -> tuple[bool, Fraction, Any]:
        if other.state is InteractionState.OFFERED:
            return True, Fraction(0), other.seq
        portion = Fraction(desk.taken[other.queue.name], other.queue.share or 1)
        return False, portion if by_share else Fraction(0), other.key_at(books.now_ms)

    for other in rivals:
        goes_first = rank(other) < rank(work)
        books.require(not goes_first, Law.ORDER, f"{other.id!r} goes first for him")


def _check_match(books: Books, work: Work, desk: Desk) -> None:
    """What holds when the engine brings them together."""
    queue, limits = work.queue, books.plan.limits
    books.require(queue.delivery is not Delivery.PULL, Law.OFFER, "agents pick from there")
    books.require(len(work.offers) < queue.offers, Law.OFFER, "enough offers of it are open")
    may_once_more = work.is_callback or books.plan_version  # the limit may have been another
    once_more = may_once_more and work.state is InteractionState.WAITING
    often = work.offered >= limits.max_offers and not once_more
    books.require(not often, Law.OFFER, "offered too often")
    books.require(desk.agent.id not in work.barred, Law.REFUSAL, "he is barred")


def _offered(books: Books, event: ev.Offered) -> None:
    next_id, how = books.last_offer + 1, event.how
    books.require(event.offer_id == next_id, Law.OFFER, f"the next is {next_id}")
    work, desk = books.work(event), books.desks.get(event.agent_id)
    if desk is None or not (desk.ready or how is OfferKind.ASSIGNED):
        books.fail(Law.READY, f"{event.agent_id!r} is not ready")
    his = any(offer.agent_id == desk.agent.id for offer in work.offers.values())
    books.require(not his, Law.OFFER, "he has an open offer of it")
    if how is OfferKind.MATCHED:
        _check_match(books, work, desk)
    elif how is OfferKind.PICKED:
        pushed = work.queue.delivery is Delivery.PUSH
        books.require(not pushed, Law.OFFER, "nobody picks from there")
    has_room = desk.has_room(work.channel, work.limits)
    if how is not OfferKind.ASSIGNED:
        books.require(work.admits(desk.agent), Law.REQUIREMENT, "he does not satisfy it")
        books.require(work.opens_to(desk.agent), Law.ACCESS, "it is not open to him yet")
        books.require(has_room, Law.CAPACITY, "he has no room")
    books.require(event.over_capacity is not has_room, Law.CAPACITY, f"he has room: {has_room}")
    if how is OfferKind.MATCHED:
        _check_lane(books, work, desk.agent)
        _check_choice(books, work, desk)
    expires_at_ms = event.at_ms + work.queue.offer_timeout_ms
    books.require(event.expires_at_ms == expires_at_ms, Law.DEADLINE, f"not {expires_at_ms}")
    if how is not OfferKind.MATCHED or work.queue.auto_accept:
        books.owe(ev.Accepted, event.offer_id)
    books.last_offer = event.offer_id
    books.offered.add(work.id)
    work.offers[event.offer_id] = Offer(desk.agent.id, expires_at_ms)
    work.offered += 1
    desk.work[event.offer_id] = books.offers[event.offer_id] = work
    desk.taken[work.queue.name] += 1
    books.deadlines.add(expires_at_ms, "offer", work, event.offer_id)
    books.move(work, event)
    books.figures.count(event, work)


# --- answers --------------------------------------------------------------------------


def _answered(books: Books, event: ev.Accepted | ev.Declined | ev.Expired | ev.Revoked) -> None:
    work = books.offers.get(event.offer_id)
    if work is None:
        books.fail(Law.OFFER, "it is not open")
    offer = work.offers[event.offer_id]
    same = (work.id, offer.agent_id) == (event.interaction_id, event.agent_id)
    books.require(same, Law.OFFER, f"it is for {offer.agent_id!r} and about {work.id!r}")
    if isinstance(event, ev.Expired):
        on_time = event.at_ms == offer.until_ms
        books.require(on_time, Law.DEADLINE, f"it expires at {offer.until_ms}")
    elif not isinstance(event, ev.Revoked):
        in_time = event.at_ms < offer.until_ms
        books.require(in_time, Law.DEADLINE, f"it expired at {offer.until_ms}")
    is_taken = isinstance(event, ev.Revoked) and event.reason is RevokeReason.TAKEN
    books.require(is_taken is bool(work.agent_id), Law.OFFER, f"it is {work.agent_id!r}'s")
    books.close_offer(work, event.offer_id)
    if isinstance(event, ev.Accepted):
        _assign(books, work, event)
    books.move(work, event)
    books.figures.count(event, work)
    if isinstance(event, ev.Declined | ev.Revoked):
        bar(books, work, offer.agent_id, event)
    if not isinstance(event, ev.Accepted):
        _owe_after_offer(books, work, offer.agent_id, event)


def _assign(books: Books, work: Work, event: ev.Accepted) -> None:
    """The first acceptance wins; the other offers are taken back."""
    work.assignment_id, work.agent_id = event.offer_id, event.agent_id
    work.accepted_at_ms, work.offered, work.front = event.at_ms, 0, False
    books.offered.discard(work.id)
    books.assignments[event.offer_id] = books.desks[event.agent_id].work[event.offer_id] = work
    work.barred.clear()
    books.refused.pop(work.id, None)
    for offer_id in work.offers:
        books.owe(ev.Revoked, offer_id)


def _owe_after_offer(
    books: Books, work: Work, agent_id: str, event: ev.Declined | ev.Expired | ev.Revoked
) -> None:
    reason = event.reason if isinstance(event, ev.Revoked) else None
    is_exhausted = work.offered >= books.plan.limits.max_offers and not work.offers
    if reason is RevokeReason.CUSTOMER_LEFT:
        books.owe(ev.Abandoned, work.id)
    elif reason is RevokeReason.MOVED:
        books.owe(ev.Moved, work.id)
    elif reason is RevokeReason.CANCELLED or (is_exhausted and not work.agent_id):
        books.owe(ev.Cancelled, work.id)
    if reason is RevokeReason.SIGNED_OUT:
        books.owe(ev.SignedOut, agent_id)
    elif isinstance(event, ev.Expired) and work.queue.on_expiry is OnExpiry.NOT_READY:
        books.owe(ev.BecameNotReady, agent_id)
    elif isinstance(event, ev.Expired) and work.queue.on_expiry is OnExpiry.SIGN_OUT:
        books.owe(ev.SignedOut, agent_id)


# --- assignments ----------------------------------------------------------------------


def _held_or_resumed(books: Books, event: ev.Held | ev.Resumed) -> None:
    books.move(assigned(books, event), event)


def _requeued(books: Books, event: ev.Requeued) -> None:
    work = assigned(books, event)
    leave(books, work)
    books.figures.count(event, work)
    if event.enqueued_at_ms is not None:
        joins = work.queue.on_requeue is OnRequeue.JOIN_END
        joins = joins and event.enqueued_at_ms == event.at_ms
        books.require(joins, Law.ORDER, "it keeps its place")
        work.enqueued_at_ms = event.enqueued_at_ms
    elif work.queue.on_requeue is OnRequeue.JOIN_END:
        books.owe(ev.SignedOut, event.agent_id)
    books.move(work, event)
    bar(books, work, event.agent_id, event)
    if work.life_end_ms is not None and work.life_end_ms <= event.at_ms:
        books.owe(ev.Cancelled, work.id)
    else:
        follow_up(books, work)


def _wrap_up_started(books: Books, event: ev.WrapUpStarted) -> None:
    work, until_ms = assigned(books, event), None
    leave(books, work)
    wrap_up, agent = work.queue.wrap_up, books.desks[event.agent_id].agent
    books.require(_has_wrap_up(wrap_up, agent), Law.STATE, "there is none")
    if wrap_up.kind is not WrapUpKind.OPTIONAL:
        until_ms = event.at_ms + _length_ms(wrap_up, agent)
        books.deadlines.add(until_ms, "wrap_up", work)
    books.require(event.until_ms == until_ms, Law.DEADLINE, f"not {until_ms}")
    work.until_ms, work.extended_ms = until_ms, 0
    work.may_extend_ms = wrap_up.max_extension_ms
    books.move(work, event)


def _length_ms(wrap_up: WrapUp, agent: Agent) -> int:
    return wrap_up.duration_ms if agent.wrap_up_ms is None else agent.wrap_up_ms


def _has_wrap_up(wrap_up: WrapUp, agent: Agent) -> bool:
    if wrap_up.kind in (WrapUpKind.NONE, WrapUpKind.OPTIONAL):
        return wrap_up.kind is WrapUpKind.OPTIONAL
    return _length_ms(wrap_up, agent) > 0


def _completed(books: Books, event: ev.Completed) -> None:
    work = assigned(books, event)
    wrap_up, codes = work.queue.wrap_up, work.queue.codes
    owes = _has_wrap_up(wrap_up, books.desks[event.agent_id].agent)
    known = not codes or event.code in codes or event.code in _ENGINES
    books.require(known, Law.STATE, f"{event.code!r} is no code of the queue")
    handed_over = completed_consult(books, work, event.code)
    if work.state in TAKEN:
        leave(books, work)
    if work.state in TAKEN and owes:
        books.require(handed_over, Law.STATE, "it owes a wrap-up")
        books.owe(ev.HandedOver, work.parent_id)
    elif (
        work.state is InteractionState.WRAP_UP
        and wrap_up.kind is WrapUpKind.FORCED
        and event.at_ms < (work.until_ms or 0)
    ):
        books.owe(ev.SignedOut, event.agent_id)
    books.figures.count(event, work)
    books.move(work, event)


HANDLERS: Final[dict[type, Callable[[Books, Any], None]]] = {
    ev.Offered: _offered,
    ev.Accepted: _answered,
    ev.Declined: _answered,
    ev.Expired: _answered,
    ev.Revoked: _answered,
    ev.Held: _held_or_resumed,
    ev.Resumed: _held_or_resumed,
    ev.Requeued: _requeued,
    ev.WrapUpStarted: _wrap_up_started,
    ev.Completed: _completed,
}
