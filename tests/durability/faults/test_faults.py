"""Seeds of the simulated world hold all promises; every planted bug is found; one seed is one run."""

import hashlib
import os

import pytest

from durability.faults import bugs
from durability.faults.__main__ import replay_command
from durability.faults.world import World

IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
pytestmark = pytest.mark.durability

#: Played on every push; `make soak` plays 125 times as many, in parts that can run side by side.
SEEDS = 1_250 if IS_SOAK else 10
PARTS = 4
#: Within so many seeds each planted bug must be found.
BUDGET = 120
#: Of the small world every step is crashed by `make soak`, else each of so many.
STRIDE = 1 if IS_SOAK else 25


def checked(seed, crash_at=None):
    """A world that has held its promises."""
    world = World(seed, crash_at=crash_at, small=crash_at is not None)
    faults = world.run().faults
    told = "\n".join([replay_command(seed, crash_at=crash_at), *faults])
    assert not faults, told
    return world


@pytest.mark.parametrize("part", range(PARTS))
def test_what_was_promised_is_kept_whatever_fails(part):
    first = part * SEEDS + 1
    worlds = [checked(seed) for seed in range(first, first + SEEDS)]
    assert sum(world.oracle.recoveries for world in worlds) > len(worlds)
    assert sum(world.oracle.answers for world in worlds) > 20 * len(worlds)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_crash_at_every_await_loses_nothing(seed):
    """The same small day, crashed at one step after the other until there are no more."""
    at, done = 1, False
    while not done:
        world = checked(seed, crash_at=at)
        done = world.victim is None and world.steps < at
        at += STRIDE
    assert at > 100


@pytest.mark.parametrize("name", bugs.BUGS)
def test_a_planted_bug_is_found(name):
    for seed in range(1, BUDGET + 1):
        with bugs.planted(name):
            if World(seed).run().faults:
                return
    raise AssertionError(f"{name!r} was not found in {BUDGET} seeds")


@pytest.mark.parametrize("seed", [1, 2, 3, 5, 8, 9])
def test_one_seed_is_one_run(seed):
    def played():
        world = World(seed)
        oracle = world.run()
        return world.steps, hashlib.sha256(b"".join(oracle.records)).hexdigest()

    assert played() == played()
