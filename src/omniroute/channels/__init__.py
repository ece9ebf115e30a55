"""Channels: a provider's bytes in, `Inbound` values out. Pure; one file per provider.

`CHANNELS` is the table of adapters, `adapter_named` finds one by name or alias. Each adapter
follows the small protocol `Adapter`: verify, handshake, normalize.
"""

from __future__ import annotations

from .email import Email
from .email_limits import EmailLimits
from .language import language_detector, with_language
from .meta import Meta
from .plivo import Plivo
from .protocol import Adapter, Reply, Secrets, WebhookRequest
from .registry import CHANNELS, adapter_named, canonical_name
from .reply_text import visible_reply
from .telnyx import Telnyx
from .twilio_sms import TwilioSms
from .twilio_voice import TwilioVoice, enqueue
from .voicemail import Voicemail
from .vonage import Vonage

__all__ = [
    "CHANNELS",
    "Adapter",
    "Email",
    "EmailLimits",
    "Meta",
    "Plivo",
    "Reply",
    "Secrets",
    "Telnyx",
    "TwilioSms",
    "TwilioVoice",
    "Voicemail",
    "Vonage",
    "WebhookRequest",
    "adapter_named",
    "canonical_name",
    "enqueue",
    "language_detector",
    "visible_reply",
    "with_language",
]
