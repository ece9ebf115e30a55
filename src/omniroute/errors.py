"""Every exception omniroute raises. Who is to blame shows in the type.

OmnirouteError
|-- UsageError                the caller's mistake; fix the call
|   |-- UnknownNameError      a name that is not in the plan (also LookupError)
|   |-- PlanError             a plan that cannot be loaded or built (also ValueError)
|   |   `-- ExpressionError   a requirement or rule that does not parse; carries the position
|   |-- CommandError          a command with an impossible value (also ValueError)
|   `-- MissingExtraError     an optional dependency is not installed (also ImportError)
|-- PayloadError              the sender's fault: not what the provider documents (also ValueError)
|   |-- PayloadTooLargeError  over a limit of the plan
|   `-- SignatureError        not authentic; answer 401
`-- RouterError               the running router cannot do it now
    |-- RouterClosedError     not started, closed, or stopped by a failure (its cause is chained)
    |-- RouterBusyError       the inbox is full; try again later (also TimeoutError)
    |-- NoOwnerError          of a cluster: nobody owns the partition at the moment
    |-- SignInError           the agent is signed in already, or too many are
    |-- MeetingError          the meeting provider gave no link; nothing has changed
    `-- JournalError          an append or a read failed; the router stops
        |-- CorruptJournalError   a record or a snapshot is damaged; says which, and how
        |-- FencedError           another writer has taken over
        |-- VaultError            the keys of a sealed journal cannot be had: another master key
        |-- JournalFullError      no room is left; nothing was written
        |-- PositionTakenError    of a store: a record is there already
        `-- AppendUnknownError    of a store: the answer was lost

Business outcomes (queue full, a late accept) are events, never exceptions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AppendUnknownError",
    "CommandError",
    "CorruptJournalError",
    "ExpressionError",
    "FencedError",
    "JournalError",
    "JournalFullError",
    "MeetingError",
    "MissingExtraError",
    "NoOwnerError",
    "OmnirouteError",
    "PayloadError",
    "PayloadTooLargeError",
    "PlanError",
    "PositionTakenError",
    "RouterBusyError",
    "RouterClosedError",
    "RouterError",
    "SignInError",
    "SignatureError",
    "UnknownNameError",
    "UsageError",
    "VaultError",
    "hint",
    "nearest",
]


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The allowed name closest to ``name``, case aside, or None when nothing is close."""
    by_folded = {candidate.casefold(): candidate for candidate in allowed}
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


#: So many known names are told.
_TOLD = 12


def hint(name: str, allowed: Iterable[str], *, of: str = "known") -> str:
    """The end of a message about an unknown name: the nearest, and what there is; or nothing."""
    known = tuple(sorted(allowed))
    close = nearest(name, known)
    more = ", ..." if len(known) > _TOLD else ""
    told = f"{of}: {', '.join(known[:_TOLD])}{more}"
    if close is not None:
        return f"; did you mean {close!r}?" + (f" ({told})" if len(known) > 1 else "")
    return f"; {told}" if known else ""


class OmnirouteError(Exception):
    """The root: catch this to catch everything omniroute raises on purpose."""


class UsageError(OmnirouteError):
    """The caller's mistake: the message names what, where and what would be right."""


class UnknownNameError(UsageError, LookupError):
    """A name that the plan does not define.

    ``kind`` is what it should name ("queue"), ``name`` what was given, ``allowed`` the
    defined names (None: ids of the moment, which are not told), ``suggestion`` the closest of
    them or None, ``where`` the place.
    """

    def __init__(
        self, kind: str, name: str, allowed: Iterable[str] | None, *, where: str = ""
    ) -> None:
        self.kind = kind
        self.name = name
        self.allowed = () if allowed is None else tuple(sorted(allowed))
        self.where = where
        self.suggestion = nearest(name, self.allowed)
        place = f" in {where}" if where else ""
        if self.allowed:
            ending = hint(name, self.allowed)
        elif allowed is None:
            ending = f": no {kind} of that id is open"
        else:
            ending = f"; the plan defines no {kind}"
        super().__init__(f"unknown {kind} {name!r}{place}{ending}")


class PlanError(UsageError, ValueError):
    """A plan that cannot be loaded or built.

    ``where`` is the file and the key path, ``message`` the text without it. When a plan has
    several faults they are reported together: ``faults`` holds each, else it is empty.
    """

    def __init__(self, message: str, *, where: str = "", faults: Iterable[UsageError] = ()) -> None:
        self.message = message
        self.where = where
        self.faults = tuple(faults)
        super().__init__(f"{where}: {message}" if where else message)


class ExpressionError(PlanError):
    """A requirement or rule that does not parse.

    ``reason`` says what is wrong, ``source`` is the whole text, ``position`` the 0-based
    offset of the fault; the message shows its line, with a caret under the place.
    """

    def __init__(self, reason: str, source: str, position: int, *, where: str = "") -> None:
        self.reason = reason
        self.source = source
        self.position = position
        start = max(source.rfind("\n", 0, position) + 1, position - 60)
        line = source[start : position + 60].partition("\n")[0]
        caret = "".join(c if c == "\t" else " " for c in line[: position - start]) + "^"
        shown = f"{reason} at position {position}\n  {line}\n  {caret}"
        super().__init__(shown, where=where)


class CommandError(UsageError, ValueError):
    """A command with an impossible value, such as a priority out of range."""


class MissingExtraError(UsageError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{purpose} needs {package}: pip install 'omniroute[{extra}]'")


class PayloadError(OmnirouteError, ValueError):
    """Bytes that are not what the provider documents."""


class PayloadTooLargeError(PayloadError):
    """A payload over a limit of the plan; answer 413."""


class SignatureError(PayloadError):
    """A payload that is not authentic, or no secret to check it with; answer 401."""


class RouterError(OmnirouteError):
    """The running router cannot do it now."""


class RouterClosedError(RouterError):
    """The router is not started, is closed, or was stopped by a failure (chained as cause)."""


class RouterBusyError(RouterError, TimeoutError):
    """The inbox is full. Nothing was recorded; the sender should try again later."""


class NoOwnerError(RouterError, TimeoutError):
    """Nobody owned the partition for as long as the caller waited; the command may have happened.

    Every command but a sign-in may be sent again: its repeat gives the same answer.
    """


class SignInError(RouterError):
    """The agent cannot be signed in now; ``reason`` is the `RejectReason` as text."""

    def __init__(self, agent_id: str, reason: str) -> None:
        self.agent_id = agent_id
        self.reason = reason
        super().__init__(f"agent {agent_id!r} cannot be signed in: {reason}")


class MeetingError(RouterError):
    """The meeting provider gave no link that can be used (its error is chained)."""


class JournalError(RouterError):
    """The journal failed. The router stops accepting and recovers by restart."""


class CorruptJournalError(JournalError):
    """A record (or the snapshot) at ``position`` is not what was written there.

    ``fault`` says how it shows; ``first_seq`` is the number of the first event that cannot be
    read, or None where only the record is known. Nothing behind it is used.
    """

    def __init__(self, position: int, fault: str, *, first_seq: int | None = None) -> None:
        self.position = position
        self.fault = fault
        self.first_seq = first_seq
        event = "" if first_seq is None else f" (from event {first_seq})"
        super().__init__(f"the journal is damaged at record {position}{event}: {fault}")


class FencedError(JournalError):
    """Another writer has opened the journal: this one, of ``epoch``, must not go on.

    ``by_epoch`` and ``by`` are the other's epoch and what it calls itself.
    """

    def __init__(self, epoch: int, by_epoch: int, by: str) -> None:
        self.epoch = epoch
        self.by_epoch = by_epoch
        self.by = by
        super().__init__(f"fenced: {by} writes with epoch {by_epoch}, this writer has {epoch}")


class VaultError(JournalError):
    """The keys that a journal was sealed with cannot be had; the journal itself is whole."""


class JournalFullError(JournalError):
    """No room is left where the journal is. Nothing was written."""


class PositionTakenError(JournalError):
    """A store has a record at that position already: the caller reads whose."""


class AppendUnknownError(JournalError):
    """The answer of a store was lost: the record may be there or not."""
