"""Every recorded input becomes what its row says."""

import pytest

from channels.rows import DATA, NO_PAYLOADS, Row, every_row, rows, words
from omniroute.channels import WebhookRequest, adapter_named, visible_reply
from omniroute.model import Disposition

ROUTED = {Disposition.CREATE, Disposition.APPEND}
#: How the index names a channel, where that differs from ours.
CHANNELS = {
    "facebook_comment": "facebook",
    "instagram_comment": "instagram",
    "x_mention": "x",
    "linkedin_comment": "linkedin",
    "youtube_comment": "youtube",
    "phone": "voice",
    "app_store_review": "app_store",
}

PAYLOADS = [row for row in every_row() if row.channel not in NO_PAYLOADS]


def normalized(row: Row):
    request = WebhookRequest(body=row.raw, received_at_ms=1_700_000_000_000)
    return adapter_named(row.channel).normalize(request)


def test_every_file_has_a_row_and_every_row_a_file():
    listed = [row.file for row in every_row()]
    assert len(listed) == len(set(listed))
    channels = {row.channel for row in every_row()}
    files = {f"{path.parent.name}/{path.name}" for path in DATA.glob("*/*")}
    assert set(listed) == {file for file in files if file.split("/")[0] in channels}
    assert all(row.source and row.licence for row in every_row())


def listed(cell: str, count: int) -> list[str]:
    """A cell for `count` messages: one value for all, or one each, "..." for the rest."""
    values = cell.split("|") if count > 1 else [cell]
    if values[-1] == "...":
        return values[:-1]
    return values if len(values) > 1 else values * count


@pytest.mark.parametrize("row", PAYLOADS, ids=lambda row: row.file)
def test_a_payload_becomes_what_its_row_says(row):
    events = normalized(row)
    assert events
    routed = [event for event in events if event.disposition in ROUTED]
    for event in events:
        assert event.message.channel == CHANNELS.get(row.expected_channel, row.expected_channel)
        assert event.message.received_at_ms == 1_700_000_000_000
    if row.is_new_interaction == "n/a" or row.is_policy:
        return
    assert bool(routed) == (row.is_new_interaction == "yes")
    judged = routed or events
    for cell, of in (
        (row.customer_id, lambda event: event.message.customer.id),
        (row.thread_id, lambda event: event.message.thread_id),
        (row.message_id, lambda event: event.message.message_id),
    ):
        expected = listed(cell, len(judged))
        if cell:
            assert [of(event) for event in judged][: len(expected)] == expected
    for event, start in zip(judged, listed(row.text_start, len(judged)), strict=False):
        assert words(event.message.text).startswith(words(start))
    assert {event.disposition for event in judged} == {Disposition(row.disposition)}


@pytest.mark.parametrize("row", PAYLOADS, ids=lambda row: row.file)
def test_a_payload_normalises_to_the_same_values_every_time(row):
    assert normalized(row) == normalized(row)


@pytest.mark.parametrize("row", rows("email_reply_text"), ids=lambda row: row.file)
def test_the_visible_reply_is_what_the_row_says(row):
    reply = visible_reply(row.raw.decode())
    assert words(reply).startswith(words(row.text_start))
    assert reply.strip()


REPLIES = {
    "zapier__correct_sig": ("this is an email with a correct -- signature.", "rick"),
    "zapier__email_1_2": ("You can list the keys for the bucket", "best way to clear"),
    "zapier__email_1_4": ("another problem with it.", "Loader seems to be"),
    "zapier__email_1_6": ("I get proper rendering as well.", "Was this caching related"),
    "zapier__email_1_8": ("I will reply under this one", "here's some stuff I can write"),
    "zapier__email_gmail": ("replying to a github message.", "how outdated their version"),
    "zapier__email_headers_no_delimiter": ("And another reply!", "A reply"),
    "zapier__email_iPhone": ("Here is another email", "Sent from my iPhone"),
    "zapier__email_one_is_not_on": ("One outstanding question I had:", "wrote:"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_the_visible_reply_keeps_the_answer_and_hides_the_quotation(name):
    text = (DATA / "email_reply_text" / f"{name}.txt").read_text("utf-8")
    kept, hidden = REPLIES[name]
    reply = visible_reply(text)
    assert kept in reply
    assert hidden not in reply.replace(kept, "")


def test_inline_answers_all_stay():
    text = (DATA / "email_reply_text" / "zapier__email_1_8.txt").read_text("utf-8")
    reply = visible_reply(text)
    assert "I will reply under this one" in reply
    assert "and under this." in reply
