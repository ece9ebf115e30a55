"""What the customer wrote just now: a mail's text without quotations and signature.

Line by line, in linear time, in the languages of the tables:

- Lines that begin with ">" are quoted.
- A line like "On <date>, <name> wrote:" (up to four lines long) introduces a quotation.
  When a ">" line follows, only those lines are hidden and what is written below or between
  them stays; when none follows, the rest of the text is the quotation.
- A header block ("From: ... Sent: ...") or "Original Message" hides the rest. A forwarded
  message stays: it is what the customer wants read.
- A signature begins at "-- ", at a line of underscores, or at "Sent from my phone"; it ends
  where a quotation begins.

When nothing would be left, the whole text is the reply: an agent must never read less than
the customer wrote.
"""

# ruff: noqa: RUF001 - phrases of other languages look like ours
from __future__ import annotations

import re

__all__ = ["visible_reply"]

#: "... wrote:" at the end of an introduction, in lower case and without the colon.
_WROTE = (
    "wrote",
    "writes",
    "schrieb",
    "geschrieben",
    "a écrit",
    "escribió",
    "escribio",
    "ha scritto",
    "schreef",
    "skrev",
    "escreveu",
    "napsal(a)",
    "napsal",
    "napsala",
    "napisał(a)",
    "napisał",
    "napisała",
    "написал",
    "написала",
    "написал(а)",
    "пишет",
    "писал",
    "kirjoitti",
    "ezt írta",
    "írta",
    "yazdı",
    "şunu yazdı",
    "έγραψε",
    "写道",
    "寫道",
    "님이 작성",
    "님이 작성하였습니다",
    "のメール",
)
#: German and Scandinavian word order puts the name after the verb.
_WROTE_INSIDE = re.compile(r"\b(?:schrieb|skrev|schreef|napisał)\b.{1,150}:$", re.IGNORECASE)
#: How an introduction that is wrapped over several lines begins.
_OPENER = re.compile(
    r"^[>*\s]*(?:on|at|am|le|el|il|op|den|em|dnia|w dniu|dne|в|mon|tue|wed|thu|fri|sat|sun|\d)\b",
    re.IGNORECASE,
)
_DATED = re.compile(r"\d{1,4}[./\-年\s]|\d{1,2}:\d{2}|<[^<>\s]+@[^<>\s]+>|@")

_ORIGINAL = re.compile(
    r"^[\s>*]*[-_=]{2,}\s*(?:original message|ursprüngliche nachricht|originalnachricht"
    r"|message d'origine|message original|mensaje original|mensagem original"
    r"|messaggio originale|oorspronkelijk bericht|ursprungligt meddelande"
    r"|oprindelig meddelelse|opprinnelig melding|alkuperäinen viesti|původní zpráva"
    r"|wiadomość oryginalna|исходное сообщение|元のメッセージ|原始邮件|원본 메시지)\s*[-_=]{2,}",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"^[\s>*]*(?:from|von|de|da|van|från|fra|lähettäjä|od|от|kimden|差出人|发件人|寄件者"
    r"|보낸 사람)\s*\*?\s*[:：]\*?\s*\S",
    re.IGNORECASE,
)
_HEADER_FIELD = re.compile(
    r"^[\s>*]*(?:sent|date|to|subject|cc|gesendet|datum|an|betreff|envoyé|à|objet|enviado|para"
    r"|asunto|fecha|inviato|data|oggetto|a|verzonden|aan|onderwerp|skickat|till|ämne|sendt|til"
    r"|emne|lähetetty|vastaanottaja|aihe|odesláno|komu|předmět|wysłano|do|temat|отправлено|кому"
    r"|тема|дата|送信日時|宛先|件名|发送时间|收件人|主题|날짜|받는 사람|제목)\s*\*?\s*[:：]",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"^\s*(?:--|—|__)\s*$|^\s*[_]{8,}\s*$")
_SENT_FROM = re.compile(
    r"^\s*(?:sent from my(?: [\w'-]+){1,5}|sent from (?:outlook|mail|yahoo)\b[\w ]{0,40}"
    r"|get outlook for [\w ]{1,20}|sent via [\w ]{1,30}|von meinem [\w -]{1,40} gesendet"
    r"|gesendet mit [\w .-]{1,40}|envoyé de mon [\w -]{1,40}|envoyé depuis [\w -]{1,40}"
    r"|enviado desde mi [\w -]{1,40}|enviado do meu [\w -]{1,40}"
    r"|inviato da(?:l mio)? [\w -]{1,40}|verzonden vanaf mijn [\w -]{1,40}"
    r"|verstuurd vanaf mijn [\w -]{1,40}|skickat från min [\w -]{1,40}"
    r"|sendt fra min [\w -]{1,40}|отправлено с [\w -]{1,40}|iphoneから送信)\s*\.?\s*$",
    re.IGNORECASE,
)

#: A blank line, or one drawn with dashes to set the quotation off.
_RULE = re.compile(r"^\s*[-_=*]*\s*$")

_MAX_LINE = 400
_MAX_SIGNATURE = 25


def _is_introduction(line: str) -> bool:
    """True for "On <date>, <name> wrote:" in one of the languages."""
    text = line.strip("> *\t").rstrip()
    if not 8 <= len(text) <= _MAX_LINE or text[-1] not in ":：":
        return False
    if _DATED.search(text) is None:
        return False
    lowered = text[:-1].rstrip().lower()
    return lowered.endswith(_WROTE) or _WROTE_INSIDE.search(text) is not None


def _introduction(lines: list[str], index: int) -> int:
    """How many lines an introduction at ``index`` takes, 0 when there is none."""
    if _is_introduction(lines[index]):
        return 1
    if _OPENER.match(lines[index][:_MAX_LINE]) is None:
        return 0
    joined = lines[index].strip()
    for count, line in enumerate(lines[index + 1 : index + 4], start=2):
        if not line.strip() or _is_quoted(line) != _is_quoted(lines[index]):
            return 0
        joined = f"{joined} {line.strip('> *')}"
        if len(joined) > _MAX_LINE:
            return 0
        if _is_introduction(joined):
            return count
    return 0


def _is_header_block(lines: list[str], index: int) -> bool:
    """True when "From:" stands here and two more mail headers right below it."""
    if _FROM.match(lines[index][:_MAX_LINE]) is None:
        return False
    below = [line[:_MAX_LINE] for line in lines[index + 1 : index + 8] if line.strip()][:5]
    return sum(_HEADER_FIELD.match(line) is not None for line in below) >= 2


def _is_quoted(line: str) -> bool:
    """True for a line that begins with ">"."""
    return line.lstrip().startswith(">")


class _Layout:
    """What each line of a text is, found once."""

    def __init__(self, lines: list[str]) -> None:
        count = len(lines)
        self.lines = lines
        self.quoted = [_is_quoted(line) for line in lines]
        self.introductions = {
            index: taken for index in range(count) if (taken := _introduction(lines, index))
        }
        self.rest_hidden = next(
            (
                index
                for index, line in enumerate(lines)
                if _ORIGINAL.match(line[:_MAX_LINE]) or _is_header_block(lines, index)
            ),
            count,
        )
        #: From each line on, the next one that is not blank, and where a quotation begins.
        self.next_text = [count] * (count + 1)
        self.next_quotation = [count] * (count + 1)
        self.texts_before = [0] * (count + 1)
        for index in range(count - 1, -1, -1):
            blank = not lines[index].strip()
            begins = self.quoted[index] or index in self.introductions or index == self.rest_hidden
            self.next_text[index] = self.next_text[index + 1] if blank else index
            self.next_quotation[index] = index if begins else self.next_quotation[index + 1]
        for index in range(count):
            self.texts_before[index + 1] = self.texts_before[index] + bool(lines[index].strip())

    def signature_end(self, index: int) -> int:
        """Where a signature at ``index`` ends; ``index`` itself when none begins there."""
        line = self.lines[index][:_MAX_LINE]
        if _SIGNATURE.match(line) is None and _SENT_FROM.match(line) is None:
            return index
        end = self.next_quotation[index]
        long = self.texts_before[end] - self.texts_before[index] > _MAX_SIGNATURE
        return index if long else end


def visible_reply(text: str) -> str:
    """The part of a mail's text that its sender wrote now.

    Args:
        text: the whole text, quotations and signature included.

    Returns:
        The reply. Linear in the length of the text.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    layout = _Layout(lines)
    kept: list[str] = []
    index = 0
    while index < layout.rest_hidden:
        introduction = layout.introductions.get(index, 0)
        signature_end = layout.signature_end(index)
        if introduction:
            following = layout.next_text[min(index + introduction, len(lines))]
            if following < len(lines) and not layout.quoted[following]:
                break
            index = following
        elif layout.quoted[index]:
            index += 1
        elif signature_end > index:
            index = signature_end
        else:
            kept.append(lines[index])
            index += 1
    while kept and _RULE.match(kept[-1][:_MAX_LINE]):
        kept.pop()
    return "\n".join(kept).strip() or text.strip()
