"""Log events: structured, silent until the application wants them, safe to keep.

They go to the standard logger ``omniroute`` (with a `logging.NullHandler`), so an application
turns them on where it configures logging and sees nothing before. structlog only shapes
them: it is never configured here, because that belongs to the application.

A name in `LOG_EVENTS` is stable. No log event has a message's text, subject, address,
customer, thread id or message id: a log outlives the reason to keep those. Nor has it what
people write beside their work (why they declined, a disposition code) or what a channel says
of a payload (why it is quarantined): a ``reason`` here is always from a closed list.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from .. import events as ev
from ..events import Event

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

__all__ = ["LOG_EVENTS", "EventLog", "LogEvent"]

_D, _I, _W = logging.DEBUG, logging.INFO, logging.WARNING


class LogEvent(NamedTuple):
    """How one kind of event is logged: its name, its level, the fields that go with it."""

    name: str
    level: int
    fields: tuple[str, ...]


#: Every event of the journal as a log event; ``channel`` and ``agent_id`` are looked up.
LOG_EVENTS: dict[type[Event], LogEvent] = {
    ev.Queued: LogEvent(
        "interaction_queued",
        _D,
        ("interaction_id", "channel", "queue", "priority", "kind", "parent_id"),
    ),
    ev.Rejected: LogEvent(
        "interaction_rejected", _W, ("interaction_id", "channel", "queue", "reason")
    ),
    ev.Quarantined: LogEvent("message_quarantined", _W, ("interaction_id", "channel")),
    ev.Duplicate: LogEvent("message_repeated", _D, ("interaction_id", "channel")),
    ev.MessageAppended: LogEvent("message_appended", _D, ("interaction_id", "channel", "agent_id")),
    ev.MessageEdited: LogEvent("message_edited", _D, ("interaction_id", "channel", "agent_id")),
    ev.MessageRedacted: LogEvent("message_redacted", _D, ("interaction_id", "agent_id")),
    ev.UpdateNoted: LogEvent("update_noted", _D, ("interaction_id", "channel", "update")),
    ev.CustomersLinked: LogEvent("customers_linked", _D, ()),
    ev.CustomerErased: LogEvent("customer_erased", _I, ()),
    ev.StepReached: LogEvent("step_reached", _D, ("interaction_id", "step")),
    ev.Reprioritized: LogEvent("interaction_reprioritized", _I, ("interaction_id", "priority")),
    ev.AccessWidened: LogEvent("access_widened", _D, ("interaction_id", "opening")),
    ev.Moved: LogEvent("interaction_moved", _I, ("interaction_id", "queue", "priority")),
    ev.Scheduled: LogEvent("interaction_scheduled", _D, ("interaction_id", "starts_at_ms")),
    ev.Started: LogEvent("interaction_started", _D, ("interaction_id",)),
    ev.Postponed: LogEvent("callback_postponed", _D, ("interaction_id", "until_ms")),
    ev.CallbackRequested: LogEvent("callback_requested", _D, ("interaction_id", "due_at_ms")),
    ev.CallbackFailed: LogEvent(
        "callback_failed", _I, ("interaction_id", "agent_id", "assignment_id", "due_at_ms")
    ),
    ev.RefusalsReset: LogEvent("refusals_reset", _D, ("interaction_id", "agent_id")),
    ev.Abandoned: LogEvent("interaction_abandoned", _I, ("interaction_id",)),
    ev.Cancelled: LogEvent("interaction_cancelled", _I, ("interaction_id",)),
    ev.Offered: LogEvent(
        "offer_made",
        _D,
        ("interaction_id", "agent_id", "offer_id", "expires_at_ms", "how", "over_capacity"),
    ),
    ev.Accepted: LogEvent("offer_accepted", _D, ("interaction_id", "agent_id", "offer_id")),
    ev.Declined: LogEvent("offer_declined", _I, ("interaction_id", "agent_id", "offer_id")),
    ev.Expired: LogEvent("offer_expired", _I, ("interaction_id", "agent_id", "offer_id")),
    ev.Revoked: LogEvent("offer_revoked", _I, ("interaction_id", "agent_id", "offer_id", "reason")),
    ev.Held: LogEvent("interaction_held", _D, ("interaction_id", "assignment_id")),
    ev.Resumed: LogEvent("interaction_resumed", _D, ("interaction_id", "assignment_id")),
    ev.Requeued: LogEvent(
        "interaction_requeued", _I, ("interaction_id", "agent_id", "assignment_id")
    ),
    ev.Parked: LogEvent(
        "interaction_parked", _D, ("interaction_id", "agent_id", "assignment_id", "until_ms")
    ),
    ev.Unparked: LogEvent("interaction_unparked", _D, ("interaction_id", "agent_id")),
    ev.Transferred: LogEvent(
        "interaction_transferred", _I, ("interaction_id", "agent_id", "assignment_id", "queue")
    ),
    ev.HandedOver: LogEvent(
        "interaction_handed_over",
        _I,
        ("interaction_id", "agent_id", "assignment_id", "to_agent_id", "offer_id"),
    ),
    ev.Conferenced: LogEvent(
        "conference_started", _I, ("interaction_id", "assignment_id", "consult_id")
    ),
    ev.WrapUpStarted: LogEvent(
        "wrap_up_started", _D, ("interaction_id", "agent_id", "assignment_id")
    ),
    ev.WrapUpExtended: LogEvent(
        "wrap_up_extended", _D, ("interaction_id", "assignment_id", "until_ms")
    ),
    ev.Completed: LogEvent(
        "interaction_completed", _D, ("interaction_id", "agent_id", "assignment_id")
    ),
    ev.PlanChanged: LogEvent("plan_changed", _I, ("version",)),
    ev.QueueDrained: LogEvent("queue_drained", _I, ("queue",)),
    ev.QueueReopened: LogEvent("queue_reopened", _I, ("queue",)),
    ev.LeaseRenewed: LogEvent("lease_renewed", _D, ("agent_id", "until_ms")),
    ev.SignedIn: LogEvent("agent_signed_in", _I, ("agent_id",)),
    ev.SignedOut: LogEvent("agent_signed_out", _I, ("agent_id",)),
    ev.BecameReady: LogEvent("agent_ready", _D, ("agent_id",)),
    ev.BecameNotReady: LogEvent("agent_not_ready", _D, ("agent_id",)),
    ev.AgentChanged: LogEvent("agent_changed", _I, ("agent_id",)),
    ev.CommandRejected: LogEvent("command_rejected", _I, ("command", "subject", "reason")),
}

_MOST_URGENT = max(event.level for event in LOG_EVENTS.values())

_standard = logging.getLogger("omniroute")
_standard.addHandler(logging.NullHandler())


def _logger() -> BoundLogger:
    # Imported late: structlog brings rich in where that is installed, 0.1 s at import.
    import structlog

    logger: BoundLogger = structlog.wrap_logger(
        _standard,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.render_to_log_kwargs,
        ],
    )
    return logger


class EventLog:
    """Logs published events. An event that is filtered out costs about 0.2 us."""

    def __init__(self) -> None:
        self._log = _logger()
        self._callback_errors: set[type[Exception]] = set()

    def observe(self, events: Iterable[Event]) -> None:
        """Log the events of one entry, those that the logger's level lets through."""
        level = _standard.getEffectiveLevel()
        if level > _MOST_URGENT:
            return
        for event in events:
            described = LOG_EVENTS[type(event)]
            if described.level >= level:
                fields = {name: _field(event, name) for name in described.fields}
                self._log.log(described.level, described.name, at_ms=event.at_ms, **fields)

    def started(self, plan: str, recovered_events: int, *, plan_changed: bool) -> None:
        """The router is open; ``plan_changed`` since the snapshot that it began with."""
        self._log.info(
            "router_started",
            plan=plan,
            recovered_events=recovered_events,
            plan_changed=plan_changed,
        )

    def snapshot_taken(self, position: int, size_bytes: int) -> None:
        """A recovery may begin behind this record of the journal."""
        self._log.info("snapshot_taken", position=position, size_bytes=size_bytes)

    def snapshot_failed(self, error: Exception) -> None:
        """The journal is whole, but a recovery takes longer until a snapshot can be made."""
        self._log.warning("snapshot_failed", error=type(error).__name__)

    def erasure_failed(self, error: Exception) -> None:
        """A customer's keys are not destroyed yet; the next start brings it to its end."""
        self._log.error("erasure_failed", error=type(error).__name__)

    def partition_taken(self, partition: str, epoch: int) -> None:
        """This member of a cluster holds the lease of a partition."""
        self._log.info("partition_taken", partition=partition, epoch=epoch)

    def partition_left(self, partition: str, epoch: int, failure: Exception | None) -> None:
        """This member's router of a partition has stopped; with a failure, by itself."""
        if failure is None:
            self._log.info("partition_left", partition=partition, epoch=epoch, error="")
        else:
            error = type(failure).__name__
            self._log.error("partition_left", partition=partition, epoch=epoch, error=error)

    def callback_failed(self, error: Exception) -> None:
        """The application's ``on_events`` raised; logged once for each type of exception."""
        if type(error) not in self._callback_errors:
            self._callback_errors.add(type(error))
            self._log.error("on_events_failed", error=type(error).__name__)

    def stopped(self, failure: BaseException | None) -> None:
        """The router is closed, or has failed."""
        if failure is None:
            self._log.info("router_stopped")
        else:
            self._log.error("router_failed", error=type(failure).__name__)


def _field(event: Event, name: str) -> object:
    """A field of an event, as the plain value that it is in JSON."""
    value: object
    if name == "channel" and isinstance(
        event,
        ev.Queued | ev.Rejected | ev.Quarantined | ev.MessageAppended | ev.MessageEdited,
    ):
        value = event.message.channel
    elif name == "agent_id" and isinstance(event, ev.SignedIn | ev.AgentChanged):
        value = event.agent.id
    else:
        value = getattr(event, name)
    return str(value) if isinstance(value, str) else value
