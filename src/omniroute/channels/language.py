"""Which language a customer writes: told only where there is enough text to tell.

A wrong language sends the customer to an agent who cannot read him; no language sends him
to whoever is next. So a detector refuses short texts and weak guesses. It is any callable
``text -> code or None``; `language_detector` makes one from py3langid (the `lang` extra),
and `with_language` applies one to what a channel delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ..errors import MissingExtraError, UnknownNameError
from ..model import Channel, Disposition, Inbound
from .reply_text import visible_reply

__all__ = ["Detect", "language_detector", "with_language"]

#: Text in, ISO 639-1 code out, or None when it cannot be told.
Detect = Callable[[str], str | None]

#: So many letters must be there; scripts that write a word in one or two need fewer.
_ENOUGH_LETTERS = 20
_ENOUGH_DENSE = 5
#: Where those scripts begin: kana, Han and Hangul.
_DENSE_FROM = "\u3040"

_LOOKED_AT = 2000


def _is_enough(text: str) -> bool:
    """True when the text has enough letters for a guess to mean something."""
    letters = [character for character in text if character.isalpha()]
    dense = sum(character >= _DENSE_FROM for character in letters)
    return len(letters) >= _ENOUGH_LETTERS or dense >= _ENOUGH_DENSE


def language_detector(
    languages: Iterable[str] | None = None, *, min_confidence: float = 0.5
) -> Detect:
    """A detector made from py3langid. Loading takes about a second, a guess about 0.1 ms.

    Args:
        languages: the codes to choose between; None for all it knows. Naming those that
            your agents speak makes short texts much more certain.
        min_confidence: from 0 to 1; below it the answer is None.

    Raises:
        MissingExtraError: py3langid is not installed.
        UnknownNameError: a language that it does not know.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise MissingExtraError("py3langid", "lang", "telling languages apart") from None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    if languages is not None:
        known = set(identifier.labels)
        wanted = list(languages)
        for code in wanted:
            if code not in known:
                raise UnknownNameError("language", code, known)
        identifier.set_languages(wanted)

    def detect(text: str) -> str | None:
        opening = text[:_LOOKED_AT]
        if not _is_enough(opening):
            return None
        code, confidence = identifier.classify(opening)
        return str(code) if confidence >= min_confidence and code != "zxx" else None

    return detect


def with_language(inbound: Inbound, detect: Detect | None) -> Inbound:
    """The same value with its language filled in, where it will be routed and has text.

    In a mail only what the customer wrote now counts, not what he quotes.
    """
    message = inbound.message
    routed = inbound.disposition in {Disposition.CREATE, Disposition.APPEND}
    if detect is None or not routed or message.language is not None or not message.text:
        return inbound
    written = visible_reply(message.text) if message.channel is Channel.EMAIL else message.text
    language = detect(written)
    if language is None:
        return inbound
    found = msgspec.structs.replace(message, language=language)
    return msgspec.structs.replace(inbound, message=found)
