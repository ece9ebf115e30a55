"""The smallest contact centre: one queue, one human agent, one mail."""

import asyncio

from omniroute import Agent, Channel, Customer, Message, Plan, Queue, Router

plan = Plan(queues=[Queue(name="billing", members="billing >= 3")])
anna = Agent(id="anna", skills={"billing": 8})
mail = Message(channel=Channel.EMAIL, customer=Customer(name="Lena"), subject="My last bill")


async def main() -> None:
    """The mail waits until Anna signs in; she accepts and completes it."""
    async with Router(plan) as router, router.sign_in(anna) as desk:
        await router.submit(mail, queue="billing")
        async for offer in desk.offers():
            print(f"{desk.agent.id} is offered: {offer.interaction.message.subject}")
            assignment = await offer.accept()
            if assignment is not None:
                await assignment.complete("explained")
                print(f"completed: {assignment.code}")
                break


asyncio.run(main())
