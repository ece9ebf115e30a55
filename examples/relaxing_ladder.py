"""A requirement that relaxes while the customer waits, and the answer to "why does it wait?".

The engine has no clock: time is an argument. So a minute of waiting takes no time here, and
every run prints the same.
"""

from omniroute import Agent, Channel, Customer, Engine, Message
from omniroute.events import Accept, Offered, SignIn, Submit, Tick
from omniroute.plan import loads

PLAN = loads("""
[queues.claims]
members = "claims >= 1"

[[queues.claims.ladder]] # for 20 seconds only those who know claims well
requirement = "claims >= 8"
for_s = 20

[[queues.claims.ladder]] # then also those who know them somewhat
requirement = "claims >= 4"
for_s = 40

[[queues.claims.ladder]] # then whoever is there, in whatever language
drop = ["lang:fr"]
""")

AGENTS = (
    Agent(id="anna", skills={"claims": 9, "lang:fr": 8}),
    Agent(id="ben", skills={"claims": 5, "lang:fr": 10}),
    Agent(id="chloe", skills={"claims": 2, "lang:de": 10}),
)


def call(name: str) -> Message:
    """A customer rings."""
    return Message(channel=Channel.VOICE, customer=Customer(name=name))


def show(engine: Engine, interaction_id: str) -> None:
    """Print why an interaction is where it is."""
    why = engine.explain(interaction_id)
    print(f"{engine.now_ms // 1000:>3} s  step {why.step}: {why.reason}; needs {why.requirement}")
    for candidate in why.candidates:
        print(f"         {candidate.agent_id}: {candidate.verdict}")
    if why.next_step_at_ms is not None:
        print(f"       it moves when {why.change}, or at {why.next_step_at_ms // 1000} s")


def main() -> None:
    """Anna is on a call, Ben is away, Chloe speaks no French. Luc calls."""
    engine = Engine(PLAN)
    anna, ben, chloe = AGENTS
    engine.receive(SignIn(anna), now_ms=0)
    for event in engine.receive(Submit(call("Lena"), "claims"), now_ms=0):
        if isinstance(event, Offered):
            engine.receive(Accept(event.offer_id), now_ms=0)
    engine.receive(SignIn(ben, ready=False), now_ms=0)
    engine.receive(SignIn(chloe), now_ms=0)

    luc = Submit(call("Luc"), "claims", requirement="lang:fr >= 5", interaction_id="luc")
    engine.receive(luc, now_ms=0)
    show(engine, "luc")
    while (deadline_ms := engine.next_deadline()) is not None:
        events = engine.receive(Tick(), deadline_ms)
        show(engine, "luc")
        if any(isinstance(event, Offered) for event in events):
            break


if __name__ == "__main__":
    main()
