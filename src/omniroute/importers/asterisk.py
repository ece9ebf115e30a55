"""Asterisk's ``queues.conf`` into a plan.

Takes the file as it is: sections, templates (``[name](!)``, ``[name](template)``, ``(+)``),
comments. Options are those of the sample file that Asterisk ships.

How it maps: members are agents by their interface (``PJSIP/1001``). Where penalties differ,
or the strategy is ``linear``, their rank is the level of a skill (see `ranking`). Priority is
strict, as ``QUEUE_PRIO`` is; a heavier queue goes first for members of several: a tier.
Which call goes to which queue is said by the dialplan, so there are no triage rules.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import attrs

from ..errors import PlanError
from ..model import Agent
from ..plan import OnExpiry, Queue, Refusal, ServiceLevel, Strategy, Strict, WrapUp
from .documents import Notes, checked_text
from .draft import FOR_EVER, Draft, clean
from .ranking import MAX_OFFERS, give_weights, members_of
from .report import Imported
from .wrapping import give_wrap_ups

__all__ = ["import_asterisk"]

_SECTION = re.compile(r"\[([^\]]+)\]\s*(?:\(([^)]*)\))?")
_OPTION = re.compile(r"([^=>]+?)\s*=>?\s*(.*)")
_COMMENT = re.compile(r"(?<!\\);.*")
_MAX_SECONDS = 10**7
_MAX_LINES = 200_000
_UNLIMITED = 100_000
_TRUE = frozenset({"yes", "true", "y", "t", "1", "on"})

_STRATEGIES = {
    "leastrecent": (Strategy.LONGEST_IDLE, ""),
    "rrmemory": (Strategy.ROUND_ROBIN, ""),
    "rrordered": (Strategy.ROUND_ROBIN, ""),
    "roundrobin": (Strategy.ROUND_ROBIN, ""),
    "linear": (Strategy.MOST_SKILLED, ""),
    "ringall": (Strategy.LONGEST_IDLE, ""),  # with an offer to everybody at once
    "fewestcalls": (Strategy.WEIGHTED, "offers since the sign-in count, not calls completed"),
    "random": (Strategy.ROUND_ROBIN, "every decision is deterministic"),
    "wrandom": (Strategy.ROUND_ROBIN, "every decision is deterministic"),
}

_BY_PENALTY = {"ringall": "members of every penalty ring at once"}

_WHY = {
    "joinempty": "a queue takes work whether or not somebody is there",
    "leavewhenempty": "work stays when everybody leaves",
    "defaultrule": "it is in queuerules.conf; a ladder widens a queue with time",
    "penaltymemberslimit": "ranks count however many members there are",
    "retry": "nothing is tried again later: matching happens when something changes",
    "context": "leaving by a key is for the dialplan to do: it abandons the interaction",
    "ringinuse": "a member is offered as much as his capacity holds, here one call",
    "timeoutrestart": "each offer has a deadline of its own",
    "timeoutpriority": "each offer has a deadline of its own",
    "force_longest_waiting_caller": "between queues of one tier the longest waiting goes first",
    "autopausedelay": "presence changes at once",
    "autopausebusy": "a declined offer does not change presence",
    "autopauseunavail": "a declined offer does not change presence",
    "persistentmembers": "agents sign in; the journal remembers them",
    "autofill": "work is always matched in parallel",
}
_SOUND = "announcements, music and recordings are made by the telephone system"


@attrs.define
class _Section:
    """One section: options in order, with their lines."""

    name: str
    line: int
    is_template: bool = False
    options: list[tuple[str, str, int]] = attrs.field(factory=list)

    def last(self, key: str) -> tuple[str, int] | None:
        found = [(value, line) for name, value, line in self.options if name == key]
        return found[-1] if found else None


def import_asterisk(text: str) -> Imported:
    """The plan of a ``queues.conf``. Raises `PlanError` when it has no queue."""
    draft = Draft("asterisk", max_offers=FOR_EVER)
    sections = _sections(checked_text(text), draft.notes)
    general = [s for s in sections if s.name == "general"]
    queues = [s for s in sections if s.name != "general" and not s.is_template]
    if not queues:
        raise PlanError("there is no queue in this asterisk file")
    shared = False
    for section in general:
        for key, value, line in section.options:
            if key == "shared_lastcall":
                shared = value.lower() in _TRUE
            else:
                _left_out(draft.notes, "general", key, value, line)
    weights = {section.name: _number(draft.notes, section, "weight", 0) or 0 for section in queues}
    tiers = sorted(set(weights.values()), reverse=True)
    times_s = {
        section.name: _read_queue(draft, section, tiers.index(weights[section.name]))
        for section in queues
    }
    give_wrap_ups(draft, times_s, own_queue_only=not shared)
    draft.notes.left_out(
        "extensions.conf", "which call goes to which queue", "the dialplan says so",
        "submit a call with the name of its queue, or add triage rules",
    )  # fmt: skip
    return draft.finished()


# --- the file ---------------------------------------------------------------------------


def _sections(text: str, notes: Notes) -> list[_Section]:
    found: dict[str, _Section] = {}
    here: _Section | None = None
    lines = _uncommented(text).split("\n")
    if len(lines) > _MAX_LINES:
        raise PlanError(f"the file has {len(lines)} lines, at most {_MAX_LINES} are allowed")
    for number, raw in enumerate(lines, 1):
        line = _COMMENT.sub("", raw).replace("\\;", ";").strip()
        if not line:
            continue
        where = f"line {number}"
        if line.startswith("#"):
            notes.left_out(where, line, "other files are not read", "put its text into this one")
        elif line.startswith("["):
            here = _section(line, number, found, notes)
        elif (option := _OPTION.fullmatch(line)) is None or here is None:
            notes.left_out(where, line, "this is no option of a section")
        else:
            here.options.append((option[1].strip().lower(), option[2].strip(), number))
    return list(found.values())


def _section(line: str, number: int, found: dict[str, _Section], notes: Notes) -> _Section | None:
    match = _SECTION.fullmatch(line)
    name = clean(match[1]) if match else ""
    if match is None or not match[1].strip():
        notes.left_out(f"line {number}", line, "this is no section")
        return None
    marks = [mark.strip() for mark in (match[2] or "").split(",") if mark.strip()]
    if name in found and ("+" in marks or name == "general"):
        return found[name]
    section = _Section(name, number, "!" in marks)
    if name in found:
        notes.changed(f"line {number}", f"[{name}]", "this section is there already",
                      "the later one counts")  # fmt: skip
    for mark in marks:
        if mark in found:
            section.options += found[mark].options
        elif mark not in ("!", "+"):
            notes.left_out(f"line {number}", f"the template {mark}", "it is not in the file before")
    found[name] = section
    return section


def _uncommented(text: str) -> str:
    """The text without ``;-- ... --;``, with its line breaks."""
    return re.sub(r";--(?!-).*?--;", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)


def _left_out(notes: Notes, name: str, key: str, value: str, line: int) -> None:
    notes.left_out(f"line {line}", f"{name}: {key} = {value}", _WHY.get(key, _SOUND))


def _number(notes: Notes, section: _Section, key: str, low: int) -> int | None:
    found = section.last(key)
    if found is None:
        return None
    value, line = found
    if re.fullmatch(r"-?[0-9]{1,9}", value) and low <= int(value) <= _MAX_SECONDS:
        return int(value)
    notes.left_out(f"line {line}", f"{key} = {value}", f"it should be a number from {low}")
    return None


# --- one queue --------------------------------------------------------------------------

_READ = frozenset(
    {"strategy", "timeout", "wrapuptime", "weight", "servicelevel", "maxlen", "member", "autopause"}
)


def _read_queue(draft: Draft, section: _Section, tier: int) -> dict[str, int]:
    """Add a queue and its members to the draft; returns their wrap-up times in seconds."""
    notes = draft.notes
    where = f"line {section.line}"
    word, line = section.last("strategy") or ("ringall", section.line)
    word = word.lower()
    strategy, lost = _STRATEGIES.get(word, (Strategy.LONGEST_IDLE, "this strategy is not known"))
    found = _members(draft, section, in_order=word == "linear")
    ranks = {ident: member.rank for ident, member in found.items()}
    wrap_up_s = _number(notes, section, "wrapuptime", 0) or 0
    members, ranked = members_of(draft, section.name, ranks)
    if ranked is not None and word not in ("linear", "leastrecent"):
        lost = lost or _BY_PENALTY.get(word, "members of one penalty are chosen by idle time")
        strategy = ranked
    if ranked is None and strategy is Strategy.MOST_SKILLED:
        strategy = Strategy.LONGEST_IDLE  # linear, with fewer than two members
    strategy = ranked or strategy
    if strategy is Strategy.WEIGHTED:
        give_weights(draft, ranks)
    if lost:
        notes.changed(f"line {line}", f"strategy = {word}", lost, f"strategy {strategy.value}")
    timeout_s = _number(notes, section, "timeout", 0)
    if timeout_s == 0:
        notes.changed(where, "timeout = 0", "no offer is open for ever", "20 seconds")
    level_s = _number(notes, section, "servicelevel", 0)
    queue = Queue(
        name=section.name,
        members=members,
        order=Strict(),
        strategy=strategy,
        offers=MAX_OFFERS if word == "ringall" else 1,
        tier=tier,
        offer_timeout_ms=1000 * ((15 if timeout_s is None else timeout_s) or 20),
        on_expiry=_on_expiry(section, notes),
        refusal=Refusal("at_once"),
        wrap_up=WrapUp("forced", 1000 * wrap_up_s) if wrap_up_s else WrapUp(),
        service_level=ServiceLevel(1000 * level_s) if level_s else ServiceLevel(),
        max_waiting=_number(notes, section, "maxlen", 0) or _UNLIMITED,
    )
    draft.add_queue(queue, where)
    for key, value, number in section.options:
        if key not in _READ:
            _left_out(notes, section.name, key, value, number)
    return {ident: member.wrap_up_s or wrap_up_s for ident, member in found.items()}


def _on_expiry(section: _Section, notes: Notes) -> OnExpiry:
    value, line = section.last("autopause") or ("no", 0)
    if value.lower() == "all":
        return OnExpiry.NOT_READY
    if value.lower() in _TRUE:
        notes.changed(
            f"line {line}", f"autopause = {value}", "there is one presence for all queues",
            "not ready in every queue, as autopause = all",
        )  # fmt: skip
        return OnExpiry.NOT_READY
    return OnExpiry.NOTHING


class _Member(NamedTuple):
    """One member of one queue: penalty and, where the order counts, position; his wrap-up time."""

    rank: tuple[int, int]
    wrap_up_s: int


def _members(draft: Draft, section: _Section, *, in_order: bool) -> dict[str, _Member]:
    found: dict[str, _Member] = {}
    for key, value, line in section.options:
        if key != "member":
            continue
        parts = [part.strip() for part in value.split(",")]
        if not parts[0]:
            draft.notes.left_out(f"line {line}", f"member => {value}", "it names no interface")
            continue
        ident = clean(parts[0])
        penalty, name, *rest = [*parts[1:], "", ""][: max(2, len(parts) - 1)]
        if penalty and not re.fullmatch(r"[0-9]{1,9}", penalty):
            draft.notes.left_out(f"line {line}", f"penalty {penalty}", "it should be a number")
            penalty = ""
        wrap_up_s = 0
        for what, given in zip(("state interface", "ringinuse", "wrapuptime", "paused"), rest,
                               strict=False):  # fmt: skip
            if what == "wrapuptime" and re.fullmatch(r"[0-9]{1,6}", given):
                wrap_up_s = int(given)
            elif given:
                draft.notes.left_out(
                    f"line {line}", f"{what} {given} of {ident}",
                    "a member's own setting; here it belongs to the queue or to his presence",
                )  # fmt: skip
        if ident not in draft.agents:
            draft.agents[ident] = Agent(id=ident, name=clean(name) if name else "")
        rank = int(penalty or 0), len(found) if in_order else 0
        found.setdefault(ident, _Member(rank, wrap_up_s))
    return found
