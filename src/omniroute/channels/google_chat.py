"""Google Chat: messages to an app, directly or by Pub/Sub.

Three shapes: an add-on's event (``chat`` with a payload named after what happened), the older
Chat event (``type`` = MESSAGE, CARD_CLICKED ...), and a Workspace event pushed by Pub/Sub, its
kind in the attribute ``ce-type``. The customer is ``sender.name``, the message id
``message.name``, the thread ``thread.name``; in a direct message the space, because there every
message opens a thread of its own. Times are RFC 3339. An app's own messages have a sender of
type BOT.

Authenticity: a bearer token by Google (RS256), its audience the app's project number or URL.
For tokens that Google issues for every service account of its clouds the account that it is
of must be named in ``service_accounts``. See `jwt_rs256` for where the keys come from; theirs
are at https://www.googleapis.com/service_accounts/v1/metadata/x509/chat@system.gserviceaccount.com
and https://www.googleapis.com/oauth2/v3/certs

https://developers.google.com/workspace/chat/receive-respond-interactions
"""

from __future__ import annotations

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import (
    Address,
    AddressKind,
    Attachment,
    Attribute,
    Channel,
    Customer,
    Inbound,
    Message,
)
from ..model import UpdateKind as Update
from . import google_push
from .jwt_rs256 import require_bearer
from .links import links_in
from .payloads import as_dict, as_id, as_list, as_text, each
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import edited, ignored, lifecycle, own, routed, update

__all__ = ["GoogleChat"]

_CHAT_ISSUER = "chat@system.gserviceaccount.com"
_GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")

_LIFECYCLE = frozenset(
    {
        "addedToSpacePayload",
        "removedFromSpacePayload",
        "widgetUpdatedPayload",
        "ADDED_TO_SPACE",
        "REMOVED_FROM_SPACE",
        "WIDGET_UPDATED",
        "APP_HOME",
    }
)
_CLICKS = frozenset({"buttonClickedPayload", "CARD_CLICKED", "SUBMIT_FORM", "submitFormPayload"})
_MESSAGES = frozenset({"messagePayload", "MESSAGE", "appCommandPayload", "APP_COMMAND"})


def _person(user: dict[str, object]) -> Customer:
    """Who wrote it."""
    email = as_text(user.get("email"), 320).lower()
    return Customer(
        id=as_id(user.get("name")),
        name=as_text(user.get("displayName"), 256),
        addresses=(Address(AddressKind.EMAIL, email),) if email else (),
    )


def _files(items: list[object]) -> tuple[Attachment, ...]:
    """Attachments as references."""
    found = []
    for item in items[:50]:
        part = as_dict(item)
        resource = as_text(as_dict(part.get("attachmentDataRef")).get("resourceName"), 2048)
        drive = as_text(as_dict(part.get("driveDataRef")).get("driveFileId"), 256)
        url = as_text(part.get("downloadUri"), 4096)
        if not url:
            url = f"google-drive:{drive}" if drive else f"google-chat-media:{resource}"
        found.append(
            Attachment(
                content_type=as_text(part.get("contentType"), 128) or "application/octet-stream",
                name=as_text(part.get("contentName"), 256),
                url=url,
            )
        )
    return tuple(found)


def _is_direct(space: dict[str, object]) -> bool:
    """True for a conversation of one person with the app."""
    direct = space.get("type") == "DM" or space.get("spaceType") == "DIRECT_MESSAGE"
    return direct or space.get("singleUserBotDm") is True


def _message(
    content: dict[str, object], around: dict[str, object], received_at_ms: int | None
) -> Message:
    """A message, with the user and the space that stand around it."""
    space = {**as_dict(content.get("space")), **as_dict(around.get("space"))}
    where = as_id(space.get("name"))
    thread = as_id(as_dict(content.get("thread")).get("name"))
    sender = as_dict(content.get("sender")) or as_dict(around.get("user"))
    text = as_text(content.get("text")) or as_text(content.get("argumentText")).strip()
    command = as_dict(content.get("slashCommand")) or as_dict(around.get("appCommandMetadata"))
    attributes: dict[str, Attribute] = {
        "space": where,
        "space_type": as_text(space.get("spaceType"), 32) or as_text(space.get("type"), 32),
        "command_id": as_id(command.get("commandId")) or as_id(command.get("appCommandId")),
        "reply_to": as_id(as_dict(content.get("quotedMessageMetadata")).get("name")),
    }
    return Message(
        channel=Channel.GOOGLE_CHAT,
        customer=_person(sender),
        thread_id=(where if _is_direct(space) else thread or where) or None,
        message_id=as_id(content.get("name")) or None,
        to=where,
        text=text,
        links=links_in(text),
        attachments=_files(as_list(content.get("attachment"))),
        attributes={name: value for name, value in attributes.items() if value},
        sent_at_ms=rfc3339(content.get("createTime")),
        received_at_ms=received_at_ms,
    )


def _written(
    content: dict[str, object], around: dict[str, object], received_at_ms: int | None
) -> Inbound:
    """A message that somebody wrote."""
    message = _message(content, around, received_at_ms)
    sender = as_dict(content.get("sender")) or as_dict(around.get("user"))
    if sender.get("type") == "BOT":
        return own(message, "written by an app")
    is_answer = content.get("threadReply") is True or "reply_to" in message.attributes
    return routed(message, inside=is_answer)


def _clicked(
    content: dict[str, object], around: dict[str, object], received_at_ms: int | None
) -> Inbound:
    """A pressed button or a filled form: the message is ours, the answer the user's."""
    shown = _message(content, around, received_at_ms)
    common = as_dict(around.get("commonEventObject")) or as_dict(around.get("common"))
    action = as_dict(around.get("action"))
    name = as_text(action.get("actionMethodName"), 256)
    name = name or as_text(common.get("invokedFunction"), 256)
    parameters = as_dict(common.get("parameters"))
    text = " ".join(filter(None, [as_text(value, 256) for value in parameters.values()][:10]))
    at_ms = rfc3339(around.get("eventTime"))
    message = msgspec.structs.replace(
        shown,
        customer=_person(as_dict(around.get("user"))),
        message_id=None,
        text=text or name,
        links=(),
        attachments=(),
        attributes={
            "space": shown.to,
            "payload": name or text,
            "reply_to": shown.message_id or "",
        },
        sent_at_ms=at_ms,
    )
    return routed(message, inside=True)


def _interaction(event: dict[str, object], received_at_ms: int | None) -> Inbound:
    """An add-on's event, or an older one of Chat."""
    chat = as_dict(event.get("chat"))
    if chat:
        kind = next((key for key in chat if key.endswith("Payload")), "")
        payload = as_dict(chat.get(kind))
        common = event.get("commonEventObject")
        around = {**chat, **payload, "commonEventObject": common}
        at = chat.get("eventTime")
    else:
        kind = as_text(event.get("type"), 64)
        payload, around, at = event, event, event.get("eventTime")
    content = as_dict(payload.get("message"))
    if kind in _CLICKS:
        inbound = _clicked(content, around, received_at_ms)
    elif kind in _MESSAGES:
        inbound = _written(content, around, received_at_ms)
    else:
        message = _message(content, around, received_at_ms)
        if kind in _LIFECYCLE:
            inbound = lifecycle(message, kind)
        else:
            inbound = ignored(message, f"unknown kind {kind!r}")
    return msgspec.structs.replace(inbound, message=_timed(inbound.message, at))


def _workspace(
    kind: str, event: dict[str, object], at: object, delivery_id: str, received_at_ms: int | None
) -> list[Inbound]:
    """A Workspace event: ``google.workspace.chat.message.v1.created`` and its relatives."""
    subject, _, what = kind.removeprefix("google.workspace.chat.").partition(".v1.")
    key = "messages" if what.startswith("batch") else "message"
    contents = as_list(event.get(key)) if key == "messages" else [event.get("message")]
    contents = [as_dict(one).get("message", one) for one in contents] or [{}]

    def read(content: dict[str, object]) -> Inbound:
        if subject == "message" and what in {"created", "batchCreated"}:
            return _written(content, {}, received_at_ms)
        message = _message(content, {}, received_at_ms)
        if subject == "message" and what in {"updated", "batchUpdated"}:
            return edited(message, as_text(content.get("lastUpdateTime"), 64))
        if subject == "message" and what in {"deleted", "batchDeleted"}:
            return update(message, Update.DELETED)
        if subject == "reaction":
            return update(message, Update.REACTION)
        if subject in {"membership", "space"} or "lifecycle" in kind or "subscription" in kind:
            return lifecycle(message, kind)
        return ignored(message, f"unknown event type {kind!r}")

    found = each(
        [one if isinstance(one, dict) or subject == "message" else {} for one in contents],
        read,
        channel=Channel.GOOGLE_CHAT,
        received_at_ms=received_at_ms,
    )
    return [
        msgspec.structs.replace(
            one,
            message=_timed(one.message, at),
            delivery_id=f"{delivery_id}:{number}" if delivery_id else one.delivery_id,
        )
        for number, one in enumerate(found)
    ]


def _timed(message: Message, at: object) -> Message:
    """The message with the time of its event, where it has none of its own."""
    if message.sent_at_ms is not None:
        return message
    return msgspec.structs.replace(message, sent_at_ms=rfc3339(at))


@attrs.frozen(kw_only=True)
class GoogleChat:
    """A Google Chat app; without an ``audience`` everything is refused.

    ``audience`` is the project number or the URL that the app is called at, as configured;
    ``service_accounts`` are the e-mail addresses that may call it with a token of Google's
    own (Chat's add-on account, the account of a Pub/Sub push). `Secrets.signing` holds
    Google's public keys, see `jwt_rs256`.
    """

    name: str = "google_chat"
    channel: Channel = Channel.GOOGLE_CHAT
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152
    audience: str = ""
    service_accounts: tuple[str, ...] = (_CHAT_ISSUER,)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the bearer token; raises `SignatureError` or `MissingExtraError`."""
        issuers = (_CHAT_ISSUER, *_GOOGLE_ISSUERS)
        claims = require_bearer(request, secrets, audience=self.audience, issuers=issuers)
        if claims.get("iss") in _GOOGLE_ISSUERS:
            is_named = claims.get("email") in self.service_accounts
            if not is_named or claims.get("email_verified") is not True:
                raise SignatureError("the token is of another service account")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Google Chat has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The events of a delivery; raises `PayloadError` when it is none of Chat's."""
        event, attributes, push_id = google_push.opened(request.body)
        at_ms = request.received_at_ms
        kind = as_text(attributes.get("ce-type"), 128)
        if kind:
            return _workspace(kind, event, attributes.get("ce-time"), push_id, at_ms)
        if not isinstance(event.get("chat"), dict) and not isinstance(event.get("type"), str):
            raise PayloadError("no event of Google Chat")
        return each(
            [event],
            lambda one: _interaction(one, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
