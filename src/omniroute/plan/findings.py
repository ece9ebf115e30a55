"""What `check` reports: a closed list of codes, each with what it means."""

from __future__ import annotations

import enum

import attrs

__all__ = ["Code", "Finding", "Severity"]


class Severity(enum.StrEnum):
    """Whether a plan may go live with it."""

    ERROR = "error"  #: work would be lost, wait for ever, or go elsewhere than the plan says
    WARNING = "warning"  #: it works, but perhaps not as meant


class Code(enum.StrEnum):
    """Every kind of finding. A code never changes its meaning."""

    NO_QUEUE = "no_queue"  #: the plan has no queue
    UNKNOWN_NAME = "unknown_name"  #: an agent, group or attribute that no agent of the plan has
    SKILL_OUT_OF_REACH = "skill_out_of_reach"  #: a level above the highest, or that no agent has
    NOBODY = "nobody"  #: no agent satisfies this
    UNREACHABLE_STEP = "unreachable_step"  #: a ladder step that ends before it can begin
    USELESS_STEP = "useless_step"  #: a ladder step that admits nobody the step before did not
    UNREACHABLE_RULE = "unreachable_rule"  #: a triage rule that no message gets to
    UNROUTED = "unrouted"  #: messages that match no triage rule
    UNREACHED_QUEUE = "unreached_queue"  #: a queue that no triage rule leads to
    UNSERVED_LANGUAGE = "unserved_language"  #: `match_language` asks for what nobody speaks
    NO_LANGUAGE_SKILL = "no_language_skill"  #: `match_language`, but no skill ``lang:..``
    UNSERVED_CHANNEL = "unserved_channel"  #: a channel that no member's capacity can carry
    CHANNEL_NEVER_FITS = "channel_never_fits"  #: a cost above the whole budget
    USELESS_CAPACITY = "useless_capacity"  #: a capacity with which nothing is ever offered
    USELESS_INTERRUPTION = "useless_interruption"  #: allowed, but the two never fit together
    STARVING_PRIORITY = "starving_priority"  #: strict bands: the lower wait while the higher come
    STARVING_TIER = "starving_tier"  #: every agent of the queue serves an earlier tier first
    MIXED_ORDER = "mixed_order"  #: strict and head start for the same agents in one tier
    OFFER_OUTLASTS_STEP = "offer_outlasts_step"  #: one unanswered offer takes the whole step
    OFFER_OUTLASTS_TARGET = "offer_outlasts_target"  #: ... or the whole service level target
    WRAP_UP_WITHOUT_TIME = "wrap_up_without_time"  #: a timed or forced wrap-up of no duration
    LIMIT_UNREACHABLE = "limit_unreachable"  #: a queue's `max_waiting` above that of the plan
    IDLE_AGENT = "idle_agent"  #: an agent whom no queue admits


@attrs.frozen
class Finding:
    """One thing to look at: ``where`` is the key path in the plan (``queues.billing``)."""

    severity: Severity
    code: Code
    where: str
    message: str
