"""When two JSON texts say the same, as `tests/vectors/README.md` has it."""

from __future__ import annotations

import pytest

from rrq.conformance.report import shown
from rrq.conformance.sameness import difference


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1.0", "1"),
        ("1", "1e0"),
        ("100", "1E2"),
        ("9007199254740993", "9007199254740993.0"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("-0.0", "-0"),
        ("1e308", "1E+308"),
        (r'"\u00e9\ud83d\ude00"', '"\u00e9\U0001f600"'),
        (r'"\/"', '"/"'),
        ('{"a":1,"b":[null]}', ' { "b" : [ null ] , "a" : 1.0 } '),
    ],
)
def test_texts_that_say_the_same(one: str, other: str) -> None:
    assert difference(one, other) is None


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ("1", "2", "$ is 2, not 1"),
        ("1", '"1"', "$ is '1', not 1"),
        ("1", "true", "$ is true, not 1"),
        ("0", "null", "$ is null, not 0"),
        ("-0.0", "0.0", "$ is 0.0, not -0.0"),
        ("0", "-0", "$ is -0, not 0"),
        ("9007199254740993", "9007199254740992", "9007199254740992, not 9007199254740993"),
        ("9007199254740993", "9.007199254740992e15", "not 9007199254740993"),
        ("18446744073709551617", "1.8446744073709552e19", "not 18446744073709551617"),
        ("1", "1e400", "$ is 1e400, not 1"),
        ('"e\u0301"', '"\u00e9"', r"$ is '\xe9', not 'e\u0301'"),
        ("[1,2]", "[1]", "$ has 1 elements, not 2"),
        ("[[1],{}]", "[[2],{}]", "$[0][0] is 2, not 1"),
        ('{"a":1}', '{"b":1}', "$ comes back without ['a'] and with ['b']"),
        ('{"a":{"b":[0]}}', '{"a":{"b":[1]}}', "$['a']['b'][0] is 1, not 0"),
        ("[]", "{}", "$ is an object, not an array"),
    ],
)
def test_a_difference_is_told_with_its_place(expected: str, found: str, told: str) -> None:
    assert told in (difference(expected, found) or "")


@pytest.mark.parametrize("text", ["[NaN]", "Infinity", "[1,]", "", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|nested"):
        difference("[]", text)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b"plain", "plain"),
        (b"caf\xc3\xa9 \xff\x1b[2J", "café \\xff\\x1b[2J"),
        (b"x" * 300, "x" * 200 + "… (300 bytes)"),
        ("é" * 201, "é" * 200 + "… (201 characters)"),
        ("\ud800", "\\ud800"),
    ],
)
def test_a_line_is_shown_cut_and_escaped(line: bytes | str, seen: str) -> None:
    assert shown(line) == seen
