"""Mail in by SMTP: the answer to the sender's server is the promise that nothing is lost.

250 is said after ``deliver`` returned, that is, when the mail is recorded. When it cannot be
recorded now, 451 asks the sender to keep it and come again, which every mail server does for
days; so does 452 when there is no room for it. A mail that no queue takes is refused with 550,
so that the sender hears of it. A mail that is not for one of our domains is refused with 550,
too (this is no relay), one over the size limit with 552. Should the 250 itself get lost, the
mail comes twice and its message id tells.

aiosmtpd logs every line of a mail at debug level and every address at info level, to the
logger ``mail.log``. Where the application has set no level for that logger, it gets WARNING.

Runs on asyncio, not on trio: aiosmtpd is an asyncio protocol. It listens in the running
loop; no thread is started, except for reading mails of more than 256 KB.

RFC 5321 (SMTP), RFC 1870 (SIZE), RFC 6531 (SMTPUTF8), RFC 3463 (status codes).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import AnyStr, Self

from ..channels import Email, WebhookRequest, with_language
from ..channels.language import Detect
from ..channels.quarantine import keep
from ..errors import MissingExtraError, RouterBusyError, RouterError, UsageError
from ..model import Inbound
from ..plan import Limits
from ..router import Receipt

try:
    from aiosmtpd.smtp import SMTP, Envelope, Session
except ImportError as error:
    raise MissingExtraError("aiosmtpd", "email", "receiving mail by SMTP") from error

__all__ = ["SmtpReceiver"]

#: Lines longer than the standard's 998 characters are common in HTML mail.
_LINE_LIMIT = 256 * 1024
_MAX_RECIPIENTS = 100
_READ_IN_THREAD_BYTES = 256 * 1024


def _keep_mail_out_of_the_log() -> None:
    """See the top of the file; a level that the application has set is kept."""
    library = logging.getLogger("mail.log")
    if library.level == logging.NOTSET:
        library.setLevel(logging.WARNING)


def _wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class _Connection(SMTP):
    """One client's connection, counted by its receiver."""

    line_length_limit = _LINE_LIMIT

    def __init__(self, receiver: SmtpReceiver, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            receiver,
            loop=loop,
            data_size_limit=receiver.max_mail_bytes,
            enable_SMTPUTF8=True,
            hostname=receiver.hostname,
            ident="omniroute",
            tls_context=receiver.tls_context,
            require_starttls=receiver.require_starttls,
            timeout=receiver.timeout_s,
        )
        self._receiver = receiver
        self.is_delivering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there are too many; called again by STARTTLS."""
        connections = self._receiver.connections
        is_new = self not in connections
        if is_new and len(connections) >= self._receiver.max_connections:
            assert isinstance(transport, asyncio.WriteTransport)
            transport.write(b"421 4.3.2 too many connections, try again later\r\n")
            transport.close()
            return
        super().connection_made(transport)
        if is_new:
            connections.add(self)
            assert self._handler_coroutine is not None
            self._handler_coroutine.add_done_callback(self._ended)

    def connection_lost(self, error: Exception | None) -> None:
        """The client has gone: what it asked for is cancelled."""
        if self.session is not None:  # it was taken
            super().connection_lost(error)

    def hang_up(self) -> None:
        """Close the connection and end what runs for it.

        Both, because a TLS connection that is closed during its handshake never says that
        it is lost.
        """
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    def _timeout_cb(self) -> None:
        """The client has been silent for too long."""
        self.hang_up()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nothing runs for this client any more."""
        if not task.cancelled():
            task.exception()  # a lost connection is no news
        self._receiver.forget(self)

    async def push(self, status: AnyStr) -> None:
        """Send an answer; the last one when the receiver is closing."""
        await super().push(status)
        if self._receiver.is_closing and not self.is_delivering and self.transport is not None:
            self.transport.close()


class SmtpReceiver:
    """Listens for mail and delivers what it says; ``async with SmtpReceiver(...):``.

    Args:
        deliver: takes one `Inbound`; the mail counts as received when it returns. It may be
            cancelled when the client goes away, and the client will then come again.
        domains: the domains that mail is taken for, in any case.
        email: how mail is read: limits, own addresses.
        limits: the plan's (``plan.limits``): mails larger than its ``max_mail_bytes`` are
            refused, also when ``email`` would take them. None leaves it to ``email``.
        host: the address to listen on.
        port: the port; 0 picks a free one, see `port`.
        detect: tells languages apart, see `language_detector`.
        now_ms: the clock, milliseconds since the epoch.
        hostname: how the server names itself.
        max_connections: beyond it, clients are asked to come again (421).
        timeout_s: a client silent for so long is hung up on.
        tls_context: offers STARTTLS with this context.
        require_starttls: refuses mail that is not encrypted.

    Raises:
        UsageError: no domain is given. A server for every domain would be an open relay.
    """

    def __init__(
        self,
        deliver: Callable[[Inbound], Awaitable[object]],
        *,
        domains: Iterable[str],
        email: Email | None = None,
        limits: Limits | None = None,
        host: str = "127.0.0.1",
        port: int = 8025,
        detect: Detect | None = None,
        now_ms: Callable[[], int] = _wall_ms,
        hostname: str = "localhost",
        max_connections: int = 100,
        timeout_s: float = 300,
        tls_context: ssl.SSLContext | None = None,
        require_starttls: bool = False,
    ) -> None:
        self.domains = frozenset(domain.strip().lower() for domain in domains)
        if not self.domains:
            raise UsageError("SmtpReceiver needs the domains it takes mail for")
        _keep_mail_out_of_the_log()
        self.email = Email() if email is None else email
        largest = self.email.limits.message_bytes
        self.max_mail_bytes = largest if limits is None else min(largest, limits.max_mail_bytes)
        self.hostname = hostname
        self.max_connections = max_connections
        self.timeout_s = timeout_s
        self.tls_context = tls_context
        self.require_starttls = require_starttls
        self.connections: set[_Connection] = set()
        self.is_closing = False
        self._deliver = deliver
        self._detect = detect
        self._now_ms = now_ms
        self._address = (host, port)
        self._server: asyncio.Server | None = None
        self._all_gone = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that it listens on, once it does."""
        if self._server is None or not self._server.sockets:
            raise UsageError("SmtpReceiver is not listening; use it in `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        host, port = self._address
        self._server = await loop.create_server(lambda: _Connection(self, loop), host, port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop: idle clients are hung up on, a mail being recorded is still answered."""
        assert self._server is not None
        self.is_closing = True
        self._server.close()
        for connection in list(self.connections):
            if not connection.is_delivering:
                connection.hang_up()
        if self.connections:
            self._all_gone.clear()
            await self._all_gone.wait()
        await self._server.wait_closed()

    def forget(self, connection: _Connection) -> None:
        """A connection is gone, and nothing runs for it."""
        self.connections.discard(connection)
        if not self.connections:
            self._all_gone.set()

    # --- what aiosmtpd calls ------------------------------------------------------------

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient of our domains, refuse any other."""
        if address.rpartition("@")[2].lower() not in self.domains:
            return "550 5.7.1 not a domain of ours; this is no relay"
        if len(envelope.rcpt_tos) >= _MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: _Connection, session: Session, envelope: Envelope
    ) -> str:
        """Read and deliver one mail; the answer says whether it is recorded."""
        server.is_delivering = True
        try:
            inbound = await self._read(envelope)
            receipt = await self._deliver(inbound)
        except RouterBusyError:
            return "451 4.3.2 busy, try again later"
        except RouterError:
            return "451 4.3.0 cannot take mail now, try again later"
        finally:
            server.is_delivering = False
        if isinstance(receipt, Receipt) and receipt.is_refused:
            if receipt.is_refused_for_now:
                return "452 4.3.1 no room for it now, try again later"
            return "550 5.1.0 no queue takes this mail"
        return "250 2.0.0 recorded"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever failed here is no reason for the sender to give up the mail."""
        return f"451 4.3.0 {type(error).__name__}, try again later"

    async def _read(self, envelope: Envelope) -> Inbound:
        """What the mail means; large ones are read in a thread, so that others go on."""
        raw = envelope.original_content or b""
        recipients = tuple(envelope.rcpt_tos)
        received_at_ms = self._now_ms()
        sender = envelope.mail_from or ""

        def read() -> Inbound:
            inbound = self.email.read(
                raw, received_at_ms=received_at_ms, envelope_from=sender, envelope_to=recipients
            )
            request = WebhookRequest(body=raw, received_at_ms=received_at_ms)
            [kept] = keep([inbound], self.email.name, request)
            return with_language(kept, self._detect)

        return read() if len(raw) <= _READ_IN_THREAD_BYTES else await asyncio.to_thread(read)
