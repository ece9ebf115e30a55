"""One customer's words and names, and every output that must not have them."""

import io
import json
import logging
from contextlib import redirect_stderr, redirect_stdout

import anyio
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

import live
from omniroute import Address, AddressKind, Channel, Customer
from omniroute import events as ev
from omniroute.__main__ import main
from omniroute.errors import OmnirouteError
from omniroute.journal import KeyVault, new_master_key
from omniroute.model import UpdateKind

CANARY = "canary"
SAID = live.message(
    "canary text",
    channel=Channel.EMAIL,
    customer=Customer(
        id="canary@example.com",
        name="Canary Bird",
        addresses=(Address(AddressKind.EMAIL, "canary@example.com"),),
    ),
    subject="canary subject",
    thread_id="<canary-thread@example.com>",
    message_id="<canary-id@example.com>",
    links=("https://example.com/canary",),
    attributes={"note": "canary"},
)


def clean(text, where):
    assert CANARY not in str(text).casefold(), f"{where}: {text}"


async def a_day(url, vault, registry):
    """Every kind of thing that a customer's words go through; what was explained, what failed."""
    shown, failed = [], []
    async with live.router(url, vault=vault, registry=registry, clock=lambda: 1_000_000) as router:
        desk = await router.sign_in("ann")
        await router.submit(SAID, queue="support")
        shown.append(router.explain("i1"))
        shown.append(desk.open_offers[0])
        assignment = await desk.open_offers[0].accept()
        shown += [assignment, router.explain("i1"), router.statistics()]
        edited = msgspec.structs.replace(SAID, text="canary again")
        await router.send(ev.Update(edited, UpdateKind.EDITED, "canary", "canary-key"))
        await router.send(ev.Quarantine(SAID, "canary is not understood"))
        await router.request_callback("i1", "canary@example.com")
        await assignment.requeue("canary wanted it")
        await router.submit(msgspec.structs.replace(SAID, message_id=None), queue="support")
        await router.abandon("i1", "canary hung up")
        for wrong in (
            ev.Submit(msgspec.structs.replace(SAID, text="canary" * 200_000), "support"),
            ev.Submit(msgspec.structs.replace(SAID, attributes={"canary": "canary" * 500}), "q"),
            ev.Submit(SAID, "nowhere"),
            ev.EraseCustomer(("canary" * 20,)),
        ):
            with pytest.raises(OmnirouteError) as raised:
                await router.send(wrong)
            failed.append(raised.value)
        if vault is not None:
            await router.erase_customer(Channel.EMAIL, "canary@example.com")
    return shown, failed


@pytest.mark.parametrize("is_sealed", [False, True])
def test_nothing_that_is_told_has_a_customers_words(tmp_path, caplog, is_sealed):
    caplog.set_level(logging.DEBUG)
    registry = CollectorRegistry()
    exposed = []
    vault = KeyVault(tmp_path / "keys.db", new_master_key()) if is_sealed else None
    path = tmp_path / "router.db"

    class Watching(CollectorRegistry):
        def unregister(self, collector):
            exposed.append(generate_latest(self).decode())
            super().unregister(collector)

    registry = Watching()
    shown, failed = anyio.run(a_day, f"sqlite:///{path}", vault, registry)
    for record in caplog.records:
        clean(vars(record), "log")
    assert len(caplog.records) > 10
    clean(exposed[0], "metrics")
    assert "omniroute_" in exposed[0]
    for each in shown:
        clean(repr(each), "repr")
        if isinstance(each, msgspec.Struct):
            clean(json.dumps(msgspec.to_builtins(each, str_keys=True)), "json")
    for error in failed:
        clean(error, "error")
    for action in (["verify"], ["verify", "--json"], ["stats"], ["stats", "--json"]):
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            assert main(["journal", action[0], str(path), *action[1:]]) == 0
        clean(out.getvalue(), " ".join(action))


@pytest.mark.parametrize("is_sealed", [False, True])
def test_damage_is_named_without_what_it_damaged(tmp_path, is_sealed):
    import sqlite3

    vault = KeyVault(tmp_path / "keys.db", new_master_key()) if is_sealed else None
    path = tmp_path / "router.db"
    anyio.run(a_day, f"sqlite:///{path}", vault, CollectorRegistry())
    with sqlite3.connect(path) as connection:
        (data,) = connection.execute("select data from records where position = 4").fetchone()
        changed = data[:-9] + bytes(9)
        connection.execute("update records set data = ? where position = 4", (changed,))
    connection.close()
    out = io.StringIO()
    with redirect_stderr(out):
        assert main(["journal", "verify", str(path)]) == 1
    assert "damaged at record 4" in out.getvalue()
    clean(out.getvalue(), "damage")
