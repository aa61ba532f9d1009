"""Objectives against a run: what passes, what fails, and what too few or cut jobs leave open."""

from __future__ import annotations

import pytest

from .build_run import job, of_events
from .test_build import cuts, judged, refused, summary_of


def test_no_data_never_passes() -> None:
    for changes in (
        {"where": {"route": "azure"}},
        {"metric": "queue_ms"},
        {"metric": "error_rate", "statistic": "share"},
    ):
        events = [job(1)] if changes.get("metric") != "error_rate" else []
        assert judged(events, **changes).state == "inconclusive"


def test_a_median_with_enough_jobs_is_judged_by_its_value() -> None:
    events = [job(n, seconds=5) for n in range(11)]
    assert (judged(events).state, judged(events).value.value, judged(events).value.n) == ("pass", 5, 11)
    assert judged(events, value=4).state == "fail"
    close = judged([job(n, seconds=5 + n) for n in range(11)], value=11)
    assert (close.state, close.why) == ("pass", "11 jobs; the interval holds the limit, so it was close")


def test_few_jobs_pass_only_when_their_whole_interval_does() -> None:
    six = [job(n, seconds=5 + n) for n in range(6)]
    assert judged(six, value=30).state == "pass"
    assert judged(six, value=8).state == "inconclusive"
    assert judged(six, value=1).state == "fail"
    assert judged(six, statistic="p90", value=30).state == "inconclusive"


def test_cut_jobs_fail_an_objective_below_their_cut_and_decide_nothing_above_it() -> None:
    events, verdicts = cuts(12)
    assert judged(events, verdicts, value=50).state == "fail"
    assert judged(events, verdicts, value=240).state == "inconclusive"
    assert judged(events, verdicts, value=50, comparison=">").state == "pass"


@pytest.mark.parametrize("statistic", ["max", "mean"])
def test_a_cut_leaves_maximum_and_mean_known_from_below(statistic: str) -> None:
    events, verdicts = cuts(2)
    assert judged(events, verdicts, statistic=statistic, value=30).state == "fail"
    assert judged(events, verdicts, statistic=statistic, value=90).state == "inconclusive"
    assert judged([job(n, seconds=5) for n in range(11)], statistic=statistic).state == "pass"


def test_a_mean_of_few_jobs_passes_only_when_its_whole_interval_does() -> None:
    three = [job(n, seconds=5 + n) for n in range(3)]
    assert judged([job(1, seconds=5)], statistic="mean").state == "inconclusive"
    wide = judged(three, statistic="mean", value=8)
    assert (wide.state, wide.value.value) == ("inconclusive", 6.0)
    assert (wide.value.low, wide.value.high) == (pytest.approx(3.516, abs=0.001), pytest.approx(8.484, abs=0.001))
    assert judged(three, statistic="mean", value=9).state == "pass"
    assert judged([job(1, seconds=5)], statistic="max").state == "pass"


def test_an_early_cut_may_have_been_the_longest_so_the_maximum_is_not_known() -> None:
    events, verdicts = cuts(1)
    result = judged([*events, job(1, seconds=70)], verdicts, statistic="max", value=90)
    assert (result.state, result.value.value, result.value.beyond) == ("inconclusive", None, 70)


def test_few_cut_jobs_decide_no_more_than_few_that_were_done() -> None:
    events, verdicts = cuts(1)
    assert judged(events, verdicts, statistic="p90", value=30).state == "inconclusive"
    assert judged([job(1, seconds=60)], statistic="p90", value=30).state == "inconclusive"


def test_one_job_that_outlived_the_cuts_of_all_others_does_not_pass_for_them() -> None:
    events, verdicts = cuts(19)
    result = judged([*events, job(1, seconds=130)], verdicts, value=150)
    assert (result.state, result.value.value, result.value.thin) == ("inconclusive", 130, True)


def test_error_rate_counts_every_failure_of_jobs_seen_to_their_end() -> None:
    events = [job(n) for n in range(19)] + [refused(19), job(20, outcome="cancelled", status=None)]
    result = judged(events, metric="error_rate", statistic="share", comparison="<=", value=5, unit="%")
    assert (result.state, result.value.value, result.value.n, result.why) == ("pass", 5.0, 20, "1 of 20 failed")
    assert judged(events, metric="error_rate", statistic="share", value=0, comparison="<=", unit="%").state == "fail"


def test_too_few_jobs_do_not_show_a_small_error_rate() -> None:
    result = judged([job(n) for n in range(5)], metric="error_rate", statistic="share", value=1, unit="%")
    assert (result.state, result.value.thin, result.value.floor) == ("inconclusive", True, 100)


def test_cost_is_judged_per_job() -> None:
    events = [job(n) for n in range(3)]
    result = judged(events, metric="cost_usd", statistic="mean", value=0.01, unit="usd")
    assert (result.state, result.value.value) == ("pass", 0.006)


def test_an_image_without_a_price_does_not_make_the_others_cheaper() -> None:
    events = [job(n, cost_usd=0.2 if n < 2 else None, cost_basis="usage" if n < 2 else None) for n in range(8)]
    summary = summary_of(of_events(events))
    assert (summary.totals.cost_usd, summary.totals.images, summary.totals.cost_per_image_usd) == (0.4, 8, 0.2)
    assert [row.cost_per_image_usd for row in summary.cells] == [0.2]


def test_where_picks_jobs_by_any_field() -> None:
    events = [job(n, seconds=5) for n in range(12)] + [job(50, seconds=99, stream=True)]
    assert judged(events, statistic="max", where={"stream": "false", "n": "1"}).state == "pass"
    assert judged(events, statistic="max", where={"stream": "true"}).state == "fail"
    assert "no job has a field" in judged(events, where={"colour": "red"}).why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"metric": "nonsense_ms"}, "not known"),
        ({"unit": "furlong"}, "not known"),
        ({"statistic": "median"}, "not defined"),
        ({"statistic": "p0"}, "not defined"),
    ],
)
def test_what_cannot_be_judged_is_inconclusive_and_says_why(changes: dict[str, str], why: str) -> None:
    result = judged([job(1)], **changes)
    assert result.state == "inconclusive"
    assert why in result.why
