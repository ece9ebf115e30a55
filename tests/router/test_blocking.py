"""The facade for threads, used from threads: real time, but nothing here waits for it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry

import live
from omniroute import (
    AssignmentEnded,
    BlockingRouter,
    Channel,
    Disposition,
    Inbound,
    InteractionState,
    JournalError,
    MessagesMissed,
    OfferClosed,
    Outcome,
    Presence,
    Queue,
    Reason,
    RouterClosedError,
    TemplateMeetings,
    UnknownNameError,
    UsageError,
)

LONG_MS = 30_000


def test_a_full_life_from_a_thread():
    with BlockingRouter(live.plan()) as router, router.sign_in("ann") as desk:
        assert desk.presence is Presence.READY
        receipt = router.submit(live.message("Help", thread_id="t"), queue="support", priority=3)
        assert receipt.outcome is Outcome.QUEUED
        for offer in desk.offers(LONG_MS):
            assert offer.interaction.message.text == "Help"
            assert offer.closed is None
            assert offer.expires_at_ms > time.time() * 1_000
            assert offer.wait_closed(0) is None
            assignment = offer.accept()
            assert offer.wait_closed(LONG_MS) is OfferClosed.ACCEPTED
            assert assignment.hold()
            assert assignment.state is InteractionState.HELD
            assert assignment.resume()
            assert assignment.next_message(0) is None
            router.submit(live.message("and?", thread_id="t"))
            assert assignment.next_message(LONG_MS).text == "and?"
            assert [a.assignment_id for a in desk.assignments] == [assignment.assignment_id]
            assert assignment.wait_closed(0) is None
            assert assignment.complete("done")
            assert assignment.complete("done")  # the answer again
            assert not assignment.complete("sold")
            assert assignment.wait_closed(LONG_MS) is InteractionState.COMPLETED
            assert assignment.next_message() is None
            assert assignment.code == "done"
            break
        assert list(desk.offers(0)) == []
        assert router.statistics().total.completed == 1
    assert desk.presence is Presence.LOGGED_OUT


def test_the_rest_of_the_desk():
    with BlockingRouter(live.plan(), message_limit=1) as router:
        desk = router.sign_in("cy", ready=False)
        assert desk.ready()
        assert desk.change(groups=("night",))
        assert desk.agent.groups == ("night",)
        for number in range(3):
            router.submit(live.message(thread_id=f"t{number}"), queue="support")
        first, second, third = (desk.next_offer(LONG_MS) for _ in range(3))
        assert second.decline("busy")
        assert second.accept() is None
        assignment = first.accept()
        for text in "abc":
            router.submit(live.message(text, thread_id="t0"))
        assert assignment.next_message() == MessagesMissed(2)
        assert assignment.requeue("not mine")
        assert desk.not_ready("lunch")
        assert third.wait_closed() is OfferClosed.NOT_READY
        assert desk.sign_out("home")
        assert desk.next_offer() is None
        assert not desk.ready()


def test_what_a_supervisor_does():
    with BlockingRouter(live.plan()) as router:
        assert router.plan.name == "centre"
        for _ in range(4):
            router.submit(live.message(), queue="sales")
        assert router.reprioritize("i2", 7)
        assert router.interaction("i2").priority == 7
        assert router.explain("i1").reason is Reason.NO_AGENT_SIGNED_IN
        assert router.cancel("i1")
        assert router.abandon("i2")
        desk = router.sign_in("ann")
        offer = desk.next_offer(LONG_MS)
        assert router.withdraw(offer.offer_id)
        assert offer.closed is OfferClosed.WITHDRAWN
        assert router.sign_out("ann")
        bulk = Inbound(disposition=Disposition.BULK, message=live.message(channel=Channel.EMAIL))
        assert router.deliver(bulk).outcome is Outcome.IGNORED
        assert router.call(live_count, router) == 1


def test_what_follows_an_acceptance_from_a_thread():
    rooms = TemplateMeetings("https://meet.example.com/{token}")
    with BlockingRouter(live.plan(), meetings=rooms) as router:
        cy, bob = router.sign_in("cy"), router.sign_in("bob", ready=False)
        for number in range(3):
            router.submit(live.message(thread_id=f"t{number}"), queue="support")
        one, two, three = (cy.next_offer(LONG_MS).accept() for _ in range(3))
        assert one.park()
        assert one.ended is AssignmentEnded.PARKED
        assert [each.id for each in cy.parked()] == ["i1"]
        assert cy.unpark("i1")
        assert cy.next_offer(LONG_MS).decline()
        assert not cy.pick("i1")
        assert cy.visible() == []

        consultation = two.consult(agent_id="bob")
        assert not two.consult(agent_id="bob")
        assert (consultation.state, consultation.agent_id) == (InteractionState.WAITING, None)
        assert consultation.wait_taken(0) is None
        assert router.assign(consultation.interaction_id, "bob", actor="mia")
        assert consultation.wait_taken(LONG_MS) == "bob"
        assert two.confer()
        assert two.in_conference
        assert two.hand_over()
        assert consultation.wait_closed(LONG_MS) is InteractionState.COMPLETED
        given = [bob.next_given(LONG_MS).interaction.id for _ in range(1)]
        assert given == ["i2"]
        assert bob.next_given(0) is None

        escalation = three.escalate(Channel.VIDEO)
        assert escalation.link.startswith("https://meet.example.com/")
        assert three.escalations == (escalation.interaction_id,)
        assert not three.fail_callback()
        assert not three.extend_wrap_up(1)
        assert three.transfer(queue="sales", reason="wants more")
        timeline = router.timeline(interaction_id="i3")
        assert timeline.interactions == ("i3", escalation.interaction_id)
        assert not cy.renew()


def test_whole_queues_and_the_plan_from_a_thread():
    with BlockingRouter(live.plan()) as router:
        later = 10**15
        message = live.message()
        assert router.submit(message, queue="sales", start_at_ms=later).outcome == "scheduled"
        for _ in range(3):
            router.submit(live.message(), queue="support", max_wait_ms=10**9)
        assert router.move("i2", "sales", actor="mia")
        assert router.request_callback("i2", "+4930123")
        assert router.move_all("support", "sales") == 2
        assert router.close_all("sales", "closed") == 3
        assert not router.unpark("i1")
        assert router.drain("support")
        assert router.reopen("support")
        more = live.plan(queues=[*live.plan().queues.values(), Queue(name="extra")])
        assert router.preview_plan(more).moved == ()
        assert router.change_plan(more)
        assert "extra" in router.plan.queues


async def live_count(router):
    return len(router._router.deliveries)


def test_mistakes_are_raised_in_the_calling_thread():
    with BlockingRouter(live.plan()) as router:
        with pytest.raises(UnknownNameError, match="support"):
            router.submit(live.message(), queue="suport")
        with pytest.raises(UnknownNameError, match="ann"):
            router.sign_in("annn")
        with pytest.raises(UsageError, match="started already"):
            router.start()


def test_start_and_close():
    router = BlockingRouter(live.plan(), registry=CollectorRegistry())
    with pytest.raises(RouterClosedError, match="BlockingRouter"):
        router.submit(live.message(), queue="support")
    router.start()
    assert router.submit(live.message(), queue="support").outcome is Outcome.QUEUED
    router.close()
    router.close()
    with pytest.raises(RouterClosedError):
        router.statistics()


def test_a_call_that_comes_while_the_router_closes():
    router = BlockingRouter(live.plan())
    router.start()
    portal = router._portal
    router.close()
    router._portal = portal
    with pytest.raises(RouterClosedError, match="closed"):
        router.statistics()


def test_a_failure_is_raised_on_leaving():
    journal = live.FailingJournal(at=1)
    with (
        pytest.raises(JournalError, match="disk full"),
        BlockingRouter(live.plan(), journal=journal) as router,
        pytest.raises(RouterClosedError),
    ):
        router.submit(live.message(), queue="support")


def test_a_journal_that_cannot_be_read_is_raised_on_entering():
    class Unreadable(live.SlowJournal):
        async def read(self, from_seq=1):
            raise OSError("no such disk")
            yield

    with pytest.raises(JournalError, match="no such disk"):
        BlockingRouter(live.plan(), journal=Unreadable()).start()


def test_a_desk_that_leaves_after_the_router_closed():
    router = BlockingRouter(live.plan())
    router.start()
    with router.sign_in("ann"):
        router.close()


def test_many_threads_share_the_work():
    lives = 200
    served = []
    ended = threading.Event()

    def agent(router, agent_id):
        with router.sign_in(agent_id) as desk:
            while not ended.is_set():
                offer = desk.next_offer(20)
                assignment = offer.accept() if offer is not None else None
                if assignment is not None and assignment.complete():
                    served.append(assignment.interaction.id)

    def customer(router, count):
        for _ in range(count):
            assert router.submit(live.message(), queue="support").outcome is Outcome.QUEUED

    with BlockingRouter(live.plan()) as router, ThreadPoolExecutor(8) as pool:
        agents = [pool.submit(agent, router, name) for name in ("ann", "bob", "cy")]
        customers = [pool.submit(customer, router, lives // 4) for _ in range(4)]
        for done in customers:
            done.result()
        while router.statistics().total.completed < lives:
            threading.Event().wait(0.005)
        ended.set()
        for done in agents:
            done.result()
    assert sorted(served) == sorted(f"i{n + 1}" for n in range(lives))


def test_a_call_that_is_interrupted_is_cancelled():
    class Interrupted(BaseException):
        pass

    class Future:
        cancelled = False

        def result(self):
            raise Interrupted

        def cancel(self):
            self.cancelled = True

    class Portal:
        future = Future()

        def start_task_soon(self, function):
            return self.future

    router = BlockingRouter(live.plan())
    router._portal = Portal()
    with pytest.raises(Interrupted):
        router.cancel("i1")
    assert Portal.future.cancelled
