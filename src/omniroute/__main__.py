"""``python -m omniroute COMMAND``: the command line, as a table of commands.

Only the module of the chosen command is imported, so ``check`` needs no extra that
another command needs, and ``--help`` imports nothing. A command module has
``configure(parser)``, which adds its arguments, and ``run(args) -> int``, which prints
and returns the exit code. What omniroute refuses ends in a message and code 2.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import sys
from collections.abc import Sequence

from .errors import OmnirouteError

__all__ = ["COMMANDS", "main"]

#: Name, module, and what it does, in the order ``--help`` shows them.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("check", "omniroute.cli.check", "find the faults of a routing plan"),
    ("draw", "omniroute.cli.draw", "print a routing plan as a Mermaid flowchart"),
    ("explain", "omniroute.cli.explain", "tell from a journal why an offer was made or what waits"),
    ("import", "omniroute.cli.importing", "turn the configuration of another router into a plan"),
    ("journal", "omniroute.cli.journal", "verify, measure, export or compact a journal"),
    ("normalize", "omniroute.cli.normalize", "print what a provider's payload means, as JSON"),
    ("replay", "omniroute.cli.replay", "decide a journal again, or play it under another plan"),
    ("simulate", "omniroute.cli.simulate", "play a scenario in virtual time and report on it"),
    ("staff", "omniroute.cli.staff", "tell how many agents a load calls for"),
    ("verify", "omniroute.cli.verify", "check recorded signatures of providers"),
)

_UNUSABLE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; ``arguments`` default to the process's. Returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="omniroute",
        description="Routes calls, e-mails, posts and chats to the right human agent.",
    )
    version = importlib.metadata.version("omniroute")
    parser.add_argument("--version", action="version", version=f"omniroute {version}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, purpose in COMMANDS:
        command = commands.add_parser(name, help=purpose, description=purpose)
        if given[:1] == [name]:
            loaded = importlib.import_module(module)
            loaded.configure(command)
            command.set_defaults(run=loaded.run)
    args = parser.parse_args(given)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader left (`| head`). Python would complain again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OmnirouteError, OSError) as error:
        print(f"omniroute: {error}", file=sys.stderr)
        return _UNUSABLE
    return code


if __name__ == "__main__":
    sys.exit(main())
