"""A member of a cluster as a process of its own: takes messages in, and says what it is told.

    python tests/cluster/process.py NAME COORDINATOR JOURNAL SPOOL

Each line on standard output is JSON: ["owns", time, true or false], ["took", time, message id,
outcome], with the time of the machine's monotonic clock in seconds.
"""

import json
import sys
import time

import anyio

from omniroute import Channel, Customer, Message, Plan, Queue
from omniroute.cluster import Member, Partition
from omniroute.errors import RouterError

PLAN = Plan(queues=[Queue(name="calls", max_waiting=1_000_000)])


def say(word, *rest):
    sys.stdout.write(json.dumps([word, time.monotonic(), *rest]) + "\n")
    sys.stdout.flush()


async def watch(member):
    owns = None
    while True:
        now = member.router("north") is not None
        if now != owns:
            owns = now
            say("owns", owns)
        with anyio.move_on_after(0.05):
            await member.changed()


async def customer(member, name):
    number = 0
    while True:
        message_id = f"{member.name}/{name}/{number}"
        message = Message(
            channel=Channel.CHAT,
            customer=Customer(id=message_id),
            thread_id=message_id,
            message_id=message_id,
        )
        try:
            receipt = await member.submit("north", message, queue="calls")
        except RouterError as error:
            say("refused", message_id, repr(error))
        else:
            say("took", message_id, receipt.outcome)
            number += 1
        await anyio.sleep(0.005)


async def main(name, coordinator, journal, spool):
    north = Partition(name="north", plan=PLAN, journal=journal)
    async with (
        Member([north], coordinator, spool=spool, name=name) as member,
        anyio.create_task_group() as group,
    ):
        group.start_soon(watch, member)
        for number in range(3):
            group.start_soon(customer, member, number)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
