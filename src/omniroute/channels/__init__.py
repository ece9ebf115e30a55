"""Channels: a provider's bytes in, `Inbound` values out. Pure; one file per provider.

`CHANNELS` is the table of adapters, `adapter_named` finds one by name or alias. Each adapter
follows the small protocol `Adapter`: verify, handshake, normalize.
"""

from __future__ import annotations

from .amazon_connect import AmazonConnect
from .app_store import AppStore
from .apple_messages import AppleMessages
from .asterisk_ami import AsteriskAmi
from .asterisk_ari import AsteriskAri
from .bluesky import Bluesky
from .discord import Discord
from .email import Email
from .email_limits import EmailLimits
from .freeswitch import FreeSwitch
from .google_business_messages import BusinessMessages
from .google_chat import GoogleChat
from .google_meet import GoogleMeet
from .google_play import GooglePlay
from .in_app_chat import InAppChat
from .intercom import Intercom
from .kamailio import Kamailio
from .language import Detect, language_detector, with_language
from .line import Line
from .linkedin import LinkedIn
from .mastodon import Mastodon
from .matrix import Matrix
from .meta import Meta
from .plivo import Plivo
from .protocol import Adapter, Reply, Secrets, WebhookRequest
from .rcs import Rcs
from .registry import CHANNELS, adapter_named, canonical_name
from .reply_text import visible_reply
from .sip import Sip
from .slack import Slack
from .teams import Teams
from .telegram import Telegram
from .telnyx import Telnyx
from .twilio_sms import TwilioSms
from .twilio_voice import TwilioVoice, enqueue, reject
from .viber import Viber
from .voicemail import Voicemail
from .vonage import Vonage
from .x import XAccount
from .youtube import YouTube
from .zendesk_sunshine import ZendeskSunshine

__all__ = [
    "CHANNELS",
    "Adapter",
    "AmazonConnect",
    "AppStore",
    "AppleMessages",
    "AsteriskAmi",
    "AsteriskAri",
    "Bluesky",
    "BusinessMessages",
    "Detect",
    "Discord",
    "Email",
    "EmailLimits",
    "FreeSwitch",
    "GoogleChat",
    "GoogleMeet",
    "GooglePlay",
    "InAppChat",
    "Intercom",
    "Kamailio",
    "Line",
    "LinkedIn",
    "Mastodon",
    "Matrix",
    "Meta",
    "Plivo",
    "Rcs",
    "Reply",
    "Secrets",
    "Sip",
    "Slack",
    "Teams",
    "Telegram",
    "Telnyx",
    "TwilioSms",
    "TwilioVoice",
    "Viber",
    "Voicemail",
    "Vonage",
    "WebhookRequest",
    "XAccount",
    "YouTube",
    "ZendeskSunshine",
    "adapter_named",
    "canonical_name",
    "enqueue",
    "language_detector",
    "reject",
    "visible_reply",
    "with_language",
]
