"""Hostile input: every normaliser ends, with values or a PayloadError, and soon.

Nothing here is timed by the clock. The cost of Python code is counted in executed lines
instead: the same on every machine, and quadratic code shows at once.
"""

import json
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rows import NO_PAYLOADS, Row, every_row
from omniroute.channels import (
    CHANNELS,
    Email,
    WebhookRequest,
    adapter_named,
    canonical_name,
    visible_reply,
)
from omniroute.errors import PayloadError
from omniroute.model import Disposition, Inbound

FROM = b"From: a@example.org\nSubject: s\n"
HTML = FROM + b"Content-Type: text/html\n\n"
MIXED = FROM + b"Content-Type: multipart/mixed; boundary=b\n\n"


def nested(depth: int) -> bytes:
    opened = (
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth)
    )
    return FROM + b"".join(opened) + b"\nhi\n"


QUARANTINE, CREATE, APPEND = Disposition.QUARANTINE, Disposition.CREATE, Disposition.APPEND

#: A hostile mail of about `size` repetitions, and what it must become.
BOMBS = {
    "parts": (lambda n: MIXED + b"--b\n\nx\n" * n, 10_000, QUARANTINE),
    "depth": (nested, 900, QUARANTINE),
    "encoded words in 448 KB": (
        lambda n: FROM + b"X: " + b"=?utf-8?q?=41?=\n " * n + b"\n\nhi",
        32_000,
        QUARANTINE,
    ),
    "encoded words in one field": (
        lambda n: b"From: a@example.org\nSubject: " + b"=?x?q?a?= " * n + b"\n\nhi",
        20_000,
        CREATE,
    ),
    "broken encoded words": (
        lambda n: b"From: a@example.org\nSubject: " + b"=?" * n + b"\n\nhi",
        50_000,
        CREATE,
    ),
    "a header of 200 KB": (lambda n: FROM + b"X: " + b"x" * n + b"\n\nhi", 200_000, CREATE),
    "a header of 5 MB": (lambda n: FROM + b"X: y\n" * n + b"\nhi", 1_000_000, QUARANTINE),
    "many fields": (lambda n: FROM + b"X: y\n" * n + b"\nhi", 40_000, CREATE),
    "addresses": (lambda n: FROM + b"To: " + b"a@x, " * n + b"\n\nhi", 32_000, CREATE),
    "open brackets": (lambda n: b"From: " + b"<" * n + b"\n\nhi", 100_000, QUARANTINE),
    "open comments": (lambda n: b"From: " + b"(" * n + b"\n\nhi", 100_000, QUARANTINE),
    "open quotes": (lambda n: b"From: " + b'"' * n + b"\n\nhi", 100_001, QUARANTINE),
    "colons": (lambda n: b"From: a@x" + b":" * n + b"\n\nhi", 100_000, QUARANTINE),
    "references": (lambda n: FROM + b"References: " + b"<a@b> " * n + b"\n\nhi", 40_000, APPEND),
    "parameters": (
        lambda n: FROM + b"Content-Type: text/plain; " + b'a*0="\\;' * n + b"\n\nhi",
        30_000,
        CREATE,
    ),
    "blank lines": (lambda n: FROM + b" \n" * n, 500_000, QUARANTINE),
    "no header at all": (lambda n: b"foo\n" * n, 500_000, QUARANTINE),
    "boundaries": (lambda n: MIXED + b"--bb\n" * n, 200_000, CREATE),
    "open tags": (lambda n: HTML + b"<" * n, 200_000, CREATE),
    "nested tags": (lambda n: HTML + b"<div>" * n + b"x", 100_000, CREATE),
    "unclosed titles": (lambda n: HTML + b"<title>" * n, 50_000, CREATE),
    "unclosed values": (lambda n: HTML + b"<a href='" * n, 50_000, CREATE),
    "unclosed comments": (lambda n: HTML + b"<!--" * n, 100_000, CREATE),
    "quotations": (lambda n: HTML + b"<blockquote>x" * n, 30_000, CREATE),
    "links": (lambda n: FROM + b"\n" + b"http://x)))))))))" * n, 50_000, CREATE),
    "uuencoded": (
        lambda n: FROM + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 6 x\n" + b"#0V%T\n" * n,
        200_000,
        CREATE,
    ),
}


class Lines:
    """Counts the lines of omniroute that run."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def _call(self, frame, event, argument):
        inside = "omniroute" in frame.f_code.co_filename
        frame.f_trace_lines = inside
        return self._line if inside else None

    def _line(self, frame, event, argument):
        self.count += 1
        return self._line


def cost(raw: bytes) -> int:
    with Lines() as lines:
        Email().read(raw)
    return lines.count


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_mail_becomes_a_value(name):
    make, size, disposition = BOMBS[name]
    found = Email().read(make(size))
    assert found.disposition is disposition
    assert found.message.message_id
    assert len(found.message.text) <= 1_000_000


@pytest.mark.parametrize("name", BOMBS)
def test_the_cost_of_a_hostile_mail_grows_no_faster_than_the_mail(name):
    make, size, _ = BOMBS[name]
    size = min(size, 8_000)
    small, large = cost(make(size // 4)), cost(make(size))
    assert large < 6 * small + 20_000


@pytest.mark.parametrize("name", ["parts", "open tags", "uuencoded", "many fields", "addresses"])
def test_the_memory_for_a_hostile_mail_has_a_bound(name):
    make, size, _ = BOMBS[name]
    raw = make(size)
    tracemalloc.start()
    try:
        Email().read(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(raw) + 5_000_000


@pytest.mark.parametrize(
    "charset", ["utf-7", "utf-16", "punycode", "idna", "zlib", "hz", "big5", "nonsense", "\udc80"]
)
def test_any_bytes_in_any_charset_become_text(charset):
    head = f"From: a@x\nContent-Type: text/plain; charset={charset}\n\n".encode("utf-8", "replace")
    for body in (bytes(range(256)) * 40, b"+AAA-" * 1000, b"\x1b$B" * 1000, b"~{" * 1000):
        found = Email().read(head + body)
        assert found.disposition is CREATE
        assert "\0" not in found.message.text.encode().decode()


SLOW_REPLIES = [
    "On ",
    "On 1.1. \n",
    "On Mon 1.1. wrote\n",
    "--\n",
    "--\n\n",
    "From: x\n",
    ">\n",
    "_",
]


@pytest.mark.parametrize("pattern", SLOW_REPLIES)
def test_the_visible_reply_is_found_in_linear_time(pattern):
    def lines(count):
        with Lines() as counted:
            visible_reply(pattern * count)
        return counted.count

    assert lines(4_000) < 6 * lines(1_000) + 1_000


# --- mutations --------------------------------------------------------------------------

SEEDS = [row for row in every_row() if row.channel not in NO_PAYLOADS and len(row.raw) < 6_000]


def seeds_of(name: str) -> list[Row]:
    """The recorded inputs that a channel reads."""
    return [row for row in SEEDS if canonical_name(row.channel) == name]


@st.composite
def mutated(draw, channel):
    """A recorded input with bytes changed, cut out, doubled, or spliced in from another."""
    row: Row = draw(st.sampled_from(seeds_of(channel)))
    raw = bytearray(row.raw)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(raw)))
        end = min(at + draw(st.integers(0, 60)), len(raw))
        how = draw(st.sampled_from(["change", "cut", "double", "splice", "insert"]))
        if how == "change":
            raw[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif how == "cut":
            del raw[at:end]
        elif how == "double":
            raw[at:at] = raw[at:end] * draw(st.integers(1, 20))
        elif how == "splice":
            other = draw(st.sampled_from(SEEDS)).raw
            start = draw(st.integers(0, len(other)))
            raw[at:end] = other[start : start + 200]
        else:
            raw[at:at] = draw(
                st.sampled_from([b"\n\n", b"\0", b'"', b"<", b"=?", b"\xff", b"--b", b"{", b"\r"])
            )
    return bytes(raw)


def judge(channel: str, raw: bytes) -> None:
    """Values or a PayloadError; the values are whole, storable and the same every time."""
    import msgspec

    request = WebhookRequest(body=raw)
    try:
        events = adapter_named(channel).normalize(request)
    except PayloadError:
        return
    for event in events:
        assert isinstance(event, Inbound)
        if event.disposition in {Disposition.CREATE, Disposition.APPEND}:
            assert event.message.thread_id
            assert event.message.message_id
        else:
            assert event.reason or event.update or event.disposition is Disposition.STATUS
        assert msgspec.json.decode(msgspec.json.encode(event), type=Inbound) == event
    assert adapter_named(channel).normalize(request) == events


@pytest.mark.parametrize("channel", [name for name in CHANNELS if seeds_of(name)])
@given(data=st.data())
def test_mutated_inputs_become_values_or_a_payload_error(channel, data):
    judge(channel, data.draw(mutated(channel)))


def test_every_channel_has_inputs_to_mutate():
    assert not [name for name in CHANNELS if not seeds_of(name)]


@given(st.sampled_from(sorted(CHANNELS)), st.binary(max_size=300))
def test_any_bytes_become_values_or_a_payload_error(channel, raw):
    judge(channel, raw)


def places(value, path=()):
    """Every place in a JSON value, as the keys that lead there."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*path, key))


def changed(value, path, new):
    """The JSON value with another one in one place."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def documents_of(name: str) -> list[object]:
    """The recorded inputs of a channel that are JSON."""
    found = []
    for row in seeds_of(name):
        try:
            found.append(json.loads(row.raw))
        except ValueError:
            continue
    return found


WORDS = [
    "",
    "x",
    "\ud800",
    "\0",
    "9" * 5000,
    "<a href='http://x'>",
    "1e999",
    "2024-13-45T99:99:99Z",
]
NUMBERS = [None, True, 0, -1, 2**70, -1.5, 1e308]
NESTED = [[], {}, [{}], [[]], {"id": {}}, [1, "a", None], [None] * 3]
ODD = st.sampled_from([*WORDS, *NUMBERS, *NESTED])


@pytest.mark.parametrize("channel", [name for name in CHANNELS if documents_of(name)])
@given(data=st.data())
def test_any_value_in_any_place_of_a_document_becomes_values(channel, data):
    document = data.draw(st.sampled_from(documents_of(channel)))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(document))))
        document = changed(document, path, data.draw(ODD))
    judge(channel, json.dumps(document).encode())


KEYS = [
    "id",
    "sender",
    "recipient",
    "message",
    "text",
    "mid",
    "attachments",
    "type",
    "payload",
    "url",
    "from",
    "item",
    "verb",
    "comment_id",
    "post_id",
    "parent_id",
    "created_time",
    "field",
    "value",
    "timestamp",
    "postback",
    "title",
    "reaction",
    "read",
    "coordinates",
    "lat",
    "quick_reply",
    "reply_to",
    "photos",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=3), st.lists(JSON, max_size=3), JSON)
def test_any_json_in_the_place_of_events_becomes_values(messaging, changes, value):
    changes = [*changes, {"field": "feed", "value": value}]
    entry = {"id": "1", "messaging": messaging, "changes": changes, "standby": messaging}
    judge("messenger", json.dumps({"object": "page", "entry": [entry]}).encode())
