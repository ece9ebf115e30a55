"""One connection to one IMAP folder, blocking; `omniroute.web.imap` runs it in a thread.

Everything that IMAPClient needs to be told, and every surprise it has, stays in this file:

- Each look for new mail selects the folder anew. That tells the folder's UIDVALIDITY and size
  as they are now, and empties the list of untagged answers that imaplib else grows for ever.
- A search is cut into windows: imaplib gives up on an answer of more than a million bytes,
  which the numbers of some 125,000 unread mails are.
- IDLE is only begun and ended here. Waiting needs no thread: the event loop watches the socket.
- New mail is told once, in the answer to whatever command comes next. Told with the answer to a
  search that has not found it, it would wait for the next one. So the folder is selected once
  more right before IDLE, and its next number compared.
- What comes in one packet with the server's yes to IDLE is in imaplib's buffer, where no watcher
  of the socket sees it. So it is looked for at once.
- IMAPClient calls a connection that is lost during the login a refused login; we do not.

RFC 9051 and 3501 (IMAP), 2177 (IDLE), 4315 (UIDPLUS), 6851 (MOVE), 5530 (response codes).
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import attrs

from ..errors import MissingExtraError, UnknownNameError, UsageError

try:
    from imapclient import IMAPClient
    from imapclient.exceptions import (
        IMAPClientAbortError,
        IMAPClientError,
        IMAPClientReadOnlyError,
        LoginError,
        ProtocolError,
    )
except ImportError as error:
    raise MissingExtraError("IMAPClient", "imap", "receiving mail by IMAP") from error

__all__ = ["ImapAccount", "ImapSession", "Listed", "NotDoneError", "Unseen"]

_ENCRYPTIONS = ("tls", "starttls", "none")
_SEARCH_WINDOW = 50_000

#: What is refused with one of these may be granted later.
_PASSING = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[ALERT]")


def _one_of(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in _ENCRYPTIONS:
        raise UnknownNameError(attribute.name, value, _ENCRYPTIONS, where="ImapAccount")


@attrs.frozen(kw_only=True)
class ImapAccount:
    """Where the mailbox is and how to enter it.

    Args:
        host: the server's name, as its certificate has it.
        user: the name to log in with.
        password: the password, or a function that gives it at each login.
        token: a function that gives an OAuth 2.0 access token at each login (XOAUTH2), as
            Gmail and Microsoft 365 want it instead of a password. Runs in a worker thread.
        port: None takes 993 for ``tls``, else 143.
        encryption: ``tls``, ``starttls``, or ``none``, which sends the password in the clear.
        tls_context: None checks the certificate against the system's authorities.
        timeout_s: how long the server may take for an answer.

    Raises:
        UsageError: neither password nor token, or both, or an unknown encryption.
    """

    host: str
    user: str
    password: str | Callable[[], str] | None = attrs.field(default=None, repr=False)
    token: Callable[[], str] | None = attrs.field(default=None, repr=False)
    port: int | None = None
    encryption: str = attrs.field(default="tls", validator=_one_of)
    tls_context: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    timeout_s: float = 60

    def __attrs_post_init__(self) -> None:
        if (self.password is None) == (self.token is None):
            raise UsageError("ImapAccount needs a password or a token, and not both")


class Unseen(NamedTuple):
    """The mails nobody has read: their numbers, and in which numbering of the folder."""

    uidvalidity: int
    uids: tuple[int, ...]


class Listed(NamedTuple):
    """How large a mail is, and when the server got it; None: it does not say."""

    size_bytes: int
    arrived_ms: int | None


def _listed(mail: dict[bytes, Any]) -> Listed:
    arrived = mail.get(b"INTERNALDATE")
    arrived_ms = None if arrived is None else round(arrived.timestamp() * 1_000)
    return Listed(int(mail.get(b"RFC822.SIZE") or 0), arrived_ms)


class NotDoneError(Exception):
    """The server said no to one command; the connection is as good as before."""


class _Client(IMAPClient):  # type: ignore[misc]  # IMAPClient ships no types
    """IMAPClient whose `idle_check` never waits, and never trusts the socket to know."""

    def _poll_socket(self, sock: socket.socket, timeout: float | None = None) -> bool:
        """What `idle_check` asks before it reads all there is without blocking."""
        return True

    _select_poll_socket = _poll_socket


def _is_passing(error: Exception) -> bool:
    return any(code in str(error).upper() for code in _PASSING)


def _keep_mail_out_of_the_log() -> None:
    """IMAPClient logs whole mails at debug level; a level that is set is kept."""
    library = logging.getLogger("imapclient")
    if library.level == logging.NOTSET:
        library.setLevel(logging.WARNING)


class ImapSession:
    """One connection. Its methods block and are called one at a time, but for `cut` and `close`.

    Whatever they raise means that the connection is of no more use, except for `NotDoneError`.
    A `UsageError` says that the account or the folder is wrong.
    """

    def __init__(self, account: ImapAccount, *, search_window: int = _SEARCH_WINDOW) -> None:
        _keep_mail_out_of_the_log()
        self._account = account
        self._search_window = search_window
        self._open: Any = None
        self._folder = ""
        self._numbering = (0, 0)
        #: Whether the server tells of new mail by itself; known once the folder is open.
        self.has_idle = False
        self._is_closed = False
        self._closing = threading.Lock()

    @property
    def _client(self) -> Any:
        if self._open is None:
            raise ConnectionError("the IMAP connection is not open")
        return self._open

    @property
    def socket(self) -> socket.socket:
        """For watching only."""
        found: socket.socket = self._client.socket()
        return found

    # --- the connection -------------------------------------------------------------------

    def dial(self) -> None:
        """Connect. May be abandoned: a connection that comes after `close` is closed."""
        account = self._account
        with self._checking_certificate():
            client = _Client(
                account.host,
                port=account.port,
                ssl=account.encryption == "tls",
                ssl_context=account.tls_context,
                timeout=account.timeout_s,
            )
        client.normalise_times = False  # else the machine's time zone is guessed into them
        with self._closing:
            self._open = client
            if self._is_closed:
                client.shutdown()

    def enter(self, folder: str, done_folder: str | None) -> None:
        """Encrypt, log in, open the folder; make the other one where it is missing."""
        client = self._client
        account = self._account
        if account.encryption == "starttls":
            if not client.has_capability("STARTTLS"):
                raise UsageError(f"{account.host} offers no STARTTLS; try encryption='tls'")
            with self._checking_certificate():
                client.starttls(account.tls_context)
        try:
            self._log_in(client)
        except LoginError as error:
            if isinstance(error.__context__, IMAPClientAbortError):
                raise error.__context__ from None
            if _is_passing(error):
                raise
            text = f"{account.host} refuses the login of {account.user!r}: {error}"
            raise UsageError(text) from error
        self._folder = folder
        self.has_idle = client.has_capability("IDLE")
        try:
            self.unseen()
            if done_folder is not None and not client.folder_exists(done_folder):
                client.create_folder(done_folder)
        except IMAPClientReadOnlyError as error:
            raise UsageError(f"{account.user!r} may only read the folder {folder!r}") from error
        except (IMAPClientAbortError, ProtocolError):
            raise
        except IMAPClientError as error:
            if _is_passing(error):
                raise
            raise UsageError(f"no such folder for {account.user!r}: {error}") from error

    @contextmanager
    def _checking_certificate(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            host = self._account.host
            raise UsageError(f"the certificate of {host} is not valid: {error}") from error

    def _log_in(self, client: Any) -> None:
        account = self._account
        if account.token is not None:
            client.oauth2_login(account.user, account.token())
            return
        password = account.password() if callable(account.password) else account.password
        assert password is not None
        if (account.user + password).isascii():
            client.login(account.user, password)
        else:  # LOGIN knows no other letters
            client.plain_login(account.user, password)

    def cut(self) -> None:
        """Break the connection, so that a thread that waits for the server goes on."""
        with suppress(OSError):
            # Not the method of a TLS socket: that one switches to plain text first.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, also while `dial` is still under way. Never waits, never raises."""
        with self._closing:
            self._is_closed = True
            if self._open is not None:
                with suppress(OSError, ValueError):
                    self._open.shutdown()

    # --- mails ----------------------------------------------------------------------------

    def unseen(self) -> Unseen:
        """The mails that are neither read nor deleted, oldest first."""
        exists = self._select()
        uids: set[int] = set()
        for first in range(1, exists + 1, self._search_window):
            last = first + self._search_window - 1
            window = f"{first}:{last if last < exists else '*'}"
            uids.update(self._client.search([window, "UNSEEN", "UNDELETED"]))
        return Unseen(self._numbering[0], tuple(sorted(uids)))

    def _select(self) -> int:
        """Open the folder anew; gives how many mails it has."""
        selected = self._client.select_folder(self._folder)
        exists: int = selected[b"EXISTS"]
        # Servers need not tell the next number; then new mail shows in how many there are.
        self._numbering = (selected.get(b"UIDVALIDITY", 0), selected.get(b"UIDNEXT", exists))
        return exists

    def listed(self, uids: Sequence[int]) -> dict[int, Listed]:
        """How large each mail is and since when it is here; those that are gone are left out."""
        found = self._done(self._client.fetch, uids, ["RFC822.SIZE", "INTERNALDATE"])
        return {uid: _listed(mail) for uid, mail in found.items()}

    def mail(self, uid: int) -> bytes | None:
        """All of a mail, which stays unseen; None when it is gone."""
        return self._part(uid, "BODY.PEEK[]", b"BODY[]")

    def header(self, uid: int, limit_bytes: int) -> bytes | None:
        """The beginning of a mail's header; None when the mail is gone."""
        asked = f"BODY.PEEK[HEADER]<0.{limit_bytes}>"
        return self._part(uid, asked, b"BODY[HEADER]<0>")

    def _part(self, uid: int, asked: str, answered: bytes) -> bytes | None:
        found = self._done(self._client.fetch, [uid], [asked])
        return (found[uid].get(answered) or b"") if uid in found else None

    def mark(self, uid: int, flags: Sequence[bytes], folder: str | None) -> None:
        """Set a mail's flags, then move it to ``folder`` when one is given."""
        client = self._client
        self._done(client.add_flags, uid, flags, silent=True)
        if folder is None:
            return
        if client.has_capability("MOVE"):
            self._done(client.move, uid, folder)
            return
        self._done(client.copy, uid, folder)
        self._done(client.add_flags, uid, [b"\\Deleted"], silent=True)
        if client.has_capability("UIDPLUS"):  # without it, EXPUNGE would take others' mails along
            self._done(client.uid_expunge, uid)

    def _done(self, command: Callable[..., Any], *args: object, **options: object) -> Any:
        """The answer to a command about mails."""
        try:
            return command(*args, **options)
        except (IMAPClientAbortError, ProtocolError):
            raise
        except IMAPClientError as error:
            raise NotDoneError(str(error)) from error

    # --- waiting --------------------------------------------------------------------------

    def begin_idle(self) -> bool:
        """Ask to be told of new mail. False: some has come since `unseen`, nothing was asked."""
        known = self._numbering
        self._select()
        if self._numbering != known:
            return False
        self._client.idle()
        if self._client.idle_check():
            self._client.idle_done()
            return False
        return True

    def end_idle(self) -> None:
        """Ask for no more."""
        self._client.idle_done()
