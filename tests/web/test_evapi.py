"""The connection to Kamailio, against a fake of its evapi: order, refusals, reconnection."""

import json
from contextlib import asynccontextmanager

import anyio
import pytest

from omniroute.channels.netstring import NetstringDecoder, netstring
from omniroute.channels.quarantine import kept, replay
from omniroute.errors import UsageError
from omniroute.model import Channel, Disposition, Message, UpdateKind
from omniroute.web.evapi import Evapi, EvapiClosedError

pytestmark = pytest.mark.anyio

CALL = Message(
    channel=Channel.VOICE,
    thread_id="c1",
    attributes={"transaction_index": "7", "transaction_label": "8"},
)


def event(kind, **fields):
    return netstring(json.dumps({"event": kind, "callid": "c1", **fields}).encode())


class Fake:
    """What is delivered to us, and what Kamailio is told."""

    def __init__(self, error=None):
        self.error = error
        self._put, self.delivered = anyio.create_memory_object_stream(100)

    async def deliver(self, inbound):
        if self.error is not None:
            raise self.error
        await self._put.send(inbound)

    def close(self):
        self._put.close()
        self.delivered.close()


@asynccontextmanager
async def connected(fake):
    """(the client, our end of each connection that it makes)."""
    opened, connections = anyio.create_memory_object_stream(10)
    hang_up = anyio.Event()

    async def serve(stream):
        async with stream:
            await opened.send(stream)
            await hang_up.wait()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        evapi = Evapi(fake.deliver, port=port, retry_s=0, now_ms=lambda: 1_700_000_000_000)
        try:
            with anyio.fail_after(30):
                async with anyio.create_task_group() as group:
                    group.start_soon(listener.serve, serve)
                    group.start_soon(evapi.run)
                    yield evapi, connections
                    group.cancel_scope.cancel()
        finally:
            for stream in (opened, connections):
                stream.close()
            fake.close()


async def test_events_are_delivered_in_order_and_bad_ones_are_quarantined():
    fake = Fake()
    async with connected(fake) as (evapi, connections):
        kamailio = await connections.receive()
        await kamailio.send(event("new") + netstring(b"{") + event("answered") + event("bye")[:5])
        await kamailio.send(event("bye")[5:])
        found = [await fake.delivered.receive() for _ in range(4)]
        assert [one.disposition for one in found] == ["create", "quarantine", "update", "update"]
        assert all(one.message.received_at_ms == 1_700_000_000_000 for one in found)
        name, delivery = kept(found[1].message)
        assert (name, delivery.body) == ("kamailio", netstring(b"{"))
        assert [one.disposition for one in replay(found[1].message)] == ["quarantine"]
        assert evapi.is_connected


async def test_an_end_that_comes_before_its_beginning_comes_again():
    fake = Fake()
    async with connected(fake) as (_, connections):
        kamailio = await connections.receive()
        await kamailio.send(event("cancelled") + event("new") + event("new", callid="c2"))
        found = [await fake.delivered.receive() for _ in range(4)]
        assert [(one.disposition, one.update) for one in found] == [
            (Disposition.UPDATE, UpdateKind.ENDED),
            (Disposition.CREATE, None),
            (Disposition.UPDATE, UpdateKind.ENDED),
            (Disposition.CREATE, None),
        ]


async def test_decisions_reach_kamailio_as_it_reads_them():
    fake = Fake()
    async with connected(fake) as (evapi, connections):
        kamailio = await connections.receive()
        await kamailio.send(event("new"))
        await fake.delivered.receive()
        await evapi.reject(CALL, 486)
        phones = ["sip:ana@10.0.0.7", "sip:bob@10.0.0.8"]
        await evapi.connect(CALL, phones, headers={"X-Work": "a b"}, ring_ms=5000, dead_ms=100)
        decoder, told = NetstringDecoder(), []
        while len(told) < 2:
            told += decoder.feed(await kamailio.receive())
        refused, routed = map(json.loads, told)
        assert refused == {"callid": "c1", "tindex": 7, "tlabel": 8, "reject": 486}
        routes = json.loads(routed["routing"])["routes"]
        assert [route["uri"] for route in routes] == phones
        assert routes[0]["headers"] == {"extra": "X-Work: a b\r\n"}
        assert (routes[0]["fr_inv_timer"], routes[0]["fr_timer"]) == (5000, 100)


@pytest.mark.parametrize("bytes_", [b"no netstring", b"9999999999:"])
async def test_a_connection_that_speaks_something_else_is_made_again(bytes_):
    fake = Fake()
    async with connected(fake) as (_, connections):
        first = await connections.receive()
        await first.send(bytes_)
        second = await connections.receive()
        await second.send(event("new"))
        assert (await fake.delivered.receive()).disposition is Disposition.CREATE


async def test_what_cannot_be_recorded_ends_the_connection_loudly():
    fake = Fake(RuntimeError("the disk is full"))
    with pytest.raises(BaseExceptionGroup) as caught:
        async with connected(fake) as (_, connections):
            kamailio = await connections.receive()
            await kamailio.send(event("new"))
            await anyio.sleep_forever()
    assert "the disk is full" in repr(caught.value)


MISUSE = [
    (lambda evapi: evapi.connect(CALL, []), "at least one phone"),
    (lambda evapi: evapi.connect(CALL, ["ana"]), "SIP URI"),
    (lambda evapi: evapi.connect(CALL, ["sip:ana@x\r\nEvil: 1"]), "SIP URI"),
    (lambda evapi: evapi.connect(CALL, ["sip:a@x"], headers={"X": "1\r\nEvil: 1"}), "control"),
    (lambda evapi: evapi.connect(CALL, ["sip:a@x"], headers={"X: 1\r\nY": "1"}), "name of a SIP"),
    (lambda evapi: evapi.reject(CALL, 200), "400 to 699"),
    (lambda evapi: evapi.reject(Message(channel=Channel.VOICE)), "suspended"),
]


@pytest.mark.parametrize(("mistake", "text"), MISUSE)
async def test_a_mistake_is_told_and_nothing_is_sent(mistake, text):
    evapi = Evapi(lambda inbound: anyio.lowlevel.checkpoint())
    with pytest.raises(UsageError, match=text):
        await mistake(evapi)


async def test_without_a_connection_a_decision_is_refused():
    evapi = Evapi(lambda inbound: anyio.lowlevel.checkpoint())
    assert not evapi.is_connected
    with pytest.raises(EvapiClosedError):
        await evapi.reject(CALL)
