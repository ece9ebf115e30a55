"""Languages are told only where there is enough to tell them by."""

import pytest

from omniroute.channels import Email, language_detector, with_language
from omniroute.errors import UnknownNameError
from omniroute.model import Channel, Disposition, Inbound, Message

GERMAN = "Guten Tag, meine letzte Rechnung ist falsch, bitte prüfen Sie das."
ENGLISH = "Hello, my last invoice is wrong, could you please have a look at it?"


@pytest.fixture(scope="module")
def detect():
    return language_detector()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (GERMAN, "de"),
        (ENGLISH, "en"),
        ("Bonjour, ma dernière facture est fausse, merci de vérifier.", "fr"),
        ("お世話になっております。請求書が間違っています。", "ja"),
        ("Hi", None),
        ("ok danke", None),
        ("12345 67890 12345 67890 12345", None),
        ("", None),
    ],
)
def test_a_language_is_told_or_refused(detect, text, language):
    assert detect(text) == language


def test_fewer_languages_are_told_more_surely():
    text = "ja das passt gut für mich"
    assert language_detector(["de", "en"])(text) == "de"


def test_an_unknown_language_is_refused():
    with pytest.raises(UnknownNameError, match="language"):
        language_detector(["de", "xx"])


def test_only_what_the_customer_wrote_now_counts(detect):
    quoted = "\n".join(f"> {GERMAN}" for _ in range(5))
    raw = f"From: a@example.org\n\n{ENGLISH}\n\nOn 2 Apr 2012, b@x.example wrote:\n{quoted}\n"
    assert with_language(Email().read(raw.encode()), detect).message.language == "en"


def test_a_language_that_is_known_or_not_asked_for_stays():
    message = Message(channel=Channel.CHAT, text=GERMAN, language="fr")
    event = Inbound(disposition=Disposition.CREATE, message=message)
    assert with_language(event, lambda _: "de") is event
    unknown = Inbound(
        disposition=Disposition.CREATE, message=Message(channel=Channel.CHAT, text="x")
    )
    assert with_language(unknown, None) is unknown
    assert with_language(unknown, lambda _: "de").message.language == "de"
    kept = Inbound(
        disposition=Disposition.QUARANTINE, message=Message(channel=Channel.CHAT, text="x")
    )
    assert with_language(kept, lambda _: "de") is kept
