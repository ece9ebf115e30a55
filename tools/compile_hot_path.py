"""Compiles the hot path with mypyc, from the sources as they are: `make compiled` runs this.

Every module of `MODULES` becomes an extension module beside its source, which Python then prefers.
`--remove` takes the extension modules away, and the sources run again. Why this is offered and why
it is optional: docs/explanation/hot-path.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src"
BUILD = ROOT / "build"

#: The name of the extension module that holds the machine code of all.
GROUP = "omniroute_hot_path"

#: What nearly every command passes through, and what simulates it. What defines msgspec values
#: stays as it is: they are compiled already. So does what is read by ``__slots__`` (tallies).
MODULES = {
    "engine": (
        "apply",
        "boards",
        "capacity",
        "climb",
        "clocks",
        "conduct",
        "core",
        "customers",
        "fold_agents",
        "fold_offers",
        "fold_waiting",
        "groups",
        "intake",
        "ladder",
        "lanes",
        "lifecycle",
        "lookup",
        "market",
        "matching",
        "order",
        "presence",
        "queue_record",
        "records",
        "removal",
        "senders",
        "side",
        "standing",
        "state",
        "timers",
    ),
    "simulation": (
        "accounts",
        "agenda",
        "customers",
        "desks",
        "faulty",
        "histogram",
        "play",
        "tally",
    ),
}


#: Where setuptools puts what it needs on the way.
_FOLDERS = ("--build-temp", str(BUILD / "temp"), "--build-lib", str(BUILD / "lib"))


def missing() -> str | None:
    """What this machine lacks to compile for this Python, in words; None when nothing."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if sys.platform != "win32" and shutil.which(compiler) is None:
        return f"a C compiler: {compiler} is not on the PATH (Debian: apt install gcc; or set CC)"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        return f"the headers of this Python: {header} (Debian: apt install python3-dev)"
    return None


def remove() -> None:
    """Take the extension modules away, and what they were made of."""
    shutil.rmtree(BUILD, ignore_errors=True)
    for suffix in ("so", "pyd"):
        for path in SOURCES.rglob(f"*.{suffix}"):
            path.unlink()


def build() -> None:
    """Compile; takes a minute or two of one core."""
    from mypyc.build import mypycify
    from setuptools import setup

    os.chdir(SOURCES)  # where the names of the files are the names of the modules
    paths = [f"omniroute/{room}/{name}.py" for room, names in MODULES.items() for name in names]
    config = str(ROOT / "pyproject.toml")
    setup(
        name=GROUP,
        packages=[],
        py_modules=[],
        ext_modules=mypycify(
            ["--config-file", config, "--cache-dir", str(ROOT / ".mypy_cache"), *paths],
            group_name=GROUP,
            target_dir=str(BUILD),
        ),
        script_args=["--quiet", "build_ext", "--inplace", *_FOLDERS],
    )


def main() -> None:
    """Build, or remove."""
    parser = argparse.ArgumentParser(description="Compile the hot path of omniroute with mypyc.")
    parser.add_argument("--remove", action="store_true", help="go back to the plain sources")
    args = parser.parse_args()
    lacking = None if args.remove else missing()
    if lacking is not None:
        sys.exit(f"To compile the hot path, this machine lacks {lacking}. omniroute runs without.")
    remove()
    if not args.remove:
        build()


if __name__ == "__main__":
    main()
