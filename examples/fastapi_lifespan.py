"""A router inside a FastAPI application: it lives as long as the application does.

    uvicorn --factory fastapi_lifespan:create_app    serves it
    python fastapi_lifespan.py                       lets it answer some requests, and ends

A router is opened once, so each app makes a router of its own: a test calls `create_app()` and
has an empty centre. The same works with Starlette alone; `webhooks` is an ASGI application that
can be mounted in any other.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
from fastapi import FastAPI, HTTPException

from omniroute import Agent, Plan, Queue, Router, TriageRule, UnknownNameError
from omniroute.channels import Secrets
from omniroute.web.webhooks import Hook, webhooks

APP_SECRET = "from your environment, never from your code"  # noqa: S105 - for play

plan = Plan(
    queues=[Queue(name="social", members="social >= 1")],
    triage=[TriageRule(queue="social")],
    agents=[Agent(id="ines", skills={"social": 9})],
)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the router before the first request, close it after the last."""
    async with app.state.router:
        yield


def create_app() -> FastAPI:
    """An app with a router of its own.

    Providers prove their webhooks by a signature. Whoever may ask the two questions of your
    supervisors is for you to check: nothing here does.
    """
    router = Router(plan)
    app = FastAPI(lifespan=lifespan)
    app.state.router = router
    app.mount("/webhooks", webhooks(router.deliver, {"messenger": Hook(Secrets(APP_SECRET))}))

    @app.get("/queues")
    async def queues() -> dict[str, int]:
        """How many wait in each queue."""
        return {name: queue.waiting for name, queue in router.statistics().queues.items()}

    @app.get("/interactions/{interaction_id}/why")
    async def why(interaction_id: str) -> Any:
        """Why an open interaction is where it is."""
        try:
            return msgspec.to_builtins(router.explain(interaction_id))
        except UnknownNameError:  # its text names ids that are open: not for a stranger
            raise HTTPException(404, "no such interaction is open") from None

    return app


# --- some requests, without a network -----------------------------------------------------


def delivery(text: str) -> bytes:
    """A message as Messenger posts it."""
    event = {
        "sender": {"id": "200000000000001"},
        "recipient": {"id": "100000000000001"},
        "timestamp": 1772998024000,
        "message": {"mid": "m_1", "text": text},
    }
    entry = {"id": "100000000000001", "time": 1772998024000, "messaging": [event]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


async def main() -> None:
    """Post a message, ask why it waits, let Ines answer it."""
    body = delivery("Is a cracked phone screen covered?")
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    signed = {"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"}
    forged = {**signed, "X-Hub-Signature-256": "sha256=00"}
    app = create_app()
    transport = httpx2.ASGITransport(app=app)
    async with lifespan(app), httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
        for headers in (forged, signed):
            answer = await http.post("/webhooks/messenger", content=body, headers=headers)
            print(f"POST /webhooks/messenger: {answer.status_code}")
        print(f"GET /queues: {(await http.get('/queues')).json()}")
        explained = (await http.get("/interactions/i1/why")).json()
        print(f"GET /interactions/i1/why: {explained['reason']}: until {explained['change']}")
        async with app.state.router.sign_in("ines") as desk:
            async for offer in desk.offers():
                assignment = await offer.accept()
                if assignment is not None:
                    print(f"ines has: {assignment.interaction.message.text}")
                    await assignment.complete()
                    break
        print(f"GET /queues: {(await http.get('/queues')).json()}")


if __name__ == "__main__":
    asyncio.run(main())
