"""Plivo: webhooks of calls and of text messages, as forms.

A call is ``CallUUID``, a message ``MessageUUID``. The answer URL is asked first (``Event=StartApp``
or a status that rings) and opens the call. A delivery report has a ``Status`` and our own number in
``From``. Numbers are international digits without "+". Plivo sends no times.

Three signatures are in use, all base64 HMAC-SHA256 under the auth token with a nonce of their
own header: V3 for calls and MA-V3 for messages sign ``URL?sorted-query.sorted-form.nonce``, V2
signs ``URL-without-query`` and the nonce. The form is sorted by name, not by the joined text.
A header may list several signatures, one per auth token. Nothing holds a time, so only the ids
protect against a replay.

https://www.plivo.com/docs/voice/concepts/signature-validation
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attachment, Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .links import links_in
from .payloads import as_text
from .protocol import Reply, Secrets, WebhookRequest
from .signatures import hmac_base64, require_match
from .telephone import WITHHELD_ATTRIBUTE, caller, check_region, international, thread_of
from .twilio import form_of
from .verdicts import own, routed, status, update

__all__ = ["Plivo"]

_ENDED = frozenset(["completed", "busy", "failed", "timeout", "no-answer", "cancel", "rejected"])
_MAX_FIELDS = 1000
_MAX_MEDIA = 10
_MAX_SIGNATURES = 10

_ATTRIBUTES = {
    "CallStatus": "call_status",
    "Event": "event",
    "Direction": "direction",
    "HangupCause": "hangup_cause",
    "HangupSource": "hangup_source",
    "ForwardedFrom": "forwarded_from",
    "STIRVerification": "stir_verstat",
    "Digits": "digits",
    "Duration": "duration_s",
    "Type": "message_type",
    "Status": "message_status",
    "ErrorCode": "error_code",
}


def _pairs(encoded: str) -> list[tuple[str, str]]:
    """The sorted name-value pairs of a query or form."""
    try:
        return sorted(parse_qsl(encoded, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError as error:
        raise SignatureError(f"not a form: {error}") from None


def _signed_v3(request: WebhookRequest) -> str:
    """What V3 and MA-V3 sign before the nonce."""
    parts = urlsplit(request.url)
    base = f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = "&".join(f"{name}={value}" for name, value in _pairs(parts.query))
    try:
        encoded = "" if request.method == "GET" else request.body.decode()
    except UnicodeDecodeError:
        raise SignatureError("not a form: the body is not UTF-8") from None
    form = "".join(name + value for name, value in _pairs(encoded.strip()))
    if form:
        return f"{base}?{query}{'.' if query else ''}{form}."
    return f"{base}{'?' if query else ''}{query}."


def _signed_v2(request: WebhookRequest) -> str:
    """What V2 signs before the nonce."""
    parts = urlsplit(request.url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


#: (header with the signature, header with the nonce, what is signed), the strongest first.
_SCHEMES: tuple[tuple[str, str, Callable[[WebhookRequest], str]], ...] = (
    ("X-Plivo-Signature-V3", "X-Plivo-Signature-V3-Nonce", _signed_v3),
    ("X-Plivo-Signature-MA-V3", "X-Plivo-Signature-MA-V3-Nonce", _signed_v3),
    ("X-Plivo-Signature-V2", "X-Plivo-Signature-V2-Nonce", _signed_v2),
)


def _attributes(form: dict[str, str]) -> dict[str, Attribute]:
    """The parameters of the table, the duration as a number."""
    found: dict[str, Attribute] = {}
    for parameter, name in _ATTRIBUTES.items():
        value = as_text(form.get(parameter), 256)
        if value:
            number = name == "duration_s" and value.isascii() and value.isdigit()
            found[name] = int(value[:9]) if number else value
    return found


@attrs.frozen(kw_only=True)
class Plivo:
    """Plivo Voice and Messaging. `Secrets.signing` holds the auth token.

    ``default_region`` (ISO 3166, "US") reads national numbers; it needs the `phone` extra.
    """

    name: str = "plivo"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("application/x-www-form-urlencoded",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Check the strongest signature that came; raises `SignatureError`."""
        header, nonce_header, signed = next(
            (scheme for scheme in _SCHEMES if request.header(scheme[0])), _SCHEMES[0]
        )
        try:
            text = signed(request)
        except ValueError as error:
            raise SignatureError(f"the signed URL is none: {error}") from None
        message = (text + request.header(nonce_header)).encode("utf-8", "surrogatepass")
        refused = SignatureError(f"the {header} header is missing")
        for given in request.header(header).split(",")[:_MAX_SIGNATURES]:
            try:
                require_match(
                    secrets,
                    given.strip(),
                    lambda token: [hmac_base64(token, message)],
                    header=header,
                )
            except SignatureError as error:
                refused = error
            else:
                return
        raise refused

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """Plivo has no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one event of a callback. Raises `PayloadError` when it is neither call nor SMS."""
        form = form_of(request)
        if form.get("MessageUUID", "").strip():
            return [self._sms(form, request.received_at_ms)]
        if form.get("CallUUID", "").strip():
            return [self._call(form, request.received_at_ms)]
        raise PayloadError("neither a call (CallUUID) nor a text message (MessageUUID)")

    def _customer(self, number: str, name: str = "") -> Customer:
        """A number with its "+"; national ones by the default region."""
        return caller(international(number), name, self.default_region)

    def _call(self, form: dict[str, str], received_at_ms: int | None) -> Inbound:
        """An event of a call."""
        call = as_text(form.get("CallUUID"), 128).strip()
        root = as_text(form.get("ParentCallUUID") or form.get("ALegUUID"), 128).strip()
        event = form.get("Event", "").strip().lower()
        state = form.get("CallStatus", "").strip().lower()
        outbound = form.get("Direction", "").strip().lower() == "outbound"
        leg = bool(root) and root != call
        name = as_text(form.get("CallerName"), 256)
        customer = Customer() if outbound or leg else self._customer(form.get("From", ""), name)
        attributes = _attributes(form)
        if not customer.id and not (outbound or leg):
            attributes[WITHHELD_ATTRIBUTE] = True
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=root or call,
            message_id=call,
            to=international(as_text(form.get("To"), 256)),
            attributes=attributes,
            received_at_ms=received_at_ms,
        )
        if outbound or leg:
            return own(message, "a leg of another call" if leg else "a call we placed")
        if event == "hangup" or state in _ENDED:
            return update(message, UpdateKind.ENDED)
        if event == "startapp" or state in {"ringing", ""}:
            return routed(message)
        return update(message, UpdateKind.STATE)

    def _sms(self, form: dict[str, str], received_at_ms: int | None) -> Inbound:
        """A text message, or a delivery report of ours."""
        report = as_text(form.get("Status"), 40).strip()
        theirs, ours = ("To", "From") if report else ("From", "To")
        customer = self._customer(as_text(form.get(theirs), 256))
        own_number = international(as_text(form.get(ours), 256))
        message_id = as_text(form.get("MessageUUID"), 128).strip()
        text = as_text(form.get("Text"))
        media = [as_text(form.get(f"Media{n}"), 4096) for n in range(_MAX_MEDIA)]
        message = Message(
            channel=Channel.SMS,
            customer=customer,
            thread_id=thread_of(own_number, customer.id) if customer.id else message_id,
            message_id=message_id,
            to=own_number,
            text=text,
            links=links_in(text),
            attachments=tuple(Attachment(url=url) for url in media if url),
            attributes=_attributes(form),
            received_at_ms=received_at_ms,
        )
        if report:
            return status(message, f"delivery report: {report}")
        return routed(message)
