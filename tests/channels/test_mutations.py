"""Every parser and a great many broken inputs: it ends, in bounds, with values or its own error.

Hypothesis (`test_hostile`) looks for the smallest input that fails; here it is the number that
counts. Each recorded input is mutated at random, cheaply and repeatably: the name of the parser
and a number make the input, so a failure names its input. A few hundred for each parser in
`make test`, 100,000 in `make soak`.

Bounds hold without a clock: the values are no larger than a multiple of the input, and of some
inputs the executed lines and the peak of the memory are counted.
"""

import contextlib
import json
import os
import random
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
import pytest

from channels.rows import rows
from channels.test_hostile import NESTED, NUMBERS, SEEDS, WORDS, Lines, changed, places, seeds_of
from omniroute.channels import (
    CHANNELS,
    GoogleChat,
    Secrets,
    Teams,
    Vonage,
    WebhookRequest,
    visible_reply,
)
from omniroute.channels.ami import AmiDecoder
from omniroute.channels.esl import EslDecoder
from omniroute.channels.html_text import html_links, html_to_text
from omniroute.channels.jwt_rs256 import key_id_of
from omniroute.channels.netstring import NetstringDecoder
from omniroute.channels.quarantine import keep
from omniroute.errors import PayloadError, SignatureError
from omniroute.model import Disposition

COUNT = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 200
#: Of every so many inputs the cost is counted, which is slow.
SAMPLED = 500 if COUNT > 1000 else 50

#: The largest values that one input may become, in bytes: a factor and a constant.
VALUES = (40, 8_192)
#: The lines that may be executed, and the peak of the memory.
LINES = (120, 12_000)
MEMORY = (100, 1_000_000)

TOKENS = [
    *(b"\0", b"\r\n", b"\n\n", b"\xff\xfe", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\\ud800"),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"-1", b"1e999", b"9" * 400),
    *(b'{"":' * 40, b"[" * 60, b"<" * 60, b"<a href='", b"<!--", b"&#x110000;", b"&" * 30),
    *(b"=?utf-8?q?=", b"--", b"Content-Type: multipart/mixed; boundary=b\n", b"%00", b"%", b"+"),
    *(b"&From=x&From=y", b";", b"<sip:", b"@", b"sip:anonymous@anonymous.invalid", b"99:", b"0:,"),
    *(b"2024-13-45T99:99:99Z", b"1970-01-01T00:00:00+99:99", b"0001-01-01T00:00:00+23:59"),
]


def overwrite(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    raw[at : at + 1] = bytes([dice.randrange(256)])


def flip(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    if at < len(raw):
        raw[at] ^= 1 << dice.randrange(8)


def cut(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    del raw[at:end]


def repeat(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    raw[at:at] = raw[at:end] * dice.randrange(1, 16)


def move(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    part = raw[at:end]
    del raw[at:end]
    to = dice.randrange(len(raw) + 1)
    raw[to:to] = part


def insert(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    raw[at:at] = dice.choice(TOKENS)


def replace(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    raw[at:end] = dice.choice(TOKENS)


def splice(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    other = dice.choice(SEEDS).raw
    start = dice.randrange(len(other) + 1)
    raw[at:end] = other[start : start + dice.randrange(300)]


def truncate(dice: random.Random, raw: bytearray, at: int, end: int) -> None:
    del raw[at:]


MUTATIONS = [overwrite, flip, cut, repeat, move, insert, replace, splice]


ODD = [*WORDS, *NUMBERS, *NESTED]


class Document(NamedTuple):
    """A recorded input that is JSON, and every place in it."""

    value: object
    places: list[tuple[str | int, ...]]


def document(raw: bytes) -> Document | None:
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return Document(value, list(places(value)))


def odd_document(dice: random.Random, found: Document) -> bytes:
    """The document with odd values, or those of other places, in some of its places."""
    value = found.value
    for _ in range(dice.choice((1, 1, 2, 3))):
        path = dice.choice(found.places)
        new = dice.choice(ODD)
        if dice.random() < 0.3:
            new = found.value
            for key in dice.choice(found.places):
                new = new[key]
        try:
            value = changed(value, path, new)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change took the place away
    return json.dumps(value).encode()


def mutant(name: str, number: int, seeds: list[bytes]) -> bytes:
    """The input of that number: always the same one."""
    dice = random.Random(f"{name} {number}")
    seed = dice.choice(seeds)
    found = DOCUMENTS.get(seed)
    if found is not None and dice.random() < 0.6:
        return odd_document(dice, found)
    raw = bytearray(seed)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        at = dice.randrange(len(raw) + 1)
        dice.choice(MUTATIONS)(dice, raw, at, at + dice.randrange(80))
    if dice.random() < 0.05:
        truncate(dice, raw, dice.randrange(len(raw) + 1), 0)
    return bytes(raw)


class Parser(NamedTuple):
    """What reads, what it is fed with, and how its values are judged."""

    name: str
    seeds: list[bytes]
    read: Callable[[bytes], object]
    judge: Callable[[bytes, object], None]


ROUTED = {Disposition.CREATE, Disposition.APPEND}


def events_are_whole(raw: bytes, events: object) -> None:
    """They can be recorded and read back; what is routed has its ids, the rest its reason."""
    for event in events:
        if event.disposition in ROUTED:
            assert event.message.thread_id
            assert event.message.message_id
        else:
            assert event.reason or event.update or event.disposition is Disposition.STATUS
    written = msgspec.msgpack.encode(events)
    assert msgspec.msgpack.decode(written, type=list[type(events[0])] if events else list) == events
    assert len(written) <= VALUES[0] * len(raw) + VALUES[1]


def text_is_bounded(raw: bytes, text: object) -> None:
    assert len(msgspec.msgpack.encode(text)) <= VALUES[0] * len(raw) + VALUES[1]


def channel_parser(name: str) -> Parser:
    """A channel: its check, its proof and its normaliser."""
    adapter = CHANNELS[name]
    secrets = Secrets("secret", verify_token="token")

    def read(raw: bytes) -> object:
        request = WebhookRequest(body=raw, received_at_ms=1_700_000_000_000)
        for step in (adapter.handshake, adapter.verify):
            try:
                step(request, secrets)
            except SignatureError:
                continue
        return adapter.normalize(request)

    return Parser(name, [row.raw for row in seeds_of(name)], read, events_are_whole)


def in_pieces(decoder: Callable[[], object]) -> Callable[[bytes], object]:
    """A stream that comes in two pieces."""

    def read(raw: bytes) -> object:
        made = decoder()
        half = len(raw) // 3
        return [list(made.feed(raw[:half])), list(made.feed(raw[half:]))]

    return read


def contents(*channels: str) -> list[bytes]:
    return [row.raw for row in rows(*channels) if len(row.raw) < 6_000]


def ignore_kind(raw: bytes, values: object) -> None:
    assert len(repr(values)) <= VALUES[0] * len(raw) + VALUES[1]


DOCUMENTS = {row.raw: found for row in SEEDS if (found := document(row.raw)) is not None}
URLS = [
    b"https://u:p@centre.example:443/in/matrix/_matrix/app/v1/transactions/t%2F1?access_token=s",
    b"https://centre.example/users/@a:x?hub.mode=subscribe&hub.verify_token=t&hub.challenge=1",
    b"https://[::1]:8080/v?msisdn=4477&to=44&messageId=1&text=a+b&sig=0&timestamp=1&crc_token=x",
    b"http://x.example/conversation/7/messages?idConversation=7&bodySHA256=00&challengeCode=c",
]
TOKENS_OF_OTHERS = [
    b"Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3MDAwMDAwMDB9.c2lnbmF0dXJl",
    b"Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJhdWQiOiJhcHAiLCJleHAiOjE3MDAwMDAwMDB9.c2ln",
    b'keyId="https://s.example/a#k",headers="(request-target) host date digest",signature="c2ln"',
    b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    b"Mon, 01 Jan 2024 00:00:00 GMT, SHA-256=c2ln, 1700000000",
]
HEADERS = (
    *("Authorization", "Signature", "Digest", "Date", "X-Hub-Signature", "X-Signature-Ed25519"),
    *("X-Slack-Request-Timestamp", "X-Slack-Signature", "Telnyx-Timestamp", "X-Zendesk-Webhook"),
    *("Telnyx-Signature-Ed25519", "X-Plivo-Signature-V3", "X-Omniroute-Timestamp", "Content-Type"),
)


def everywhere(requests: Callable[[str], list[WebhookRequest]]) -> Callable[[bytes], object]:
    """Every channel with each of the requests: its check, its proof, its normaliser."""
    secrets = Secrets(["secret", "-----BEGIN PUBLIC KEY-----\nAAAA"], verify_token="token")
    adapters = [Teams(app_id="app"), GoogleChat(audience="app"), Vonage(sms_signature="md5")]

    def read(raw: bytes) -> object:
        for request in requests(raw.decode("latin-1")):
            for adapter in (*CHANNELS.values(), *adapters):
                for step in (adapter.handshake, adapter.verify):
                    with contextlib.suppress(SignatureError):
                        step(request, secrets)
                with contextlib.suppress(PayloadError):
                    keep(adapter.normalize(request), adapter.name, request)
            key_id_of(request)
        return None

    return read


def at_url(url: str) -> list[WebhookRequest]:
    return [
        WebhookRequest(method=method, url=url, body=b"{}", received_at_ms=1_700_000_000_000)
        for method in ("GET", "POST")
    ]


def with_header(value: str) -> list[WebhookRequest]:
    headers = dict.fromkeys(HEADERS, value)
    return [WebhookRequest(headers=headers, body=b"{}", received_at_ms=1_700_000_000_000)]


def nothing_to_judge(raw: bytes, values: object) -> None:
    """It ended."""


PAGES = [raw for raw in contents("email") if b"<html" in raw.lower() or b"<div" in raw.lower()]
PARSERS = [
    *map(channel_parser, CHANNELS),
    Parser(
        "visible_reply",
        contents("email_reply_text"),
        lambda raw: visible_reply(raw.decode("utf-8", "replace")),
        text_is_bounded,
    ),
    Parser(
        "html_to_text",
        PAGES,
        lambda raw: [
            html_to_text(raw.decode("utf-8", "replace"), 100_000),
            list(html_links(raw.decode("utf-8", "replace"))),
        ],
        text_is_bounded,
    ),
    Parser("every URL", URLS, everywhere(at_url), nothing_to_judge),
    Parser("every header", TOKENS_OF_OTHERS, everywhere(with_header), nothing_to_judge),
    Parser("netstring", contents("kamailio"), in_pieces(NetstringDecoder), ignore_kind),
    Parser("ami", contents("asterisk_ami"), in_pieces(AmiDecoder), ignore_kind),
    Parser("esl", contents("freeswitch"), in_pieces(EslDecoder), ignore_kind),
]


def within(count: int, bound: tuple[int, int], raw: bytes) -> bool:
    return count <= bound[0] * len(raw) + bound[1]


def count_cost(parser: Parser, raw: bytes) -> None:
    """The same input again, under the two counters."""
    with Lines() as lines:
        quietly(parser, raw)
    many = len(CHANNELS) if parser.name.startswith("every ") else 1
    assert within(lines.count, LINES, raw * many), f"{lines.count} lines for {len(raw)} bytes"
    tracemalloc.start()
    try:
        quietly(parser, raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert within(peak, MEMORY, raw), f"a peak of {peak} bytes for {len(raw)} bytes"


def quietly(parser: Parser, raw: bytes) -> object:
    try:
        return parser.read(raw)
    except PayloadError as error:
        return str(error)


def inputs(parser: Parser, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    for number in numbers:
        yield number, mutant(parser.name, number, parser.seeds)


@pytest.mark.mutation
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_survives_its_mutated_inputs(parser):
    for number, raw in inputs(parser, range(COUNT)):
        try:
            try:
                values = parser.read(raw)
            except PayloadError as error:
                assert str(error)  # noqa: PT017 - the error is one of the two good ends
            else:
                parser.judge(raw, values)
            if number % SAMPLED == 0:
                count_cost(parser, raw)
        except Exception as error:
            error.add_note(f"mutant {number} of {parser.name}: {raw!r:.2000}")
            raise


def test_the_same_number_makes_the_same_input():
    first = [mutant("email", number, [b"abc" * 9]) for number in range(20)]
    assert first == [mutant("email", number, [b"abc" * 9]) for number in range(20)]
    assert len(set(first)) > 15
