"""Imported plans route as the other router would: its own worked examples, played by the engine."""

import json

import pytest

from omniroute.engine import Engine
from omniroute.events import Accept, Accepted, Complete, Expired, Offered, SignIn, Submit, Tick
from omniroute.importers import import_plan
from omniroute.model import Agent, Channel, Message, Presence
from omniroute.plan import loads


class Played:
    """An engine on an imported plan; every method returns the offers that it caused."""

    def __init__(self, kind, text):
        self.plan = loads(
            import_plan(kind, text if isinstance(text, str) else json.dumps(text)).toml
        )
        self.engine = Engine(self.plan)
        self.events = []

    def send(self, command, at_s):
        events = self.engine.receive(command, int(at_s * 1000))
        self.events += events
        return [
            (e.at_ms / 1000, e.interaction_id, e.agent_id) for e in events if isinstance(e, Offered)
        ]

    def sign_in(self, *agents, at_s=0):
        found = []
        for agent in agents:
            known = self.plan.agents[agent] if isinstance(agent, str) else agent
            found += self.send(SignIn(known), at_s)
        return found

    def submit(self, name, at_s, queue=None, priority=None, channel=Channel.VOICE, **attributes):
        message = Message(channel=channel, attributes=attributes)
        return self.send(Submit(message, queue, priority, interaction_id=name), at_s)

    def tick(self, at_s):
        return self.send(Tick(), at_s)

    def accept(self, name, agent, at_s):
        offers = [e for e in self.events if isinstance(e, Offered)]
        offer = next(o for o in reversed(offers) if (o.interaction_id, o.agent_id) == (name, agent))
        return self.send(Accept(offer.offer_id), at_s)


def test_twilio_timeouts_add_up_on_the_age_of_the_task():
    """Targets of 10 s each: a task is let into the second at 10 s and into the third at 20 s."""
    targets = [{"queue": f"Q{n}", "timeout": 10} for n in (1, 2, 3)]
    filters = [{"expression": "1==1", "targets": targets}]
    queues = [{"sid": f"Q{n}", "target_workers": f"team == {n}"} for n in (1, 2, 3)]
    flow = {"task_routing": {"filters": filters}}
    play = Played("twilio", {"workflow": {"configuration": flow}, "task_queues": queues})
    second, third = (Agent(id=f"w{n}", attributes={"team": n}) for n in (2, 3))
    play.sign_in(third)
    assert play.submit("t", 0) == []
    assert play.tick(15) == []  # in the second target, where nobody is
    assert play.tick(21) == [(20, "t", "w3")]
    again = Played("twilio", {"workflow": {"configuration": flow}, "task_queues": queues})
    again.sign_in(second)
    again.submit("t", 0)
    assert again.tick(12) == [(10, "t", "w2")]


def test_twilio_the_higher_priority_goes_first_whatever_its_age():
    filters = [{"expression": "vip == true", "targets": [{"queue": "Q", "priority": 5}]}]
    routing = {"filters": filters, "default_filter": {"queue": "Q"}}
    queues = [{"sid": "Q", "target_workers": "1==1"}]
    flow = {"configuration": {"task_routing": routing}}
    play = Played("twilio", {"workflow": flow, "task_queues": queues})
    play.submit("old", 0)
    play.submit("vip", 3600, vip=True)
    assert play.sign_in(Agent(id="w"), at_s=3601) == [(3601, "vip", "w")]


def test_azure_a_selector_lapses_and_the_worker_who_lets_an_offer_expire_is_gone():
    selector = {"key": "Repairs", "labelOperator": "greaterThan", "value": 7}
    attachment = {"kind": "static", "workerSelector": {**selector, "expiresAfterSeconds": 90}}
    document = {
        "distributionPolicies": [
            {"id": "d", "offerExpiresAfterSeconds": 25, "mode": {"kind": "longestIdle"}}
        ],
        "queues": [{"id": "q", "distributionPolicyId": "d"}],
        "classificationPolicies": [
            {"id": "p", "fallbackQueueId": "q", "workerSelectorAttachments": [attachment]}
        ],
        "workers": [
            {"id": "w7", "queues": ["q"], "labels": {"Repairs": 7}},
            {"id": "w8", "queues": ["q"], "labels": {"Repairs": 8}},
        ],
    }
    play = Played("azure", document)
    play.sign_in("w7", "w8")
    assert play.submit("one", 0) == [(0, "one", "w8")]
    assert play.submit("two", 1) == []
    assert play.tick(30) == []
    assert any(isinstance(event, Expired) and event.agent_id == "w8" for event in play.events)
    assert play.engine.presence("w8") is Presence.LOGGED_OUT
    assert play.tick(100) == [(90, "one", "w7")]


def test_amazon_connect_a_contact_past_its_delay_still_waits_for_the_better_priority():
    rows = [
        {"QueueReference": {"QueueId": "sales"}, "Priority": 1, "Delay": 0},
        {"QueueReference": {"QueueId": "support"}, "Priority": 4, "Delay": 20},
    ]
    media = [{"Channel": "VOICE", "Concurrency": 1}]
    profile = {"Name": "P", "MediaConcurrencies": media, "QueueConfigs": rows}
    play = Played("amazon_connect", {"RoutingProfiles": [profile]})
    anna = Agent(id="anna", groups=("P",), capacity="P")
    play.submit("support", 0, queue="support")
    play.submit("sales", 100, queue="sales")
    assert play.sign_in(anna, at_s=101) == [(101, "sales", "anna")]
    fresh = Played("amazon_connect", {"RoutingProfiles": [profile]})
    fresh.sign_in(anna)
    assert fresh.submit("support", 5, queue="support") == []
    assert fresh.tick(30) == [(25, "support", "anna")]


def test_amazon_connect_criteria_widen_to_the_whole_queue():
    def step(level, seconds):
        condition = {"Name": "Language", "Value": "French", "ProficiencyLevel": level}
        expression = {"AttributeCondition": condition}
        return {"Expiry": {"DurationInSeconds": seconds}, "Expression": expression}

    play = Played("amazon_connect", {"Steps": [step(4, 20), step(2, 30)]})
    play.sign_in(Agent(id="none"), Agent(id="two", skills={"Language:French": 2}))
    assert play.submit("a", 0, queue="routing criteria") == []
    assert play.submit("b", 5, queue="routing criteria") == []
    assert play.tick(21) == [(20, "a", "two")]
    play.accept("a", "two", 22)
    assert play.tick(60) == [(55, "b", "none")]


ASTERISK = """
[heavy]
weight = 5
strategy = leastrecent
timeout = 10
member => near,0
member => far,5

[light]
strategy = ringall
member => near
member => far
"""


def test_asterisk_a_penalty_is_called_last():
    play = Played("asterisk", ASTERISK)
    play.sign_in("far", "near")
    assert play.submit("one", 0, "heavy") == [(0, "one", "near")]
    assert play.submit("two", 1, "heavy") == [(1, "two", "far")]


def test_asterisk_ringall_rings_all_and_the_first_to_answer_has_it():
    play = Played("asterisk", ASTERISK)
    play.sign_in("far", "near")
    assert {agent for _, _, agent in play.submit("one", 0, "light")} == {"far", "near"}
    play.accept("one", "far", 2)
    assert play.submit("two", 3, "light") == [(3, "two", "near")]


def test_asterisk_the_heavier_queue_gets_the_member_first():
    play = Played("asterisk", ASTERISK)
    play.submit("old", 0, "light")
    play.submit("new", 50, "heavy")
    assert play.sign_in("near", at_s=51)[0] == (51, "new", "near")


def callcenter(**params):
    shown = "".join(
        f'<param name="{name.replace("_", "-")}" value="{value}"/>'
        for name, value in params.items()
    )
    tiers = '<tier agent="a" queue="q" level="0"/><tier agent="b" queue="q" level="1"/>'
    return f'<x><queue name="q">{shown}</queue><tiers>{tiers}</tiers></x>'


@pytest.mark.parametrize(("no_wait", "opens_s"), [("false", 30), ("true", 0)])
def test_freeswitch_a_level_opens_with_time_or_when_nobody_is_below(no_wait, opens_s):
    text = callcenter(
        tier_rules_apply="true", tier_rule_wait_second=30, tier_rule_no_agent_no_wait=no_wait
    )
    play = Played("freeswitch", text)
    play.sign_in("b")
    offers = play.submit("one", 0, "q") + play.tick(40)
    assert offers[0] == (opens_s, "one", "b")


def test_freeswitch_a_point_of_base_score_is_a_second_of_waiting():
    play = Played("freeswitch", callcenter())
    play.submit("waited", 0, "q")
    play.submit("scored", 10, "q", priority=20)
    assert play.sign_in("a", at_s=11) == [(11, "scored", "a")]
    play.accept("scored", "a", 12)
    play.submit("later", 30, "q", priority=20)
    assignment = next(e.offer_id for e in play.events if isinstance(e, Accepted))
    # Waited 31 s; the later one 1 s and 20 points.
    assert play.send(Complete(assignment), 31) == [(31, "waited", "a")]
