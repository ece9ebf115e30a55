"""A small language for scenarios: what is done, when, and all that comes of it.

A line is ``<seconds> <who> <what> [key=value ...] => <outcome>; <outcome>``. Without ``=>`` nothing
comes of it that anybody would notice. Interactions have the names that the script gives them;
agents are those of the plan (or strangers without skills). The words are in `_ACTIONS` and
`_OUTCOMES`.
"""

from __future__ import annotations

import shlex
from typing import Any

from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.model import Agent, Channel, Customer, Message
from omniroute.plan import Plan


class Play:
    """One scenario on one engine (or the slow model, which has the same `receive`)."""

    def __init__(self, plan: Plan, engine: Any, *, restored: bool = False) -> None:
        self.plan = plan
        self.engine = engine
        self.restored = restored
        self.plans: dict[str, str] = {}
        #: (interaction, agent) -> offer
        self.offers: dict[tuple[str, str], int] = {}

    def line(self, text: str) -> tuple[list[str], list[str]]:
        """Do one line; what came of it, and what should have."""
        done, _, expected = text.partition("=>")
        wanted = [outcome.strip() for outcome in expected.split(";") if outcome.strip()]
        at, *words = shlex.split(done)
        if words[:1] == ["order"]:
            return self.order(words[1]), wanted
        command = self.command(words)
        events = self.engine.receive(command, round(float(at) * 1000))
        for event in events:
            if isinstance(event, ev.Offered):
                self.offers[event.interaction_id, event.agent_id] = event.offer_id
            elif isinstance(event, ev.HandedOver):
                self.offers[event.interaction_id, event.to_agent_id] = event.offer_id
        if self.restored:
            self.engine = Engine.restore(self.engine.plan, self.engine.snapshot())
        found = [_OUTCOMES[type(e)](e) for e in events if type(e) in _OUTCOMES]
        return [part for outcome in found for part in outcome.split("; ") if part], wanted

    def order(self, queue: str) -> list[str]:
        """The names of what waits in a queue, in order of place; the engine's own answer."""
        waiting = [i for i in self.engine.interactions() if i.queue == queue]
        places = {i.id: self.engine.explain(i.id).position for i in waiting}
        found = sorted((place, name) for name, place in places.items() if place is not None)
        return [" ".join(name for _, name in found)]

    def command(self, words: list[str]) -> ev.Command:
        who, what = words[:2]
        given = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        plain = [word for word in words[2:] if "=" not in word]
        return _ACTIONS[what](self, who, plain, given)

    def agent(self, name: str, given: dict[str, str]) -> Agent:
        known = self.plan.agents.get(name) or Agent(id=name)
        skills = dict(known.skills)
        for skill in given.get("skills", "").split(","):
            if skill:
                key, _, level = skill.partition(":")
                skills[key] = int(level or 1)
        capacity = given.get("capacity", known.capacity)
        return Agent(
            id=name,
            skills=skills,
            groups=tuple(given["groups"].split(",")) if "groups" in given else known.groups,
            attributes=known.attributes,
            capacity=capacity,
            wrap_up_ms=known.wrap_up_ms,
        )

    def offer(self, agent: str, interaction: str) -> int:
        return self.offers.get((interaction, agent), 999)


def _asks(play: Play, who: str, plain: list[str], given: dict[str, str]) -> ev.Command:
    attributes: dict[str, Any] = {
        key[5:]: int(value) if value.lstrip("-").isdigit() else value
        for key, value in given.items()
        if key.startswith("attr.")
    }
    message = Message(
        channel=Channel(given.get("by", "voice")),
        customer=Customer(id=given.get("customer", "")),
        thread_id=given.get("thread"),
        text=given.get("text", ""),
        language=given.get("language"),
        attributes=attributes,
    )
    steps = ()
    if "first" in given:
        name, seconds, *priority = given["first"].split(":")
        step = ev.OwnStep(
            f'agent == "{name}"',
            int(seconds) * 1000,
            skip_if_nobody=True,
            priority=int(priority[0]) if priority else None,
        )
        steps = (step,)
    return ev.Submit(
        message,
        plain[0] if plain else None,
        _number(given, "priority"),
        given.get("need"),
        who,
        steps,
    )


def _number(given: dict[str, str], key: str) -> int | None:
    return int(given[key]) if key in given else None


def _reprioritize(play: Play, who: str, plain: list[str], given: dict[str, str]) -> ev.Command:
    since = float(given["since"]) * 1000 if "since" in given else None
    return ev.Reprioritize(
        who, _number(given, "priority"), None if since is None else round(since), "boss"
    )


def _transfer(play: Play, who: str, plain: list[str], given: dict[str, str]) -> ev.Command:
    return ev.Transfer(
        play.offer(who, plain[0]),
        given.get("queue"),
        given.get("agent"),
        _number(given, "priority"),
        given.get("need"),
    )


def _move(play: Play, who: str, plain: list[str], given: dict[str, str]) -> ev.Command:
    return ev.Move(who, plain[0], _number(given, "priority"), given.get("need"), "boss")


def _plan(play: Play, who: str, plain: list[str], given: dict[str, str]) -> ev.Command:
    moves = tuple(tuple(m.split(":")) for m in given.get("moves", "").split(",") if m)
    return ev.ChangePlan(play.plans[who], given.get("waiting") == "anew", moves, "boss")


#: word -> the command it is: (play, who, plain words, words with a key)
_ACTIONS: dict[str, Any] = {
    "asks": _asks,
    "leaves": lambda p, w, a, g: ev.Abandon(w),
    "is-cancelled": lambda p, w, a, g: ev.Cancel(w, a[0] if a else "", "boss"),
    "is-moved": _move,
    "is-ranked": _reprioritize,
    "is-given-to": lambda p, w, a, g: ev.Assign(w, a[0], "boss"),
    "wants-a-call": lambda p, w, a, g: ev.RequestCallback(w, "tel", _at(g, "at")),
    "returns": lambda p, w, a, g: ev.Unpark(w),
    "signs-in": lambda p, w, a, g: ev.SignIn(p.agent(w, g), g.get("ready") != "no"),
    "signs-out": lambda p, w, a, g: ev.SignOut(w),
    "is-ready": lambda p, w, a, g: ev.SetReady(w),
    "is-away": lambda p, w, a, g: ev.SetNotReady(w, a[0] if a else ""),
    "changes": lambda p, w, a, g: ev.ChangeAgent(p.agent(w, g)),
    "accepts": lambda p, w, a, g: ev.Accept(p.offer(w, a[0])),
    "declines": lambda p, w, a, g: ev.Decline(p.offer(w, a[0])),
    "picks": lambda p, w, a, g: ev.Pick(a[0], w),
    "completes": lambda p, w, a, g: ev.Complete(p.offer(w, a[0]), g.get("code", "")),
    "is-done-with": lambda p, w, a, g: ev.FinishWrapUp(p.offer(w, a[0])),
    "extends": lambda p, w, a, g: ev.ExtendWrapUp(p.offer(w, a[0]), int(g["by"]) * 1000),
    "gives-back": lambda p, w, a, g: ev.Requeue(p.offer(w, a[0])),
    "holds": lambda p, w, a, g: ev.Hold(p.offer(w, a[0])),
    "parks": lambda p, w, a, g: ev.Park(p.offer(w, a[0]), _at(g, "until")),
    "transfers": _transfer,
    "consults": lambda p, w, a, g: ev.Consult(p.offer(w, a[0]), g.get("queue"), g.get("agent")),
    "hands-over": lambda p, w, a, g: ev.HandOver(p.offer(w, a[0])),
    "reaches-nobody": lambda p, w, a, g: ev.FailCallback(p.offer(w, a[0])),
    "drains": lambda p, w, a, g: ev.Drain(a[0], w),
    "moves-all": lambda p, w, a, g: ev.MoveAll(a[0], a[1], w),
    "takes-over": _plan,
    "passes": lambda p, w, a, g: ev.Tick(),
}


def _at(given: dict[str, str], key: str) -> int | None:
    return round(float(given[key]) * 1000) if key in given else None


def _queued(event: ev.Queued) -> str:
    said = []
    if event.via:
        said.append(f"{event.interaction_id} goes on to {event.queue}")
    if event.hint:
        said.append(f"hint {event.hint}")
    return "; ".join(said)


def _became_not_ready(event: ev.BecameNotReady) -> str:
    return f"{event.agent_id} away" + (f" ({event.reason})" if event.reason else "")


_OUTCOMES: dict[type, Any] = {
    ev.Queued: _queued,
    ev.Offered: lambda e: f"{e.agent_id} <- {e.interaction_id}",
    ev.Rejected: lambda e: f"{e.interaction_id} rejected {e.reason}",
    ev.Cancelled: lambda e: f"{e.interaction_id} cancelled {e.reason}",
    ev.Abandoned: lambda e: f"{e.interaction_id} left",
    ev.Expired: lambda e: f"{e.interaction_id} unanswered by {e.agent_id}",
    ev.Revoked: lambda e: f"{e.interaction_id} taken from {e.agent_id}",
    ev.BecameNotReady: _became_not_ready,
    ev.SignedOut: lambda e: f"{e.agent_id} out",
    ev.Moved: lambda e: f"{e.interaction_id} moved to {e.queue} at {e.priority}",
    ev.Reprioritized: lambda e: f"{e.interaction_id} at {e.priority}",
    ev.CommandRejected: lambda e: f"refused {e.reason}",
    ev.Scheduled: lambda e: f"{e.interaction_id} later",
    ev.CallbackFailed: lambda e: f"{e.interaction_id} again later",
    ev.Started: lambda e: f"{e.interaction_id} begins",
    ev.MessageAppended: lambda e: f"{e.interaction_id} goes on",
    ev.WrapUpStarted: lambda e: f"{e.agent_id} wraps up",
    ev.Completed: lambda e: f"{e.interaction_id} done" + (f" ({e.code})" if e.code else ""),
    ev.Unparked: lambda e: f"{e.interaction_id} back",
    ev.HandedOver: lambda e: f"{e.interaction_id} handed to {e.to_agent_id}",
}
