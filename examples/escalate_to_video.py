"""A post becomes a chat becomes a video call: the same agent, the same conversation.

Lena complains under a post. Anna takes it, asks her into the chat of the shop, and steps from
there to video, with the photograph and all that was said at hand. The join link is made by a
meeting provider: here by a template, as for a Jitsi server.
"""

import asyncio

from omniroute import (
    Address,
    AddressKind,
    Agent,
    Attachment,
    Capacity,
    Channel,
    Customer,
    Desk,
    Message,
    Plan,
    Queue,
    Router,
    TemplateMeetings,
    Timeline,
)
from omniroute.plan import Identity, LastAgent, LinkRule

#: Lena is known by her telephone number on both channels; who served her last is asked first.
plan = Plan(
    queues=[Queue(name="care", last_agent=LastAgent())],
    capacities=[Capacity(budget=3)],
    identity=Identity(link_by=(LinkRule.E164,)),
)
number = (Address(AddressKind.E164, "+4930123456"),)
photograph = Attachment(
    content_type="image/jpeg", name="crack.jpg", url="https://cdn.example/crack.jpg"
)
post = Message(
    channel=Channel.FACEBOOK,
    customer=Customer(id="fb-17", name="Lena", addresses=number),
    thread_id="post-1",
    subject="Cracked screen",
    text="Three weeks old, and cracked!",
    attachments=(photograph,),
)
chat = Message(
    channel=Channel.CHAT,
    customer=Customer(id="web-4", name="Lena", addresses=number),
    thread_id="chat-9",
    subject="Cracked screen",
    text="Here I am. It still rings, but I cannot see who calls.",
)


async def serve(router: Router, desk: Desk) -> str:
    """Anna's part; returns the conversation."""
    await router.submit(post, queue="care")
    offer = await desk.next_offer()
    assert offer is not None
    written = await offer.accept()
    assert written is not None
    print(f"{desk.agent.id} has the post: {written.interaction.message.text}")
    await written.complete("moved to chat")

    await router.submit(chat, queue="care")
    offer = await desk.next_offer()
    assert offer is not None
    chatting = await offer.accept()
    assert chatting is not None
    print(f"{desk.agent.id} has the chat: {chatting.interaction.message.text}")

    escalation = await chatting.escalate(Channel.VIDEO)
    if not escalation:
        raise SystemExit(f"no video: {escalation.reason}")
    print(f"send the customer: {escalation.link.partition('-')[0]}-...")
    offer = await desk.next_offer()
    assert offer is not None
    video = await offer.accept()
    assert video is not None
    about = video.interaction.message
    print(f"{desk.agent.id} has the {about.channel} call about: {about.subject}")
    assert about.links[0] == escalation.link
    assert video.interaction.conversation_id == chatting.interaction.conversation_id
    await video.complete("replacement sent")
    await chatting.complete("solved by video")
    return chatting.interaction.conversation_id


def show(timeline: Timeline) -> None:
    """What happened, over all channels."""
    for entry in timeline.entries:
        who = entry.agent_id or "the customer"
        said = f": {entry.message.text}" if entry.message is not None else ""
        print(f"  {entry.channel:8} {entry.what:9} {who}{said}")


async def main() -> None:
    """One agent, one customer, three channels, one timeline."""
    meetings = TemplateMeetings("https://meet.example/escalate-{token}")
    async with Router(plan, meetings=meetings) as router:
        async with router.sign_in(Agent(id="anna")) as desk:
            conversation = await serve(router, desk)
        timeline = await router.timeline(conversation)
    print("the conversation:")
    show(timeline)


asyncio.run(main())
