"""Play seeds: ``cd tests && python -m durability.faults --seeds 1000``; one seed is one run."""

import argparse
import sys
import time
from collections import Counter

from . import bugs
from .world import World


def main():
    parser = argparse.ArgumentParser(prog="durability.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first", "--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--bug", choices=sorted(bugs.BUGS), help="with this one planted")
    parser.add_argument("--crash-at", type=int, help="the small world, crashed at this step")
    args = parser.parse_args()
    began, total, failed = time.monotonic(), Counter(), 0
    for seed in range(args.first, args.first + args.seeds):
        small = args.crash_at is not None
        world = World(seed, crash_at=args.crash_at, small=small)
        with bugs.planted(args.bug):
            oracle = world.run()
        total += Counter(
            steps=world.steps,
            lives=world.number,
            events=len(oracle.events),
            answers=oracle.answers,
            recoveries=oracle.recoveries,
            refused=world.is_over,
        )
        if oracle.faults:
            failed += 1
            print(replay_command(seed, bug=args.bug, crash_at=args.crash_at))
            for fault in oracle.faults:
                print(f"    {fault}")
    seconds = time.monotonic() - began
    figures = ", ".join(f"{count} {name}" for name, count in total.items())
    print(f"{args.seeds} seeds in {seconds:.1f} s: {figures}; {failed} failed")
    return 1 if failed else 0


def replay_command(seed, *, bug=None, crash_at=None):
    """What to type to see it again."""
    words = ["cd tests && python -m durability.faults --seed", str(seed)]
    if bug is not None:
        words += ["--bug", repr(bug)]
    if crash_at is not None:
        words += ["--crash-at", str(crash_at)]
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
