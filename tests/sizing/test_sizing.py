"""Planned numbers of images against simulation and against what the report makes of so many."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from harness.cli.plan import command
from harness.conditions import EarlyStop, Hypothesis, HypothesisTest, Objective
from harness.errors import UsageProblem
from harness.report.objectives import judge_all
from harness.scenario.cells import FIELDS
from harness.scenario.estimates import profile_named, spread
from harness.scenario.objectives import parse_objective
from harness.simulator.profiles import Profile
from harness.sizing import needs
from harness.sizing.build import Watched, needs_of
from harness.sizing.model import Asked, Expected, Need, SizedCell, log_sd, quantile_ms, share_below
from harness.sizing.pilots import read_pilots
from harness.stats import proportion, quantile, sample_floor
from harness.stats.sequence import QuantileSequence, decided, narrow
from tests.conftest import ROOT, Harness
from tests.report.build_run import cut_by_nginx, job, of_events
from tests.scenario.build import GOOD, load

ASKED = Asked(repeats=50, concurrency=2, power=0.8, complexity_shares={"simple": 0.5, "complex": 0.5})


def cell(name: str, median_s: float, sd: float = 0.3, jobs: int | None = None, **settings: str) -> SizedCell:
    lying = Expected(median_s * 1000, sd, sd, "test", jobs=jobs)
    base = dict.fromkeys(FIELDS, "null")
    return SizedCell(name, {**base, **settings}, 0.05, median_s, {"final_image_ms": lying})


def of_objective(text: str, *cells: SizedCell) -> Need:
    (need,) = needs_of(cells, ASKED, [parse_objective(text)], [], None, [])
    return need


@pytest.mark.parametrize(("p", "limit"), [(0.5, 1.15), (0.5, 0.9), (0.9, 1.6), (0.9, 1.3)])
def test_so_many_jobs_put_the_interval_on_one_side_of_the_limit_as_often_as_was_asked_for(
    p: float, limit: float
) -> None:
    share = float(stats.norm.cdf(math.log(limit) / 0.3))
    n = needs.jobs_for_limit(p, share, 0.8)
    assert n is not None
    dice = np.random.default_rng(4)
    below = share > p
    decides = 0
    for _ in range(400):
        found = quantile(np.exp(dice.normal(0, 0.3, n)), p)
        decides += (found.high or math.inf) < limit if below else (found.low or 0.0) > limit
    assert decides / 400 >= 0.74
    if n > sample_floor(p):
        assert decides / 400 <= 0.92


def test_never_fewer_than_a_value_is_judged_by() -> None:
    for p in (0.5, 0.9, 0.95):
        assert needs.jobs_for_limit(p, 1.0, 0.8) == sample_floor(p)
    assert of_objective("p90(final_image_ms) < 10min", cell("a", 20)).images_per_cell == 64


def test_a_share_is_decided_by_so_many_jobs() -> None:
    n = needs.jobs_for_share(0.02, 0.1, 0.8)
    assert n is not None
    dice = np.random.default_rng(4)
    highs = [proportion(int(count), n).high or 1.0 for count in dice.binomial(n, 0.02, 400)]
    assert 0.74 <= np.mean(np.array(highs) < 0.1) <= 0.95


def test_an_expected_value_at_its_limit_is_decided_by_no_number() -> None:
    near = of_objective("p50(final_image_ms) < 20400ms", cell("a", 20))
    assert (near.judgement, near.images_per_cell, near.usd) == ("undecidable", None, None)
    assert "no affordable number" in near.why


def test_repeats_are_enough_too_few_or_more_than_needed_and_cost_what_they_cost() -> None:
    few = of_objective("p50(final_image_ms) < 22s", cell("a", 20))
    assert few.judgement == "too_few"
    n = few.images_per_cell
    assert n is not None
    assert n > 50
    assert (few.usd, few.wall_s) == (pytest.approx(n * 0.05), pytest.approx(n * 20 / 2))
    assert of_objective("p50(final_image_ms) < 40s", cell("a", 20)).judgement == "more_than_needed"
    assert of_objective("p50(final_image_ms) < 24s", cell("a", 20, 0.32)).judgement == "enough"


def test_cells_that_an_objective_pools_share_its_images_and_a_class_of_prompts_has_its_blocks() -> None:
    one = of_objective("p50(final_image_ms) < 22s", cell("a", 20))
    two = of_objective("p50(final_image_ms) < 22s", cell("a", 20), cell("b", 20))
    half = of_objective("p50(final_image_ms){complexity=simple} < 22s", cell("a", 20))
    assert one.images_per_cell is not None
    assert two.images_per_cell == math.ceil(one.images_per_cell / 2)
    assert half.images_per_cell == one.images_per_cell * 2


def test_what_cannot_be_planned_says_why() -> None:
    assert "on a clock" in of_objective("error_rate < 1%", cell("a", 20)).why
    assert "a quantile is" in of_objective("max(final_image_ms) < 30s", cell("a", 20)).why
    assert "--from" in of_objective("p50(first_byte_ms) < 30s", cell("a", 20)).why
    assert "no job" in of_objective("p50(final_image_ms){quality=high} < 30s", cell("a", 20)).why


def claim(ratio: float | None = None, **limits: float) -> Hypothesis:
    a = {"quality": ("low",)} if ratio is None else None
    test = HypothesisTest(
        metric="final_image_ms", statistic="p50", measure="ratio", a=a, b={"quality": ("high",)}, unit="ratio", **limits
    )
    return Hypothesis(name="c", claim="c", source="s", threshold="ratio", test=test)


def test_a_comparison_needs_more_images_the_nearer_its_ratio_is_to_the_threshold() -> None:
    cells = [cell("a", 20, quality="low"), cell("b", 30, quality="high")]
    far, near, on = (needs_of(cells, ASKED, [], [claim(at_least=limit)], None, [])[0] for limit in (1.1, 1.35, 1.49))
    assert far.images_per_cell is not None
    assert near.images_per_cell is not None
    assert far.images_per_cell < near.images_per_cell
    assert far.expected == pytest.approx(1.5, rel=1e-6)
    assert far.usd == pytest.approx(far.images_per_cell * 0.1)
    assert on.judgement == "undecidable"


def test_half_of_the_runs_are_stopped_by_the_planned_block() -> None:
    wide = needs.blocks_until_narrow(0.3, 0.2, 0.5, 0.05, 5)
    apart = needs.blocks_until_decided(0.3, 1.5, 0.05, 0.05, 5)
    assert wide is not None
    assert apart is not None
    dice = np.random.default_rng(6)
    early_wide = early_apart = 0
    for _ in range(200):
        one, two = QuantileSequence(0.5, 0.05), QuantileSequence(0.5, 0.05)
        stopped = [False, False]
        for n in range(1, max(wide, apart) + 1):
            time, ratio = math.exp(dice.normal(0, 0.3)), 1.5 * math.exp(dice.normal(0, 0.3 * math.sqrt(2)))
            one.add(time, time)
            two.add(ratio, ratio)
            stopped[0] |= 5 <= n <= wide and narrow(*one.interval(), 0.2)
            stopped[1] |= 5 <= n <= apart and decided(*two.interval(), 0.05) is not None
        early_wide += stopped[0]
        early_apart += stopped[1]
    assert 0.4 <= early_wide / 200 <= 0.95
    assert 0.4 <= early_apart / 200 <= 0.95


def test_rules_that_stop_nothing_in_so_few_blocks_say_so() -> None:
    rules = EarlyStop(confidence=0.95, after_blocks=5, intervals=2)
    watched = [Watched(None, "a", "final_image_ms", 0.5, 0.2), Watched(None, "b", "final_image_ms", 0.5, 0.2)]
    soon, late = needs_of([cell("a", 20, 0.1), cell("b", 20, 0.6)], ASKED, [], [], rules, watched)
    assert (soon.judgement, late.judgement) == ("enough", "too_few")
    assert "before block" in soon.why


@pytest.mark.parametrize("profile", Profile.names())
@pytest.mark.parametrize("size", ["1024x1024", "2048x1152"])
def test_the_planner_expects_what_the_embedded_api_draws(tmp_path: Path, profile: str, size: str) -> None:
    scenario = load(tmp_path, GOOD.replace("1024x1024", size).replace("quality: low", "quality: high"))
    (one,) = scenario.cells()
    found = spread(scenario, one, profile, profile_named(profile))
    assert found is not None
    lying = Expected(
        found.median_s, found.log_sd_below, found.log_sd_above, "", found.least_s or 0.0, found.most_s or math.inf
    )
    dice = random.Random(1)
    drawer = Profile(profile).spread("high", size)
    drawn = np.array([drawer.draw(dice) for _ in range(2000)])
    for p in (0.1, 0.5, 0.9):
        at = float(np.quantile(drawn, p))
        assert lying.share_below(at) == pytest.approx(p, abs=0.04)


def test_the_quantile_of_cells_together_is_that_of_their_jobs_together() -> None:
    lying = [Expected(10_000, 0.2, 0.4, "t"), Expected(30_000, 0.3, 0.3, "t", shift_ms=5000)]
    dice = np.random.default_rng(3)
    z = dice.normal(0, 1, 40_000)
    jobs = np.concatenate([10_000 * np.exp(np.where(z > 0, 0.4, 0.2) * z), 5000 + 30_000 * np.exp(0.3 * z)])
    for p in (0.25, 0.5, 0.9):
        assert quantile_ms(lying, p) == pytest.approx(float(np.quantile(jobs, p)), rel=0.02)
        assert share_below(lying, quantile_ms(lying, p)) == pytest.approx(p, abs=1e-6)
    assert log_sd(lying[:1]) == pytest.approx(0.3, abs=1e-6)


def test_an_earlier_run_is_matched_by_settings_and_its_cut_jobs_stay_cut(tmp_path: Path) -> None:
    dice = random.Random(3)
    times = [20 * math.exp(dice.gauss(0, 0.3)) for _ in range(30)]
    whole = [job(index, seconds=seconds, block=index) for index, seconds in enumerate(times)]
    cut = [cut_by_nginx(100 + index, seconds=60, route="direct", quality="low")[0] for index in range(10)]
    run = of_events([*whole, *cut]).write(tmp_path / "run")
    pilots = read_pilots([run], FIELDS, ["final_image_ms"])
    settings = {name: str(getattr(whole[0], name)).lower().replace("none", "null") for name in FIELDS}
    found = pilots.expected(settings, whole[0].model, "final_image_ms")
    assert found is not None
    assert found.jobs == 40
    # The middle of 40 jobs of which the ten slowest were cut is the 20th, not the 15th of those that came.
    assert found.median_ms == pytest.approx(sorted(times)[19] * 1000, rel=0.05)
    assert found.basis == "40 jobs of run-0302"
    assert pilots.expected({**settings, "route": "edge"}, whole[0].model, "final_image_ms") is None
    assert pilots.expected(settings, "another-model", "final_image_ms") is None
    with pytest.raises(UsageProblem, match=r"no run\.json"):
        read_pilots([tmp_path / "nowhere"], FIELDS, ["final_image_ms"])


def test_the_report_judges_by_value_from_the_planned_number_on() -> None:
    n = of_objective("p90(final_image_ms) < 60s", cell("a", 20)).images_per_cell
    assert n is not None
    dice = random.Random(1)
    events = [job(index, seconds=20 * math.exp(dice.gauss(0, 0.3)), block=index) for index in range(n)]
    from harness.frame import frame_of
    from harness.report.jobs import join_verdicts

    objective = Objective(text="t", metric="final_image_ms", statistic="p90", comparison="<", value=60_000, unit="ms")
    (found,) = judge_all((objective,), join_verdicts(frame_of(events), []))
    assert (found.state, found.value.thin) == ("pass", False)


def test_the_command_says_what_each_question_takes_and_whether_it_has_them(harness: Harness) -> None:
    done = harness("plan", "scenarios/tier-selection.yaml", "--size", "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["size"]
    assert found["repeats"] == 100
    tail = next(need for need in found["needs"] if need["question"].startswith("p95"))
    assert (tail["images_per_cell"], tail["judgement"], tail["cells"]) == (
        130, "too_few", ["direct/high/1024x1024/png"],
    )  # fmt: skip
    assert found["whole"]["repeats"] == 130
    text = CliRunner().invoke(command, [str(ROOT / "scenarios/tier-selection.yaml"), "--size"])
    assert "too few" in " ".join(text.stdout.split())
    assert "130 blocks" in text.stdout


def test_options_of_the_command_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    scenario = str(ROOT / "scenarios/tier-selection.yaml")
    lone = CliRunner().invoke(command, [scenario, "--from", str(tmp_path)])
    assert isinstance(lone.exception, UsageProblem)
    assert "add --size" in str(lone.exception)
    power = CliRunner().invoke(command, [scenario, "--size", "--power", "12%"])
    assert (power.exit_code, "like 80%" in power.output) == (2, True)
