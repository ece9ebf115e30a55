"""Configurations of other routers become plans that load and check, and nothing is lost unsaid."""

import json
from pathlib import Path

import pytest

from omniroute.errors import PlanError, UnknownNameError
from omniroute.importers import KINDS, Loss, import_plan
from omniroute.model import Channel
from omniroute.plan import (
    Delivery,
    NewestFirst,
    OnExpiry,
    Overflow,
    RefusalRule,
    Severity,
    Strategy,
    WrapUp,
    check,
    loads,
)

DATA = Path(__file__).parents[1] / "data" / "importers"
FILES = {
    "amazon_connect": "connect_profiles.json",
    "asterisk": "asterisk_queues.conf",
    "azure": "azure_consoles.json",
    "freeswitch": "freeswitch_callcenter.conf.xml",
    "twilio": "twilio_support.json",
}


def imported(kind, document):
    text = document if isinstance(document, str) else json.dumps(document)
    found = import_plan(kind, text)
    plan = loads(found.toml)
    assert [f for f in check(plan) if f.severity is Severity.ERROR] == []
    return plan, found.gaps


def told(gaps, *words, loss=None):
    """Whether one gap says all of the words."""
    return any(all(w in str(gap) for w in words) and loss in (None, gap.loss) for gap in gaps)


def steps(queue):
    """The ladder as (requirement, end in seconds) pairs."""
    found = []
    for step in queue.ladder:
        end = step.for_ms or step.until_ms
        found.append((str(step.requirement) if step.requirement else None, end and end / 1000))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_file_that_loads_and_checks(kind):
    plan, gaps = imported(kind, (DATA / FILES[kind]).read_text("utf-8"))
    assert plan.queues
    assert gaps
    assert all(gap.where and gap.what and gap.why for gap in gaps)
    assert plan.name == kind


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_file_gives_the_same_plan(kind):
    text = (DATA / FILES[kind]).read_text("utf-8")
    assert import_plan(kind, text) == import_plan(kind, "\N{BYTE ORDER MARK}" + text)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'twilio'"):
        import_plan("twillio", "")


# --- Twilio -----------------------------------------------------------------------------


def test_twilio():
    plan, gaps = imported("twilio", (DATA / FILES["twilio"]).read_text("utf-8"))
    gold = plan.queues["Gold customers"]
    # 30 s, then 60 s more: timeouts add up on the age of the task; then the default queue.
    assert steps(gold) == [("billing and billing >= 3", 30), ("billing", 90), (None, None)]
    assert [str(step.only_if) for step in gold.ladder] == ["takers >= 1", "None", "None"]
    assert [step.priority for step in gold.ladder] == [None, 40, None]  # the first has the rule's
    assert gold.offer_timeout_ms == 30_000
    assert gold.refusal.rule is RefusalRule.AT_ONCE
    assert [(r.queue, r.priority) for r in plan.triage] == [
        ("Gold customers", 20),
        ("Same agent as before", None),
        ("Sales", 5),
        ("Everyone", None),
    ]
    assert str(plan.triage[2].when) == 'attr.called has "+4930" or attr.type == "sales"'
    assert str(plan.queues["Sales"].members) == (
        '(attr.location == "Berlin" or attr.remote == true) and sales'
    )
    assert told(gaps, "filters[1].targets[0].expression", "at position 11", "two attributes")
    assert told(gaps, "filters[3].expression", "task.age > 600", loss=Loss.LEFT_OUT)
    assert told(gaps, "order_by worker.seniority DESC", "most_skilled", loss=Loss.LEFT_OUT)
    assert told(gaps, "workers[1].attributes", "rating = 4.5", loss=Loss.LEFT_OUT)


def workflow(*filters, default="Q", queues=("Q", "R"), **resource):
    listed = [{"sid": q, "friendly_name": q, "target_workers": f"team == '{q}'"} for q in queues]
    routing = {"filters": list(filters)}
    if default:
        routing["default_filter"] = {"queue": default}
    return {
        "workflow": {"configuration": {"task_routing": routing}, **resource},
        "task_queues": listed,
    }


def test_twilio_a_plain_filter_leads_to_the_queue_itself():
    plan, _ = imported(
        "twilio",
        workflow(
            {"expression": "a == 1", "targets": [{"queue": "R", "priority": 7}]},
            {"expression": "a == 2", "targets": [{"queue": "R"}]},
        ),
    )
    assert [(r.queue, r.priority) for r in plan.triage] == [("R", 7), ("R", None), ("Q", None)]
    assert set(plan.queues) == {"Q", "R"}
    assert plan.queues["R"].offer_timeout_ms == 120_000


def test_twilio_a_target_without_a_queue_stays_in_the_one_before():
    targets = [{"queue": "R", "expression": "worker.level >= 3", "timeout": 10}, {}]
    plan, _ = imported("twilio", workflow({"expression": "1==1", "targets": targets}))
    queue = plan.queues[plan.triage[0].queue]
    assert str(queue.members) == 'attr.team == "R"'
    assert steps(queue) == [("attr.level >= 3", 10), (None, None)]
    assert plan.triage[0].when is None


def test_twilio_a_target_without_a_priority_behind_one_with_it_is_told():
    targets = [{"queue": "R", "timeout": 10}, {"priority": 9, "timeout": 10}, {}]
    plan, gaps = imported("twilio", workflow({"expression": "a==1", "targets": targets}))
    (queue,) = [q for q in plan.queues.values() if len(q.ladder) > 1]
    assert [step.priority for step in queue.ladder] == [None, 9, None]
    assert plan.triage[0].priority is None
    assert not told(gaps, "without a priority")
    targets = [{"queue": "R", "priority": 9, "timeout": 10}, {}]
    plan, gaps = imported("twilio", workflow({"expression": "a==1", "targets": targets}))
    assert [step.priority for step in plan.queues[plan.triage[0].queue].ladder] == [None, None]
    assert told(gaps, "filters[0].targets[1]", "without a priority", loss=Loss.CHANGED)


SKIPS = [
    ("workers.available == 0", ">= 1", None),
    ("workers.available<1", ">= 1", None),
    ("workers.available <= 2", ">= 3", "without a try"),
    ("workers.available == 2", None, "counts workers by activity"),
    ("workers.unavailable > 0", None, "counts workers by activity"),
    ("1==1", None, "take no time"),
]


@pytest.mark.parametrize(("word", "guard", "says"), SKIPS)
def test_twilio_skip_if(word, guard, says):
    first = {"queue": "R", "timeout": 10, "skip_if": word}
    for second, field in ({}, "ready"), ({"queue": "Q"}, "takers"):
        targets = [first, second]
        plan, gaps = imported("twilio", workflow({"expression": "a==1", "targets": targets}))
        (queue,) = [q for q in plan.queues.values() if len(q.ladder) > 1]
        found = queue.ladder[0].only_if
        assert (found and str(found)) == (guard and f"{field} {guard}")
        assert told(gaps, "skip_if", says) if says else not told(gaps, "skip_if")


def test_twilio_skip_if_beside_an_expression_is_told():
    first = {"queue": "R", "timeout": 10, "expression": "worker.a==1"}
    targets = [first | {"skip_if": "workers.available == 0"}, {"queue": "Q"}]
    _, gaps = imported("twilio", workflow({"expression": "a==1", "targets": targets}))
    assert told(gaps, "targets[0]", "all of the task queue", loss=Loss.CHANGED)


def test_twilio_a_rule_nothing_reaches_is_reported():
    plan, gaps = imported("twilio", workflow({"targets": [{"queue": "R"}]}, default="Q"))
    assert [rule.queue for rule in plan.triage] == ["R"]
    assert told(gaps, "the rule for 'Q'", "takes every message before", loss=Loss.LEFT_OUT)


def test_twilio_a_known_worker_costs_its_time_but_no_step():
    targets = [{"queue": "R", "known_worker_sid": "task.w", "timeout": 20}, {"timeout": 10}, {}]
    plan, gaps = imported("twilio", workflow({"expression": "a==1", "targets": targets}))
    assert steps(plan.queues[plan.triage[0].queue]) == [(None, 30), (None, None)]
    assert told(gaps, "known worker task.w", "agent ==")


def test_twilio_a_last_timeout_without_default_is_told():
    targets = [{"queue": "R", "timeout": 10}]
    plan, gaps = imported("twilio", workflow({"targets": targets}, default=None))
    queue = plan.queues[plan.triage[0].queue]
    assert steps(queue) == [(None, None)]
    assert queue.max_wait_ms == 10_000
    assert told(gaps, "timeout 10", "cancels", loss=Loss.CHANGED)
    plan, _ = imported("twilio", workflow({"targets": targets}, default="Q"))
    assert plan.queues[plan.triage[0].queue].max_wait_ms is None


@pytest.mark.parametrize(
    ("word", "strategy"), [("DESC", Strategy.MOST_SKILLED), ("asc", Strategy.LEAST_SKILLED)]
)
def test_twilio_order_by_a_level_is_a_strategy(word, strategy):
    targets = [{"queue": "R", "order_by": f"worker.routing.levels.billing {word}"}]
    plan, gaps = imported("twilio", workflow({"targets": targets}, default=None))
    queue = plan.queues[plan.triage[0].queue]
    assert queue.strategy is strategy
    assert told(gaps, f"order_by worker.routing.levels.billing {word}", strategy, loss=Loss.CHANGED)
    assert queue.members.required_skills == ("billing",)


def test_twilio_without_task_queues_members_are_groups():
    plan, gaps = imported("twilio", {"task_routing": {"default_filter": {"queue": "WQ1"}}})
    assert str(plan.queues["WQ1"].members) == 'groups has "WQ1"'
    assert told(gaps, "WQ1", "not in the file", loss=Loss.CHANGED)


def test_twilio_a_task_queue_brings_its_order_and_its_reservations():
    document = workflow({"targets": [{"queue": "R"}]}, default=None)
    document["task_queues"][1] |= {"task_order": "LIFO", "max_reserved_workers": 4}
    plan, _ = imported("twilio", document)
    assert plan.queues["R"].order == NewestFirst()
    assert plan.queues["R"].offers == 4
    document = workflow({"targets": [{"queue": "R", "timeout": 5}, {"queue": "Q"}]}, default=None)
    document["task_queues"][1]["task_order"] = "LIFO"
    plan, gaps = imported("twilio", document)
    assert plan.queues[plan.triage[0].queue].order == NewestFirst()
    assert told(gaps, "task_order", "those of the first", loss=Loss.CHANGED)


# --- Azure ------------------------------------------------------------------------------


def test_azure():
    plan, gaps = imported("azure", (DATA / FILES["azure"]).read_text("utf-8"))
    america = plan.queues["Consoles, America"]
    assert america.max_waiting == 50
    assert america.on_expiry is OnExpiry.SIGN_OUT
    assert america.strategy is Strategy.LEAST_OCCUPIED
    assert steps(america) == [("Repairs > 7", 90), (None, 120), (None, None)]
    # While that selector is active the job is in front of every priority there can be.
    assert [step.priority for step in america.ladder] == [201, None, None]
    assert plan.limits.max_priority == 201
    assert plan.queues["Consoles, Europe"].offer_timeout_ms == 40_500
    # The fallback, with the last priority and the selectors that always hold.
    last = plan.triage[-1]
    assert (last.queue, last.when, last.priority) == ("General", None, 1)
    assert str(last.requirement) == "English >= 5"
    assert [r.priority for r in plan.triage[:6]] == [10, 10, 5, 5, 1, 1]
    anna = plan.agents["anna"]
    assert anna.skills == {"English": 10, "Repairs": 8}
    assert anna.attributes == {"Escalations": True, "Team": "north"}
    capacity = plan.capacities[anna.capacity]
    assert (capacity.budget, dict(capacity.costs)) == (100, {"voice": 100, "chat": 20})
    assert plan.agents["bert"].capacity == anna.capacity
    rule = america.ladder[-1].overflow
    assert (rule.queue, rule.priority) == ("General", 10)
    assert not told(gaps, "exceptionRules")
    assert told(gaps, "queueSelectorAttachments[2]", "passThrough", loss=Loss.LEFT_OUT)


def azure(**parts):
    return {"queues": [{"id": "q"}, {"id": "r", "labels": {"Size": 3}}], **parts}


def policy(**parts):
    return azure(classificationPolicies=[{"id": "p", "fallbackQueueId": "q", **parts}])


def test_azure_a_worker_may_bound_his_open_offers():
    workers = [
        {"id": "a", "queues": ["q", "r"], "capacity": 5, "maxConcurrentOffers": 2},
        {"id": "b", "queues": ["q", "r"], "capacity": 5},
    ]
    plan, gaps = imported("azure", azure(workers=workers))
    found = {i: plan.capacities[a.capacity].max_open_offers for i, a in plan.agents.items()}
    assert found == {"a": 2, "b": None}
    assert not told(gaps, "maxConcurrentOffers")


def test_azure_a_selector_that_puts_the_job_in_front_for_good_is_told():
    selector = {"key": "A", "labelOperator": "equal", "value": 1, "expedite": True}
    attachments = [{"kind": "static", "workerSelector": selector}]
    plan, gaps = imported("azure", policy(workerSelectorAttachments=attachments))
    assert [step.priority for step in plan.queues["q"].ladder] == [None]
    assert told(gaps, "workerSelectorAttachments[0]", "to the front for good", loss=Loss.LEFT_OUT)


@pytest.mark.parametrize(("given", "offers"), [(1, 1), (7, 7), (60, 50)])
def test_azure_offers_at_once(given, offers):
    mode = {"kind": "roundRobin", "minConcurrentOffers": 1, "maxConcurrentOffers": given}
    queues = [{"id": "q", "distributionPolicyId": "d"}]
    policies = [{"id": "d", "mode": mode}]
    plan, gaps = imported("azure", {"queues": queues, "distributionPolicies": policies})
    assert plan.queues["q"].offers == offers
    assert told(gaps, "60 offers at once") == (given == 60)


LENGTH, WAIT = {"kind": "queueLength", "threshold": 9}, {"kind": "waitTime", "thresholdSeconds": 30}
CANCEL = {"kind": "cancel"}
MOVE = {"kind": "manualReclassify", "queueId": "r", "priority": 100}


def excepted(*rules, **parts):
    """Queue q with a policy of these triggers and actions."""
    policies = [{"id": "e", "exceptionRules": [{"trigger": t, "actions": a} for t, a in rules]}]
    queues = [{"id": "q", "exceptionPolicyId": "e"}, {"id": "r"}]
    return imported("azure", {"queues": queues, "exceptionPolicies": policies, **parts})


def test_azure_exceptions_that_cancel_are_limits():
    plan, gaps = excepted((LENGTH, [CANCEL]), (WAIT, [CANCEL]))
    assert (plan.queues["q"].max_waiting, plan.queues["q"].max_wait_ms) == (9, 30_000)
    assert plan.queues["r"].max_wait_ms is None
    assert not told(gaps, "exceptionRules")


def test_azure_exceptions_that_move_are_overflow():
    selectors = [{"key": "Senior", "labelOperator": "greaterThan", "value": 3}]
    far = {"kind": "queueLength", "threshold": 20}
    plan, gaps = excepted(
        (LENGTH, [MOVE | {"workerSelectors": selectors}]), (far, [MOVE | {"priority": -3}])
    )
    most, more = plan.queues["q"].overflow
    assert (str(most.when), most.queue, most.priority) == ("waiting >= 20", "r", 0)
    assert (str(more.when), more.priority, str(more.requirement)) == (
        "waiting >= 9",
        100,
        "Senior > 3",
    )
    assert told(gaps, "the priority -3", loss=Loss.CHANGED)
    assert plan.limits.max_priority == 100


def test_azure_waits_that_move_are_steps_among_those_of_the_selectors():
    expiring = {"key": "S", "labelOperator": "greaterThan", "value": 1, "expiresAfterSeconds": 60}
    attachments = [{"kind": "static", "workerSelector": expiring}]
    policies = [{"id": "p", "fallbackQueueId": "q", "workerSelectorAttachments": attachments}]
    plan, _ = excepted((WAIT, [MOVE]), classificationPolicies=policies)
    queue = plan.queues["q"]
    assert steps(queue) == [("S > 1", 30), ("S > 1", 60), (None, None)]
    assert [step.overflow and step.overflow.queue for step in queue.ladder] == [None, "r", None]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ((WAIT, [MOVE | {"queueId": "gone"}]), "this queue is not in the file"),
        ((WAIT, [{"kind": "reclassify"}]), "on waitTime: reclassify"),
        ((LENGTH, [MOVE, CANCEL]), "on queueLength: manualReclassify, cancel"),
        (({"kind": "moon"}, [CANCEL]), "on moon: cancel"),
    ],
)
def test_azure_exceptions_without_an_equivalent_are_told(rule, says):
    plan, gaps = excepted(rule)
    assert told(gaps, "exceptionRules[0]", says, loss=Loss.LEFT_OUT)
    assert not plan.queues["q"].overflow


def test_azure_a_wait_that_leads_to_the_same_queue_is_a_priority():
    plan, gaps = excepted((WAIT, [MOVE | {"queueId": "q"}]))
    assert plan.queues["q"].ladder[-1].overflow == Overflow(priority=100)
    assert told(gaps, "again and again", loss=Loss.CHANGED)


@pytest.mark.parametrize(
    ("weights", "queue", "split", "is_exact"),
    [
        ((0.3, 0.7), "r", {"q": 30}, True),
        ((2, 1), "q", {"r": 33}, False),
        ((1, 1), "q", {"r": 50}, True),
        ((5, 0), "q", {}, True),
    ],
)
def test_azure_weighted_allocation_is_a_split(weights, queue, split, is_exact):
    allocations = [
        {
            "weight": weight,
            "queueSelectors": [{"key": "Id", "labelOperator": "equal", "value": ident}],
        }
        for weight, ident in zip(weights, ("q", "r"), strict=True)
    ]
    attachment = {"kind": "weightedAllocation", "allocations": allocations}
    plan, gaps = imported("azure", policy(queueSelectorAttachments=[attachment]))
    [rule] = plan.triage
    assert (rule.queue, dict(rule.split)) == (queue, split)
    assert told(gaps, "whole percent") is not is_exact


def test_azure_queue_selectors_find_the_one_queue_by_labels():
    selectors = [{"key": "Size", "labelOperator": "greaterThan", "value": 2}]
    attachment = {
        "kind": "conditional",
        "condition": {"kind": "static", "value": True},
        "queueSelectors": selectors,
    }
    plan, gaps = imported("azure", policy(queueSelectorAttachments=[attachment]))
    assert [rule.queue for rule in plan.triage] == ["r"]
    assert told(gaps, "the rule for 'q'")
    selectors[0]["value"] = 3
    _, gaps = imported("azure", policy(queueSelectorAttachments=[attachment]))
    assert told(gaps, "Size greaterThan 3", "0 queues", loss=Loss.LEFT_OUT)


def test_azure_priorities_below_zero_are_raised():
    rule = {"kind": "expression", "expression": "If(job.a = 1, 20, If(job.b = 2, -5, 0))"}
    plan, gaps = imported("azure", policy(prioritizationRule=rule))
    assert [(str(r.when), r.priority) for r in plan.triage] == [
        ("attr.a == 1", 25),
        ("attr.b == 2", 0),
        ("None", 5),
    ]
    assert told(gaps, "priority -5")


def test_azure_a_label_below_a_bound_asks_that_it_is_there():
    selector = {"key": "Load", "labelOperator": "lessThan", "value": 4}
    attachment = {"kind": "static", "workerSelector": selector}
    plan, _ = imported("azure", policy(workerSelectorAttachments=[attachment]))
    assert str(plan.triage[0].requirement) == "Load and Load < 4"


def test_azure_several_policies_are_told_apart_by_an_attribute():
    policies = [{"id": "p", "fallbackQueueId": "q"}, {"id": "s", "fallbackQueueId": "r"}]
    plan, gaps = imported("azure", azure(classificationPolicies=policies))
    assert [(r.queue, str(r.when)) for r in plan.triage] == [
        ("q", 'attr.classificationPolicyId == "p"'),
        ("r", 'attr.classificationPolicyId == "s"'),
    ]
    assert told(gaps, "classificationPolicyId = s")


def test_azure_a_channel_that_never_fits_is_never_offered():
    channels = [
        {"channelId": "voice", "capacityCostPerJob": 5},
        {"channelId": "chat", "capacityCostPerJob": 20},
    ]
    workers = [{"id": "w", "queues": ["q", "r"], "capacity": 10, "channels": channels}]
    plan, gaps = imported("azure", azure(workers=workers))
    assert dict(plan.capacities["capacity 1"].costs) == {"voice": 5}
    assert told(gaps, "channel chat", "never be offered")


def test_azure_who_can_be_offered_nothing_is_left_out():
    workers = [
        {"id": "big", "queues": ["q"], "capacity": 5,
         "channels": [{"channelId": "voice", "capacityCostPerJob": 9}]},
        {"id": "odd", "queues": ["q"], "channels": [{"channelId": "pager"}]},
        {"id": "ok", "queues": ["q", "r"], "channels": [{"channelId": "chat"}]},
    ]  # fmt: skip
    plan, gaps = imported("azure", azure(workers=workers))
    assert set(plan.agents) == {"ok"}
    assert told(gaps, "big", "nothing fits", loss=Loss.LEFT_OUT)
    assert told(gaps, "odd", "none of our channels", loss=Loss.LEFT_OUT)


def test_secrets_of_services_are_not_told():
    rule = {"kind": "function", "credential": {"functionKey": "s3cret"}}
    mode = {"kind": "bestWorker", "scoringRule": rule}
    _, gaps = imported("azure", azure(distributionPolicies=[{"id": "d", "mode": mode}]))
    assert told(gaps, "scoringRule", "credential")
    assert not told(gaps, "s3cret")
    _, gaps = imported("freeswitch", (DATA / FILES["freeswitch"]).read_text("utf-8"))
    assert told(gaps, "odbc-dsn")
    assert not told(gaps, "secret")


# --- Amazon Connect ---------------------------------------------------------------------


def test_amazon_connect():
    plan, gaps = imported("amazon_connect", (DATA / FILES["amazon_connect"]).read_text("utf-8"))
    assert steps(plan.queues["Sales"]) == [
        ("Language:French >= 3 and Product:Loans >= 4", 20),
        ('Language:French and Language:French <= 4 or agent in ["anna", "bert"]', 30),
        (None, None),
    ]
    assert plan.queues["Sales"].max_waiting == 40
    # A row of a profile is a row of the queue's access.
    assert [(str(r.agents), r.tier, r.after_ms) for r in plan.queues["Support"].access] == [
        ('groups has "First line"', 1, 60_000),
        ('groups has "Experts"', 1, 0),
    ]
    assert [(r.tier, r.after_ms) for r in plan.queues["Later"].access] == [(4, 30_000)]
    assert plan.queues["Sales"].access == ()
    assert dict(plan.capacities["First line"].maxima) == {"voice": 1, "chat": 3}
    office = plan.hours[plan.queues["Sales"].hours]
    assert [str(i) for i in office.weekly["mon"]] == ["08:30-12:00", "13:00-24:00"]
    assert office.is_open(1_795_791_600_000)  # Friday, 27 November 2026, 10:00 in New York
    assert not office.is_open(1_795_806_000_000)  # 14:00
    assert told(gaps, "TASK", loss=Loss.LEFT_OUT)
    assert told(gaps, "h-gone", loss=Loss.LEFT_OUT)
    assert told(gaps, "QueueConfigs[1]", "priority 2", "all channels", loss=Loss.CHANGED)


def connect(*media):
    profile = {
        "Name": "P",
        "MediaConcurrencies": [
            {"Channel": c, "Concurrency": n, "CrossChannelBehavior": {"BehaviorType": b}}
            for c, n, b in media
        ],
        "QueueConfigs": [{"QueueReference": {"QueueId": "q"}, "Priority": 1, "Delay": 0}],
    }
    return imported("amazon_connect", {"RoutingProfiles": [profile]})


def test_amazon_connect_concurrencies_say_who_may_come_beside_whom():
    plan, gaps = connect(
        ("VOICE", 1, "ROUTE_ANY_CHANNEL"), ("CHAT", 3, None), ("EMAIL", 2, "ROUTE_ANY_CHANNEL")
    )
    capacity = plan.capacities["P"]
    assert (capacity.budget, set(capacity.costs.values())) == (6, {1})
    assert dict(capacity.maxima) == {"voice": 1, "chat": 3, "email": 2}
    allowed = {
        (carried, arriving)
        for carried in Channel
        for arriving in Channel
        if carried in capacity.costs
        and arriving in capacity.costs
        and carried != arriving
        and capacity.may_interrupt(arriving, carried)
    }
    assert allowed == {("voice", "chat"), ("voice", "email"), ("email", "voice"), ("email", "chat")}
    assert gaps == ()


def test_amazon_connect_what_is_assigned_by_hand_is_pulled():
    hand = [{"QueueReference": {"QueueId": q, "Channel": "TASK"}} for q in ("q", "r")]
    pushed = [{"QueueReference": {"QueueId": "q"}, "Priority": 3, "Delay": 0}]
    profiles = [
        {"Name": "P", "QueueConfigs": pushed},
        {"Name": "H", "ManualAssignmentQueueConfigs": hand},
    ]
    plan, gaps = imported("amazon_connect", {"RoutingProfiles": profiles})
    assert plan.queues["q"].delivery is Delivery.PUSH_AND_PULL
    assert plan.queues["r"].delivery is Delivery.PULL
    assert plan.queues["q"].tier == 2
    assert told(gaps, "only pick from q", loss=Loss.CHANGED)


def test_amazon_connect_criteria_alone():
    condition = {"Name": "Language", "Value": "en", "ProficiencyLevel": 2.5}
    document = {
        "Steps": [
            {"Expiry": {"DurationInSeconds": 5}, "Expression": {"AttributeCondition": condition}},
            {"Expression": {"NotAttributeCondition": {**condition, "ProficiencyLevel": 4}}},
            {"Expression": {"AttributeCondition": condition}},
        ]
    }
    plan, _ = imported("amazon_connect", document)
    # The second step never expires, so the third is never reached.
    assert steps(plan.queues["routing criteria"]) == [
        ("Language:en >= 3", 5),
        ("not Language:en >= 4", None),
    ]


# --- Asterisk ---------------------------------------------------------------------------


def test_asterisk():
    plan, gaps = imported("asterisk", (DATA / FILES["asterisk"]).read_text("utf-8"))
    sales = plan.queues["sales"]
    assert sales.strategy is Strategy.MOST_SKILLED  # two penalties
    assert sales.wrap_up == WrapUp("forced", 15_000)
    assert told(gaps, "wrap-up of PJSIP/1003: 30 in sales, 15 in support", "30 seconds")
    assert (sales.max_waiting, sales.service_level.target_ms) == (25, 30_000)
    assert sales.offer_timeout_ms == 20_000
    assert sales.on_expiry is OnExpiry.NOT_READY
    assert plan.queues["support"].strategy is Strategy.LONGEST_IDLE  # the template's is overridden
    assert sales.tier < plan.queues["support"].tier  # it is heavier
    assert "retired" not in plan.queues
    assert "ours" not in plan.queues
    assert plan.queues["everybody"].on_expiry is OnExpiry.NOTHING
    assert plan.queues["everybody"].offers == 50  # ringall
    assert plan.limits.max_offers == 10_000  # it rings for ever
    assert told(gaps, "line 44", "#include", loss=Loss.LEFT_OUT)
    assert told(gaps, "joinempty", loss=Loss.LEFT_OUT)
    assert told(gaps, "extensions.conf", loss=Loss.LEFT_OUT)


def test_asterisk_penalties_and_order_are_levels():
    text = """
[a]
strategy = leastrecent
member => X/1,5
member => X/2
member => X/3,5
[b]
strategy = linear
member => X/3
member => X/1
member => X/2,1
"""
    plan, gaps = imported("asterisk", text)
    levels = {i: dict(agent.skills) for i, agent in plan.agents.items()}
    assert levels == {
        "X/1": {"queue:a": 1, "queue:b": 2},
        "X/2": {"queue:a": 2, "queue:b": 1},
        "X/3": {"queue:a": 1, "queue:b": 3},
    }
    assert {q.strategy for q in plan.queues.values()} == {Strategy.MOST_SKILLED}
    assert [gap.where for gap in gaps] == ["extensions.conf"]


def test_asterisk_a_members_time_holds_in_all_of_his_queues():
    text = "[a]\nwrapuptime=15\nmember=>X/1,,,,,30\nmember=>X/2\n[b]\nmember=>X/1\n"
    plan, gaps = imported("asterisk", text)
    assert [plan.agents[f"X/{n}"].wrap_up_ms for n in (1, 2)] == [30_000, None]
    assert plan.queues["b"].wrap_up == WrapUp()
    assert told(gaps, "X/1: 30 in a, 0 in b", "30 seconds", loss=Loss.CHANGED)


def test_asterisk_a_member_brings_his_wrap_up_into_a_queue_that_has_none():
    text = "[a]\nmember=>X/1,,,,,20\nmember=>X/2\nmember=>X/3,,,,,0\n[b]\nmember=>X/2\n"
    plan, gaps = imported("asterisk", text)
    assert plan.queues["a"].wrap_up == WrapUp("forced", 20_000, own_queue_only=True)
    assert plan.queues["b"].wrap_up == WrapUp()
    assert [plan.agents[f"X/{n}"].wrap_up_ms for n in (1, 2, 3)] == [None, 0, 0]
    assert not told(gaps, "wrap-up")


@pytest.mark.parametrize(("line", "apart"), [("", True), ("shared_lastcall=yes\n", False)])
def test_asterisk_a_wrap_up_counts_in_its_queue_unless_it_is_shared(line, apart):
    queues = "[a]\nwrapuptime=9\nmember=>X/1\nmember=>X/2\n[b]\nmember=>X/1\n"
    plan, gaps = imported("asterisk", f"[general]\n{line}{queues}[c]\nwrapuptime=9\nmember=>X/3\n")
    found = {name: queue.wrap_up.own_queue_only for name, queue in plan.queues.items()}
    assert found == {"a": apart, "b": False, "c": False}  # of c nobody has another queue
    assert not told(gaps, "shared_lastcall")


def test_asterisk_one_penalty_is_a_group():
    plan, _ = imported("asterisk", "[a]\nstrategy=rrmemory\nmember=>X/1,3\nmember=>X/2,3,Bo\n")
    assert plan.agents["X/2"].name == "Bo"
    assert plan.agents["X/2"].groups == ("a",)
    assert plan.queues["a"].strategy is Strategy.ROUND_ROBIN


STRATEGIES = [
    ("ringall", "", Strategy.LONGEST_IDLE, 50, False),
    ("ringall", ",1", Strategy.MOST_SKILLED, 50, True),
    ("leastrecent", ",1", Strategy.MOST_SKILLED, 1, False),
    ("rrmemory", "", Strategy.ROUND_ROBIN, 1, False),
    ("fewestcalls", "", Strategy.WEIGHTED, 1, True),
    ("random", "", Strategy.ROUND_ROBIN, 1, True),
]


@pytest.mark.parametrize(("word", "penalty", "strategy", "offers", "lost"), STRATEGIES)
def test_asterisk_strategies(word, penalty, strategy, offers, lost):
    text = f"[a]\nstrategy={word}\nmember=>X/1\nmember=>X/2{penalty}\n"
    plan, gaps = imported("asterisk", text)
    queue = plan.queues["a"]
    assert (queue.strategy, queue.offers) == (strategy, offers)
    assert told(gaps, f"strategy = {word}", loss=Loss.CHANGED) is lost
    weighted = {agent.attributes.get("weight") for agent in plan.agents.values()}
    assert weighted == ({1} if strategy is Strategy.WEIGHTED else {None})


# --- FreeSWITCH -------------------------------------------------------------------------


def test_freeswitch():
    plan, gaps = imported("freeswitch", (DATA / FILES["freeswitch"]).read_text("utf-8"))
    support = plan.queues["support@default"]
    # Level 1 waits too: in mod_callcenter a caller begins below it. Each opens at 30 s a level.
    assert [end for _, end in steps(support)] == [30, 60, 90, None]
    assert steps(support)[1][0] == 'skill("queue:support@default") >= 3'
    assert support.order.ms_per_point == 1000
    assert support.refusal.after_ms == 10_000
    assert plan.queues["sales@default"].strategy is Strategy.MOST_SKILLED
    assert plan.queues["later@default"].offers == 50  # ring-all
    assert told(gaps, "gone@default", loss=Loss.LEFT_OUT)
    assert support.wrap_up == WrapUp("forced", 25_000)
    assert not told(gaps, "wrap-up-time")
    assert told(gaps, "line 10", "max-wait-time", loss=Loss.LEFT_OUT) is False
    assert support.max_wait_ms == 600_000


def callcenter(params, tiers):
    shown = "".join(f'<param name="{k}" value="{v}"/>' for k, v in params.items())
    listed = "".join(f'<tier agent="{a}" queue="q" level="{n}"/>' for a, n in tiers.items())
    return f'<configuration><queue name="q">{shown}</queue><tiers>{listed}</tiers></configuration>'


def test_freeswitch_an_agents_wrap_up_time_is_his_own():
    agents = "".join(f'<agent name="{a}" wrap-up-time="{s}"/>' for a, s in (("a", 10), ("b", 25)))
    text = callcenter({}, {"a": 1, "b": 1, "c": 1}).replace("<tiers>", f"{agents}<tiers>")
    plan, _ = imported("freeswitch", text)
    assert plan.queues["q"].wrap_up == WrapUp("forced", 25_000)
    assert [plan.agents[name].wrap_up_ms for name in "abc"] == [10_000, None, 0]


LADDERS = [
    # levels, multiply, no agent no wait: when each level opens
    ({"a": 0, "b": 1, "c": 2}, "true", "false", [("queue:q >= 3", 10), ("queue:q >= 2", 20)]),
    ({"a": 0, "b": 1, "c": 2}, "false", "false", [("queue:q >= 3", 10)]),
    ({"a": 1, "b": 2}, "true", "true", [("queue:q >= 2", 20)]),
    ({"a": 0}, "true", "true", []),
]  # fmt: skip


@pytest.mark.parametrize(("tiers", "multiply", "no_wait", "expected"), LADDERS)
def test_freeswitch_levels_open_with_time(tiers, multiply, no_wait, expected):
    params = {
        "tier-rules-apply": "true",
        "tier-rule-wait-second": 10,
        "tier-rule-wait-multiply-level": multiply,
        "tier-rule-no-agent-no-wait": no_wait,
    }
    plan, _ = imported("freeswitch", callcenter(params, tiers))
    queue = plan.queues["q"]
    assert steps(queue) == [*expected, (None, None)]
    assert {s.skip_if_nobody for s in queue.ladder[:-1]} <= {no_wait == "true"}


# --- what is no configuration -----------------------------------------------------------

HOSTILE = {
    "entities": ("freeswitch", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
    "deep XML": ("freeswitch", "<a>" * 60 + "</a>" * 60, "50 deep"),
    "half XML": ("freeswitch", "<a>", "not XML"),
    "half a character in XML": ("freeswitch", "<a>\ud800</a>", "lone surrogate"),
    "deep JSON": ("azure", "[" * 100_000, "nested too deeply|not JSON"),
    "no JSON": ("twilio", "{", "not JSON"),
    "not a number": ("azure", '{"queues": [{"id": NaN}]}', "no number"),
    "half a character": ("twilio", '{"task_routing": "\\ud800"}', "lone surrogate"),
    "an array": ("twilio", "[]", "a JSON object"),
    "no workflow": ("twilio", "{}", "task_routing"),
    "a workflow of nothing": ("twilio", '{"task_routing": {}}', "no queue"),
    "no profile": ("amazon_connect", "{}", "no queue"),
    "nothing": ("asterisk", "", "no queue"),
    "too large": ("asterisk", "x" * 4_000_001, "characters, at most"),
    "too many lines": ("asterisk", "\n" * 200_001, "lines, at most"),
    "a huge number": ("azure", '{"queues": [{"id": "q"}], "x": 1' + "0" * 5000 + "}", "not JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_configuration_is_refused(name):
    kind, text, says = HOSTILE[name]
    with pytest.raises(PlanError, match=says):
        import_plan(kind, text)
