"""Microsoft Teams: one activity of the Bot Framework per delivery.

The customer is ``from.id``, which is his id for this bot; ``aadObjectId``, the same for every
bot of his organisation, is kept as an attribute. The thread is ``conversation.id``, which in
a channel ends in ``;messageid=`` and the post that opened it. The message id is the
activity's ``id``. Times are RFC 3339 with seven digits.

In a channel the bot must be mentioned: ``<at>Bot</at>`` is taken out of the text. Each
message brings its own HTML as an "attachment", which is no file. A card's answer is a message
with ``value`` and without text, or an ``invoke``. An invoke comes twice with one id, and when it
is not answered at once again half a minute later with a new one: what was answered, by whom and
in which card, is then the same, and makes the delivery id.

Authenticity: a bearer token by Microsoft (RS256), for our app id, whose ``serviceurl`` is the
activity's. See `jwt_rs256` for where the keys come from; theirs are named by
https://login.botframework.com/v1/.well-known/openidconfiguration

https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
"""

from __future__ import annotations

import json
import re

import attrs
import msgspec

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message
from ..model import UpdateKind as Update
from .html_text import html_links, html_to_text
from .jwt_rs256 import require_bearer
from .links import links_in
from .payloads import (
    TEXT_LIMIT,
    as_dict,
    as_id,
    as_list,
    as_text,
    clean,
    decode_json,
    each,
    stable_id,
)
from .protocol import Reply, Secrets, WebhookRequest
from .times import rfc3339
from .verdicts import ignored, lifecycle, own, routed, status, update

__all__ = ["Teams"]

_MENTION = re.compile(r"<at(?:\s[^<>]{0,200})?>([^<>]{0,256})</at>")
_LIFECYCLE = frozenset(
    {
        "conversationUpdate",
        "installationUpdate",
        "endOfConversation",
        "contactRelationUpdate",
        "deleteUserData",
        "event",
        "handoff",
        "command",
        "commandResult",
        "trace",
    }
)
_UPDATES = {
    "messageUpdate": Update.EDITED,
    "messageDelete": Update.DELETED,
    "messageReaction": Update.REACTION,
}

#: Invokes in which a person answered; the others ask the app for something to show.
_ANSWERS = frozenset(
    {
        "adaptiveCard/action",
        "actionableMessage/executeAction",
        "task/submit",
        "composeExtension/submitAction",
    }
)
_READ = "application/vnd.microsoft.readReceipt"
#: Within this time an invoke with the same content is taken for a repeat.
_INVOKE_MS = 300_000
_DOWNLOAD = "application/vnd.microsoft.teams.file.download.info"


def _text(activity: dict[str, object]) -> str:
    """What was written, without the mention of the bot; others keep their names."""
    bot = as_dict(activity.get("recipient"))
    text = as_text(activity.get("text"))
    if not text:
        twins = [as_dict(item) for item in as_list(activity.get("attachments"))[:50]]
        pages = [as_text(one.get("content")) for one in twins if _is_twin(one)]
        return html_to_text(pages[0], TEXT_LIMIT) if pages else ""
    for item in as_list(activity.get("entities"))[:100]:
        entity = as_dict(item)
        mentioned = as_id(as_dict(entity.get("mentioned")).get("id"))
        spelled = as_text(entity.get("text"), 512)
        if entity.get("type") == "mention" and spelled and mentioned == as_id(bot.get("id")):
            text = text.replace(spelled, "")
    name = as_text(bot.get("name"), 256)
    text = _MENTION.sub(lambda match: "" if match[1] == name else match[1], text)
    return text.replace("\xa0", " ").replace("&nbsp;", " ").strip()


def _is_twin(attachment: dict[str, object]) -> bool:
    """True for the HTML of the message itself."""
    return as_text(attachment.get("contentType"), 64).startswith("text/html")


def _files(activity: dict[str, object]) -> tuple[Attachment, ...]:
    """What is attached, as references."""
    found = []
    for item in as_list(activity.get("attachments"))[:50]:
        part = as_dict(item)
        content_type = as_text(part.get("contentType"), 128)
        content = as_dict(part.get("content"))
        if content_type == _DOWNLOAD:
            content_type = "application/octet-stream"
        elif _is_twin(part) or content_type.startswith("application/vnd.microsoft."):
            continue
        url = as_text(content.get("downloadUrl"), 4096) or as_text(part.get("contentUrl"), 4096)
        name = as_text(part.get("name"), 256)
        if url or name:
            found.append(Attachment(content_type=content_type, name=name, url=url))
    return tuple(found)


def _attributes(activity: dict[str, object]) -> dict[str, Attribute]:
    """What triage may want to know."""
    conversation = as_dict(activity.get("conversation"))
    data = as_dict(activity.get("channelData"))
    value = activity.get("value")
    found: dict[str, Attribute] = {
        "aad_object_id": as_id(as_dict(activity.get("from")).get("aadObjectId")),
        "tenant_id": as_id(conversation.get("tenantId")) or as_id(_id_in(data, "tenant")),
        "conversation_type": as_text(conversation.get("conversationType"), 32),
        "team_id": as_id(_id_in(data, "team")),
        "channel_id": as_id(_id_in(data, "channel")),
        "locale": as_text(activity.get("locale"), 16),
        "service_url": as_text(activity.get("serviceUrl"), 1024),
        "name": as_text(activity.get("name"), 256),
        "reply_to": as_id(activity.get("replyToId")),
        "payload": _shown(value),
    }
    return {name: one for name, one in found.items() if one}


def _id_in(data: dict[str, object], key: str) -> object:
    """``data[key].id``."""
    return as_dict(data.get(key)).get("id")


def _shown(value: object) -> str:
    """What a card sent, as text."""
    if not value:
        return ""
    if isinstance(value, str):
        return as_text(value, 8192)
    try:
        return clean(json.dumps(value, ensure_ascii=False)[:8192])
    except (ValueError, RecursionError):
        return ""


def _read(activity: dict[str, object], received_at_ms: int | None) -> Inbound:
    """What one activity means.

    Raises:
        PayloadError: a message that belongs to no conversation.
    """
    kind = as_text(activity.get("type"), 64)
    author = as_dict(activity.get("from"))
    conversation = as_id(as_dict(activity.get("conversation")).get("id"))
    activity_id = as_id(activity.get("id"))
    text = _text(activity) if kind in {"message", "messageUpdate"} else ""
    pages = [
        as_text(as_dict(item).get("content"))
        for item in as_list(activity.get("attachments"))[:50]
        if _is_twin(as_dict(item))
    ]
    links = dict.fromkeys(links_in(text) + tuple(url for page in pages for url in html_links(page)))
    message = Message(
        channel=Channel.TEAMS,
        customer=Customer(id=as_id(author.get("id")), name=as_text(author.get("name"), 256)),
        thread_id=conversation or None,
        message_id=activity_id or None,
        to=as_id(as_dict(activity.get("recipient")).get("id")),
        text=text,
        links=tuple(links),
        attachments=_files(activity),
        attributes=_attributes(activity),
        sent_at_ms=rfc3339(activity.get("timestamp")),
        received_at_ms=received_at_ms,
    )
    if kind in _UPDATES:
        reply_to = message.attributes.get("reply_to")
        if kind == "messageReaction" and reply_to:
            added = _reactions(activity, "reactionsAdded")
            shown = added or _reactions(activity, "reactionsRemoved")
            attributes = {"reaction": shown, "removed": not added}
            message = msgspec.structs.replace(message, attributes=attributes)
            return update(message, _UPDATES[kind], target=str(reply_to))
        return update(message, _UPDATES[kind])
    name = as_text(activity.get("name"), 256)
    if kind == "typing" or name == _READ:
        return status(message, name or kind)
    if kind in _LIFECYCLE:
        return lifecycle(message, name or as_text(activity.get("action"), 32) or kind)
    if kind not in {"message", "invoke"} or (kind == "invoke" and name not in _ANSWERS):
        return ignored(message, f"unknown activity {kind!r} {name!r}")
    if as_text(author.get("role"), 16) in {"bot", "skill"} or message.customer.id.startswith("28:"):
        return own(message, "written by a bot")
    opened_by = conversation.rpartition(";messageid=")[2] if ";messageid=" in conversation else ""
    answers = kind == "invoke" or (bool(activity.get("value")) and not text)
    inside = answers or bool(activity.get("replyToId")) or opened_by not in {"", activity_id}
    delivery_id = _invocation(message) if kind == "invoke" else ""
    return routed(message, inside=inside, delivery_id=delivery_id)


def _invocation(message: Message) -> str:
    """What tells an invoke that comes again under a new id: the same answer within 5 minutes.

    At the turn of the 5 minutes a repeat is taken for another answer, which joins the thread.
    """
    at_ms = message.sent_at_ms or message.received_at_ms or 0
    told = message.attributes
    return "invoke:" + stable_id(
        message.thread_id or "",
        message.customer.id,
        *(str(told.get(name, "")) for name in ("name", "reply_to", "payload")),
        str(at_ms // _INVOKE_MS),
    )


def _reactions(activity: dict[str, object], key: str) -> str:
    """The kinds of the reactions that were added or removed."""
    kinds = [as_text(as_dict(item).get("type"), 32) for item in as_list(activity.get(key))[:10]]
    return " ".join(filter(None, kinds))


@attrs.frozen(kw_only=True)
class Teams:
    """A Teams bot. ``app_id`` is its Microsoft app id; without it everything is refused.

    `Secrets.signing` holds the Bot Framework's public keys, see `jwt_rs256`.
    """

    name: str = "teams"
    channel: Channel = Channel.TEAMS
    content_types: tuple[str, ...] = ("application/json",)
    limit_bytes: int = 2_097_152
    app_id: str = ""
    issuers: tuple[str, ...] = ("https://api.botframework.com",)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the bearer token; raises `SignatureError` or `MissingExtraError`."""
        claims = require_bearer(request, secrets, audience=self.app_id, issuers=self.issuers)
        claimed = claims.get("serviceurl", claims.get("serviceUrl"))
        try:
            stated = decode_json(request.body).get("serviceUrl")
        except PayloadError as error:
            raise SignatureError(str(error)) from None
        if not claimed or claimed != stated:
            raise SignatureError("the token was issued for another serviceUrl")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """The Bot Framework has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one activity of a delivery; raises `PayloadError` when it has no type."""
        payload = decode_json(request.body)
        if not isinstance(payload.get("type"), str):
            raise PayloadError("no activity: type is missing")
        at_ms = request.received_at_ms
        return each(
            [payload],
            lambda activity: _read(activity, at_ms),
            channel=self.channel,
            received_at_ms=at_ms,
        )
