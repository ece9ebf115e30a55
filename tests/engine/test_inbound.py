"""What providers bring twice, late and out of order leaves the same interactions; loops end."""

from __future__ import annotations

import itertools
from collections import OrderedDict, defaultdict

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from omniroute import events as ev
from omniroute.engine import Engine, command_of
from omniroute.engine.seen import Seen
from omniroute.engine.senders import senders
from omniroute.errors import CommandError
from omniroute.events import NotApplied, RejectReason
from omniroute.model import (
    Address,
    AddressKind,
    Agent,
    Attachment,
    Attribute,
    Channel,
    Customer,
    Disposition,
    Inbound,
    Interaction,
    InteractionState,
    Message,
    UpdateKind,
)
from omniroute.plan import (
    DispositionPolicy,
    Identity,
    Limits,
    Plan,
    Queue,
    SenderRate,
    TriageRule,
    WrapUp,
    WrapUpKind,
)
from omniroute.simulation import Auditor

_Q = Queue(name="q")
_ALL = TriageRule(queue="q")


def plan(**given: object) -> Plan:
    return Plan(queues=[_Q], triage=[_ALL], **given)  # type: ignore[arg-type]


class Door:
    """An engine that takes provider's events, watched by an auditor."""

    def __init__(self, the_plan: Plan) -> None:
        self.plan = the_plan
        self.engine = Engine(the_plan)
        self.auditor = Auditor(the_plan)
        self.events: list[ev.Event] = []

    def send(self, command: ev.Command, now_ms: int) -> list[ev.Event]:
        found = self.engine.receive(command, now_ms)
        self.auditor.audit(found)
        self.auditor.at_rest(now_ms)
        self.events += found
        return found

    def deliver(self, inbound: Inbound, now_ms: int) -> list[ev.Event]:
        command = command_of(self.plan, inbound)
        return [] if command is None else self.send(command, now_ms)

    def restart(self, *, from_snapshot: bool) -> None:
        """Recovered from the journal, or from a snapshot."""
        before = self.engine.snapshot()
        if from_snapshot:
            self.engine = Engine.restore(self.plan, before)
        else:
            self.engine = Engine(self.plan)
            for event in self.events:
                self.engine.apply(event)
        assert self.engine.snapshot() == before


def said(number: int, text: str = "Hello", **given: object) -> Message:
    fields: dict[str, object] = {"channel": Channel.TELEGRAM, "thread_id": "t"}
    fields |= {"message_id": f"m{number}", "text": text} | given
    return Message(**fields)  # type: ignore[arg-type]


def create(message: Message, delivery_id: str | None = None) -> Inbound:
    return Inbound(disposition=Disposition.CREATE, message=message, delivery_id=delivery_id)


def update(kind: UpdateKind, message: Message, delivery_id: str | None = None) -> Inbound:
    return Inbound(
        disposition=Disposition.UPDATE, update=kind, message=message, delivery_id=delivery_id
    )


# --- repeats ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["journal", "snapshot"])
@pytest.mark.parametrize(
    ("first", "second", "told_by"),
    [
        (create(said(1), "d1"), create(said(1), "d2"), "message"),
        (create(said(1), "d1"), create(said(2), "d1"), "delivery"),
        (
            create(said(1, message_id=None), "d1"),
            create(said(1, message_id=None), "d1"),
            "delivery",
        ),
    ],
)
def test_a_repeat_is_told_by_either_id_also_after_a_restart(
    first: Inbound, second: Inbound, told_by: str, way: str
) -> None:
    door = Door(plan())
    door.deliver(first, 1)
    door.restart(from_snapshot=way == "snapshot")
    (found,) = door.deliver(second, 2)
    assert isinstance(found, ev.Duplicate)
    assert found.interaction_id == "i1"
    assert (found.delivery_key is not None) is (told_by == "delivery")


def test_one_delivery_brings_messages_of_several_threads() -> None:
    door = Door(plan())
    for number in range(3):
        door.deliver(create(said(number, thread_id=f"t{number}"), "post-7"), 1)
    assert [event.interaction_id for event in door.events if isinstance(event, ev.Queued)] == [
        "i1",
        "i2",
        "i3",
    ]


def test_a_delivery_is_forgotten_after_the_dedupe_time() -> None:
    door = Door(plan(limits=Limits(dedupe_ms=100)))
    door.deliver(create(said(1, message_id=None), "d"), 0)
    again = create(said(1, message_id=None), "d")
    assert isinstance(door.deliver(again, 100)[0], ev.Duplicate)
    assert isinstance(door.deliver(again, 101)[0], ev.MessageAppended)


def test_a_refused_delivery_may_come_again() -> None:
    full = Plan(queues=[Queue(name="q", max_waiting=1)], triage=[_ALL])
    door = Door(full)
    door.deliver(create(said(1, thread_id="a")), 0)
    assert isinstance(door.deliver(create(said(2, thread_id="b"), "d"), 1)[0], ev.Rejected)
    door.send(ev.Cancel("i1"), 2)
    assert isinstance(door.deliver(create(said(2, thread_id="b"), "d"), 3)[0], ev.Queued)


_THREADS = ("a", "b")
_SENDERS = (Customer(), Customer(id="c1"), Customer(id="c2"))


@st.composite
def inbounds(draw: st.DrawFn) -> list[Inbound]:
    """What one provider tells of a few messages; each event has its own id or its own time."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        about = draw(st.integers(0, 3))
        kind = draw(st.sampled_from(["new", "new", "edited", "deleted", "ended", "reaction"]))
        message = said(
            about if kind != "new" else number,
            f"text {number}",
            thread_id=draw(st.sampled_from(_THREADS)),
            customer=draw(st.sampled_from(_SENDERS)),
            sent_at_ms=number,
        )
        numbered = f"d{number}" if kind == "ended" or draw(st.booleans()) else None
        if kind == "new":
            found.append(create(message, numbered))
        else:
            found.append(update(UpdateKind(kind), message, numbered))
    return found


def pictures(door: Door) -> list[Interaction]:
    return door.engine.interactions()


@given(
    events=inbounds(),
    repeats=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=20),
    restarts=st.sets(st.integers(0, 30), max_size=2),
)
def test_repeats_at_any_later_place_change_nothing(
    events: list[Inbound], repeats: list[tuple[int, int]], restarts: set[int]
) -> None:
    """Whatever comes again, whenever, and whatever was restarted meanwhile."""
    once, again = Door(plan()), Door(plan())
    stream = list(enumerate(events))
    for which, where in repeats:
        number = which % len(events)
        first = next(i for i, (n, _) in enumerate(stream) if n == number)
        stream.insert(first + 1 + where % (len(stream) - first), (number, events[number]))
    for inbound in events:
        once.deliver(inbound, 1)
    for place, (_, inbound) in enumerate(stream):
        again.deliver(inbound, 1)
        if place in restarts:
            again.restart(from_snapshot=place % 2 == 0)
    assert pictures(again) == pictures(once)
    first, second = (
        [event for event in door.events if not isinstance(event, ev.Duplicate)]
        for door in (once, again)
    )
    assert first == second


class SeenAgainstModel(RuleBasedStateMachine):
    """The store against a list of all that was ever remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(dedupe_ms=20, max_dedupe_keys=4)
        self.seen = Seen(self.limits)
        self.model: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self.now_ms = 0

    @rule(key=st.sampled_from("abcdefgh"), about=st.sampled_from(["i1", "i2"]))
    def remember(self, key: str, about: str) -> None:
        self.seen.remember(Channel.SMS, key, about, self.now_ms)
        self.model.pop(key, None)
        self.model[key] = (self.now_ms, about)
        while len(self.model) > self.limits.max_dedupe_keys:
            self.model.popitem(last=False)

    @rule(gap_ms=st.sampled_from([0, 1, 7, 19, 20, 21]))
    def pass_time(self, gap_ms: int) -> None:
        self.now_ms += gap_ms

    @rule(key=st.sampled_from("abcdefgh"))
    def find(self, key: str) -> None:
        at_ms, about = self.model.get(key, (-100, ""))
        wanted = about if self.now_ms - at_ms <= self.limits.dedupe_ms else None
        assert self.seen.find(Channel.SMS, key, self.now_ms) == wanted
        assert self.seen.find(Channel.EMAIL, key, self.now_ms) is None

    @invariant()
    def is_bounded(self) -> None:
        keys = self.seen.channels.get(Channel.SMS, {})
        assert len(keys) <= self.limits.max_dedupe_keys
        assert all(at_ms >= 0 for at_ms, _ in keys.values())


TestSeenAgainstModel = SeenAgainstModel.TestCase


# --- dispositions -------------------------------------------------------------------------


def test_every_disposition_does_what_the_plan_says() -> None:
    policies = {"auto": "append", "bulk": "quarantine", "bounce": DispositionPolicy("open", "post")}
    the_plan = Plan(queues=[_Q, Queue(name="post")], triage=[_ALL], dispositions=policies)
    door = Door(the_plan)

    def kinds(disposition: Disposition, number: int, thread: str) -> list[type]:
        inbound = Inbound(disposition=disposition, message=said(number, thread_id=thread))
        return [type(event) for event in door.deliver(inbound, number)]

    assert kinds(Disposition.AUTO, 1, "a") == []
    assert kinds(Disposition.BOUNCE, 2, "a") == [ev.Queued]
    assert kinds(Disposition.AUTO, 3, "a") == [ev.MessageAppended]
    assert kinds(Disposition.AUTO, 3, "a") == [ev.Duplicate]
    assert kinds(Disposition.BULK, 4, "a") == [ev.Quarantined]
    assert kinds(Disposition.STATUS, 5, "a") == []
    opened = door.engine.interaction("i1")
    assert opened is not None
    assert opened.queue == "post"


def test_a_reaction_that_is_appended_does_not_hide_its_message() -> None:
    door = Door(plan(dispositions={"reaction": "append"}))
    door.deliver(create(said(1)), 1)
    reaction = update(UpdateKind.REACTION, said(2, "+1", sent_at_ms=5))
    (event,) = door.deliver(reaction, 2)
    assert isinstance(event, ev.MessageAppended)
    assert event.message.message_id is None
    assert event.message.attributes["about"] == "m2"
    assert isinstance(door.deliver(reaction, 3)[0], ev.Duplicate)
    assert isinstance(door.deliver(create(said(2)), 4)[0], ev.MessageAppended)


def test_an_update_that_changes_nothing_is_a_mistake() -> None:
    with pytest.raises(CommandError, match="must be one of edited, deleted, thread_deleted, ended"):
        Engine(plan()).receive(ev.Update(said(1), UpdateKind.REACTION), 1)


# --- edits, deletions, ends ---------------------------------------------------------------


def text_of(door: Door, position: int = 0) -> str:
    (picture,) = pictures(door)
    return picture.messages[position].text


def test_the_latest_edit_stands_however_often_the_first_is_told() -> None:
    door = Door(plan())
    door.deliver(create(said(1)), 1)
    first = update(UpdateKind.EDITED, said(1, "one", sent_at_ms=10))
    second = update(UpdateKind.EDITED, said(1, "two", sent_at_ms=20))
    for inbound in (first, second, first, second, first):
        door.deliver(inbound, 2)
    assert text_of(door) == "two"
    edits = [event for event in door.events if isinstance(event, ev.MessageEdited)]
    assert [event.message.attributes["edited"] for event in edits] == [True, True]


@pytest.mark.parametrize("position", [0, 1])
def test_a_deletion_takes_the_content_out_of_everything_the_engine_keeps(position: int) -> None:
    secret: dict[str, Attribute] = {"place": "secret place"}
    content = {
        "subject": "secret subject",
        "text": "secret text",
        "links": ("https://secret.example",),
        "attachments": (Attachment(name="secret.pdf"),),
        "attributes": secret,
    }
    door = Door(plan())
    messages = [said(0, "first"), said(1, "second")]
    messages[position] = msgspec.structs.replace(messages[position], **content)
    for message in messages:
        door.deliver(create(message), 1)
    assert b"secret" in door.engine.snapshot()
    (event,) = door.deliver(update(UpdateKind.DELETED, said(position, "")), 2)
    assert isinstance(event, ev.MessageRedacted)
    assert b"secret" not in door.engine.snapshot()
    assert b"secret" not in msgspec.json.encode(pictures(door))
    assert text_of(door, position) == ""
    assert text_of(door, 1 - position) != ""
    late = update(UpdateKind.EDITED, said(position, "secret again", sent_at_ms=3))
    (noted,) = door.deliver(late, 3)
    assert isinstance(noted, ev.UpdateNoted)
    assert noted.reason is NotApplied.REDACTED
    assert text_of(door, position) == ""
    door.restart(from_snapshot=False)


def test_a_message_that_was_deleted_before_it_came_is_not_routed() -> None:
    door = Door(plan())
    (noted,) = door.deliver(update(UpdateKind.DELETED, said(1, "")), 1)
    assert isinstance(noted, ev.UpdateNoted)
    assert noted.reason is NotApplied.UNKNOWN_MESSAGE
    (repeat,) = door.deliver(create(said(1)), 2)
    assert isinstance(repeat, ev.Duplicate)
    assert repeat.interaction_id == ""


def test_an_edit_reaches_an_interaction_in_wrap_up_but_not_one_that_ended() -> None:
    wrapping = Queue(name="q", wrap_up=WrapUp(WrapUpKind.OPTIONAL))
    door = Door(Plan(queues=[wrapping], triage=[_ALL]))
    door.send(ev.SignIn(Agent(id="ann")), 0)
    door.deliver(create(said(1)), 1)
    door.send(ev.Accept(1), 2)
    door.send(ev.Complete(1), 3)
    (edited,) = door.deliver(update(UpdateKind.EDITED, said(1, "new", sent_at_ms=4)), 4)
    assert isinstance(edited, ev.MessageEdited)
    assert edited.agent_id == "ann"
    assert text_of(door) == "new"
    door.send(ev.FinishWrapUp(1), 5)
    (noted,) = door.deliver(update(UpdateKind.EDITED, said(1, "newer", sent_at_ms=6)), 6)
    assert isinstance(noted, ev.UpdateNoted)


def test_an_end_that_is_told_again_does_not_end_what_came_after_it() -> None:
    door = Door(plan())
    ended = update(UpdateKind.ENDED, said(1, message_id=None), "d9")
    door.deliver(create(said(1)), 1)
    noted, abandoned = door.deliver(ended, 2)
    assert isinstance(noted, ev.UpdateNoted)
    assert isinstance(abandoned, ev.Abandoned)
    door.deliver(create(said(2)), 3)
    assert isinstance(door.deliver(ended, 4)[0], ev.Duplicate)
    assert [picture.state for picture in pictures(door)] == [InteractionState.WAITING]


def test_an_end_that_overtook_its_beginning_may_be_told_again() -> None:
    door = Door(plan())
    ended = update(UpdateKind.ENDED, said(1))
    assert door.deliver(ended, 1) == []
    door.deliver(create(said(1)), 2)
    assert isinstance(door.deliver(ended, 3)[-1], ev.Abandoned)


# --- whole threads, and copies --------------------------------------------------------------


def secret(number: int, **given: object) -> Message:
    fields: dict[str, object] = {
        "links": (f"https://secret.example/{number}",),
        "attachments": (Attachment(name=f"secret{number}.pdf"),),
        "attributes": {"place": f"secret {number}"},
    }
    return said(number, f"secret {number}", **(fields | given))


THREAD_GONE = update(UpdateKind.THREAD_DELETED, said(9, "", message_id=None), "d9")


def test_a_thread_that_was_deleted_leaves_nothing_of_what_was_said() -> None:
    door = Door(plan())
    for message in (secret(0), secret(1), secret(2, message_id=None), secret(3, message_id=None)):
        door.deliver(create(message), 1)
    door.deliver(create(secret(4, thread_id="other")), 1)
    door.deliver(update(UpdateKind.DELETED, said(1, "")), 2)
    events = door.deliver(THREAD_GONE, 3)
    told = [event.message_id for event in events if isinstance(event, ev.MessageRedacted)]
    assert told == ["m0", ""]
    assert [event.delivery_key is not None for event in events] == [True, False]  # type: ignore[union-attr]
    first, other = pictures(door)
    assert b"secret" not in msgspec.json.encode(first)
    assert b"secret" in msgspec.json.encode(other)
    assert isinstance(door.deliver(THREAD_GONE, 4)[0], ev.Duplicate)
    door.restart(from_snapshot=False)


def test_nor_of_what_came_again_under_an_id_that_was_deleted_before() -> None:
    door = Door(plan(limits=Limits(dedupe_ms=10)))
    for message, now_ms in ((secret(0), 1), (secret(0), 20)):
        door.deliver(create(message), now_ms)
    door.deliver(update(UpdateKind.DELETED, said(0, "")), 21)
    (event,) = door.deliver(THREAD_GONE, 22)
    assert isinstance(event, ev.MessageRedacted)
    assert event.message_id == ""
    assert b"secret" not in msgspec.json.encode(pictures(door)[0])
    door.restart(from_snapshot=False)


def test_a_thread_that_was_deleted_and_is_not_open_is_remembered() -> None:
    door = Door(plan())
    (noted,) = door.deliver(THREAD_GONE, 1)
    assert isinstance(noted, ev.UpdateNoted)
    assert noted.reason is NotApplied.UNKNOWN_MESSAGE
    door.deliver(create(said(1)), 2)
    assert isinstance(door.deliver(THREAD_GONE, 3)[0], ev.Duplicate)
    door.deliver(update(UpdateKind.DELETED, said(1, "")), 4)
    again = msgspec.structs.replace(THREAD_GONE, delivery_id="d10")
    (noted,) = door.deliver(again, 5)
    assert isinstance(noted, ev.UpdateNoted)
    assert noted.reason is NotApplied.REDACTED


def beside(way: str, *, link: str = "https://meet.example/1") -> Door:
    """Ann has a thread of two messages; she asks Bob, who asks Cy, and steps to video."""
    door = Door(Plan(queues=[Queue(name="q", offers=1)], triage=[_ALL]))
    door.send(ev.SignIn(Agent(id="ann")), 0)
    door.deliver(create(secret(0, subject="secret")), 1)
    door.deliver(create(secret(1)), 1)
    door.send(ev.Accept(1), 2)
    door.send(ev.Escalate(1, Channel.VIDEO, link), 3)
    door.send(ev.SignIn(Agent(id="bob")), 3)
    door.send(ev.SignIn(Agent(id="cy")), 3)
    found = door.send(ev.Consult(1, agent_id="bob"), 3)
    offered = next(event for event in found if isinstance(event, ev.Offered))
    door.send(ev.Accept(offered.offer_id), 4)
    door.send(ev.Consult(offered.offer_id, agent_id="cy"), 5)
    if way:
        door.restart(from_snapshot=way == "snapshot")
    return door


WAYS = ["", "journal", "snapshot"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("link", ["", "https://meet.example/1", "https://secret.example/0"])
def test_a_deletion_reaches_consults_and_escalations(way: str, link: str) -> None:
    door = beside(way, link=link)
    events = door.deliver(update(UpdateKind.DELETED, said(0, "")), 6)
    assert [(type(event), event.interaction_id) for event in events] == [  # type: ignore[union-attr]
        (ev.MessageRedacted, "i1"),
        (ev.MessageEdited, "i2"),
        (ev.MessageEdited, "i3"),
        (ev.MessageEdited, "i4"),
    ]
    original, escalation, consult, further = (door.engine.interaction(f"i{n}") for n in range(1, 5))
    assert original is not None
    assert escalation is not None
    for copy in (consult, further):
        assert copy is not None
        gone = msgspec.structs.replace(original.message, thread_id=None, message_id=None)
        assert copy.messages == (gone,)
    left = escalation.message
    assert left.links == (*([link] if link else ()), "https://secret.example/1")
    assert [file.name for file in left.attachments] == ["secret1.pdf"]
    assert (left.subject, left.attributes) == ("", {"redacted": True})
    door.deliver(update(UpdateKind.DELETED, said(1, "")), 7)
    ended = [event for event in door.events if isinstance(event, ev.MessageEdited)]
    assert [event.interaction_id for event in ended] == ["i2", "i3", "i4", "i2"]
    escalation = door.engine.interaction("i2")
    assert escalation is not None
    assert escalation.message.links == ((link,) if link else ())
    assert escalation.message.attachments == ()
    if "secret" not in link:
        assert b"secret" not in door.engine.snapshot()
    door.restart(from_snapshot=False)


@pytest.mark.parametrize("way", WAYS)
def test_an_edit_reaches_consults_and_escalations(way: str) -> None:
    door = beside(way)
    new = said(0, "better", subject="better", links=("https://new.example",), sent_at_ms=6)
    door.deliver(update(UpdateKind.EDITED, new), 6)
    consult, escalation = door.engine.interaction("i3"), door.engine.interaction("i2")
    assert consult is not None
    assert escalation is not None
    assert (consult.message.text, consult.message.message_id) == ("better", None)
    assert escalation.message.subject == "better"
    assert escalation.message.links == ("https://meet.example/1", "https://secret.example/1")
    door.restart(from_snapshot=True)


def test_a_deleted_thread_is_gone_from_what_was_opened_from_it() -> None:
    door = beside("")
    door.deliver(THREAD_GONE, 6)
    assert b"secret" not in door.engine.snapshot()
    escalation = door.engine.interaction("i2")
    assert escalation is not None
    assert escalation.message.links == ("https://meet.example/1",)


def test_what_is_over_is_not_changed_any_more() -> None:
    door = beside("")
    door.send(ev.Cancel("i2"), 6)
    door.send(ev.Cancel("i3"), 6)
    events = door.deliver(update(UpdateKind.DELETED, said(0, "")), 7)
    assert [event.interaction_id for event in events] == ["i1"]  # type: ignore[union-attr]


# --- the rate of one sender ---------------------------------------------------------------

ROBOT = Customer(id="robot@example.org")


def mail(number: int, **given: object) -> Inbound:
    fields = {"channel": Channel.EMAIL, "customer": ROBOT, "thread_id": None} | given
    return create(said(number, **fields))


@pytest.mark.parametrize(
    ("channel", "answer_ms"),
    [(Channel.EMAIL, 0), (Channel.EMAIL, 50), (Channel.TELEGRAM, 1), (Channel.CHAT, 1)],
)
def test_two_answering_machines_come_to_an_end(channel: Channel, answer_ms: int) -> None:
    """Ours answers what is routed at once, theirs answers every answer, in the same thread."""
    door, now_ms = Door(plan()), 0
    most = door.plan.sender_rate.maximum(channel)
    for number in itertools.count():
        now_ms += answer_ms
        message = said(number, channel=channel, customer=ROBOT, thread_id="t")
        events = door.deliver(create(message), now_ms)
        if not any(isinstance(event, ev.Queued | ev.MessageAppended) for event in events):
            break  # nobody answers it, so nothing comes back
        assert number < most
    assert number == most
    refused = door.events[-1]
    if channel.is_live:
        assert isinstance(refused, ev.Rejected)
        assert refused.reason is RejectReason.SENDER_RATE
    else:
        assert isinstance(refused, ev.Quarantined)
        assert refused.reason == "sender_rate"
    assert door.engine.statistics().over_rate == 1


def test_the_rate_is_of_one_sender_one_channel_and_one_window() -> None:
    door = Door(plan(sender_rate=SenderRate(window_ms=100, maxima={"email": 2})))

    def is_routed(number: int, now_ms: int, **given: object) -> bool:
        return isinstance(door.deliver(mail(number, **given), now_ms)[-1], ev.Queued)

    assert is_routed(1, 0)
    assert is_routed(2, 50)
    assert not is_routed(3, 99)
    assert is_routed(4, 99, customer=Customer(id="ann@example.org"))
    assert is_routed(5, 99, channel=Channel.SMS)
    assert all(is_routed(10 + number, 99, customer=Customer()) for number in range(20))
    assert is_routed(6, 100)
    door.restart(from_snapshot=True)
    assert is_routed(7, 199)
    assert not is_routed(8, 199)
    door.restart(from_snapshot=False)


def test_what_is_over_the_rate_is_kept_and_its_repeat_is_one() -> None:
    door = Door(plan(sender_rate=SenderRate(maxima={"email": 1})))
    door.deliver(mail(1), 1)
    assert isinstance(door.deliver(mail(2), 2)[0], ev.Quarantined)
    assert isinstance(door.deliver(mail(2), 3)[0], ev.Duplicate)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30)), max_size=200))
def test_in_no_stretch_of_a_window_a_sender_brings_more_than_twice_the_maximum(
    arrivals: list[tuple[int, int]],
) -> None:
    rate = SenderRate(window_ms=100, maxima={"*": 3})
    window = senders(rate)[Channel.SMS]
    bounded = senders(attrs.evolve(rate, max_senders=5))[Channel.SMS]
    now_ms, routed = 0, defaultdict[str, list[int]](list)
    for number, gap_ms in arrivals:
        now_ms += gap_ms
        sender = f"c{number}"
        bounded.count(sender, now_ms)
        assert len(bounded.counts) <= 5
        if not window.is_over(sender, now_ms):
            window.count(sender, now_ms)
            routed[sender].append(now_ms)
    for times in routed.values():
        for began_ms in times:
            assert sum(began_ms <= at_ms < began_ms + 100 for at_ms in times) <= 6


# --- who is the same customer -------------------------------------------------------------

NUMBER = Address(AddressKind.E164, "+493012345678")
MAILBOX = Address(AddressKind.EMAIL, "Ann@Example.org")


def customer_of(door: Door, now_ms: int, **given: object) -> str:
    """The id of the customer whose message opens a new interaction."""
    door.deliver(create(said(now_ms, thread_id=None, **given)), now_ms)
    return pictures(door)[-1].customer_id


def test_nobody_is_linked_without_a_rule() -> None:
    door = Door(plan())
    call = customer_of(
        door, 1, channel=Channel.VOICE, customer=Customer(id="+49", addresses=(NUMBER,))
    )
    chat = customer_of(
        door, 2, channel=Channel.WHATSAPP, customer=Customer(id="49", addresses=(NUMBER,))
    )
    assert call != chat
    assert not any(isinstance(event, ev.CustomersLinked) for event in door.events)


def test_a_message_with_two_addresses_makes_two_customers_one() -> None:
    door = Door(plan(identity=Identity(link_by=["e164", "email"])))
    caller = Customer(id="+493012345678", addresses=(NUMBER,))
    writer = Customer(
        id="ann@example.org", addresses=(Address(AddressKind.EMAIL, "ann@example.org"),)
    )
    call = customer_of(door, 1, channel=Channel.VOICE, customer=caller)
    letter = customer_of(door, 2, channel=Channel.EMAIL, customer=writer)
    assert call != letter
    both = Customer(id="ann", addresses=(NUMBER, MAILBOX))
    assert customer_of(door, 3, channel=Channel.IN_APP_CHAT, customer=both) == call
    assert {picture.customer_id for picture in pictures(door)} == {call}
    assert {picture.conversation_id for picture in pictures(door)} == {call}
    linked = [event for event in door.events if isinstance(event, ev.CustomersLinked)]
    assert linked[-1].merged[0] == letter
    door.restart(from_snapshot=True)
    assert customer_of(door, 4, channel=Channel.EMAIL, customer=writer) == call


def test_withheld_callers_are_never_one_customer() -> None:
    door = Door(plan(identity=Identity(link_by=["e164"], attributes=["crm"])))
    for now_ms in (1, 2):
        nobody = Customer(name="Ann", addresses=(NUMBER,))
        given = {"channel": Channel.VOICE, "customer": nobody, "attributes": {"crm": "7"}}
        assert customer_of(door, now_ms, **given) == ""
    first, second = pictures(door)
    assert first.conversation_id != second.conversation_id


def test_an_id_of_your_own_links_as_well() -> None:
    door = Door(plan(identity=Identity(attributes=["crm"])))
    crm: dict[str, Attribute] = {"crm": 7}
    post = customer_of(door, 1, channel=Channel.X, customer=Customer(id="9"), attributes=crm)
    text = customer_of(door, 2, channel=Channel.SMS, customer=Customer(id="+1"), attributes=crm)
    other = customer_of(door, 3, channel=Channel.SMS, customer=Customer(id="+2"), attributes={})
    assert post == text != other


def test_national_numbers_are_read_with_a_default_region() -> None:
    pytest.importorskip("phonenumbers")
    door = Door(plan(identity=Identity(link_by=["e164"], default_region="DE")))
    trunk = customer_of(door, 1, channel=Channel.VOICE, customer=Customer(id="03012345678"))
    chat = Customer(id="u", addresses=(Address(AddressKind.E164, "+493012345678"),))
    assert customer_of(door, 2, channel=Channel.WHATSAPP, customer=chat) == trunk


def test_a_number_of_many_people_gathers_no_more_than_a_person_has() -> None:
    door = Door(plan(identity=Identity(link_by=["e164"]), sender_rate=SenderRate(maxima={"*": 0})))
    for now_ms in range(1, 100):
        person = Customer(id=f"p{now_ms}", addresses=(NUMBER,))
        customer_of(door, now_ms, customer=person)
    assert len({picture.customer_id for picture in pictures(door)}) == 69


def test_linked_customers_are_bounded() -> None:
    identity = Identity(link_by=["e164"], max_customers=2)
    door = Door(plan(identity=identity, sender_rate=SenderRate(maxima={"*": 0})))
    for now_ms in range(1, 20):
        number = Address(AddressKind.E164, f"+4930123450{now_ms:02}")
        customer_of(door, now_ms, customer=Customer(id=f"p{now_ms}", addresses=(number,)))
    kept = door.engine._state.customers
    assert len(kept.customers) == 2
    assert len(kept._keys) == 4
    door.restart(from_snapshot=True)


def test_no_address_stands_in_the_events_of_who_is_who() -> None:
    door = Door(plan(identity=Identity(link_by=["e164", "email"])))
    customer_of(door, 1, customer=Customer(id="49301234", addresses=(NUMBER, MAILBOX)))
    (linked,) = (event for event in door.events if isinstance(event, ev.CustomersLinked))
    written = msgspec.json.encode(linked).lower()
    assert all(word not in written for word in (b"4930", b"ann", b"example"))


def test_a_call_takes_the_name_that_comes_later() -> None:
    door = Door(plan())
    door.deliver(create(said(1, channel=Channel.VOICE)), 1)
    assert pictures(door)[0].customer_id == ""
    door.deliver(create(said(2, channel=Channel.VOICE, customer=Customer(id="+49"))), 2)
    assert pictures(door)[0].customer_id != ""
