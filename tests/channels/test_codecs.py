"""The wire formats of telephone switches: however the bytes are cut, the same comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.channels.ami import AmiDecoder
from omniroute.channels.esl import EslDecoder, EslFrame, event_of, event_of_json
from omniroute.channels.netstring import NetstringDecoder, netstring
from omniroute.channels.sip_message import SipAddress, addresses, parse
from omniroute.errors import PayloadError


def fed(decoder, chunks):
    """What comes out, and whether it ended in a refusal."""
    found = []
    for chunk in chunks:
        try:
            found += decoder.feed(chunk)
        except PayloadError:
            return found, True
    return found, False


@st.composite
def cut(draw, streams):
    """A stream, and the same stream in pieces."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    ends = [*cuts, len(stream)]
    return stream, [stream[start:end] for start, end in zip([0, *cuts], ends, strict=True)]


def bytewise(stream):
    return [stream[n : n + 1] for n in range(len(stream))]


# --- netstrings -------------------------------------------------------------------------

PAYLOADS = st.lists(st.binary(max_size=40), max_size=6)
NETSTRINGS = PAYLOADS.map(lambda payloads: b"".join(map(netstring, payloads)))


@given(PAYLOADS)
def test_netstrings_give_back_what_was_put_in(payloads):
    decoder = NetstringDecoder()
    stream = b"".join(map(netstring, payloads))
    assert decoder.feed(stream) == payloads
    assert decoder.pending == 0


@given(cut(NETSTRINGS | st.binary(max_size=60)))
def test_netstrings_are_the_same_however_the_bytes_are_cut(case):
    stream, pieces = case
    whole, refused = fed(NetstringDecoder(), [stream])
    for chunks in (pieces, bytewise(stream)):
        found, also_refused = fed(NetstringDecoder(), chunks)
        assert also_refused == refused
        # A refusal loses what stood before it in the same piece, and nothing else.
        assert found[: len(whole)] == whole if refused else found == whole


@pytest.mark.parametrize(
    "stream", [b":,", b"x", b"-1:,", b"1x:a,", b"3:abc;", b"99999999999:", b"1048577:", b"0x1:a,"]
)
def test_what_is_no_netstring_is_refused_at_once(stream):
    with pytest.raises(PayloadError):
        NetstringDecoder().feed(stream)


def test_blanks_between_netstrings_are_skipped():
    assert NetstringDecoder().feed(b"\n1:a,\r\n 0:,\n") == [b"a", b""]


def test_an_announced_length_costs_nothing():
    decoder = NetstringDecoder(limit_bytes=100)
    with pytest.raises(PayloadError, match="limit"):
        decoder.feed(b"101:")


# --- FreeSWITCH -------------------------------------------------------------------------

TEXTS = st.text("abcXYZ-%/ 0123", max_size=12)
HEADERS = st.lists(
    st.tuples(st.sampled_from(["Event-Name", "Core-UUID", "X"]), TEXTS), min_size=1, max_size=5
)


def frame(headers, body=b""):
    lines = [f"{name}: {value}\n" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}\n")
    return "".join(lines).encode() + b"\n" + body


FRAMES = st.lists(st.tuples(HEADERS, st.binary(max_size=30)), max_size=4)


@given(FRAMES)
def test_frames_give_back_what_was_put_in(frames):
    stream = b"".join(frame(*one) for one in frames)
    found = EslDecoder().feed(stream)
    assert [one.body for one in found] == [body for _, body in frames]
    for one, (headers, _) in zip(found, frames, strict=True):
        kept = [(name, value.strip()) for name, value in headers]
        assert [pair for pair in one.headers if pair[0] != "Content-Length"] == kept


@given(
    cut(FRAMES.map(lambda frames: b"".join(frame(*one) for one in frames)) | st.binary(max_size=60))
)
def test_frames_are_the_same_however_the_bytes_are_cut(case):
    stream, pieces = case
    whole, refused = fed(EslDecoder(), [stream])
    for chunks in (pieces, bytewise(stream)):
        found, also_refused = fed(EslDecoder(), chunks)
        assert also_refused == refused
        assert found[: len(whole)] == whole if refused else found == whole


def test_an_event_in_a_frame_is_decoded_and_the_first_of_repeated_headers_counts():
    inner = frame(
        [("Event-Name", "A%2BB"), ("Hangup-Cause", "first"), ("hangup-cause", "second")], b"inside"
    )
    [outer] = EslDecoder().feed(frame([("Content-Type", "text/event-plain")], inner))
    event = event_of(outer)
    assert event.get("event-name") == "A+B"
    assert event.get("Missing", "Hangup-Cause") == "first"
    assert event.body == "inside"


def test_an_event_as_json():
    event = event_of_json(b'{"Event-Name": "A", "n": 7, "Several": ["x", "y"], "_body": "inside"}')
    assert (event.get("Event-Name"), event.get("N"), event.get("several")) == ("A", "7", "x")
    assert event.body == "inside"


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", "4194305", "1 2", "٣"])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(PayloadError):
        EslDecoder().feed(f"Content-Length: {length}\n\n".encode())


def test_leading_and_double_blank_lines_are_no_frames():
    stream = b"\r\n\n" + frame([("X", "1")]) + b"\n\n\r\n" + frame([("X", "2")])
    for chunks in ([stream], bytewise(stream)):
        found, _ = fed(EslDecoder(), chunks)
        assert [one.get("X") for one in found] == ["1", "2"]


def test_endless_headers_are_refused():
    with pytest.raises(PayloadError):
        EslDecoder().feed(b"a" * 300_000)


def test_a_frame_that_holds_no_event_says_so():
    with pytest.raises(PayloadError):
        event_of(EslFrame((("Content-Type", "text/event-plain"),), b"nothing"))
    assert event_of(EslFrame((("Content-Type", "command/reply"),))) is None


# --- Asterisk ---------------------------------------------------------------------------

KEYS = st.text("abcXYZ", min_size=1, max_size=6)
BLOCKS = st.lists(st.lists(st.tuples(KEYS, TEXTS), min_size=1, max_size=5), max_size=4)


def ami(blocks):
    return b"".join(
        "".join(f"{key}: {value}\r\n" for key, value in block).encode() + b"\r\n"
        for block in blocks
    )


@given(BLOCKS)
def test_blocks_give_back_what_was_put_in(blocks):
    found = AmiDecoder().feed(ami(blocks))
    kept = [tuple((key, value.strip()) for key, value in block) for block in blocks]
    assert [block.fields for block in found] == kept


@given(cut(BLOCKS.map(ami) | st.binary(max_size=60)))
def test_blocks_are_the_same_however_the_bytes_are_cut(case):
    stream, pieces = case
    whole = AmiDecoder()
    expected = whole.feed(stream), whole.close()
    for chunks in (pieces, bytewise(stream)):
        decoder = AmiDecoder()
        assert (fed(decoder, chunks)[0], decoder.close()) == expected


def test_repeated_keys_survive_and_lines_without_a_colon_do_not_matter():
    stream = b"Asterisk Call Manager/5.0\r\nEvent: X\r\nFrom 1.2.3.4\r\nChanVariable: a\r\nchanvariable: b\r\n\r\n"
    [block] = AmiDecoder().feed(stream)
    assert block.get("event") == "X"
    assert block.values("ChanVariable") == ["a", "b"]


def test_an_endless_block_is_refused():
    for stream in (b"a" * 300_000, b"a: b\n" * 60_000):
        with pytest.raises(PayloadError):
            AmiDecoder().feed(stream)


# --- SIP --------------------------------------------------------------------------------

FULL = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nFrom: <sip:+49300001001@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 7@c\r\nSubject: two words\r\n\r\nbody"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Call-ID:", b"i:"),
        (b"From:", b"f :"),
        (b"To:", b"t:"),
        (b"Via:", b"V\t:"),
        (b"Subject:", b"sUbJeCt:"),
        (b"two words", b"two\r\n words"),
        (b"two words", b"\r\n\ttwo \r\n  words"),
        (b"\r\n", b"\n"),
        (b"INVITE sip:a@b", b"\r\n\r\ninvite  sip:a@b"),
    ],
)
def test_other_spellings_of_a_message_mean_the_same(old, new):
    assert parse(FULL.replace(old, new)) == parse(FULL)


def test_a_message_may_end_with_its_headers():
    assert parse(FULL.partition(b"\r\n\r\n")[0]).headers == parse(FULL).headers


@given(
    st.lists(
        st.sampled_from(
            [b"\r\n", b"\n", b" ", b":", b"<", b'"', b"i", b"tag=", b";", b",", b"\xff"]
        )
    )
)
def test_any_tail_parses(pieces):
    message = parse(b"BYE sip:a@b SIP/2.0\r\n" + b"".join(pieces))
    assert message.method == "BYE"
    message.addresses("call-id")


ADDRESSES = [
    ("<sip:a@b>", [SipAddress("", "sip:a@b", {})]),
    ("sip:a@b;tag=1", [SipAddress("", "sip:a@b", {"tag": "1"})]),
    (
        '"A, \\"B\\" <x>" <sip:a@b;p=1>;Tag = 1',
        [SipAddress('A, "B" <x>', "sip:a@b;p=1", {"tag": "1"})],
    ),
    ("Eva  Meier <tel:+4930>", [SipAddress("Eva Meier", "tel:+4930", {})]),
    ("<sip:a@b>, <tel:+49>", [SipAddress("", "sip:a@b", {}), SipAddress("", "tel:+49", {})]),
    ('"open <sip:a@b>', [SipAddress('"open', "sip:a@b", {})]),
    ("", []),
    ("nothing", []),
    (",,,;;;<<<>>>", []),
]


@pytest.mark.parametrize(("value", "expected"), ADDRESSES)
def test_addresses(value, expected):
    assert addresses(value) == expected


PARTS = [
    ("sip:+4930;phone-context=x@B.example:5060;user=phone", "+4930", "b.example"),
    ("sip:b.example", "", "b.example"),
    ("sip:a%2Bb:secret@b?x=y", "a+b", "b"),
    ("tel:+49-30;ext=1", "+49-30", "+49-30"),
    ("sips:a@[::1]:5061", "a", "[::1]:5061"),
]


@pytest.mark.parametrize(("uri", "user", "host"), PARTS)
def test_the_parts_of_a_uri(uri, user, host):
    address = SipAddress("", uri, {})
    assert (address.user, address.host) == (user, host)


def test_a_parameter_inside_a_uri():
    address = SipAddress("", "sip:+49@b;verstat=TN-Validation-Passed;x", {})
    assert address.uri_parameter("verstat") == "TN-Validation-Passed"
    assert address.uri_parameter("x") == address.uri_parameter("y") == ""


@pytest.mark.parametrize(
    "raw", [b"", b"GET / HTTP/1.1", b"SIP/2.0 OK", b"INVITE sip:a@b", b"\0" * 9]
)
def test_what_is_no_sip_is_refused(raw):
    with pytest.raises(PayloadError):
        parse(raw)


@pytest.mark.parametrize(
    "value", ['"' + '\\"' * 20_000, '"' * 40_001, "<" * 40_000, "," * 40_000, ";" * 40_000]
)
def test_a_hostile_address_costs_no_more_than_its_length(value):
    import sys

    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        addresses(value)
    finally:
        sys.settrace(before)
    assert lines < 20 * len(value)
