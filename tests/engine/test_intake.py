"""What comes from outside never becomes an expression, and a refusal to parse loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.engine import Engine
from omniroute.errors import CommandError, ExpressionError, UnknownNameError
from omniroute.events import Duplicate, Expired, Offered, Quarantine, Queued, SignIn, Submit, Tick
from omniroute.model import Agent, Channel, Message
from omniroute.plan import Plan, Queue, TriageRule


def centre(**changes: object) -> Engine:
    rule = TriageRule(queue="q", match_language=True)
    return Engine(Plan(queues=[Queue(name="q")], triage=[rule], **changes))  # type: ignore[arg-type]


@given(st.text(max_size=60) | st.sampled_from(["de or billing", "de and", "x" * 5_000, "de-AT"]))
def test_a_language_from_outside_is_no_expression(language: str) -> None:
    engine = centre()
    engine.receive(SignIn(Agent(id="b", skills={"billing": 5})), 0)
    message = Message(channel=Channel.CHAT, language=language)
    events = engine.receive(Submit(message), 1)
    queued = events[0]
    assert isinstance(queued, Queued)
    if queued.requirement is None:
        assert isinstance(events[1], Offered)
    else:
        assert len(events) == 1, "billing does not speak it"


def test_a_language_tag_is_required() -> None:
    engine = centre()
    events = engine.receive(Submit(Message(channel=Channel.CHAT, language="de")), 1)
    assert isinstance(events[0], Queued)
    assert events[0].requirement == "lang:de"


def test_a_requirement_too_large_with_the_rules_is_refused_before_time_passes() -> None:
    many = " or ".join(f"s{n}" for n in range(120))
    other = " or ".join(f"t{n}" for n in range(120))
    rule = TriageRule(queue="q", requirement=many)
    engine = Engine(Plan(queues=[Queue(name="q")], triage=[rule]))
    engine.receive(SignIn(Agent(id="a")), 0)
    engine.receive(Submit(Message(channel=Channel.CHAT), queue="q"), 1)
    before = engine.snapshot()
    with pytest.raises(ExpressionError):
        engine.receive(Submit(Message(channel=Channel.CHAT), requirement=other), 60_000)
    assert engine.snapshot() == before
    assert isinstance(engine.receive(Tick(), 60_000)[0], Expired)


def test_a_mistake_changes_nothing_even_when_timers_are_due() -> None:
    engine = Engine(Plan(queues=[Queue(name="billing")]))
    engine.receive(SignIn(Agent(id="a")), 0)
    engine.receive(Submit(Message(channel=Channel.CHAT), queue="billing"), 1)
    before = engine.snapshot()
    with pytest.raises(UnknownNameError, match="did you mean"):
        engine.receive(Submit(Message(channel=Channel.CHAT), queue="billin"), 60_000)
    assert engine.snapshot() == before


def test_the_engines_own_numbers_cannot_be_taken() -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))
    for command in (
        Submit(Message(channel=Channel.CHAT), queue="q", interaction_id="i2"),
        Quarantine(Message(channel=Channel.CHAT), "odd", interaction_id="i2"),
    ):
        with pytest.raises(CommandError, match="own numbers"):
            engine.receive(command, 1)
    engine.receive(Submit(Message(channel=Channel.CHAT), queue="q", interaction_id="i2b"), 1)
    assert engine.interaction("i2b") is not None


def test_a_language_too_long_for_the_rule_is_left_out() -> None:
    long = " or ".join(f"s{n:03}" for n in range(120))
    long += f" or {'x' * (4_090 - len(long))}"
    rule = TriageRule(queue="q", requirement=long, match_language=True)
    engine = Engine(Plan(queues=[Queue(name="q")], triage=[rule]))
    queued = engine.receive(Submit(Message(channel=Channel.CHAT, language="de")), 1)[0]
    assert isinstance(queued, Queued)
    assert queued.requirement == str(rule.requirement)


def test_a_channel_may_be_given_as_text() -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))
    message = Message(channel="voice", message_id="m")  # type: ignore[arg-type]
    engine.receive(Submit(message, queue="q"), 1)
    assert isinstance(engine.receive(Submit(message, queue="q"), 2)[0], Duplicate)
    with pytest.raises(UnknownNameError, match="did you mean 'voice'"):
        Message(channel="vioce")  # type: ignore[arg-type]
