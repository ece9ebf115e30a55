"""Telephone numbers: what is a customer's address, what is only shown, what is withheld.

A number is a customer's identity when it is E.164 ("+" and up to 15 digits). Trunks and
some providers send national digits: those need a default region and the `phone` extra.
Anything else passes through as it came, because an odd caller is still a caller.
A withheld number is nobody's id: two such callers are never one customer.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from ..errors import MissingExtraError, UnknownNameError
from ..model import Address, AddressKind, Customer

__all__ = [
    "WITHHELD_ATTRIBUTE",
    "caller",
    "check_region",
    "international",
    "is_e164",
    "thread_of",
    "to_e164",
    "trunk_caller",
]

#: The attribute that marks a call whose caller does not show a number.
WITHHELD_ATTRIBUTE = "withheld"

#: Digits that trunks send without "+" count as international from this length on: shorter
#: ones may be an extension or a national number.
_TRUNK_DIGITS = 11

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"\+?[0-9][0-9 ()./-]{4,30}")

#: What stands in the caller's place when the number is withheld. The digit strings spell
#: the words on a telephone's keys; Twilio sends them where only digits are allowed.
_WITHHELD = frozenset(
    [
        "anonymous",
        "restricted",
        "unavailable",
        "unknown",
        "private",
        "blocked",
        "withheld",
        "asserted",
        "<unknown>",
        "+266696687",
        "266696687",
        "+7378742833",
        "7378742833",
        "+2562533",
        "2562533",
        "+8656696",
        "8656696",
        "+86282452253",
        "86282452253",
    ]
)


def is_e164(number: str) -> bool:
    """True for "+", a digit that is not 0, and 7 to 15 digits in all (ITU-T E.164)."""
    return _E164.fullmatch(number) is not None


def check_region(default_region: str | None) -> None:
    """Refuse a default region that could not work, when an adapter is made, not on a call.

    Raises:
        MissingExtraError: phonenumbers is not installed.
        UnknownNameError: no such region.
    """
    if default_region is None:
        return
    try:
        import phonenumbers
    except ImportError:
        raise MissingExtraError("phonenumbers", "phone", "a default region") from None
    if default_region not in phonenumbers.SUPPORTED_REGIONS:
        raise UnknownNameError("region", default_region, phonenumbers.SUPPORTED_REGIONS)


def to_e164(raw: str, default_region: str | None = None) -> str | None:
    """The E.164 form of a number, or None when it has none.

    Args:
        raw: the number as it came.
        default_region: the country (ISO 3166, "DE") that national numbers belong to; None
            takes international numbers only and needs no extra. See `check_region`.
    """
    number = raw.strip()
    if is_e164(number):
        return number
    if default_region is None or _DIGITS.fullmatch(number) is None:
        return None
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, default_region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def international(raw: str, shortest: int = 7) -> str:
    """A number of a provider that sends international numbers as digits: with its "+".

    Anything else passes as it came: a short code, a name, digits that begin with 0.

    Args:
        raw: the number as it came.
        shortest: how many digits make it an international number.
    """
    number = raw.strip()
    long_enough = number.isascii() and number.isdigit() and len(number) >= shortest
    return f"+{number}" if long_enough and is_e164(f"+{number}") else number


def trunk_caller(raw: str, name: str = "", default_region: str | None = None) -> Customer:
    """Who calls, from what a trunk says: national with a default region, else international.

    Eleven digits and more are an international number without its "+"; fewer stay as they
    came, for they may be an extension.
    """
    if default_region is not None and raw.strip().startswith("0"):
        return caller(raw, name, default_region)
    number = raw.strip()
    withheld = number.lower() in _WITHHELD
    return caller(raw if withheld else international(number, _TRUNK_DIGITS), name, default_region)


def thread_of(ours: str, theirs: str) -> str:
    """The thread of text messages between two numbers."""
    return f"{ours}:{theirs}"


def _sip_user(uri: str) -> tuple[str, str]:
    """The user part and the host of a ``sip:`` URI."""
    rest = uri.split(":", 1)[1]
    user, at, host = rest.partition("@")
    if not at:
        user, host = "", rest
    return unquote(user).partition(";")[0], host.partition(";")[0].partition("?")[0].lower()


def caller(raw: str, name: str = "", default_region: str | None = None) -> Customer:
    """Who calls, from what a provider says of the calling line.

    An E.164 number becomes id and address. A SIP URI gives the number in it, or itself. An
    unusable number stays as the id, without an address. A withheld one gives id "".
    """
    given = raw.strip()[:255]
    if not given or given.lower() in _WITHHELD:
        return Customer(name="" if name.strip().lower() in _WITHHELD else name)
    if given.lower().startswith(("sip:", "sips:")):
        user, host = _sip_user(given)
        if user.lower() in _WITHHELD or host == "anonymous.invalid":
            return Customer()
        number = to_e164(user, default_region)
        if number is None:
            uri = f"sip:{user}@{host}" if user else f"sip:{host}"
            return Customer(id=uri, name=name, addresses=(Address(AddressKind.HANDLE, uri),))
        return Customer(id=number, name=name, addresses=(Address(AddressKind.E164, number),))
    number = to_e164(given, default_region)
    if number is None:
        return Customer(id=given, name=name)
    return Customer(id=number, name=name, addresses=(Address(AddressKind.E164, number),))
