"""The closed lists that a plan chooses from, and how a name becomes one of their members."""

from __future__ import annotations

import enum
from typing import TypeVar

from ..errors import UnknownNameError

__all__ = [
    "Delivery",
    "OnExpiry",
    "OnRequeue",
    "RefusalRule",
    "Strategy",
    "WrapUpKind",
    "delivery",
    "on_expiry",
    "on_requeue",
    "refusal_rule",
    "strategy",
    "wrap_up_kind",
]


class Strategy(enum.StrEnum):
    """How one agent is chosen among the eligible. Every tie ends in longest idle."""

    LONGEST_IDLE = "longest_idle"
    LEAST_OCCUPIED = "least_occupied"
    ROUND_ROBIN = "round_robin"
    MOST_SKILLED = "most_skilled"
    LEAST_SKILLED = "least_skilled"
    FEWEST_SKILLS = "fewest_skills"  #: keep the versatile free
    WEIGHTED = "weighted"  #: offers in proportion to the agents' attribute ``weight``
    SCORED = "scored"  #: by a function of the user: `Queue.scorer`


class OnExpiry(enum.StrEnum):
    """What happens to an agent who lets an offer expire (redirect on no answer)."""

    NOT_READY = "not_ready"
    NOTHING = "nothing"
    SIGN_OUT = "sign_out"


class OnRequeue(enum.StrEnum):
    """Where an interaction that an agent gives back waits again."""

    KEEP_PLACE = "keep_place"
    JOIN_END = "join_end"


class Delivery(enum.StrEnum):
    """Whether interactions are offered to agents or agents choose among what they may see."""

    PUSH = "push"
    PULL = "pull"
    PUSH_AND_PULL = "push_and_pull"


class RefusalRule(enum.StrEnum):
    """Whether an agent who declined an interaction may be offered it again."""

    NEVER_AGAIN = "never_again"  #: not while this interaction waits
    AFTER = "after"  #: after `Refusal.after_ms`
    ALL_DECLINED = "all_declined"  #: once every eligible signed-in agent has declined
    AT_ONCE = "at_once"  #: no memory; the agent goes to the end of the idle order


class WrapUpKind(enum.StrEnum):
    """After-contact work once the customer has gone."""

    NONE = "none"
    OPTIONAL = "optional"  #: ends when the agent says so
    TIMED = "timed"  #: ends at the latest after `WrapUp.duration_ms`
    FORCED = "forced"  #: ends exactly after `WrapUp.duration_ms`


_Choice = TypeVar("_Choice", bound=enum.StrEnum)


def _choice(kind: type[_Choice], name: str, value: str) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        raise UnknownNameError(name, str(value), [choice.value for choice in kind]) from None


def strategy(value: Strategy | str) -> Strategy:
    """The strategy of that name; raises `UnknownNameError`."""
    return _choice(Strategy, "strategy", value)


def on_expiry(value: OnExpiry | str) -> OnExpiry:
    """The what happens on expiry of that name; raises `UnknownNameError`."""
    return _choice(OnExpiry, "on_expiry", value)


def on_requeue(value: OnRequeue | str) -> OnRequeue:
    """The place after a requeue of that name; raises `UnknownNameError`."""
    return _choice(OnRequeue, "on_requeue", value)


def delivery(value: Delivery | str) -> Delivery:
    """The delivery of that name; raises `UnknownNameError`."""
    return _choice(Delivery, "delivery", value)


def refusal_rule(value: RefusalRule | str) -> RefusalRule:
    """The refusal rule of that name; raises `UnknownNameError`."""
    return _choice(RefusalRule, "refusal rule", value)


def wrap_up_kind(value: WrapUpKind | str) -> WrapUpKind:
    """The kind of wrap-up of that name; raises `UnknownNameError`."""
    return _choice(WrapUpKind, "wrap-up kind", value)
