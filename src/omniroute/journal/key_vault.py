"""One data key per customer: whoever destroys it erases the customer from the journal.

- What is personal is sealed by AES-256-GCM with the **data key** of its subject (a customer; the
  interaction of one who is withheld; all snapshots). A sealed value is
  ``version 1 | key number 16 | nonce 12 | ciphertext and tag``; the key's number and the place
  in the journal are authenticated, so nothing can be altered or moved.
- Data keys stand in a `KeyStore`, wrapped by a **master key** that is not in it. Another master
  key wraps them again (`KeyVault.rewrap`), and the journal stays as it is.
- A subject stands in the store as a **tag**: a digest keyed by the vault's secret.

Sealing makes keys in memory. `settle` makes them durable, before the record that needs them.
Erasing goes through the journal: when the codec meets `CustomerErased` it retires the keys
(`retire`), so what the customer wrote before is under the old one and what he writes after is
under a new one. When no snapshot has him any more, the old ones are destroyed (`finish`). A note
in the store brings an erasure to its end that was interrupted between the two.
"""

from __future__ import annotations

import base64
import binascii
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import JournalError, MissingExtraError, UsageError, VaultError
from .key_store import (
    AddKey,
    AddNote,
    Change,
    DestroyKeys,
    DropNotes,
    KeyRow,
    KeyState,
    KeyStore,
    RetireKeys,
    RetireTag,
    SqliteKeyStore,
    Touch,
    WrapAgain,
)
from .protocol import SNAPSHOTS, Unfinished

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KeyVault", "new_master_key", "subject_key"]

_VERSION = b"\x01"
_ID_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_HEAD_BYTES = 1 + _ID_BYTES + _NONCE_BYTES
_MASTER_ID_BYTES = 8
#: When a key was used is kept this exactly, so that a busy customer costs no writes.
_TOUCH_MS = 86_400_000
_AT_ONCE = 1_000


def new_master_key() -> str:
    """A new master key, as text: 32 random bytes in base64. Keep it where no journal is."""
    return base64.b64encode(os.urandom(_KEY_BYTES)).decode()


def subject_key(subject: str) -> str:
    """A subject as 32 digits; of a customer it is the own key that `CustomersLinked` has."""
    return blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class _DataKey:
    __slots__ = ("aead", "id", "secret", "used_ms")

    def __init__(self, key_id: bytes, secret: bytes, used_ms: int) -> None:
        self.id = key_id
        self.secret = secret
        self.aead = _aead(secret)
        self.used_ms = used_ms


def _aead(secret: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtraError("cryptography", "privacy", "a sealed journal") from error
    return AESGCM(secret)


def _clock() -> int:
    return time.time_ns() // 1_000_000


class KeyVault:
    """Keys for a sealed journal: ``Router(plan, journal=..., vault=KeyVault("keys.db", master))``.

    Args:
        store: a `KeyStore`, or the path of an SQLite file, made when it does not exist.
        master: the master key, as `new_master_key` gives it (or 32 bytes).
        older: master keys that may still wrap some data keys; see `rewrap`.
        expire_ms: destroy the key of a customer who was not in contact for so long; None: never.
        clock: integer milliseconds, for ``expire_ms``.
        max_cached: how many data keys are kept in memory, about 700 bytes each.

    Raises `MissingExtraError` without the extra ``privacy``, `UsageError` for a master key of
    the wrong length, and, when it is first used, `VaultError` for the wrong master key. Sealing
    or unsealing takes about 5 us, and some 30 us more for a key that is not in memory.
    """

    def __init__(
        self,
        store: KeyStore | str | os.PathLike[str],
        master: str | bytes,
        *,
        older: Sequence[str | bytes] = (),
        expire_ms: int | None = None,
        clock: Callable[[], int] = _clock,
        max_cached: int = 100_000,
    ) -> None:
        if expire_ms is not None and expire_ms < _TOUCH_MS:
            raise UsageError(f"expire_ms must be at least a day ({_TOUCH_MS}), got {expire_ms!r}")
        is_path = isinstance(store, str | os.PathLike)
        self.store: KeyStore = SqliteKeyStore(store) if is_path else store  # type: ignore[arg-type, assignment]
        self.expire_ms = expire_ms
        self._clock = clock
        self._max_cached = max_cached
        self._masters = {_master_id(each): each for each in map(_master, (master, *older))}
        self._current = next(iter(self._masters))
        self._wraps = {number: _aead(each) for number, each in self._masters.items()}
        self._forget_all()

    def _forget_all(self) -> None:
        self._secret: bytes | None = None
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        self._changes: list[Change] = []
        self._renewed: set[bytes] = set()
        self._by_subject: dict[str, _DataKey] = {}
        self._by_id: dict[bytes, _DataKey | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """For the process that makes snapshots: what it is made of, without what is in memory."""
        if self._changes:
            self.settle()
        names = ("store", "expire_ms", "_max_cached", "_masters", "_current")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._clock = _clock
        self._wraps = {number: _aead(each) for number, each in self._masters.items()}
        self._forget_all()

    # --- life -----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the store and check the master key. Raises `VaultError`. Blocks."""
        self.store.open()
        self._own_secret()

    def close(self) -> None:
        """Close the store. A later call opens it again."""
        if self._changes:
            self.settle()
        self.store.close()

    def _own_secret(self) -> bytes:
        if self._secret is None:
            wrapped = self.store.secret()
            if wrapped is None:
                self._secret = os.urandom(_KEY_BYTES)
                self.store.set_secret(self._wrap(b"secret", self._secret))
            else:
                self._secret = self._unwrap(b"secret", wrapped)
        return self._secret

    # --- seal and unseal ------------------------------------------------------------------

    def seal(self, subject: str, plain: bytes, context: bytes) -> bytes:
        """The bytes, unreadable without the subject's key; makes the key when there is none."""
        key = self._key(subject)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = key.aead.encrypt(nonce, plain, key.id + context)
        return b"".join((_VERSION, key.id, nonce, sealed))

    def unseal(self, sealed: bytes, context: bytes) -> bytes | None:
        """The bytes again; None when the key was destroyed.

        Raises `JournalError` if they were altered, `VaultError` if the store never had the key.
        """
        from cryptography.exceptions import InvalidTag

        if len(sealed) < _HEAD_BYTES or sealed[:1] != _VERSION:
            raise JournalError("a sealed value that this release cannot read")
        key = self._of_id(bytes(sealed[1 : 1 + _ID_BYTES]))
        if key is None:
            return None
        nonce = sealed[1 + _ID_BYTES : _HEAD_BYTES]
        try:
            return key.aead.decrypt(nonce, sealed[_HEAD_BYTES:], key.id + context)
        except InvalidTag:
            raise JournalError("a sealed value was altered, or belongs to another place") from None

    def pseudonym(self, subject: str, value: str) -> str:
        """What stands for a value once the subject is erased: the same for the same value.

        Of no subject ("") it is made with the vault's secret, so the same for all customers.
        """
        secret = self._key(subject).secret if subject else self._own_secret()
        data = value.encode("utf-8", "surrogatepass")
        return "~" + blake2b(data, key=secret, digest_size=12).hexdigest()

    # --- keys -----------------------------------------------------------------------------

    def _key(self, subject: str) -> _DataKey:
        key = self._by_subject.get(subject)
        now_ms = self._clock()
        if key is None:
            key = self._find_or_make(subject, now_ms)
        if now_ms - key.used_ms > _TOUCH_MS:
            key.used_ms = now_ms
            with self._lock:
                self._changes.append(Touch(key.id, now_ms))
        return key

    def _find_or_make(self, subject: str, now_ms: int) -> _DataKey:
        self._make_room()
        tag = self._tag(subject_key(subject))
        row = None if tag in self._renewed else self.store.live(tag)
        if row is not None:
            key = _DataKey(row.id, self._unwrap(row.id, row.wrapped), row.used_ms)
        else:
            key = _DataKey(os.urandom(_ID_BYTES), os.urandom(_KEY_BYTES), now_ms)
            with self._lock:
                wrapped = self._wrap(key.id, key.secret)
                self._changes.append(AddKey(KeyRow(key.id, tag, wrapped, now_ms)))
        self._by_subject[subject] = self._by_id[key.id] = key
        return key

    def _of_id(self, key_id: bytes) -> _DataKey | None:
        try:
            return self._by_id[key_id]
        except KeyError:
            pass
        row = self.store.find(key_id)
        if row is None:
            raise VaultError(
                f"the key {key_id.hex()} is not in the key store {self.store.place}: it is that "
                "of another journal, or an older copy"
            )
        key = None
        if row.state is not KeyState.DESTROYED:
            key = _DataKey(row.id, self._unwrap(row.id, row.wrapped), row.used_ms)
        self._make_room()
        self._by_id[key_id] = key
        return key

    def _make_room(self) -> None:
        """Forget what can be read again, when it has become much."""
        if len(self._by_id) >= self._max_cached and self.is_settled:
            self._by_id.clear()
            self._by_subject.clear()

    def _tag(self, key: str) -> bytes:
        return blake2b(key.encode(), key=self._own_secret(), digest_size=16).digest()

    def _wrap(self, about: bytes, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        head = self._current + nonce
        return head + self._wraps[self._current].encrypt(nonce, plain, about)

    def _unwrap(self, about: bytes, wrapped: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        master, nonce = wrapped[:_MASTER_ID_BYTES], wrapped[_MASTER_ID_BYTES:][:_NONCE_BYTES]
        if master not in self._wraps:
            raise VaultError(
                f"the keys in {self.store.place} are wrapped by the master key {master.hex()}; "
                f"given: {', '.join(each.hex() for each in self._wraps)}"
            )
        sealed = wrapped[_MASTER_ID_BYTES + _NONCE_BYTES :]
        try:
            return self._wraps[master].decrypt(nonce, sealed, about)
        except InvalidTag:
            raise VaultError(f"a key in {self.store.place} is damaged") from None

    # --- durable --------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether every key that was used is durable."""
        return not self._changes and not self._settling.locked()

    def settle(self) -> None:
        """Make durable what `seal` and `retire` did. Blocks for one sync. Raises `VaultError`."""
        with self._settling:
            with self._lock:
                changes, self._changes = self._changes, []
            if not changes:
                return
            try:
                self.store.change(changes)
            except BaseException:
                with self._lock:
                    self._changes = changes + self._changes
                raise
            with self._lock:
                again = {change.tag for change in self._changes if isinstance(change, RetireTag)}
                self._renewed &= again

    # --- erasing --------------------------------------------------------------------------

    def retire(self, keys: Collection[str]) -> None:
        """Seal nothing more with the keys that these customers have by now, nor a snapshot.

        ``keys`` as in `EraseCustomer`. With the next `settle` it is noted to be finished.
        """
        gone = {*keys, subject_key(SNAPSHOTS)}
        note = self._wrap(b"note", msgspec.msgpack.encode(sorted(keys)))
        with self._lock:
            for tag in sorted(map(self._tag, gone)):
                self._changes.append(RetireTag(tag))
                self._renewed.add(tag)
            self._changes.append(AddNote(note))
        self._by_subject = {
            subject: key
            for subject, key in self._by_subject.items()
            if subject_key(subject) not in gone
        }

    def unfinished(self) -> Unfinished:
        """What `finish` is still to be called for. Blocks."""
        notes = self.store.notes()
        keys = tuple(
            tuple(msgspec.msgpack.decode(self._unwrap(b"note", data), type=list[str]))
            for _, data in notes
        )
        retired = tuple(row.id for row in self._rows(KeyState.RETIRED))
        return Unfinished(tuple(number for number, _ in notes), retired, keys)

    def finish(self, done: Unfinished) -> None:
        """Destroy what was retired: what it sealed is unreadable from now on. Blocks."""
        changes: list[Change] = []
        if done.retired:
            changes.append(DestroyKeys(done.retired))
        if done.notes:
            changes.append(DropNotes(done.notes))
        if changes:
            self.store.change(changes)
        for key_id in done.retired:
            self._by_id[key_id] = None

    def expire(self, in_contact: Iterable[str] = ()) -> int:
        """Retire the keys that were not used for ``expire_ms``; returns how many. Blocks.

        ``in_contact`` are keys of customers who are in contact now, whenever they last wrote.
        """
        if self.expire_ms is None:
            return 0
        before_ms = self._clock() - self.expire_ms
        kept = {self._tag(key) for key in (subject_key(SNAPSHOTS), *in_contact)}
        found = tuple(
            row.id
            for row in self._rows(KeyState.LIVE)
            if row.used_ms < before_ms and row.tag not in kept
        )
        if found:
            self.settle()
            self.store.change([RetireKeys(found), RetireTag(self._tag(subject_key(SNAPSHOTS)))])
            gone = set(found)
            self._by_subject = {
                subject: key
                for subject, key in self._by_subject.items()
                if key.id not in gone and subject != SNAPSHOTS
            }
        return len(found)

    def rewrap(self) -> int:
        """Wrap all keys by the (new) master key; returns how many were not. Blocks.

        Give the old one as ``older``; afterwards it is not needed any more. Interrupted, it can
        be done again.
        """
        self.settle()
        secret = self._own_secret()
        self.store.set_secret(self._wrap(b"secret", secret))
        changes: list[Change] = []
        count = 0
        for state in (KeyState.LIVE, KeyState.RETIRED):
            for row in self._rows(state):
                if row.wrapped[:_MASTER_ID_BYTES] == self._current:
                    continue
                wrapped = self._wrap(row.id, self._unwrap(row.id, row.wrapped))
                changes.append(WrapAgain(row.id, wrapped))
                count += 1
        notes = self.store.notes()
        changes += [AddNote(self._wrap(b"note", self._unwrap(b"note", d))) for _, d in notes]
        changes.append(DropNotes(tuple(number for number, _ in notes)))
        self.store.change(changes)
        return count

    def _rows(self, state: KeyState) -> Iterable[KeyRow]:
        after = b""
        while rows := self.store.rows(state, after, _AT_ONCE):
            yield from rows
            after = rows[-1].id


def _master(given: str | bytes) -> bytes:
    try:
        key = base64.b64decode(given, validate=True) if isinstance(given, str) else given
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise UsageError(
            f"a master key has {_KEY_BYTES} bytes, as text in base64: new_master_key() makes one"
        )
    return key


def _master_id(master: bytes) -> bytes:
    """What names a master key without telling it."""
    return blake2b(master, digest_size=_MASTER_ID_BYTES, person=b"omniroute key id").digest()
