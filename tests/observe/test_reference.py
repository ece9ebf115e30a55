"""The reference pages name every metric and every log event, and no other."""

import re
from pathlib import Path

from prometheus_client.core import CounterMetricFamily

from omniroute.observe import LOG_EVENTS
from omniroute.observe.exposition import FAMILIES
from omniroute.observe.mailboxes import MAILBOX_FAMILIES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def rows(page):
    """The cells of each table row that begins with a name in code."""
    text = (REFERENCE / page).read_text("utf-8")
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def codes(cell):
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_every_metric_with_its_labels():
    documented = {codes(name)[0]: codes(labels) for name, _, labels, _ in rows("metrics.md")}
    suffix = {CounterMetricFamily: "_total"}
    families = (*FAMILIES, *MAILBOX_FAMILIES)
    exported = {f.name + suffix.get(f.kind, ""): f.labels for f in families}
    assert documented == exported


def test_every_log_event_with_its_level_and_fields():
    documented = {
        codes(name)[0]: (level, codes(fields)) for name, level, fields in rows("log-events.md")
    }
    levels = {10: "debug", 20: "info", 30: "warning"}
    logged = {e.name: (levels[e.level], e.fields) for e in LOG_EVENTS.values()}
    assert logged.items() <= documented.items()
    assert set(documented) - set(logged) == {
        "router_started",
        "router_stopped",
        "router_failed",
        "on_events_failed",
        "snapshot_taken",
        "snapshot_failed",
        "erasure_failed",
        "partition_taken",
        "partition_left",
    }
