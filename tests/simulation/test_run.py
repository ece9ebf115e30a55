"""The driver: every run passes the audit, adds up, and is a function of its seed."""

import tracemalloc

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute import events as ev
from omniroute.engine import Engine
from omniroute.errors import PlanError, UnknownNameError
from omniroute.model import Agent
from omniroute.plan import (
    Capacity,
    HeadStart,
    Limits,
    OnExpiry,
    Plan,
    Queue,
    ServiceLevel,
    Strict,
    WrapUp,
)
from omniroute.simulation import (
    AgentGroup,
    Auditor,
    Break,
    ByTime,
    CustomerKind,
    Deterministic,
    Empirical,
    Exponential,
    Logged,
    Next,
    Outcome,
    Poisson,
    Renewal,
    Retrial,
    Row,
    Scenario,
    Shift,
    run,
    simulate,
)
from omniroute.simulation.streams import Streams
from scenarios import HOUR, MINUTE, SCENARIOS

SECOND = 1_000


def digest(outcome: Outcome) -> bytes:
    return msgspec.json.encode(outcome)


def recorded(scenario, **options):
    """The outcome and all events."""
    events = []
    outcome = simulate(scenario, observe=lambda batch, _: events.extend(batch), **options)
    return outcome, events


# --- properties of any scenario ---------------------------------------------------------


@settings(max_examples=25)
@given(SCENARIOS, st.integers(0, 5))
def test_any_run_passes_the_audit_and_adds_up(scenario, seed):
    auditor = Auditor(scenario.plan)
    outcome = simulate(
        scenario, seed=seed, audit=True, observe=lambda batch, _: auditor.audit(batch)
    )
    total = outcome.total
    ended = total.rejected + total.abandoned + total.cancelled + total.completed
    assert total.arrived == ended + outcome.left_open
    assert outcome.left_open >= 0
    assert total.accepted_in_time <= total.accepted
    assert total.abandoned_in_time + total.balked <= 2 * total.abandoned
    histogram = outcome.wait_histogram()
    assert sum(count for _, count in histogram.accepted) == total.accepted
    assert sum(count for _, count in histogram.abandoned) == total.abandoned
    for group in outcome.groups:
        for busy_ms, staffed_ms in zip(group.busy_ms, group.staffed_ms, strict=True):
            assert 0 <= busy_ms <= staffed_ms <= group.agents * outcome.interval_ms * 10
    if not scenario.warm_up_ms:
        same_as_the_events(auditor, outcome)


def same_as_the_events(auditor: Auditor, outcome: Outcome) -> None:
    figures = auditor.figures()
    rows = [row for queue in figures["queues"].values() for row in queue["channels"].values()]
    total = outcome.total
    for name in ("accepted", "accepted_in_time", "abandoned", "abandoned_in_time", "completed",
                 "requeued", "rejected", "cancelled", "wait_ms", "handle_ms"):  # fmt: skip
        assert getattr(total, name) == sum(row[name] for row in rows), name
    assert total.arrived == sum(row["queued"] + row["rejected"] for row in rows)
    assert outcome.left_open == sum(
        figures[state] for state in ("waiting", "offered", "engaged", "held", "wrap_up")
    )


@settings(max_examples=15)
@given(SCENARIOS, st.integers(0, 5))
def test_the_events_alone_rebuild_the_state(scenario, seed):
    played = run.Play(scenario, scenario.plan, Streams(seed))
    rebuilt = Engine(scenario.plan)

    def apply_all(batch, at_ms):
        for event in batch:
            rebuilt.apply(event)

    run._watch(played, audit=False, observe=apply_all)
    played.play()
    at_ms = played.engine.now_ms
    rebuilt.receive(ev.Tick(), at_ms)
    assert rebuilt.snapshot() == played.engine.snapshot()


@settings(max_examples=10)
@given(SCENARIOS, st.integers(0, 5))
def test_a_run_is_a_function_of_its_seed(scenario, seed):
    first, events = recorded(scenario, seed=seed)
    again, same = recorded(scenario, seed=seed)
    assert digest(first) == digest(again)
    assert events == same
    assert digest(first) == digest(simulate(scenario, seed=seed))


@settings(max_examples=10)
@given(SCENARIOS)
def test_another_seed_or_replication_is_another_run(scenario):
    runs = [recorded(scenario, seed=s, replication=r)[1] for s, r in [(1, 0), (1, 1), (2, 0)]]
    assert runs[0] != runs[1]
    assert runs[0] != runs[2]


@settings(max_examples=15)
@given(SCENARIOS)
def test_littles_law_holds_exactly_once_everybody_has_gone(scenario):
    scenario = attrs.evolve(scenario, warm_up_ms=0, drain=True)
    outcome = simulate(scenario)
    total = outcome.total
    if outcome.left_open or total.requeued or total.cancelled:
        return
    passed_ms = outcome.to_ms - outcome.from_ms
    assert round(outcome.waiting * passed_ms) == total.wait_ms + total.abandon_ms
    assert round(outcome.serving * passed_ms) == total.handle_ms


# --- common random numbers --------------------------------------------------------------


def one_queue(order=None, **limits):
    queue = Queue(name="q", offer_timeout_ms=HOUR, **({"order": order} if order else {}))
    return Plan(queues=[queue], limits=Limits(**limits))


def agents(count, name="a", **more):
    return [Agent(id=f"{name}{n}", **more) for n in range(count)]


def centre(**more):
    given = {
        "plan": one_queue(order=HeadStart(0)),
        "customers": [
            CustomerKind(
                name=name,
                queue="q",
                priority=priority,
                arrivals=Poisson(60),
                handle=Exponential(3 * MINUTE),
                patience=Exponential(2 * MINUTE),
            )
            for name, priority in (("gold", 9), ("iron", 0))
        ],
        "groups": [AgentGroup(name="g", agents=agents(6))],
        "duration_ms": 4 * HOUR,
        "drain": True,
    }
    return Scenario(**{**given, **more})


def persons(events):
    """(arrival, handle time) of all who were served, by interaction."""
    arrived = {e.interaction_id: e.at_ms for e in events if type(e) is ev.Queued}
    accepted = {e.interaction_id: e.at_ms for e in events if type(e) is ev.Accepted}
    return {
        e.interaction_id: (arrived[e.interaction_id], e.at_ms - accepted[e.interaction_id])
        for e in events
        if type(e) is ev.Completed
    }


def test_the_same_persons_come_under_another_plan():
    scenario = centre()
    _, before = recorded(scenario)
    _, after = recorded(scenario, plan=one_queue(order=Strict()))
    assert before != after
    first, second = persons(before), persons(after)
    assert len(first.keys() & second.keys()) > 200
    assert all(first[one] == second[one] for one in first.keys() & second.keys())


def test_another_kind_beside_them_changes_no_person():
    alone = centre()
    other = CustomerKind(name="x", queue="q", arrivals=Poisson(1), handle=Deterministic(1))
    _, before = recorded(alone)
    _, after = recorded(attrs.evolve(alone, customers=[*alone.customers.values(), other]))
    arrivals = [
        [e.at_ms for e in events if type(e) is ev.Queued and e.priority == 9]
        for events in (before, after)
    ]
    assert arrivals[0] == arrivals[1]


def test_agents_who_are_alike_can_change_places():
    world = centre()
    turned = attrs.evolve(world, groups=[attrs.evolve(world.groups[0], agents=agents(6)[::-1])])
    assert digest(simulate(world)) == digest(simulate(turned))


def test_the_longest_idle_share_the_work_evenly():
    groups = [AgentGroup(name=f"g{n}", agents=agents(1, name=f"g{n}-")) for n in range(6)]
    outcome = simulate(attrs.evolve(centre(), groups=groups, duration_ms=24 * HOUR))
    shares = [group.occupancy for group in outcome.groups]
    assert max(shares) - min(shares) < 0.05


# --- what the world does ----------------------------------------------------------------


def times(events, kind, field):
    return [(e.at_ms // SECOND, getattr(e, field)) for e in events if type(e) is kind]


def small(at_s, *, count=1, plan=None, handle_s=60, **more):
    """A scenario of logged arrivals in seconds, and agents who all do the same."""
    customers = {
        name: more.pop(name)
        for name in ("patience", "balk", "retrial", "next", "wrap_up")
        if name in more
    }
    kind = CustomerKind(
        name="c",
        queue="q",
        arrivals=Logged([at * SECOND for at in at_s]),
        handle=Deterministic(handle_s * SECOND),
        **customers,
    )
    frame = {
        name: more.pop(name) for name in ("duration_ms", "drain", "warm_up_ms") if name in more
    }
    return Scenario(
        plan=plan or one_queue(),
        customers=[kind],
        groups=[AgentGroup(name="g", agents=agents(count), **more)],
        **{"duration_ms": HOUR, "cycle_ms": HOUR, **frame},
    )


def test_an_agent_finishes_his_work_before_he_goes_home_and_comes_back_the_next_cycle():
    shift = Shift(10 * SECOND, 30 * SECOND)
    scenario = small([0, 20, 100], shifts=[shift], duration_ms=2 * HOUR)
    outcome, events = recorded(scenario, audit=True)
    assert [at for at, _ in times(events, ev.SignedOut, "agent_id")] == [70, 3600 + 30 + 100 - 60]
    assert [at for at, _ in times(events, ev.Accepted, "agent_id")] == [10, 3610]
    assert outcome.left_open == 1


def test_a_break_keeps_work_in_hand_and_stops_new_work():
    shift = Shift(0, 1000 * SECOND, (Break(30 * SECOND, 200 * SECOND),))
    _, events = recorded(small([0, 40], shifts=[shift]), audit=True)
    assert times(events, ev.Accepted, "agent_id") == [(0, "a0"), (200, "a0")]


def test_who_is_there_at_the_end_stays_until_all_are_served():
    scenario = small([0, 10, 20], shifts=[Shift(0, 60 * SECOND)], duration_ms=60 * SECOND)
    assert simulate(scenario).left_open == 3
    drained = simulate(attrs.evolve(scenario, drain=True))
    assert drained.total.completed == 3
    assert drained.to_ms == 180 * SECOND
    assert drained.occupancy == 1.0


def test_an_agent_who_does_not_answer_comes_back_after_his_pause():
    plan = Plan(queues=[Queue(name="q", offer_timeout_ms=15 * SECOND)])
    scenario = small(
        [0], plan=plan, no_answer=1.0, pause=Deterministic(30 * SECOND), duration_ms=150 * SECOND
    )
    _, events = recorded(scenario, audit=True)
    assert [at for at, _ in times(events, ev.Offered, "agent_id")] == [0, 45, 90, 135]
    nothing = attrs.evolve(plan.queues["q"], on_expiry=OnExpiry.NOTHING)
    _, events = recorded(scenario, plan=Plan(queues=[nothing]))
    assert [at for at, _ in times(events, ev.Offered, "agent_id")][:4] == [0, 15, 30, 45]


def test_an_offer_is_answered_after_a_while_or_declined():
    slow = small([0], answer_delay=Deterministic(5 * SECOND))
    assert simulate(slow, audit=True).total.wait_ms == 5 * SECOND
    outcome, events = recorded(small([0], decline=1.0), audit=True)
    assert len([e for e in events if type(e) is ev.Declined]) == 1
    assert outcome.left_open == 1


def test_a_customer_whose_patience_ends_while_it_rings_is_gone():
    scenario = small(
        [0], answer_delay=Deterministic(9 * SECOND), patience=Deterministic(4 * SECOND)
    )
    outcome = simulate(scenario, audit=True)
    assert (outcome.total.abandoned, outcome.total.abandon_ms) == (1, 4 * SECOND)


def test_nobody_abandons_in_the_moment_he_is_answered():
    scenario = small([0, 30], patience=Deterministic(30 * SECOND))
    total = simulate(scenario).total
    assert (total.completed, total.abandoned) == (2, 0)


def test_who_balks_leaves_at_once():
    total = simulate(small([0, 10, 20], balk=1.0), audit=True).total
    assert (total.balked, total.abandoned, total.abandon_ms) == (2, 2, 0)


def test_who_was_turned_away_tries_again_but_not_for_ever():
    plan = Plan(queues=[Queue(name="q", max_waiting=1)])
    again = Retrial(1.0, Deterministic(5 * SECOND), at_most=3)
    scenario = small([0, 1, 2], plan=plan, retrial=again)
    total = simulate(scenario, audit=True).total
    assert (total.arrived, total.retried, total.rejected, total.completed) == (6, 3, 4, 2)


def test_a_completed_contact_can_be_followed_by_another():
    kinds = [
        CustomerKind(
            name="chat",
            queue="q",
            channel="chat",
            arrivals=Logged([0]),
            handle=Deterministic(10 * SECOND),
            next=[Next("call", 1.0, Deterministic(5 * SECOND))],
        ),
        CustomerKind(name="call", queue="q", handle=Deterministic(20 * SECOND)),
    ]
    group = AgentGroup(name="g", agents=agents(1))
    scenario = Scenario(plan=one_queue(), customers=kinds, groups=[group], drain=True)
    outcome, events = recorded(scenario)
    assert times(events, ev.Completed, "agent_id") == [(10, "a0"), (35, "a0")]
    assert [(c, r.completed) for c, r in outcome.by_channel().items()] == [
        ("chat", 1),
        ("voice", 1),
    ]


@pytest.mark.parametrize(
    ("wrap_up", "own_s", "free_at_s"),
    [
        (WrapUp("optional"), 7, 67),
        (WrapUp("timed", 10 * SECOND), 7, 67),
        (WrapUp("timed", 10 * SECOND), 90, 70),
        (WrapUp("forced", 10 * SECOND), 7, 70),
        (WrapUp("none"), 7, 60),
    ],
)
def test_wrap_up_lasts_as_the_agent_and_the_plan_want(wrap_up, own_s, free_at_s):
    plan = Plan(queues=[Queue(name="q", wrap_up=wrap_up)])
    scenario = small([0, 1], plan=plan, wrap_up=Deterministic(own_s * SECOND))
    _, events = recorded(scenario, audit=True)
    assert [at for at, _ in times(events, ev.Accepted, "agent_id")] == [0, free_at_s]


def test_contacts_side_by_side_slow_each_other_down():
    plan = attrs.evolve(one_queue(), capacities=[Capacity(budget=2)])
    scenario = small([0, 30], plan=plan, slow_down=(1.0, 0.5))
    _, events = recorded(scenario, audit=True)
    # Alone for 30 s; both at half speed until the first is done at 90; the rest at full speed.
    assert [at for at, _ in times(events, ev.Completed, "agent_id")] == [90, 120]


def test_handle_times_can_depend_on_the_hour_and_on_the_agent():
    by_time = ByTime((0, 100 * SECOND), (Deterministic(10 * SECOND), Deterministic(20 * SECOND)))
    scenario = small([0, 150], count=1)
    kind = attrs.evolve(scenario.customers["c"], handle=by_time)
    outcome = simulate(attrs.evolve(scenario, customers=[kind]))
    assert outcome.total.handle_ms == 30 * SECOND
    quick = attrs.evolve(scenario.groups[0], handle={"c": Deterministic(SECOND)})
    assert simulate(attrs.evolve(scenario, groups=[quick])).total.handle_ms == 2 * SECOND


def test_the_warm_up_is_not_counted():
    scenario = small([0, 10, 100, 200], warm_up_ms=90 * SECOND)
    outcome = simulate(scenario)
    assert (outcome.total.arrived, outcome.total.completed, outcome.interactions) == (2, 2, 4)
    assert outcome.group("g").busy_ms[0] == (120 - 90 + 20 + 60 + 60 - 20) * SECOND
    assert sum(outcome.group("g").staffed_ms) == HOUR - 90 * SECOND


def test_rows_are_cut_by_the_interval_of_arrival_and_wrap_with_the_cycle():
    scenario = attrs.evolve(small([0, 20, 3600, 1800], duration_ms=2 * HOUR), interval_ms=HOUR // 2)
    outcome = simulate(scenario)
    assert {n: row.arrived for n, row in outcome.by_interval().items()} == {0: 3, 1: 1}
    assert isinstance(outcome.by_queue()["q"], Row)
    assert outcome.group("g").occupancy_at(1) == pytest.approx(60 / 3600)


def test_the_service_level_has_four_definitions():
    plan = Plan(queues=[Queue(name="q", service_level=ServiceLevel(target_ms=20 * SECOND))])
    row = simulate(small([0, 45, 50, 55], plan=plan, patience=Deterministic(30 * SECOND))).total
    # Waits: 0, 15 answered; 30 abandoned twice, too late to be in time.
    assert (row.accepted, row.accepted_in_time, row.abandoned) == (2, 2, 2)
    assert row.service_level_answered == 1.0
    assert row.service_level_offered == 0.5
    assert row.service_level_abandons_in_time == 0.5
    assert row.service_level_without_short_abandons == 0.5


def test_the_plans_own_agents_work_when_no_group_is_named():
    plan = attrs.evolve(one_queue(), agents=[Agent(id="eva", groups=("north",)), Agent(id="ole")])
    outcome = simulate(attrs.evolve(small([0, 1]), plan=plan, groups=()))
    assert [(g.group, g.agents) for g in outcome.groups] == [("north", 1), ("default", 1)]
    assert outcome.total.at_once == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": [AgentGroup(name="g", agents=["nobody"])]}, "unknown agent 'nobody'"),
        ({"groups": [AgentGroup(name="g", agents=agents(1) * 2)]}, "agent 'a0' works twice"),
        ({"groups": [AgentGroup(name="g", agents=(), handle={"cc": Deterministic(1)})]}, "'c'"),
        ({"duration_ms": 0}, "duration"),
        ({"interval_ms": 7}, "must divide cycle_ms"),
        ({"busyness_cv": -1}, "busyness_cv"),
        ({"plan": Plan(queues=[Queue(name="qq")])}, "did you mean 'qq'"),
    ],
)
def test_a_scenario_that_does_not_fit_is_refused(change, words):
    with pytest.raises((PlanError, UnknownNameError)) as error:
        attrs.evolve(small([0]), **change)
    assert words in str(error.value)


def test_another_plan_must_fit_too():
    with pytest.raises(UnknownNameError):
        simulate(small([0]), plan=Plan(queues=[Queue(name="other")]))


def test_a_long_run_takes_no_more_space_than_a_short_one():
    # Whole seconds: histograms grow with the number of different waits, up to a bound.
    kinds = [
        attrs.evolve(
            kind,
            arrivals=Renewal(Empirical([30 * SECOND, 40 * SECOND, 110 * SECOND])),
            handle=Empirical([60 * SECOND, 300 * SECOND]),
            patience=Deterministic(120 * SECOND),
        )
        for kind in centre().customers.values()
    ]

    def size(hours):
        world = attrs.evolve(centre(), customers=kinds, duration_ms=hours * HOUR)
        tracemalloc.start()
        try:
            outcome = simulate(world)
            return tracemalloc.get_traced_memory()[1], len(outcome.rows)
        finally:
            tracemalloc.stop()

    size(96)  # what is made once: caches of expressions, ladders, loads
    short, long = size(24), size(96)
    assert long[0] < 1.2 * short[0]
    assert long[1] == short[1]


@settings(max_examples=15)
@given(SCENARIOS, st.integers(0, 3))
def test_groups_and_intervals_add_up_to_the_whole(scenario, seed):
    outcome = simulate(scenario, seed=seed)
    total = outcome.total
    for name in ("accepted", "accepted_in_time", "wait_ms"):
        by_groups = sum(getattr(group, name) for group in outcome.groups)
        # who came before the end of the warm-up and is accepted after it counts for his agent
        assert by_groups >= getattr(total, name), name
        if not scenario.warm_up_ms:
            assert by_groups == getattr(total, name), name
    for number, row in outcome.by_interval().items():
        waits = outcome.interval_histogram(number)
        assert sum(count for _, count in waits.accepted) == row.accepted
        if row.accepted:
            assert (
                waits.quantile_ms(1.0) <= outcome.wait_histogram().quantile_ms(1.0) * 33 / 32 + 32
            )


@pytest.mark.parametrize("change", [{"offers": 3}, {"auto_accept": True}], ids=repr)
@pytest.mark.parametrize("habits", [{}, {"answer_delay": Exponential(4 * SECOND), "decline": 0.2}])
def test_several_offers_and_offers_that_need_no_answer(change, habits):
    world = centre()
    queues = [attrs.evolve(queue, **change) for queue in world.plan.queues.values()]
    world = attrs.evolve(
        world,
        plan=attrs.evolve(world.plan, queues=queues),
        groups=[attrs.evolve(group, **habits) for group in world.groups],
        drain=True,
    )
    outcome, events = recorded(world, audit=True)
    total = outcome.total
    assert total.completed > 0
    assert outcome.left_open == 0
    assert total.arrived == total.completed + total.abandoned + total.rejected
    late = sum(isinstance(event, ev.CommandRejected) for event in events)
    if "auto_accept" in change:
        assert late == 0
        assert total.accepted == sum(isinstance(event, ev.Offered) for event in events)
