"""``check PLAN``: print what is wrong with a plan before it goes live."""

from __future__ import annotations

import argparse
import json

import attrs

from ..plan import Finding, Severity, check, load

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("plan", metavar="PLAN", help="the plan, a TOML file")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 when none of them is an error, else 1."""
    findings = check(load(args.plan))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    if args.json:
        shown = {"plan": args.plan, "findings": [attrs.asdict(f) for f in findings]}
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            print(_line(args.plan, finding))
        warnings = len(findings) - errors
        print(f"{args.plan}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    return 1 if errors else 0


def _line(path: str, finding: Finding) -> str:
    return f"{path}: {finding.where}: {finding.severity}: {finding.message} [{finding.code}]"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
