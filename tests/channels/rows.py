"""The rows of `tests/data/INDEX.tsv`: one recorded input each, and what it must become."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

from omniroute.channels import WebhookRequest

DATA = Path(__file__).parents[1] / "data"

#: What the index also lists, but no adapter reads.
NO_PAYLOADS = frozenset({"email_reply_text", "icalendar", "importers", "signature_vectors"})


class Row(NamedTuple):
    """One row of the index."""

    file: str
    channel: str
    kind: str
    source: str
    licence: str
    expected_channel: str
    customer_id: str
    thread_id: str
    message_id: str
    text_start: str
    is_new_interaction: str
    disposition: str
    note: str

    @property
    def path(self) -> Path:
        return DATA / self.file

    @property
    def raw(self) -> bytes:
        return self.path.read_bytes()

    @property
    def is_policy(self) -> bool:
        """True when the outcome is a choice of the product, so not judged strictly."""
        return "policy" in self.note


def every_row() -> list[Row]:
    with (DATA / "INDEX.tsv").open(encoding="utf-8", newline="") as index:
        reader = csv.reader(index, delimiter="\t")
        header = next(reader)
        assert tuple(header) == Row._fields
        return [Row._make(row) for row in reader]


def rows(*channels: str) -> list[Row]:
    return [row for row in every_row() if row.channel in channels]


def words(text: str) -> str:
    """Text as it is compared: blanks and line breaks are one blank."""
    return " ".join(text.split())


def vector(name: str) -> tuple[WebhookRequest, dict]:
    """A signature vector as a request, and the vector itself."""
    import base64

    found = json.loads((DATA / "signature_vectors" / f"{name}.json").read_bytes())
    request = WebhookRequest(
        method=found["method"],
        url=found["url"],
        headers=found["headers"],
        body=base64.b64decode(found["body_b64"]),
        received_at_ms=None if found["now_unix"] is None else found["now_unix"] * 1000,
    )
    return request, found
