"""A host that slept is blamed before any layer is."""

from __future__ import annotations

from harness.conditions import read_conditions
from harness.diagnosis.judge import judge
from harness.frame import load_frame
from tests.conftest import DemoRun


def test_no_layer_is_blamed_for_a_connection_that_ended_while_the_host_slept(demo: DemoRun) -> None:
    jobs, _ = load_frame(demo.path / "events.jsonl", lean=True)
    conditions = read_conditions(demo.path)
    _, awake = judge(jobs, conditions)
    cut = [one.job_id for one in awake if one.verdict == "false_timeout"]
    refused = [one.job_id for one in awake if one.verdict in ("retry_pressure", "moderation_blocked")]
    assert cut
    assert refused
    jobs["notes"] = ["image_count_differs; host_slept" if one in cut[:3] + refused else None for one in jobs["job_id"]]
    _, slept = judge(jobs, conditions)
    verdicts = {one.job_id: one for one in slept}
    for one in cut[:3]:
        assert (verdicts[one].verdict, verdicts[one].layer) == ("client_bound", None)
        assert "slept" in verdicts[one].evidence[0].fact
    # What the API itself said stays what it said.
    assert {verdicts[one].verdict for one in refused} <= {"retry_pressure", "moderation_blocked"}
    assert all(verdicts[one].verdict == "false_timeout" for one in cut[3:])


def test_a_step_of_the_wall_clock_alone_blames_nobody(demo: DemoRun) -> None:
    jobs, _ = load_frame(demo.path / "events.jsonl", lean=True)
    conditions = read_conditions(demo.path)
    _, before = judge(jobs, conditions)
    jobs["notes"] = "wall_clock_stepped"
    _, stepped = judge(jobs, conditions)
    assert [one.verdict for one in stepped] == [one.verdict for one in before]
