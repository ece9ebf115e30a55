"""Where the waiting and the available meet: the hot path.

The theory. Interactions that wait stand in *lanes*, agents who have room stand in
*groups*; a lane and a group hold members that are alike, so only their heads matter. Which
profile satisfies which need is worked out once, when the lane or the profile comes into
being, and kept on both sides, as mirror images:

- an agent is freed: read the heads of the lanes in his first *row*, take the smallest key;
- an interaction arrives: `&` the mask of its *need* with the *board* of its channel, which
  says where somebody is available. Usually nothing is left. Else read the firsts of
  the need's profiles off the board, take the smallest (or compare groups, by strategy).

The cost grows with the number of distinct kinds (16 ns each), never with the number of people
or calls. Refusals are kinds too: an interaction that somebody declined waits in a lane whose
requirement excludes him, which is not in his rows.

Both sides are brought up to date when somebody next looks: agents who changed are only
noted (`mark`), and so is the interaction that began to wait last (`put`). A freed agent who takes
work at once, the common case under load, never enters a group; an arrival that is
offered at once, the common case without load, never enters a lane.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from heapq import heappop
from itertools import chain

import msgspec

from ..model import Agent, Channel, Presence
from ..plan import Expression, Plan, Strategy
from .boards import Boards
from .groups import Group, Profile, ProfileKey, profile_key
from .held_out import HeldOut, best_other
from .lanes import EMPTY, Lane, LaneKey, Need, first_of, new_lane
from .order import HELD_OUT
from .queue_record import QueueRecord
from .records import AgentRecord, InteractionRecord
from .strategies import OF_GROUP, Picture, Required, score_of

__all__ = ["Market"]

_LONGEST_IDLE = Strategy.LONGEST_IDLE
_READY = Presence.READY

#: Fewer lanes than this are not worth sweeping.
_SWEEP_AT_LEAST = 1_024


class Market:
    """The index over waiting interactions and available agents; decides who is best."""

    __slots__ = (
        "_agents",
        "_always_named",
        "_arrived",
        "_boards",
        "_by_head",
        "_by_index",
        "_filed",
        "_free_slots",
        "_heads",
        "_held_out",
        "_named",
        "_needs",
        "_picture",
        "_profiles",
        "_required",
        "_scorers",
        "_stale",
        "_sweep_at",
        "_waiting",
        "lanes",
    )

    def __init__(
        self, agents: dict[str, AgentRecord], plan: Plan, picture: Picture, required: Required
    ) -> None:
        self._agents = agents
        self._picture = picture
        self._required = required
        self._scorers = plan.scorers
        #: place -> interaction, for all that are filed in a lane
        self._waiting: dict[int, InteractionRecord] = {}
        self._held_out = HeldOut()
        #: the interaction that began to wait last, while it is not filed yet
        self._arrived: InteractionRecord | None = None
        #: available agents by the idle number under which they are filed
        self._filed: dict[int, AgentRecord] = {}
        self._boards = Boards()
        #: the head of each lane, and the lane, by its index; place 0 stays empty
        self._heads: list[int] = [EMPTY]
        self._by_head: list[Lane | None] = [None]
        self.lanes: dict[LaneKey, Lane] = {}
        self._free_slots: list[int] = []
        #: how many lanes there must be before the empty ones are looked for
        self._sweep_at = _SWEEP_AT_LEAST
        self._needs: dict[Expression | None, Need] = {}
        self._profiles: dict[ProfileKey, Profile] = {}
        #: place 0 stays empty
        self._by_index: list[Profile | None] = [None]
        self._stale: list[AgentRecord] = []
        #: agents that some row of access or some requirement names, so that each is a profile of
        #: his own
        self._always_named = {
            agent_id
            for queue in plan.queues.values()
            for row in queue.access
            if row.agents is not None
            for agent_id in row.agents.agent_ids
        }
        self._named = set(self._always_named)

    # --- agents ---------------------------------------------------------------------

    def enter(self, record: AgentRecord) -> None:
        """An agent signed in or changed: give him his profile."""
        agent = record.agent
        named = agent.id in self._named
        key = profile_key(agent, named=named)
        profile = self._profiles.get(key)
        if profile is None:
            example = agent if named else msgspec.structs.replace(agent, id="")
            profile = self._new_profile(key, example)
        profile.agents[agent.id] = record
        record.profile = profile
        self.mark(record)

    def leave(self, record: AgentRecord) -> None:
        """An agent signed out or is about to change."""
        if record.group is not None:
            self._withdraw(record, record.group)
            record.group = None
        profile = record.profile
        del profile.agents[record.id]
        if not profile.agents:
            for need in self._needs.values():
                need.forget(profile)
            del self._profiles[profile.key]
            self._by_index[profile.index] = None

    def mark(self, record: AgentRecord) -> None:
        """His presence, load or idle number changed: look again before the next search."""
        if not record.stale:
            record.stale = True
            self._stale.append(record)

    def _new_profile(self, key: ProfileKey, example: Agent) -> Profile:
        try:
            index = self._by_index.index(None, 1)
        except ValueError:
            index = len(self._by_index)
            self._by_index.append(None)
            self._boards.widen()
        profile = self._by_index[index] = self._profiles[key] = Profile(index, key, example)
        for need in self._needs.values():
            need.consider(profile)
        return profile

    def _settle(self) -> None:
        """Bring the groups up to date for the agents that were marked."""
        for record in self._stale:
            record.stale = False
            load = record.load
            target = None
            if load.open and record.presence is _READY:
                groups = record.profile.groups
                target = groups.get(load)
                if target is None:
                    target = record.profile.new_group(load)
            group = record.group
            if group is target and (group is None or record.filed == record.idle):
                continue
            if group is not None:
                self._withdraw(record, group)
            record.group = target
            if target is not None:
                self._post(record, target)
        self._stale.clear()

    def _post(self, record: AgentRecord, group: Group) -> None:
        """He is available: in his group and on the boards of the kinds of work open to him."""
        record.filed = idle = record.idle
        self._filed[idle] = record
        group.add(record, idle)
        profile = record.profile
        profile.available += 1
        self._boards.post(profile, group.load.open, idle)

    def _withdraw(self, record: AgentRecord, group: Group) -> None:
        """He is not available any more, or not like that."""
        idle = record.filed
        del self._filed[idle]
        group.remove(idle)
        profile = record.profile
        profile.available -= 1
        self._boards.withdraw(profile, group.load.open, idle)

    # --- interactions ---------------------------------------------------------------

    def lane(
        self,
        queue: QueueRecord,
        expression: Expression | None,
        channel: Channel,
        base: Lane | None = None,
        barred: Collection[str] = (),
    ) -> Lane:
        """The lane of this queue, effective requirement and channel; made when first needed.

        ``barred``: its requirement is that of ``base`` and to be none of these agents.
        """
        key = (queue.name, expression, channel)
        lane = self.lanes.get(key)
        if lane is None:
            if len(self.lanes) >= self._sweep_at:
                self._sweep()
            if base is not None and expression not in self._needs:
                self._set_apart(frozenset(barred))
                need = self._needs[expression] = Need(expression)
                need.take_over(base.need, barred)
            lane = self.lanes[key] = self._new_lane(queue, expression, channel)
        return lane

    def need(self, expression: Expression | None) -> Need:
        """The need of an effective requirement, with the profiles that satisfy it."""
        need = self._needs.get(expression)
        if need is None:
            if expression is not None:
                self._set_apart(expression.agent_ids)
            need = self._needs[expression] = Need(expression)
            only = None if expression is None else expression.only_agents
            for profile in self._profiles.values() if only is None else self._of_agents(only):
                need.consider(profile)
        return need

    def _of_agents(self, agent_ids: Iterable[str]) -> Iterator[Profile]:
        """The profiles of those who are signed in."""
        for agent_id in agent_ids:
            record = self._agents.get(agent_id)
            if record is not None:
                yield record.profile

    def open_to_offers(self) -> Iterable[InteractionRecord]:
        """All that stand in some lane."""
        self._file()
        return chain(self._waiting.values(), self._held_out)

    def put(self, record: InteractionRecord) -> None:
        """It waits in its lane; filed there when somebody next looks."""
        if self._arrived is not None:
            self._file()
        self._arrived = record

    def _file(self) -> None:
        record = self._arrived
        if record is not None:
            self._arrived = None
            if record.offer is not None:
                self._held_out.put(record)
                return
            lane, key = record.lane, record.place
            assert lane is not None
            self._waiting[key] = record
            lane.put(key)
            if lane.is_fixed:
                self._heads[lane.index] = lane.heap[0]

    def take(self, record: InteractionRecord) -> None:
        """It does not wait any more."""
        if record is self._arrived:
            self._arrived = None
            return
        key = record.place
        if key >= HELD_OUT:
            self._held_out.take(record)
            return
        lane = record.lane
        assert lane is not None
        del self._waiting[key]
        if not lane.is_fixed:
            lane.take(key)
            return
        heap = lane.heap
        if heap[0] == key and not lane.gone:
            heappop(heap)
        else:
            lane.take(key)
            heap = lane.heap
        self._heads[lane.index] = heap[0] if heap else EMPTY

    def place(self, record: InteractionRecord, now_ms: int) -> int:
        """Where an interaction stands among all that are in line, smaller first."""
        if record.offer is not None:
            return HELD_OUT + record.seq
        lane = record.lane
        return record.key if lane is None else lane.place(record.place, now_ms)

    def position(self, record: InteractionRecord, now_ms: int) -> int:
        """The 1-based place of one that is open to offers in its queue. O(waiting)."""
        self._file()
        own = self.place(record, now_ms)
        return 1 + sum(
            other.queue is record.queue and self.place(other, now_ms) < own
            for other in self._waiting.values()
        )

    def _set_apart(self, agent_ids: frozenset[str]) -> None:
        """From now on each of these agents is a profile of his own."""
        for agent_id in sorted(agent_ids - self._named):
            self._named.add(agent_id)
            record = self._agents.get(agent_id)
            if record is not None and record.profile.example.id != agent_id:
                self._single_out(record)

    def _single_out(self, record: AgentRecord) -> None:
        """Give him a profile of his own: that of his kind, where he is the only one of it."""
        profile = record.profile
        if len(profile.agents) > 1:
            self.leave(record)
            self.enter(record)
            return
        # No need names him yet, so each says of him what it said of his kind.
        del self._profiles[profile.key]
        profile.key, profile.example = profile_key(record.agent, named=True), record.agent
        self._profiles[profile.key] = profile

    def _new_lane(
        self, queue: QueueRecord, expression: Expression | None, channel: Channel
    ) -> Lane:
        need = self.need(expression)
        if self._free_slots:
            index = self._free_slots.pop()
        else:
            index = len(self._heads)
            self._heads.append(EMPTY)
            self._by_head.append(None)
        lane = self._by_head[index] = new_lane(index, queue, need, channel)
        if lane.bit not in self._boards:
            self._settle()
            self._boards.open(lane.bit, len(self._by_index), self._profiles.values())
        need.lanes.append(lane)
        if lane.is_pushed:
            for profile in need.profiles.values():
                profile.serve(lane)
        return lane

    def _sweep(self) -> None:
        """Forget empty lanes and the needs only they had."""
        self._file()
        held_in = {id(record.lane) for record in self._held_out}
        for key, lane in list(self.lanes.items()):
            if not len(lane) and id(lane) not in held_in:
                del self.lanes[key]
                lane.need.lanes.remove(lane)
                lane.queue.lanes.clear()
                self._free_slots.append(lane.index)
                self._by_head[lane.index] = None
        self._needs = {e: need for e, need in self._needs.items() if need.lanes}
        named = (e.agent_ids for e in self._needs if e is not None)
        self._named = self._always_named.union(*named)
        for profile in self._profiles.values():
            profile.forget_lanes()
        for lane in self.lanes.values():
            if lane.is_pushed:
                for profile in lane.need.profiles.values():
                    profile.serve(lane)
        self._sweep_at = max(_SWEEP_AT_LEAST, 4 * len(self.lanes))

    # --- the two searches -------------------------------------------------------------

    def best_interaction(self, record: AgentRecord, now_ms: int) -> InteractionRecord | None:
        """The first in order among the waiting that this ready agent may take, or None."""
        if self._arrived is not None:
            self._file()
        profile, open_kinds = record.profile, record.load.open
        pick = profile.picks.get(open_kinds) or profile.build(open_kinds)
        if pick is not None:
            first = min(pick(self._heads))
            if first != EMPTY:
                return self._waiting[first]
            if len(profile.rows) == 1 and not self._held_out.records:
                return None
        for row in profile.rows:
            indexes = row.indexes(open_kinds)
            first = first_of((self._by_head[index] for index in indexes), record, now_ms)
            if first != EMPTY:
                return self._waiting[first]
            found = self._held_out.first(record, row.tier)
            if found is not None:
                return found
        return None

    def is_somebody_free(self, lane: Lane) -> bool:
        """Whether what would wait in this lane would be offered to somebody at once."""
        if not lane.is_pushed:
            return False
        if self._stale:
            self._settle()
        return bool(self._boards[lane.bit].profiles & lane.need.mask)

    def best_agent(
        self, record: InteractionRecord, but: AgentRecord | None = None
    ) -> AgentRecord | None:
        """The agent whom the queue's strategy prefers for this interaction, or None.

        ``but`` is left out.
        """
        lane = record.lane
        if lane is None or not lane.is_pushed:
            return None
        if self._stale:
            self._settle()
        need = lane.need
        board = self._boards[lane.bit]
        common = board.profiles & need.mask
        if not common:
            return None
        strategy = lane.strategy
        if record.offer is not None or but is not None:
            score = score_of(record, self._scorers, self._picture, self._required)
            others = [offer.agent for offer in record.held_by] + [but]
            return best_other(others, lane, self._profiles_of(common), score)
        if strategy is _LONGEST_IDLE:
            return self._filed[board.longest_idle(need, common)]
        score = score_of(record, self._scorers, self._picture, self._required)
        first = strategy in OF_GROUP
        candidates = (
            agent
            for profile in self._profiles_of(common)
            for group in profile.groups.values()
            if group.members and group.load.open & lane.bit
            for agent in ((group.members[group.first],) if first else group.members.values())
        )
        return min(candidates, key=lambda agent: (score(agent), agent.idle))

    def _profiles_of(self, mask: int) -> Iterator[Profile]:
        """The profiles whose bits are set."""
        bits = mask
        while bits:
            lowest = bits & -bits
            bits ^= lowest
            profile = self._by_index[lowest.bit_length() - 1]
            assert profile is not None
            yield profile
