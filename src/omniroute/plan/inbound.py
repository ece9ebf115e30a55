"""What a plan says of what comes in: which events do what, how much one sender may, who is who.

Three tables of the plan, kept apart from queues because they are about the door: the policies
of dispositions (an auto-reply, an edit, a receipt), the rate per sender that ends loops between
two answering machines, and the rules by which a customer is the same over several channels.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping

import attrs

from ..errors import MissingExtraError, PlanError, UnknownNameError, UsageError
from ..model import Channel, Disposition, Inbound, UpdateKind
from .fields import at_least, is_integer, name_text

__all__ = [
    "DEFAULT_DISPOSITIONS",
    "DEFAULT_SENDER_MAXIMA",
    "DispositionAction",
    "DispositionPolicy",
    "Identity",
    "LinkRule",
    "SenderRate",
    "disposition_name",
    "disposition_table",
    "faults_of_dispositions",
]


# --- dispositions -----------------------------------------------------------------------


class DispositionAction(enum.StrEnum):
    """What is done with an event of one disposition. A closed list."""

    IGNORE = "ignore"  #: count it, nothing else
    APPEND = "append"  #: join the open interaction of its thread; without one, ignore
    OPEN = "open"  #: join the open interaction of its thread, or open one
    QUARANTINE = "quarantine"  #: keep it aside for a human agent
    APPLY = "apply"  #: do what it says: new text, redaction, the customer has gone


def _action(value: DispositionAction | str) -> DispositionAction:
    try:
        return DispositionAction(value)
    except ValueError:
        names = [action.value for action in DispositionAction]
        raise UnknownNameError("action", str(value), names) from None


@attrs.frozen
class DispositionPolicy:
    """What is done with one disposition; ``queue`` names the queue instead of triage."""

    action: DispositionAction = attrs.field(converter=_action)
    queue: str | None = attrs.field(default=None, validator=attrs.validators.optional(name_text))

    def __attrs_post_init__(self) -> None:
        if self.queue is not None and self.action is not DispositionAction.OPEN:
            raise PlanError(f"a queue goes with the action 'open', not {self.action.value!r}")


_IGNORE = DispositionPolicy(DispositionAction.IGNORE)
_OPEN = DispositionPolicy(DispositionAction.OPEN)
_APPLY = DispositionPolicy(DispositionAction.APPLY)

#: The names of the policies with their defaults: the dispositions, and for `update` its kinds.
DEFAULT_DISPOSITIONS: Mapping[str, DispositionPolicy] = {
    Disposition.CREATE.value: _OPEN,
    Disposition.APPEND.value: _OPEN,
    UpdateKind.EDITED.value: _APPLY,
    UpdateKind.DELETED.value: _APPLY,
    UpdateKind.THREAD_DELETED.value: _APPLY,
    UpdateKind.ENDED.value: _APPLY,
    UpdateKind.REACTION.value: _IGNORE,
    UpdateKind.STATE.value: _IGNORE,
    Disposition.STATUS.value: _IGNORE,
    Disposition.OWN.value: _IGNORE,
    Disposition.LIFECYCLE.value: _IGNORE,
    Disposition.HANDSHAKE.value: _IGNORE,
    Disposition.AUTO.value: _IGNORE,
    Disposition.BOUNCE.value: _IGNORE,
    Disposition.REPORT.value: _IGNORE,
    Disposition.BULK.value: _IGNORE,
    Disposition.IGNORED.value: _IGNORE,
    Disposition.QUARANTINE.value: DispositionPolicy(DispositionAction.QUARANTINE),
}

#: What can be applied, because it says something about an interaction.
_APPLICABLE = frozenset(
    {UpdateKind.EDITED, UpdateKind.DELETED, UpdateKind.THREAD_DELETED, UpdateKind.ENDED}
)


def disposition_name(inbound: Inbound) -> str:
    """Under which name the plan has the policy of this event."""
    if inbound.disposition is Disposition.UPDATE:
        return (inbound.update or UpdateKind.STATE).value
    return inbound.disposition.value


def disposition_table(
    given: Mapping[str, DispositionPolicy | DispositionAction | str],
) -> Mapping[str, DispositionPolicy]:
    """Every disposition with its policy: the given ones, else the defaults.

    A policy may be given as its action alone.
    """
    table = dict(DEFAULT_DISPOSITIONS)
    for key, value in given.items():
        name = str(key)
        if name not in table:
            raise UnknownNameError("disposition", name, table)
        policy = value if isinstance(value, DispositionPolicy) else DispositionPolicy(value)
        fault = _misfit(name, policy.action)
        if fault:
            raise PlanError(f"{name}: {fault}")
        table[name] = policy
    return table


def _misfit(name: str, action: DispositionAction) -> str:
    """Why a disposition cannot be handled so, or ""."""
    if action is DispositionAction.APPLY and name not in _APPLICABLE:
        return f"only {', '.join(sorted(_APPLICABLE))} can be applied"
    if name == Disposition.HANDSHAKE and action is not DispositionAction.IGNORE:
        return "a handshake carries no message: it can only be ignored"
    return ""


def faults_of_dispositions(
    table: Mapping[str, DispositionPolicy], queues: Iterable[str], where: str = ""
) -> Iterator[UsageError]:
    """Policies that name a queue which the plan does not have."""
    known = tuple(queues)
    for name, policy in table.items():
        if policy.queue is not None and policy.queue not in known:
            place = f"{where}dispositions.{name}.queue"
            yield UnknownNameError("queue", policy.queue, known, where=place)


# --- the rate of one sender -------------------------------------------------------------

#: Messages of one sender in one window; 0: no limit. A person writes chat messages fast, but
#: no person sends thirty mails or makes thirty calls in ten minutes.
DEFAULT_SENDER_MAXIMA: Mapping[str, int] = {
    "*": 300,
    Channel.EMAIL.value: 30,
    Channel.VOICE.value: 30,
    Channel.VIDEO.value: 30,
}


def _maxima(given: Mapping[str, int]) -> Mapping[str, int]:
    known = {"*", *(channel.value for channel in Channel)}
    for name, value in given.items():
        if name not in known:
            raise UnknownNameError("channel", str(name), known, where="sender_rate")
        if not is_integer(value) or value < 0:
            raise PlanError(f"{name}: must be an integer of at least 0, got {value!r}")
    return {**DEFAULT_SENDER_MAXIMA, **{str(name): value for name, value in given.items()}}


@attrs.frozen(kw_only=True)
class SenderRate:
    """How many messages of one sender on one channel are routed within ``window_ms``.

    ``maxima`` has a number per channel (``"*"``: any other channel; 0: no limit); what is not
    given keeps its default. ``max_senders``: so many senders are counted at one time, per
    channel; when one more comes, their counts begin anew. A customer who is withheld is
    nobody's sender and is not counted.
    """

    window_ms: int = attrs.field(default=600_000, validator=at_least(1))
    maxima: Mapping[str, int] = attrs.field(factory=dict, converter=_maxima)
    max_senders: int = attrs.field(default=100_000, validator=at_least(1))

    def maximum(self, channel: Channel) -> int:
        """How many messages one sender may bring on this channel; 0: any number."""
        found = self.maxima.get(channel)
        return self.maxima["*"] if found is None else found


# --- who is the same customer -----------------------------------------------------------


class LinkRule(enum.StrEnum):
    """By what a customer of one channel is known on another. A closed list."""

    E164 = "e164"  #: the same telephone number
    EMAIL = "email"  #: the same e-mail address, whatever the case


def _link_rules(values: Iterable[LinkRule | str]) -> tuple[LinkRule, ...]:
    if isinstance(values, str):
        raise PlanError(f"must be a sequence of rules, got the text {values!r}")
    found = []
    for value in values:
        try:
            found.append(LinkRule(value))
        except ValueError:
            names = [rule.value for rule in LinkRule]
            raise UnknownNameError("link rule", str(value), names) from None
    return tuple(dict.fromkeys(found))


def _attribute_names(values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise PlanError(f"must be a sequence of names, got the text {values!r}")
    names = tuple(dict.fromkeys(values))
    if not all(names):
        raise PlanError("must be names of attributes, got an empty one")
    return names


def _region(_instance: object, _field: object, value: str | None) -> None:
    if value is None:
        return
    try:
        import phonenumbers
    except ImportError:
        raise MissingExtraError("phonenumbers", "phone", "a default region") from None
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise UnknownNameError("region", str(value), phonenumbers.SUPPORTED_REGIONS)


@attrs.frozen(kw_only=True)
class Identity:
    """By which rules customers of several channels are one customer. Without rules: none.

    ``link_by`` names kinds of addresses; ``attributes`` names attributes of messages that hold
    an id which a provider or your own app gives a person on every channel. ``default_region``
    (ISO 3166, "DE") reads national numbers too; it needs the extra ``phone``. Link only by what
    cannot be claimed: an address that a visitor typed in proves nothing.
    """

    link_by: tuple[LinkRule, ...] = attrs.field(default=(), converter=_link_rules)
    attributes: tuple[str, ...] = attrs.field(default=(), converter=_attribute_names)
    default_region: str | None = attrs.field(default=None, validator=_region)
    max_customers: int = attrs.field(default=1_000_000, validator=at_least(1))
