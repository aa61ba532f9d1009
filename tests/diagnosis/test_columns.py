"""Verdicts as columns say what the words say, and a very large run is explained by its examples."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from harness.conditions import read_conditions
from harness.diagnosis import judge as judging
from harness.diagnosis import verdicts as verdict_module
from harness.diagnosis.judge import judge
from harness.diagnosis.model import JobVerdict, read_diagnosis
from harness.diagnosis.verdicts import COLUMNS, Verdicts
from harness.frame import load_frame
from harness.ingest.backend import read_backend_log
from tests.conftest import DemoRun


def test_the_columns_of_a_verdict_are_those_of_its_words(demo: DemoRun) -> None:
    jobs, _ = load_frame(demo.path / "events.jsonl")
    for backend in (None, read_backend_log(demo.path / "backend.jsonl")):
        _, verdicts = judge(jobs, read_conditions(demo.path), backend)
        assert {str(one.verdict) for one in verdicts} >= {"ok", "false_timeout", "retry_pressure"}
        for row, told in verdicts.told.items():
            bare = verdicts._bare(row)
            for name in ("job_id", *COLUMNS):
                assert getattr(bare, name) == getattr(told, name), (row, name)


def test_above_the_limit_examples_alone_carry_their_evidence(demo: DemoRun, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, _ = load_frame(demo.path / "events.jsonl", lean=True)
    conditions = read_conditions(demo.path)
    small, every = judge(jobs, conditions, None)
    monkeypatch.setattr(judging, "EXPLAIN_ALL", 10)
    large, some = judge(jobs, conditions, None)
    assert small.explained_jobs is None
    assert large.explained_jobs == len(some.told) < len(every.told)
    assert msgspec.structs.replace(large, explained_jobs=None) == small
    named = {job for finding in large.findings for job in finding.job_ids}
    for one, whole in zip(some, every, strict=True):
        assert one == (whole if one.job_id in named else msgspec.structs.replace(
            whole, evidence=(), excluded=(), settle=None
        ))  # fmt: skip


def test_lines_without_words_are_what_the_encoder_would_write() -> None:
    told = JobVerdict(job_id='o"dd \\ id', verdict="false_timeout", grade="proven", layer="edge", cap_s=60.0,
                      backend_finished=True, censored_at_ms=60_123.25)  # fmt: skip
    others = [msgspec.structs.replace(told, job_id=f"j{n}", censored_at_ms=None) for n in range(3)]
    plain = [
        JobVerdict(job_id="ok", verdict="ok"),
        JobVerdict(job_id="cut", verdict="undetermined", censored_at_ms=1.5),
    ]
    verdicts = Verdicts.of([told, *others, *plain])
    verdicts.told.clear()
    expected = [msgspec.json.encode(one) for one in (told, *others, *plain)]
    assert [line.rstrip(b"\n") for line in verdicts.lines()] == expected
    assert list(verdicts) == [told, *others, *plain]
    assert np.isnan(verdicts.table["censored_at_ms"][1])
    assert verdict_module.plain(np.float64("nan")) is None


def test_what_was_written_is_read_back(demo: DemoRun) -> None:
    diagnosis, verdicts = read_diagnosis(demo.path)
    assert len(verdicts) == sum(diagnosis.counts.values())
    assert all(one.evidence for one in verdicts if one.verdict != "ok")
