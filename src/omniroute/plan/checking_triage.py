"""Checks of triage: which messages reach which queue, and whether anyone there can serve them.

A rule gets the messages for which its condition holds and no earlier condition does; what
that leaves is decided by `logic.possible`, channel by channel where channels matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Channel
from .expression import Expression, Scope, all_of, has_skill
from .findings import Code, Finding
from .model import Capacity, Queue, TriageRule
from .survey import Survey, error, queue_path, reached, targets, warning
from .syntax import Compare, Kind, leaves

__all__ = ["check_channels", "check_requirements", "check_routes", "check_rules", "check_splits"]

_LANGUAGE = "lang:"
_SHOWN = 6


def check_rules(survey: Survey) -> Iterator[Finding]:
    """Rules that no message gets to."""
    rules = survey.plan.triage
    for number, rule in enumerate(rules):
        if number not in survey.live_rules:
            yield error(Code.UNREACHABLE_RULE, f"triage[{number}]", _why_dead(rules, number, rule))


def _why_dead(rules: tuple[TriageRule, ...], number: int, rule: TriageRule) -> str:
    if not reached(rule.when, []):
        return f"no message can satisfy {rule.when}"
    for before, other in enumerate(rules[:number]):
        if other.when is None:
            return f"triage[{before}] has no condition and takes every message before"
    for before, other in enumerate(rules[:number]):
        if other.when == rule.when:
            return f"triage[{before}] has the same condition"
    return "the rules before it take every message it is about"


def check_routes(survey: Survey) -> Iterator[Finding]:
    """Messages without a queue, and queues without messages."""
    if not survey.plan.triage:
        return
    conditions = [rule.when for rule in survey.plan.triage]
    if reached(None, conditions):
        open_channels = _channels(_alike(survey), None, conditions)
        yield warning(
            Code.UNROUTED,
            "triage",
            f"messages that match no rule are rejected, on {_some(open_channels)};"
            " a last rule without a condition takes them",
        )
    live = [survey.plan.triage[number] for number in survey.live_rules]
    fed = {name for rule in live for name in targets(rule)}
    for queue in survey.plan.queues.values():
        rules = [*queue.overflow, queue.refusal.overflow, *(s.overflow for s in queue.ladder)]
        fed.update(rule.queue for rule in rules if rule is not None and rule.queue is not None)
    for queue in survey.plan.queues.values():
        if queue.name not in fed:
            yield warning(
                Code.UNREACHED_QUEUE,
                queue_path(queue),
                "no triage rule leads here; only work submitted to it by name arrives",
            )


def _is(channel: Channel) -> Expression:
    return Expression(Compare(Kind.CHANNEL, "channel", "==", channel.value), Scope.MESSAGE)


def _alike(survey: Survey) -> list[list[Channel]]:
    """The channels in classes that no triage rule tells apart."""
    conditions = [rule.when.tree for rule in survey.plan.triage if rule.when is not None]
    named = {
        value
        for tree in conditions
        for compare in leaves(tree)
        if compare.kind is Kind.CHANNEL
        for value in (compare.value if isinstance(compare.value, tuple) else (compare.value,))
    }
    classes = [[channel] for channel in Channel if channel in named]
    rest = [channel for channel in Channel if channel not in named]
    classes += ([c for c in rest if c.is_live is live] for live in (True, False))
    return [found for found in classes if found]


def _channels(
    alike: list[list[Channel]], when: Expression | None, earlier: list[Expression | None]
) -> list[Channel]:
    """The channels of messages that satisfy ``when`` and no earlier condition."""
    found = {c for same in alike if reached(when, earlier, _is(same[0])) for c in same}
    return [channel for channel in Channel if channel in found]


def _some(channels: list[Channel]) -> str:
    if len(channels) == len(Channel):
        return "every channel"
    more = f" and {len(channels) - _SHOWN} more" if len(channels) > _SHOWN else ""
    return ", ".join(channel.value for channel in channels[:_SHOWN]) + more


def check_splits(survey: Survey) -> Iterator[Finding]:
    """Splits that leave nothing to share."""
    for number in survey.live_rules:
        rule = survey.plan.triage[number]
        where = f"triage[{number}].split"
        if sum(rule.split.values()) == 100:
            yield warning(
                Code.USELESS_SPLIT, where, f"the parts are 100: queue {rule.queue!r} gets nothing"
            )
        elif rule.queue in rule.split:
            yield warning(
                Code.USELESS_SPLIT, where, f"queue {rule.queue!r} gets what is left anyway"
            )


def check_channels(survey: Survey) -> Iterator[Finding]:
    """Channels that a rule sends to a queue where no member can carry them."""
    conditions = [rule.when for rule in survey.plan.triage]
    alike = _alike(survey)
    for number in survey.live_rules:
        rule = survey.plan.triage[number]
        for name in targets(rule):
            capacities = _capacities(survey, rule, survey.plan.queues[name])
            refused = [c for c in Channel if not any(one.admits(c) for one in capacities)]
            if not refused or not capacities:
                continue
            sent = _channels(alike, rule.when, conditions[:number])
            unserved = [channel for channel in sent if channel in refused]
            named = len(_channels(alike, rule.when, [])) < len(Channel)
            if unserved and (named or len(unserved) == len(sent)):
                yield error(
                    Code.UNSERVED_CHANNEL,
                    f"triage[{number}]",
                    f"sends {_some(unserved)} to queue {name!r}, where the capacity of no"
                    " agent admits it",
                )


def _capacities(survey: Survey, rule: TriageRule, queue: Queue) -> list[Capacity]:
    """The capacities of those who may take what the rule sends; empty when nobody may."""
    known = survey.plan.capacities
    if not survey.agents:
        return list(known.values())
    steps = [survey.requirement_at(queue, step, rule.requirement) for step in queue.ladder]
    names = {agent.capacity for agent in survey.members(steps)}
    return [capacity for name, capacity in known.items() if name in names]


def check_requirements(survey: Survey) -> Iterator[Finding]:
    """What a rule itself requires, by its requirement or by the message's language."""
    languages = [name for name in survey.plan.skills if name.startswith(_LANGUAGE)]
    for number in survey.live_rules:
        rule = survey.plan.triage[number]
        for queue in (survey.plan.queues[name] for name in targets(rule)):
            last = queue.ladder[-1]
            if survey.nobody(all_of(queue.members, last.requirement)):
                continue
            if survey.nobody(survey.requirement_at(queue, last, rule.requirement)):
                yield error(
                    Code.NOBODY,
                    f"triage[{number}].requirement",
                    f"no agent can take it, not even at the last step of queue {queue.name!r}:"
                    f" {survey.requirement_at(queue, last, rule.requirement)}",
                )
            elif rule.match_language:
                yield from _match_language(survey, number, queue, languages)


def _match_language(
    survey: Survey, number: int, queue: Queue, languages: list[str]
) -> Iterator[Finding]:
    rule, where = survey.plan.triage[number], f"triage[{number}].match_language"
    last = queue.ladder[-1]
    if survey.plan.skills and not languages:
        yield warning(
            Code.NO_LANGUAGE_SKILL,
            where,
            "the plan defines skills, but none named lang:.., so the language never matters",
        )
    unserved = [
        name
        for name in languages
        if _may_be_in(rule, name.removeprefix(_LANGUAGE))
        and survey.nobody(
            survey.requirement_at(queue, last, all_of(rule.requirement, has_skill(name)))
        )
    ]
    if unserved:
        yield error(
            Code.UNSERVED_LANGUAGE,
            where,
            f"messages that ask for {', '.join(unserved)} wait for ever in queue {queue.name!r}:"
            " no agent has it, and the last step does not drop it",
        )
    elif survey.agents and not survey.plan.skills and "*" not in last.drop:
        yield warning(
            Code.UNSERVED_LANGUAGE,
            where,
            f"a message in a language that no agent has waits for ever in queue {queue.name!r}:"
            " define the lang:.. skills that count, or let the last step drop '*'",
        )


def _may_be_in(rule: TriageRule, language: str) -> bool:
    tree = Compare(Kind.TEXT, "language", "==", language)
    return reached(rule.when, [], Expression(tree, Scope.MESSAGE))
