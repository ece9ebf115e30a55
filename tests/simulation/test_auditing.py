"""The auditor looks only at what was named since it last looked, and finds all the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from omniroute import events as ev
from omniroute.simulation import AuditError, Auditor, Law, simulate
from scenarios import SCENARIOS


def found(plan, batches, *, whole):
    """(number of the batch, law) where the auditor stops, or None."""
    auditor = Auditor(plan)
    for number, (events, at_ms) in enumerate(batches):
        try:
            auditor.audit(events)
            auditor.at_rest(at_ms, whole=whole)
        except AuditError as error:
            return number, error.law
    return None


def recorded(scenario, seed):
    batches = []
    simulate(scenario, seed=seed, observe=lambda batch, at_ms: batches.append((batch, at_ms)))
    return batches


@settings(max_examples=20)
@given(SCENARIOS, st.integers(0, 3), st.data())
def test_an_offer_that_was_not_made_is_found_at_once(scenario, seed, data):
    batches = recorded(scenario, seed)
    offers = [n for n, (events, _) in enumerate(batches) if _last_is_offer(events)]
    if not offers:
        return
    number = data.draw(st.sampled_from(offers))
    events, at_ms = batches[number]
    changed = [*batches[:number], (events[:-1], at_ms), *batches[number + 1 :]]
    slow = found(scenario.plan, changed, whole=True)
    assert found(scenario.plan, changed, whole=False) == slow == (number, Law.WORK)


def _last_is_offer(events):
    return bool(events) and isinstance(events[-1], ev.Offered)


@settings(max_examples=25)
@given(SCENARIOS, st.integers(0, 3), st.data())
def test_whatever_is_lost_both_find_the_same(scenario, seed, data):
    batches = recorded(scenario, seed)
    number = data.draw(st.sampled_from([n for n, (events, _) in enumerate(batches) if events]))
    events, at_ms = batches[number]
    lost = data.draw(st.integers(0, len(events) - 1))
    changed = [*batches]
    changed[number] = ([*events[:lost], *events[lost + 1 :]], at_ms)
    slow = found(scenario.plan, changed, whole=True)
    assert found(scenario.plan, changed, whole=False) == slow
