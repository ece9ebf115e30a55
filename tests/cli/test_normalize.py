"""`normalize` and `verify` on the command line: every file gives an answer."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from channels.rows import NO_PAYLOADS, every_row, rows
from omniroute.__main__ import main
from omniroute.channels import TwilioVoice, WebhookRequest, adapter_named
from omniroute.cli import verify

DATA = Path(__file__).parents[1] / "data"
FIELDS = {
    "file",
    "channel",
    "disposition",
    "customer_id",
    "thread_id",
    "message_id",
    "subject",
    "text",
    "language",
    "attachments",
    "links",
    "sent_at_ms",
}


#: What the index also lists; the texts of mails have a view of their own on the command line.
NO_CHANNELS = NO_PAYLOADS - {"email_reply_text"}


def normalised(row):
    return adapter_named(row.channel).normalize(WebhookRequest(body=row.raw))


def normalize(capsys, *arguments):
    code = main(["normalize", *map(str, arguments)])
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(set(each) >= FIELDS for each in shown)
    return code, shown


@pytest.mark.parametrize("channel", sorted({row.channel for row in every_row()} - NO_CHANNELS))
def test_every_recorded_file_is_printed_as_it_is_normalised(channel, capsys):
    """What it is normalised to is tested against the index, see `channels.test_rows`."""
    files = [row.path for row in rows(channel)]
    code, shown = normalize(capsys, channel, *files)
    assert code == 0
    assert {each["file"] for each in shown} == {str(file) for file in files}
    if channel == "email_reply_text":
        return
    for file in files:
        events = adapter_named(channel).normalize(WebhookRequest(body=file.read_bytes()))
        printed = [each for each in shown if each["file"] == str(file)]
        assert [
            (each["disposition"], each["customer_id"], each["thread_id"], each["message_id"])
            for each in printed
        ] == [
            (
                each.disposition,
                each.message.customer.id,
                each.message.thread_id,
                each.message.message_id,
            )
            for each in events
        ]
        assert [each["text"] for each in printed] == [each.message.text for each in events]


@pytest.mark.parametrize(
    "row",
    [row for row in every_row() if row.channel not in NO_PAYLOADS],
    ids=lambda row: row.file,
)
def test_the_names_in_the_index_are_names_of_channels(row):
    """The index calls a comment `facebook_comment` and some calls `phone`: aliases of ours."""
    found = {event.message.channel for event in normalised(row)}
    expected = row.expected_channel
    assert found == {expected if expected == "video" else adapter_named(expected).channel}


def test_one_object_per_contained_event(capsys):
    file = DATA / "messenger" / "vercel__batch_two_messages_one_echo.json"
    _, shown = normalize(capsys, "messenger", file)
    assert [each["disposition"] for each in shown] == ["create", "create", "own"]
    assert [each["text"] for each in shown][:2] == ["What is Vercel?", "Tell me more"]


def test_a_text_gives_its_visible_reply(capsys):
    file = DATA / "email_reply_text" / "zapier__email_1_4.txt"
    _, [shown] = normalize(capsys, "email_reply_text", file)
    assert shown["text"] == "Awesome! I haven't had another problem with it."
    assert shown["disposition"] == "text-only"


def test_a_mail_is_shown_whole_and_by_its_reply(capsys):
    _, [shown] = normalize(capsys, "email", DATA / "email" / "talon__gmail.eml")
    assert shown["text"].startswith("Hello")
    assert "wrote:" in shown["text"]
    assert shown["reply"] == "Hello"


@pytest.mark.parametrize("channel", ["email", "facebook", "twilio_voice", "email_reply_text"])
@pytest.mark.parametrize("content", [b"", b"\xff\0" * 10, b"[" * 100_000, b"x" * 3_000_000])
def test_hostile_files_end_in_an_object_not_in_a_traceback(channel, content, capsys, tmp_path):
    file = tmp_path / "payload"
    file.write_bytes(content)
    code, [shown] = normalize(capsys, channel, file)
    assert code == 0
    if channel != "email_reply_text":
        assert shown["disposition"] == "quarantine"
        assert shown["reason"]


@pytest.mark.parametrize("channel", ["email", "facebook", "twilio_voice", "email_reply_text"])
def test_a_file_that_cannot_be_opened_is_no_payload(channel, capsys, tmp_path):
    good = tmp_path / "payload"
    good.write_bytes(b"{}")
    missing, folder = tmp_path / "missing", tmp_path
    assert main(["normalize", channel, str(missing), str(good), str(folder)]) == 2
    shown = capsys.readouterr()
    assert [json.loads(line)["file"] for line in shown.out.splitlines()] == [str(good)]
    first, second = shown.err.splitlines()
    assert str(missing) in first
    assert str(folder) in second


class Endless(io.RawIOBase):
    """A stream that never ends, and how much of it was asked for."""

    taken = 0

    def read(self, size=-1):
        assert size >= 0
        self.taken += size
        return b"x" * size


def test_the_standard_input_is_read_up_to_the_limit(capsys, monkeypatch):
    stream = Endless()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=stream))
    code, [shown] = normalize(capsys, "twilio_voice", "-")
    assert (code, shown["file"], shown["disposition"]) == (0, "-", "quarantine")
    assert stream.taken == TwilioVoice().limit_bytes + 1
    body = b"CallSid=CA1&CallStatus=ringing&Direction=inbound&From=%2B4930000000"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(body)))
    assert normalize(capsys, "twilio_voice", "-")[1][0]["message_id"] == "CA1"


def test_a_payload_without_events_gives_an_object(capsys, tmp_path):
    file = tmp_path / "payload"
    file.write_bytes(b'{"object": "page", "entry": []}')
    _, [shown] = normalize(capsys, "meta", file)
    assert shown["disposition"] == "ignored"


def test_an_unknown_channel_is_named_with_the_nearest(capsys):
    assert main(["normalize", "facebok", "x"]) == 2
    assert "did you mean 'facebook'?" in capsys.readouterr().err


def test_recorded_vectors_come_out_as_they_should(capsys):
    files = sorted((DATA / "signature_vectors").iterdir())
    assert main(["verify", *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(files)
    assert all(": ok: " in line for line in lines)


VECTOR = {
    "provider": "meta",
    "method": "POST",
    "url": "",
    "secret": "s",
    "headers": {"X-Hub-Signature-256": "sha256=0"},
    "body_text": "{}",
    "now_unix": None,
    "expect_valid": True,
}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps(VECTOR), "refused: X-Hub-Signature-256 does not match"),
        (json.dumps({**VECTOR, "provider": "nobody"}), "unknown channel 'nobody'"),
        (json.dumps({**VECTOR, "body_b64": "???"}), "not base64"),
        (json.dumps({**VECTOR, "expect_valid": 1}), "expect_valid is missing"),
        (json.dumps({**VECTOR, "provider": "telegrm"}), "did you mean 'telegram'?"),
        ("{", "not a vector: not JSON"),
        ("", "not a vector: the body is empty"),
        ("[]", "not a vector: a JSON object is expected, not list"),
        ("[" * 100_000, "not a vector: JSON nested too deep"),
        (b"\xff\xfe\x00", "not a vector: not JSON: these bytes are no text"),
    ],
)
def test_what_does_not_come_out_as_expected_is_said(content, says, capsys, tmp_path):
    file = tmp_path / "vector.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["verify", str(file)]) == 1
    assert says in capsys.readouterr().out


def test_a_vector_that_cannot_be_opened_is_named_and_the_others_are_checked(capsys, tmp_path):
    good = min((DATA / "signature_vectors").iterdir())
    assert main(["verify", str(tmp_path / "nowhere"), str(tmp_path), str(good)]) == 2
    told = capsys.readouterr()
    assert ": ok: " in told.out
    assert "nowhere: No such file or directory" in told.err
    assert f"{tmp_path}: Is a directory" in told.err


def test_a_vector_comes_by_the_standard_input(capsys, monkeypatch):
    raw = min((DATA / "signature_vectors").iterdir()).read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert main(["verify", "-"]) == 0
    assert capsys.readouterr().out.startswith("-: ok: ")


def test_a_vector_that_is_too_large_is_not_read_whole(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(verify, "_MAX_VECTOR_BYTES", 10)
    file = tmp_path / "vector.json"
    file.write_text(json.dumps(VECTOR))
    assert main(["verify", str(file)]) == 1
    assert "larger than 10 bytes" in capsys.readouterr().out
