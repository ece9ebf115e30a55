"""A key per customer: sealing, erasing, expiry, another master key, and what goes wrong."""

import base64
import pickle
import sqlite3
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.errors import JournalError, MissingExtraError, UsageError, VaultError
from omniroute.journal import (
    ErasingVault,
    KeyVault,
    Unfinished,
    new_master_key,
    subject_key,
)

MASTER, OTHER = new_master_key(), new_master_key()
DAY_MS = 86_400_000
JANE, BOB = "chat:jane", "email:bob@example.com"


class Clock:
    def __init__(self):
        self.now_ms = 1_700_000_000_000

    def __call__(self):
        return self.now_ms


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.db"


@pytest.fixture
def vault(path):
    made = KeyVault(path, MASTER)
    yield made
    made.close()


def erase(vault, *subjects):
    vault.retire([subject_key(subject) for subject in subjects])
    vault.settle()
    vault.finish(vault.unfinished())


def test_what_was_sealed_comes_back_from_the_same_store_only(path, vault):
    sealed = vault.seal(JANE, b"my secret", b"1/0/0")
    assert b"secret" not in sealed
    assert vault.unseal(sealed, b"1/0/0") == b"my secret"
    assert not vault.is_settled
    vault.settle()
    assert vault.is_settled
    vault.close()
    assert isinstance(vault, ErasingVault)
    again = KeyVault(str(path), base64.b64decode(MASTER))
    assert again.unseal(sealed, b"1/0/0") == b"my secret"
    assert again.seal(JANE, b"", b"")[1:17] == sealed[1:17], "one customer, one key"
    assert again.seal(BOB, b"", b"")[1:17] != sealed[1:17]
    again.close()


@given(data=st.data())
def test_what_was_altered_or_moved_is_found(tmp_path_factory, data):
    vault = KeyVault(tmp_path_factory.getbasetemp() / "altered.db", MASTER)
    sealed = vault.seal(JANE, b"my secret", b"1/0/0")
    at = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    with pytest.raises(JournalError):
        vault.unseal(changed, b"1/0/0")
    with pytest.raises(JournalError):
        vault.unseal(sealed[: data.draw(st.integers(0, len(sealed) - 1))], b"1/0/0")
    with pytest.raises(JournalError, match="altered"):
        vault.unseal(sealed, b"1/0/1")
    vault.close()


def test_an_erased_customer_is_unreadable_and_others_are_not(path, vault):
    jane, bob = vault.seal(JANE, b"secret", b"1"), vault.seal(BOB, b"other", b"2")
    snapshot = vault.seal("snapshots", b"state", b"3")
    vault.settle()
    wrapped = vault.store.live(vault._tag(subject_key(JANE))).wrapped
    tag = vault._tag(subject_key(JANE))
    assert any(wrapped in each.read_bytes() for each in path.parent.iterdir())
    erase(vault, JANE)
    for reader in (vault, KeyVault(path, MASTER)):
        assert reader.unseal(jane, b"1") is None
        assert reader.unseal(bob, b"2") == b"other"
        assert reader.unseal(snapshot, b"3") is None
        reader.close()
    for each in path.parent.iterdir():
        assert wrapped not in each.read_bytes()
        assert wrapped[-40:] not in each.read_bytes()
        assert tag not in each.read_bytes()
    back = vault.seal(JANE, b"again", b"4")
    assert back[1:17] != jane[1:17]
    assert vault.unseal(back, b"4") == b"again"


def test_who_comes_back_while_he_is_erased_has_a_new_key(vault):
    before = vault.seal(JANE, b"before", b"1")
    vault.retire([subject_key(JANE)])
    after = vault.seal(JANE, b"after", b"2")
    vault.settle()
    assert vault.unseal(before, b"1") == b"before", "readable until it is finished"
    found = vault.unfinished()
    assert found.keys == ((subject_key(JANE),),)
    vault.finish(found)
    assert vault.unseal(before, b"1") is None
    assert vault.unseal(after, b"2") == b"after"
    assert vault.seal(JANE, b"", b"")[1:17] == after[1:17]
    assert vault.unfinished() == Unfinished((), (), ())


def test_an_erasure_that_was_interrupted_is_found_by_the_next(path, vault):
    before = vault.seal(JANE, b"before", b"1")
    vault.retire([subject_key(JANE)])
    vault.settle()
    again = KeyVault(path, MASTER)
    found = again.unfinished()
    assert found.keys == ((subject_key(JANE),),)
    assert len(found.retired) == 1
    again.finish(found)
    assert again.unseal(before, b"1") is None
    again.close()


def test_what_a_killed_process_left_in_the_log_is_gone_when_the_next_has_opened(tmp_path, vault):
    vault.seal(JANE, b"secret", b"1")
    vault.settle()
    wrapped = vault.store.live(vault._tag(subject_key(JANE))).wrapped
    vault.retire([subject_key(JANE)])
    vault.settle()
    vault.store._empty_log = lambda connection: None  # killed before it could
    vault.finish(vault.unfinished())
    after = tmp_path / "after"
    after.mkdir()
    for each in tmp_path.glob("keys.db*"):
        (after / each.name).write_bytes(each.read_bytes())
    assert any(wrapped in each.read_bytes() for each in after.iterdir())
    again = KeyVault(after / "keys.db", MASTER)
    again.open()
    assert not any(wrapped in each.read_bytes() for each in after.iterdir())
    again.close()


def test_pseudonyms_are_the_same_for_the_same_and_tell_nothing(vault):
    assert vault.pseudonym(JANE, "t1") == vault.pseudonym(JANE, "t1")
    assert vault.pseudonym(JANE, "t1") != vault.pseudonym(JANE, "t2")
    assert vault.pseudonym(JANE, "t1") != vault.pseudonym(BOB, "t1")
    assert vault.pseudonym("", "t1") == vault.pseudonym("", "t1")
    before = vault.pseudonym(JANE, "t1")
    erase(vault, JANE)
    assert vault.pseudonym(JANE, "t1") != before


def test_another_master_key_is_told_by_its_number(path, vault):
    vault.seal(JANE, b"secret", b"1")
    vault.settle()
    other = KeyVault(path, OTHER)
    with pytest.raises(VaultError, match=r"wrapped by the master key [0-9a-f]{16}; given"):
        other.open()
    other.close()
    with pytest.raises(VaultError):
        KeyVault(path, OTHER).seal(JANE, b"", b"")


def test_rewrap_lets_the_old_master_key_go(path, vault):
    jane, bob = vault.seal(JANE, b"secret", b"1"), vault.seal(BOB, b"other", b"2")
    vault.retire([subject_key(BOB)])
    vault.settle()
    vault.close()
    moved = KeyVault(path, OTHER, older=[MASTER])
    assert moved.unseal(jane, b"1") == b"secret"
    assert moved.rewrap() == 2
    assert moved.rewrap() == 0
    moved.close()
    after = KeyVault(path, OTHER)
    after.open()
    assert after.unseal(jane, b"1") == b"secret"
    assert after.unseal(bob, b"2") == b"other"
    assert after.unfinished().keys == ((subject_key(BOB),),)
    assert after.seal(JANE, b"", b"")[1:17] == jane[1:17]
    after.close()
    with pytest.raises(VaultError):
        vault.open()
        KeyVault(path, MASTER).open()


def test_a_key_that_is_missing_is_not_taken_for_an_erased_one(tmp_path, vault):
    sealed = vault.seal(JANE, b"secret", b"1")
    vault.settle()
    older = KeyVault(tmp_path / "older.db", MASTER)
    with pytest.raises(VaultError, match="is not in the key store"):
        older.unseal(sealed, b"1")
    older.close()


@pytest.mark.parametrize("key", ["", "short", b"x" * 31, "!" * 44, base64.b64encode(b"x" * 33)])
def test_a_master_key_of_another_length_is_refused(path, key):
    with pytest.raises(UsageError, match="32 bytes"):
        KeyVault(path, key)
    assert not path.exists()


def test_another_database_is_no_key_store(path):
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (a)")
    connection.close()
    vault = KeyVault(path, MASTER)
    with pytest.raises(VaultError, match="not a key store"):
        vault.open()
    vault.close()


def test_without_the_extra_it_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingExtraError, match=r"omniroute\[privacy\]"):
        KeyVault(path, MASTER)


def test_who_is_not_in_contact_for_long_expires(path):
    clock = Clock()
    vault = KeyVault(path, MASTER, expire_ms=10 * DAY_MS, clock=clock)
    jane, bob = vault.seal(JANE, b"secret", b"1"), vault.seal(BOB, b"other", b"2")
    open_now = vault.seal("interaction:i1", b"third", b"3")
    snapshot = vault.seal("snapshots", b"state", b"4")
    vault.settle()
    clock.now_ms += 6 * DAY_MS
    vault.seal(BOB, b"again", b"5")
    vault.settle()
    assert vault.expire() == 0
    clock.now_ms += 6 * DAY_MS
    assert vault.expire([subject_key("interaction:i1")]) == 1
    vault.finish(vault.unfinished())
    assert vault.unseal(jane, b"1") is None
    assert vault.unseal(snapshot, b"4") is None, "he was in it, perhaps"
    assert vault.unseal(bob, b"2") == b"other"
    assert vault.unseal(open_now, b"3") == b"third"
    assert vault.seal(JANE, b"", b"")[1:17] != jane[1:17]
    vault.close()
    with pytest.raises(UsageError, match="at least a day"):
        KeyVault(path, MASTER, expire_ms=1_000)


def test_it_goes_to_another_process_with_all_that_it_sealed(vault):
    sealed = vault.seal(JANE, b"secret", b"1")
    copy = pickle.loads(pickle.dumps(vault))
    assert copy.unseal(sealed, b"1") == b"secret"
    copy.close()


def test_memory_is_bounded(path):
    vault = KeyVault(path, MASTER, max_cached=10)
    sealed = [vault.seal(f"chat:{n}", b"x", b"") for n in range(50)]
    vault.settle()
    assert all(vault.unseal(each, b"") == b"x" for each in sealed)
    vault.seal("chat:another", b"x", b"")
    assert len(vault._by_id) == 1
    vault.settle()
    assert [vault.unseal(each, b"") for each in sealed] == [b"x"] * 50
    assert len(vault._by_id) <= 10
    vault.close()


def test_a_settling_that_fails_keeps_what_it_was_for(vault, monkeypatch):
    sealed = vault.seal(JANE, b"secret", b"1")
    with monkeypatch.context() as patch:
        patch.setattr(vault.store, "change", _no_room)
        with pytest.raises(VaultError, match="no room"):
            vault.settle()
    assert not vault.is_settled
    vault.settle()
    assert vault.store.find(sealed[1:17]) is not None


def _no_room(changes):
    raise VaultError("no room")
