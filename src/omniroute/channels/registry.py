"""The table of channels: a name, its adapter, and what else people call it.

Adding a channel is one file beside this one and one row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..errors import UnknownNameError
from ..model import Channel
from .amazon_connect import AmazonConnect
from .app_store import AppStore
from .apple_messages import AppleMessages
from .asterisk_ami import AsteriskAmi
from .asterisk_ari import AsteriskAri
from .bluesky import Bluesky
from .discord import Discord
from .email import Email
from .freeswitch import FreeSwitch
from .google_business_messages import BusinessMessages
from .google_chat import GoogleChat
from .google_meet import GoogleMeet
from .google_play import GooglePlay
from .in_app_chat import InAppChat
from .intercom import Intercom
from .kamailio import Kamailio
from .line import Line
from .linkedin import LinkedIn
from .mastodon import Mastodon
from .matrix import Matrix
from .meta import Meta
from .plivo import Plivo
from .protocol import Adapter
from .rcs import Rcs
from .sip import Sip
from .slack import Slack
from .teams import Teams
from .telegram import Telegram
from .telnyx import Telnyx
from .twilio_sms import TwilioSms
from .twilio_voice import TwilioVoice
from .viber import Viber
from .voicemail import Voicemail
from .vonage import Vonage
from .x import XAccount
from .youtube import YouTube
from .zendesk_sunshine import ZendeskSunshine

__all__ = ["CHANNELS", "adapter_named", "canonical_name"]

#: (adapter with its default configuration, other names it answers to)
_ROWS: tuple[tuple[Adapter, tuple[str, ...]], ...] = (
    (Email(), ("mail", "e_mail", "smtp", "imap")),
    (
        Meta(name="facebook", channel=Channel.FACEBOOK),
        ("facebook_page", "facebook_comment", "fb", "page", "meta"),
    ),
    (Meta(name="messenger", channel=Channel.MESSENGER), ("facebook_messenger",)),
    (
        Meta(name="instagram", channel=Channel.INSTAGRAM),
        ("instagram_comment", "instagram_direct", "ig"),
    ),
    (Meta(name="whatsapp", channel=Channel.WHATSAPP), ("whatsapp_cloud", "wa")),
    (Telegram(), ("tg", "telegram_bot")),
    (Line(), ("line_messaging",)),
    (Viber(), ("viber_bot",)),
    (XAccount(), ("twitter", "x_mention", "x_account")),
    (Slack(), ("slack_events",)),
    (Teams(), ("msteams", "microsoft_teams", "bot_framework")),
    (Discord(), ("discord_interactions",)),
    (LinkedIn(), ("linkedin_comment",)),
    (YouTube(), ("youtube_comment", "websub", "yt")),
    (Matrix(), ("matrix_appservice",)),
    (Bluesky(), ("bsky", "atproto")),
    (Mastodon(), ("activitypub", "fediverse")),
    (GoogleChat(), ("hangouts_chat", "gchat")),
    (BusinessMessages(), ("business_messages", "gbm")),
    (Rcs(), ("rcs_business_messaging", "google_rcs", "rbm")),
    (TwilioVoice(), ("twilio", "voice", "phone", "telephone", "call")),
    (TwilioSms(), ("sms", "text_message")),
    (Voicemail(), ("twilio_voicemail", "recording")),
    (Vonage(), ("nexmo", "vonage_voice", "vonage_sms")),
    (Plivo(), ("plivo_voice", "plivo_sms")),
    (Telnyx(), ("telnyx_voice", "telnyx_sms")),
    (AsteriskAri(), ("ari", "asterisk")),
    (AsteriskAmi(), ("ami",)),
    (FreeSwitch(), ("esl", "event_socket")),
    (Sip(), ("sip_invite",)),
    (Kamailio(), ("evapi",)),
    (AmazonConnect(), ("connect", "aws_connect")),
    (GoogleMeet(), ("meet",)),
    (GooglePlay(), ("play", "google_play_review")),
    (AppStore(), ("app_store_review",)),
    (Intercom(), ()),
    (ZendeskSunshine(), ("sunshine", "zendesk")),
    (InAppChat(), ("in_app", "chat", "iadvize")),
    (AppleMessages(), ("apple", "apple_business_chat", "apple_messages_for_business")),
)

#: Name -> adapter with its default configuration. Configured ones are made by the caller.
CHANNELS: Mapping[str, Adapter] = MappingProxyType({row[0].name: row[0] for row in _ROWS})

_ALIASES = {alias: adapter.name for adapter, aliases in _ROWS for alias in aliases}


def canonical_name(name: str) -> str:
    """The name in `CHANNELS` for a name or an alias, in any case, "-" like "_".

    Raises:
        UnknownNameError: no such channel; the message names the closest.
    """
    wanted = name.strip().lower().replace("-", "_").replace(" ", "_")
    if wanted in CHANNELS:
        return wanted
    if wanted in _ALIASES:
        return _ALIASES[wanted]
    raise UnknownNameError("channel", name, [*CHANNELS, *_ALIASES])


def adapter_named(name: str) -> Adapter:
    """The adapter of a channel, by name or alias; raises `UnknownNameError`."""
    return CHANNELS[canonical_name(name)]
