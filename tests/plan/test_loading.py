"""Plans from TOML: what loads, what it becomes, and that every fault is named in its place."""

import contextlib
import pathlib
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.errors import ExpressionError, MissingExtraError, PlanError, UnknownNameError
from omniroute.model import Agent
from omniroute.plan import (
    Capacity,
    HeadStart,
    Limits,
    OnExpiry,
    Plan,
    Queue,
    Refusal,
    RefusalRule,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    Strict,
    TriageRule,
    WrapUp,
    WrapUpKind,
    dumps,
    load,
    loads,
)
from plan.plans import plans

FULL = """
[plan]
name = "support"

[skills]
billing = 10
"lang:de" = { max_level = 5 }

[limits]
max_priority = 9
max_waiting = 500
max_offers = 5
max_messages = 50
max_agents = 20
max_lanes = 100
max_payload_bytes = 1000
max_mail_bytes = 2000
dedupe_s = 3600
max_dedupe_keys = 1000

[capacities.blended]
budget = 100
costs = { voice = 100, "*" = 25 }
maxima = { chat = 3 }
interruptible_by = { voice = [], "*" = ["voice", "chat"] }
interruptible_budget = 50
interruptible_costs = { email = 10, sms = 5 }
interruptible_when_full = false

[queues.billing]
members = "billing"
order = { seconds_per_point = 2.5 }
strategy = "most_skilled"
tier = 1
priority = 3
offer_timeout_s = 0.5
on_expiry = "sign_out"
refusal = { rule = "after", after_s = 30 }
wrap_up = { kind = "timed", duration_s = 45 }
service_level = { percent = 90, target_s = 10 }
max_waiting = 50

[[queues.billing.ladder]]
requirement = "billing >= 7"
for_s = 15
skip_if_nobody = true

[[queues.billing.ladder]]
requirement = "billing >= 4"
until_s = 60.001

[[queues.billing.ladder]]
drop = ["lang:de"]

[queues.rest]
order = "strict"
refusal = "at_once"
wrap_up = "optional"

[[triage]]
queue = "billing"
when = 'channel == "voice"'
priority = 9
requirement = "billing >= 2"
match_language = true

[[triage]]
queue = "rest"

[[agents]]
id = "anna"
name = "Anna"
skills = { billing = 7, "lang:de" = 5 }
groups = ["tier2"]
attributes = { site = "berlin", age = 30, vip = true, products = ["loans", "cards"] }
capacity = "blended"
"""

PLAN = Plan(
    name="support",
    skills=[Skill("billing"), Skill("lang:de", 5)],
    limits=Limits(
        max_priority=9,
        max_waiting=500,
        max_offers=5,
        max_messages=50,
        max_agents=20,
        max_lanes=100,
        max_payload_bytes=1000,
        max_mail_bytes=2000,
        dedupe_ms=3_600_000,
        max_dedupe_keys=1000,
    ),
    capacities=[
        Capacity(
            name="blended",
            budget=100,
            costs={"voice": 100, "*": 25},
            maxima={"chat": 3},
            interruptible_by={"voice": (), "*": ("voice", "chat")},
            interruptible_budget=50,
            interruptible_costs={"email": 10, "sms": 5},
            interruptible_when_full=False,
        )
    ],
    queues=[
        Queue(
            name="billing",
            members="billing",
            order=HeadStart(2_500),
            strategy=Strategy.MOST_SKILLED,
            tier=1,
            priority=3,
            offer_timeout_ms=500,
            on_expiry=OnExpiry.SIGN_OUT,
            refusal=Refusal(RefusalRule.AFTER, 30_000),
            wrap_up=WrapUp(WrapUpKind.TIMED, 45_000),
            service_level=ServiceLevel(10_000, 90),
            max_waiting=50,
            ladder=[
                Step("billing >= 7", for_ms=15_000, skip_if_nobody=True),
                Step("billing >= 4", until_ms=60_001),
                Step(drop=["lang:de"]),
            ],
        ),
        Queue(
            name="rest",
            order=Strict(),
            refusal=Refusal(RefusalRule.AT_ONCE),
            wrap_up=WrapUp(WrapUpKind.OPTIONAL),
        ),
    ],
    triage=[
        TriageRule(
            queue="billing",
            when='channel == "voice"',
            priority=9,
            requirement="billing >= 2",
            match_language=True,
        ),
        TriageRule(queue="rest"),
    ],
    agents=[
        Agent(
            id="anna",
            name="Anna",
            skills={"billing": 7, "lang:de": 5},
            groups=("tier2",),
            attributes={"site": "berlin", "age": 30, "vip": True, "products": ("loans", "cards")},
            capacity="blended",
        )
    ],
)


def test_every_key_becomes_the_value_it_names():
    assert loads(FULL) == PLAN


def test_a_plan_from_a_file_is_the_same(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(FULL.replace("\n", "\r\n"), "utf-8")
    assert load(path) == load(str(path)) == PLAN


def test_the_words_are_the_defaults_of_their_tables():
    text = '[queues.a]\norder = "head_start"\nrefusal = "after"\nwrap_up = "none"\n'
    queue = loads(text).queue("a")
    assert queue == Queue(name="a", refusal=Refusal(RefusalRule.AFTER))


def test_an_empty_text_is_a_plan_without_queues():
    assert loads("") == Plan(queues=[])


# --- round trip -------------------------------------------------------------------------


@given(plans())
def test_a_plan_written_down_loads_as_the_same_plan(plan):
    assert loads(dumps(plan)) == plan


def test_what_is_written_down_is_short():
    assert dumps(Plan(queues=[Queue(name="a b")])) == '[plan]\nname = "plan"\n\n[queues."a b"]\n'


# --- durations --------------------------------------------------------------------------

DURATIONS = [
    ("20", 20_000),
    ("0.001", 1),
    ("0.5", 500),
    ("1.2300000000000000000000", 1_230),
    ("1e3", 1_000_000),
    ("0.29", 290),
    ("1_000.5", 1_000_500),
    ("999999999999", 999_999_999_999_000),
]


@pytest.mark.parametrize(("written", "expected_ms"), DURATIONS)
def test_seconds_become_milliseconds_exactly(written, expected_ms):
    queue = loads(f"[queues.a]\noffer_timeout_s = {written}\n").queue("a")
    assert queue.offer_timeout_ms == expected_ms


BAD_DURATIONS = [
    ("0.0005", "not a whole number of milliseconds"),
    ("1.00000000000000000000000000000000000001", "not a whole number of milliseconds"),
    ("1e-999999999", "not a whole number of milliseconds"),
    ("1e999999999", "too long"),
    ("1000000000000", "too long"),
    ("nan", "number of seconds"),
    ("inf", "number of seconds"),
    ("true", "number of seconds, got a boolean"),
    ('"20"', "number of seconds, got a string"),
    ("0", "more than 0 seconds, got 0"),
    ("-1.5", "more than 0 seconds, got -1.5"),
]


@pytest.mark.parametrize(("written", "message"), BAD_DURATIONS)
def test_other_durations_are_refused(written, message):
    with pytest.raises(PlanError, match=message) as caught:
        loads(f"[queues.a]\noffer_timeout_s = {written}\n", "plan.toml")
    assert caught.value.where == "plan.toml: queues.a.offer_timeout_s"


# --- faults -----------------------------------------------------------------------------

LADDER = "[queues.a]\n[[queues.a.ladder]]\n"

#: text, error, place, part of the message
FAULTS = [
    ("queues = 3", PlanError, "queues", "must be a table, got an integer"),
    ("quques = 3", UnknownNameError, "", "unknown key 'quques' in f.toml; did you mean 'queues'?"),
    ("[agents]", PlanError, "agents", r"write \[\[agents\]\]"),
    ("[plan]\nname = 3", PlanError, "plan.name", "must be a string"),
    ("[plan]\nname = ''", PlanError, "plan.name", "must not be empty"),
    ("[plan]\ntitle = ''", UnknownNameError, "plan", "unknown key 'title'"),
    ("[skills]\na = 0", PlanError, "skills.a", "at least 1"),
    ("[skills]\na = 'x'", PlanError, "skills.a", "must be an integer, got a string"),
    ("[skills]\na = {max = 1}", UnknownNameError, "skills.a", "known: max_level"),
    ("[skills]\n'' = 3", PlanError, 'skills.""', "not empty"),
    ("[skills]\n'' = {}", PlanError, 'skills.""', "not empty"),
    ("[queues.'']", PlanError, 'queues.""', "not empty"),
    ("[[agents]]\nid = 'a'\nattributes = 3", PlanError, "agents[0].attributes", "a table"),
    ("[queues]\na = 3", PlanError, "queues.a", "must be a table"),
    ("[queues.'a.b']\ntier = 'x'", PlanError, 'queues."a.b".tier', "must be an integer"),
    ("[queues.a]\ntier = 0.5", PlanError, "queues.a.tier", "must be an integer, got 0.5"),
    ("[queues.a]\ntier = true", PlanError, "queues.a.tier", "got a boolean"),
    ("[queues.a]\ntier = -1", PlanError, "queues.a.tier", "at least 0, got -1"),
    ("[queues.a]\ntier = 99999999999999999999", PlanError, "queues.a.tier", "at most"),
    ("[queues.a]\nstratgy = 1", UnknownNameError, "queues.a", "did you mean 'strategy'?"),
    (
        "[queues.a]\nstrategy = 'idle'",
        UnknownNameError,
        "queues.a.strategy",
        "longest_idle, most_skilled, round_robin",
    ),
    ("[queues.a]\norder = 'strct'", UnknownNameError, "queues.a.order", "did you mean 'strict'?"),
    (
        "[queues.a]\norder = 3",
        PlanError,
        "queues.a.order",
        '"newest_first", "accelerating" or a table',
    ),
    ("[queues.a]\norder = {}", PlanError, "queues.a.order", "'seconds_per_point' is missing"),
    ("[queues.a]\nrefusal = 'nevr'", UnknownNameError, "queues.a.refusal", "refusal rule 'nevr'"),
    ("[queues.a]\nrefusal = {}", PlanError, "queues.a.refusal", "'rule' is missing"),
    ("[queues.a]\nwrap_up = 3", PlanError, "queues.a.wrap_up", "a string or a table"),
    (
        "[queues.a]\nwrap_up = {kind = 'timd'}",
        UnknownNameError,
        "queues.a.wrap_up.kind",
        "did you mean 'timed'?",
    ),
    (
        "[queues.a]\nservice_level = {percent = 101}",
        PlanError,
        "queues.a.service_level.percent",
        "at most 100",
    ),
    ("[queues.a]\nmembers = 'a >'", ExpressionError, "queues.a.members", "at position 3"),
    ("[queues.a]\nmembers = 3", PlanError, "queues.a.members", "must be a string"),
    ("[queues.a]\nladder = 3", PlanError, "queues.a.ladder", r"write \[\[queues.a.ladder\]\]"),
    (LADDER + "for_s = 3", PlanError, "queues.a.ladder[0]", "the last step has no end"),
    (LADDER + "\n" + LADDER[11:], PlanError, "queues.a.ladder[0]", "every step but the last"),
    (
        LADDER + "for_s = 1\nuntil_s = 1\n" + LADDER[11:],
        PlanError,
        "queues.a.ladder[0]",
        "not both",
    ),
    (
        LADDER + LADDER[11:] + "for_s = 'x'",
        PlanError,
        "queues.a.ladder[1].for_s",
        "number of seconds",
    ),
    (LADDER + "drop = 'a'", PlanError, "queues.a.ladder[0].drop", "array of strings"),
    (LADDER + "skip_if_nobody = 1", PlanError, "queues.a.ladder[0].skip_if_nobody", "true or f"),
    (
        "[skills]\nbilling = 3\n" + LADDER + "drop = ['biling']",
        UnknownNameError,
        "queues.a.ladder[0].drop",
        "did you mean 'billing'?",
    ),
    (
        "[skills]\nbilling = 3\n" + LADDER + "requirement = 'biling'",
        ExpressionError,
        "queues.a.ladder[0].requirement",
        "did you mean 'billing'?",
    ),
    ("[queues.a]\npriority = 100", PlanError, "queues.a.priority", "over limits.max_priority, 99"),
    (
        "[capacities.a]\ncosts = {emial = 3}",
        UnknownNameError,
        "capacities.a.costs",
        "did you mean 'email'?",
    ),
    ("[capacities.a]\ncosts = {email = 'x'}", PlanError, "capacities.a.costs.email", "integer"),
    ("[capacities.a]\nmaxima = 3", PlanError, "capacities.a.maxima", "must be a table"),
    (
        "[capacities.a]\ninterruptible_by = ['voice']",
        PlanError,
        "capacities.a.interruptible_by",
        "must be a table, got an array",
    ),
    (
        "[capacities.a]\ninterruptible_by = {chat = 'voice'}",
        PlanError,
        "capacities.a.interruptible_by.chat",
        "must be an array of strings",
    ),
    (
        "[capacities.a]\ninterruptible_by = {chat = ['voce']}",
        UnknownNameError,
        "capacities.a.interruptible_by",
        "did you mean 'voice'?",
    ),
    (
        "[capacities.a]\ninterruptible_costs = {email = 1}",
        PlanError,
        "capacities.a",
        "need an interruptible_budget",
    ),
    ("[[agents]]\nname = 'x'", PlanError, "agents[0]", "the key 'id' is missing"),
    ("[[agents]]\nid = ''", PlanError, "agents[0].id", "must not be empty"),
    ("[[agents]]\nid = 'a'\n[[agents]]\nid = 'a'", PlanError, "agents[1].id", r"agents\[0\]"),
    ("[[agents]]\nid = 'a'\ngroups = [1]", PlanError, "agents[0].groups", "array of strings"),
    (
        "[[agents]]\nid = 'a'\nattributes = {x = 0.5}",
        PlanError,
        "agents[0].attributes.x",
        "a string, an integer",
    ),
    (
        "[[agents]]\nid = 'a'\nskills = {x = -1}",
        PlanError,
        "agents[0].skills.x",
        "at least 0, got -1",
    ),
    (
        "[skills]\nx = 3\n[[agents]]\nid = 'a'\nskills = {x = 4}",
        PlanError,
        "agents[0].skills.x",
        "level 4 is over",
    ),
    (
        "[skills]\nbilling = 3\n[[agents]]\nid = 'a'\nskills = {biling = 1}",
        UnknownNameError,
        "agents[0].skills",
        "did you mean 'billing'?",
    ),
    (
        "[[agents]]\nid = 'a'\ncapacity = 'defalt'",
        UnknownNameError,
        "agents[0].capacity",
        "did you mean 'default'?",
    ),
    ("[[triage]]\nqueue = 3", PlanError, "triage[0].queue", "must be a string"),
    (
        "[queues.billing]\n[[triage]]\nqueue = 'biling'",
        UnknownNameError,
        "triage[0].queue",
        "did you mean 'billing'?",
    ),
    (
        "[queues.a]\n[[triage]]\nqueue = 'a'\nwhen = 'chanel == 3'",
        ExpressionError,
        "triage[0].when",
        "did you mean 'channel'?",
    ),
    (
        "[queues.a]\n[limits]\nmax_priority = 3\n[[triage]]\nqueue = 'a'\npriority = 4",
        PlanError,
        "triage[0].priority",
        "over limits.max_priority, 3",
    ),
    ("[limits]\nmax_agents = 0", PlanError, "limits.max_agents", "at least 1"),
]


@pytest.mark.parametrize(("text", "kind", "place", "message"), FAULTS)
def test_a_fault_is_named_in_its_place(text, kind, place, message):
    with pytest.raises(kind, match=message) as caught:
        loads(text, "f.toml")
    assert type(caught.value) is kind
    assert caught.value.where == (f"f.toml: {place}" if place else "f.toml")
    assert caught.value.where in str(caught.value)


def test_too_many_agents_are_a_fault():
    text = "[limits]\nmax_agents = 1\n[[agents]]\nid = 'a'\n[[agents]]\nid = 'b'\n"
    with pytest.raises(PlanError, match=r"2 agents, limits\.max_agents is 1"):
        loads(text)


def test_all_faults_are_reported_together():
    text = """
[skills]
billing = 10
[queues.billing]
strategy = "x"
members = "biling"
tier = -1
[[queues.billing.ladder]]
for_s = 0
[queues.other]
bogus = 1
[[triage]]
queue = "nowhere"
[[agents]]
id = "a"
skills = { biling = 1 }
"""
    with pytest.raises(PlanError) as caught:
        loads(text, "plan.toml")
    assert [fault.where for fault in caught.value.faults] == [
        "plan.toml: queues.billing.members",
        "plan.toml: queues.billing.strategy",
        "plan.toml: queues.billing.tier",
        "plan.toml: queues.billing.ladder[0].for_s",
        "plan.toml: queues.other",
        "plan.toml: agents[0].skills",
        "plan.toml: triage[0].queue",
    ]
    assert str(caught.value).startswith("plan.toml: 7 faults\n")
    first_lines = [str(fault).split("\n")[0] for fault in caught.value.faults]
    assert all(line in str(caught.value) for line in first_lines)


def test_a_fault_does_not_cause_others():
    text = "[skills]\na = 'x'\n[limits]\nmax_priority = 0.5\n[queues.q]\nmembers = 'a >= 99'\n"
    text += "priority = 100000\ntier = -1\n[capacities.c]\nbudget = 0\n"
    text += "[[agents]]\nid = 'b'\ncapacity = 'c'\nskills = {a = 50}\n[[triage]]\nqueue = 'q'\n"
    with pytest.raises(PlanError) as caught:
        loads(text, "f")
    assert {fault.where for fault in caught.value.faults} == {
        "f: skills.a",
        "f: limits.max_priority",
        "f: queues.q.tier",
        "f: capacities.c.budget",
    }


def test_a_long_list_of_faults_is_cut_in_the_message_only():
    text = "[queues.a]\n" + "".join(f"k{n} = 1\n" for n in range(60))
    with pytest.raises(PlanError, match="and 10 more") as caught:
        loads(text)
    assert len(caught.value.faults) == 60


MALFORMED = [
    ("a = \n", "line 1"),
    ("[plan]\nname = 'x'\nname = 'y'\n", "line 3"),
    ("[plan\n", "line 1"),
    ("x = [1,\n\n2", "line 3"),
    ("[plan]\n\x00", "line 2"),
]


@pytest.mark.parametrize(("text", "line"), MALFORMED)
def test_malformed_toml_names_file_and_line(text, line):
    with pytest.raises(PlanError, match="not valid TOML") as caught:
        loads(text, "plan.toml")
    assert caught.value.where == f"plan.toml, {line}"


HOSTILE = ["a = " + "[" * 100_000, "a = " + "1" * 5_000, "x = " + "{a = " * 5_000, "\ufeff"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_toml_is_a_plan_error(text):
    with pytest.raises(PlanError, match=r"^plan\.toml"):
        loads(text, "plan.toml")


def test_bytes_that_are_not_text_name_the_line(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"[plan]\nname = '\xff'\n")
    with pytest.raises(PlanError, match="not UTF-8") as caught:
        load(path)
    assert caught.value.where == f"{path}, line 2"


def test_a_file_that_is_not_there_is_an_os_error():
    with pytest.raises(FileNotFoundError):
        load(pathlib.Path("no-such-plan.toml"))


KEYS = sorted(set(re.findall(r'^"?([a-z:_]+)"? =|([a-z_]+) = ', FULL, re.MULTILINE)))
KEYS = [first or second for first, second in KEYS]
SCALARS = [
    *[
        "1",
        "0",
        "-1",
        "0.5",
        "1e30",
        "nan",
        "true",
        '"x"',
        '"billing"',
        '"billing',
        ">=",
        '3"',
        '"strict"',
        '""',
        '"*"',
    ]
]
SCALARS += ["2024-01-01", "1_000", "'is_live'"]

toml_values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(
            lambda table: "{" + ", ".join(f'"{k}" = {v}' for k, v in table.items()) + "}"
        )
    ),
    max_leaves=8,
)
TABLES = ["plan", "skills", "agents", "capacities", "queues", "triage", "limits", "other"]


@given(st.dictionaries(st.sampled_from(TABLES), toml_values, max_size=4))
def test_any_document_is_a_plan_or_a_fault(document):
    with contextlib.suppress(PlanError, UnknownNameError):
        loads("".join(f"{name} = {value}\n" for name, value in document.items()))


@given(st.data())
def test_a_plan_with_one_value_exchanged_is_a_plan_or_a_fault(data):
    lines = FULL.split("\n")
    at = data.draw(st.sampled_from([n for n, line in enumerate(lines) if " = " in line]))
    lines[at] = f"{lines[at].split(' = ')[0]} = {data.draw(toml_values)}"
    with contextlib.suppress(PlanError, UnknownNameError):
        loads("\n".join(lines))


def test_a_file_saved_with_a_byte_order_mark_loads(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbf[queues.billing]\n")
    assert list(load(path).queues) == ["billing"]


# --- business hours ---------------------------------------------------------------------

ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//t//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260105
END:VEVENT
END:VCALENDAR
"""
HOURS = """
[queues.q]
hours = "office"
[[hours]]
name = "office"
weekly = { mon = ["09:00-17:00"] }
[[hours.calendars]]
file = "closed.ics"
"""


def test_a_calendar_is_read_from_beside_the_plan_and_written_into_it(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(HOURS, "utf-8")
    (tmp_path / "closed.ics").write_text(ICS, "utf-8-sig")
    plan = load(path)
    assert plan.hours["office"].calendars[0].ics == ICS
    assert loads(dumps(plan)) == plan
    assert not plan.hours["office"].is_open(1767607200000)  # Monday, 5 January, 10:00
    assert plan.hours["office"].is_open(1768212000000)  # a week later


def test_a_text_has_no_files_beside_it():
    with pytest.raises(PlanError, match=r"calendars\[0\].file: .* must be loaded from a file"):
        loads(HOURS)
    assert loads(HOURS, files={"closed.ics": ICS}.__getitem__).queues["q"].hours == "office"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "cannot read 'closed.ics'"),
        (b"\xff", "'closed.ics' is not UTF-8"),
        (b"x", "not an iCalendar file"),
        (b"x" * 5_000_000, "characters, at most"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_fault_with_its_place(tmp_path, data, says):
    path = tmp_path / "plan.toml"
    path.write_text(HOURS, "utf-8")
    if data is not None:
        (tmp_path / "closed.ics").write_bytes(data)
    with pytest.raises(PlanError, match=f"plan.toml: hours\\[0\\].calendars\\[0\\].*{says}"):
        load(path)


HOURS_FAULTS = {
    'hours = "ofice"\n[[hours]]\nname = "office"': "unknown hours 'ofice'.*queues.q.hours.*'office'",
    'hours = "a"': "the plan defines no hours",
    '[[hours]]\nname = "a"\n[[hours]]\nname = "a"': r"hours\[1\].name: hours 'a' are defined already",
    '[[hours]]\nname = "a"\nweekly = { mo = [] }': r"unknown key 'mo' in .*: hours\[0\].weekly",
    '[[hours]]\nname = "a"\nweekly = { mon = ["9"] }': r"hours\[0\].weekly.mon: must be an interval",
    '[[hours]]\nname = "a"\nholidays = "XX"': r"unknown country 'XX' in .*: hours\[0\].holidays",
    '[[hours]]\nname = "a"\n[[hours.exceptions]]': r"exceptions\[0\]: the key 'date' is missing",
    '[[hours]]\nname = "a"\n[[hours.exceptions]]\ndate = "x"': "must be a date such as",
    '[[hours]]\nname = "a"\n[[hours.exceptions]]\ndate = 2026-01-01T00:00:00': "must be a date",
    '[[hours]]\nname = "a"\n[[hours.calendars]]': "give `file` or `ics`",
    '[[hours]]\nname = "a"\n[[hours.calendars]]\nduring = "opn"\nics = ""': "calendar",
}


@pytest.mark.parametrize("text", HOURS_FAULTS)
def test_faults_of_hours_are_told_with_their_place(text):
    with pytest.raises((PlanError, UnknownNameError), match=HOURS_FAULTS[text]):
        loads(f"[queues.q]\n{text}\n")


def test_a_missing_extra_is_a_fault_like_any_other(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(MissingExtraError, match=r"omniroute\[hours\]"):
        loads('[queues.q]\n[[hours]]\nname = "a"\nholidays = "DE"')
