"""Several processes as one router: partitions with one owner each, and others that stand by.

A `Member` is one process. A `Partition` is a routing domain with a journal that every member
can reach; the `Coordinator` (PostgreSQL, NATS) has the leases and carries messages. The lease
says who should write the journal, the journal itself says who can.
"""

from __future__ import annotations

from .coordinator import Coordinator, Hear, Heard, NoAnswerError, Row, open_coordinator
from .following import Follower
from .member import Member
from .memory import MemoryCoordinator, Square
from .partition import Partition

__all__ = [
    "Coordinator",
    "Follower",
    "Hear",
    "Heard",
    "Member",
    "MemoryCoordinator",
    "NoAnswerError",
    "Partition",
    "Row",
    "Square",
    "open_coordinator",
]
