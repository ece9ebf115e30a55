"""Who holds what: rows of the table as leases, and how partitions are shared out.

A row ``m-NAME`` says that a member is there; a row ``p-NAME`` holds the lease of a partition.
`Sightings` knows since when each row has stood still, by this member's own clock. What to do
about it is `decide`, a pure function of what was seen: every member computes it alone, they
mostly agree, and where they do not, the table lets one of them through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from .coordinator import Row

__all__ = ["Decision", "Lease", "Sightings", "View", "decide", "member_key", "partition_key"]

_MEMBER, _PARTITION = "m-", "p-"


class Lease(msgspec.Struct, frozen=True, array_like=True):
    """The value of a partition's row. ``holder`` "" means that it was given back.

    ``epoch`` grows with every new holder: the journal is claimed with it, so that a holder who
    comes late to his claim is behind the one who came after him.
    """

    holder: str
    epoch: int


def member_key(name: str) -> str:
    """The row of a member."""
    return _MEMBER + name


def partition_key(name: str) -> str:
    """The row of a partition's lease."""
    return _PARTITION + name


class View(NamedTuple):
    """What a member believes at a moment.

    ``members`` are there, each with the partitions that it declines for now; ``leases`` has the
    latest lease of each partition with its revision (0: there never was one); ``expired`` are
    the partitions whose holder has not been heard of for a lease, ``silent`` the rows of
    members who have gone without a word.
    """

    members: dict[str, frozenset[str]]
    leases: dict[str, tuple[Lease, int]]
    expired: frozenset[str]
    silent: dict[str, int]

    def owner(self, partition: str) -> str | None:
        """Who owns it, as far as is known."""
        lease, _ = self.leases[partition]
        return None if partition in self.expired or not lease.holder else lease.holder

    def owners(self) -> dict[str, str | None]:
        """Who owns each partition."""
        return {partition: self.owner(partition) for partition in self.leases}


class Sightings:
    """Since when each row has had its revision, by the clock of whoever looks."""

    def __init__(self, partitions: Collection[str], lease_s: float) -> None:
        self._partitions = tuple(partitions)
        self._lease_s = lease_s
        self._since: dict[str, tuple[int, float]] = {}

    def look(self, rows: Mapping[str, Row], now_s: float) -> View:
        """Take in the table as it is now."""
        since: dict[str, tuple[int, float]] = {}
        for key, row in rows.items():
            known = self._since.get(key)
            since[key] = known if known and known[0] == row.revision else (row.revision, now_s)
        self._since = since
        still = {key for key, (_, at_s) in since.items() if now_s - at_s >= self._lease_s}
        leases = {}
        for name in self._partitions:
            held = rows.get(partition_key(name))
            leases[name] = (Lease("", 0), 0) if held is None else (_lease(held), held.revision)
        expired = frozenset(name for name in leases if partition_key(name) in still)
        rows_of_members = {key: row for key, row in rows.items() if key.startswith(_MEMBER)}
        gone = {leases[name][0].holder for name in expired}
        members = {
            key.removeprefix(_MEMBER): _declined(row)
            for key, row in rows_of_members.items()
            if key not in still and key.removeprefix(_MEMBER) not in gone
        }
        silent = {key: row.revision for key, row in rows_of_members.items() if key in still}
        return View(members, leases, expired, silent)


def _lease(row: Row) -> Lease:
    return msgspec.msgpack.decode(row.value, type=Lease)


def _declined(row: Row) -> frozenset[str]:
    return msgspec.msgpack.decode(row.value, type=frozenset[str])


class Decision(NamedTuple):
    """The partitions that a member should take, and the one that it should give back."""

    take: tuple[str, ...]
    give: str | None


def decide(
    me: str, owners: Mapping[str, str | None], members: Mapping[str, Collection[str]]
) -> Decision:
    """What a member should do so that all are owned, and evenly: the difference is one at most.

    Partitions without an owner go, in order, to whoever has fewest (ties: by name) among those
    who do not decline them. Only when all are owned is one moved at a time, from who has most if
    that is two more than another: as few moves as there can be when a member joins.
    """
    load = dict.fromkeys(sorted({*members, me}), 0)
    for owner in owners.values():
        if owner in load:
            load[owner] += 1
    free = sorted(name for name, owner in owners.items() if owner is None)
    take = []
    for name in free:
        able = [member for member in load if name not in members.get(member, ())]
        if not able:
            continue
        lightest = min(able, key=lambda member: (load[member], member))
        load[lightest] += 1
        if lightest == me:
            take.append(name)
    mine = [name for name, owner in owners.items() if owner == me]
    if free or not mine:
        return Decision(tuple(take), None)
    heaviest = max(load, key=lambda member: (load[member], member))
    able = [member for member in load if max(mine) not in members.get(member, ())]
    if heaviest != me or not able or load[me] - min(load[member] for member in able) < 2:
        return Decision((), None)
    return Decision((), max(mine))
