"""When rounds are due, by plain arithmetic."""

from __future__ import annotations

import pytest

from harness.errors import UsageProblem
from harness.watching.schedule import Due, first, following, period

NOW = 1_000_000.0


def test_the_first_round_of_a_history_begins_at_once() -> None:
    assert first(None, 900, NOW) == Due(NOW)


def test_started_again_soon_it_waits_for_the_rest_of_the_period() -> None:
    assert first(NOW - 100, 900, NOW) == Due(NOW + 800)


def test_started_again_late_it_begins_at_once_and_says_what_fell_out() -> None:
    assert first(NOW - 900, 900, NOW) == Due(NOW)
    assert first(NOW - 4000, 900, NOW) == Due(NOW, missed=3)


def test_rounds_stay_on_their_grid_however_long_each_takes() -> None:
    assert following(NOW, 900, NOW + 42) == Due(NOW + 900)
    assert following(NOW, 900, NOW + 900) == Due(NOW + 900)


def test_a_round_that_takes_longer_than_the_period_costs_the_next_ones_and_is_never_overlapped() -> None:
    assert following(NOW, 900, NOW + 901) == Due(NOW + 1800, missed=1)
    assert following(NOW, 900, NOW + 4000) == Due(NOW + 4500, missed=4)


def test_a_clock_that_was_set_back_begins_a_new_grid() -> None:
    assert following(NOW, 900, NOW - 5000) == Due(NOW - 4100)
    assert first(NOW + 5000, 900, NOW) == Due(NOW)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1.5 h", 5400), ("30d", 2_592_000)])
def test_a_period_is_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert period(text, "--every") == seconds


@pytest.mark.parametrize("text", ["", "15", "0m", "-1h", "15 minutes", "400d", "nan s"])
def test_what_is_no_period_is_said_with_the_option(text: str) -> None:
    with pytest.raises(UsageProblem, match="--every"):
        period(text, "--every")
