"""A second engine in a process of its own, folded from the journal, that makes snapshots.

Taking a snapshot of a large state takes as long as there is state: a second for a million
open interactions. The live engine is never asked for one. A child process loads the
snapshot before, folds the records behind it, and gives back the bytes of the next one. The
router only carries bytes, in chunks; its longest pause is that of handing over one chunk.

The child is this module, run by the same interpreter. Parent to child, each with its
length in front: the task, then chunks of records, then an empty one. Child to parent: from
which position on records are wanted; at the end, in how many parts the snapshot comes, and
the parts.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Collection
from contextlib import closing, nullcontext
from pathlib import Path
from typing import BinaryIO

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from ..engine import Engine
from ..errors import JournalError
from ..journal import (
    Chain,
    Codec,
    ErasingVault,
    Snapshot,
    StoreJournal,
    pack_snapshot,
    unpack_snapshot,
)
from ..journal.stored import in_thread
from ..plan import Plan, dumps, loads
from .recovery import fingerprint, restored

__all__ = ["main", "take_snapshot"]

_LENGTH = struct.Struct(">Q")
_CHUNK_BYTES = 1 << 18


class _Task(msgspec.Struct, array_like=True):
    """``vault`` is pickled: it comes from our own process, through a pipe of our own.

    ``erased`` are the keys of customers who must not be in the snapshot.
    """

    plan: str
    vault: bytes
    snapshots: list[tuple[int, bytes]]
    erased: list[str]


# --- in the router ------------------------------------------------------------------------


async def take_snapshot(
    journal: StoreJournal, plan: Plan, *, erased: Collection[str] = ()
) -> tuple[int, int]:
    """Make a snapshot of all that is durable by now, and save it; without whom was ``erased``.

    Returns its position and size in bytes. Raises `JournalError` when it cannot be made; the
    journal is as good as before then.
    """
    last = await journal.whole_until((await journal.bounds())[1])
    vault = b"" if journal.vault is None else await in_thread(lambda: _pickled(journal.vault))
    task = _Task(dumps(plan), vault, await journal.packed_snapshots(), list(erased))
    async with await anyio.open_process(
        [sys.executable, "-m", "omniroute.router.shadow"],
        stderr=subprocess.DEVNULL,
        env=_environment(),
    ) as process:
        try:
            data = await _converse(process, journal, task, last)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            raise JournalError("the process that makes snapshots has died") from error
    await journal.save_packed(last, data)
    return last, len(data)


async def _converse(process: Process, journal: StoreJournal, task: _Task, last: int) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    answers = BufferedByteReceiveStream(process.stdout)
    await _send(process, msgspec.msgpack.encode(task))
    position = await _answer(answers)
    while position <= last:
        chunk = [
            (number, record)
            for number, record in await journal.chunk(position, _CHUNK_BYTES)
            if number <= last
        ]
        if not chunk:
            break
        await _send(process, msgspec.msgpack.encode(chunk))
        position = chunk[-1][0] + 1
    await _send(process, b"")
    parts = [await _receive_bytes(answers) for _ in range(await _answer(answers))]
    return b"".join(parts)


async def _send(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    await process.stdin.send(_LENGTH.pack(len(data)))
    if data:
        await process.stdin.send(data)


async def _answer(answers: BufferedByteReceiveStream) -> int:
    error, value = msgspec.msgpack.decode(
        await _receive_bytes(answers), type=tuple[str | None, int]
    )
    if error is not None:
        raise JournalError(f"no snapshot could be made: {error}")
    return value


async def _receive_bytes(answers: BufferedByteReceiveStream) -> bytes:
    (length,) = _LENGTH.unpack(await answers.receive_exactly(_LENGTH.size))
    return await answers.receive_exactly(length)


def _pickled(vault: object) -> bytes:
    try:
        return pickle.dumps(vault)
    except Exception as error:
        raise JournalError(f"the vault cannot be given to another process: {error}") from error


def _environment() -> dict[str, str]:
    """So that the child finds this very package."""
    here = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": here + (os.pathsep + inherited if inherited else "")}


# --- in the child -------------------------------------------------------------------------


def main(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Make one snapshot."""

    def send(data: bytes) -> None:
        outgoing.write(_LENGTH.pack(len(data)) + data)
        outgoing.flush()

    def answer(error: str | None, value: int) -> None:
        send(msgspec.msgpack.encode((error, value)))

    try:
        task = msgspec.msgpack.decode(_receive(incoming), type=_Task)
        vault = pickle.loads(task.vault) if task.vault else None  # noqa: S301
        keys = vault if isinstance(vault, ErasingVault) else None
        with nullcontext() if keys is None else closing(keys):
            codec = Codec(vault)
            plan = loads(task.plan)
            engine, chain = _begin(task, plan, codec)
            answer(None, chain.position + 1)
            while chunk := _receive(incoming):
                for position, record in msgspec.msgpack.decode(chunk):
                    header, body = chain.follow(position, record)
                    for event in codec.events_of(header, body):
                        engine.apply(event)
            data = _packed(engine, chain, plan, codec, task.erased)
            if keys is not None:
                keys.settle()
        parts = range(0, len(data), _CHUNK_BYTES)
        answer(None, len(parts))
        for at in parts:
            send(data[at : at + _CHUNK_BYTES])
    except Exception as error:  # noqa: BLE001 - the parent says it; there is nobody else
        answer(f"{type(error).__name__}: {error}", 0)


def _packed(engine: Engine, chain: Chain, plan: Plan, codec: Codec, erased: list[str]) -> bytes:
    if erased:
        engine.apply(engine.erasure(erased))
    snapshot = Snapshot(
        chain.position,
        chain.next_seq,
        chain.epoch,
        chain.digest,
        fingerprint(plan),
        engine.snapshot(),
    )
    return pack_snapshot(snapshot, codec)


def _begin(task: _Task, plan: Plan, codec: Codec) -> tuple[Engine, Chain]:
    for position, data in task.snapshots:
        try:
            snapshot = unpack_snapshot(position, data, codec)
            engine = restored(plan, snapshot)
        except JournalError:  # damaged, or of another release
            continue
        return engine, Chain(position, snapshot.next_seq, snapshot.epoch, snapshot.digest)
    return Engine(plan), Chain()


def _receive(incoming: BinaryIO) -> bytes:
    (length,) = _LENGTH.unpack(incoming.read(_LENGTH.size))
    return incoming.read(length)


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(5)  # the router comes first
    main(sys.stdin.buffer, sys.stdout.buffer)
