"""Escalation to voice and video: who makes the link, and what happens when he does not."""

import anyio
import pytest

import live
from omniroute import (
    Agent,
    Attachment,
    Capacity,
    Channel,
    InteractionState,
    MeetingError,
    Plan,
    Queue,
    Refused,
    TemplateMeetings,
    UnknownNameError,
    UsageError,
)
from omniroute.events import RejectReason

pytestmark = pytest.mark.anyio

JITSI = "https://meet.example.com/{token}"
PLAN = Plan(
    queues=[Queue(name="social"), Queue(name="calls")],
    capacities=[Capacity(budget=2)],
    agents=[Agent(id="ann")],
)


class Rooms:
    """A provider that answers with what it is given, or raises it."""

    def __init__(self, answer="https://rooms.example.com/1", after_s=0):
        self.answer = answer
        self.after_s = after_s
        self.asked = []

    async def create(self, interaction, channel):
        self.asked.append((interaction.id, channel))
        await anyio.sleep(self.after_s)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def opened(meetings=None, **options):
    return live.router(plan=PLAN, meetings=meetings, **options)


async def a_post(router, desk):
    """A public post that an agent has."""
    picture = Attachment(content_type="image/png", name="crack.png", url="https://cdn.example/1")
    message = live.message(
        "My screen is cracked",
        channel=Channel.FACEBOOK,
        subject="Warranty",
        links=("https://shop.example/phone",),
        attachments=(picture,),
    )
    await router.submit(message, queue="social")
    return await (await desk.next_offer()).accept()


async def test_the_same_agent_gets_the_call_with_all_that_was_said():
    rooms = Rooms()
    async with opened(rooms) as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        escalation = await post.escalate(Channel.VIDEO)
        assert rooms.asked == [("i1", Channel.VIDEO)]
        assert escalation.link == "https://rooms.example.com/1"
        assert post.escalations == (escalation.interaction_id,) == ("i2",)
        call = await (await desk.next_offer()).accept()
        message = call.interaction.message
        assert call.interaction.channel is Channel.VIDEO
        assert call.interaction.parent_id == "i1"
        assert call.interaction.conversation_id == post.interaction.conversation_id
        assert message.subject == "Warranty"
        assert message.links == ("https://rooms.example.com/1", "https://shop.example/phone")
        assert message.attachments == post.interaction.message.attachments
        assert message.customer == post.interaction.customer
        assert post.state is InteractionState.ENGAGED  # the written thread stays open
        assert await call.complete()
        assert await post.complete()


FAULTS = [
    (ConnectionError("no route"), "Rooms gave no link: ConnectionError: no route"),
    (TimeoutError("theirs"), "Rooms gave no link: TimeoutError: theirs"),
    (None, "no text but NoneType"),
    ("", "is no URL"),
    ("meet me at noon", "is no URL"),
    ("https://rooms.example.com/a b", "spaces"),
    ("https://rooms.example.com/" + "x" * 2_000, "more than 2000"),
]


@pytest.mark.parametrize(("answer", "says"), FAULTS)
async def test_a_provider_that_fails_has_changed_nothing(answer, says):
    async with opened(Rooms(answer)) as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        before = live.kinds(router.journal)
        with pytest.raises(MeetingError, match=says) as raised:
            await post.escalate(Channel.VIDEO)
        if isinstance(answer, BaseException):
            assert raised.value.__cause__ is answer
        assert live.kinds(router.journal) == before
        assert post.escalations == ()
        assert await post.escalate(Channel.VIDEO, link="https://ok.example/1")


async def test_a_provider_that_never_answers_is_given_up():
    async with opened(Rooms(after_s=11)) as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        with pytest.raises(MeetingError, match="no link in 10000 ms"):
            await post.escalate(Channel.VIDEO)
    with pytest.raises(UsageError, match="meeting_timeout_ms"):
        opened(Rooms(), meeting_timeout_ms=0)


async def test_an_escalation_that_is_cancelled_while_the_provider_works_has_not_happened():
    async with opened(Rooms(after_s=5)) as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        with anyio.move_on_after(1):
            await post.escalate(Channel.VIDEO)
        assert post.escalations == ()
        assert [each.id for each in router.interactions()] == ["i1"]


async def test_who_is_not_asked():
    rooms = Rooms()
    async with opened(rooms) as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        with pytest.raises(UnknownNameError, match="calls"):
            await post.escalate(Channel.VIDEO, queue="call")
        with pytest.raises(ValueError, match="pigeon"):
            await post.escalate("pigeon")
        await post.complete()
        assert await post.escalate(Channel.VIDEO) == Refused(RejectReason.UNKNOWN_ASSIGNMENT)
        assert rooms.asked == []


async def test_the_customer_leaves_while_the_provider_works():
    async with opened(Rooms(after_s=5)) as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        async with anyio.create_task_group() as group:
            group.start_soon(router.abandon, "i1")
            assert not await post.escalate(Channel.VIDEO)


async def test_without_a_provider_a_call_needs_no_link_but_a_video_does():
    async with opened() as router, router.sign_in("ann") as desk:
        post = await a_post(router, desk)
        with pytest.raises(UsageError, match=r"meetings=\.\.\."):
            await post.escalate(Channel.VIDEO)
        escalation = await post.escalate(Channel.VOICE, queue="calls")
        assert escalation.link == ""
        assert (await desk.next_offer()).interaction.queue == "calls"


async def test_the_links_of_a_template_cannot_be_guessed():
    rooms = TemplateMeetings("https://meet.example.com/{channel}/{token}?lang=de")
    links = {await rooms.create(None, Channel.VIDEO) for _ in range(100)}
    assert len(links) == 100
    for link in links:
        token = link.removeprefix("https://meet.example.com/video/").removesuffix("?lang=de")
        assert len(token) == 32


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("https://meet.example.com/room", "must have {token}"),
        ("https://meet.example.com/{token}/{name}", "it has name, token"),
        ("https://meet.example.com/{token.__class__}", "must have {token}"),
        ("https://meet.example.com/{token", "cannot be read"),
        ("{token}", "is no URL"),
    ],
)
def test_a_template_that_makes_no_links_is_refused(template, says):
    with pytest.raises(UsageError, match=says):
        TemplateMeetings(template)
