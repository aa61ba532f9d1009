"""`harness.load_run`: what is read, what is asked, and what is refused."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.api import Run
from harness.diagnosis.model import JobVerdict, read_diagnosis
from harness.events import ApiError, to_line
from harness.frame import load_frame
from harness.metrics import METRICS
from harness.report import read_summary, write_report
from tests.report import build_run
from tests.report.build_run import cut_by_nginx, job, of_events

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "reports" / "sample"
PUBLIC = Path(__file__).parent / "golden" / "public.txt"


@pytest.fixture(scope="module")
def sample() -> Run:
    return harness.load_run(SAMPLE)


def refusal(call: object) -> str:
    assert callable(call)
    with pytest.raises(harness.UsageProblem) as caught:
        call()
    return str(caught.value)


def public() -> str:
    """Every public name with its signature, or its fields."""
    lines = []
    for name in harness.__all__:
        found = getattr(harness, name)
        if not callable(found):
            lines.append(name)
        elif not inspect.isclass(found) or not issubclass(found, Exception):
            lines.append(f"{name}{'' if inspect.isclass(found) else inspect.signature(found)}")
            for part, value in sorted(vars(found).items()) if inspect.isclass(found) else ():
                if part.startswith("_") or part in found.__dataclass_fields__:
                    continue
                shown = str(inspect.signature(value)) if inspect.isfunction(value) else ""
                lines.append(f"  {part}{shown}")
            fields = [part for part in getattr(found, "__dataclass_fields__", {}) if not part.startswith("_")]
            lines += [f"  .{part}: {found.__dataclass_fields__[part].type}" for part in fields]
        else:
            lines.append(f"{name}({', '.join(base.__name__ for base in found.__bases__)})")
    return "\n".join(lines) + "\n"


def test_the_public_api_is_what_it_was() -> None:
    if os.environ.get("HARNESS_UPDATE_GOLDEN"):
        PUBLIC.parent.mkdir(exist_ok=True)
        PUBLIC.write_text(public())
    assert public() == PUBLIC.read_text(), "others build on it; if meant: HARNESS_UPDATE_GOLDEN=1 pytest tests/api"


def test_every_public_name_says_what_it_is() -> None:
    for name in harness.__all__:
        if name != "__version__":
            assert (getattr(harness, name).__doc__ or "").strip(), name
    for name, value in vars(Run).items():
        if not name.startswith("_") and name not in Run.__dataclass_fields__:
            assert (value.__doc__ or "").strip(), name


def test_a_name_that_is_not_public_is_no_attribute() -> None:
    assert set(harness.__all__) <= set(dir(harness))
    with pytest.raises(AttributeError, match="no attribute 'load_rum'"):
        harness.load_rum  # noqa: B018


def test_the_docs_do_what_they_say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/api.md block {number}", "exec"), namespace)
    # What the page shows as printed is what is printed.
    (shown,) = re.findall(r"print\(.*\)  # (.*)", text)
    assert capsys.readouterr().out.replace("\u00a0", " ") == f"{shown}\n"
    methods = {name for name in vars(Run) if not name.startswith("_")} - {"path", "diagnosed"}
    assert not [name for name in methods if f"run.{name}" not in text]


def test_jobs_are_the_journals_with_their_verdicts_beside(sample: Run) -> None:
    frame, _ = load_frame(SAMPLE / "events.jsonl")
    _, verdicts = read_diagnosis(SAMPLE)
    jobs = sample.jobs
    assert list(jobs.columns[: len(frame.columns)]) == list(frame.columns)
    assert list(jobs["job_id"]) == sorted(frame["job_id"])
    wanted = {one.job_id: one.verdict for one in verdicts}
    assert dict(zip(jobs["job_id"], jobs["verdict_verdict"], strict=True)) == wanted
    assert np.count_nonzero(jobs["verdict_censored_at_ms"].notna()) == 12


def test_what_is_done_to_the_frame_is_not_done_to_the_run(sample: Run) -> None:
    before = sample.quantile("final_image_ms", 0.5, route="direct")
    jobs = sample.jobs
    jobs["final_image_ms"] = 1.0
    jobs.loc[jobs["route"] == "direct", "outcome"] = "error"
    assert sample.quantile("final_image_ms", 0.5, route="direct") == before
    assert (sample.jobs["final_image_ms"] != 1.0).any()


def test_figures_are_those_of_the_report(tmp_path: Path) -> None:
    folder = shutil.copytree(SAMPLE, tmp_path / "run")
    summary = read_summary(write_report(folder).summary)
    run = harness.load_run(folder)
    assert run.summary == summary
    for row in summary.cells:
        for p, shown in ((0.5, row.final_image_p50_ms), (0.9, row.final_image_p90_ms)):
            found = run.quantile("final_image_ms", p, cell=row.cell)
            pairs = [(found.value, shown.value), (found.low, shown.low), (found.high, shown.high)]
            assert [None if a is None else round(a, 3) for a, _ in pairs] == [b for _, b in pairs]
        assert run.delivered(cell=row.cell).count == row.completed
    table = run.cells().set_index("cell")
    assert list(table["jobs"]) == [row.n for row in summary.cells]
    assert table["final_image_p50_beyond_ms"].notna().sum() == 1
    assert table.loc["direct/high/1024x1024/png/stream-p2", ["quality", "stream"]].to_list() == ["high", True]


def test_a_run_without_a_diagnosis_is_judged_in_memory_and_its_folder_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.json", "events.jsonl", "backend.jsonl"):
        shutil.copy(SAMPLE / name, folder)
    folder.chmod(0o555)
    found, known = harness.load_run(folder), harness.load_run(SAMPLE)
    assert (found.diagnosed, known.diagnosed) == ("now", "before")
    assert found.diagnosis == known.diagnosis
    assert list(found.jobs["verdict_verdict"]) == list(known.jobs["verdict_verdict"])
    assert sorted(path.name for path in folder.iterdir()) == ["backend.jsonl", "events.jsonl", "run.json"]
    folder.chmod(0o755)


def test_a_diagnosis_that_is_older_than_the_last_job_is_not_believed(tmp_path: Path) -> None:
    cut, verdict = cut_by_nginx(2)
    folder = of_events([job(1), cut], [JobVerdict(job_id="j00001", verdict="ok"), verdict]).write(tmp_path)
    assert harness.load_run(folder).diagnosed == "before"
    with (folder / "events.jsonl").open("ab") as journal:
        journal.write(to_line(job(3)))
    run = harness.load_run(folder)
    assert run.diagnosed == "now"
    assert len(run.jobs) == 3
    assert run.jobs["verdict_verdict"].notna().all()


def test_a_journal_alone_is_a_run_without_a_plan(tmp_path: Path, sample: Run) -> None:
    journal = tmp_path / "of-a-colleague.jsonl"
    shutil.copy(SAMPLE / "events.jsonl", journal)
    run = harness.load_run(str(journal))
    assert run.planned is None
    assert len(run.jobs) == len(sample.jobs)
    assert run.caps().empty
    # 504 of an nginx at 60 s is told without a declared chain and without the backend's record.
    assert run.quantile("final_image_ms", 0.5, route="edge", quality="high").value is None
    assert run.cells()["completed"].sum() == sample.cells()["completed"].sum()
    # In its folder it stands for the run.
    assert harness.load_run(SAMPLE / "events.jsonl").planned == sample.planned


def test_lines_that_are_no_jobs_are_told_and_not_counted(tmp_path: Path) -> None:
    run = harness.load_run(of_events([job(1), job(2)]).write(tmp_path, torn=b'{"event": "image_j'))
    assert len(run.jobs) == 2
    assert [(line.line, "torn" in line.reason) for line in run.bad_lines] == [(3, True)]


def test_what_is_no_run_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert "no such run" in refusal(lambda: harness.load_run(tmp_path / "nowhere"))
    assert "no run.json here" in refusal(lambda: harness.load_run(tmp_path))
    assert "events.jsonl: cannot be read" in refusal(
        lambda: harness.load_run(shutil.copy(SAMPLE / "run.json", tmp_path) and tmp_path)
    )
    other = tmp_path / "notes.txt"
    other.write_text("no job\nand no other\n")
    assert re.search(r"notes\.txt:1: .*give a run's folder", refusal(lambda: harness.load_run(other)))


def test_a_run_without_jobs_has_figures_of_nothing(tmp_path: Path) -> None:
    run = harness.load_run(build_run.Run(build_run.conditions(planned_jobs=3, cells=("a/b",))).write(tmp_path))
    assert (len(run.jobs), run.planned) == (0, 3)
    assert run.cells()["planned_only"].to_list() == [True]
    found = run.quantile("final_image_ms", 0.5, route="direct", cell="a/b")
    assert (found.value, found.n) == (None, 0)
    assert harness.told(found) == "not estimable (no job)"
    assert harness.told(run.delivered()) == "no job"
    assert harness.told(run.beyond("total_ms", 1000)) == "not estimable (no job)"
    effect = run.compare(a={"route": "direct"}, b={"cell": "x"})
    assert (effect.verdict, effect.why) == ("inconclusive", "an arm has no jobs")


def test_selectors_take_values_lists_short_names_and_none(sample: Run) -> None:
    jobs = sample.jobs
    assert len(sample.select()) == len(jobs)
    assert len(sample.select(format=["jpeg", "webp"])) == jobs["output_format"].isin(["jpeg", "webp"]).sum()
    assert len(sample.select(complexity="simple", stream=True)) == 4
    assert len(sample.select(partial_images=None)) == jobs["partial_images"].isna().sum()
    assert len(sample.select(partial_images=[None, 2])) == len(jobs)
    assert len(sample.select(block=np.int64(3), n=1)) == (jobs["block"] == 3).sum()
    assert len(sample.select(verdict_layer="edge")) == 12


def test_a_typing_mistake_is_never_no_jobs(sample: Run) -> None:
    assert "did you mean quality?" in refusal(lambda: sample.select(qualty="low"))
    assert "there is direct, edge, gateway, tier1" in refusal(lambda: sample.curve("final_image_ms", route="drect"))
    assert "there is no clock 'final_image'" in refusal(lambda: sample.curve("final_image"))
    assert "no clock 'cost_usd'" in refusal(lambda: sample.beyond("cost_usd", 1))
    assert "not at 50" in refusal(lambda: sample.quantile("total_ms", 50))
    assert "at_ms is nan" in refusal(lambda: sample.beyond("total_ms", float("nan")))
    assert "cap_s is 0" in refusal(lambda: sample.cap_beyond("total", 0))
    assert "no cap of kind" in refusal(lambda: sample.cap_curve("connect"))
    assert "no route 'edgee'; it has direct, edge" in refusal(lambda: sample.caps("edgee"))
    assert "no job 'b999'" in refusal(lambda: sample.verdict("b999"))
    assert "tell the two apart" in refusal(lambda: sample.compare(a={"quality": "low"}, b={"route": "edge"}))
    assert "strictly between" in refusal(lambda: sample.compare(a={}, b={}, p=1))


def test_only_the_clocks_of_the_wait_can_be_cut(sample: Run) -> None:
    cut = {metric.name for metric in METRICS if sample.curve(metric.name, route="edge", quality="high").censored}
    assert cut == {"total_ms", "final_image_ms", "delivered_ms", "service_ms", "first_byte_ms", "wait_ms"}
    assert all(name in (Run.curve.__doc__ or "") for name in cut)


def test_refused_jobs_are_in_no_clock_and_in_the_share_that_was_delivered(tmp_path: Path) -> None:
    refused = ApiError(type="requests", code="rate_limit_exceeded")
    events = [job(number, seconds=5) for number in range(3)]
    events += [job(9, seconds=0.1, outcome="error", status=429, error=refused), job(10, outcome="cancelled")]
    run = harness.load_run(of_events(events).write(tmp_path))
    assert run.curve("final_image_ms").n == 3
    found = run.delivered()
    assert (found.count, found.n) == (3, 4)
    assert harness.told(found).replace("\u00a0", " ").startswith("3 of 4 (")


def test_words_never_leave_out_what_a_figure_rests_on(sample: Run) -> None:
    def told(figure: object) -> str:
        return harness.told(figure).replace("\u00a0", " ")

    where = {"route": "edge", "quality": "high"}
    median = told(sample.quantile("total_ms", 0.5, **where))
    assert re.fullmatch(r"> 6[01]\.\d s \(not estimable; 12 of 12 cut\)", median)
    assert "n 12, thin" in told(sample.quantile("total_ms", 0.9, route="gateway", quality="low"))
    assert told(sample.beyond("total_ms", 30_000, **where)).startswith("100 % (")
    assert "12 of 12 cut before" in told(sample.beyond("total_ms", 90_000, **where))
    effect = sample.compare(a={"route": "direct", "quality": "low"}, b=where)
    assert told(effect).startswith("slower: difference not estimable (")
    assert "to open)" in told(effect)


def test_sql_sees_jobs_and_cells_and_says_what_is_wrong_with_a_query(sample: Run) -> None:
    found = sample.sql("SELECT count(*) AS n, count(final_image_ms) AS done FROM jobs")
    assert found.iloc[0].to_list() == [228, int(sample.jobs["final_image_ms"].notna().sum())]
    assert len(sample.sql("SELECT cell FROM cells")) == 19
    assert "cannot be answered" in refusal(lambda: sample.sql("SELECT nothing FROM jobs"))
    # As text, in the order of the alphabet and not in that in which the journal named them.
    assert sample.sql("SELECT DISTINCT quality AS q FROM jobs ORDER BY q")["q"].to_list() == ["high", "low", "medium"]
    sample_of_the_caller = sample.jobs
    assert len(sample_of_the_caller)
    assert "sample_of_the_caller" in refusal(lambda: sample.sql("SELECT * FROM sample_of_the_caller"))


def test_reading_a_run_asks_no_network_library_and_opens_no_socket() -> None:
    code = (
        "import sys, socket\n"
        "def refuse(*args, **options): raise AssertionError('a socket')\n"
        "socket.socket = refuse\n"
        "import harness\n"
        "run = harness.load_run(sys.argv[1]); run.cells(); run.sql('SELECT 1 FROM jobs')\n"
        "print([name for name in ('openai', 'httpx', 'httpcore', 'matplotlib', 'pydantic') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_asking_a_run_changes_no_byte_of_its_folder(tmp_path: Path) -> None:
    folder = of_events([job(1), job(2)]).write(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run = harness.load_run(folder)
    assert (len(run.cells()), len(run.sql("SELECT 1 FROM jobs")), run.summary.run.jobs) == (1, 2, 2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
