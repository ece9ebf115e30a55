"""How providers deliver: the facts about each that stand in no payload.

One table, by the name of the adapter: how long the provider waits for an answer, what it wants
to hear, whether it calls paths below the URL that it was given, and what a forgery must be
answered with. `omniroute.web.webhooks` keeps to it, and the tables of the documentation are
tested against it. A channel without a row is taken for an ordinary one.

The limits are the providers' documented ones. Meta's and Twilio's are what their users report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from .discord import acknowledge
from .protocol import Adapter, Reply, WebhookRequest
from .verdicts import json_reply

__all__ = ["PROVIDERS", "Provider", "provider_of"]


def _nothing(request: WebhookRequest) -> Reply:
    """The answer that most providers want: 200 and nothing else."""
    return Reply()


def _empty_object(request: WebhookRequest) -> Reply:
    """For those who read the answer as JSON and take nothing for a failure."""
    return json_reply({})


@attrs.frozen(kw_only=True)
class Provider:
    """One provider's manners.

    Attributes:
        time_limit_ms: how long it waits for an answer, in milliseconds; then it hangs up and
            counts the delivery as failed. None: not documented, or it calls nobody.
        taken: what it wants to hear when a delivery is taken.
        calls_below: it calls paths below the URL that it was given.
        drops_forgeries: a delivery with a wrong signature is to be answered with 2xx, and
            dropped (WebSub, section 8): an error would end the subscription.
    """

    time_limit_ms: int | None = None
    taken: Callable[[WebhookRequest], Reply] = _nothing
    calls_below: bool = False
    drops_forgeries: bool = False


_META = Provider(time_limit_ms=5_000)
_TWILIO = Provider(time_limit_ms=15_000)

#: Name of the adapter -> its provider. Those that are missing have nothing special.
PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "facebook": _META,
        "messenger": _META,
        "instagram": _META,
        "whatsapp": _META,
        "telegram": Provider(time_limit_ms=60_000),
        "line": Provider(time_limit_ms=2_000),
        "x": Provider(time_limit_ms=10_000),
        "slack": Provider(time_limit_ms=3_000),
        "teams": Provider(time_limit_ms=15_000),
        "discord": Provider(time_limit_ms=3_000, taken=acknowledge),
        "linkedin": Provider(time_limit_ms=3_000),
        "youtube": Provider(drops_forgeries=True),
        "matrix": Provider(taken=_empty_object, calls_below=True),
        "google_chat": Provider(time_limit_ms=30_000, taken=_empty_object),
        "twilio_voice": _TWILIO,
        "twilio_sms": _TWILIO,
        "voicemail": _TWILIO,
        "vonage": Provider(time_limit_ms=10_000),
        "intercom": Provider(time_limit_ms=5_000),
        "zendesk_sunshine": Provider(time_limit_ms=12_000),
    }
)

_ORDINARY = Provider()


def provider_of(adapter: Adapter) -> Provider:
    """The facts about an adapter's provider, by its name."""
    return PROVIDERS.get(adapter.name, _ORDINARY)
