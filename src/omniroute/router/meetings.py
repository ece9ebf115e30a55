"""Join links: where a customer and an agent meet when they step to voice or video.

Who makes them is the application's choice; the router only asks, before it posts anything, so
that a provider which fails has changed nothing. A link is a key to a private conversation: one
that is made here cannot be guessed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from string import Formatter
from typing import Protocol
from urllib.parse import quote, urlsplit

import anyio

from ..errors import MeetingError, UsageError
from ..model import Channel, Interaction
from ..plan import Plan

__all__ = ["MeetingProvider", "Meetings", "TemplateMeetings"]

#: The longest link that is taken from a provider.
MAX_LINK_CHARS = 2_000


class MeetingProvider(Protocol):
    """Makes a place to meet and returns the link to it.

    Raise anything when it cannot: `Assignment.escalate` raises `MeetingError` with it as the
    cause. The link is kept in the journal and given to the agent; sending it to the customer
    is the application's part.
    """

    async def create(self, interaction: Interaction, channel: Channel) -> str:
        """A link for the step from this interaction to that channel."""
        ...


class TemplateMeetings:
    """Links of a template, for services where any unknown name is a room (Jitsi Meet, say).

    ``template`` is a URL with ``{token}``, which becomes 32 characters that nobody can guess
    (192 bits of `secrets`), and perhaps with ``{channel}``. Raises `UsageError` for a template
    without a token or with another name.
    """

    def __init__(self, template: str) -> None:
        try:
            names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        except ValueError as error:
            raise UsageError(f"the template {template!r} cannot be read: {error}") from error
        if "token" not in names or not names <= {"token", "channel"}:
            raise UsageError(
                f"the template {template!r} must have {{token}}, and may have {{channel}}; it has "
                f"{', '.join(sorted(names)) or 'neither'}"
            )
        self._template = template
        fault = _fault(template.format(**dict.fromkeys(names, "x")))
        if fault:
            raise UsageError(f"the template {template!r} {fault}")

    async def create(self, interaction: Interaction, channel: Channel) -> str:
        """A link that was never given before; the service is not asked."""
        token = secrets.token_urlsafe(24)
        return self._template.format(token=token, channel=quote(channel.value))


class Meetings:
    """The router's meeting provider, if any, and what is asked of it."""

    def __init__(
        self, plan: Callable[[], Plan], provider: MeetingProvider | None, timeout_ms: int
    ) -> None:
        if timeout_ms < 1:
            raise UsageError(f"meeting_timeout_ms must be at least 1, got {timeout_ms!r}")
        self._plan = plan
        self._provider = provider
        self._timeout_ms = timeout_ms

    async def link(self, interaction: Interaction, channel: Channel, queue: str | None) -> str:
        """A link to meet at; "" where there is no provider and none is needed.

        Raises `MeetingError`, `UnknownNameError` for a queue that the plan does not know.
        """
        if queue is not None:
            self._plan().queue(queue)  # before a place is made that nobody comes to
        provider = self._provider
        if provider is None:
            if channel is Channel.VIDEO:
                raise UsageError(
                    "where do they meet? Give the router a meeting provider "
                    "(Router(plan, meetings=...)), or escalate with link="
                )
            return ""
        name = type(provider).__name__
        link: object = None
        try:
            with anyio.move_on_after(self._timeout_ms / 1_000) as scope:
                link = await provider.create(interaction, channel)
        except Exception as error:
            raise MeetingError(f"{name} gave no link: {type(error).__name__}: {error}") from error
        if scope.cancelled_caught:
            raise MeetingError(f"{name} gave no link in {self._timeout_ms} ms")
        fault = _fault(link)
        if fault:
            raise MeetingError(f"{name} gave a link that {fault}")
        assert isinstance(link, str)
        return link


def _fault(link: object) -> str:
    """What is wrong with a link, or ""."""
    if not isinstance(link, str):
        return f"is no text but {type(link).__name__}"
    if len(link) > MAX_LINK_CHARS:
        return f"has more than {MAX_LINK_CHARS} characters"
    try:
        parts = urlsplit(link)
    except ValueError:
        return "is no URL"
    if not parts.scheme or not (parts.netloc or parts.path):
        return "is no URL"
    return "" if link.isprintable() and " " not in link else "has spaces or control characters"
