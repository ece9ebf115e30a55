"""The log of January 1999 as typed rows: who called, who waited how long, who took it."""

from __future__ import annotations

import csv
import gzip
import pathlib
from typing import NamedTuple

__all__ = ["MONTH_S", "TYPES", "Call", "load"]

LOG = pathlib.Path(__file__).parent / "january.txt.gz"
DAY_S = 86_400
MONTH_S = 31 * DAY_S

#: Regular activity, new customers (no account yet), stock exchange, internet, callbacks, English.
TYPES = ("PS", "NW", "NE", "IN", "TT", "PE")


class Call(NamedTuple):
    """One call that sought an agent; moments in seconds since the month began.

    ``at_s`` is when it left the voice menu. ``agent`` is empty for one who hung up, and for the
    few where the log names nobody. ``priority`` 2 has a credit of 90 s; 0 is also written for most
    who did not wait, whatever they are.
    """

    type: str
    priority: int
    at_s: int
    wait_s: int
    served: bool
    service_s: int
    start_s: int
    agent: str

    @property
    def end_s(self) -> int:
        """When the agent was done."""
        return self.start_s + self.service_s


def _seconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * 60 + int(seconds)


def load() -> list[Call]:
    """The calls that sought an agent, in order: served, or in queue and gone."""
    with gzip.open(LOG, "rt", encoding="ascii", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    calls = []
    for row in rows:
        served, wait_s = row["outcome"] == "AGENT", int(row["q_time"])
        if row["outcome"] == "PHANTOM" or not (served or wait_s > 0):
            continue
        day_s = (int(row["date"][4:]) - 1) * DAY_S
        server = row["server"].strip()
        calls.append(
            Call(
                type=row["type"],
                priority=int(row["priority"]),
                at_s=day_s + _seconds(row["q_start"] if wait_s else row["vru_exit"]),
                wait_s=wait_s,
                served=served,
                service_s=int(row["ser_time"]),
                start_s=day_s + _seconds(row["ser_start"]),
                agent="" if not served or server == "NO_SERVER" else server,
            )
        )
    return sorted(calls, key=lambda call: call.at_s)
