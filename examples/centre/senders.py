"""The outside world: customers' mail servers, Meta's webhooks, and Twilio with its callers.

Nothing in here knows omniroute. It speaks SMTP and HTTP as the real senders do, signs what
they sign, and counts what was taken: the centre's books are later held against that count.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from urllib.parse import urlencode

import aiosmtplib
import httpx2

from .pace import Pace
from .traffic import Call, Contact, Mail, Post

__all__ = ["META_SECRET", "TWILIO_TOKEN", "Telephone", "World"]

META_SECRET = "the app secret that only Meta and we know"  # noqa: S105 - a secret for play
TWILIO_TOKEN = "the auth token that only Twilio and we know"  # noqa: S105
FORM = "application/x-www-form-urlencoded"


class Telephone:
    """The lines that are open: callers wait until somebody picks up or they have enough."""

    def __init__(self) -> None:
        self._picked_up: dict[str, asyncio.Event] = {}
        self._put_down: dict[str, asyncio.Event] = {}

    def ring(self, call_id: str) -> None:
        """A new call."""
        self._picked_up[call_id] = asyncio.Event()
        self._put_down[call_id] = asyncio.Event()

    def pick_up(self, call_id: str) -> None:
        """An agent takes the call."""
        if call_id in self._picked_up:
            self._picked_up[call_id].set()

    def put_down(self, call_id: str) -> None:
        """The agent ends the call."""
        if call_id in self._put_down:
            self._put_down[call_id].set()

    async def wait_for_agent(self, call_id: str, seconds: float) -> bool:
        """True when somebody picked up in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._picked_up[call_id].wait()
        except TimeoutError:
            return False
        return True

    async def wait_for_end(self, call_id: str) -> None:
        """Until the agent has put down."""
        await self._put_down[call_id].wait()


class World:
    """Sends a day's contacts.

    ``taken`` counts, by channel, the events that were answered with yes; ``refused`` those
    that were answered with 401.
    """

    def __init__(
        self, smtp_port: int, webhooks: str, client: httpx2.AsyncClient, pace: Pace
    ) -> None:
        self._smtp_port = smtp_port
        self._webhooks = webhooks
        self._client = client
        self._pace = pace
        self.telephone = Telephone()
        self.taken: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def send_all(self, contacts: list[Contact]) -> None:
        """Send every contact at its time; ends when the last call is over."""
        async with asyncio.TaskGroup() as senders:
            for contact in contacts:
                senders.create_task(self._send_in_time(contact))

    async def _send_in_time(self, contact: Contact) -> None:
        await self._pace.sleep(contact.at_s)
        match contact.what:
            case Mail() as mail:
                await self._mail(mail)
            case Post() as post:
                await self._post(post)
            case Call() as call:
                await self._call(call)

    # --- mail -----------------------------------------------------------------------------

    async def _mail(self, mail: Mail) -> None:
        server = aiosmtplib.SMTP(hostname="127.0.0.1", port=self._smtp_port, start_tls=False)
        async with server:
            await server.sendmail(mail.envelope_from, [mail.to], mail.raw)
        self.taken["email"] += 1

    # --- Meta -----------------------------------------------------------------------------

    async def _post(self, post: Post) -> None:
        secret = "a guess" if post.forged else META_SECRET
        digest = hmac.new(secret.encode(), post.body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={digest}"}
        await self._deliver(post.channel, post.channel, post.body, headers, post.events)

    # --- Twilio ---------------------------------------------------------------------------

    async def _call(self, call: Call) -> None:
        """A call: it rings, somebody answers or the caller gives up, and it is over."""
        call_id = call.form["CallSid"]
        self.telephone.ring(call_id)
        await self._call_event(call.form)
        if call.repeated:  # Twilio had no answer in time and asks again
            await self._call_event(call.form)
        patience_s = call.patience_s / self._pace.speed
        if await self.telephone.wait_for_agent(call_id, patience_s):
            await self.telephone.wait_for_end(call_id)
        await self._call_event({**call.form, "CallStatus": "completed"})

    async def _call_event(self, form: dict[str, str]) -> None:
        url = f"{self._webhooks}/twilio_voice"
        signed = url + "".join(name + form[name] for name in sorted(form))
        digest = hmac.new(TWILIO_TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
        headers = {"Content-Type": FORM, "X-Twilio-Signature": base64.b64encode(digest).decode()}
        await self._deliver("voice", "twilio_voice", urlencode(form).encode(), headers, 1)

    async def _deliver(
        self, channel: str, path: str, body: bytes, headers: dict[str, str], events: int
    ) -> None:
        answer = await self._client.post(f"{self._webhooks}/{path}", content=body, headers=headers)
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            self.refused[channel] += events
        else:
            answer.raise_for_status()
            self.taken[channel] += events
