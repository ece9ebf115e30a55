"""The metric families of a scrape: names, help texts, labels, floats in seconds.

Everything that Prometheus sees is named here and nowhere else; `metrics` only counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

if TYPE_CHECKING:
    from .metrics import Histogram, Metrics

__all__ = ["FAMILIES", "Family", "families", "scrape"]

_Kind = type[CounterMetricFamily] | type[GaugeMetricFamily] | type[HistogramMetricFamily]


class Family(NamedTuple):
    """One metric: its name (counters get ``_total``), kind, labels, help text."""

    name: str
    kind: _Kind
    labels: tuple[str, ...]
    help: str


_QC = ("queue", "channel")

FAMILIES: tuple[Family, ...] = (
    Family(
        "omniroute_interactions",
        CounterMetricFamily,
        (*_QC, "outcome"),
        "What happened to interactions; one may be queued, requeued and completed.",
    ),
    Family(
        "omniroute_offers",
        CounterMetricFamily,
        (*_QC, "outcome"),
        "Offers made to agents, and how they ended.",
    ),
    Family(
        "omniroute_messages_appended",
        CounterMetricFamily,
        _QC,
        "Messages that joined an open interaction.",
    ),
    Family(
        "omniroute_wait_seconds",
        HistogramMetricFamily,
        _QC,
        "Time from the beginning of its wait to acceptance.",
    ),
    Family(
        "omniroute_abandoned_wait_seconds",
        HistogramMetricFamily,
        _QC,
        "Time from the beginning of its wait to abandonment.",
    ),
    Family(
        "omniroute_handle_seconds",
        HistogramMetricFamily,
        _QC,
        "Time from acceptance until the agent has it no more, holds and wrap-up included.",
    ),
    Family(
        "omniroute_waiting",
        GaugeMetricFamily,
        ("queue",),
        "Interactions that wait for an agent, offered ones included.",
    ),
    Family(
        "omniroute_longest_wait_seconds",
        GaugeMetricFamily,
        ("queue",),
        "How long the oldest of them has been waiting; 0 when none waits.",
    ),
    Family(
        "omniroute_expected_wait_seconds",
        GaugeMetricFamily,
        ("queue",),
        "How long who comes now will wait for an agent; absent with too few samples.",
    ),
    Family(
        "omniroute_agents",
        GaugeMetricFamily,
        ("presence",),
        "Signed-in agents by what they say of themselves.",
    ),
    Family(
        "omniroute_assignments",
        GaugeMetricFamily,
        ("state",),
        "Open offers and assignments by state.",
    ),
    Family(
        "omniroute_set_aside",
        GaugeMetricFamily,
        ("state",),
        "Interactions that wait for nobody now: scheduled for later, or parked by their agent.",
    ),
    Family(
        "omniroute_unrouted",
        CounterMetricFamily,
        ("channel",),
        "Messages that no triage rule took.",
    ),
    Family(
        "omniroute_quarantined",
        CounterMetricFamily,
        ("channel",),
        "Messages that were kept aside for a human.",
    ),
    Family(
        "omniroute_duplicates",
        CounterMetricFamily,
        ("channel",),
        "Messages that were seen before.",
    ),
    Family(
        "omniroute_over_sender_rate",
        CounterMetricFamily,
        ("channel",),
        "Messages that were not routed because their sender sends too many.",
    ),
    Family(
        "omniroute_commands_rejected",
        CounterMetricFamily,
        ("command", "reason"),
        "Commands that could not be done.",
    ),
    Family(
        "omniroute_deliveries",
        CounterMetricFamily,
        ("channel", "disposition"),
        "Provider events that were delivered since this process started, by what they meant.",
    ),
)


def families() -> dict[str, Metric]:
    """Every metric without samples, by its name less the prefix."""
    return {
        family.name.removeprefix("omniroute_"): family.kind(
            family.name, family.help, labels=family.labels
        )
        for family in FAMILIES
    }


def scrape(counts: Metrics) -> Iterable[Metric]:
    """Every metric with all that was counted, as of now."""
    found = families()
    # Dicts are copied before they are walked: a scrape may come from another thread.
    for (queue, channel), tally in list(counts.tallies.items()):
        labels = (queue, channel.value)
        for outcome, count in list(tally.interactions.items()):
            _count(found["interactions"], (*labels, outcome), count)
        for outcome, count in list(tally.offers.items()):
            _count(found["offers"], (*labels, outcome), count)
        _count(found["messages_appended"], labels, tally.messages)
        _times(found["wait_seconds"], labels, tally.wait)
        _times(found["abandoned_wait_seconds"], labels, tally.abandoned)
        _times(found["handle_seconds"], labels, tally.handle)
    for name, counter in (
        ("unrouted", counts.unrouted),
        ("quarantined", counts.quarantined),
        ("duplicates", counts.duplicates),
        ("over_sender_rate", counts.over_rate),
    ):
        for channel_name, count in list(counter.items()):
            _count(found[name], (channel_name,), count)
    for (command, reason), count in list(counts.refused.items()):
        _count(found["commands_rejected"], (command, reason), count)
    for (channel, disposition), count in list(counts.deliveries.items()):
        _count(found["deliveries"], (channel.value, disposition.value), count)
    _gauges(found, counts)
    return found.values()


def _gauges(found: dict[str, Metric], counts: Metrics) -> None:
    now_ms = counts.now_ms()
    for queue, waiting in counts.waiting.items():
        since = list(waiting.values())
        longest_ms = now_ms - min(since) if since else 0
        _level(found["waiting"], {"queue": queue}, len(since))
        _level(found["longest_wait_seconds"], {"queue": queue}, longest_ms / 1_000)
        if (ewt_ms := counts.ewt_ms(queue)) is not None:
            _level(found["expected_wait_seconds"], {"queue": queue}, ewt_ms / 1_000)
    ready = list(counts.agents.values())
    _level(found["agents"], {"presence": "ready"}, ready.count(True))
    _level(found["agents"], {"presence": "not_ready"}, ready.count(False))
    for state in ("offered", "engaged", "held", "wrap_up"):
        _level(found["assignments"], {"state": state}, counts.states[state])
    for state in ("scheduled", "parked"):
        _level(found["set_aside"], {"state": state}, counts.states[state])


def _level(family: Metric, labels: dict[str, str], value: float) -> None:
    family.add_sample(family.name, labels, value)


def _count(family: Metric, labels: Sequence[str], value: int) -> None:
    assert isinstance(family, CounterMetricFamily)
    family.add_metric(labels, value)


def _times(family: Metric, labels: Sequence[str], histogram: Histogram) -> None:
    assert isinstance(family, HistogramMetricFamily)
    bounds = [repr(bound_ms / 1_000) for bound_ms in histogram.bounds_ms]
    running = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*bounds, "+Inf"], list(histogram.counts), strict=True):
        running += count
        buckets.append((bound, running))
    family.add_metric(labels, buckets=buckets, sum_value=histogram.sum_ms / 1_000)
