"""How well what was read agrees with what was to be read."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gallery.agreement import char_accuracy, fewest_edits, is_latin, word_accuracy

SHORT = st.text("ab ", max_size=6)


@cache
def distance(one: str, other: str) -> int:
    """Levenshtein's distance by its definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        distance(one[1:], other) + 1,
        distance(one, other[1:]) + 1,
        distance(one[1:], other[1:]) + (one[0] != other[0]),
    )


@given(SHORT, SHORT)
def test_the_best_stretch_is_the_nearest_of_all_stretches(expected: str, read: str) -> None:
    stretches = [read[start:end] for start in range(len(read) + 1) for end in range(start, len(read) + 1)]
    assert fewest_edits(expected, read) == min(distance(expected, stretch) for stretch in stretches)


@pytest.mark.parametrize(
    ("expected", "read", "chars", "words"),
    [
        ("SUMMER SALE", "summer sale", 1, 1),
        ("SUMMER SALE", "x7 Summer\n  SALE! 20 % off", 1, 1),
        ("SUMMER SALE", "SUMMER", 6 / 11, 1 / 2),
        ("SUMMER SALE", "SUMWER SALE", 10 / 11, 1 / 2),
        ("SUMMER SALE", "", 0, 0),
        ("SUMMER SALE", "qqqq", 0, 0),
        ("go go go", "go go", 5 / 8, 2 / 3),
        ("ﬁnal", "final", 1, 1),
        ("24/7", "24/7", 1, 1),
        ("!!!", "!!", 2 / 3, 2 / 3),
    ],
)
def test_accuracy_is_what_the_definition_says(expected: str, read: str, chars: float, words: float) -> None:
    assert char_accuracy(expected, read) == pytest.approx(chars)
    assert word_accuracy(expected, read) == pytest.approx(words)


@pytest.mark.parametrize(
    ("text", "latin"), [("Café Nº 7", True), ("夏日特卖", False), ("Лето", False), ("7 + 7", True)]
)
def test_letters_that_english_does_not_have_are_known(text: str, latin: bool) -> None:
    assert is_latin(text) == latin
