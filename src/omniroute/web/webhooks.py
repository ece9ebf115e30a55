"""Webhooks in: one ASGI app, one route per channel, 2xx only after every event is recorded.

What a provider is answered:

- 200: recorded, or nothing to record. Also the answer to a handshake.
- 400: signed, but not what the provider documents. The body is quarantined first.
- 401: the signature is missing or wrong. 403: a handshake with a foreign token.
- 413: larger than the limit. 415: another content type than the provider sends.
- 503 with Retry-After: it cannot be recorded now, or not in time, or there was no room for one
  of its events. The provider repeats the delivery, and what had been taken is recognised by
  its message id. A caller cannot be asked to come again: see `Hook.refused`.

Any other failure is the server's 500, which providers repeat, too.

Runs on asyncio and trio, under any ASGI server, alone or mounted in another application.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

import anyio
import attrs

from ..channels import (
    Adapter,
    Reply,
    Secrets,
    WebhookRequest,
    adapter_named,
    with_language,
)
from ..channels.language import Detect
from ..channels.payloads import quarantined
from ..errors import MissingExtraError, PayloadError, RouterError, SignatureError
from ..model import Inbound
from ..plan import Limits
from ..router import Receipt

try:
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise MissingExtraError("starlette", "web", "receiving webhooks") from error

__all__ = ["Hook", "webhooks"]

Deliver = Callable[[Inbound], Awaitable[object]]
Answer = Callable[[Sequence[Inbound], Sequence[Receipt | None]], Reply]


def _wall_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def _empty(events: Sequence[Inbound], receipts: Sequence[Receipt | None]) -> Reply:
    """The answer that most providers want: 200 and nothing else."""
    return Reply()


@attrs.frozen
class Hook:
    """How one channel is received.

    Args:
        secrets: what deliveries are checked with.
        adapter: the channel with your configuration; None takes the one in `CHANNELS`.
        answer: what to say when all events are taken. It gets the events and, in the same
            order, what ``deliver`` returned for them: a `Receipt`, or None for anything else.
            Twilio needs TwiML here for a new call (see `omniroute.channels.enqueue`); an
            empty answer would end it.
        refused: what to say when one of the events was refused at the door
            (`Receipt.is_refused`); it gets the same. A caller is told that the line is busy
            (see `omniroute.channels.reject`). None: 503 where coming again may help, else
            ``answer``.
    """

    secrets: Secrets
    adapter: Adapter | None = attrs.field(default=None, kw_only=True)
    answer: Answer = attrs.field(default=_empty, kw_only=True)
    refused: Answer | None = attrs.field(default=None, kw_only=True)


@attrs.frozen(kw_only=True)
class _Settings:
    """What all routes of one app share."""

    deliver: Deliver
    public_url: str | None
    detect: Detect | None
    now_ms: Callable[[], int]
    max_body_bytes: int
    time_limit_s: float
    retry_after_s: int


def webhooks(
    deliver: Deliver,
    hooks: Mapping[str, Hook],
    *,
    public_url: str | None = None,
    detect: Detect | None = None,
    now_ms: Callable[[], int] = _wall_ms,
    limits: Limits | None = None,
    time_limit_s: float = 4.0,
    retry_after_s: int = 5,
) -> Starlette:
    """An ASGI app with one route, ``/{name}``, for each hook.

    Args:
        deliver: takes one `Inbound`; it counts as recorded when it returns. It is cancelled
            at the time limit.
        hooks: channel name or alias -> how it is received.
        public_url: what providers call, up to the path (``https://example.org``), when a
            proxy stands before the app: some sign the URL. None takes it from the request.
        detect: tells languages apart, see `language_detector`.
        now_ms: the clock, milliseconds since the epoch.
        limits: the plan's (``plan.limits``): bodies larger than its ``max_payload_bytes`` are
            refused, also when a channel would take them. None takes the default limits.
        time_limit_s: how long recording may take. Providers hang up, most after 5 to 15 s,
            and repeat.
        retry_after_s: what a busy router asks the provider to wait.

    Raises:
        UnknownNameError: a hook that names no channel.
    """
    settings = _Settings(
        deliver=deliver,
        public_url=None if public_url is None else public_url.rstrip("/"),
        detect=detect,
        now_ms=now_ms,
        max_body_bytes=(limits or Limits()).max_payload_bytes,
        time_limit_s=time_limit_s,
        retry_after_s=retry_after_s,
    )
    routes = []
    for name, hook in hooks.items():
        adapter = adapter_named(name) if hook.adapter is None else hook.adapter
        endpoint = _endpoint(adapter, hook, settings)
        routes.append(Route(f"/{name}", endpoint, methods=["GET", "POST", "PUT"], name=name))
    return Starlette(routes=routes)


def _endpoint(
    adapter: Adapter, hook: Hook, settings: _Settings
) -> Callable[[Request], Awaitable[Response]]:
    """The handler of one route."""
    limit = min(adapter.limit_bytes, settings.max_body_bytes)

    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request, limit)
        except ClientDisconnect:
            return _refusal(400, "the client went away")
        if body is None:
            return _refusal(413, f"at most {limit} bytes are taken")
        delivery = WebhookRequest(
            method=request.method,
            url=_public_url(request, settings.public_url),
            headers=request.headers.items(),
            body=body,
            received_at_ms=settings.now_ms(),
        )
        try:
            reply = adapter.handshake(delivery, hook.secrets)
        except SignatureError as error:
            return _refusal(403, str(error))
        if reply is not None:
            return _response(reply)
        return await _receive(delivery, adapter, hook, settings)

    return endpoint


async def _receive(
    delivery: WebhookRequest, adapter: Adapter, hook: Hook, settings: _Settings
) -> Response:
    """Prove, read, record, answer: in this order."""
    try:
        adapter.verify(delivery, hook.secrets)
    except SignatureError as error:
        return _refusal(401, str(error))
    taken = adapter.content_types
    if delivery.body and delivery.media_type and taken and delivery.media_type not in taken:
        return _refusal(415, f"expected {' or '.join(taken)}")
    problem = ""
    try:
        events = adapter.normalize(delivery)
    except PayloadError as error:
        problem = str(error)
        events = [
            quarantined(
                adapter.channel, problem, delivery.body, received_at_ms=delivery.received_at_ms
            )
        ]
    receipts: list[Receipt | None] = []
    try:
        with anyio.fail_after(settings.time_limit_s):
            for event in events:
                taken_as = await settings.deliver(with_language(event, settings.detect))
                receipts.append(taken_as if isinstance(taken_as, Receipt) else None)
    except (RouterError, TimeoutError):
        return _come_again("cannot record it now, try again later", settings)
    if problem:
        return _refusal(400, problem)
    if hook.refused is not None and any(each and each.is_refused for each in receipts):
        return _response(hook.refused(events, receipts))
    if any(each and each.is_refused_for_now for each in receipts):
        return _come_again("no room for it now, try again later", settings)
    return _response(hook.answer(events, receipts))


def _come_again(reason: str, settings: _Settings) -> Response:
    """The refusal that makes a provider repeat the delivery."""
    response = _refusal(503, reason)
    response.headers["Retry-After"] = str(settings.retry_after_s)
    return response


async def _body(request: Request, limit: int) -> bytes | None:
    """The raw body, or None as soon as it is over the limit."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:12]) > limit:
        return None
    found = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            found += chunk
            if len(found) > limit:
                return None
    return bytes(found)


def _public_url(request: Request, public_url: str | None) -> str:
    """The URL as the provider called it."""
    if public_url is None:
        return str(request.url)
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{public_url}{request.url.path}" + (f"?{query}" if query else "")


def _response(reply: Reply) -> Response:
    """A channel's answer as HTTP."""
    return Response(reply.body, reply.status, headers={"Content-Type": reply.content_type})


def _refusal(status: int, reason: str) -> Response:
    """A refusal with its reason, for whoever reads the provider's log."""
    return PlainTextResponse(f"{reason}\n", status)
