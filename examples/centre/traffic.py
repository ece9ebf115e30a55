"""When who calls, writes and posts: one list of contacts, drawn from one seed.

Times are seconds of the centre's day. Every contact is drawn before the first is sent, so
one seed is one day. Real payloads are templates: each contact gets ids of its own.
"""

from __future__ import annotations

import copy
import json
from email.message import EmailMessage
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import attrs

from . import story

__all__ = ["Call", "Contact", "Mail", "Post", "a_day"]

#: Contacts arrive during so many seconds of the centre's time.
DAY_S = 600


@attrs.frozen
class Mail:
    """A mail, as the bytes that are sent."""

    raw: bytes
    to: str
    envelope_from: str


@attrs.frozen
class Post:
    """A webhook delivery of Meta: JSON bytes. A forged one is signed with a wrong secret."""

    channel: str
    body: bytes
    events: int
    forged: bool = False


@attrs.frozen
class Call:
    """A telephone call: the form Twilio sends, and how long the customer waits."""

    form: dict[str, str]
    patience_s: float
    repeated: bool = False


@attrs.frozen
class Contact:
    """Something a customer (or a machine) does, and when."""

    at_s: float
    what: Mail | Post | Call


def a_day(rng: Random) -> list[Contact]:
    """All contacts of one run, in order of time."""
    drawn: list[Mail | Post | Call] = [
        *_calls(rng),
        *_real_mails(),
        *_chats(rng),
        *_comments(rng),
        *_real_posts(),
    ]
    contacts = [Contact(rng.uniform(0, DAY_S), what) for what in drawn]
    contacts += _letters(rng)
    return sorted(contacts, key=lambda contact: contact.at_s)


# --- telephone --------------------------------------------------------------------------


def _calls(rng: Random) -> list[Call]:
    """Calls to all numbers; some callers are impatient. The real forms come first."""
    calls = [
        Call(_form("own__incoming_1.txt"), patience_s=90),
        Call(_form("own__anonymous_1.txt"), patience_s=90),
        # an agent's own browser phone rings; that is not a customer
        Call(_form("own__client_leg_1.txt"), patience_s=0),
    ]
    for number in range(26):
        form = _form("own__incoming_1.txt")
        form["CallSid"] = f"CA{rng.getrandbits(128):032x}"
        form["From"] = form["Caller"] = f"+4179{rng.randrange(10**7):07}"
        form["To"] = form["Called"] = rng.choice(story.NUMBERS)
        patience_s = rng.choice([25, 60, 120, 180])
        calls.append(Call(form, patience_s, repeated=number == 0))
    for call in calls[-2:]:
        call.form["To"] = call.form["Called"] = story.EMERGENCY
    return calls


def _form(file: str) -> dict[str, str]:
    return dict(parse_qsl((story.DATA / "twilio_voice" / file).read_text("ascii").strip()))


# --- mail -------------------------------------------------------------------------------


def _letters(rng: Random) -> list[Contact]:
    """What customers write; the first of them soon sends a second mail in the same thread."""
    drawn = [(letter, _message_id(rng), rng.uniform(0, DAY_S)) for letter in story.LETTERS]
    contacts = [Contact(at_s, _letter(letter, own_id)) for letter, own_id, at_s in drawn]
    letter, thread, at_s = drawn[0]
    again = _letter(letter._replace(text=story.AFTERTHOUGHT), _message_id(rng), thread)
    return [*contacts, Contact(at_s + 20, again)]


def _message_id(rng: Random) -> str:
    return f"<{rng.getrandbits(64):016x}@mail.example>"


def _letter(letter: story.Letter, message_id: str, thread: str = "") -> Mail:
    mail = EmailMessage()
    mail["From"] = letter.sender
    mail["To"] = letter.to
    mail["Subject"] = letter.subject
    mail["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
    mail["Message-ID"] = message_id
    if thread:
        mail["In-Reply-To"] = mail["References"] = thread
    mail.set_content(letter.text)
    return Mail(mail.as_bytes(), letter.to, letter.sender.partition("<")[2].rstrip(">"))


def _real_mails() -> list[Mail]:
    """Mails from the field; a mail server that was unsure sends the first of them twice."""
    mails = [
        Mail((story.DATA / "email" / real.file).read_bytes(), real.to, real.envelope_from)
        for real in story.REAL_MAILS
    ]
    return [*mails, mails[0]]


# --- social -----------------------------------------------------------------------------


def _chats(rng: Random) -> list[Post]:
    """Messenger: each text by a customer of its own."""
    template = _json("messenger", "vercel__batch_two_messages_one_echo.json")
    template["entry"] = template["entry"][:1]
    return [_chat(template, text, rng) for text in story.CHATS * 2]


def _chat(template: dict[str, Any], text: str, rng: Random) -> Post:
    payload = copy.deepcopy(template)
    (event,) = payload["entry"][0]["messaging"]
    event["sender"]["id"] = str(rng.randrange(10**15, 10**16))
    event["message"] = {"mid": f"m_{rng.getrandbits(96):x}", "text": text}
    return _post("messenger", payload)


def _comments(rng: Random) -> list[Post]:
    """Facebook: comments below a post of ours."""
    template = _json("facebook_page", "bottender__video_comment.json")
    posts = [_comment(template, text, rng) for text in story.COMMENTS * 2]
    return [*posts, attrs.evolve(posts[0], forged=True)]


def _comment(template: dict[str, Any], text: str, rng: Random) -> Post:
    payload = copy.deepcopy(template)
    value = payload["entry"][0]["changes"][0]["value"]
    page_post = value["post_id"].partition("_")[2]
    value["from"]["id"] = str(rng.randrange(10**15, 10**16))
    value["comment_id"] = f"{page_post}_{rng.randrange(10**15)}"
    value["message"] = text
    return _post("facebook", payload)


def _real_posts() -> list[Post]:
    """Payloads from the field, as they are: messages, echoes, receipts, reactions."""
    folders = {"messenger": "messenger", "facebook_page": "facebook"}
    return [
        _post(channel, _json(folder, path.name))
        for folder, channel in folders.items()
        for path in sorted((story.DATA / folder).glob("*.json"))
    ]


def _json(folder: str, file: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((story.DATA / folder / file).read_text("utf-8"))
    return found


def _post(channel: str, payload: dict[str, Any]) -> Post:
    lists = [entry.get(key, []) for entry in payload["entry"] for key in ("messaging", "changes")]
    return Post(channel, json.dumps(payload).encode(), events=sum(map(len, lists)))
