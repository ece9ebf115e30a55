"""Prometheus metrics: a fold of published events, written out when somebody scrapes.

Events only change plain integers here; names, labels and floats are made at scrape time
by the collector. So an event costs half a microsecond, and the metrics are the journal's
truth: their counters equal `Engine.statistics`, which folds the same events.

Labels come from the plan and from closed lists alone: never an agent, a customer, an
address, an id. The wait buckets contain every queue's service level target, so that a
service level is a quotient of two series and exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from .. import events as ev
from ..errors import UsageError
from ..events import Event
from ..model import Channel, Disposition, Interaction, InteractionState
from .exposition import families, scrape

__all__ = ["HANDLERS", "NOT_COUNTED", "WAIT_BUCKETS_MS", "Histogram", "Metrics", "Tally"]

#: From a call's seconds to a mail's days; the service level targets are added.
WAIT_BUCKETS_MS = (
    *(1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000),
    *(1_800_000, 3_600_000, 14_400_000, 28_800_000, 86_400_000, 259_200_000),
)


class Histogram:
    """Counts of times by upper bound, in exact milliseconds."""

    __slots__ = ("bounds_ms", "counts", "sum_ms")

    def __init__(self, bounds_ms: tuple[int, ...]) -> None:
        self.bounds_ms = bounds_ms
        self.counts = [0] * (len(bounds_ms) + 1)
        self.sum_ms = 0

    def observe(self, value_ms: int) -> None:
        """Count one time."""
        self.counts[bisect_left(self.bounds_ms, value_ms)] += 1
        self.sum_ms += value_ms


class Tally:
    """The counts of one queue and channel."""

    __slots__ = ("abandoned", "handle", "interactions", "messages", "offers", "wait")

    def __init__(self, bounds_ms: tuple[int, ...]) -> None:
        self.interactions: Counter[str] = Counter()
        self.offers: Counter[str] = Counter()
        self.messages = 0
        self.wait = Histogram(bounds_ms)
        self.abandoned = Histogram(bounds_ms)
        self.handle = Histogram(bounds_ms)


class _Open:
    """What the fold must remember of an open interaction."""

    __slots__ = (
        "accepted_at_ms",
        "arrived_at_ms",
        "channel",
        "offers",
        "queue",
        "state",
        "tally",
    )

    def __init__(self, queue: str, channel: Channel, tally: Tally, arrived_at_ms: int) -> None:
        self.queue = queue
        self.channel = channel
        self.tally = tally
        #: from when its wait is reported
        self.arrived_at_ms = arrived_at_ms
        self.accepted_at_ms = 0
        #: how many offers of it are open
        self.offers = 0
        self.state = "waiting"


class Metrics(Collector):
    """The metrics of one router. ``targets`` maps each queue to its service level target.

    ``now_ms`` is the router's time, for the longest wait; ``deliveries`` counts provider
    events by channel and disposition and ``ewt_ms`` tells how long who comes to a queue now will
    wait (None: unknown); both are read at scrape time.
    """

    def __init__(
        self,
        targets: Mapping[str, int],
        now_ms: Callable[[], int],
        deliveries: Mapping[tuple[Channel, Disposition], int],
        ewt_ms: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self.queues = tuple(targets)
        self.now_ms = now_ms
        self.deliveries = deliveries
        self.ewt_ms = ewt_ms
        self.bounds_ms = tuple(sorted({*WAIT_BUCKETS_MS, *(t for t in targets.values() if t)}))
        self.tallies: dict[tuple[str, Channel], Tally] = {}
        self.unrouted: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        self.over_rate: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        #: agent id -> ready
        self.agents: dict[str, bool] = {}
        self._open: dict[str, _Open] = {}
        #: by queue: since when each waiting or offered interaction is queued
        self.waiting: dict[str, dict[str, int]] = {queue: {} for queue in self.queues}
        self.states: Counter[str] = Counter()
        self._registry: CollectorRegistry | None = None

    # --- the registry ---------------------------------------------------------------------

    def register(self, registry: CollectorRegistry) -> None:
        """Put the metrics on a registry; raises `UsageError` when another router's are there."""
        try:
            registry.register(self)
        except ValueError as error:
            raise UsageError(
                "this registry already has the metrics of another router: give each router "
                "its own (registry=CollectorRegistry()), and only one of them the default"
            ) from error
        self._registry = registry

    def unregister(self) -> None:
        """Take them off again, so that the registry is free for the next router."""
        if self._registry is not None:
            self._registry.unregister(self)
            self._registry = None

    def describe(self) -> Iterable[Metric]:
        """The metrics without samples, by which a registry notices a second router."""
        return families().values()

    def collect(self) -> Iterable[Metric]:
        """Everything, as of now. O(queues x channels + waiting)."""
        return scrape(self)

    # --- the fold -------------------------------------------------------------------------

    def resume(
        self,
        interactions: Iterable[Interaction],
        agents: Mapping[str, bool],
        accepted_at_ms: Mapping[str, int],
        offers: Mapping[str, int],
    ) -> None:
        """Begin with what stands, where the events before were not folded.

        Counters begin at zero then, as after any restart; gauges are right at once.
        ``agents`` tells who is ready, ``accepted_at_ms`` since when an agent has one, and
        ``offers`` how many offers of one are open.
        """
        self.agents.update(agents)
        for each in interactions:
            tally = self._tally(each.queue, each.channel)
            item = self._open[each.id] = _Open(each.queue, each.channel, tally, each.arrived_at_ms)
            item.accepted_at_ms = accepted_at_ms.get(each.id, 0)
            item.offers = offers.get(each.id, 0)
            item.state = each.state.value
            self.states[item.state] += 1
            if each.state in (InteractionState.WAITING, InteractionState.OFFERED):
                self._waits(each.id, item)

    def observe(self, events: Iterable[Event]) -> None:
        """Fold the events of one entry in. About 0.5 us per event."""
        for event in events:
            handler = HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)

    def _tally(self, queue: str, channel: Channel) -> Tally:
        found = self.tallies.get((queue, channel))
        if found is None:
            found = self.tallies[queue, channel] = Tally(self.bounds_ms)
        return found

    def _move(self, item: _Open, state: str) -> None:
        self.states[item.state] -= 1
        self.states[state] += 1
        item.state = state

    def _queued(self, event: ev.Queued) -> None:
        tally = self._tally(event.queue, event.message.channel)
        tally.interactions["queued"] += 1
        if event.kind is not ev.Kind.CUSTOMER:
            tally.interactions[event.kind.value] += 1
        item = self._open[event.interaction_id] = _Open(
            event.queue, event.message.channel, tally, event.at_ms
        )
        self._waits(event.interaction_id, item)
        self.states["waiting"] += 1

    def _rejected(self, event: ev.Rejected) -> None:
        if event.reason is ev.RejectReason.SENDER_RATE:
            self.over_rate[event.message.channel.value] += 1
        elif event.queue is None:
            self.unrouted[event.message.channel.value] += 1
        else:
            self._tally(event.queue, event.message.channel).interactions["rejected"] += 1

    def _quarantined(self, event: ev.Quarantined) -> None:
        self.quarantined[event.message.channel.value] += 1
        if event.reason == ev.RejectReason.SENDER_RATE:
            self.over_rate[event.message.channel.value] += 1

    def _duplicate(self, event: ev.Duplicate) -> None:
        self.duplicates[event.channel] += 1

    def _appended(self, event: ev.MessageAppended) -> None:
        self._open[event.interaction_id].tally.messages += 1

    def _offered(self, event: ev.Offered) -> None:
        item = self._open[event.interaction_id]
        item.tally.offers["offered"] += 1
        item.offers += 1
        self._move(item, "offered")

    def _accepted(self, event: ev.Accepted) -> None:
        item = self._open[event.interaction_id]
        item.accepted_at_ms = event.at_ms
        item.offers -= 1
        item.tally.offers["accepted"] += 1
        item.tally.wait.observe(event.at_ms - item.arrived_at_ms)
        self._leaves(event.interaction_id, item)
        self._move(item, "engaged")

    def _offer_over(self, event: ev.Declined | ev.Expired | ev.Revoked) -> None:
        item = self._open[event.interaction_id]
        item.tally.offers[_ENDS[type(event)]] += 1
        item.offers -= 1
        if not item.offers and item.state == "offered":
            self._move(item, "waiting")

    def _held(self, event: ev.Held) -> None:
        self._move(self._open[event.interaction_id], "held")

    def _resumed(self, event: ev.Resumed) -> None:
        self._move(self._open[event.interaction_id], "engaged")

    def _wrap_up_started(self, event: ev.WrapUpStarted) -> None:
        self._move(self._open[event.interaction_id], "wrap_up")

    # --- an agent has it no more, but it is not over ------------------------------------------

    def _given_back(self, event: Any, outcome: str, state: str) -> _Open:
        item = self._open[event.interaction_id]
        item.tally.interactions[outcome] += 1
        item.tally.handle.observe(event.at_ms - item.accepted_at_ms)
        self._move(item, state)
        return item

    def _requeued(self, event: ev.Requeued) -> None:
        self._waits(event.interaction_id, self._given_back(event, "requeued", "waiting"))

    def _transferred(self, event: ev.Transferred) -> None:
        item = self._given_back(event, "transferred", "waiting")
        self._enters(item, event.queue)
        item.arrived_at_ms = event.at_ms
        self._waits(event.interaction_id, item)

    def _handed_over(self, event: ev.HandedOver) -> None:
        self._given_back(event, "handed_over", "engaged").accepted_at_ms = event.at_ms

    def _parked(self, event: ev.Parked) -> None:
        self._given_back(event, "parked", "parked")

    def _callback_failed(self, event: ev.CallbackFailed) -> None:
        self._given_back(event, "callback_failed", "scheduled")

    # --- another place, or none for a while ---------------------------------------------------

    def _moved(self, event: ev.Moved) -> None:
        item = self._counted(event)
        self._leaves(event.interaction_id, item)
        self._enters(item, event.queue)
        self._waits(event.interaction_id, item)

    def _scheduled(self, event: ev.Scheduled) -> None:
        item = self._counted(event)
        self._leaves(event.interaction_id, item)
        self._move(item, "scheduled")

    def _waits_anew(self, event: ev.Started | ev.Unparked) -> None:
        item = self._counted(event)
        item.arrived_at_ms = event.at_ms
        self._waits(event.interaction_id, item)
        self._move(item, "waiting")

    def _counted(self, event: Any) -> _Open:
        """An event that is counted by its wire name, among what became of interactions."""
        item = self._open[event.interaction_id]
        item.tally.interactions[str(event.__struct_config__.tag)] += 1
        return item

    def _enters(self, item: _Open, queue: str) -> None:
        item.queue = queue
        item.tally = self._tally(queue, item.channel)
        item.tally.interactions["moved_in"] += 1

    def _waits(self, interaction_id: str, item: _Open) -> None:
        self.waiting.setdefault(item.queue, {})[interaction_id] = item.arrived_at_ms

    def _leaves(self, interaction_id: str, item: _Open) -> None:
        self.waiting[item.queue].pop(interaction_id, None)

    # --- its end ------------------------------------------------------------------------------

    def _completed(self, event: ev.Completed) -> None:
        item = self._ended(event.interaction_id, "completed")
        item.tally.handle.observe(event.at_ms - item.accepted_at_ms)

    def _abandoned(self, event: ev.Abandoned) -> None:
        item = self._ended(event.interaction_id, "abandoned")
        item.tally.abandoned.observe(event.at_ms - item.arrived_at_ms)

    def _cancelled(self, event: ev.Cancelled) -> None:
        self._ended(event.interaction_id, "cancelled")

    def _ended(self, interaction_id: str, outcome: str) -> _Open:
        item = self._open.pop(interaction_id)
        item.tally.interactions[outcome] += 1
        self.waiting.setdefault(item.queue, {}).pop(interaction_id, None)
        self.states[item.state] -= 1
        return item

    def _refused(self, event: ev.CommandRejected) -> None:
        self.refused[event.command, event.reason.value] += 1

    def _signed_in(self, event: ev.SignedIn) -> None:
        self.agents[event.agent.id] = False

    def _signed_out(self, event: ev.SignedOut) -> None:
        del self.agents[event.agent_id]

    def _became_ready(self, event: ev.BecameReady) -> None:
        self.agents[event.agent_id] = True

    def _became_not_ready(self, event: ev.BecameNotReady) -> None:
        self.agents[event.agent_id] = False


_ENDS: dict[type[Event], str] = {
    ev.Declined: "declined",
    ev.Expired: "expired",
    ev.Revoked: "revoked",
}

HANDLERS: dict[type[Event], Callable[[Metrics, Any], object]] = {
    ev.Queued: Metrics._queued,
    ev.Rejected: Metrics._rejected,
    ev.Quarantined: Metrics._quarantined,
    ev.Duplicate: Metrics._duplicate,
    ev.MessageAppended: Metrics._appended,
    ev.Offered: Metrics._offered,
    ev.Accepted: Metrics._accepted,
    ev.Declined: Metrics._offer_over,
    ev.Expired: Metrics._offer_over,
    ev.Revoked: Metrics._offer_over,
    ev.Held: Metrics._held,
    ev.Resumed: Metrics._resumed,
    ev.WrapUpStarted: Metrics._wrap_up_started,
    ev.Requeued: Metrics._requeued,
    ev.Transferred: Metrics._transferred,
    ev.HandedOver: Metrics._handed_over,
    ev.Parked: Metrics._parked,
    ev.Unparked: Metrics._waits_anew,
    ev.Moved: Metrics._moved,
    ev.Scheduled: Metrics._scheduled,
    ev.Started: Metrics._waits_anew,
    ev.Postponed: Metrics._counted,
    ev.CallbackRequested: Metrics._counted,
    ev.CallbackFailed: Metrics._callback_failed,
    ev.Conferenced: Metrics._counted,
    ev.WrapUpExtended: Metrics._counted,
    ev.Completed: Metrics._completed,
    ev.Abandoned: Metrics._abandoned,
    ev.Cancelled: Metrics._cancelled,
    ev.CommandRejected: Metrics._refused,
    ev.SignedIn: Metrics._signed_in,
    ev.SignedOut: Metrics._signed_out,
    ev.BecameReady: Metrics._became_ready,
    ev.BecameNotReady: Metrics._became_not_ready,
}

#: Events that no metric counts: they change nothing that is measured.
NOT_COUNTED: frozenset[type[Event]] = frozenset(
    {
        ev.AccessWidened,
        ev.AgentChanged,
        ev.CustomerErased,
        ev.CustomersLinked,
        ev.LeaseRenewed,
        ev.MessageEdited,
        ev.MessageRedacted,
        ev.PlanChanged,
        ev.QueueDrained,
        ev.QueueReopened,
        ev.RefusalsReset,
        ev.Reprioritized,
        ev.StepReached,
        ev.UpdateNoted,
    }
)
