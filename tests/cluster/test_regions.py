"""Regions of workers, and the plan that each of them measures whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.cluster.regions import choose, parts_of, region_of, spread
from harness.errors import UsageProblem
from harness.plan import make_plan
from harness.scenario import load_scenario
from tests.conftest import ROOT

PLAN = make_plan(load_scenario(ROOT / "scenarios" / "demo.yaml", check_env=False))


def test_a_region_is_a_resource_and_what_is_none_is_said() -> None:
    assert region_of({"region-eu": 1, "GPU": 2}) == "eu"
    assert region_of({}) is None
    assert region_of({"region-eu": 0}) is None
    with pytest.raises(UsageProblem, match="in 2 regions \\(eu, us\\)"):
        region_of({"region-eu": 1, "region-us": 1})
    with pytest.raises(UsageProblem, match="is no region"):
        region_of({"region-Frankfurt am Main": 1})


def test_every_region_that_is_there_measures_unless_some_are_named() -> None:
    assert choose(["us", None, "eu", "us"], ()) == ("eu", "us")
    assert choose(["us", "eu"], ("us",)) == ("us",)
    assert choose([None, None], ()) == ()
    with pytest.raises(UsageProblem, match="--region asia: no worker is there; the workers name eu"):
        choose(["eu", None], ("asia",))


def test_a_spread_plan_holds_each_job_once_a_region_and_costs_as_much() -> None:
    wide = spread(PLAN, ("eu", "us"))
    assert len(wide.jobs) == 2 * len(PLAN.jobs) == len({job.job_id for job in wide.jobs})
    assert Counter(parts_of(job) for job in wide.jobs) == {
        (job.job_id, region): 1 for job in PLAN.jobs for region in ("eu", "us")
    }
    assert len(wide.cells) == 2 * len(PLAN.cells) == len({one.cell.id for one in wide.cells})
    assert PLAN.cost_upper_usd is not None
    assert wide.cost_upper_usd == pytest.approx(2 * PLAN.cost_upper_usd)
    # Blocks stay together, each cell once in each of them, and the regions take turns in no fixed order.
    blocks = [job.block for job in wide.jobs]
    assert blocks == sorted(blocks)
    for block in set(blocks):
        jobs = [job for job in wide.jobs if job.block == block]
        assert [job.position for job in jobs] == list(range(1, len(jobs) + 1))
        assert len({job.cell.id for job in jobs}) == len(jobs)
        assert len({job.prompt.text for job in jobs}) == 1
    first = [next(parts_of(job)[1] for job in wide.jobs if job.block == block) for block in set(blocks)]
    assert set(first) == {"eu", "us"}


def test_one_region_or_none_measures_the_plan_as_it_is() -> None:
    assert spread(PLAN, ()) is PLAN
    assert spread(PLAN, ("eu",)) is PLAN
    assert {parts_of(job) for job in PLAN.jobs} == {(job.job_id, None) for job in PLAN.jobs}


def test_a_budget_that_covers_one_region_does_not_cover_two(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nwhy: Budget.\nprompts: [apple]\ndefaults: {quality: low, size: 1024x1024}\nrepeats: 3\n"
        "routes: {one: {base_url: 'simulator://', owner: simulator}}\nbudget: {jobs: 3}\n"
    )
    plan = make_plan(load_scenario(path))
    assert plan.over_budget() is None
    assert "6 jobs are planned and the budget is 3" in str(spread(plan, ("eu", "us")).over_budget())
