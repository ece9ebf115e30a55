"""Every store keeps the protocol."""

import pytest

from omniroute.journal import MemoryStore, Shelf
from omniroute.journal.sqlite import SqliteStore
from omniroute.testing import STORE_CHECKS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_the_memory_store_keeps_the_protocol(check):
    shelf = Shelf()
    await check(lambda: MemoryStore(shelf))


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
async def test_the_sqlite_store_keeps_the_protocol(check, tmp_path):
    await check(lambda: SqliteStore(tmp_path / "journal.db"))
