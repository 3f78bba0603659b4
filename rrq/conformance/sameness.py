"""`difference`: whether two JSON texts say the same, to the last digit.

Not what a JSON library makes of them: 1 is 1.0 and 1e0, but an integer keeps all its digits, and
-0.0 its sign.
"""

from __future__ import annotations

import json
import struct
from typing import Any


class Number(str):
    """A number as it is written."""


def parse(text: str | bytes) -> Any:
    """A JSON text as Python values, its numbers as they are written.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """

    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        return json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=refuse, strict=True
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def difference(expected: str | bytes, found: str | bytes) -> str | None:
    """Where and how two JSON texts differ, or None if they say the same.

    Raises:
        ValueError: one of them is not JSON.
    """
    return value_difference(parse(expected), parse(found))


def value_difference(expected: Any, found: Any, where: str = "$") -> str | None:
    """As `difference`, for what `parse` made of the texts."""
    if isinstance(expected, Number) and isinstance(found, Number):
        return None if _is_same_number(expected, found) else _unlike(where, expected, found)
    if type(expected) is not type(found):
        return _unlike(where, expected, found)
    if isinstance(expected, dict):
        if expected.keys() != found.keys():
            missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
            told = [f"{what} {sorted(names)!a}" for what, names in
                    (("without", missing), ("with", extra)) if names]  # fmt: skip
            return f"{where} comes back {' and '.join(told)}"
        pairs = [(f"{where}[{name!a}]", value, found[name]) for name, value in expected.items()]
    elif isinstance(expected, list):
        if len(expected) != len(found):
            return f"{where} has {len(found)} elements, not {len(expected)}"
        pairs = [(f"{where}[{i}]", a, b) for i, (a, b) in enumerate(zip(expected, found))]  # noqa: B905
    else:
        return None if expected == found else _unlike(where, expected, found)
    for place, one, other in pairs:
        if unlike := value_difference(one, other, place):
            return unlike
    return None


def _is_same_number(expected: str, found: str) -> bool:
    if expected == found:
        return True
    if expected.lstrip("-").isdigit() and _is_zero_free_integer(expected):
        # A double that holds the integer exactly may be written as one.
        return _as_integer(found) == int(expected)
    return struct.pack("d", float(expected)) == struct.pack("d", float(found))


def _is_zero_free_integer(text: str) -> bool:
    return bool(text.strip("-0"))


def _as_integer(text: str) -> int | None:
    from decimal import Decimal

    number = Decimal(text)
    # No exponent that a program could choke on.
    if not number.is_finite() or abs(number.adjusted()) > 1000 or number != int(number):
        return None
    return int(number)


def _unlike(where: str, expected: Any, found: Any) -> str:
    return f"{where} is {_short(found)}, not {_short(expected)}"


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, Number):
        shown = str(value)
    else:
        shown = ascii(value) if isinstance(value, str) else json.dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:40]}… ({len(shown)} characters)"
