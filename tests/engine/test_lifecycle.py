"""What docs/explanation/semantics.md says, paragraph by paragraph, as given / when / then.

Each case runs on the engine and on the slow model, so that the model is held against sentences
too. Events are written as "<at_ms> <tag> <fields that say something>"; a command stands alone (one
millisecond after the one before) or as (at_ms, command).
"""

from __future__ import annotations

import msgspec
import pytest

from engine.naive import NaiveEngine
from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import CommandError, ExpressionError, UnknownNameError, UsageError
from omniroute.model import Agent, Channel, Message
from omniroute.plan import (
    Capacity,
    HeadStart,
    Limits,
    Plan,
    Queue,
    Refusal,
    Skill,
    Step,
    Strict,
    TriageRule,
    WrapUp,
)

VOICE, CHAT = Channel.VOICE, Channel.CHAT
WIDE = Capacity(budget=3)


def one(capacity=None, limits=None, **queue):
    """A plan of one queue, `q`, whose offers last 100 ms."""
    queue = Queue(name="q", offer_timeout_ms=100, **queue)
    return Plan(queues=[queue], capacities=[capacity or Capacity()], limits=limits or Limits())


def two(first=(), second=(), **plan):
    queues = [Queue(name="q", **dict(first)), Queue(name="r", **dict(second))]
    return Plan(queues=queues, capacities=[WIDE], **plan)


def ask(queue="q", *, priority=None, requirement=None, key=None, channel=VOICE, **message):
    return ev.Submit(Message(channel=channel, **message), queue, priority, requirement, key)


def ann(**skills):
    return ev.SignIn(Agent(id="ann", skills=skills))


def bob(**skills):
    return ev.SignIn(Agent(id="bob", skills=skills))


def change(agent_id, **skills):
    return ev.ChangeAgent(Agent(id=agent_id, skills=skills))


AWAY = ev.SignIn(Agent(id="ann"), ready=False)
QUICK, PROMPT = (ev.SignIn(Agent(id="ann", wrap_up_ms=ms)) for ms in (7, 0))
ACCEPTED = (ann(), ask(), ev.Accept(1))
LADDER = {"ladder": [Step("x", for_ms=10), Step("y", for_ms=20), Step("z")]}
UNTIL = {"ladder": [Step(for_ms=30), Step("x", until_ms=20), Step("y")]}
GUARDED = {
    "ladder": [
        Step("x", for_ms=10, skip_if_nobody=True),
        Step("y", for_ms=20, skip_if_nobody=True),
        Step("z", skip_if_nobody=True),
    ]
}
TIMED, FORCED = {"wrap_up": WrapUp("timed", 50)}, {"wrap_up": WrapUp("forced", 50)}
OPTIONAL = {"wrap_up": WrapUp("optional")}

DEDUPE = Limits(dedupe_ms=10, max_dedupe_keys=2)

# name, plan, given, when, then
TIME = [
    ("each timer fires at its own deadline, then the command", one(**LADDER), (ask(),), (99, ann(z=1)),
     ["10 step_reached i1 1", "30 step_reached i1 2", "99 signed_in ann", "99 became_ready ann",
      "99 offered 1 i1 ann 199"]),
    ("what a timer causes may be due too", one(on_expiry="nothing"), (ann(), ask()), (250, ev.Tick()),
     ["101 expired 1 i1 ann", "101 offered 2 i1 ann 201", "201 expired 2 i1 ann",
      "201 offered 3 i1 ann 301"]),
    ("equal deadlines fire in the order they were set", one(**LADDER), (ask(), (0, ask())), (10, ev.Tick()),
     ["10 step_reached i1 1", "10 step_reached i2 1"]),
    ("a tick alone changes nothing", one(**LADDER), (ask(),), (9, ev.Tick()), []),
]  # fmt: skip

MESSAGES = [
    ("a repeat within the dedupe time", one(limits=DEDUPE), (ask(message_id="m"),), (10, ask(message_id="m")),
     ["10 duplicate voice m i1"]),
    ("a repeat after it", one(limits=DEDUPE), (ask(message_id="m"),), (11, ask(message_id="m")),
     ["11 queued i2 2 q 0"]),
    ("the same id on another channel", one(), (ask(message_id="m"),), ask(message_id="m", channel=CHAT),
     ["1 queued i2 2 q 0"]),
    ("no id is no repeat", one(), (ask(),), ask(), ["1 queued i2 2 q 0"]),
    ("a repeat of a repeat is not younger", one(limits=DEDUPE), (ask(message_id="m"), (9, ask(message_id="m"))),
     (11, ask(message_id="m")), ["11 queued i2 2 q 0"]),
    ("the oldest ids are forgotten first", one(limits=DEDUPE), [ask(message_id=m) for m in "abc"],
     ask(message_id="a"), ["3 queued i4 4 q 0"]),
    ("a message joins its open thread", one(), (ask(thread_id="t"),), ask(thread_id="t"),
     ["1 message_appended i1"]),
    ("and is shown to who has it", one(), (ann(), ask(thread_id="t")), ask(thread_id="t"),
     ["2 message_appended i1 ann"]),
    ("an appended message is seen", one(), (ask(thread_id="t"), ask(thread_id="t", message_id="m")),
     ask(message_id="m"), ["2 duplicate voice m i1"]),
    ("a thread in wrap-up opens a new interaction", one(**TIMED),
     (ann(), ask(thread_id="t"), ev.Accept(1), ev.Complete(1)), ask(thread_id="t"), ["4 queued i2 2 q 0"]),
    ("a closed thread too", one(), (ask(thread_id="t"), ev.Cancel("i1")), ask(thread_id="t"),
     ["2 queued i2 2 q 0"]),
    ("an open id is in use", one(), (ask(key="mine"),), ask(key="mine"),
     ["1 command_rejected submit mine id_in_use"]),
    ("a closed one may be used again", one(), (ask(key="mine"), ev.Cancel("mine")), ask(key="mine"),
     ["2 queued mine 2 q 0"]),
    ("a message in quarantine is kept, not routed", one(), (ann(),), ev.Quarantine(Message(channel=VOICE), "bomb"),
     ["1 quarantined i1 bomb"]),
    ("and is seen", one(), (ev.Quarantine(Message(channel=VOICE, message_id="m"), "bomb"),), ask(message_id="m"),
     ["1 duplicate voice m i1"]),
]  # fmt: skip

RULES = [
    TriageRule(queue="r", when='text has "bill"', priority=3, requirement="x", match_language=True),
    TriageRule(queue="q", when="is_live", match_language=True),
]
SPOKEN = [Skill("x"), Skill("y"), Skill("lang:de")]
TRIAGE = [
    ("the first rule that holds", two(triage=RULES), (), ask(None, text="my bill"), ["0 queued i1 1 r 3 x"]),
    ("no rule, no queue", two(triage=RULES), (), ask(None, channel=Channel.EMAIL),
     ["0 rejected i1 no_queue"]),
    ("a queue that is given overrides rules", two(triage=RULES), (), ask("q", text="my bill"), ["0 queued i1 1 q 0"]),
    ("the command's priority goes before the rule's", two(triage=RULES), (), ask(None, text="bill", priority=1),
     ["0 queued i1 1 r 1 x"]),
    ("the rule's before the queue's", two(second={"priority": 7}, triage=RULES), (), ask(None, text="bill"),
     ["0 queued i1 1 r 3 x"]),
    ("the queue's else", two({"priority": 7}, triage=RULES), (), ask(None), ["0 queued i1 1 q 7"]),
    ("requirements are joined", two(triage=RULES), (), ask(None, text="bill", requirement="y"),
     ["0 queued i1 1 r 3 x and y"]),
    ("the language is required", two(triage=RULES), (), ask(None, text="bill", language="fr"),
     ["0 queued i1 1 r 3 lang:fr and x"]),
    ("what is no language tag is no language", two(triage=RULES), (), ask(None, language="de or y"),
     ["0 queued i1 1 q 0"]),
    ("where the plan has that skill", two(triage=RULES, skills=SPOKEN), (), ask(None, language="de"),
     ["0 queued i1 1 q 0 lang:de"]),
    ("and not where it has not", two(triage=RULES, skills=SPOKEN), (), ask(None, language="fr"),
     ["0 queued i1 1 q 0"]),
]  # fmt: skip

FULL = {"max_waiting": 2}
ADMISSION = [
    ("the queue is full", one(max_waiting=1), (ask(),), ask(), ["1 rejected i2 queue_full q"]),
    ("an offered one counts", one(max_waiting=1), (ann(), ask()), ask(), ["2 rejected i2 queue_full q"]),
    ("an engaged one does not", one(max_waiting=1), ACCEPTED, ask(), ["3 queued i2 2 q 0"]),
    ("the whole plan is full", two(limits=Limits(max_waiting=1)), (ask("q"),), ask("r"),
     ["1 rejected i2 queue_full r"]),
    ("no more lanes", one(limits=Limits(max_lanes=1)), (ask(requirement="x"),), ask(requirement="y"),
     ["1 rejected i2 lanes_exhausted q"]),
    ("room in an old lane", one(limits=Limits(max_lanes=1)), (ask(requirement="x"),), ask(requirement="x"),
     ["1 queued i2 2 q 0 x"]),
    ("what is rejected may come again", one(max_waiting=1), (ask(), ask(message_id="m")), ask(message_id="m"),
     ["2 rejected i3 queue_full q"]),
    ("a given id of a rejected one", one(max_waiting=1), (ask(), ask(key="mine")), ask(),
     ["2 rejected i2 queue_full q"]),
]  # fmt: skip

DROPPING = {
    "ladder": [Step("a", for_ms=10), Step("a", drop=["x"], for_ms=10), Step("a", drop=["*"])]
}
ELIGIBLE = [
    ("members, step and own requirement", one(members="a", ladder=[Step("b")]),
     (ask(requirement="c"), ann(a=1, b=1), bob(b=1, c=1)), ev.SignIn(Agent(id="cid", skills=dict.fromkeys("abc", 1))),
     ["3 signed_in cid", "3 became_ready cid", "3 offered 1 i1 cid 103"]),
    ("a step drops a skill of the own requirement", one(**DROPPING), (ann(a=1, y=1), ask(requirement="x and y")),
     (11, ev.Tick()), ["11 step_reached i1 1", "11 offered 1 i1 ann 111"]),
    ("a step drops all of it", one(**DROPPING), (ann(a=1), ask(requirement="x and y")), (21, ev.Tick()),
     ["11 step_reached i1 1", "21 step_reached i1 2", "21 offered 1 i1 ann 121"]),
    ("no room in the budget", one(), (ann(), ask()), ask(), ["2 queued i2 2 q 0"]),
    ("no room for the channel", one(Capacity(budget=3, maxima={"voice": 1})), (ann(), ask()), ask(),
     ["2 queued i2 2 q 0"]),
    ("room for another", one(Capacity(budget=3, maxima={"voice": 1})), (ann(), ask()), ask(channel=CHAT),
     ["2 queued i2 2 q 0", "2 offered 2 i2 ann 102"]),
    ("a channel without a cost", one(Capacity(costs={"voice": 1})), (ann(),), ask(channel=CHAT),
     ["1 queued i1 1 q 0"]),
    ("not ready", one(), (AWAY,), ask(), ["1 queued i1 1 q 0"]),
    ("a named agent, not one like him", one(), (AWAY, ask(requirement='agent == "ann"')), bob(),
     ["2 signed_in bob", "2 became_ready bob"]),
    ("even when both were there before", one(), (AWAY, ev.SignIn(Agent(id="bob"), ready=False),
     ask(requirement='agent == "ann"')), ev.SetReady("bob"), ["3 became_ready bob"]),
]  # fmt: skip

HEAD_START = {"order": HeadStart(10)}
SKILLED = {"strategy": "most_skilled", "members": "a", "ladder": [Step("b")]}
ORDER = [
    ("strict: priority, then age", one(order=Strict()), (ask(), ask(priority=1), ask(priority=1)), ann(),
     ["3 signed_in ann", "3 became_ready ann", "3 offered 1 i2 ann 103"]),
    ("head start: a point is ten milliseconds", one(**HEAD_START), (ask(), (10, ask(priority=1))), ann(),
     ["11 signed_in ann", "11 became_ready ann", "11 offered 1 i1 ann 111"]),
    ("head start: a little more is enough", one(**HEAD_START), (ask(), (9, ask(priority=1))), ann(),
     ["10 signed_in ann", "10 became_ready ann", "10 offered 1 i2 ann 110"]),
    ("the tier goes before everything", two({"tier": 1}), (ask("q", priority=9), ask("r"), AWAY), ev.SetReady("ann"),
     ["3 became_ready ann", "3 offered 1 i2 ann 20003", "3 offered 2 i1 ann 20003"]),
    ("a requeue returns to its old place", one(), (ann(), ask(), ask(), ev.Accept(1), (9, ev.Requeue(1))), bob(),
     ["10 signed_in bob", "10 became_ready bob", "10 offered 3 i1 bob 110"]),
    ("a new priority is a new place", one(), (ask(), ask(), ev.Reprioritize("i2", 1)), ann(),
     ["3 signed_in ann", "3 became_ready ann", "3 offered 1 i2 ann 103"]),
    ("the longest idle", one(), (ann(), bob()), ask(), ["2 queued i1 1 q 0", "2 offered 1 i1 ann 102"]),
    ("presence does not touch", one(), (ann(), bob(), ev.SetNotReady("ann"), ev.SetReady("ann")), ask(),
     ["4 queued i1 1 q 0", "4 offered 1 i1 ann 104"]),
    ("accepting touches", one(WIDE), (ann(), bob(), ask(), ev.Accept(1)), ask(),
     ["4 queued i2 2 q 0", "4 offered 2 i2 bob 104"]),
    ("an offer alone does not", one(WIDE), (ann(), bob(), ask()), ask(),
     ["3 queued i2 2 q 0", "3 offered 2 i2 ann 103"]),
    ("declining touches", one(), (ann(), bob(), ask(), ev.Decline(1), ev.Cancel("i1")), ask(),
     ["5 queued i2 2 q 0", "5 offered 3 i2 bob 105"]),
    ("completing touches", one(), (*ACCEPTED, bob(), ev.Complete(1)), ask(),
     ["5 queued i2 2 q 0", "5 offered 2 i2 bob 105"]),
    ("the least occupied", one(WIDE, strategy="least_occupied"), (ann(), ask(), bob()), ask(),
     ["3 queued i2 2 q 0", "3 offered 2 i2 bob 103"]),
    ("round robin", one(WIDE, strategy="round_robin"), (ann(), bob(), ask(), ask()), ask(),
     ["4 queued i3 3 q 0", "4 offered 3 i3 ann 104"]),
    ("most skilled in what is required", one(**SKILLED), (ann(a=1, b=1, c=9), bob(a=1, b=2)), ask(),
     ["2 queued i1 1 q 0", "2 offered 1 i1 bob 102"]),
    ("and in the own requirement", one(**SKILLED), (ann(a=1, b=1, c=9), bob(a=1, b=2, c=1)), ask(requirement="c"),
     ["2 queued i1 1 q 0 c", "2 offered 1 i1 ann 102"]),
]  # fmt: skip

MATCHING = [
    ("an agent is offered again and again until nothing fits", one(WIDE), (ask(), ask(), ask(), ask()), ann(),
     ["4 signed_in ann", "4 became_ready ann", "4 offered 1 i1 ann 104", "4 offered 2 i2 ann 104",
      "4 offered 3 i3 ann 104"]),
    ("agents come first, and take what is best for them", one(refusal=Refusal("at_once")),
     (ann(), ask(), ask(priority=1)), ev.Decline(1), ["3 declined 1 i1 ann", "3 offered 2 i2 ann 103"]),
    ("a new priority of one that nobody may take", one(), (ask(requirement="x"), ann()), ev.Reprioritize("i1", 9),
     ["2 reprioritized i1 9 0"]),
    ("in wrap-up there is no priority", one(**TIMED), (*ACCEPTED, ev.Complete(1)), ev.Reprioritize("i1", 9),
     ["4 command_rejected reprioritize i1 illegal_state"]),
    ("new skills bring work", one(), (ask(requirement="x"), ann()), change("ann", x=1),
     ["2 agent_changed ann", "2 offered 1 i1 ann 102"]),
    ("lost skills lose offers", one(members="x"), (ann(x=1), ask(), bob(x=1)), change("ann"),
     ["3 agent_changed ann", "3 revoked 1 i1 ann not_eligible", "3 offered 2 i1 bob 103"]),
    ("but not assignments", one(members="x"), (ann(x=1), ask(), ev.Accept(1)), change("ann"), ["3 agent_changed ann"]),
]  # fmt: skip

LADDERS = [
    ("a step for a time", one(**LADDER), (ann(y=1), ask()), (11, ev.Tick()),
     ["11 step_reached i1 1", "11 offered 1 i1 ann 111"]),
    ("a step until an age", one(ladder=[Step("x", until_ms=20), Step()]), (ask(),), (20, ev.Tick()),
     ["20 step_reached i1 1"]),
    ("an age that has passed passes the step over", one(**UNTIL), (ask(),), (30, ev.Tick()), ["30 step_reached i1 2"]),
    ("nobody at once", one(**GUARDED), (ann(y=1),), ask(),
     ["1 queued i1 1 q 0", "1 step_reached i1 1", "1 offered 1 i1 ann 101"]),
    ("nobody at all: one event, and the last step stays", one(**GUARDED), (), ask(),
     ["0 queued i1 1 q 0", "0 step_reached i1 2"]),
    ("somebody who is not ready is somebody", one(**GUARDED), (ann(x=1), ev.SetNotReady("ann")), ask(),
     ["2 queued i1 1 q 0"]),
    ("a guard is looked at on entering only", one(**GUARDED), (ann(x=1), ev.SetNotReady("ann"), ask()),
     ev.SignOut("ann"), ["3 signed_out ann"]),
    ("it runs while an offer is open, which stays", one(**LADDER), (ann(x=1), ask()), (11, ev.Tick()),
     ["11 step_reached i1 1"]),
    ("it stands still while an agent has it", one(**LADDER), (ann(x=1), ask(), ev.Accept(1)), (99, ev.Tick()), []),
    ("an overdue step ends right after the requeue", one(**LADDER), (ann(x=1), ask(), ev.Accept(1)),
     (50, ev.Requeue(1)), ["50 requeued 1 i1 ann -1", "50 step_reached i1 1"]),
    ("also one that is over at that very moment", one(**LADDER), (ann(x=1), (0, ask()), ev.Accept(1)),
     (10, ev.Requeue(1)), ["10 requeued 1 i1 ann -1", "10 step_reached i1 1"]),
    ("one that is not yet over goes on", one(**LADDER), (ann(x=1), ask(), ev.Accept(1), ev.Requeue(1)),
     (11, ev.Tick()), ["11 step_reached i1 1"]),
]  # fmt: skip

AFTER = {"refusal": Refusal("after", 30)}
ALL = {"refusal": Refusal("all_declined")}
AT_ONCE = {"refusal": Refusal("at_once")}
ONCE, TWICE = Limits(max_offers=1), Limits(max_offers=2)
OFFERS = [
    ("an answer after the end", one(), (ann(), ask(), ev.Decline(1)), ev.Accept(1),
     ["3 command_rejected accept 1 unknown_offer"]),
    ("an answer at the deadline is late", one(), (ann(), ask()), (101, ev.Accept(1)),
     ["101 expired 1 i1 ann", "101 became_not_ready ann no_answer", "101 command_rejected accept 1 unknown_offer"]),
    ("an assignment is no offer", one(), ACCEPTED, ev.Decline(1), ["3 command_rejected decline 1 unknown_offer"]),
    ("no answer: not ready, and his other offers go", one(WIDE), (ann(), ask(), (1, ask()), (50, bob())),
     (101, ev.Tick()),
     ["101 expired 1 i1 ann", "101 became_not_ready ann no_answer", "101 revoked 2 i2 ann not_ready",
      "101 offered 3 i1 bob 201", "101 offered 4 i2 bob 201"]),
    ("no answer: signed out", one(on_expiry="sign_out"), (ann(), ask()), (101, ev.Tick()),
     ["101 expired 1 i1 ann", "101 signed_out ann no_answer"]),
    ("no answer: nothing; it is no refusal", one(on_expiry="nothing"), (ann(), ask()), (101, ev.Tick()),
     ["101 expired 1 i1 ann", "101 offered 2 i1 ann 201"]),
    ("no answer: nothing; but others come first", one(on_expiry="nothing"), (ann(), ask(), (50, bob())),
     (101, ev.Tick()), ["101 expired 1 i1 ann", "101 offered 2 i1 bob 201"]),
    ("never again", one(), (ann(), ask()), ev.Decline(1, "busy"), ["2 declined 1 i1 ann busy -1"]),
    ("after a while", one(**AFTER), (ann(), ask(), ev.Decline(1)), (32, ev.Tick()),
     ["32 refusals_reset i1 ann", "32 offered 2 i1 ann 132"]),
    ("at once", one(**AT_ONCE), (ann(), ask()), ev.Decline(1), ["2 declined 1 i1 ann", "2 offered 2 i1 ann 102"]),
    ("at once, but others first", one(**AT_ONCE), (ann(), ask(), bob(), ask()), ev.Decline(1),
     ["4 declined 1 i1 ann", "4 offered 3 i1 ann 104"]),
    ("until all have declined", one(**ALL), (ann(), bob(), ask(), ev.Decline(1)), ev.Decline(2),
     ["4 declined 2 i1 bob -1", "4 refusals_reset i1", "4 offered 3 i1 bob 104"]),
    ("only those count who could take it", one(**ALL, members="x"), (ann(x=1), bob(), ask()), ev.Decline(1),
     ["3 declined 1 i1 ann -1", "3 refusals_reset i1", "3 offered 2 i1 ann 103"]),
    ("or the last who had not left", one(**ALL), (ann(), bob(), ask(), ev.Decline(1)), ev.SignOut("bob"),
     ["4 revoked 2 i1 bob signed_out", "4 signed_out bob", "4 refusals_reset i1", "4 offered 3 i1 ann 104"]),
    ("or changed", one(**ALL, members="x"), (ann(x=1), bob(x=1), ask(), ev.Decline(1)), change("bob"),
     ["4 agent_changed bob", "4 revoked 2 i1 bob not_eligible", "4 refusals_reset i1", "4 offered 3 i1 ann 104"]),
    ("or a step was reached", one(**ALL, ladder=[Step(for_ms=20), Step("x")]),
     (ann(x=1), bob(), ask(), ev.Decline(1), ev.SetNotReady("bob")), (22, ev.Tick()),
     ["22 step_reached i1 1", "22 refusals_reset i1", "22 offered 3 i1 ann 122"]),
    ("the last of the allowed offers", one(limits=TWICE, **AT_ONCE), (ann(), ask(), ev.Decline(1)), ev.Decline(2),
     ["3 declined 2 i1 ann", "3 cancelled i1 offers_exhausted"]),
    ("whatever ended it", one(limits=ONCE), (ann(), ask()), ev.SetNotReady("ann"),
     ["2 became_not_ready ann", "2 revoked 1 i1 ann not_ready", "2 cancelled i1 offers_exhausted"]),
    ("right after it", one(limits=ONCE), (ann(), ask()), (101, ev.Tick()),
     ["101 expired 1 i1 ann", "101 cancelled i1 offers_exhausted", "101 became_not_ready ann no_answer"]),
    ("but for the customer's leaving", one(limits=ONCE), (ann(), ask()), ev.Abandon("i1"),
     ["2 revoked 1 i1 ann customer_left", "2 abandoned i1"]),
    ("an acceptance begins the count anew", one(limits=ONCE, **AT_ONCE), ACCEPTED, ev.Requeue(1),
     ["3 requeued 1 i1 ann", "3 offered 2 i1 ann 103"]),
    ("who gives it back does not get it back", one(), (*ACCEPTED, bob()), ev.Requeue(1, "no time"),
     ["4 requeued 1 i1 ann no time -1", "4 offered 2 i1 bob 104"]),
    ("nor he from whom it is taken", one(**AFTER), (ann(), ask(), bob()), ev.Revoke(1),
     ["3 revoked 1 i1 ann withdrawn 33", "3 offered 2 i1 bob 103"]),
    ("an acceptance forgets refusals", one(), (ann(), bob(), ask(), ev.Decline(1), ev.Accept(2)), ev.Requeue(2),
     ["5 requeued 2 i1 bob -1", "5 offered 3 i1 ann 105"]),
    ("so does leaving", one(), (ann(), ask(), ev.Decline(1), ev.SignOut("ann")), ann(),
     ["4 signed_in ann", "4 became_ready ann", "4 offered 2 i1 ann 104"]),
    ("offers: first for the agent, then for it", one(), (ann(), ask(), bob(), ask(), ask(), ev.Accept(2)),
     ev.Decline(1), ["6 declined 1 i1 ann -1", "6 offered 3 i3 ann 106"]),
]  # fmt: skip

ENGAGED = [
    ("hold", one(), ACCEPTED, ev.Hold(1), ["3 held 1 i1"]),
    ("hold twice", one(), (*ACCEPTED, ev.Hold(1)), ev.Hold(1), ["4 command_rejected hold 1 illegal_state"]),
    ("resume", one(), (*ACCEPTED, ev.Hold(1)), ev.Resume(1), ["4 resumed 1 i1"]),
    ("resume what is not held", one(), ACCEPTED, ev.Resume(1), ["3 command_rejected resume 1 illegal_state"]),
    ("an open offer is no assignment", one(), (ann(), ask()), ev.Hold(1),
     ["2 command_rejected hold 1 unknown_assignment"]),
    ("complete frees capacity", one(), (*ACCEPTED, ask()), ev.Complete(1, "sold"),
     ["4 completed 1 i1 ann sold", "4 offered 2 i2 ann 104"]),
    ("complete what is held", one(), (*ACCEPTED, ev.Hold(1)), ev.Complete(1), ["4 completed 1 i1 ann"]),
    ("complete twice", one(), (*ACCEPTED, ev.Complete(1)), ev.Complete(1),
     ["4 command_rejected complete 1 unknown_assignment"]),
    ("wrap-up holds capacity", one(**OPTIONAL), (*ACCEPTED, ask()), ev.Complete(1, "sold"),
     ["4 wrap_up_started 1 i1 ann sold"]),
    ("optional ends when he says so", one(**OPTIONAL), (*ACCEPTED, ev.Complete(1, "sold")), (9_999, ev.FinishWrapUp(1)),
     ["9999 completed 1 i1 ann sold"]),
    ("timed ends when he says so", one(**TIMED), (*ACCEPTED, ev.Complete(1)), ev.FinishWrapUp(1),
     ["4 completed 1 i1 ann"]),
    ("or by itself", one(**TIMED), (*ACCEPTED, ask(), ev.Complete(1, "sold")), (54, ev.Tick()),
     ["54 completed 1 i1 ann sold", "54 offered 2 i2 ann 154"]),
    ("forced only by itself", one(**FORCED), (*ACCEPTED, ev.Complete(1)), ev.FinishWrapUp(1),
     ["4 command_rejected finish_wrap_up 1 illegal_state"]),
    ("forced by itself", one(**FORCED), (*ACCEPTED, ev.Complete(1)), (53, ev.Tick()), ["53 completed 1 i1 ann"]),
    ("no wrap-up to finish", one(**TIMED), ACCEPTED, ev.FinishWrapUp(1),
     ["3 command_rejected finish_wrap_up 1 illegal_state"]),
    ("a wrap-up of no length is none", one(wrap_up=WrapUp("timed", 0)), ACCEPTED, ev.Complete(1),
     ["3 completed 1 i1 ann"]),
    ("his own time instead of the queue's", one(**FORCED), (QUICK, ask(), ev.Accept(1)), ev.Complete(1),
     ["3 wrap_up_started 1 i1 ann 10"]),
    ("and it ends then", one(**FORCED), (QUICK, ask(), ev.Accept(1), ev.Complete(1)), (20, ev.Tick()),
     ["10 completed 1 i1 ann"]),
    ("where the queue has no time he has one", one(wrap_up=WrapUp("timed")), (QUICK, ask(), ev.Accept(1)),
     ev.Complete(1), ["3 wrap_up_started 1 i1 ann 10"]),
    ("his own time of nothing is no wrap-up", one(**FORCED), (PROMPT, ask(), ev.Accept(1)), ev.Complete(1),
     ["3 completed 1 i1 ann"]),
    ("a wrap-up without an end has none of his", one(**OPTIONAL), (PROMPT, ask(), ev.Accept(1)), ev.Complete(1),
     ["3 wrap_up_started 1 i1 ann"]),
    ("a queue without wrap-up has none for him", one(), (QUICK, ask(), ev.Accept(1)), ev.Complete(1),
     ["3 completed 1 i1 ann"]),
    ("abandoned while waiting", one(), (ask(),), ev.Abandon("i1", "hung up"), ["1 abandoned i1 hung up"]),
    ("while offered: the agent is free again", one(), (ann(), ask(), ask()), ev.Abandon("i1"),
     ["3 revoked 1 i1 ann customer_left", "3 abandoned i1", "3 offered 2 i2 ann 103"]),
    ("while engaged it is completed", one(), ACCEPTED, ev.Abandon("i1"), ["3 completed 1 i1 ann customer_left"]),
    ("with its wrap-up", one(**TIMED), (*ACCEPTED, ev.Hold(1)), ev.Abandon("i1"),
     ["4 wrap_up_started 1 i1 ann 54 customer_left"]),
    ("in wrap-up nobody is there to leave", one(**TIMED), (*ACCEPTED, ev.Complete(1)), ev.Abandon("i1"),
     ["4 command_rejected abandon i1 illegal_state"]),
    ("abandoned unknown", one(), (), ev.Abandon("i1"), ["0 command_rejected abandon i1 unknown_interaction"]),
    ("cancelled while waiting", one(), (ask(),), ev.Cancel("i1", "spam"), ["1 cancelled i1 spam"]),
    ("while offered", one(), (ann(), ask()), ev.Cancel("i1"), ["2 revoked 1 i1 ann cancelled", "2 cancelled i1"]),
    ("while engaged", one(), (*ACCEPTED, ask()), ev.Cancel("i1"), ["4 cancelled i1", "4 offered 2 i2 ann 104"]),
    ("in wrap-up", one(**TIMED), (*ACCEPTED, ev.Complete(1)), ev.Cancel("i1"), ["4 cancelled i1"]),
    ("cancelled twice", one(), (ask(), ev.Cancel("i1")), ev.Cancel("i1"),
     ["2 command_rejected cancel i1 unknown_interaction"]),
]  # fmt: skip

BUSY = (ann(), *[ask() for _ in range(3)], ev.Accept(1), ev.Accept(2), ev.Complete(1))
AGENTS = [
    ("signed in ready", one(), (), ann(), ["0 signed_in ann", "0 became_ready ann"]),
    ("signed in not ready", one(), (), AWAY, ["0 signed_in ann"]),
    ("signed in already", one(), (ann(),), AWAY, ["1 command_rejected sign_in ann already_signed_in"]),
    ("too many agents", one(limits=Limits(max_agents=1)), (ann(),), bob(),
     ["1 command_rejected sign_in bob agents_exhausted"]),
    ("ready twice", one(), (ann(),), ev.SetReady("ann"), []),
    ("not ready twice", one(), (AWAY,), ev.SetNotReady("ann"), []),
    ("ready brings work", one(), (AWAY, ask()), ev.SetReady("ann"), ["2 became_ready ann", "2 offered 1 i1 ann 102"]),
    ("not ready gives offers back", one(WIDE), (ann(), ask(), ask(priority=1), bob()), ev.SetNotReady("ann", "lunch"),
     ["4 became_not_ready ann lunch", "4 revoked 1 i1 ann not_ready", "4 revoked 2 i2 ann not_ready",
      "4 offered 3 i2 bob 104", "4 offered 4 i1 bob 104"]),
    ("not ready keeps assignments", one(), ACCEPTED, ev.SetNotReady("ann"), ["3 became_not_ready ann"]),
    ("signed out: all he has, in offer order", one(WIDE, **FORCED), (*BUSY, bob()), ev.SignOut("ann", "home"),
     ["8 completed 1 i1 ann", "8 requeued 2 i2 ann signed_out", "8 revoked 3 i3 ann signed_out", "8 signed_out ann home",
      "8 offered 4 i2 bob 108", "8 offered 5 i3 bob 108"]),
    *[
        (f"{type(command).__name__} of nobody", one(), (), command,
         [f"0 command_rejected {command.__struct_config__.tag} ann not_signed_in"])
        for command in (ev.SetReady("ann"), ev.SetNotReady("ann"), ev.SignOut("ann"), change("ann"))
    ],
]  # fmt: skip

CASES = [
    pytest.param(*case, id=f"{section}: {name}")
    for section, cases in {
        "time": TIME,
        "message": MESSAGES,
        "triage": TRIAGE,
        "admission": ADMISSION,
        "eligible": ELIGIBLE,
        "order": ORDER,
        "matching": MATCHING,
        "ladder": LADDERS,
        "offer": OFFERS,
        "engaged": ENGAGED,
        "agent": AGENTS,
    }.items()
    for name, *case in cases
]


_REQUIRED = object()


def short(event):
    """The time, the tag and what else it says; messages and agents by their names."""
    defaults = dict(
        zip(event.__struct_fields__[::-1], event.__struct_defaults__[::-1], strict=False)
    )
    said = msgspec.structs.asdict(event)
    said = {name: value for name, value in said.items() if value != defaults.get(name, _REQUIRED)}
    for unsaid in ("message", "steps"):
        said.pop(unsaid, None)
    if "via" in said:
        said["via"] = ",".join(said["via"])
    words = [said.pop("at_ms"), event.__struct_config__.tag]
    for value in said.values():
        words += [] if value in (None, "") else [value.id if isinstance(value, Agent) else value]
    return " ".join(map(str, words))


def run(engine, given):
    """Each command a millisecond after the one before, or where its pair says. Then the time."""
    now_ms, events = -1, []
    for item in given:
        now_ms, command = item if isinstance(item, tuple) else (now_ms + 1, item)
        events = engine.receive(command, now_ms)
    return events, now_ms


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(("plan", "given", "when", "then"), CASES)
def test_given_when_then(make, plan, given, when, then):
    events, _ = run(make(plan), [*given, when])
    assert [short(event) for event in events] == then


MISTAKES = [
    (ask("queue"), UnknownNameError),
    (ask(priority=100), CommandError),
    (ask(priority=-1), CommandError),
    (ask(requirement="x >="), ExpressionError),
    (ev.Reprioritize("i1", 100), CommandError),
    (ev.SignIn(Agent(id="cid", capacity="huge")), UnknownNameError),
    (ev.SignIn(Agent(id="cid", skills={"xx": 1})), UnknownNameError),
    (ev.ChangeAgent(Agent(id="ann", skills={"xx": 1})), UnknownNameError),
    (ev.SignIn(Agent(id="cid", skills={"x": 11})), CommandError),
    (ev.ChangeAgent(Agent(id="ann", skills={"x": -1})), CommandError),
]


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(("command", "error"), MISTAKES)
def test_a_mistake_raises_and_nothing_has_changed(make, command, error):
    queue = Queue(name="q", offer_timeout_ms=100)
    engine = make(Plan(queues=[queue], skills=[Skill("x")]))
    run(engine, [ann(), ask()])
    with pytest.raises(error):
        engine.receive(command, 500)
    assert engine.now_ms == 1
    assert [short(e) for e in engine.receive(ev.Accept(1), 50)] == ["50 accepted 1 i1 ann"]


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
def test_time_does_not_go_back(make):
    engine = make(one())
    engine.receive(ev.Tick(), 5)
    with pytest.raises(UsageError):
        engine.receive(ann(), 4)
    assert [short(e) for e in engine.receive(ann(), 5)] == ["5 signed_in ann", "5 became_ready ann"]


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
@pytest.mark.parametrize(("limit", "kept"), [(1, "a"), (2, "ad"), (3, "acd"), (9, "abcd")])
def test_the_first_and_the_latest_messages_are_kept(make, limit, kept):
    engine = make(one(limits=Limits(max_messages=limit)))
    run(engine, [ask(thread_id="t", text=text) for text in "abcd"])
    assert [message.text for message in engine.interaction("i1").messages] == list(kept)


@pytest.mark.parametrize("make", [Engine, NaiveEngine])
def test_the_next_deadline_is_never_too_late(make):
    engine = make(one(**LADDER))
    assert engine.next_deadline() is None
    run(engine, [ask()])
    assert engine.next_deadline() == 10
