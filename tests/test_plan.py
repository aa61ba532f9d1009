from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.plan import Plan, make_plan
from harness.scenario import Scenario, estimates, load_scenario

BASE = """\
name: small
why: Does the planner plan?
prompts: [a lemon, {text: a bridge at night, complexity: medium}, a city]
routes:
  direct: {base_url: "simulator://", owner: openai}
  edge:
    base_url: simulator://edge
    owner: client_infrastructure
    chain:
      - {layer: cdn, kind: first_byte, cap_s: 100}
      - {layer: proxy, kind: idle, cap_s: 60, setting: proxy_read_timeout}
simulator: {time_scale: 20, layers: {edge: {adds_s: 10}}}
matrix: {route: [direct, edge], quality: [low, high], partial_images: [null, 2]}
defaults: {size: 1024x1024}
repeats: 7
seed: 3
load: {concurrency: 2}
"""


def scenario(folder: Path, text: str = BASE) -> Scenario:
    file = folder / "s.yaml"
    file.write_text(text)
    return load_scenario(file, env={})


PROFILES = """\
profiles:
  tuning-article:
    latency_s:
      low: {1024x1024: {median: 5, basis: published}}
      high: {1024x1024: {median: 195, basis: published}, 1536x1024: {median: 240, basis: derived}}
    scale: {min: 0.7, max: 3.0}
    n_factor: [0.7, 0.9]
    first_partial_s: {median: 9}
    first_partial_max_share: 0.35
  slow:
    latency_s: {high: {1024x1024: {median: 300, basis: assumed}}}
    scale: {min: 1, max: 1}
    n_factor: [1, 1]
    first_partial_s: {median: 9}
    first_partial_max_share: 0.35
"""


@pytest.fixture(autouse=True)
def _own_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "profiles.yaml"
    file.write_text(PROFILES)
    monkeypatch.setattr(estimates, "PROFILES_FILE", file)
    estimates.profiles.cache_clear()
    yield
    estimates.profiles.cache_clear()


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(scenario(tmp_path))


def test_every_cell_runs_exactly_once_a_block(plan: Plan) -> None:
    assert len(plan.jobs) == 7 * 8
    counts = Counter((job.block, job.cell.id) for job in plan.jobs)
    assert set(counts.values()) == {1}
    assert len(counts) == 56
    assert [job.position for job in plan.jobs[:8]] == list(range(1, 9))


def test_blocks_are_shuffled_and_each_in_its_own_way(plan: Plan) -> None:
    orders = {tuple(job.cell.id for job in plan.jobs if job.block == block) for block in range(1, 8)}
    assert len(orders) == 7


def test_all_cells_of_a_block_use_the_same_prompt_and_prompts_take_turns(plan: Plan) -> None:
    by_block = {block: {job.prompt_index for job in plan.jobs if job.block == block} for block in range(1, 8)}
    assert list(by_block.values()) == [{0}, {1}, {2}, {0}, {1}, {2}, {0}]
    assert plan.jobs[8].prompt.text == "a bridge at night"


def test_the_same_file_gives_the_same_plan_and_ids_that_a_resumed_run_knows_again(tmp_path: Path, plan: Plan) -> None:
    assert make_plan(scenario(tmp_path)).to_json() == plan.to_json()
    ids = [job.job_id for job in plan.jobs]
    assert len(set(ids)) == len(ids)
    assert ids[0].startswith("b001-p001-")
    assert ids[-1].startswith("b007-p008-")


def test_the_order_is_the_same_on_every_python(plan: Plan) -> None:
    assert [job.cell.id for job in plan.jobs[:3]] == FIRST_THREE


FIRST_THREE = ["edge/low/1024x1024/stream-p2", "direct/low/1024x1024/stream-p2", "direct/low/1024x1024"]


def test_another_seed_gives_another_order_and_another_file_other_ids(tmp_path: Path, plan: Plan) -> None:
    other = make_plan(scenario(tmp_path, BASE.replace("seed: 3", "seed: 4")))
    assert [job.cell.id for job in other.jobs] != [job.cell.id for job in plan.jobs]
    assert not {job.job_id for job in other.jobs} & {job.job_id for job in plan.jobs}


def test_cells_are_estimated_by_the_profile_and_the_layers_declared_delay(plan: Plan) -> None:
    seconds = {cell.cell.id: cell.median_s for cell in plan.cells}
    assert seconds["direct/low/1024x1024"] == pytest.approx(5.0)
    assert seconds["direct/high/1024x1024"] == pytest.approx(195.0)
    assert seconds["edge/high/1024x1024"] == pytest.approx(205.0)


def test_the_lowest_cap_that_applies_is_named(plan: Plan) -> None:
    cuts = {cell.cell.id: cell.cut_by for cell in plan.cells if cell.cut_by}
    assert cuts == {
        "edge/high/1024x1024": "proxy proxy_read_timeout 60 s",
        # two previews leave gaps of (195 - 9) / 2 = 93 s, and an idle cap counts gaps
        "edge/high/1024x1024/stream-p2": "proxy proxy_read_timeout 60 s",
    }
    assert plan.warnings[0].startswith("edge/high/1024x1024: proxy proxy_read_timeout 60 s will cut it")


def test_a_stream_with_previews_outlives_an_idle_cap_longer_than_its_gaps(tmp_path: Path) -> None:
    cells = make_plan(scenario(tmp_path, BASE.replace("cap_s: 60", "cap_s: 95"))).cells
    assert [cell.cell.id for cell in cells if cell.cut_by] == ["edge/high/1024x1024"]


def test_our_own_timeouts_cut_too(tmp_path: Path) -> None:
    cells = make_plan(scenario(tmp_path, BASE + "timeouts: {total: 30}\n")).cells
    cuts = {cell.cell.id: cell.cut_by for cell in cells if cell.cut_by}
    assert len(cuts) == 4
    assert set(cuts.values()) == {"our own timeouts.total 30 s"}


PATIENCE = """\
name: patience
why: Who gives up by himself?
prompts: [a lemon]
routes:
  web: {kind: browser, base_url: "simulator://", owner: client_infrastructure, browser: {abort: 120s}}
  task:
    kind: task
    base_url: simulator://fal
    owner: task_provider
    task: {preset: fal, poll: {give_up_after: 100s}}
    chain: [{layer: edge, kind: idle, cap_s: 30}, {layer: worker, kind: total, cap_s: 60}]
simulator: {time_scale: 20, layers: {fal: {speaks: fal}}}
matrix: {route: [web, task], quality: [high]}
defaults: {size: 1024x1024}
timeouts: {first_byte: 150s, idle: 150s}
"""


def test_the_pages_abort_and_the_end_of_polling_cut_and_no_cap_on_the_way_of_polls_does(tmp_path: Path) -> None:
    cuts = {cell.cell.route: cell.cut_by for cell in make_plan(scenario(tmp_path, PATIENCE)).cells}
    assert cuts == {"web": "the page's own browser.abort 120 s", "task": "our own task.poll.give_up_after 100 s"}
    patient = PATIENCE.replace("100s", "400s").replace("120s", "400s").replace(", idle: 150s", ", total: 180s")
    cuts = {cell.cell.route: cell.cut_by for cell in make_plan(scenario(tmp_path, patient)).cells}
    assert cuts == {"web": "our own timeouts.first_byte 150 s", "task": "our own timeouts.total 180 s"}


def test_a_text_model_that_is_billed_beside_the_images_is_said(tmp_path: Path) -> None:
    real = """\
name: real
why: What does it cost?
prompts: [a lemon]
routes: {talk: {kind: responses, base_url: "http://127.0.0.1:9/v1", owner: openai, responses: {text_model: m}}}
matrix: {route: [talk], quality: [low]}
defaults: {size: 1024x1024}
"""
    said = "price: route talk is billed for its text model as well, whose tokens are not in these figures"
    assert said in make_plan(scenario(tmp_path, real)).warnings


def test_wall_time_shares_the_work_over_the_concurrency_and_a_scaled_world_is_shorter(plan: Plan) -> None:
    one_block = 2 * 5.0 + 2 * 195.0 + 2 * 15.0 + 2 * 60.0
    assert plan.wall_s == pytest.approx(one_block * 7 / 2)
    assert plan.real_wall_s == pytest.approx(one_block * 7 / 2 / 20)


def test_one_long_job_is_the_least_that_a_run_takes(tmp_path: Path) -> None:
    text = BASE.replace("concurrency: 2", "concurrency: 256").replace("repeats: 7", "repeats: 1")
    assert make_plan(scenario(tmp_path, text)).wall_s == pytest.approx(195.0)


def test_cost_is_the_sum_of_all_jobs(plan: Plan) -> None:
    images = 7 * 2 * (2 * 196 + 200 + 2 * 7024 + 200) * 30e-6
    assert plan.cost_usd == pytest.approx(images, rel=0.01)
    assert plan.cost_usd == pytest.approx(sum(job.estimate_usd or 0 for job in plan.jobs))


def test_a_budget_that_does_not_hold_says_by_how_much(tmp_path: Path) -> None:
    assert make_plan(scenario(tmp_path)).over_budget() is None
    assert make_plan(scenario(tmp_path, BASE + "budget: {usd: 10, jobs: 56}\n")).over_budget() is None
    dear = make_plan(scenario(tmp_path, BASE + "budget: {usd: 1}\n")).over_budget()
    assert dear is not None
    assert dear.startswith("the run would cost 6.2")
    many = make_plan(scenario(tmp_path, BASE + "budget: {jobs: 55}\n")).over_budget()
    assert many is not None
    assert many.startswith("56 jobs are planned and the budget is 55")


def test_what_the_api_decides_is_not_invented_and_its_bound_has_to_fit_the_budget(tmp_path: Path) -> None:
    text = BASE.replace("quality: [low, high]", "quality: [auto]") + "budget: {usd: 5}\n"
    plan = make_plan(scenario(tmp_path, text))
    assert plan.cost_usd is None
    assert plan.wall_s is None
    assert plan.cells[0].median_s is None
    assert "time: the API chooses quality or size, so the time is not known beforehand" in plan.warnings
    assert "price: the API chooses quality" in plan.warnings
    over = plan.over_budget()
    assert over is not None
    assert over.startswith("the run would cost up to ")
    assert plan.rows()[0][2:5] == ("?", "≤ 0.211", "≤ 1.475")


def test_a_model_without_a_price_cannot_keep_a_budget_in_usd(tmp_path: Path) -> None:
    plan = make_plan(scenario(tmp_path, BASE + "model: my-deployment\nbudget: {usd: 5}\n"))
    assert (
        plan.over_budget()
        == "the price of my-deployment is not known for every cell, so the budget in USD cannot be kept"
    )


def test_sizes_that_a_profile_does_not_list_are_scaled_by_its_rule_and_say_so(tmp_path: Path) -> None:
    text = BASE.replace("size: 1024x1024", "size: 2048x2048")
    plan = make_plan(scenario(tmp_path, text))
    assert (plan.cells[0].median_s, plan.cells[0].time_basis) == (5 * 3.0, "scaled")
    assert "size 2048x2048 is above 2560x1440, which OpenAI calls experimental" in plan.warnings
    listed = make_plan(scenario(tmp_path, BASE.replace("size: 1024x1024", "size: 1536x1024")))
    assert {(cell.median_s, cell.time_basis) for cell in listed.cells if cell.cell.route == "direct"} == {
        (5 * 1.5, "scaled"),
        (240.0, "derived"),
    }


def test_several_images_in_one_call_take_less_than_as_many_calls(tmp_path: Path) -> None:
    text = BASE.replace("defaults: {", "defaults: {n: 4, ")
    assert make_plan(scenario(tmp_path, text)).cells[0].median_s == pytest.approx(5 * 4 * 0.8)


def test_another_profile_can_be_asked_for_and_must_exist(tmp_path: Path) -> None:
    slower = make_plan(scenario(tmp_path), profile="slow")
    seconds = {cell.cell.id: (cell.median_s, cell.time_basis) for cell in slower.cells}
    assert seconds["direct/high/1024x1024"] == (300.0, "assumed")
    assert seconds["direct/low/1024x1024"] == (None, None)
    assert "time: profile slow has no figure for low 1024x1024" in slower.warnings
    assert slower.wall_s is None
    with pytest.raises(UsageProblem, match="write tuning-article"):
        make_plan(scenario(tmp_path), profile="tunning-article")


def test_the_plan_is_plain_data_without_prompts_or_addresses(plan: Plan) -> None:
    text = json.dumps(plan.to_json(), allow_nan=False)
    assert "a bridge" not in text
    assert "://" not in text
    assert json.loads(text)["planned_jobs"] == 56


def test_rows_have_a_text_for_every_column(plan: Plan) -> None:
    assert {len(row) for row in plan.rows()} == {len(plan.COLUMNS)}
    assert plan.rows()[0] == ("direct/low/1024x1024", "7", "5", "0.006", "0.041", "")
