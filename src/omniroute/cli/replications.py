"""Replications in parallel processes, in a fixed order: more processes change nothing but time.

Each process loads the scenario itself; results are taken in the order of their numbers, and
so is the decision to stop, so that the outcome is the same for any number of processes.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import attrs

from ..journal import Entry
from ..plan import Plan
from ..plan import load as load_plan
from ..simulation import Outcome, Precision, Scenario, load, simulate

__all__ = ["Job", "record", "run_all"]


@attrs.frozen
class Job:
    """What every process needs to know: files and a seed. ``plan`` replaces the scenario's."""

    scenario: str
    plan: str | None
    seed: int
    audit: bool


@functools.lru_cache(maxsize=4)
def _loaded(scenario: str, plan: str | None) -> tuple[Scenario, Plan | None]:
    return load(scenario), load_plan(plan) if plan is not None else None


def _one(job: Job, number: int) -> Outcome:
    scenario, plan = _loaded(job.scenario, job.plan)
    return simulate(scenario, seed=job.seed, replication=number, plan=plan, audit=job.audit)


def record(job: Job) -> tuple[Plan, list[Entry]]:
    """The first replication once more: its plan, and the journal entries of its engine."""
    scenario, plan = _loaded(job.scenario, job.plan)
    entries: list[Entry] = []
    simulate(scenario, seed=job.seed, plan=plan, record=entries.append)
    return plan or scenario.plan, entries


def run_all(job: Job, count: int, processes: int, precision: Precision | None) -> list[Outcome]:
    """``count`` replications, or fewer once they are precise enough; a progress bar on a terminal.

    Raises what loading and simulating raise.
    """
    _loaded(job.scenario, job.plan)  # a fault in the files is found before any process starts
    outcomes: list[Outcome] = []
    with _results(job, count, processes) as results, _progress(count) as advance:
        for outcome in results:
            outcomes.append(outcome)
            advance()
            if precision is not None and precision.reached(outcomes):
                break
    return outcomes


@contextlib.contextmanager
def _results(job: Job, count: int, processes: int) -> Iterator[Iterator[Outcome]]:
    if processes < 2 or count < 2:
        yield (_one(job, number) for number in range(count))
        return
    with ProcessPoolExecutor(min(processes, count)) as pool:
        try:
            yield pool.map(_one, itertools.repeat(job), range(count))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Callable[[], None]]:
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield lambda: None
        return
    if not sys.stderr.isatty() or count < 2:
        yield lambda: None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replications", total=count)
        yield lambda: progress.advance(task)
