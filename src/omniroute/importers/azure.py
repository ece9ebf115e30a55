"""Azure Communication Services Job Router: policies, queues and workers into a plan.

Takes an object that gathers what the API lists: ``distributionPolicies``, ``queues``,
``classificationPolicies``, ``exceptionPolicies``, ``workers``; each an array, one object, or
a page (``{"value": [...]}``). Names of keys are those of the API of 2023-11-01.

How it maps: a queue's members are the workers that list it: a group. Labels that are
numbers are skills, other labels are attributes. Queue selectors that name one queue are
triage rules; the fallback queue is the last one. Worker selectors are a rule's requirement;
those that expire are steps of the queue's ladder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ..errors import PlanError
from ..plan import OnExpiry, Queue, Strategy, Strict
from .azure_exceptions import Exceptions, read_exceptions, with_exceptions
from .azure_rules import Classifier
from .azure_workers import read_workers
from .documents import Notes, Table, read_json
from .draft import Draft, clean, in_group
from .report import Imported

__all__ = ["import_azure"]

_KINDS = (
    "distributionPolicies", "queues", "classificationPolicies", "exceptionPolicies", "workers",
)  # fmt: skip
_MAX_OFFERS = 50
_STRATEGIES = {
    "longestIdle": (
        Strategy.LEAST_OCCUPIED,
        "its worked example compares load before idle time",
    ),
    "roundRobin": (Strategy.ROUND_ROBIN, ""),
    "bestWorker": (
        Strategy.MOST_SKILLED,
        "its score is another: a share of matched labels, and a logistic of how far they exceed",
    ),
}


@attrs.frozen
class _Distribution:
    """What a queue gets from its distribution policy."""

    strategy: Strategy = Strategy.LONGEST_IDLE
    offer_timeout_ms: int = 60_000
    offers: int = 1


def import_azure(text: str) -> Imported:
    """The plan of Job Router policies. Raises `PlanError` when it has no queue."""
    document = read_json(text)
    if not isinstance(document, dict):
        raise PlanError("a Job Router configuration is a JSON object")
    draft = Draft("azure")
    found = {kind: list(_listed(document, kind, draft.notes)) for kind in _KINDS}
    distributions = {t.text("id") or t.where: _distribution(t) for t in
                     found["distributionPolicies"]}  # fmt: skip
    exceptions = {t.text("id") or t.where: read_exceptions(t) for t in found["exceptionPolicies"]}
    raised: dict[str, Exceptions] = {}
    names: dict[str, str] = {}
    labels: dict[str, dict[str, Any]] = {}
    for table in found["queues"]:
        ident = table.text("id") or table.text("name") or table.where
        names[ident] = _read_queue(draft, table, ident, distributions, exceptions)
        raised[names[ident]] = exceptions.get(table.text("exceptionPolicyId") or "", Exceptions())
        own = table.table("labels")
        labels[ident] = {**(own.value if own else {}), "Id": ident}
        table.ignore("etag")
        table.rest()
    read_workers(draft, found["workers"], names)
    policies = found["classificationPolicies"]
    classifier = Classifier(draft, names, labels, several=len(policies) > 1)
    for table in policies:
        classifier.read(table)
    with_exceptions(draft, raised, names)
    known = {*_KINDS, "value", "etag", "nextLink"}
    for key in document.keys() - known:
        draft.notes.left_out(key, key, "this key is not known here")
    return draft.finished()


def _listed(document: dict[str, Any], kind: str, notes: Notes) -> Iterator[Table]:
    value = document.get(kind)
    if isinstance(value, dict):
        value = value["value"] if isinstance(value.get("value"), list) else [value]
    yield from Table({kind: value}, "", notes).tables(kind)


def _distribution(table: Table) -> _Distribution:
    seconds = table.number("offerExpiresAfterSeconds")
    mode = table.table("mode")
    strategy, offers = Strategy.LONGEST_IDLE, 1
    if mode is not None:
        kind = mode.text("kind") or ""
        strategy, lost = _STRATEGIES.get(kind, (strategy, "this mode is not known"))
        if lost:
            table.notes.changed(mode.at("kind"), kind, lost, f"strategy {strategy.value}")
        offers = mode.integer("maxConcurrentOffers", 1, 10**6) or 1
        if offers > _MAX_OFFERS:
            mode.notes.changed(
                mode.at("maxConcurrentOffers"), f"{offers} offers at once",
                f"at most {_MAX_OFFERS} are open at once", f"{_MAX_OFFERS}",
            )  # fmt: skip
            offers = _MAX_OFFERS
        mode.ignore("minConcurrentOffers")
        if mode.flag("bypassSelectors"):
            mode.notes.left_out(
                mode.at("bypassSelectors"), "workers without the labels that are asked for",
                "a requirement always holds", "a last step of the ladder that drops it",
            )  # fmt: skip
        mode.rest("agents are scored by strategies only")
    table.ignore("id", "name", "etag")
    table.rest()
    return _Distribution(strategy, max(1, round((seconds or 60) * 1000)), offers)


def _read_queue(
    draft: Draft,
    table: Table,
    ident: str,
    distributions: dict[str, _Distribution],
    exceptions: dict[str, Exceptions],
) -> str:
    name = clean(table.text("name") or ident)
    given = {key: table.text(key) for key in ("distributionPolicyId", "exceptionPolicyId")}
    for key, known in (("distributionPolicyId", distributions), ("exceptionPolicyId", exceptions)):
        reference = given[key]
        if reference is not None and reference not in known:
            draft.notes.left_out(table.at(key), reference, "this policy is not in the file")
    distribution = distributions.get(given["distributionPolicyId"] or "", _Distribution())
    queue = Queue(
        name=name,
        members=in_group(clean(ident)),
        order=Strict(),
        strategy=distribution.strategy,
        offers=distribution.offers,
        offer_timeout_ms=distribution.offer_timeout_ms,
        on_expiry=OnExpiry.SIGN_OUT,
    )
    return draft.add_queue(queue, table.where)
