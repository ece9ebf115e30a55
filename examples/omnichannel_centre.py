"""A contact centre at work, in one process: mails, calls and social messages find their agents.

    make demo        or        python examples/omnichannel_centre.py [--seed 7] [--serve]

What you see is real at both edges: mails come in by SMTP, calls and posts as signed webhooks
over HTTP, many of them recorded in the field, some hostile. Between them stands one router
with the plan `centre.toml`. Only the people are simulated: customers who call, write, lose
patience and hang up, and twelve human agents who accept, decline, miss and finish work. Ten
minutes of their day take about twenty seconds here.

The parts are in the folder `centre`; this file puts them together, as an application would.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random

import httpx2
import uvicorn
from centre.pace import Pace
from centre.people import People
from centre.report import print_summary
from centre.screen import Screen
from centre.senders import META_SECRET, TWILIO_TOKEN, World
from centre.traffic import a_day
from centre.watching import ToldJournal, Watch
from rich.console import Console
from starlette.applications import Starlette

from omniroute import Disposition, Inbound, Receipt, Router, load
from omniroute.channels import Detect, Reply, Secrets, enqueue, language_detector, reject
from omniroute.web.smtp import SmtpReceiver
from omniroute.web.webhooks import Hook, webhooks

PLAN = Path(__file__).with_name("centre.toml")
LANGUAGES = ["de", "en", "fr", "it"]


# --- the centre: what you would write, too ------------------------------------------------


def answer_call(events: Sequence[Inbound], receipts: Sequence[Receipt | None]) -> Reply:
    """What Twilio is told: a new caller waits with music, anything else needs no answer."""
    is_new = any(event.disposition is Disposition.CREATE for event in events)
    return enqueue("lakeside") if is_new else Reply()


def line_is_full(events: Sequence[Inbound], receipts: Sequence[Receipt | None]) -> Reply:
    """What Twilio is told when no queue has room: the caller hears the busy tone."""
    return reject()


def web_app(router: Router, detect: Detect) -> Starlette:
    """The webhooks of three channels, each with the secret that its provider signs with."""
    hooks = {
        "facebook": Hook(Secrets(META_SECRET)),
        "messenger": Hook(Secrets(META_SECRET)),
        "twilio_voice": Hook(Secrets(TWILIO_TOKEN), answer=answer_call, refused=line_is_full),
    }
    return webhooks(router.deliver, hooks, detect=detect, limits=router.plan.limits)


def mail_server(router: Router, detect: Detect) -> SmtpReceiver:
    """Takes mail for our domain, on any free port."""
    return SmtpReceiver(
        router.deliver,
        domains=["lakeside.example"],
        port=0,
        detect=detect,
        limits=router.plan.limits,
    )


@contextlib.asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """Serve the app on a free port of this machine; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


# --- the day ------------------------------------------------------------------------------


async def run(console: Console, seed: int, pace: Pace, *, serve: bool) -> bool:
    """Open the centre, let a day pass, print the summary. True when nothing is lost."""
    rng = Random(seed)
    journal = ToldJournal()
    plan = pace.faster(load(PLAN))
    detect = language_detector(LANGUAGES)
    async with contextlib.AsyncExitStack() as stack:
        router = await stack.enter_async_context(Router(plan, journal=journal))
        mail = await stack.enter_async_context(mail_server(router, detect))
        address = await stack.enter_async_context(listening(web_app(router, detect)))
        client = await stack.enter_async_context(httpx2.AsyncClient())
        console.print(f"mail: smtp://127.0.0.1:{mail.port}   webhooks: {address}   seed: {seed}")

        world = World(mail.port, address, client, pace)
        people = People(router, world.telephone, pace, rng)
        watch = Watch(router, journal, pace)
        async with asyncio.TaskGroup() as group:
            at_work = group.create_task(people.work())
            screen = group.create_task(Screen(console, router, people, watch, pace).show())
            await world.send_all(a_day(rng))
            await until_quiet(router, pace)
            screen.cancel()
            await asyncio.wait([screen])
            balance = print_summary(console, router, world, watch, pace)
            if serve:
                await keep_serving(console, mail.port, address, watch)
            at_work.cancel()
    return balance


async def until_quiet(router: Router, pace: Pace) -> None:
    """After the last contact: until all work is done, but not for ever."""
    for _ in range(60):
        now = router.statistics()
        if not now.waiting + now.offered + now.engaged + now.held + now.wrap_up:
            return
        await pace.sleep(10)


async def keep_serving(console: Console, smtp_port: int, address: str, watch: Watch) -> None:
    """Stay open and tell what comes in, until Ctrl-C."""
    told = HOW_TO_SEND.format(smtp_port=smtp_port, address=address)
    console.print(told, highlight=False, markup=False, soft_wrap=True)
    watch.news.clear()
    while True:
        await asyncio.sleep(0.2)
        while watch.news:
            console.print(watch.news.popleft(), highlight=False, markup=False, soft_wrap=True)


HOW_TO_SEND = f"""
The centre stays open, with all its agents; Ctrl-C closes it. Send it something:

  printf 'From: you@example.com\\nSubject: Hello\\n\\nIs anybody there?\\n' |
    curl smtp://127.0.0.1:{{smtp_port}} --mail-from you@example.com \\
         --mail-rcpt help@lakeside.example --upload-file -

  body=$(sed "s/m_FAKE_IMG_001/m_$RANDOM/" tests/data/messenger/vercel__image.json)
  sign=$(printf %s "$body" | openssl dgst -sha256 -r -hmac '{META_SECRET}')
  curl {{address}}/messenger --data-binary "$body" -H 'Content-Type: application/json' \\
       -H "X-Hub-Signature-256: sha256=${{{{sign%% *}}}}"
"""


# --- the command line -----------------------------------------------------------------------


def main() -> None:
    """Read the options and run the day."""
    parser = argparse.ArgumentParser(description="A contact centre at work in this terminal.")
    parser.add_argument("--seed", type=int, default=7, help="another number is another day")
    parser.add_argument(
        "--speed", type=float, default=45, help="seconds of the centre in one of yours"
    )
    parser.add_argument("--serve", action="store_true", help="stay open when the day is over")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    day = run(console, options.seed, Pace(options.speed), serve=options.serve)
    try:
        sys.exit(0 if asyncio.run(day) else 1)
    except KeyboardInterrupt:
        sys.exit(0 if options.serve else 130)


if __name__ == "__main__":
    main()
