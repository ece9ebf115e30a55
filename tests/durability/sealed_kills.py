"""The campaign of `kills` on a sealed journal, with customers who are erased amid the kills.

    python tests/durability/sealed_kills.py --kills 300

Each customer has a key of his own (`KeyVault`). While the others write and are served, one
after the other is erased, and the process is killed at any moment of that: before the keys are
retired, before the erasure is in the journal, while the snapshot without him is made, before the
keys are destroyed. The next life asks again for what was not answered. In the end one that is not
killed does so, and then, beside all that `kills` compares:

- no file has a word of anybody, or who he is;
- of whom was erased, whoever has the keys reads neither words nor name: not in commands, not in
  events, not in the state from a replay, from a snapshot, or of a router that has recovered;
- what is left comes to the same work as if nobody had been erased: a replay without him and the
  recovery from a snapshot agree on who waits where, who has what, and on every count.
"""

import sys
from pathlib import Path

import anyio
import kills
import msgspec

from omniroute import Channel, Router
from omniroute import events as ev
from omniroute.journal import KeyVault, open_journal

MASTER = bytes(range(32))
#: A customer writes the last few again after a restart; who is erased is further back.
BACK = 5


def keys_of(url):
    """The key store beside a journal, in a vault of its own."""
    return KeyVault(url.removeprefix("sqlite:///").replace(".db", ".keys"), MASTER)


def files_of(url):
    path = Path(url.removeprefix("sqlite:///"))
    return [each for each in path.parent.iterdir() if each.name.startswith(f"{path.stem}.")]


class Life(kills.Life):
    """A life in which customers are erased, too."""

    snapshots = 0.15

    def make_router(self):
        options = {"snapshot_every": self.snapshot_every, "vault": keys_of(self.url)}
        return Router(kills.PLAN, journal=self.url, **options)

    def say(self, *words):
        if words[0] == "sent":
            self.said.sent[words[1]] = words[3]
        super().say(*words)

    async def also(self):
        unanswered = sorted(self.said.erasing - self.said.erased)
        while True:
            who = unanswered.pop() if unanswered else self.somebody()
            if who is not None:
                self.said.erasing.add(who)
                self.say("erasing", who)
                await self.router.erase_customer(Channel.CHAT, who)
                self.say("erased", who)
            await anyio.sleep(self.dice.random() / 50)

    def somebody(self):
        """One who has written and will not again; of all, or of who wrote a moment ago."""
        name = f"c{self.dice.randrange(kills.CUSTOMERS)}"
        last = self.said.next_number(name) - BACK
        if last < 0:
            return None
        first = 0 if self.dice.random() < 0.5 else max(0, last - BACK)
        who = f"{name}/{self.dice.randint(first, last)}"
        return None if who in self.said.erasing else who


class Said(kills.Said):
    """What was said, with whom was asked to be erased, and who was."""

    def __init__(self):
        super().__init__()
        self.erasing = set()
        self.erased = set()

    def _erasing(self, who):
        self.erasing.add(who)

    def _erased(self, who):
        self.acknowledged += 1
        self.erased.add(who)

    def names(self, events):
        """Of whom was erased only the interaction is left to be found."""
        there = {e.interaction_id for e in events if type(e) is ev.Queued}
        gone = {who: self.sent[who] for who in self.erased if self.sent[who] in there}
        return super().names(events) | gone


async def read(url, said):
    """The events of a journal, when everybody who was to be erased is."""
    faults = []
    async with Router(kills.PLAN, journal=url, vault=keys_of(url)) as router:
        for who in sorted(said.erasing - said.erased):
            await router.erase_customer(Channel.CHAT, who)
            said.erased.add(who)
        await router._eraser.finish()  # it has begun to by itself
        live = router._engine.snapshot()
        open_now = router.interactions()
    vault = keys_of(url)
    async with open_journal(url, vault=vault) as journal:
        if vault.unfinished() != ((), (), ()):
            faults.append("an erasure was left unfinished")
        events, replayed, recovered = await kills.folds(journal)
        entries = [entry async for frame in journal.read() for entry in frame.entries]
        snapshot, _ = await journal.recover()
    places = {
        "the journal": msgspec.json.encode([entries, events]),
        "a replay": replayed.snapshot(),
        "a router": live + msgspec.json.encode(open_now),
        "a snapshot": b"" if snapshot is None else snapshot.state,
    }
    for place, data in places.items():
        faults += [f"{place} has the words of {who}" for who in said.erased if _words(who) in data]
    for who in said.erased:
        if f'"{who}"'.encode() in places["the journal"]:
            faults.append(f"the journal has the name of {who}")
    for path in files_of(url):
        if b"the words of" in path.read_bytes():
            faults.append(f"{path.name} has somebody's words")
    if recovered is not None and routing(recovered) != routing(replayed):
        faults.append("a recovery from the snapshot is not the same work as a replay")
    return events, faults, recovered is not None


def _words(who):
    return f"the words of {who}.".encode()


def routing(engine):
    """A state without who and what: nothing in it may depend on whom was erased."""
    return (
        [
            msgspec.structs.replace(each, messages=(), customer_id="", conversation_id="")
            for each in engine.interactions()
        ],
        {name: (a.presence, a.idle, sorted(a.work)) for name, a in engine._state.agents.items()},
        engine.statistics(),
        sorted(
            (t.deadline_ms, t.number, t.kind, t.subject.id) for t in engine._state.timers.live()
        ),
    )


SEALED = kills.Kind(Life, Said, read)

if __name__ == "__main__":
    sys.exit(kills.main(SEALED))
