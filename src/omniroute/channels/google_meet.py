"""Google Meet: what happens in a session that a conversation was escalated to.

Workspace events by Pub/Sub, pulled or pushed, or the bare event (CloudEvents as JSON). The
thread is the conference record. Meet opens nothing: the session was offered from a post, a
chat or a call, and its events say that the customer has joined, left, or that the session is
over. Recordings and transcripts come minutes later. A subscription lives seven days;
`expirationReminder` says when to renew it.

Authenticity of a push: as `GoogleChat`, a bearer token by Google (RS256) for your audience, of
the service account that the subscription names.

https://developers.google.com/workspace/events/guides/events-meet
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from . import google_push
from .jwt_rs256 import require_bearer
from .payloads import as_dict, as_id, as_text
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import ignored, lifecycle, update

__all__ = ["GoogleMeet"]

_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
_RECORD = re.compile(r"conferenceRecords/[\w-]{1,256}", re.ASCII)
_SUBJECTS = frozenset({"conference", "participant", "recording", "transcript", "smartNote"})
_MAX_NAMES = 100


def _resources(value: object) -> Iterator[tuple[str, str]]:
    """(kind, name) of every resource that the data names, outer ones first."""
    waiting = [("", value)]
    for _ in range(_MAX_NAMES):
        if not waiting:
            return
        kind, item = waiting.pop(0)
        for key, inner in list(as_dict(item).items())[:_MAX_NAMES]:
            if key == "name" and isinstance(inner, str):
                yield kind, as_text(inner, 512)
            elif isinstance(inner, dict):
                waiting.append((as_text(key, 64), inner))


def _display_name(data: dict[str, object]) -> str:
    """How the participant calls himself."""
    session = as_dict(data.get("participantSession"))
    person = as_dict(session.get("participant")) or as_dict(data.get("participant"))
    for kind in ("signedinUser", "anonymousUser", "phoneUser"):
        name = as_text(as_dict(person.get(kind)).get("displayName"), 256)
        if name:
            return name
    return as_text(person.get("displayName"), 256)


@attrs.frozen(kw_only=True)
class GoogleMeet:
    """Events of Google Meet; without an ``audience`` every push is refused.

    ``audience`` is what the push subscription names, ``service_accounts`` the e-mail addresses
    whose tokens count. `Secrets.signing` holds Google's public keys, see `jwt_rs256`.
    """

    name: str = "google_meet"
    channel: Channel = Channel.VIDEO
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 1_048_576
    audience: str = ""
    service_accounts: tuple[str, ...] = ()

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the bearer token of a push; raises `SignatureError` or `MissingExtraError`."""
        claims = require_bearer(request, secrets, audience=self.audience, issuers=_ISSUERS)
        is_named = claims.get("email") in self.service_accounts
        if not is_named or claims.get("email_verified") is not True:
            raise SignatureError("the token is of another service account")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Google Meet has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event. Raises `PayloadError` when it is none."""
        event, attributes, push_id = google_push.opened(request.body)
        kind = as_text(attributes.get("ce-type"), 128) or as_text(event.get("type"), 128)
        if not kind:
            raise PayloadError("the event has no type")
        data = as_dict(event.get("data")) or event
        resources = list(_resources(data))
        text = " ".join(
            [name for _, name in resources] + [as_text(attributes.get("ce-subject"), 512)]
        )
        record = _RECORD.search(text)
        event_id = as_id(attributes.get("ce-id")) or as_id(event.get("id")) or push_id
        found: dict[str, Attribute] = {"event": kind}
        for resource, name in resources[:20]:
            if resource:
                found.setdefault(resource, name)
        name = _display_name(data)
        if name:
            found["participant_name"] = name
        at = attributes.get("ce-time") or event.get("time")
        message = Message(
            channel=Channel.VIDEO,
            customer=Customer(name=name),
            thread_id=record.group() if record else None,
            message_id=event_id or None,
            attributes=found,
            sent_at_ms=rfc3339(at),
            received_at_ms=request.received_at_ms,
        )
        return [self._judged(kind, message, event_id)]

    @staticmethod
    def _judged(kind: str, message: Message, event_id: str) -> Inbound:
        """What an event of this type means."""
        if "subscription" in kind:
            return lifecycle(message, kind, event_id)
        subject, _, what = kind.removeprefix("google.workspace.meet.").partition(".v2.")
        if subject not in _SUBJECTS or not what:
            return ignored(message, f"event {kind!r} is not read", event_id)
        over = (subject, what) == ("conference", "ended")
        return update(message, UpdateKind.ENDED if over else UpdateKind.STATE, event_id)
