"""`harness recommend`, the report's section, and several runs side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.compare.candidates import recommend_runs
from harness.diagnosis.model import DIAGNOSIS_FILE
from harness.errors import UsageProblem
from harness.report import read_summary, write_report
from harness.report.recommendation_text import printed
from harness.report.text import render
from tests.conftest import Harness
from tests.report.build_run import Run

from .worlds import CAUSES, Shape, tiers, world

EMBEDDED = """
name: shop
why: Does the article's tier hold?
prompts: [A white teapot]
routes: {{direct: {{base_url: "simulator://", owner: simulator, direct: true}}}}
simulator: {{seed: 3, time_scale: {scale}, profile: {profile}}}
defaults: {{quality: medium, size: 1024x1024, output_format: jpeg, output_compression: 85}}
repeats: {repeats}
load: {{concurrency: 8}}
"""


def test_the_verb_prints_text_and_markdown_and_ends_with_0(tmp_path: Path, harness: Harness) -> None:
    run = world(tiers()).write(tmp_path / "run")
    text = harness("recommend", run, "--volume", "300/day")
    assert text.returncode == 0, text.stderr
    assert "Use medium · 1024×1024 · png on direct." in text.stdout
    assert "9 131 images a month" in text.stdout
    assert printed(recommend_runs([run]), plain=False).startswith("## Recommendation")


def test_nothing_recommended_is_inconclusive_and_json_says_it_all(tmp_path: Path, harness: Harness) -> None:
    run = world(tiers(), blocks=7).write(tmp_path / "run")
    done = harness("recommend", run, "--format", "json")
    assert done.returncode == 4
    assert "nothing is recommended" in done.stderr
    found = json.loads(done.stdout)
    assert {use["state"] for use in found["uses"]} == {"not_shown", "not_measured"}


def test_the_embedded_api_refutes_the_tier_in_the_world_that_contradicts_it(tmp_path: Path, harness: Harness) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text(EMBEDDED.format(scale=100, profile=CAUSES, repeats=16))
    assert harness("run", scenario, "--out", tmp_path / "run", "--quiet").returncode == 0
    done = harness("recommend", tmp_path / "run")
    assert done.returncode == 4
    assert "Main image or banner of a shop: refuted" in done.stdout
    assert "published: medium · 1024×1024 · jpeg 85, 25 to 35 s" in done.stdout


def written(run: Run, directory: Path, run_id: str) -> Path:
    named = Run(replace(run.conditions, run_id=run_id), run.events, run.verdicts)
    return named.write(directory / run_id)


def test_cells_of_several_runs_stand_side_by_side_under_their_runs_names(tmp_path: Path) -> None:
    a = written(world([Shape()]), tmp_path, "one")
    b = written(world([Shape(slower=0.5)], seed=2), tmp_path, "two")
    found = recommend_runs([a, b])
    assert [point.label for point in found.front if point.beaten_by is None] == [
        "medium · 1024×1024 · png on direct, two"
    ]
    assert "interleaved" in found.notes[-1]
    (use,) = [use for use in found.uses if use.use == "ecommerce-main"]
    assert use.best is not None
    assert use.best.label.endswith("two")
    assert use.stability is not None


def test_runs_of_different_worlds_or_prompts_are_refused(tmp_path: Path) -> None:
    a = written(world([Shape()], blocks=3), tmp_path, "one")
    other = world([Shape()], blocks=3, time_scale=50.0, simulated=True)
    b = written(other, tmp_path, "two")
    with pytest.raises(UsageProblem, match="time_scale"):
        recommend_runs([a, b])
    prompts = world([Shape()], blocks=3)
    c = written(Run(prompts.conditions, [replace(e, prompt_hash="zz") for e in prompts.events]), tmp_path, "three")
    with pytest.raises(UsageProblem, match="--allow prompts"):
        recommend_runs([a, c])
    assert recommend_runs([a, c], allow=["prompts"]).notes
    with pytest.raises(UsageProblem, match="twice"):
        recommend_runs([a, a])


def test_the_report_has_the_section_where_there_is_something_to_say(tmp_path: Path) -> None:
    paths = write_report(world(tiers()).write(tmp_path / "tiers"))
    page = paths.html.read_text(encoding="utf-8")
    assert '<section id="recommendation"' in page
    assert "pareto-wide-title" in page
    assert "pareto-narrow-title" in page
    assert "a claim of the parameter-tuning article" in page
    text = render(read_summary(paths.summary))
    assert "## Recommendation" in text
    alone = write_report(world([Shape(size="2048x1152")], blocks=8).write(tmp_path / "alone"))
    assert 'id="recommendation"' not in alone.html.read_text(encoding="utf-8")


def test_the_front_stands_alone_where_no_use_has_a_cell(tmp_path: Path) -> None:
    paths = write_report(world(tiers(size="2048x1152"), blocks=7).write(tmp_path / "run"))
    page = paths.html.read_text(encoding="utf-8")
    assert "what follows is the front alone" in page
    assert "pareto-wide-title" in page
    assert (tmp_path / "run" / DIAGNOSIS_FILE).exists()
