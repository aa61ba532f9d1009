"""Two runs against each other."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from scipy import stats

from harness.compare.build import Measured, comparison
from harness.compare.failures import more_p
from harness.compare.model import Comparison
from harness.compare.text import markdown, text
from harness.conditions import Caps, LayerCap, RouteConditions
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.frame import frame_of
from harness.report.jobs import join_verdicts
from tests.report.build_run import Run, conditions, cut_by_nginx, job, of_events


def run_of(factor: float = 1.0, seed: int = 1, blocks: int = 30, spread: float = 0.05, **changes: Any) -> Run:
    """Two cells of one route, a job each in every block."""
    rng = np.random.default_rng(seed)
    events = [
        job(
            2 * block + index,
            quality=quality,
            seconds=float(median * factor * rng.lognormal(0, spread)),
            block=block,
            prompt_hash=f"p{block % 5}",
            **changes,
        )
        for block in range(blocks)
        for index, (quality, median) in enumerate((("low", 5.0), ("medium", 27.0)))
    ]
    return of_events(events)


def measured(run: Run) -> Measured:
    return Measured(run.conditions, join_verdicts(frame_of(run.events), run.verdicts))


def compared(a: Run, b: Run, **options: Any) -> Comparison:
    return comparison(measured(a), measured(b), **options)


def with_conditions(run: Run, **changes: Any) -> Run:
    return Run(replace(run.conditions, **changes), run.events, run.verdicts)


def with_jobs(run: Run, **changes: Any) -> Run:
    return Run(run.conditions, [replace(event, **changes) for event in run.events], run.verdicts)


# What is said


def test_a_slower_run_is_worse_and_the_ratio_is_found() -> None:
    found = compared(run_of(), run_of(1.3, seed=2))
    assert (found.verdict, [cell.verdict for cell in found.cells]) == ("worse", ["slower", "slower"])
    assert [cell.cell for cell in found.cells] == ["route=direct quality=low", "route=direct quality=medium"]
    for cell in found.cells:
        assert cell.ratio_low is not None
        assert cell.ratio_high is not None
        assert cell.ratio_low < 1.3 < cell.ratio_high
        assert (cell.a.n, cell.b.n, cell.a.thin) == (30, 30, False)


def test_a_faster_run_is_no_worse() -> None:
    found = compared(run_of(), run_of(0.7, seed=2))
    assert (found.verdict, {cell.verdict for cell in found.cells}) == ("no_worse", {"faster"})
    assert "faster in 2" in found.sentence


def test_two_runs_of_the_same_world_are_no_worse_when_there_are_enough_jobs() -> None:
    found = compared(run_of(blocks=120, spread=0.03), run_of(seed=2, blocks=120, spread=0.03))
    assert (found.verdict, {cell.verdict for cell in found.cells}) == ("no_worse", {"no_difference"})


def test_few_jobs_are_inconclusive_and_never_no_worse() -> None:
    assert compared(run_of(blocks=3), run_of(seed=2, blocks=3)).verdict == "inconclusive"


def test_an_effect_below_the_smallest_that_matters_is_not_worse() -> None:
    a, b = run_of(blocks=150, spread=0.02), run_of(1.1, seed=2, blocks=150, spread=0.02)
    assert compared(a, b, min_effect=0.05).verdict == "worse"
    assert compared(a, b, min_effect=0.2).verdict == "no_worse"


def test_worse_is_seldom_said_of_two_runs_of_the_same_world() -> None:
    worse = sum(
        compared(run_of(seed=2 * n, blocks=15), run_of(seed=2 * n + 1, blocks=15), min_effect=0.0).verdict == "worse"
        for n in range(40)
    )
    assert worse <= 4  # half of 5 %, over all cells: one of 40 expected


def test_p_values_are_adjusted_over_the_cells() -> None:
    for cell in compared(run_of(), run_of(1.02, seed=2)).cells:
        assert cell.p_value is not None
        assert cell.p_adjusted is not None
        assert cell.p_adjusted >= cell.p_value


def test_jobs_that_were_cut_are_lower_bounds_in_both_runs() -> None:
    pairs = [cut_by_nginx(n, route="direct", quality="low", seconds=60, block=n, prompt_hash="p") for n in range(12)]
    cut = of_events([event for event, _ in pairs], [verdict for _, verdict in pairs])
    fast = of_events([job(n, seconds=5 + n / 100, block=n, prompt_hash="p") for n in range(12)])
    found = compared(fast, cut, allow=["route_owner"])
    assert (found.cells[0].b.value, found.cells[0].b.censored) == (None, 12)
    assert (found.failures.failed_b, found.failures.more, found.verdict) == (12, True, "worse")


def test_more_failures_make_a_run_worse_even_when_the_rest_is_as_fast() -> None:
    a, b = run_of(0.9), run_of(0.6, seed=2)
    b.events = [
        replace(event, outcome="error", http_status=500, final_image_ms=None) if number % 3 == 0 else event
        for number, event in enumerate(b.events)
    ]
    found = compared(a, b)
    assert (found.verdict, found.failures.more) == ("worse", True)
    assert "20 of 60 jobs failed, where in A 0 of 60 did" in found.sentence


def test_more_failures_that_may_be_chance_are_said_beside_the_verdict() -> None:
    a, b = run_of(0.9), run_of(0.6, seed=2)
    b.events = [
        replace(event, outcome="error", http_status=500, final_image_ms=None) if number < 3 else event
        for number, event in enumerate(b.events)
    ]
    found = compared(a, b)
    assert (found.verdict == "worse", found.failures.more) == (False, False)
    assert "More jobs failed in B (3 of 60, in A 0 of 60), which may be chance." in found.sentence
    assert "failed" not in compared(a, run_of(0.6, seed=2)).sentence


def test_the_tail_of_the_failures_is_that_of_every_way_in_which_they_could_fall() -> None:
    rows = [(1, 4, 2, 3), (0, 3, 2, 4)]
    ways = []
    for failed_a, judged_a, failed_b, judged_b in rows:
        n = judged_a + judged_b
        picks = itertools.combinations(range(n), failed_a + failed_b)
        ways.append([sum(one < judged_b for one in pick) for pick in picks])
    sums = [one + other for one, other in itertools.product(*ways)]
    assert more_p(rows) == pytest.approx(sum(total >= 4 for total in sums) / len(sums))


def test_the_tail_of_the_failures_in_one_cell_is_fishers() -> None:
    table = [[7, 13], [2, 18]]  # B, A: failed and not
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert more_p([(2, 20, 7, 20)]) == pytest.approx(expected)
    assert more_p([(0, 0, 7, 20)]) is None


# What is refused


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("caps", {"caps": Caps(total_s=60)}),
        ("concurrency", {"concurrency": 7}),
        ("retries", {"retries": 2}),
        ("time_scale", {"time_scale": 50.0}),
        ("simulated", {"simulated": True}),
        ("route_kind", {"routes": (RouteConditions(name="direct", kind="azure", owner="openai"),)}),
        ("route_owner", {"routes": (RouteConditions(name="direct", kind="images", owner="acme"),)}),
        (
            "chain",
            {"routes": (RouteConditions(name="direct", kind="images", owner="openai", chain=(LayerCap(layer="l"),)),)},
        ),
    ],
)
def test_conditions_that_differ_are_refused_by_name_and_can_be_allowed(setting: str, change: dict[str, Any]) -> None:
    a, b = run_of(blocks=5), with_conditions(run_of(seed=2, blocks=5), **change)
    with pytest.raises(
        UsageProblem, match=rf"(?s)differ in\n  {setting}: .* in A, .* in B\n    fix: --allow {setting}"
    ):
        compared(a, b)
    assert [one.setting for one in compared(a, b, allow=[setting]).allowed] == [setting]


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("model", {"model": "gpt-image-1"}),
        ("size", {"size": "1536x1024"}),
        ("output_format", {"output_format": "jpeg"}),
        ("n", {"n": 4}),
        ("stream", {"stream": True}),
        ("background", {"background": "opaque"}),
        ("prompts", {"prompt_hash": "other"}),
    ],
)
def test_jobs_that_asked_for_something_else_are_refused_by_name(setting: str, change: dict[str, Any]) -> None:
    a, b = run_of(), with_jobs(run_of(1.3, seed=2), **change)
    with pytest.raises(UsageProblem, match=rf"\n  {setting}: "):
        compared(a, b)
    assert compared(a, b, allow=[setting]).verdict == "worse"


def test_every_setting_that_differs_is_named_at_once() -> None:
    b = with_conditions(with_jobs(run_of(seed=2), size="1536x1024", model="x"), concurrency=9)
    with pytest.raises(UsageProblem) as caught:
        compared(run_of(), b, allow=["model"])
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines() if " in A, " in line] == [
        "size",
        "concurrency",
    ]


def test_two_regions_stand_against_each_other_when_the_route_may_differ() -> None:
    b = with_jobs(run_of(1.3, seed=2), route="eu")
    b = with_conditions(b, routes=(RouteConditions(name="eu", kind="images", owner="openai"),))
    found = compared(run_of(), b, allow=["route"])
    assert ([cell.cell for cell in found.cells], found.verdict) == (["quality=low", "quality=medium"], "worse")
    assert [(one.a, one.b) for one in found.allowed] == [("direct", "eu")]


def test_values_in_common_are_compared_and_others_never_pooled() -> None:
    a, b = run_of(), run_of(1.3, seed=2)
    b.events = [event for event in b.events if event.quality == "low"]
    with pytest.raises(UsageProblem, match="quality: low, medium in A, low in B"):
        compared(a, b)
    assert [cell.a.n for cell in compared(a, b, allow=["quality"]).cells] == [30]
    b.events = [replace(event, quality="high") for event in b.events]
    with pytest.raises(UsageProblem, match="not clear which stands against which"):
        compared(a, b, allow=["quality"])


def test_a_cell_without_a_partner_is_refused_unless_allowed() -> None:
    a, b = run_of(), run_of(seed=2)
    extra: list[JobEvent] = [job(900 + n, quality=q, size=s, block=n, prompt_hash=f"p{n}") for n in range(5)
                             for q, s in (("low", "1536x1024"),)]  # fmt: skip
    more: list[JobEvent] = [job(950 + n, quality="medium", size="1536x1024", block=n, prompt_hash=f"p{n}")
                            for n in range(5)]  # fmt: skip
    a, b = of_events([*a.events, *extra]), of_events([*b.events, *more])
    with pytest.raises(UsageProblem, match="cells: 1 only here"):
        compared(a, b)
    assert len(compared(a, b, allow=["cells"]).cells) == 2


def test_a_name_that_is_no_setting_and_a_metric_that_is_none_are_usage_errors() -> None:
    with pytest.raises(UsageProblem, match="no such setting"):
        compared(run_of(blocks=2), run_of(blocks=2), allow=["colour"])
    with pytest.raises(UsageProblem, match="no metric"):
        compared(run_of(blocks=2), run_of(blocks=2), metric="nonsense_ms")
    with pytest.raises(UsageProblem, match="holds no jobs"):
        compared(Run(conditions()), run_of(blocks=2))


# How it is shown


def test_markdown_is_one_table_with_the_verdict_on_top() -> None:
    lines = markdown(compared(run_of(), run_of(1.3, seed=2))).splitlines()
    assert lines[0] == "### Worse: `final_image_ms`, run B against run A"
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 6  # the head, its rule, and a median and a p90 for each of the two cells
    assert "| p50 |" in table[2]
    assert "| slower |" in table[2]
    assert "| p90 |" in table[3]


def test_names_in_a_table_break_neither_markdown_nor_a_terminal() -> None:
    bad = "a|b<img src=x>\x1b[31m"
    runs = [
        with_conditions(with_jobs(run, route=bad), routes=(RouteConditions(name=bad, kind="images", owner="openai"),))
        for run in (run_of(blocks=4), run_of(seed=2, blocks=4))
    ]
    found = compared(*runs)
    assert "<img" not in markdown(found)
    assert "a\\|b" in markdown(found)
    assert "\x1b" not in text(found) + markdown(found)


@pytest.mark.parametrize(
    ("factor", "blocks", "code", "verdict"),
    [(1.3, 30, 3, "worse"), (0.7, 30, 0, "no_worse"), (1.0, 3, 4, "inconclusive")],
)
def test_the_exit_code_says_what_the_verdict_is(
    harness: Any, tmp_path: Path, factor: float, blocks: int, code: int, verdict: str
) -> None:
    a = run_of(blocks=blocks).write(tmp_path / "a")
    b = run_of(factor, seed=2, blocks=blocks).write(tmp_path / "b")
    done = harness("compare", a, b, "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (code, verdict), done.stderr


def test_incomparable_runs_are_exit_code_2_and_nothing_on_stdout(harness: Any, tmp_path: Path) -> None:
    a = run_of(blocks=3).write(tmp_path / "a")
    b = with_conditions(run_of(blocks=3), concurrency=9).write(tmp_path / "b")
    done = harness("compare", a, b)
    assert (done.returncode, done.stdout) == (2, "")
    assert "concurrency: 3 in A, 9 in B" in done.stderr
    assert harness("compare", a, b, "--allow", "concurrency", "--format", "markdown").returncode == 4
    assert "write 5%" in harness("compare", a, b, "--min-effect", "0.05").stderr


# The tail


def slow_tail(run: Run, factor: float) -> Run:
    """Every fourth job is slower; the median stays where it was."""
    run.events = [
        replace(event, final_image_ms=event.final_image_ms * factor) if event.block % 4 == 0 else event
        for event in run.events
        if event.final_image_ms is not None
    ]
    return run


def test_a_run_whose_tail_alone_is_slower_is_worse_and_says_so() -> None:
    found = compared(run_of(blocks=120), slow_tail(run_of(seed=2, blocks=120), 2.0))
    assert {cell.verdict for cell in found.tails} == {"slower"}
    assert "slower" not in {cell.verdict for cell in found.cells}
    assert found.verdict == "worse"
    assert "the p90 of final_image_ms is slower by more than 5 % in 2 of 2 cells" in found.sentence


def test_medians_and_tails_are_one_family_and_thin_tails_are_in_none() -> None:
    full, thin = compared(run_of(blocks=80), run_of(seed=2, blocks=80)), compared(run_of(), run_of(seed=2))
    assert (full.family, thin.family) == (4, 2)
    assert "Holm over the 4 tests of both" in text(full)
    assert {cell.p_value for cell in thin.tails} == {None}
    assert "The p90 cannot be judged in 2 of 2 cells: too few jobs." in thin.sentence


def test_a_tail_that_was_tested_and_is_not_decided_keeps_the_whole_open() -> None:
    found = compared(run_of(blocks=120, spread=0.03), slow_tail(run_of(seed=2, blocks=120, spread=0.03), 1.05))
    assert {cell.verdict for cell in found.cells} == {"no_difference"}
    assert "inconclusive" in {cell.verdict for cell in found.tails}
    assert found.verdict == "inconclusive"
