"""Prometheus metrics of mailboxes that are read: how much comes, what fails, how far behind.

A receiver counts in plain integers (`Mailbox`); names, labels and floats are made when somebody
scrapes, as for the metrics of a router. These numbers are about the way to the router, so they are
in no journal: they begin with the process.

The label is the name that you give a mailbox, never an address.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

import attrs
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..errors import UsageError
from .exposition import Family

__all__ = ["MAILBOX_FAMILIES", "OUTCOMES", "Mailbox", "MailboxMetrics"]

#: What became of a mail that was tried, a closed list.
OUTCOMES = ("recorded", "set_aside", "refused", "failed")

MAILBOX_FAMILIES: tuple[Family, ...] = (
    Family(
        "omniroute_mailbox_mails",
        CounterMetricFamily,
        ("mailbox", "outcome"),
        "Mails that were tried, by what became of them.",
    ),
    Family(
        "omniroute_mailbox_connections_lost",
        CounterMetricFamily,
        ("mailbox",),
        "Connections that ended by themselves, or were not made.",
    ),
    Family(
        "omniroute_mailbox_connected",
        GaugeMetricFamily,
        ("mailbox",),
        "1 while the folder is open, else 0.",
    ),
    Family(
        "omniroute_mailbox_behind_seconds",
        GaugeMetricFamily,
        ("mailbox",),
        "How long the oldest mail that may be there has been waiting to be recorded.",
    ),
)


@attrs.define(eq=False)
class Mailbox:
    """The counts of one mailbox, kept by whoever reads it.

    ``behind_since_ms``: everything that came before is recorded; None: everything is, and what
    comes is told.
    """

    mails: Counter[str] = attrs.field(factory=Counter)
    lost: int = 0
    connected: bool = False
    behind_since_ms: int | None = None


def _wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class MailboxMetrics(Collector):
    """The metrics of several mailboxes on one registry.

    Args:
        registry: where they are exported, until `unregister`.
        now_ms: the clock, milliseconds since the epoch, the one of the receivers.

    Raises:
        UsageError: the registry has such metrics already.
    """

    def __init__(
        self, registry: CollectorRegistry, *, now_ms: Callable[[], int] = _wall_ms
    ) -> None:
        self._now_ms = now_ms
        self._mailboxes: dict[str, Mailbox] = {}
        try:
            registry.register(self)
        except ValueError as error:
            raise UsageError(
                "this registry already has the metrics of mailboxes: make one MailboxMetrics "
                "and give it to every receiver"
            ) from error
        self._registry = registry

    def mailbox(self, name: str) -> Mailbox:
        """The counts of a mailbox; the same for the same name."""
        return self._mailboxes.setdefault(name, Mailbox())

    def unregister(self) -> None:
        """Take them off the registry again."""
        self._registry.unregister(self)

    def describe(self) -> Iterable[Metric]:
        """The metrics without samples."""
        return _families().values()

    def collect(self) -> Iterable[Metric]:
        """Everything, as of now. O(mailboxes)."""
        families = _families()
        now_ms = self._now_ms()
        # The dict is copied before it is walked: a scrape may come from another thread.
        for name, mailbox in list(self._mailboxes.items()):
            for outcome in OUTCOMES:
                _put(families["mails"], (name, outcome), mailbox.mails[outcome])
            since_ms = mailbox.behind_since_ms
            behind_ms = 0 if since_ms is None else max(now_ms - since_ms, 0)
            _put(families["connections_lost"], (name,), mailbox.lost)
            _put(families["connected"], (name,), mailbox.connected)
            _put(families["behind_seconds"], (name,), behind_ms / 1_000)
        return families.values()


def _families() -> dict[str, Metric]:
    """Every family, empty, by its name less the prefix."""
    return {
        family.name.removeprefix("omniroute_mailbox_"): family.kind(
            family.name, family.help, labels=family.labels
        )
        for family in MAILBOX_FAMILIES
    }


def _put(family: Metric, labels: tuple[str, ...], value: float) -> None:
    assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
    family.add_metric(labels, value)
