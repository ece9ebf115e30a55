"""Every example runs as its reader would run it, and says what is true.

The demo runs twice, faster than for a person: once in a terminal (a pseudo-terminal), once
with its output in a pipe and `--serve`.
"""

import contextlib
import hashlib
import hmac
import os
import re
import signal
import smtplib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from databases import postgres

__all__ = ["postgres"]

EXAMPLES = Path(__file__).parents[2] / "examples"
DEMO = [sys.executable, str(EXAMPLES / "omnichannel_centre.py"), "--speed", "120"]


def run(name):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


# --- the short ones ---------------------------------------------------------------------


def test_quickstart_offers_the_mail_to_anna_who_completes_it():
    assert run("quickstart.py").splitlines() == [
        "anna is offered: My last bill",
        "completed: explained",
    ]


def test_a_post_becomes_a_chat_becomes_a_video_call_with_the_same_agent():
    said, _, told = run("escalate_to_video.py").partition("the conversation:\n")
    assert said.splitlines() == [
        "anna has the post: Three weeks old, and cracked!",
        "anna has the chat: Here I am. It still rings, but I cannot see who calls.",
        "send the customer: https://meet.example/escalate-...",
        "anna has the video call about: Cracked screen",
    ]
    lines = [line.split()[:3] for line in told.splitlines()]
    assert [line[0] for line in lines] == ["facebook"] * 4 + ["chat"] * 3 + ["video"] * 4 + ["chat"]
    assert {line[2] for line in lines if line[1] != "queued"} == {"anna"}


def test_the_ladder_relaxes_until_chloe_may_take_the_call():
    lines = [line.strip() for line in run("relaxing_ladder.py").splitlines()]
    headings = [line for line in lines if re.match(r"\d+ s ", line)]
    assert headings == [
        "0 s  step 0: all_busy; needs claims and claims >= 8 and lang:fr >= 5",
        "20 s  step 1: all_busy; needs claims and claims >= 4 and lang:fr >= 5",
        "60 s  step 2: offered; needs claims",
    ]
    assert lines[1:4] == ["anna: no_room", "ben: not_at_step", "chloe: not_at_step"]
    assert lines[-3:] == ["anna: no_room", "ben: not_ready", "chloe: chosen"]


def test_the_web_application_takes_what_is_signed_and_explains_what_waits():
    assert run("fastapi_lifespan.py").splitlines() == [
        "POST /webhooks/messenger: 401",
        "POST /webhooks/messenger: 200",
        "GET /queues: {'social': 1}",
        "GET /interactions/i1/why: no_agent_signed_in: until an agent signs in",
        "ines has: Is a cracked phone screen covered?",
        "GET /queues: {'social': 0}",
    ]


def test_each_app_has_a_router_of_its_own_and_tells_strangers_no_ids(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from fastapi.testclient import TestClient
    from fastapi_lifespan import APP_SECRET, create_app, delivery

    body = delivery("Hello")
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-Hub-Signature-256": f"sha256={signature}",
        "Content-Type": "application/json",
    }
    for _ in range(2):
        with TestClient(create_app()) as client:
            assert client.get("/queues").json() == {"social": 0}
            assert client.post("/webhooks/messenger", content=body, headers=headers).is_success
            assert client.get("/interactions/i1/why").json()["interaction_id"] == "i1"
            unknown = client.get("/interactions/i2/why")
            assert (unknown.status_code, "i1" in unknown.text) == (404, False)


def test_the_simulated_day_finds_that_overflow_keeps_customers_and_breaks_no_law():
    lines = run("simulate_a_day.py").splitlines()
    gain = lines[lines.index("abandonment") + 3]
    assert re.fullmatch(r" +difference +-[\d.]+ ± [\d.]+ %", gain)
    assert lines[-1].endswith("no law was broken.")


def test_a_cluster_loses_nothing_when_an_owner_is_killed_and_another_frozen(postgres):
    lines = [line.rsplit(maxsplit=1) for line in run("cluster.py").splitlines()]
    figures = {words[0].strip(): words[-1] for words in lines if len(words) == 2}
    assert int(figures["messages acknowledged"].replace(",", "")) > 100
    for what in ("lost", "doubled", "written by an owner that was replaced"):
        assert figures[what] == "0"


def test_every_example_is_run_by_a_test():
    tests = "".join(path.read_text("utf-8") for path in EXAMPLES.parent.glob("tests/**/test_*.py"))
    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in tests] == []


@contextlib.contextmanager
def running(command, **streams):
    """A process that outlives neither a failed test nor a minute."""
    with subprocess.Popen(command, **streams) as process:
        too_late = threading.Timer(60, process.kill)
        too_late.start()
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            too_late.cancel()


# --- the demo ---------------------------------------------------------------------------


def rows(text, title, cells=99):
    """The cells of one table of the summary, by the first column."""
    text = "\n".join(line.rstrip() for line in text.splitlines())
    table = text.partition(f"\n{title}")[2].partition("──\n")[2].partition("\n\n")[0]
    return [line.split(None, cells - 1) for line in table.splitlines()]


def kept_aside(text):
    """(channel, kind) -> how many were not routed."""
    found = {}
    for channel, number, why in rows(text, "kept aside, and why", cells=3):
        found[channel, why.partition(":")[0]] = int(number)
    return found


def check_summary(text):
    check = (
        r"check: (\d+) received = (\d+) routed \+ (\d+) joined \+ (\d+) ended"
        r" \+ (\d+) waiting: nothing is lost"
    )
    received, routed, joined, ended, waiting = map(int, re.search(check, text).groups())
    assert received == routed + joined + ended + waiting == 129
    assert waiting == 0

    channels = {row[0]: row[1:] for row in rows(text, "channels")}
    assert {name: int(row[0]) for name, row in channels.items()} == {
        "email": 32,
        "facebook": 14,
        "messenger": 24,
        "voice": 59,
    }
    for row in channels.values():
        total, aside, *figures = map(int, row[:8])
        assert total == aside + sum(figures[:3]), row
    queues = [row[1:] for row in rows(text, "queues")]
    for figures in ([row[2:] for row in channels.values()], queues):
        for rejected, _joined, opened, *parts in ([int(n) for n in row[:6]] for row in figures):
            assert opened == sum(parts)
            assert rejected == 0
        assert sum(int(row[1]) for row in figures) == joined
        assert sum(int(row[3]) for row in figures) == routed

    assert kept_aside(text) == {
        ("email", "auto"): 2,
        ("email", "bounce"): 3,
        ("email", "bulk"): 2,
        ("email", "duplicate"): 1,
        ("email", "quarantine"): 1,
        ("email", "report"): 1,
        ("facebook", "update"): 2,
        ("facebook", "answered 401"): 1,
        ("messenger", "lifecycle"): 1,
        ("messenger", "own"): 1,
        ("messenger", "status"): 1,
        ("messenger", "update"): 1,
        ("voice", "duplicate"): 1,
        ("voice", "own"): 2,
        ("voice", "update"): 28,
    }
    assert re.search(r"why did it wait\?.*\n +after \d+ s: position \d+ of \w+", text)


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
def test_the_demo_in_a_terminal_shows_a_live_table_and_loses_nothing():
    import pty

    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "50"}
    with running(DEMO, stdout=theirs, stderr=theirs, stdin=theirs, env=env) as demo:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # Linux reports the end of a terminal as an error
            while more := os.read(ours, 65536):
                shown += more
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", "")
    assert demo.returncode == 0, text
    assert len(re.findall(r"Lakeside Insurance +\d+:\d\d", text)) > 10, (
        "it was drawn again and again"
    )
    assert re.search(r"anna +call", text)
    assert "Traceback" not in text
    check_summary(text)


@pytest.mark.skipif(os.name != "posix", reason="a signal like Ctrl-C")
def test_the_demo_in_a_pipe_prints_lines_and_can_stay_open():
    with running(
        [*DEMO, "--serve"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        said = ""
        while "openssl dgst" not in said:
            line = demo.stdout.readline()
            assert line, said
            said += line
        assert "\x1b" not in said
        assert re.search(r"^ *\d+:\d\d  waiting +\d+  with agents", said, re.MULTILINE)
        check_summary(said)

        port = int(re.search(r"smtp://127.0.0.1:(\d+)", said)[1])
        with smtplib.SMTP("127.0.0.1", port) as customer:
            mail = "From: Zoe <zoe@example.com>\nSubject: One more thing\n\nHello!"
            customer.sendmail("zoe@example.com", ["help@lakeside.example"], mail)
        while "One more thing" not in line:
            line = demo.stdout.readline()
            assert line
        assert re.search(r'accepted "One more thing" by Zoe \(email\)', line)
        demo.send_signal(signal.SIGINT)
        rest = demo.stdout.read()
    assert demo.returncode == 0, rest
    assert "Traceback" not in rest


@pytest.mark.anyio
async def test_the_check_of_the_demo_notices_an_event_too_many_and_one_too_few(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from centre.report import Books

    from omniroute import Channel, Message, Plan, Queue, Router

    def faults(received, intended=()):
        return Books.close(received, router).faults(dict(intended))

    async with Router(Plan(queues=[Queue(name="support", max_waiting=1)])) as router:
        await router.submit(Message(channel=Channel.EMAIL), queue="support")
        assert Books.close(1, router) == Books(
            received=1, routed=0, joined=0, ended=0, waiting=1, refused={}
        )
        assert [bool(faults(received)) for received in (0, 1, 2)] == [True, False, True]

        await router.submit(Message(channel=Channel.EMAIL), queue="support")
        assert faults(2) == "1 rejected, meant were 0"
        assert not faults(2, {"rejected": 1})


@pytest.mark.anyio
@pytest.mark.parametrize("agent_has_it", [False, True])
async def test_who_is_cancelled_is_routed_or_ended_but_not_both(monkeypatch, agent_has_it):
    monkeypatch.syspath_prepend(EXAMPLES)
    from centre.report import Books

    from omniroute import Agent, Channel, Message, Plan, Queue, Router

    async with Router(Plan(queues=[Queue(name="support")])) as router:
        receipt = await router.submit(Message(channel=Channel.EMAIL), queue="support")
        if agent_has_it:
            desk = await router.sign_in(Agent(id="anna"))
            await (await desk.next_offer()).accept()
        await router.cancel(receipt.interaction_id)
        books = Books.close(1, router)
        assert (books.routed, books.ended) == ((1, 0) if agent_has_it else (0, 1))
        assert not books.faults({})


@pytest.mark.anyio
async def test_the_demo_explains_the_first_that_waits_however_short_it_waits(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    from centre.pace import Pace
    from centre.watching import ToldJournal, Watch

    from omniroute import Channel, Message, Plan, Queue, Router

    journal = ToldJournal()
    async with Router(Plan(queues=[Queue(name="support")]), journal=journal) as router:
        watch = Watch(router, journal, Pace(1))
        receipt = await router.submit(Message(channel=Channel.EMAIL), queue="support")
        await router.cancel(receipt.interaction_id)
    explanation, _ = watch.why
    assert explanation.interaction_id == receipt.interaction_id
    assert watch.left == {"email": 1, "support": 1}
