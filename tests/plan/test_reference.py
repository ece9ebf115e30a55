"""The reference page of the plan is complete and true: every key, every default, every code."""

import re
from datetime import date
from pathlib import Path

import pytest

from omniroute.model import Agent
from omniroute.plan import (
    Accelerating,
    Access,
    Callback,
    Capacity,
    Code,
    DispositionAction,
    During,
    Holidays,
    Hours,
    HoursCalendar,
    HoursException,
    Identity,
    LastAgent,
    Limits,
    OnExpiry,
    Overflow,
    Queue,
    Refusal,
    RefusalRule,
    SenderRate,
    ServiceLevel,
    Skill,
    Step,
    Strategy,
    TriageRule,
    WrapUp,
    WrapUpKind,
    loads,
    schema,
    schema_capacity,
    schema_hours,
    schema_inbound,
)
from omniroute.plan.inbound import DEFAULT_DISPOSITIONS
from omniroute.plan.lexer import ESCAPES
from omniroute.plan.syntax import FIELDS, KEYWORDS, OPERATORS, Kind, Scope

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PLAN = (REFERENCE / "plan.md").read_text("utf-8")
EXPRESSIONS = (REFERENCE / "expressions.md").read_text("utf-8")
ICS = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:t\nEND:VCALENDAR\n"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \|", re.MULTILINE)


def rows(heading):
    """{key: default} of the table after a heading, a sentence or a table head."""
    _, found, rest = PLAN.partition(heading)
    assert found, heading
    table = rest[rest.index("| Key |") if heading.startswith("#") else 0 :]
    return {key: default for key, _, default in ROW.findall(table.partition("\n\n")[0])}


#: heading, the keys there are, how to load one key, and the value with every default
TABLES = [
    ("## `[plan]`", schema.PLAN, "[plan]\n{}", lambda p: p, None),
    ("## `[skills]`", {"max_level"}, "[skills.a]\n{}", lambda p: p.skills["a"], Skill("a")),
    (
        "## `[[agents]]`",
        schema.AGENT,
        "[capacities.default]\n[[agents]]\nid='a'\n{}",
        lambda p: p.agents["a"],
        Agent(id="a"),
    ),
    (
        "## `[capacities.NAME]`",
        schema_capacity.CAPACITY,
        "[capacities.a]\n{}",
        lambda p: p.capacities["a"],
        Capacity(name="a"),
    ),
    (
        "## `[queues.NAME]`",
        schema.QUEUE,
        "[queues.a]\n{}",
        lambda p: p.queues["a"],
        Queue(name="a"),
    ),
    (
        "| Key of `order` |",
        {"seconds_per_point"},
        "[queues.a.order]\n{}",
        lambda p: p.queues["a"].order,
        None,
    ),
    (
        "| Key of an accelerating `order` |",
        {"rate_percent", "seconds_per_point", "max_points"},
        "[queues.a.order]\nmax_points=9\n{}",
        lambda p: p.queues["a"].order,
        Accelerating(max_points=9),
    ),
    (
        "## `[[queues.NAME.access]]`",
        schema.ACCESS,
        "[queues.a]\n[[queues.a.access]]\n{}",
        lambda p: p.queues["a"].access[0],
        Access(),
    ),
    (
        "| Key of `refusal` |",
        {"rule", "after_s", "overflow"},
        "[queues.a.refusal]\nrule='after'\n{}",
        lambda p: p.queues["a"].refusal,
        Refusal("after"),
    ),
    (
        "| Key of `wrap_up` |",
        {"kind", "duration_s", "max_extension_s", "own_queue_only"},
        "[queues.a.wrap_up]\nkind='timed'\n{}",
        lambda p: p.queues["a"].wrap_up,
        WrapUp("timed"),
    ),
    (
        "| Key of `service_level` |",
        {"percent", "target_s", "short_abandon_s"},
        "[queues.a.service_level]\n{}",
        lambda p: p.queues["a"].service_level,
        ServiceLevel(),
    ),
    (
        "| Key of `last_agent` |",
        {"within_s", "for_s"},
        "[queues.a.last_agent]\n{}",
        lambda p: p.queues["a"].last_agent,
        LastAgent(),
    ),
    (
        "| Key of `callback` |",
        {"max_attempts", "retry_s", "pace_s"},
        "[queues.a.callback]\n{}",
        lambda p: p.queues["a"].callback,
        Callback(),
    ),
    (
        "## `[[queues.NAME.overflow]]`",
        schema.OVERFLOW,
        "[queues.a]\n[[queues.a.overflow]]\n{}",
        lambda p: p.queues["a"].overflow[0],
        Overflow(),
    ),
    (
        "## `[[queues.NAME.ladder]]`",
        schema.STEP,
        "[queues.a]\n[[queues.a.ladder]]\n{}",
        lambda p: p.queues["a"].ladder[0],
        Step(),
    ),
    (
        "## `[[triage]]`",
        schema.RULE,
        "[queues.a]\n[[triage]]\nqueue='a'\n{}",
        lambda p: p.triage[0],
        TriageRule(queue="a"),
    ),
    (
        "## `[[hours]]`",
        schema_hours.HOURS,
        "[queues.a]\n[[hours]]\nname='a'\n{}",
        lambda p: p.hours["a"],
        Hours(name="a"),
    ),
    (
        "| Key of `holidays` |",
        schema_hours.HOLIDAYS,
        "[[hours]]\nname='a'\n[hours.holidays]\ncountry='DE'\n{}",
        lambda p: p.hours["a"].holidays,
        Holidays(country="DE"),
    ),
    (
        "| Key of `exceptions` |",
        schema_hours.EXCEPTION,
        "[[hours]]\nname='a'\n[[hours.exceptions]]\ndate=2026-01-01\n{}",
        lambda p: p.hours["a"].exceptions[0],
        HoursException(first=date(2026, 1, 1)),
    ),
    (
        "| Key of `calendars` |",
        schema_hours.CALENDAR,
        "[[hours]]\nname='a'\n[[hours.calendars]]\nics='''" + ICS + "'''\n{}",
        lambda p: p.hours["a"].calendars[0],
        HoursCalendar(ICS),
    ),
    (
        "## `[sender_rate]`",
        schema_inbound.SENDER_RATE,
        "[sender_rate]\n{}",
        lambda p: p.sender_rate,
        SenderRate(),
    ),
    (
        "## `[identity]`",
        schema_inbound.IDENTITY,
        "[identity]\n{}",
        lambda p: p.identity,
        Identity(),
    ),
    ("## `[limits]`", schema.LIMITS, "[limits]\n{}", lambda p: p.limits, Limits()),
]


@pytest.mark.parametrize(("heading", "keys", "_text", "_get", "_whole"), TABLES)
def test_every_key_is_documented(heading, keys, _text, _get, _whole):
    assert set(rows(heading)) == set(keys)


@pytest.mark.parametrize(("heading", "_keys", "text", "get", "whole"), TABLES)
def test_every_default_is_as_documented(heading, _keys, text, get, whole):
    for key, default in rows(heading).items():
        if default in ("required", "none", "one step for all members"):
            continue
        given = loads(text.format(f"{key} = {default.strip('`')}"))
        assert get(given) == (whole or get(loads(text.format("")))), key


def test_every_key_without_a_default_is_required():
    for heading, _, text, _, _ in TABLES:
        required = {key for key, default in rows(heading).items() if default == "required"}
        bare = re.sub(r"\w+=('\w+'|[\d-]+)\n", "", text.format(""))
        for key in required:
            with pytest.raises(ValueError, match=f"'{key}' is missing"):
                loads(bare)


def test_every_code_is_documented_with_its_severity():
    found = re.findall(r"^\| `(\w+)` \| ((?:error|warning)[^|]*) \|", PLAN, re.MULTILINE)
    assert [code for code, _ in found] == [code.value for code in Code]


def test_every_disposition_is_documented_with_its_default():
    shown = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", PLAN, re.MULTILINE)
    defaults = {name: policy.action.value for name, policy in DEFAULT_DISPOSITIONS.items()}
    assert {name: default for name, default in shown if name in defaults} == defaults


@pytest.mark.parametrize(
    "choices", [DispositionAction, Strategy, OnExpiry, RefusalRule, WrapUpKind, During]
)
def test_every_value_of_a_choice_is_documented(choices):
    for choice in choices:
        assert f'`"{choice.value}"`' in PLAN


def test_every_word_of_the_language_is_documented():
    for fields in FIELDS.values():
        for field in fields:
            assert f"\n| `{field}` |" in EXPRESSIONS
    for operator in {operator for found in OPERATORS.values() for operator in found}:
        assert f'"{operator}"' in EXPRESSIONS
    assert "and or not in has true false" in EXPRESSIONS
    assert {"and", "or", "not", "in", "has", "true", "false"} == KEYWORDS
    assert all(f"\\{name}" in EXPRESSIONS for name in ESCAPES)


SECTIONS = {
    Scope.AGENT: "## About agents",
    Scope.MESSAGE: "## About messages",
    Scope.QUEUE: "## About a queue",
}


def test_the_operators_of_each_field_are_as_documented():
    assert SECTIONS.keys() == set(Scope)
    for scope, heading in SECTIONS.items():
        section = EXPRESSIONS.partition(heading)[2].partition("\n## ")[0]
        before = None
        for field, kind in FIELDS[scope].items():
            row = next(r for r in section.split("\n") if r.startswith(f"| `{field}` |"))
            column = row.split(" | ")[2]
            shown = re.findall(r"`([^`]+)`", column) if column != "the same" else before
            before = shown
            assert shown == list(OPERATORS[kind])
    assert OPERATORS[Kind.LEVEL] == ("==", "!=", "<", "<=", ">", ">=")
