"""What a journal says, as JSON that later releases can be held to: facts, not representations."""

import base64
import enum

import msgspec


def plain(value):
    """A value with every field by name, also those at their defaults."""
    if isinstance(value, msgspec.Struct):
        fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        return {"type": type(value).__struct_config__.tag or type(value).__name__, **fields}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def facts(engine):
    """Who waits and works, and what was counted."""
    counts = engine.statistics()
    queues = {name: plain(queue.total) for name, queue in counts.queues.items()}
    return {
        "now_ms": engine.now_ms,
        "queues": queues,
        "agents_ready": counts.agents_ready,
        "open": [
            [each.id, each.state.value, each.queue, each.priority, each.agent_id]
            for each in engine.interactions()
        ],
    }


def holds(expected, found, where=""):
    """The first place where what was expected is not found; later fields are no difference."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name not in found:
                return f"{where}.{name} is missing"
            different = holds(value, found[name], f"{where}.{name}")
            if different:
                return different
        return ""
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{where} has {len(found)} items instead of {len(expected)}"
        pairs = enumerate(zip(expected, found, strict=True))
        return next((d for n, (a, b) in pairs if (d := holds(a, b, f"{where}[{n}]"))), "")
    return "" if expected == found else f"{where} is {found!r} instead of {expected!r}"
