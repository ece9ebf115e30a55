"""Forgetting a customer: what the engine no longer has, and what goes on as before."""

import pytest

import live
from omniroute import Address, AddressKind, Channel, CommandError, Customer, Message
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.engine.customers import channel_key, interaction_key
from omniroute.model import UpdateKind
from omniroute.plan import Identity, LinkRule
from omniroute.simulation import Auditor

PLAN = live.plan(identity=Identity(link_by=(LinkRule.E164,)))
NUMBER = (Address(AddressKind.E164, "+4930123456"),)


def said(who, channel=Channel.CHAT, thread="t", message_id="m", addresses=()):
    customer = Customer(id=who, name=who, addresses=addresses)
    return Message(
        channel=channel, customer=customer, thread_id=thread, message_id=message_id, text=who
    )


def run(*commands):
    """Engine and events; audited, and the same when it is replayed."""
    engine, auditor, events = Engine(PLAN), Auditor(PLAN), []
    for now_ms, command in enumerate(commands, 1):
        made = engine.receive(command, now_ms)
        auditor.audit(made)
        events += made
    again = Engine(PLAN)
    for event in events:
        again.apply(event)
    assert again.snapshot() == engine.snapshot()
    assert Engine.restore(PLAN, engine.snapshot()).snapshot() == engine.snapshot()
    return engine, events


def erase(*who, channel=Channel.CHAT):
    return ev.EraseCustomer(tuple(channel_key(channel, each) for each in who))


def test_his_messages_are_redacted_and_those_of_others_in_the_thread_are_not():
    engine, events = run(
        ev.Submit(said("jane"), "support"),
        ev.Submit(said("bob", message_id="m2"), "support"),
        ev.Submit(said("", message_id="m3"), "support"),
        erase("jane"),
    )
    assert events[-1].redacted == (("i1", (0, 2)),)
    messages = engine.interaction("i1").messages
    assert [message.text for message in messages] == ["", "bob", ""]
    assert messages[0] == said("jane").erased()
    assert b"jane" not in engine.snapshot()
    assert (
        run(ev.Submit(said("jane"), "support"), erase("jane"), erase("jane"))[1][-1].redacted == ()
    )


def test_a_thread_that_he_opened_is_not_joined_any_more_and_an_edit_finds_nothing():
    edit = ev.Update(said("jane"), UpdateKind.EDITED, delivery_key="d")
    engine, events = run(
        ev.Submit(said("jane"), "support"),
        erase("jane"),
        edit,
        ev.Submit(said("jane", message_id="new"), "support"),
        ev.Abandon("i1"),
        ev.Submit(said("jane", message_id="newer"), "support"),
    )
    kinds = [type(event) for event in events]
    assert kinds == [ev.Queued, ev.CustomerErased, ev.UpdateNoted, ev.Queued, ev.Abandoned,
                     ev.MessageAppended]  # fmt: skip
    assert len(engine.interaction("i2").messages) == 2


def test_linked_customers_and_senders_are_forgotten_as_one():
    engine, events = run(
        ev.Submit(said("jane", addresses=NUMBER), "support"),
        ev.Submit(said("j@x", Channel.EMAIL, addresses=NUMBER, thread="u"), "support"),
        ev.Submit(said("bob", Channel.EMAIL, thread="v", message_id="b"), "support"),
        erase("j@x", channel=Channel.EMAIL),
    )
    assert events[-1].redacted == (("i1", (0,)), ("i2", (0,)))
    assert not engine._state.customers.customers
    assert set(engine._state.senders[Channel.EMAIL].counts) <= {"bob"}
    assert b"j@x" not in engine.snapshot()
    assert b"bob" in engine.snapshot()


def test_an_interaction_names_whoever_is_in_it():
    engine, events = run(
        ev.Submit(said("", thread=None), "support"),
        ev.Submit(said("", thread=None, message_id="n"), "support"),
        ev.EraseCustomer(interaction_id="i1"),
        ev.EraseCustomer(interaction_id="over"),
    )
    assert events[-2].redacted == (("i1", (0,)),)
    assert events[-1] == ev.CustomerErased(4, (interaction_key("over"),))
    assert engine.interaction("i2").message.message_id == "n"


@pytest.mark.parametrize(
    "command", [ev.EraseCustomer(), ev.EraseCustomer(("k",) * 1_001), ev.EraseCustomer(("k" * 65,))]
)
def test_what_is_refused(command):
    engine = Engine(PLAN)
    with pytest.raises(CommandError, match="EraseCustomer"):
        engine.receive(command, 1)
