"""What goes wrong with task APIs and result links ends in its own verdict; the embedded API makes it happen."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

# route → (fault, what the route adds, verdict, outcome)
CASES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "failed": ("task_failed", {}, "task_failed", "error"),
    "dead-link": ("link_dead", {}, "link_expired", "error"),
    "torn-file": ("link_truncated", {}, "link_expired", "cut"),
    "blank": ("blank_image", {}, "empty_success", "wrong_image"),
    "no-credit": ("app_error;code=402", {}, "quota", "error"),
    "misfit": ("bad_mapping", {"poll": {"failures": 2}}, "empty_success", "empty"),
    "page": ("task_html", {}, "empty_success", "empty"),
    "not-json": ("result_not_json", {}, "empty_success", "empty"),
    "shaky-polls": ("poll_500", {"poll": {"every": 0.5}}, "ok or poll_delay", "image"),
    "coarse": ("", {"poll": {"every": 12}}, "poll_delay", "image"),
    "stuck": ("task_stuck", {"poll": {"give_up_after": 60}}, "false_timeout", "cut"),
}

Judged = dict[str, tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, harness: Any) -> Judged:
    folder = tmp_path_factory.mktemp("tasks")
    routes = {
        name: {
            "kind": "task",
            "base_url": "simulator://kie",
            "owner": "task_provider",
            "task": {"preset": "kie", **extra},
            "headers": {"x-sim-fault": fault} if fault else {},
        }
        for name, (fault, extra, _, _) in CASES.items()
    }
    scenario = {
        "name": "tasks",
        "why": "Every fault of a task and its verdict.",
        "prompts": ["A red apple on a plain white table"],
        "routes": routes,
        "simulator": {"time_scale": 20, "seed": 4, "layers": {"kie": {"speaks": "kie"}}},
        "defaults": {"quality": "low", "size": "1024x1024", "output_format": "png"},
        "matrix": {"route": list(routes)},
        "load": {"concurrency": 4},
    }
    file, run = folder / "tasks.yaml", folder / "run"
    file.write_text(yaml.safe_dump(scenario))
    done = harness("run", file, "--out", run, "--quiet")
    assert done.returncode == 0, done.stderr
    (run / "backend.jsonl").unlink()  # what this side can tell alone
    done = harness("diagnose", run)
    assert done.returncode == 0, done.stderr + done.stdout
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    verdicts = {v["job_id"]: v for v in map(json.loads, (run / "verdicts.jsonl").read_text().splitlines())}
    return {event["route"]: (event, verdicts[event["job_id"]]) for event in events}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_of_a_task_ends_in_its_verdict(name: str, judged: Judged) -> None:
    event, verdict = judged[name]
    _, _, expected, outcome = CASES[name]
    assert event["outcome"] == outcome, event
    assert verdict["verdict"] in expected.split(" or "), verdict["evidence"]  # on a busy machine polls come late


def test_an_answer_that_the_mapping_does_not_fit_names_the_path_and_shows_keys_without_values(judged: Judged) -> None:
    attempt = judged["misfit"][0]["attempts"][-1]
    assert attempt["missing_path"].startswith("data.state")
    assert "taskId: text" in attempt["body_shape"]
    assert "mapping_does_not_fit" in judged["misfit"][0]["notes"]
    assert judged["not-json"][0]["attempts"][-1]["missing_path"] is not None


def test_a_failed_task_is_not_asked_for_again(judged: Judged) -> None:
    polls = [leg for leg in judged["failed"][0]["attempts"][-1]["legs"] if leg["kind"] == "poll"]
    assert polls[-1]["said"] == "failed"
    assert [leg["said"] for leg in polls].count("failed") == 1


def test_a_task_that_never_ends_is_cut_by_our_own_limit_and_that_is_said(judged: Judged) -> None:
    event, verdict = judged["stuck"]
    attempt = event["attempts"][-1]
    assert (attempt["ended"], attempt["cap"], attempt["cap_ms"]) == ("local_cap", "poll", 60_000.0)
    assert event["timeout_layer"] == "client.poll"
    assert (verdict["layer"], verdict["setting"]) == ("this client", "task.poll.give_up_after")


def test_polls_that_failed_are_kept_as_legs_and_the_job_lives(judged: Judged) -> None:
    legs = judged["shaky-polls"][0]["attempts"][-1]["legs"]
    assert [leg["said"] for leg in legs if leg["kind"] == "poll"].count(None) >= 1
    assert "poll_failed" in judged["shaky-polls"][0]["notes"]
