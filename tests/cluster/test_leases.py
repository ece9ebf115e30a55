"""Who should own what: evenly, with few moves, and agreed without talking."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from omniroute.cluster.coordinator import Row
from omniroute.cluster.leases import Lease, Sightings, decide, member_key, partition_key

NAMES = st.sampled_from("abcde")
PARTITIONS = [f"p{n}" for n in range(7)]


def settle(owners, members, declined=None):
    """Every member acts on what all see, until nobody does any more; how many changes it took."""
    declined = declined or {}
    here = {member: declined.get(member, ()) for member in members}
    owners = {name: owner if owner in members else None for name, owner in owners.items()}
    changes = 0
    while True:
        before = dict(owners)
        for me in sorted(members):
            decision = decide(me, before, here)
            for name in decision.take:
                assert owners[name] is None, "two took it"
                owners[name] = me
                changes += 1
            if decision.give is not None:
                assert owners[decision.give] == me
                owners[decision.give] = None
                changes += 1
        if owners == before:
            return owners, changes


def loads(owners, members):
    return sorted(sum(owner == member for owner in owners.values()) for member in members)


owned_by = st.fixed_dictionaries({name: st.none() | NAMES for name in PARTITIONS})


@given(owned_by, st.sets(NAMES, min_size=1))
def test_all_are_owned_and_evenly(owners, members):
    owners, _ = settle(owners, members)
    assert set(owners.values()) <= members
    counts = loads(owners, members)
    assert counts[-1] - counts[0] <= 1


@given(st.sets(NAMES, min_size=1), NAMES)
def test_a_join_moves_no_more_than_the_newcomer_gets(members, new):
    before, _ = settle(dict.fromkeys(PARTITIONS), members)
    after, changes = settle(before, members | {new})
    gained = sum(owner == new for owner in after.values()) if new not in members else 0
    assert sum(before[name] != after[name] for name in PARTITIONS) == gained
    assert changes == 2 * gained


@given(st.sets(NAMES, min_size=2), st.data())
def test_a_leave_moves_only_what_the_leaver_had(members, data):
    gone = data.draw(st.sampled_from(sorted(members)))
    before, _ = settle(dict.fromkeys(PARTITIONS), members)
    after, _ = settle(before, members - {gone})
    for name in PARTITIONS:
        assert before[name] in (gone, after[name])


@given(
    owned_by,
    st.sets(NAMES, min_size=1),
    st.dictionaries(NAMES, st.sets(st.sampled_from(PARTITIONS))),
)
def test_nobody_takes_what_he_declines(owners, members, declined):
    owners = {n: None if n in declined.get(o, ()) else o for n, o in owners.items()}
    after, _ = settle(owners, members, declined)
    for name, owner in after.items():
        able = [m for m in members if name not in declined.get(m, ())]
        assert (owner in able) if able else owner is None


def rows(**values):
    """Keyword ``p_x=(holder, epoch, revision)`` or ``m_a=revision``."""
    table = {}
    for key, value in values.items():
        kind, _, name = key.partition("_")
        if kind == "p":
            holder, epoch, revision = value
            table[partition_key(name)] = Row(msgspec.msgpack.encode(Lease(holder, epoch)), revision)
        else:
            table[member_key(name)] = Row(msgspec.msgpack.encode([]), value)
    return table


def test_a_lease_ends_when_its_row_has_stood_still_for_its_length():
    sightings = Sightings(["x"], 1.0)
    assert sightings.look({}, 0).owners() == {"x": None}
    assert sightings.look(rows(p_x=("a", 1, 5), m_a=4), 10.0).owner("x") == "a"
    assert sightings.look(rows(p_x=("a", 1, 5), m_a=4), 10.9).owner("x") == "a"
    assert sightings.look(rows(p_x=("a", 1, 7), m_a=4), 10.95).owner("x") == "a"
    view = sightings.look(rows(p_x=("a", 1, 7), m_a=9), 11.9)
    assert (view.owner("x"), set(view.members)) == ("a", {"a"})
    view = sightings.look(rows(p_x=("a", 1, 7), m_a=9), 12.0)
    assert view.owner("x") is None
    assert not view.members, "who lost a lease is not there, whatever his other row says"
    assert view.leases["x"] == (Lease("a", 1), 7)
    view = sightings.look(rows(p_x=("a", 1, 7), m_a=9), 12.9)
    assert view.silent == {member_key("a"): 9}


def test_a_lease_that_was_given_back_is_free_at_once():
    sightings = Sightings(["x"], 1.0)
    view = sightings.look(rows(p_x=("", 3, 5), m_a=4), 0)
    assert view.owner("x") is None
    assert set(view.members) == {"a"}
