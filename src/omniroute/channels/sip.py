"""SIP: the INVITE of a new call, and what else of a dialog passes by.

The call is ``Call-ID``. An INVITE without a tag in ``To`` is new; one with a tag (re-INVITE)
belongs to a call that stands. BYE and CANCEL end it. In a response the identities are those of
the callee, so nobody is named as the customer.

Who calls (RFC 3325): ``P-Asserted-Identity``, which a trusted peer has checked, then
``Remote-Party-ID``, then ``From``, which anybody may write. ``Privacy`` with ``id``, ``user`` or
``critical`` forbids to show the asserted number: the caller is nobody. What STIR/SHAKEN
(RFC 8225, 8588) says becomes attributes; its signature is not checked here.

A message carries no proof: take it from your own proxy.
"""

from __future__ import annotations

import base64
import binascii
import json
import re

import attrs

from ..errors import PayloadError, SignatureError
from ..model import Attribute, Channel, Customer, Inbound, Message, UpdateKind
from .payloads import as_dict, as_text
from .protocol import Reply, Secrets, WebhookRequest
from .sip_message import SipAddress, SipMessage, addresses, parse
from .telephone import WITHHELD_ATTRIBUTE, caller, check_region, trunk_caller
from .verdicts import ignored, lifecycle, routed, update

__all__ = ["Sip"]

_NUMBER = re.compile(r"\+?[0-9*#.()-]{1,32}")
_HIDING = frozenset({"id", "user", "critical"})
_IN_DIALOG = frozenset({"ACK", "INFO", "PRACK", "REFER", "UPDATE", "NOTIFY", "MESSAGE"})
_LIFECYCLE = frozenset({"OPTIONS", "PUBLISH", "REGISTER", "SUBSCRIBE"})

_ATTRIBUTES = {
    "subject": "subject",
    "user-agent": "user_agent",
    "priority": "sip_priority",
    "accept-language": "accept_language",
    "reason": "reason",
}


def _who(address: SipAddress, default_region: str | None) -> Customer:
    """The customer that an address names."""
    user = address.user
    number = user.replace("-", "").replace(".", "").replace("(", "").replace(")", "")
    if user and _NUMBER.fullmatch(user):
        return trunk_caller(number, address.name, default_region)
    if address.host.endswith("anonymous.invalid"):
        return Customer()
    return caller(address.uri, address.name, default_region)


def _tokens(values: list[str]) -> set[str]:
    """The values of a Privacy header."""
    return {token.strip().lower() for value in values for token in re.split("[;,]", value)}


def _passport(identity: str) -> dict[str, Attribute]:
    """What a PASSporT claims: attestation, origin, and when it was made. Not verified."""
    parts = identity.partition(";")[0].strip().split(".")
    if len(parts) != 3:
        return {}
    claims = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        payload = as_dict(json.loads(base64.b64decode(claims, altchars=b"-_", validate=True)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    found: dict[str, Attribute] = {}
    attest = as_text(payload.get("attest"), 1)
    origin = as_text(as_dict(payload.get("orig")).get("tn"), 32)
    issued = payload.get("iat")
    if attest in {"A", "B", "C"}:
        found["stir_attestation"] = attest
    if origin:
        found["stir_origin"] = origin
    if type(issued) is int and 0 <= issued < 2**40:
        found["stir_issued_at_ms"] = issued * 1000
    return found


def _disagrees(origin: Attribute | None, sip: SipMessage, *, trusted: bool) -> bool:
    """True when the PASSporT was made for another number than the caller shows (RFC 8224)."""
    shown = [*sip.addresses("p-asserted-identity")] if trusted else []
    shown = [one for one in shown or sip.addresses("from") if _NUMBER.fullmatch(one.user or "-x")]
    digits = [re.sub(r"\D", "", one.user) for one in shown]
    return isinstance(origin, str) and bool(digits) and re.sub(r"\D", "", origin) not in digits


@attrs.frozen(kw_only=True)
class Sip:
    """SIP messages, one per body.

    ``default_region`` (ISO 3166, "DE") reads national numbers; it needs the `phone` extra.
    ``trusted_peer`` False ignores the asserted identities: they count only when your own proxy
    or carrier wrote them.
    """

    name: str = "sip"
    channel: Channel = Channel.VOICE
    content_types: tuple[str, ...] = ("message/sip",)
    limit_bytes: int = 1_048_576
    default_region: str | None = None
    trusted_peer: bool = True

    def __attrs_post_init__(self) -> None:
        check_region(self.default_region)

    def verify(self, request: WebhookRequest, secrets: Secrets) -> None:
        """Nothing is signed: always refuses, so that no webhook for it stands open."""
        raise SignatureError("SIP messages carry no proof; take them from your own proxy")

    def handshake(self, request: WebhookRequest, secrets: Secrets) -> Reply | None:
        """There is no handshake: always None."""
        return None

    def normalize(self, request: WebhookRequest) -> list[Inbound]:
        """The one message. Raises `PayloadError` when it is no SIP, or names no call."""
        sip = parse(request.body)
        call = as_text(sip.get("call-id"), 1024)
        if not call:
            raise PayloadError("the message names no call: Call-ID is missing")
        from_us = sip.status != 0
        customer = Customer() if from_us else self._caller(sip)
        attributes = self._attributes(sip)
        if sip.method == "INVITE" and not customer.id:
            attributes[WITHHELD_ATTRIBUTE] = True
        message = Message(
            channel=Channel.VOICE,
            customer=customer,
            thread_id=call,
            message_id=call,
            to=self._dialled(sip),
            attributes=attributes,
            received_at_ms=request.received_at_ms,
        )
        return [self._judged(sip, message)]

    def _caller(self, sip: SipMessage) -> Customer:
        """Who calls, as the top of the file says."""
        found: list[SipAddress] = []
        if self.trusted_peer:
            if _tokens(sip.values("privacy")) & _HIDING:
                return Customer()
            asserted = sip.addresses("p-asserted-identity")
            # Of a sip: and a tel: URI for the same caller the one with a number counts.
            found += sorted(asserted, key=lambda one: not _NUMBER.fullmatch(one.user or "-x"))
            remote = sip.addresses("remote-party-id")
            if any(one.parameters.get("privacy", "off") in {"full", "uri"} for one in remote):
                return Customer()
            found += remote
        found += sip.addresses("from")
        customers = (_who(one, self.default_region) for one in found)
        return next((customer for customer in customers if customer.id), Customer())

    @staticmethod
    def _dialled(sip: SipMessage) -> str:
        """What was dialled: the called party, the request's URI, or To."""
        for text in (sip.get("p-called-party-id"), sip.uri and f"<{sip.uri}>", sip.get("to")):
            for one in addresses(text):
                if one.user:
                    return as_text(one.user, 256)
        return ""

    def _attributes(self, sip: SipMessage) -> dict[str, Attribute]:
        """What triage may want to know."""
        found: dict[str, Attribute] = {
            name: value[:256] for header, name in _ATTRIBUTES.items() if (value := sip.get(header))
        }
        for header, name in (("diversion", "forwarded_from"), ("history-info", "forwarded_from")):
            diverted = sip.addresses(header)
            if diverted and name not in found:
                found[name] = (diverted[0].user or diverted[0].uri)[:256]
        if self.trusted_peer:
            for one in sip.addresses("p-asserted-identity") or sip.addresses("from"):
                verdict = one.uri_parameter("verstat") or one.parameters.get("verstat", "")
                if verdict:
                    found.setdefault("stir_verstat", verdict[:64])
        if identity := sip.get("identity"):
            found.update(_passport(identity))
            if _disagrees(found.get("stir_origin"), sip, trusted=self.trusted_peer):
                found["stir_mismatch"] = True
        if sip.status:
            found["status_code"] = sip.status
        else:
            found["method"] = sip.method
        return found

    @staticmethod
    def _judged(sip: SipMessage, message: Message) -> Inbound:
        """What a message of this method means."""
        if sip.status:
            return update(message, UpdateKind.STATE)
        inside = any(one.parameters.get("tag") for one in sip.addresses("to")[:1])
        if sip.method == "INVITE":
            return update(message, UpdateKind.STATE) if inside else routed(message)
        if sip.method in {"BYE", "CANCEL"}:
            return update(message, UpdateKind.ENDED)
        if sip.method in _LIFECYCLE:
            return lifecycle(message, f"{sip.method} is about no call")
        if sip.method in _IN_DIALOG:
            return update(message, UpdateKind.STATE)
        return ignored(message, f"method {sip.method!r} is not read")
