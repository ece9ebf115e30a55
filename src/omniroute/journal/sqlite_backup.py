"""Copying an SQLite journal into another file, slice by slice, in the thread that owns it.

SQLite's own backup holds its connection until it is done. Records never change once they
are written, so slices of them, with appends in between, make the same copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

__all__ = ["attach", "copy_part", "copy_records", "detach"]

_AT_ONCE = 500


def attach(
    connection: sqlite3.Connection, path: Path, application_id: int, schema: Mapping[str, str]
) -> None:
    """Begin a copy: make an empty journal in a new file."""
    connection.execute("attach ? as backup", (str(path),))
    connection.execute("pragma backup.synchronous = full")
    connection.execute(f"pragma backup.application_id = {application_id}")
    for name, columns in schema.items():
        connection.execute(f"create table backup.{name} ({columns})")


def detach(connection: sqlite3.Connection) -> None:
    """End it."""
    connection.execute("detach backup")


def copy_records(connection: sqlite3.Connection, last: int) -> int:
    """Copy the next records, up to position ``last``; how many."""
    return connection.execute(
        "insert into backup.records select position, data from main.records "
        "where position > (select coalesce(max(position), 0) from backup.records) "
        "and position <= ? order by position limit ?",
        (last, _AT_ONCE),
    ).rowcount


def copy_part(connection: sqlite3.Connection, position: int) -> int:
    """Copy the next part of a snapshot, 1, or at last the row that makes it count, 0."""
    copied = connection.execute(
        "insert into backup.parts select position, part, data from main.parts "
        "where position = ?1 and part = (select count(*) from backup.parts where position = ?1)",
        (position,),
    ).rowcount
    if not copied:
        connection.execute(
            "insert into backup.snapshots select position, parts from main.snapshots "
            "where position = ?1 and parts = (select count(*) from backup.parts "
            "where position = ?1)",
            (position,),
        )
    return copied
