"""Every reason and every verdict has a situation that gives it, and agrees with what happens."""

from __future__ import annotations

import pytest

from omniroute.engine import Engine, Reason, Verdict
from omniroute.errors import UnknownNameError
from omniroute.events import (
    Accept,
    ChangeAgent,
    Command,
    Complete,
    Decline,
    Hold,
    SetReady,
    SignIn,
    Submit,
)
from omniroute.model import Agent, Channel, Message
from omniroute.plan import Capacity, Plan, Queue, Step, WrapUp

PLAN = Plan(
    queues=[
        Queue(
            name="q",
            ladder=[Step("billing >= 5", for_ms=30_000), Step("billing")],
            wrap_up=WrapUp(kind="optional"),
        )
    ],
    capacities=[Capacity(), Capacity(name="phone", costs={"voice": 1})],
)
CHAT = Submit(Message(channel=Channel.CHAT), queue="q")
ANNA = Agent(id="anna", skills={"billing": 7})


def sign_in(agent: Agent, *, ready: bool = True) -> SignIn:
    return SignIn(agent, ready)


@pytest.mark.parametrize(
    ("before", "reason", "verdicts"),
    [
        ([CHAT], Reason.NO_AGENT_SIGNED_IN, {}),
        (
            [sign_in(Agent(id="ben", skills={"billing": 2})), CHAT],
            Reason.NO_AGENT_QUALIFIED,
            {"ben": Verdict.NOT_AT_STEP},
        ),
        (
            [sign_in(Agent(id="carl", skills={"billing": 9}, capacity="phone")), CHAT],
            Reason.NO_AGENT_FOR_CHANNEL,
            {"carl": Verdict.OTHER_CHANNELS},
        ),
        (
            [sign_in(ANNA, ready=False), CHAT],
            Reason.NO_AGENT_READY,
            {"anna": Verdict.NOT_READY},
        ),
        (
            [CHAT, sign_in(ANNA), Decline(1)],
            Reason.ALL_DECLINED,
            {"anna": Verdict.DECLINED},
        ),
        ([CHAT, sign_in(ANNA)], Reason.OFFERED, {"anna": Verdict.CHOSEN}),
        ([CHAT, sign_in(ANNA), Accept(1)], Reason.ENGAGED, {"anna": Verdict.CHOSEN}),
        ([CHAT, sign_in(ANNA), Accept(1), Hold(1)], Reason.HELD, {"anna": Verdict.CHOSEN}),
        ([CHAT, sign_in(ANNA), Accept(1), Complete(1)], Reason.WRAP_UP, {"anna": Verdict.CHOSEN}),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_the_reason(before: list[Command], reason: Reason, verdicts: dict[str, Verdict]) -> None:
    engine = Engine(PLAN)
    for command in before:
        engine.receive(command, 1_000)
    told = engine.explain("i1")
    assert told.reason is reason
    assert {c.agent_id: c.verdict for c in told.candidates} == verdicts
    assert told.change


def test_busy_agents_position_and_next_step() -> None:
    engine = Engine(PLAN)
    engine.receive(SignIn(ANNA), 0)
    for at_ms in (1_000, 2_000, 3_000):
        engine.receive(CHAT, at_ms)
    engine.receive(Accept(1), 4_000)
    told = engine.explain("i3")
    assert told.reason is Reason.ALL_BUSY
    assert told.candidates[0].verdict is Verdict.NO_ROOM
    assert (told.position, told.waited_ms, told.next_step_at_ms) == (2, 1_000, 33_000)
    assert told.requirement == "billing >= 5"
    assert engine.explain("i2").position == 1


def test_what_would_change_it_changes_it() -> None:
    engine = Engine(PLAN)
    engine.receive(CHAT, 0)
    engine.receive(SignIn(Agent(id="dora"), ready=False), 1)
    assert engine.explain("i1").reason is Reason.NO_AGENT_QUALIFIED
    engine.receive(ChangeAgent(Agent(id="dora", skills={"billing": 6})), 2)
    assert engine.explain("i1").reason is Reason.NO_AGENT_READY
    engine.receive(SetReady("dora"), 3)
    assert engine.explain("i1").reason is Reason.OFFERED


def test_explaining_changes_nothing() -> None:
    engine = Engine(PLAN)
    engine.receive(CHAT, 0)
    before = engine.snapshot()
    engine.explain("i1")
    assert engine.snapshot() == before


def test_an_unknown_interaction_is_a_mistake() -> None:
    with pytest.raises(UnknownNameError, match="unknown interaction 'i9'"):
        Engine(PLAN).explain("i9")
