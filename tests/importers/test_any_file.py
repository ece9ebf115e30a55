"""Any file is a plan that loads and checks, or a `PlanError`: files cut, torn and mixed up."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.errors import PlanError
from omniroute.importers import KINDS, import_plan
from omniroute.plan import Severity, check, loads

DATA = Path(__file__).parents[1] / "data" / "importers"
TEXTS = {
    "amazon_connect": (DATA / "connect_profiles.json").read_text("utf-8"),
    "asterisk": (DATA / "asterisk_queues.conf").read_text("utf-8"),
    "azure": (DATA / "azure_consoles.json").read_text("utf-8"),
    "freeswitch": (DATA / "freeswitch_callcenter.conf.xml").read_text("utf-8"),
    "twilio": (DATA / "twilio_support.json").read_text("utf-8"),
}
JSON_KINDS = ["amazon_connect", "azure", "twilio"]


def opened(kind):
    """The document, with what is JSON inside a text opened too."""
    document = json.loads(TEXTS[kind])
    if kind == "twilio":
        flow = document["workflow"]
        flow["configuration"] = json.loads(flow["configuration"])
        for worker in document["workers"]:
            worker["attributes"] = json.loads(worker["attributes"])
    return document


def holds(kind, text):
    try:
        found = import_plan(kind, text)
    except PlanError:
        return
    plan = loads(found.toml)
    assert [f for f in check(plan) if f.severity is Severity.ERROR] == []


expressions = st.sampled_from(
    ["1 == 2", "1==1", "type == 'x'", "worker.sid == 'WK01'", "routing.skills HAS 'none'",
     "worker.routing.levels.billing > 99", "job.x = 1", "If(job.x = 1, 2, 3)", "a HAS 1",
     "routing.levels.billing < 0", "type == 'a' AND type == 'b'", "task.age > 1", "\x00", " "]
)  # fmt: skip
scalars = st.one_of(
    expressions,
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 99, 10**6, 10**12, 2**53, 10**20, 0.5, 1e300, float("1e999")]),
    st.sampled_from(["", "q", "anna", "general", "VOICE", "chat", "equal", "static", "MONDAY"]),
    st.sampled_from(["\u2028", "a\nb", "x" * 300, "\x07", "[", "queues.a", "9" * 5000]),
    st.text(max_size=5),
)
junk = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))


@st.composite
def torn(draw, kind):
    """The document with some of its values replaced, taken out, doubled or swapped."""
    document = opened(kind)
    for _ in range(draw(st.integers(1, 6))):
        *path, last = draw(st.sampled_from([p for p in places(document) if p]))
        holder = document
        for step in path:
            holder = holder[step]
        how = draw(st.sampled_from(["replace", "remove", "double", "move"]))
        if how == "replace":
            holder[last] = draw(junk)
        elif how == "remove":
            del holder[last]
        elif how == "double" and isinstance(holder, list):
            holder.append(holder[last])
        else:
            source = document
            for step in draw(st.sampled_from(list(places(document)))):
                source = source[step]
            holder[last] = json.loads(json.dumps(source))
    return json.dumps(document)


@pytest.mark.parametrize("kind", JSON_KINDS)
@given(data=st.data())
def test_torn_documents(kind, data):
    holds(kind, data.draw(torn(kind)))


LINES = {
    "asterisk": [
        *TEXTS["asterisk"].splitlines(),
        "[ours](+)", "[x](!,ours)", "[x](gone)", "[", "[]", "member =>", "member => a,b,c",
        "member => X/1,99999", "weight = -1", "weight=7", "maxlen = x", "timeout = 99999999999",
        "strategy = linear", "strategy = nonsense", "autopause=all", ";--", "--;", "=", "a", "\x00",
        "[general]", "[sales]", "member => PJSIP/1001,3", "wrapuptime = 0", "servicelevel=-3",
    ],
    "freeswitch": [
        *TEXTS["freeswitch"].splitlines(),
        '<queue name="support@default">', "</queue>", '<queue name="">', '<tier agent="a" queue="b"/>',
        '<tier agent="1000@default" queue="support@default" level="0" position="0"/>',
        '<tier agent="z" queue="later@default" level="99999999" position="x"/>',
        '<agent name="x" wrap-up-time="-1" reject-delay-time="1e5" max-no-answer="99999999"/>',
        '<param name="tier-rule-wait-second" value="99999999"/>', "<param/>", "<!-- -->", "]]>", "&amp;",
        '<param name="strategy" value="ring-all"/>', '<param name="tier-rules-apply" value="true"/>',
    ],
}  # fmt: skip


@st.composite
def shuffled(draw, kind):
    lines = TEXTS[kind].splitlines()
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(lines)))
        if draw(st.booleans()):
            lines.insert(at, draw(st.sampled_from(LINES[kind])))
        elif lines:
            del lines[min(at, len(lines) - 1)]
    return "\n".join(lines)


@pytest.mark.parametrize("kind", LINES)
@given(data=st.data())
def test_files_with_lines_out_of_place(kind, data):
    holds(kind, data.draw(shuffled(kind)))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_any_text(kind, data):
    text = TEXTS[kind]
    start, length = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 200))
    piece = data.draw(st.text(max_size=20) | st.just(text[start // 2 : start // 2 + 50]))
    holds(kind, text[:start] + piece + text[start + length :])
    holds(kind, piece)


@st.composite
def workflows(draw):
    """Workflows of Twilio that are well formed, whatever sense they make."""
    queues = ["WQ1", "WQ2", "WQ3"]
    target = st.fixed_dictionaries(
        {},
        optional={
            "queue": st.sampled_from([*queues, "WQ9"]),
            "timeout": st.integers(1, 100),
            "priority": st.integers(0, 2**31 - 1),
            "expression": expressions,
            "skip_if": st.sampled_from(["workers.available == 0", "1==1"]),
            "order_by": st.sampled_from(["worker.routing.levels.x DESC", "worker.a ASC"]),
            "known_worker_sid": st.just("task.w"),
        },
    )
    rule = st.fixed_dictionaries(
        {"targets": st.lists(target, max_size=4)},
        optional={
            "expression": expressions,
            "filter_friendly_name": st.sampled_from(["a", "b", ""]),
        },
    )
    routing = {"filters": draw(st.lists(rule, max_size=4))}
    if draw(st.booleans()):
        routing["default_filter"] = {"queue": draw(st.sampled_from(queues))}
    listed = [
        {"sid": sid, "friendly_name": draw(st.sampled_from(["A", "B", sid])), "target_workers": e}
        for sid, e in zip(queues, draw(st.lists(expressions, max_size=3)), strict=False)
    ]
    worker = {"sid": "WK01", "attributes": {"type": "x", "routing": {"skills": ["billing"]}}}
    workers = [worker] if draw(st.booleans()) else []
    return {"workflow": {"configuration": {"task_routing": routing}}, "task_queues": listed,
            "workers": workers}  # fmt: skip


@given(workflows())
def test_workflows_that_are_well_formed(document):
    holds("twilio", json.dumps(document))
