"""One run of a scenario: from a seed to an outcome, with whoever wants to watch."""

from __future__ import annotations

from collections.abc import Callable

from .. import events as ev
from ..events import Command, Event
from ..journal import Entry
from ..plan import Plan
from .auditor import Auditor
from .faulty import FaultyPlay
from .outcome import Outcome
from .play import Play, Receive
from .scenario import Scenario
from .streams import Streams

__all__ = ["Observer", "Recorder", "simulate"]

#: Sees every batch of events with the moment it happened.
Observer = Callable[[list[Event], int], None]

#: Sees every command with its moment and its events, as a journal keeps them.
Recorder = Callable[[Entry], None]


def simulate(
    scenario: Scenario,
    *,
    seed: int = 1,
    replication: int = 0,
    plan: Plan | None = None,
    audit: bool = False,
    observe: Observer | None = None,
    record: Recorder | None = None,
) -> Outcome:
    """Play a scenario once; the same arguments give the same outcome, byte for byte.

    ``plan`` takes the place of the scenario's (customers stay the same persons: common random
    numbers). ``audit`` re-checks every law after every batch and raises `AuditError`.
    ``observe`` sees every batch of events, ``record`` every command with its moment and events
    (a tick at the end closes the day). With the scenario's faults both see the router's time,
    which may differ from that of the world. Raises `UnknownNameError` or `PlanError` when the
    scenario does not fit the plan. Costs about 20 us per interaction, and memory that hardly grows
    with simulated time.
    """
    if plan is None:
        plan = scenario.plan
    else:
        scenario.check(plan)
    run = (Play if scenario.faults is None else FaultyPlay)(
        scenario, plan, Streams(seed, replication)
    )
    auditor = _watch(run, audit=audit, observe=observe, record=record)
    run.play()
    if auditor is not None:
        auditor.at_rest(whole=True)
    if record is not None:
        at_ms = max(run.tally.last_ms, run.engine.now_ms)
        record(Entry(ev.Tick(), at_ms, tuple(run.engine.receive(ev.Tick(), at_ms))))
    return run.tally.outcome(
        scenario=scenario.name,
        plan=plan.name,
        seed=seed,
        replication=replication,
        interactions=run.interactions,
    )


def _watch(
    run: Play,
    *,
    audit: bool,
    observe: Observer | None,
    record: Recorder | None = None,
) -> Auditor | None:
    """Let an auditor, an observer and a recorder see what the engine answers."""
    if not audit and observe is None and record is None:
        return None
    auditor = Auditor(run.plan) if audit else None

    def wrap(receive: Receive) -> Receive:
        def watched(command: Command, at_ms: int) -> list[Event]:
            events = receive(command, at_ms)
            if auditor is not None:
                auditor.audit(events)
                auditor.at_rest(at_ms)
            if observe is not None:
                observe(events, at_ms)
            if record is not None:
                record(Entry(command, at_ms, tuple(events)))
            return events

        return watched

    run.watch(wrap)
    return auditor
