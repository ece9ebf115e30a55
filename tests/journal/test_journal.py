"""Frames as bytes, and the journals that keep them in memory."""

import types
import typing

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute import Channel, Customer, JournalError, MemoryJournal, Message, NullJournal
from omniroute import events as ev
from omniroute.journal import Codec, Entry, Frame, ImmediateJournal, Kind, subject_of
from omniroute.journal import codec as codecs
from omniroute.model import Attribute, UpdateKind

# --- any frame ----------------------------------------------------------------------------

text = st.text(max_size=8)
numbers = st.integers(-(2**40), 2**60)
LEAVES = {
    str: text,
    int: numbers,
    bool: st.booleans(),
    type(None): st.none(),
    dict[str, Attribute]: st.dictionaries(
        text, text | st.booleans() | numbers | st.lists(text, max_size=2).map(tuple), max_size=2
    ),
    dict[str, str]: st.dictionaries(text, text, max_size=2),
    dict[str, int]: st.dictionaries(text, st.integers(0, 10), max_size=2),
}


def values(kind):
    """Any value of an annotated type of the ground."""
    if kind in LEAVES:
        return LEAVES[kind]
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values(argument) for argument in arguments])
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        return st.builds(kind, **{field.name: values(field.type) for field in fields})
    return st.sampled_from(list(kind))


commands = st.deferred(lambda: values(ev.Command))
events = st.deferred(lambda: values(ev.Event))
entries = st.builds(
    Entry, command=commands, now_ms=numbers, events=st.lists(events, max_size=3).map(tuple)
)
frames = st.builds(
    Frame, first_seq=st.integers(1, 2**40), entries=st.lists(entries, max_size=3).map(tuple)
)


PLAIN = Codec()


def decode(body, codec=PLAIN, first_seq=1):
    return codec.decode(codecs.FORMAT, first_seq, body)


@given(frames)
def test_a_frame_comes_back_as_it_went(frame):
    assert decode(PLAIN.encode(frame), first_seq=frame.first_seq) == frame


messages = values(Message)


@given(messages, st.sampled_from(["queued", "rejected", "appended", "quarantined"]), text)
def test_the_message_of_a_command_is_written_once(message, outcome, reason):
    message = msgspec.structs.replace(message, text="written once")
    submit = ev.Submit(message, "q", 3, "x >= 1", "i1")
    quarantine = ev.Quarantine(message, reason, "i1")
    made = {
        "queued": (submit, ev.Queued(5, "i1", 1, message, "q", 3, "x >= 1")),
        "rejected": (submit, ev.Rejected(5, "i1", message, ev.RejectReason.QUEUE_FULL, "q")),
        "appended": (submit, ev.MessageAppended(5, "i1", message)),
        "quarantined": (quarantine, ev.Quarantined(5, "i1", message, reason)),
    }
    command, event = made[outcome]
    fired = ev.Expired(4, 1, "i0", "a")
    frame = Frame(1, (Entry(command, 5, (fired, event)),))
    data = PLAIN.encode(frame)
    assert decode(data) == frame
    assert data.count(b"written once") == 1


def test_a_message_that_no_event_repeats_stays_in_its_command():
    message = Message(channel=Channel.EMAIL, message_id="m", text="Hello")
    other = msgspec.structs.replace(message, text="Other")
    for event in (
        ev.Duplicate(5, "email", "m", "i1"),
        ev.Queued(5, "i1", 1, other, "q", 0),
    ):
        frame = Frame(1, (Entry(ev.Submit(message), 5, (event,)),))
        assert decode(PLAIN.encode(frame)) == frame


@given(frames, st.data())
def test_bytes_that_are_no_frame_are_a_journal_error(frame, data):
    good = PLAIN.encode(frame)
    cut = good[: data.draw(st.integers(0, len(good) - 1))]
    with pytest.raises(JournalError):
        decode(cut)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_frame_or_a_journal_error(noise):
    try:
        found = decode(noise)
    except JournalError:
        return
    assert isinstance(found, Frame)


@pytest.mark.parametrize("form", [0, 2, 255])
def test_a_format_of_another_release_is_refused(form):
    body = PLAIN.encode(Frame(1, ()))
    with pytest.raises(
        JournalError, match=f"format {form} is not known: this release reads 1 to 1"
    ):
        PLAIN.decode(form, 1, body)


def test_an_entry_without_a_command_is_refused():
    with pytest.raises(JournalError, match="cannot be read"):
        decode(b"\x92\x91\x94\x01\x90\xc0\xc0\x90")


def test_a_body_of_an_older_format_is_brought_up_to_date(monkeypatch):
    """As if this release wrote format 2, in which an entry's moment is not in seconds."""
    message = Message(channel=Channel.EMAIL, text="Hello")
    entry = Entry(ev.Submit(message), 5_000, (ev.Queued(5_000, "i1", 1, message, "q", 0),))
    old = msgspec.msgpack.decode(PLAIN.encode(Frame(1, (entry,))))
    old[0][0][0] = 5

    def upcast(body):
        return [[[moment * 1000, *rest] for moment, *rest in body[0]], body[1]]

    monkeypatch.setattr(codecs, "FORMAT", 2)
    monkeypatch.setitem(codecs.UPCASTERS, (Kind.FRAME, 1), upcast)
    assert PLAIN.decode(1, 1, msgspec.msgpack.encode(old)) == Frame(1, (entry,))


# --- sealed apart -------------------------------------------------------------------------


class ToyVault:
    """Hides nothing; keeps what it sealed until the subject's key is gone."""

    def __init__(self):
        self.kept = []

    def seal(self, subject, plain, context):
        self.kept.append((subject, plain, context))
        return b"%d" % (len(self.kept) - 1)

    def unseal(self, sealed, context):
        _, plain, belongs = self.kept[int(sealed)]
        if context != belongs:
            raise JournalError("altered")
        return plain

    def pseudonym(self, subject, value):
        return f"~{hash((subject, value)) % 10**8}"

    def destroy(self, subject):
        self.kept = [
            (kept[0], None if kept[0] == subject else kept[1], kept[2]) for kept in self.kept
        ]


@given(frames)
def test_a_sealed_frame_comes_back_as_it_went(frame):
    codec = Codec(ToyVault())
    assert decode(codec.encode(frame), codec, frame.first_seq) == frame


@given(messages, messages)
def test_what_is_personal_is_not_in_the_record_and_goes_with_the_key(message, other):
    secret = "what nobody else may read"
    customer = Customer(id=secret, name=secret)
    message = msgspec.structs.replace(
        message, customer=customer, text=secret, subject=secret, links=(secret,)
    )
    vault = ToyVault()
    codec = Codec(vault)
    entries = (
        Entry(ev.Submit(message), 1, (ev.Queued(1, "i1", 1, message, "q", 0),)),
        Entry(ev.Submit(message), 2, (ev.Duplicate(2, "chat", "m", "i1"),)),
        Entry(ev.Submit(other), 3, (ev.MessageAppended(3, "i1", other),)),
        Entry(ev.Update(message, UpdateKind.EDITED), 4, (ev.MessageEdited(4, "i1", message),)),
    )
    frame = Frame(1, entries)
    body = codec.encode(frame)
    assert secret.encode() not in body
    with pytest.raises(JournalError, match="sealed"):
        decode(body)
    if not other.customer.id or subject_of(other) == subject_of(message):
        return  # who is withheld in his interaction goes with him
    vault.destroy(subject_of(message))
    erased = decode(body, codec)
    assert erased.entries[2] == entries[2]
    for entry in erased.entries[:2]:
        assert entry.command.message.text == ""
        found = entry.command.message
        assert found.customer == Customer(vault.pseudonym(subject_of(message), secret))
        assert bool(found.thread_id) == bool(message.thread_id)
        assert found.to == message.to
    assert erased.next_seq == frame.next_seq


def test_a_sealed_snapshot_has_a_key_of_its_own():
    vault = ToyVault()
    codec = Codec(vault)
    body = memoryview(codec.encode_snapshot(7, "plan", b"state"))
    assert b"state" not in bytes(body)
    assert codec.decode_snapshot(codecs.FORMAT, 7, body) == ("plan", b"state")
    with pytest.raises(JournalError, match="sealed"):
        PLAIN.decode_snapshot(codecs.FORMAT, 7, body)
    vault.destroy("snapshots")
    with pytest.raises(JournalError, match="destroyed"):
        codec.decode_snapshot(codecs.FORMAT, 7, body)


def test_a_command_whose_message_is_nowhere():
    message = Message(channel=Channel.EMAIL, text="Hello")
    queued = ev.Queued(5, "i1", 1, message, "q", 0)
    expired = ev.Expired(4, 1, "i", "a")
    body = PLAIN.encode(Frame(1, (Entry(ev.Submit(message), 5, (expired, queued)),)))
    assert msgspec.msgpack.decode(body)[0][0][3] == 1
    for index in (0, 7):
        wire = msgspec.msgpack.decode(body)
        wire[0][0][3] = index
        with pytest.raises(JournalError):
            decode(msgspec.msgpack.encode(wire))


# --- memory -------------------------------------------------------------------------------


def frame_of(first_seq, *moments):
    return Frame(
        first_seq,
        tuple(Entry(ev.Tick(), at, (ev.Abandoned(at, "i1"),) if at else ()) for at in moments),
    )


def read(journal, *arguments):
    async def collect():
        return [frame async for frame in journal.read(*arguments)]

    return anyio.run(collect)


def test_frames_are_numbered_by_their_events():
    frame = frame_of(7, 1, 0, 2)
    assert frame.next_seq == 9
    assert [event.at_ms for event in frame.events] == [1, 2]


def test_a_memory_journal_gives_back_what_follows():
    journal = MemoryJournal()
    frames = [frame_of(1, 1, 2), frame_of(3), frame_of(3, 3), frame_of(4, 4, 5)]
    for frame in frames:
        journal.append_nowait(frame)
    anyio.run(journal.append, frame_of(6, 6))
    anyio.run(journal.aclose)
    frames.append(frame_of(6, 6))
    assert read(journal) == frames
    assert read(journal, 2) == frames
    assert read(journal, 3) == frames[1:]
    assert read(journal, 5) == frames[3:]
    assert read(journal, 6) == frames[4:]
    assert read(journal, 7) == []


@pytest.mark.parametrize("first_seq", [0, 1, 3, 4])
def test_a_memory_journal_refuses_a_frame_out_of_turn(first_seq):
    journal = MemoryJournal()
    journal.append_nowait(frame_of(1, 1))
    with pytest.raises(JournalError, match="expects 2"):
        journal.append_nowait(frame_of(first_seq, 1))
    assert journal.next_seq == 2


def test_a_memory_journal_with_a_limit_forgets_nothing():
    journal = MemoryJournal(max_events=3)
    journal.append_nowait(frame_of(1, 1, 2))
    with pytest.raises(JournalError, match="max_events is 3"):
        journal.append_nowait(frame_of(3, 3, 4))
    journal.append_nowait(frame_of(3, 3))
    assert len(journal.frames) == 2


def test_a_null_journal_keeps_nothing():
    journal = NullJournal()
    journal.append_nowait(frame_of(1, 1))
    anyio.run(journal.append, frame_of(9, 1))
    anyio.run(journal.aclose)
    assert read(journal) == []


def test_which_journals_are_immediate():
    class Disk:
        async def append(self, frame): ...
        def read(self, from_seq=1): ...
        async def aclose(self): ...

    assert isinstance(MemoryJournal(), ImmediateJournal)
    assert isinstance(NullJournal(), ImmediateJournal)
    assert not isinstance(Disk(), ImmediateJournal)
