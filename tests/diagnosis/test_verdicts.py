"""Every fault that the embedded API can make, sent through the real runner, ends in its verdict and in no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

# name: (fault header, extra cell fields, verdict, outcome)
FAULTS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "moderation-input": ("moderation_input", {}, "moderation_input", "error"),
    "moderation-output": ("moderation_output", {}, "moderation_output", "error"),
    "limited": ("429", {}, "retry_pressure", "error"),
    "slow-down": ("429;kind=slow_down", {}, "retry_pressure", "error"),
    "limit-zero": ("429;kind=limit0", {}, "quota", "error"),
    "no-quota": ("429;kind=quota", {}, "quota", "error"),
    "billing": ("billing_hard_limit", {}, "quota", "error"),
    "unverified": ("org_unverified", {}, "org_unverified", "error"),
    "broken": ("500", {}, "undetermined", "error"),
    "overloaded": ("503", {}, "undetermined", "error"),
    "too-late": ("504", {}, "undetermined", "error"),
    "stalled": ("stall;s=1", {"partial_images": 1}, "ok", "image"),
    "cut-early": ("cut;after=silence;s=0.3", {}, "undetermined", "cut"),
    "cut-plain": ("cut", {}, "undetermined", "cut"),
    "cut-silent": ("cut;after=silence", {}, "undetermined", "cut"),
    "cut-stream": ("cut;after=partial", {"partial_images": 1}, "incomplete_stream", "cut"),
    "silent-end": ("silent_end", {"partial_images": 1}, "incomplete_stream", "empty"),
    "stream-error": ("stream_error_a", {"partial_images": 1}, "undetermined", "error"),
    "stream-error-flat": ("stream_error_b", {"partial_images": 1}, "undetermined", "error"),
    "empty": ("empty_200", {}, "empty_success", "empty"),
    "html": ("html_200", {}, "empty_success", "empty"),
    "truncated": ("truncated_b64", {}, "empty_success", "bad_image"),
    "other-size": ("wrong_size", {}, "silent_downgrade", "wrong_image"),
    "other-format": ("wrong_format", {}, "parameter_dropped", "wrong_image"),
    "misspelled": ("misspelled", {}, "ok", "image"),
    "json-for-stream": ("json_instead_of_sse", {"partial_images": 1}, "ok", "image"),
    "comments": ("comments;every=1", {"partial_images": 1}, "ok", "image"),
    "done-sentinel": ("done_sentinel", {"partial_images": 1}, "ok", "image"),
    "data-only": ("data_only_frames", {"partial_images": 1}, "ok", "image"),
    "no-blank-line": ("no_final_blank_line", {"partial_images": 1}, "ok", "image"),
    "whitespace": ("whitespace_keepalive;every=1", {}, "ok", "image"),
    "bare-524-page": ("524html", {}, "undetermined", "error"),
}

SHAPE = {"quality": "low", "size": "1024x1024", "output_format": "png"}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, harness: Any) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """route → (event, verdict)"""
    folder = tmp_path_factory.mktemp("faults")
    routes = {
        name: {"base_url": "simulator://", "owner": "simulator", "headers": {"x-sim-fault": fault}}
        for name, (fault, _, _, _) in FAULTS.items()
    }
    scenario = {
        "name": "faults",
        "why": "Every fault and its verdict.",
        "prompts": ["A red apple on a plain white table"],
        "routes": routes,
        "simulator": {"time_scale": 12, "seed": 4},
        "defaults": SHAPE,
        "matrix": {"include": [{"route": name, **extra} for name, (_, extra, _, _) in FAULTS.items()]},
        "load": {"concurrency": 4},
    }
    file, run = folder / "faults.yaml", folder / "run"
    file.write_text(yaml.safe_dump(scenario))
    done = harness("run", file, "--out", run, "--quiet")
    assert done.returncode == 0, done.stderr
    # Evidence of the other side would prove what was made; here the question is what this side can tell alone.
    (run / "backend.jsonl").unlink()
    done = harness("diagnose", run)
    assert done.returncode == 0, done.stderr + done.stdout
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    verdicts = {v["job_id"]: v for v in map(json.loads, (run / "verdicts.jsonl").read_text().splitlines())}
    return {event["route"]: (event, verdicts[event["job_id"]]) for event in events}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_ends_in_its_verdict(name: str, judged: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> None:
    event, verdict = judged[name]
    _, _, expected, outcome = FAULTS[name]
    assert (verdict["verdict"], event["outcome"]) == (expected, outcome), (verdict["evidence"], event["notes"])


def test_no_verdict_names_a_layer_where_none_gave_up(judged: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> None:
    assert {name for name, (_, verdict) in judged.items() if verdict["layer"] is not None} == set()


def test_what_is_undetermined_says_what_would_settle_it(
    judged: dict[str, tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    for _, verdict in judged.values():
        if verdict["verdict"] == "undetermined":
            assert verdict["settle"]


def test_failures_keep_elapsed_time_phase_and_ids(judged: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> None:
    for event, _ in judged.values():
        assert event["total_ms"] > 0
        assert event["phase"]
        assert event["attempts"][-1]["client_request_id"]
        if event["http_status"] is not None and event["http_status"] != 524:
            assert event["request_id"].startswith("req_")
    assert judged["cut-plain"][0]["bytes_down"] > 1000
    assert judged["cut-silent"][0]["bytes_down"] == 0


def test_an_output_filter_took_the_whole_generation_and_an_input_check_did_not(
    judged: dict[str, tuple[dict[str, Any], dict[str, Any]]],
) -> None:
    assert judged["moderation-input"][0]["total_ms"] < judged["moderation-output"][0]["total_ms"]
    assert judged["moderation-output"][0]["total_ms"] > 2_900
    assert judged["moderation-output"][0]["cost_basis"] == "maybe_billed"
    assert judged["moderation-input"][0]["cost_usd"] == 0
