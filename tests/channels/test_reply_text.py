"""The visible reply in many languages and layouts; whatever is unclear stays visible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.channels import visible_reply

INTRODUCTIONS = [
    "On Mon, Apr 2, 2012 at 6:26 PM, Jane Doe <jane@example.org> wrote:",
    "On 2 Apr 2012, at 18:26, Jane Doe\n<jane@example.org>\nwrote:",
    "Am 02.04.2012 um 18:26 schrieb Jane Doe <jane@example.org>:",
    "Am Montag, 2. April 2012, 18:26 schrieb Jane Doe:",
    "Le 2 avr. 2012 à 18:26, Jane Doe <jane@example.org> a écrit :",
    "El 02/04/2012, Jane Doe escribió:",
    "Il giorno 02 aprile 2012 18:26, Jane Doe ha scritto:",
    "Op 2 apr. 2012 om 18:26 schreef Jane Doe <jane@example.org>:",
    "Den 2 april 2012 18:26 skrev Jane Doe <jane@example.org>:",
    "Em 2 de abril de 2012, Jane Doe <jane@example.org> escreveu:",
    "W dniu 2 kwietnia 2012 18:26 użytkownik Jane Doe napisał:",
    "Dne 2.4.2012 v 18:26 Jane Doe napsal(a):",
    "2 апреля 2012 г., 18:26 Jane Doe <jane@example.org> написал:",
    "2012年4月2日 18:26，Jane Doe <jane@example.org> 写道：",
    "-----Original Message-----",
    "-----Ursprüngliche Nachricht-----",
    "From: Jane Doe <jane@example.org>\nSent: Monday, April 2, 2012\nTo: Joe\nSubject: x",
    "Von: Jane Doe <jane@example.org>\nGesendet: Montag, 2. April 2012\nAn: Joe\nBetreff: x",
    "De : Jane Doe\nEnvoyé : lundi 2 avril 2012\nÀ : Joe\nObjet : x",
    "________________________________\nFrom: Jane\nDate: Monday\nTo: Joe",
    "------------------------------\n*From:* Jane\n*Sent:* Monday\n*To:* Joe",
]


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_a_quotation_is_hidden(introduction):
    assert visible_reply(f"My answer.\n\n{introduction}\n\nold text") == "My answer."


@pytest.mark.parametrize("introduction", INTRODUCTIONS[:14])
def test_what_stands_below_a_marked_quotation_is_visible(introduction):
    text = f"{introduction}\n> old text\n> more\n\nMy answer."
    assert visible_reply(text) == "My answer."


SIGNATURES = [
    "-- \nJane Doe",
    "--\nJane Doe\nExample Ltd",
    "Sent from my iPhone",
    "Sent from my Verizon Wireless BlackBerry",
    "Von meinem iPhone gesendet",
    "Envoyé de mon iPhone",
    "Get Outlook for iOS",
    "________________\nlist footer",
]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_signature_is_hidden(signature):
    assert visible_reply(f"My answer.\n\n{signature}") == "My answer."


VISIBLE = [
    "On your remote host you can run:\n\n    telnet\n\nThis should connect.",
    "Sent from my desk, is much easier than my mobile phone.",
    "a fix -- this is no signature",
    "From: the beginning it did not work.",
    "She wrote:\nit is broken",
    "--\n" + "\n".join(f"line {n}" for n in range(40)),
    "---------- Forwarded message ----------\nFrom: x@y\n\nplease look",
    "the temperature is > 5\nand < 9",
]


@pytest.mark.parametrize("text", VISIBLE)
def test_what_only_looks_like_it_stays(text):
    assert visible_reply(f"Hello\n{text}").split() == f"Hello\n{text}".split()


@pytest.mark.parametrize("text", ["> all quoted", "-- \nonly a signature", INTRODUCTIONS[0]])
def test_when_nothing_would_be_left_everything_is(text):
    assert visible_reply(text) == text


LINES = st.sampled_from(
    ["", "> old", ">> older", "--", "-- ", "text", "On 2 Apr 2012 Jane wrote:", "Von: x", "An: y",
     "Betreff: z", "-----Original Message-----", "Sent from my iPhone", "wrote:", "On 2 Apr"]
)  # fmt: skip


@given(st.lists(LINES, max_size=40))
def test_the_reply_is_made_of_the_senders_own_lines(lines):
    text = "\n".join(lines)
    reply = visible_reply(text)
    assert bool(reply) == bool(text.strip())
    own = {line.strip() for line in lines} | {""}
    assert {line.strip() for line in reply.split("\n")} <= own
    if "text" in lines and lines[0] == "text":
        assert reply.startswith("text")


@given(st.text(max_size=300))
def test_any_text_has_a_reply(text):
    assert bool(visible_reply(text)) == bool(text.strip())
