"""The notebooks run from top to bottom, through the public API alone, and find what the embedded API's own log says."""

from __future__ import annotations

import ast
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from msgspec.structs import replace

import harness
from harness.conditions import LayerCap, RouteConditions
from harness.events import ApiError, JobEvent
from tests.notebooks.execute import FOLDER, FOUND
from tests.report.build_run import Run, conditions, cut_by_nginx, job
from tests.report.demo_run import demo

ROOT = FOLDER.parent
SAMPLE = ROOT / "reports" / "sample"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
ON_TIME_S = 3.0  # of the simulated world, 60 ms of ours: what a stamp in the sample may be late

Found = dict[str, dict[str, Any]]


def execute(folder: Path, *args: object, **env: str) -> Any:
    # Nothing of the reader's own Jupyter or IPython settings takes part, and nothing of ours is left with them.
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.notebooks.execute", *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=240,
        check=False,
        env={
            **{key: value for key, value in os.environ.items() if key not in ("HARNESS_RUN", "PYTHONWARNINGS")},
            **own,
            "IPYTHONDIR": str(folder / "ipython"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "PYTHONPATH": str(ROOT),
            **env,
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """All three, as a reader runs them: in kernels, on the run that they take when nobody names one."""
    found: Found = execute(tmp_path_factory.mktemp("jupyter"), "kernel", "-")
    return found


@pytest.fixture(scope="session")
def truth() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SAMPLE / "backend.jsonl").read_text().splitlines()]


def middle(values: list[float]) -> float:
    return sorted(values)[math.ceil(len(values) / 2) - 1]


def test_there_is_a_notebook_for_each_use() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(FOUND)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_without_a_trace_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert dict(notebook.metadata.language_info) == {"name": "python"}
    ids = [cell.id for cell in notebook.cells]
    prefix = ids[0].partition("-")[0]
    assert ids == [f"{prefix}-{number:02}" for number in range(1, len(ids) + 1)]
    for cell in notebook.cells:
        assert dict(cell.metadata) == {}
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)
    assert not [word for word in ("/home", "/root", "/tmp", "/Users", "C:\\", "file:") if word in text]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_uses_public_names_alone(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                assert not [one.name for one in node.names if one.name.startswith("harness.")]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "harness":
                assert node.module == "harness"
                assert {one.name for one in node.names} <= set(harness.__all__)
            elif isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_"), node.attr
                if isinstance(node.value, ast.Name) and node.value.id == "harness":
                    assert node.attr in harness.__all__


def test_in_a_kernel_they_draw_their_pictures_and_nothing_is_said_on_stderr(sample: Found) -> None:
    assert {name: (one["figures"], one["errors"]) for name, one in sample.items()} == dict.fromkeys(FOUND, (1, []))


def test_tier_selection_finds_the_medians_that_the_backend_had(sample: Found, truth: list[dict[str, Any]]) -> None:
    compared = 0
    for cell in sample["tier-selection"]["cells"]:
        names = ("quality", "size", "output_format", "stream")
        own = [
            one["latency_s"] + (45 if cell["route"] == "gateway" else 0)
            for one in truth
            if one["entry"] == cell["route"] and one["status"] == 200 and all(one[name] == cell[name] for name in names)
        ]
        if cell["cut"]:
            assert cell["final_image_p50_ms"] is None
            assert cell["final_image_p50_beyond_ms"] >= 60_000
            continue
        assert len(own) == cell["completed"]
        assert middle(own) <= cell["final_image_p50_ms"] / 1000 + 0.05 <= middle(own) + ON_TIME_S
        compared += 1
    assert compared == 18


def test_tier_selection_takes_the_highest_quality_that_is_in_time_and_no_cell_that_fails(sample: Found) -> None:
    found = sample["tier-selection"]
    quality = {cell["cell"]: cell["quality"] for cell in found["cells"]}
    assert [quality[cell] for cell in found["chosen"].values()] == ["low", "medium", "high"]
    for use, cells in found["states"].items():
        assert cells[found["chosen"][use]] == "meets"
        assert cells["edge/high/1024x1024/png"] == "fails"
        # Half of them are refused: fast ones that came do not make up for it.
        assert {state for cell, state in cells.items() if cell.startswith("tier1/")} <= {"fails", "not shown"}


def test_tier_selection_shows_what_quality_costs_and_not_what_few_jobs_cannot(sample: Found) -> None:
    effects = sample["tier-selection"]["effects"]
    assert {one["verdict"] for one in effects if one["choice"] == "quality"} == {"slower"}
    assert {one["verdict"] for one in effects if one["choice"] == "output_format"} == {"inconclusive"}


def test_timing_audit_names_the_layer_that_gave_up_on_the_very_jobs(sample: Found, truth: list[dict[str, Any]]) -> None:
    found = sample["timing-audit"]
    cut = [one for one in truth if one["cap_fired_ns"] is not None]
    assert cut
    assert found["cut_ids"] == sorted(one["client_request_id"] for one in cut)
    (row,) = found["gave_up"]
    assert (row["route"], row["verdict_layer"], row["verdict_cap_s"]) == ("edge", "edge", 60)
    assert row["verdict_grade"] == "proven"
    assert row["jobs"] == len(cut)
    assert row["made_anyway"] == sum(one["finished"] for one in cut)


def test_timing_audit_finds_the_gateways_45_s_and_no_gap_where_there_is_none(sample: Found) -> None:
    found = sample["timing-audit"]
    verdicts = {(one["route"], one["quality"]): one["verdict"] for one in found["gaps"]}
    assert {verdicts["gateway", quality] for quality in ("low", "medium", "high")} == {"slower"}
    assert {verdict for (route, _), verdict in verdicts.items() if route != "gateway"} == {"inconclusive"}
    for one in found["outside"]:
        added = 45 if one["route"] == "gateway" else 0
        assert added <= one["outside_s"] <= added + ON_TIME_S


def test_timing_audit_tells_each_route_what_happened_to_it(sample: Found, truth: list[dict[str, Any]]) -> None:
    refused = sum(one["status_sent"] == 429 for one in truth)
    told = dict(zip(("direct", "edge", "gateway", "tier1"), sample["timing-audit"]["answer"], strict=True))
    assert all(line.startswith(f"- **{route}**") for route, line in told.items())
    assert "nothing is wrong" in told["direct"]
    assert "false timeout: `edge`" in told["edge"]
    assert "slower than direct" in told["gateway"]
    assert f"{refused} refused with 429" in told["tier1"]


def test_timeout_budget_says_what_a_cap_would_have_cut(sample: Found, truth: list[dict[str, Any]]) -> None:
    for name, shares in sample["timeout-budget"]["cut_by"].items():
        quality, stream = name.split()[0], name.endswith("stream")
        own = [
            one["latency_s"]
            for one in truth
            if one["entry"] == "direct" and one["quality"] == quality and one["stream"] == stream
        ]
        assert len(own) == 12
        for cap_s, share in shares.items():
            least, most = (sum(one + late > int(cap_s) for one in own) / len(own) for late in (0, ON_TIME_S))
            assert least <= share + 1e-9 <= most + 2e-9


def test_timeout_budget_widens_the_cap_that_cuts_and_no_other(sample: Found, truth: list[dict[str, Any]]) -> None:
    budget = sample["timeout-budget"]["budget"]
    slowest = max(one["latency_s"] for one in truth if one["entry"] == "direct" and not one["stream"])
    (widened,) = [one for one in budget if one["action"] != "keep"]
    assert (widened["layer"], widened["action"], widened["now_s"]) == ("edge", "widen", 60)
    assert 1.25 * slowest <= widened["proposed_s"] <= 1.25 * (slowest + ON_TIME_S) + 30
    # The diagnosis, which knows nothing of notebooks, proposes the same.
    decision = json.loads((SAMPLE / "diagnosis.json").read_text())["decision"]
    assert (decision["layer"], decision["to_s"]) == (widened["layer"], widened["proposed_s"])
    assert (widened["cuts_now"], widened["preliminary"]) == (1, True)
    assert all(one["proposed_s"] > widened["proposed_s"] for one in budget if one["layer"] == "client")


CHAIN = (LayerCap(layer="edge-nginx", product="nginx", kind="first_byte", cap_s=60, setting="proxy_read_timeout"),)


def no_success() -> Run:
    """One route on which everything is cut, and one on which everything is refused."""
    routes = (
        RouteConditions(name="direct", kind="images", owner="openai", direct=True),
        RouteConditions(name="edge", kind="images", owner="reverse", chain=CHAIN),
    )
    cut = [cut_by_nginx(10 + number, block=number) for number in range(6)]
    refusal = ApiError(type="requests", code="rate_limit_exceeded")
    refused = [
        job(number, seconds=0.2, outcome="error", status=429, error=refusal, block=number, cost_basis="not_billed")
        for number in range(6)
    ]
    run = Run(conditions(routes=routes, blocks=6, planned_jobs=12), [*refused, *(event for event, _ in cut)])
    run.verdicts = [verdict for _, verdict in cut]
    return run


def with_last_bytes(run: Run) -> Run:
    """Synthetic jobs know no last byte; what a cap on the whole call waits for ends there."""

    def ended(event: JobEvent) -> JobEvent:
        last = event.attempts[-1]
        marks = replace(last.marks, last_byte_at_ms=last.marks.body_end_at_ms)
        return replace(event, attempts=(*event.attempts[:-1], replace(last, marks=marks)))

    run.events = [ended(event) for event in run.events]
    return run


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    folder = tmp_path_factory.mktemp("others")
    runs = {"no_success": no_success(), "no_jobs": Run(no_success().conditions), "demo": with_last_bytes(demo())}
    paths = [run.write(folder / name) for name, run in runs.items()]
    alone = shutil.copy(SAMPLE / "events.jsonl", folder / "alone.jsonl")
    found = execute(folder, "plain", *paths, alone, MPLBACKEND="agg")
    return dict(zip((*runs, "journal"), found, strict=True))


def test_on_a_run_without_a_single_success_they_say_that_nothing_can_be_told(others: dict[str, Found]) -> None:
    found = others["no_success"]
    assert set(found["tier-selection"]["chosen"].values()) == {None}
    assert all("no cell of this run is shown to meet it" in line for line in found["tier-selection"]["answer"])
    assert "not estimable" in found["tier-selection"]["printed"]
    assert "0 of 6 jobs brought their image" in found["timing-audit"]["answer"][0]
    assert {one["action"] for one in found["timeout-budget"]["budget"] if one["layer"] != "client"} == {"not estimable"}
    assert all("not estimable" in line for line in found["timeout-budget"]["answer"])


def test_on_a_run_that_ended_before_its_first_job_they_say_nothing_and_do_not_fail(others: dict[str, Found]) -> None:
    found = others["no_jobs"]
    assert set(found["tier-selection"]["chosen"].values()) == {None}
    assert found["timing-audit"]["gave_up"] == []
    assert {one["action"] for one in found["timeout-budget"]["budget"]} <= {"not estimable"}


def test_of_a_journal_alone_they_say_what_cannot_be_known_without_its_run(others: dict[str, Found]) -> None:
    found = others["journal"]
    told = {line.split("**")[1]: line for line in found["timing-audit"]["answer"]}
    assert "not compared: the direct route is not known" in told["gateway"]
    assert "false timeout: `nginx`" in told["edge"]
    assert "attributed" in told["edge"]  # without the backend's record it is not proven
    assert found["timeout-budget"]["budget"] == []
    assert found["timeout-budget"]["answer"] == ["- no layer with a cap is declared: nothing to budget."]


def test_an_inner_cap_that_outlives_the_one_around_it_is_lowered_under_it(others: dict[str, Found]) -> None:
    caps = {(one["route"], one["layer"]): one for one in others["demo"]["timeout-budget"]["budget"]}
    # Our own timeout and the SDK's are both at 600 s: the SDK's lies inside.
    assert (caps["direct", "sdk"]["action"], caps["direct", "sdk"]["proposed_s"]) == ("narrow", 590)
    assert caps["direct", "client"]["action"] == "keep"
    assert caps["edge", "edge-nginx"]["action"] == "widen"
    assert caps["edge", "edge-nginx"]["proposed_s"] < caps["edge", "sdk"]["proposed_s"]
