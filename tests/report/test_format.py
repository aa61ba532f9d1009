"""Figures with their units."""

from __future__ import annotations

import pytest

from harness.report import format as fmt
from harness.report.model import Estimate


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "—"),
        (0, "0 ms"),
        (0.01, "< 0.1 ms"),
        (0.3, "0.3 ms"),
        (9.94, "9.9 ms"),
        (12.34, "12.3 ms"),
        (999.4, "999 ms"),
        (999.7, "1.00 s"),
        (5234, "5.23 s"),
        (99_970, "100 s"),
        (194_600, "195 s"),
        (1_500_000, "25.0 min"),
    ],
)
def test_durations_have_three_digits_and_a_unit(ms: float | None, text: str) -> None:
    assert fmt.duration(ms) == text.replace(" ms", "\u00a0ms").replace(" s", "\u00a0s").replace(" min", "\u00a0min")


@pytest.mark.parametrize(
    ("usd", "text"),
    [(None, "—"), (0, "$0.00"), (0.006, "$0.0060"), (0.053, "$0.053"), (2.11, "$2.11"), (1234.5, "$1\u202f234.50")],
)
def test_money(usd: float | None, text: str) -> None:
    assert fmt.money(usd) == text


def test_a_share_always_says_of_what() -> None:
    assert fmt.of(7, 10) == "7 of 10"
    assert fmt.of(None, 10) == fmt.of(0, 0) == fmt.percent(0, 0) == "—"
    assert fmt.percent(1, 300) == "0.3\u00a0%"


def test_what_is_not_estimable_says_what_it_is_beyond() -> None:
    found = Estimate(value=None, n=10, censored=10, beyond=60_100)
    assert fmt.estimate(found) == "> 60.1\u00a0s"
    assert fmt.interval(found) == "not estimable"
    assert fmt.basis(found) == "10\u00a0of\u00a010\u00a0cut"


def test_intervals_share_their_unit_and_say_where_they_are_open() -> None:
    assert fmt.interval(Estimate(value=5000, low=4000, high=6000, n=12)) == "4.00 – 6.00\u00a0s"
    assert fmt.interval(Estimate(value=5000, low=900, high=6000, n=12)) == "900\u00a0ms – 6.00\u00a0s"
    assert fmt.interval(Estimate(value=5000, low=4000, high=None, n=12)) == "≥ 4.00\u00a0s"
    assert fmt.interval(Estimate(value=None)) == ""


def test_a_time_that_cannot_be_read_is_shown_as_it_is() -> None:
    assert fmt.moment("soon") == "soon"
    assert fmt.moment("2026-03-02T09:30:00.123+08:00") == "2026-03-02 09:30:00+08:00"
    assert fmt.elapsed("2026-03-02T09:30:00+08:00", "2026-03-02T10:32:05+08:00") == "1 h 02 min"
    assert fmt.elapsed("2026-03-02T09:30:00", "2026-03-02T10:32:05+08:00") == "—"


def test_the_limit_of_a_share_is_said_as_its_value_is() -> None:
    assert (fmt.limit(0.05, "share"), fmt.limit(90_000, "ms"), fmt.limit(0.06, "usd")) == (
        "5\u00a0%",
        "90\u00a0s",
        "$0.06",
    )
