"""Mail that no human wrote to us now: reports, bounces, automatic replies, lists.

`classify` looks at the plain facts first (the standards' own header fields and part types),
then at what the many programs that follow no standard have in common: who they call
themselves, how their subjects begin, how their first lines read. A subject alone decides
nothing about deliveries: a customer writes "delivery failed" about a parcel. It takes the
name or the null sender of a mail system, or a formula that only such systems use.

A person who attaches a returned message is not a bounce: attached messages are never opened.

RFC 3834 (automatic replies), RFC 3464 and 6522 (delivery reports), RFC 8098 (read
receipts), RFC 5965 (abuse reports), RFC 2919 (List-Id).
"""

# ruff: noqa: RUF001 - phrases of other languages look like ours
from __future__ import annotations

import re

from ..model import Disposition
from .email_headers import Head, parameters
from .email_mime import Part, Tree

__all__ = ["classify"]

_REPORT_TYPES = {
    "delivery-status": Disposition.BOUNCE,
    "disposition-notification": Disposition.REPORT,
    "feedback-report": Disposition.REPORT,
    "tlsrpt": Disposition.REPORT,
}
_REPORT_PARTS = {
    "message/feedback-report": Disposition.REPORT,
    "message/disposition-notification": Disposition.REPORT,
    "message/delivery-status": Disposition.BOUNCE,
    "message/global-delivery-status": Disposition.BOUNCE,
}

#: Local parts that only mail systems use.
_DAEMONS = frozenset(
    [
        "mailer-daemon",
        "mailerdaemon",
        "mailer_daemon",
        "mail-daemon",
        "maildaemon",
        "postmaster",
        "post_master",
        "post-master",
        "mdaemon",
    ]
)
_DAEMON_NAME = re.compile(
    r"mail(?:er)?[ -]?(?:delivery|daemon)|internet mail delivery|mail administrator"
    r"|^(?:system administrator|systemadministrator|postmaster)$|microsoft exchange",
    re.IGNORECASE,
)

#: Providers' feedback loops that send no standard report.
_COMPLAINERS = frozenset({"staff@hotmail.com", "complaints@email-abuse.amazonses.com"})

_BOUNCE_SUBJECT = re.compile(
    r"^\W*(?:undeliver(?:able|ed)|un-?deliverable|nondeliver(?:able|y)|non-?delivery"
    r"|delivery (?:status )?(?:notification|failure|report|has failed|problem|delay)"
    r"|delayed mail|delivery delayed|failure (?:notice|delivery)|failed (?:mail|delivery)"
    r"|returned (?:mail|message|email)|return(?:ed)? to sender|mail delivery|mail (?:system )?error"
    r"|mail could not be delivered|mail failure|mail not delivered|mail status report"
    r"|message (?:could not be|not|was not) delivered|message (?:delivery|undeliverable|status)"
    r"|email (?:bounce|delivery failure|not delivered)|bounce(?:d)? (?:mail|notification)"
    r"|warning: (?:could not send|message)|could not send message|rejected mail"
    r"|non remis|échec de|non recapitabile|mancato recapito|unzustellbar|nicht zustellbar"
    r"|unzustellbare|onbestelbaar|no se puede entregar|no entregado|olevererbart|ikke levert"
    r"|não entregue|недоставленное|не удалось доставить|配信不能|配信できませんでした"
    r"|配送エラー|退信|无法投递|investigate undelivered)",
    re.IGNORECASE,
)
#: What only a mail system writes.
_BOUNCE_FORMULA = re.compile(
    r"created automatically by (?:the )?mail (?:delivery|server|system)"
    r"|this is the [\w.-]+ program at|each of the following recipients was rejected"
    r"|-{2,} ?failure reasons? {0,2}-{2,}|transcript of session|permanent fatal errors"
    r"|did not reach the following recipient|could not be delivered to (?:mobile|:)"
    r"|your (?:mail|message) sent on ?:|message from [\w .-]{1,60} mail system"
    r"|(?:reporting-mta|final-recipient|diagnostic-code) ?:|<<< ?[45]\d\d|>>> ?rcpt to"
    r"|\b[45]\d\d[ -]+#?[45]\.\d{1,3}\.\d{1,3}\b|\bremote (?:host|server) said\b",
    re.IGNORECASE,
)
#: How the notices begin of mail systems that give no other sign.
_BOUNCE_OPENING = re.compile(
    r"^\W*(?:this (?:message|mail) was created automatically by (?:the )?mail delivery"
    r"|hi\W+this is the [\w.-]+ program at|failure reasons?\b"
    r"|each of the following recipients was rejected by a remote mail server"
    r"|your message\b.{0,200}\bdid not reach the following recipient)",
    re.IGNORECASE | re.DOTALL,
)
#: What a mail system writes, and a customer might.
_BOUNCE_TEXT = re.compile(
    r"(?:message|mail)\b.{0,80}(?:undeliverable|not (?:be )?(?:delivered|reach)|rejected|failed)"
    r"|deliver(?:y|ed|ing)?\b.{0,80}\b(?:fail|delay|error|suspend)|error.{0,40}deliver"
    r"|unable to deliver|returned to you|user unknown|mailbox (?:is )?full|no such user"
    r"|recipient.{0,40}(?:unknown|rejected|not found)|message was received at",
    re.IGNORECASE | re.DOTALL,
)
#: How many characters of the text a mail system needs to say what happened.
_LOOKED_AT = 800

_AUTO_PHRASES = (
    r"auto(?:matic(?:ally generated)?)?[ -]?(?:reply|response|responder|answer)|auto|ooo"
    r"|out[ -]of[ -](?:the )?office(?: auto-?reply| reply| response| message)?"
    r"|vacation(?: reply| response| notice| message| autoreply)?|on vacation|away"
    r"|automatische antwort|automatisch antwoord|abwesenheits(?:notiz|nachricht)|abwesend"
    r"|réponse automatique|reponse automatique|absence du bureau|message d'absence"
    r"|respuesta automática|respuesta automatica|fuera de la oficina|resposta automática"
    r"|ausência temporária|risposta automatica|fuori sede|afwezigheidsbericht|autosvar"
    r"|automatiskt svar|automatisk svar|frånvaromeddelande|automaattinen vastaus"
    r"|automatická odpověď|odpowiedź automatyczna|автоматический ответ|автоответ"
    r"|自動応答|自動返信|自动回复|自动答复|不在通知|부재중"
)
#: Programs put a colon after the phrase, or write nothing else: a customer goes on.
_AUTO_SUBJECT = re.compile(rf"^\W*(?:{_AUTO_PHRASES})\s*(?:[:：]|$)", re.IGNORECASE)
_AUTO_OPENING = re.compile(rf"^\W*(?:{_AUTO_PHRASES})\b", re.IGNORECASE)
_REPORT_SUBJECT = re.compile(
    r"^\W*(?:complaint about message from|email feedback report|report domain:"
    r"|\[?feedback loop|abuse report\b.{0,40}\bmessage)",
    re.IGNORECASE,
)
_REPORT_TEXT = re.compile(
    r"^\W*this is an? (?:e-?mail )?(?:abuse|spam|authentication failure) report", re.IGNORECASE
)
_AUTO_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-auto-reply",
    "x-autogenerated",
)
_LIST_FIELDS = ("list-id", "list-post", "x-mailman-version", "mailing-list", "x-mailing-list")
_BULK_PRECEDENCE = frozenset({"bulk", "list", "junk"})
_MACHINE_PRECEDENCE = frozenset({"auto_reply", "auto-reply"})


def classify(
    tree: Tree, sender: str, name: str, subject: str, text: str, envelope_from: str | None
) -> tuple[Disposition, str] | None:
    """What kind of machine mail this is, and by which sign; None for a human's letter.

    Args:
        tree: the parts; only the header and the part types are looked at.
        sender: the address in From, "" when there is none.
        name: the name beside it.
        subject: the decoded subject.
        text: the text; its first lines are looked at.
        envelope_from: the envelope's sender, "" for the null sender, None when unknown.
    """
    head = tree.root.head
    return (
        _report(tree, head, sender, subject, text)
        or _bounce(head, sender, name, subject, text, envelope_from)
        or _automatic(head, subject, envelope_from)
        or _bulk(head)
    )


def _report(
    tree: Tree, head: Head, sender: str, subject: str, text: str
) -> tuple[Disposition, str] | None:
    """Reports that say so by their type, and abuse reports that say so in words."""
    root = tree.root
    if root.content_type == "multipart/report":
        kind = root.parameters.get("report-type", "").strip().lower()
        if kind in _REPORT_TYPES:
            return _REPORT_TYPES[kind], f"report-type={kind}"
    for part in tree.parts:
        if part.content_type in _REPORT_PARTS and _is_top(part, root):
            return _REPORT_PARTS[part.content_type], f"a {part.content_type} part"
    if head.has("x-hmxmroriginalrecipient") or sender in _COMPLAINERS:
        return Disposition.REPORT, "an abuse report by its sender"
    if _REPORT_SUBJECT.search(subject):
        return Disposition.REPORT, "an abuse report by its subject"
    if _REPORT_TEXT.search(text[:_LOOKED_AT]):
        return Disposition.REPORT, "an abuse report by its first line"
    if root.content_type == "multipart/report":
        return Disposition.BOUNCE, "multipart/report"
    return None


def _is_top(part: Part, root: Part) -> bool:
    """True when the part stands directly below the root, not inside something attached."""
    return part is root or part.depth == root.depth + 1


def _bounce(
    head: Head, sender: str, name: str, subject: str, text: str, envelope_from: str | None
) -> tuple[Disposition, str] | None:
    """A failed or delayed delivery that is no standard report."""
    if head.has("x-failed-recipients"):
        return Disposition.BOUNCE, "X-Failed-Recipients"
    local = sender.partition("@")[0]
    if local in _DAEMONS or local.startswith("microsoftexchange"):
        return Disposition.BOUNCE, f"written by {local[:40]}"
    opening = text[:_LOOKED_AT]
    system = _DAEMON_NAME.search(name) is not None or _is_null_sender(head, envelope_from)
    about = _BOUNCE_SUBJECT.search(subject) is not None
    if _BOUNCE_OPENING.search(opening):
        return Disposition.BOUNCE, "the first words of a mail system"
    formula = _BOUNCE_FORMULA.search(opening) is not None
    if formula and (system or about):
        return Disposition.BOUNCE, "the words of a mail system"
    if system and (about or _BOUNCE_TEXT.search(opening)):
        return Disposition.BOUNCE, "a failed delivery, told by a mail system"
    return None


def _is_null_sender(head: Head, envelope_from: str | None) -> bool:
    """True for ``MAIL FROM:<>``, from the envelope or from Return-Path."""
    if envelope_from is not None:
        return not envelope_from.strip("<> ")
    return head.value("return-path").replace(" ", "") == "<>"


def _automatic(
    head: Head, subject: str, envelope_from: str | None
) -> tuple[Disposition, str] | None:
    """Replies and notices that a program sent for somebody."""
    submitted = parameters(head.value("auto-submitted").partition("(")[0])[0]
    if submitted and submitted != "no":
        return Disposition.AUTO, f"Auto-Submitted: {submitted}"
    for field in _AUTO_FIELDS:
        if head.value(field).lower() not in {"", "no", "false", "0"}:
            return Disposition.AUTO, field
    if head.value("x-apple-action").lower() == "vacation":
        return Disposition.AUTO, "X-Apple-Action: VACATION"
    if head.value("precedence").strip().lower() in _MACHINE_PRECEDENCE:
        return Disposition.AUTO, "Precedence: auto_reply"
    suppressed = bool(head.value("x-auto-response-suppress"))
    if _AUTO_SUBJECT.search(subject) or (suppressed and _AUTO_OPENING.search(subject)):
        return Disposition.AUTO, "an automatic reply by its subject"
    if _is_null_sender(head, envelope_from):
        return Disposition.AUTO, "the null sender"
    return None


def _bulk(head: Head) -> tuple[Disposition, str] | None:
    """Mailing lists and newsletters."""
    precedence = head.value("precedence").strip().lower()
    if precedence in _BULK_PRECEDENCE:
        return Disposition.BULK, f"Precedence: {precedence}"
    for field in _LIST_FIELDS:
        if head.value(field):
            return Disposition.BULK, field
    return None
