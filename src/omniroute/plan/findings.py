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
    OVERLAPPING_STEP = "overlapping_step"  #: a ladder step that an earlier one covers
    USELESS_CONDITION = "useless_condition"  #: an `only_if` that decides nothing
    UNREACHABLE_ACCESS = "unreachable_access"  #: an access row that no member gets to
    UNREACHABLE_RULE = "unreachable_rule"  #: a triage rule that no message gets to
    UNROUTED = "unrouted"  #: messages that match no triage rule
    UNREACHED_QUEUE = "unreached_queue"  #: a queue that no triage rule leads to
    USELESS_SPLIT = "useless_split"  #: a split that leaves nothing for the queue of its rule
    UNSERVED_LANGUAGE = "unserved_language"  #: `match_language` asks for what nobody speaks
    NO_LANGUAGE_SKILL = "no_language_skill"  #: `match_language`, but no skill ``lang:..``
    UNSERVED_CHANNEL = "unserved_channel"  #: a channel that no member's capacity can carry
    CHANNEL_NEVER_FITS = "channel_never_fits"  #: a cost above the whole budget
    USELESS_CAPACITY = "useless_capacity"  #: a capacity with which nothing is ever offered
    USELESS_INTERRUPTION = "useless_interruption"  #: allowed, but the two never fit together
    UNREACHABLE_OVERFLOW = "unreachable_overflow"  #: an overflow rule that never applies
    USELESS_OVERFLOW = "useless_overflow"  #: an overflow rule, or a part of it, without effect
    OVERFLOW_LOOP = "overflow_loop"  #: queues that overflow into each other
    NEVER_OPENS = "never_opens"  #: business hours that nothing ever opens
    UNUSED_HOURS = "unused_hours"  #: hours of a queue that no rule asks about
    STARVING_PRIORITY = "starving_priority"  #: strict bands: the lower wait while the higher come
    STARVING_TIER = "starving_tier"  #: every agent of the queue serves an earlier tier first
    STARVING_CAP = "starving_cap"  #: points that end, beside work whose points do not
    STARVING_OLDEST = "starving_oldest"  #: newest first: the oldest may wait for ever
    ONLY_AGENT = "only_agent"  #: kinds of work that need the same one agent
    MIXED_ORDER = "mixed_order"  #: orders that do not compare, for the same agents in one tier
    OFFER_OUTLASTS_STEP = "offer_outlasts_step"  #: one unanswered offer takes the whole step
    OFFER_OUTLASTS_TARGET = "offer_outlasts_target"  #: ... or the whole service level target
    TOO_LATE = "too_late"  #: what comes only after `max_wait_s` is over
    WRAP_UP_WITHOUT_TIME = "wrap_up_without_time"  #: a timed or forced wrap-up of no duration
    USELESS_WRAP_UP = "useless_wrap_up"  #: times of a wrap-up that does not end by time
    USELESS_STRATEGY = "useless_strategy"  #: a strategy that has nothing to compare agents by
    LIMIT_UNREACHABLE = "limit_unreachable"  #: a queue's `max_waiting` above that of the plan
    IDLE_AGENT = "idle_agent"  #: an agent whom no queue admits


@attrs.frozen
class Finding:
    """One thing to look at: ``where`` is the key path in the plan (``queues.billing``)."""

    severity: Severity
    code: Code
    where: str
    message: str
