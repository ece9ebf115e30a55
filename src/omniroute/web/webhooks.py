"""Webhooks in: one ASGI app, one route per channel, 2xx only after every event is recorded.

What a provider is answered:

- 200: recorded, or nothing to record. Also the answer to a handshake, to what went into
  quarantine (it is recorded, and coming again would not mend it), and to a forgery where the
  provider's rules say so (`Provider.drops_forgeries`).
- 400: signed, but empty, or a call that cannot be understood: it is in quarantine, and the
  provider's own fallback takes the caller.
- 401: the signature is missing or wrong. 403: a handshake with a foreign token.
- 408: the body did not come in time. 413: larger than the limit. 415: another content type than
  the provider sends.
- 503 with Retry-After: it cannot be recorded now, or not in time, or there was no room for one
  of its events, or the provider's keys cannot be had. The provider repeats the delivery, and what
  had been taken is recognised by its message id; see `recording` for those who do not. A caller
  cannot be asked to come again: see `Hook.refused`.

Any other failure is the server's 500, which providers repeat, too.

Runs on asyncio and trio, under any ASGI server, alone or mounted in another application.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing

import anyio
import attrs

from ..channels import Adapter, Reply, Secrets, WebhookRequest, adapter_named
from ..channels.language import Detect
from ..channels.providers import Provider, provider_of
from ..channels.quarantine import normalized
from ..errors import MissingExtraError, SignatureError
from ..model import Channel, Disposition, Inbound
from ..plan import Limits
from ..router import Receipt, Router
from .keys import KeySource, KeysUnavailableError
from .recording import SHARE, Recorder

try:
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
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


@attrs.frozen
class Hook:
    """How one channel is received.

    Args:
        secrets: what deliveries are checked with.
        adapter: the channel with your configuration; None takes the one in `CHANNELS`.
        answer: what to say when all events are taken. It gets the events and, in the same
            order, what ``deliver`` returned for them: a `Receipt`, or None for anything else.
            Twilio needs TwiML here for a new call (see `omniroute.channels.enqueue`); an
            empty answer would end it. None: what the provider wants to hear, mostly nothing.
        refused: what to say when one of the events was refused at the door
            (`Receipt.is_refused`); it gets the same. A caller is told that the line is busy
            (see `omniroute.channels.reject`). None: 503 where coming again may help, else
            ``answer``.
        keys: where the provider's public keys are fetched from, besides ``secrets``.
    """

    secrets: Secrets
    adapter: Adapter | None = attrs.field(default=None, kw_only=True)
    answer: Answer | None = attrs.field(default=None, kw_only=True)
    refused: Answer | None = attrs.field(default=None, kw_only=True)
    keys: KeySource | None = attrs.field(default=None, kw_only=True)


@attrs.frozen(kw_only=True)
class _Settings:
    """What all routes of one app share."""

    recorder: Recorder
    public_url: str | None
    now_ms: Callable[[], int]
    max_body_bytes: int
    time_limit_s: float
    retry_after_s: int


@attrs.frozen(kw_only=True)
class _Door:
    """One route: the channel, how it is received, and what its provider expects."""

    name: str
    adapter: Adapter
    hook: Hook
    provider: Provider
    limit_bytes: int
    limit_s: float
    settings: _Settings


def webhooks(
    deliver: Deliver | Router,
    hooks: Mapping[str, Hook | Secrets],
    *,
    public_url: str | None = None,
    detect: Detect | None = None,
    now_ms: Callable[[], int] = _wall_ms,
    limits: Limits | None = None,
    time_limit_s: float = 4.0,
    retry_after_s: int = 5,
) -> Starlette:
    """An ASGI app with one route, ``/{name}``, for each hook.

    A provider that calls paths below the URL that it was given (Matrix) gets them, too.

    Args:
        deliver: the router; or what takes one `Inbound`, which counts as recorded when it
            returns. It is cancelled at the time limit, and then called again with the same
            event after the answer.
        hooks: channel name or alias -> how it is received; secrets stand for a hook with these.
        public_url: what providers call, up to the path (``https://example.org``), when a
            proxy stands before the app: some sign the URL. None takes it from the request.
        detect: tells languages apart, see `language_detector`.
        now_ms: the clock, milliseconds since the epoch.
        limits: the plan's (``plan.limits``): bodies larger than its ``max_payload_bytes`` are
            refused, also when a channel would take them. None takes those of the router's plan,
            else the default limits.
        time_limit_s: how long any answer may take. Where the provider waits for less, three
            quarters of its own limit count (`Provider.time_limit_ms`).
        retry_after_s: what a busy router asks the provider to wait.

    Raises:
        UnknownNameError: a hook that names no channel.
    """
    if isinstance(deliver, Router):
        limits = deliver.plan.limits if limits is None else limits
        deliver = deliver.deliver
    settings = _Settings(
        recorder=Recorder(deliver, detect),
        public_url=None if public_url is None else public_url.rstrip("/"),
        now_ms=now_ms,
        max_body_bytes=(limits or Limits()).max_payload_bytes,
        time_limit_s=time_limit_s,
        retry_after_s=retry_after_s,
    )
    routes = []
    for name, given in hooks.items():
        hook = Hook(given) if isinstance(given, Secrets) else given
        door = _door(name, hook, settings)
        endpoint = _endpoint(door)
        methods = ["GET", "POST", "PUT"]
        routes.append(Route(f"/{name}", endpoint, methods=methods, name=name))
        if door.provider.calls_below:
            routes.append(Route(f"/{name}/{{below:path}}", endpoint, methods=methods))
    return Starlette(routes=routes)


def _door(name: str, hook: Hook, settings: _Settings) -> _Door:
    """Everything about one route."""
    adapter = adapter_named(name) if hook.adapter is None else hook.adapter
    provider = provider_of(adapter)
    limit_s = settings.time_limit_s
    if provider.time_limit_ms is not None:
        limit_s = min(limit_s, provider.time_limit_ms / 1000 * SHARE)
    return _Door(
        name=name,
        adapter=adapter,
        hook=hook,
        provider=provider,
        limit_bytes=min(adapter.limit_bytes, settings.max_body_bytes),
        limit_s=limit_s,
        settings=settings,
    )


def _endpoint(door: _Door) -> Callable[[Request], Awaitable[Response]]:
    """The handler of one route."""
    settings = door.settings

    async def endpoint(request: Request) -> Response:
        until = anyio.current_time() + door.limit_s
        body: bytes | None = None
        try:
            with anyio.CancelScope(deadline=until) as reading:
                body = await _body(request, door.limit_bytes)
        except ClientDisconnect:
            return _refusal(400, "the client went away")
        if reading.cancelled_caught:
            return _refusal(408, "the body did not come in time")
        if body is None:
            return _refusal(413, f"at most {door.limit_bytes} bytes are taken")
        delivery = WebhookRequest(
            method=request.method,
            url=_public_url(request, settings.public_url),
            headers=request.headers.items(),
            body=body,
            received_at_ms=settings.now_ms(),
        )
        secrets = door.hook.secrets
        if door.hook.keys is not None:
            try:
                secrets = await door.hook.keys.secrets_for(delivery, secrets, until=until)
            except KeysUnavailableError as error:
                return _come_again(str(error), settings)
        try:
            reply = door.adapter.handshake(delivery, secrets)
        except SignatureError as error:
            return _refusal(403, str(error))
        if reply is not None:
            return _response(reply)
        refusal = _refused_at_door(delivery, secrets, door)
        return refusal or await _receive(delivery, door, until)

    return endpoint


def _refused_at_door(delivery: WebhookRequest, secrets: Secrets, door: _Door) -> Response | None:
    """The answer to what is not authentic, no delivery at all, or of a foreign type."""
    try:
        door.adapter.verify(delivery, secrets)
    except SignatureError as error:
        # Without a secret nothing can be told to be forged: then let the provider come again.
        dropped = door.provider.drops_forgeries and delivery.method == "POST"
        if dropped and any(secrets.signing):
            return PlainTextResponse(f"dropped: {error}\n")
        return _refusal(401, str(error))
    taken = door.adapter.content_types
    if delivery.body and delivery.media_type and taken and delivery.media_type not in taken:
        return _refusal(415, f"expected {' or '.join(taken)}")
    if not delivery.body and not (delivery.method == "GET" and delivery.query()):
        return _refusal(400, "the delivery is empty")
    return None


async def _receive(delivery: WebhookRequest, door: _Door, until: float) -> Response:
    """Read, record, answer: in this order."""
    settings, hook = door.settings, door.hook
    events = normalized(door.adapter, door.name, delivery)
    recording = await settings.recorder.record(events, until)
    if not recording.is_whole:
        response = _come_again("cannot record it now, try again later", settings)
        if recording.late and settings.recorder.may_be_late():
            response.background = BackgroundTask(settings.recorder.finish, recording.late)
        return response
    receipts = recording.receipts
    if events and all(event.disposition is Disposition.QUARANTINE for event in events):
        if door.adapter.channel is Channel.VOICE:
            return _refusal(400, events[0].reason)
        return _response(door.provider.taken(delivery))
    if hook.refused is not None and any(each and each.is_refused for each in receipts):
        return _response(hook.refused(events, receipts))
    if any(each and each.is_refused_for_now for each in receipts):
        return _come_again("no room for it now, try again later", settings)
    if hook.answer is None:
        return _response(door.provider.taken(delivery))
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
