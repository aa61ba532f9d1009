"""The scenarios that come with the project say what they promise to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.drills.plan import make_drill
from harness.plan import make_plan
from harness.policies.read import read_policies
from harness.scenario import load_scenario
from harness.sweeping.model import Rules
from harness.sweeping.search import most_jobs

FOLDER = Path(__file__).parents[1] / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))
every = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)

# quality, size, format, compression, seconds and USD: the tuning article's table of recommended tiers
TIERS = {
    "use-ecommerce-main": ("medium", "1024x1024", "jpeg", 85, 35, 0.053),
    "use-social-post": ("medium", "1024x1536", "jpeg", 85, 40, 0.06),
    "use-article-cover": ("medium", "1536x1024", "webp", 90, 40, 0.06),
    "use-poster-print": ("high", "1024x1536", "png", None, 240, 0.21),
    "use-slide-cover": ("high", "1536x1024", "png", None, 240, 0.21),
    "use-thumbnail": ("low", "1024x1024", "jpeg", 75, 8, 0.006),
    "use-batch-sketches": ("low", "1024x1024", "jpeg", 75, 8, 0.006),
    "use-assistant": ("low", "1024x1024", "webp", 85, 10, 0.006),
}


def test_all_of_them_are_here() -> None:
    assert {file.stem for file in FILES} == {
        "all-routes",
        "demo",
        "drill",
        "ping",
        "published-claims",
        "sweep",
        "tier-selection",
        "timing-audit",
        *TIERS,
    }


@every
def test_a_scenario_loads_without_any_environment_and_is_named_like_its_file(file: Path) -> None:
    assert load_scenario(file, env={}, check_env=False).name == file.stem


@every
def test_a_scenario_points_editors_to_the_schema(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=./scenario.schema.json"


@every
def test_a_scenario_fits_its_own_budget_and_the_budget_is_not_far_above_it(file: Path) -> None:
    scenario = load_scenario(file, env={}, check_env=False)
    if file.stem == "sweep":  # of its one cell a sweep sends as many as its search takes
        jobs, _ = most_jobs(Rules())
        scenario = scenario.model_copy(update={"repeats": jobs})
    plan = make_plan(scenario)
    assert plan.budget_usd is not None
    assert plan.budget_jobs is not None
    assert plan.cost_usd is not None
    assert plan.over_budget() is None
    most_usd = plan.cost_usd
    if file.stem == "drill":  # its jobs are sent under each policy, and again as the policy says
        drill = make_drill(scenario, plan, read_policies(FOLDER / "policies" / "drill.yaml"))
        assert drill.most_usd is not None
        assert drill.most_usd <= plan.budget_usd
        most_usd = drill.most_usd
    assert plan.budget_usd <= max(1.5 * most_usd, 0.1)


@every
def test_a_scenario_has_objectives(file: Path) -> None:
    assert load_scenario(file, env={}, check_env=False).objective_conditions()


@pytest.mark.parametrize("name", TIERS)
def test_a_recommended_tier_is_tested_as_the_article_has_it(name: str) -> None:
    quality, size, output_format, compression, seconds, usd = TIERS[name]
    scenario = load_scenario(FOLDER / f"{name}.yaml", check_env=False)
    (cell,) = scenario.cells()
    shape = (cell.quality, cell.size, cell.output_format, cell.output_compression)
    assert shape == (quality, size, output_format, compression)
    limits = {objective.metric: objective.value for objective in scenario.objective_conditions()}
    assert limits["final_image_ms"] == seconds * 1000
    assert usd <= limits["cost_usd"] <= usd * 1.1  # the claim is rounded


def test_tier_selection_makes_a_hundred_images_of_each_quality() -> None:
    plan = make_plan(load_scenario(FOLDER / "tier-selection.yaml", check_env=False))
    assert [(cell.cell.quality, plan.blocks) for cell in plan.cells] == [("low", 100), ("medium", 100), ("high", 100)]
    assert plan.cost_usd == pytest.approx(26.93, abs=0.06)
    assert {job.prompt.complexity for job in plan.jobs} == {"simple", "medium", "complex"}


def test_the_demo_needs_no_key_no_network_and_less_than_half_a_minute() -> None:
    scenario = load_scenario(FOLDER / "demo.yaml", env={})
    plan = make_plan(scenario)
    assert scenario.simulated
    assert plan.real_wall_s is not None
    assert plan.real_wall_s < 30
    assert [cell.cell.id for cell in plan.cells if cell.cut_by] == ["edge/high/1024x1024/png"]


def test_the_timing_audit_compares_every_route_streaming_and_not() -> None:
    cells = load_scenario(FOLDER / "timing-audit.yaml", check_env=False).cells()
    assert {(cell.route, cell.stream) for cell in cells} == {
        (route, stream) for route in ("direct", "gateway", "edge") for stream in (False, True)
    }
