"""The tables of moves: closed, reachable, and the diagrams of the documentation are theirs."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.engine.lifecycle import INTERACTION, OPEN, PRESENCE, mermaid
from omniroute.model import Channel, InteractionState, Message, Presence
from omniroute.plan import Plan, Queue

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "lifecycle.md"
README = ROOT / "README.md"


def test_the_diagrams_are_drawn_from_the_tables() -> None:
    page = PAGE.read_text("utf-8")
    assert f"```mermaid\n{mermaid(INTERACTION)}```" in page
    assert f"```mermaid\n{mermaid(PRESENCE)}```" in page
    assert f"```mermaid\n{mermaid(INTERACTION)}```" in README.read_text("utf-8")


def test_every_state_is_reached_and_final_states_are_never_left() -> None:
    reached = {after for row in INTERACTION.values() for after in row.values()}
    left = {before for row in INTERACTION.values() for before in row}
    assert reached | {InteractionState.NEW} == set(InteractionState)
    assert left == OPEN | {InteractionState.NEW}


def test_every_event_moves_a_machine_or_is_named_as_one_that_does_not() -> None:
    moves_nothing = {ev.Duplicate, ev.CommandRejected, ev.UpdateNoted, ev.CustomersLinked}
    moves_nothing.add(ev.CustomerErased)  # it redacts, wherever the interaction is
    moves_nothing |= {ev.LeaseRenewed, ev.PlanChanged, ev.QueueDrained, ev.QueueReopened}
    assert set(INTERACTION) | set(PRESENCE) | moves_nothing == set(get_args(ev.Event))


def test_presence_ends_where_it_began() -> None:
    assert PRESENCE[ev.SignedIn].keys() == {Presence.LOGGED_OUT}
    assert set(PRESENCE[ev.SignedOut].values()) == {Presence.LOGGED_OUT}


def test_an_illegal_event_is_refused_by_replay() -> None:
    engine = Engine(Plan(queues=[Queue(name="q")]))
    engine.receive(ev.Submit(Message(channel=Channel.CHAT), queue="q"), 1)
    with pytest.raises(KeyError):
        engine.apply(ev.Completed(2, 1, "i1", "anna"))
