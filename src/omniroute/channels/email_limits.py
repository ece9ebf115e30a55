"""How much of a mail is read, and why nothing in it can cost more than that.

Two kinds of limits:

- What a mail may be. Larger (``message_bytes``, ``header_bytes``), more parts (``parts``)
  or deeper (``depth``) than this is no letter but a bomb or a broken program: the mail is
  quarantined with what could be read of it, for a human agent to look at.
- What is read of it. A header field longer than ``field_bytes``, addresses after the
  ``addresses``-th, text after ``text_chars``: what lies beyond cannot change who wrote or
  what was asked, so the mail is routed, and its attribute ``cut`` names what was cut.

The splitter and the decoders are linear in the bytes they are given and never recurse.
The standard library's parser is neither: 10,000 empty parts (90 KB) cost it 1.2 s of CPU,
32,000 encoded words (448 KB) 24 s, and 1,500 levels end in a RecursionError.
"""

from __future__ import annotations

import attrs

__all__ = ["EmailLimits"]


@attrs.frozen(kw_only=True)
class EmailLimits:
    """The limits for one mail; the defaults suit a public mailbox."""

    message_bytes: int = 25 * 1024 * 1024
    header_bytes: int = 256 * 1024
    field_bytes: int = 16 * 1024
    fields: int = 1000
    parts: int = 500
    depth: int = 20
    addresses: int = 500
    references: int = 200
    html_chars: int = 4_000_000
    text_chars: int = 1_000_000
