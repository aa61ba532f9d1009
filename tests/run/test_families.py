"""Every route family against the embedded API: the marks that it can know, held against the simulator's own log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Harness

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium")]

SCALE = 20.0
# Of this machine's time. On a busy machine with two cores either process may be put aside between what it does and its
# stamp of it, and a page's code gets its bytes later still.
EARLY_MS = 100.0 * SCALE
SLACK_MS = 150.0 * SCALE
PAGE_SLACK_MS = 800.0 * SCALE

Event = dict[str, Any]


@dataclass(frozen=True)
class AllRoutes:
    path: Path
    events: Sequence[Event]
    truth: Mapping[str, dict[str, Any]]

    def of(self, route: str, **wanted: Any) -> list[Event]:
        """Jobs of one route; without further wishes the plain ones."""
        wanted = {"stream": False, "reference_images": 0, "n": 1, **wanted}
        found = [e for e in self.events if e["route"] == route and all(e[k] == v for k, v in wanted.items())]
        assert found, (route, wanted)
        return found

    def truth_of(self, event: Event) -> dict[str, Any]:
        return self.truth[event["attempts"][-1]["client_request_id"]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, harness: Harness, chromium: str) -> AllRoutes:  # noqa: ARG001
    path = tmp_path_factory.mktemp("routes") / "run"
    for args in (("run", "scenarios/all-routes.yaml", "--out", path, "--quiet"), ("diagnose", path), ("report", path)):
        done = harness(*args, timeout=240)
        assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    truth = [json.loads(line) for line in (path / "backend.jsonl").read_text().splitlines()]
    return AllRoutes(path, events, {record["client_request_id"]: record for record in truth})


def marks(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = event["attempts"][-1]["marks"]
    return found


def since_sent_ms(event: Event, mark: str) -> float:
    """World ms from the request's last byte to a mark."""
    at: float = marks(event)[mark] - marks(event)["request_sent_at_ms"]
    return at


def truth_since_ms(truth: dict[str, Any], stamp_ns: int) -> float:
    return float(stamp_ns - truth["request_body_ns"]) / 1e6 * SCALE


def agree(mark_ms: float, truth_ms: float, route: str) -> bool:
    late_ms = PAGE_SLACK_MS if route == "web" else SLACK_MS
    return truth_ms - EARLY_MS <= mark_ms <= truth_ms + late_ms


def test_every_family_brings_its_image(run: AllRoutes) -> None:
    outcomes = {(event["route"], event["outcome"]) for event in run.events}
    kinds = {event["route_kind"] for event in run.events}
    assert kinds == {"images", "responses", "azure", "compatible", "reverse", "task", "browser"}
    assert {route for route, outcome in outcomes if outcome != "image"} == {"reverse"}
    assert {event["outcome"] for event in run.of("reverse")} == {"wrong_image"}  # of a size that nobody asked for


@pytest.mark.parametrize("route", ["direct", "azure", "gateway", "responses", "web"])
def test_a_plain_answer_is_whole_when_the_server_has_sent_it(run: AllRoutes, route: str) -> None:
    for event in run.of(route):
        truth = run.truth_of(event)
        assert agree(since_sent_ms(event, "final_image_at_ms"), truth_since_ms(truth, truth["response_end_ns"]), route)
        assert event["delivered_ms"] == event["final_image_ms"]
        assert event["submit_ms"] is None
        assert event["poll_error_ms"] is None


@pytest.mark.parametrize("route", ["direct", "azure", "responses", "web"])
def test_partial_images_of_a_stream_come_when_they_were_sent(run: AllRoutes, route: str) -> None:
    for event in run.of(route, stream=True):
        truth = run.truth_of(event)
        sent = [one for one in truth["events"] if one["kind"] == "partial"]
        seen = marks(event)["partial_images"]
        assert len(seen) == len(sent) == 2
        for mine, theirs in zip(seen, sent, strict=True):
            got = mine["whole_at_ms"] - marks(event)["request_sent_at_ms"]
            assert agree(got, truth_since_ms(truth, theirs["end_ns"]), route)
        # Equal where we were put aside so long that the kernel had joined what came meanwhile.
        assert event["first_partial_image_ms"] <= event["final_image_ms"]


def test_references_are_uploaded_and_counted(run: AllRoutes) -> None:
    for route in ("direct", "azure", "gateway"):
        for event in run.of(route, reference_images=2):
            truth = run.truth_of(event)
            assert truth["api"] == "images.edits"
            assert (truth["reference_images"], truth["reference_bytes"]) == (2, event["reference_bytes"])
            assert event["bytes_up"] > truth["request_bytes"] > event["reference_bytes"]
            assert event["upload_ms"] is not None
            assert event["mask"] is True
            assert event["edit_form"] == "multipart"
            assert event["endpoint"].endswith("images/edits")
    as_json = run.of("direct", reference_images=1, edit_form="json")
    assert all(run.truth_of(event)["reference_images"] == 1 for event in as_json)


def test_several_images_in_one_answer_have_a_mark_each(run: AllRoutes) -> None:
    for event in run.of("direct", n=3):
        spans = marks(event)["final_images"]
        assert len(spans) == len(event["images"]) == 3
        assert [span["whole_at_ms"] for span in spans] == sorted(span["whole_at_ms"] for span in spans)
        assert event["final_image_ms"] == spans[-1]["whole_at_ms"]


@pytest.mark.parametrize("route", ["kie", "fal"])
def test_a_task_is_done_within_what_the_polls_can_tell(run: AllRoutes, route: str) -> None:
    for event in run.of(route):
        truth, attempt = run.truth_of(event), event["attempts"][-1]
        made_ms = truth_since_ms(truth, truth["made_ns"])
        seen_ms = since_sent_ms(event, "final_image_at_ms")
        assert seen_ms - event["poll_error_ms"] - SLACK_MS <= made_ms <= seen_ms + SLACK_MS
        assert event["submit_ms"] <= event["final_image_ms"] <= event["delivered_ms"]
        if event["running_ms"] is not None:  # no poll may have met it
            assert since_sent_ms(event, "running_at_ms") >= truth_since_ms(truth, truth["running_ns"]) - SLACK_MS
            assert event["submit_ms"] <= event["running_ms"] <= event["final_image_ms"]
        asked = attempt["polls"] + sum(leg["kind"] == "result" for leg in attempt["legs"])
        assert asked == truth["polls"]
        assert truth["result_fetches"] == 1
        assert attempt["ids"]["task-id"] == truth["task_id"]
        said = [leg["said"] for leg in attempt["legs"] if leg["kind"] == "poll"]
        assert said[-1] == "done"
        assert len(said) <= 5  # polls that brought nothing new are counted and not kept


def test_a_callback_is_stamped_when_it_comes(run: AllRoutes) -> None:
    for event in run.of("kie"):
        truth = run.truth_of(event)
        came_ms = since_sent_ms(event, "callback_at_ms")
        assert agree(came_ms, truth_since_ms(truth, truth["callback_ns"]), "kie")
    assert all(event["callback_ms"] is None for event in run.of("fal"))


def test_what_a_route_does_not_tell_is_null(run: AllRoutes) -> None:
    for event in run.of("reverse"):
        told = ("request_id", "usage", "server_ms", "queue_ms", "resolved_size", "resolved_quality", "gateway")
        assert [event[name] for name in told] == [None] * len(told)
        assert event["notes"] == ["result_by_url"]
        assert event["cost_basis"] == "estimate"
    for event in run.of("gateway"):
        assert event["gateway"] == "litellm"
        assert event["request_id"] is None
        assert event["server_ms"] is None
        assert "x-litellm-call-id" in event["attempts"][-1]["ids"]
    for event in run.of("azure"):
        assert event["deployment"] == "pictures"
        assert event["model"] == "gpt-image-2"
        assert {"apim-request-id"} <= set(event["attempts"][-1]["ids"])


def test_the_text_models_hop_is_named_and_never_shares_a_label_with_a_bare_call(run: AllRoutes) -> None:
    assert {event["text_model"] for event in run.events if event["route"] == "responses"} == {"gpt-5.2"}
    summary = json.loads((run.path / "summary.json").read_text())
    shapes = {cell["route"]: cell["shape"] for cell in summary["cells"]}
    assert "after gpt-5.2" in shapes["responses"]
    assert not any("gpt-5.2" in shape for route, shape in shapes.items() if route != "responses")


def test_the_browser_paints_and_its_stamps_are_its_own(run: AllRoutes) -> None:
    for event in [*run.of("web"), *run.of("web", stream=True)]:
        attempt = event["attempts"][-1]
        assert (attempt["stamp_source"], attempt["receive_path"]) == ("browser", "browser")
        assert event["render_ms"] > 0
        assert marks(event)["headers_at_ms"] is not None


def test_nothing_of_key_prompt_link_or_image_is_in_the_journal(run: AllRoutes) -> None:
    text = (run.path / "events.jsonl").read_text() + (run.path / "summary.json").read_text()
    for secret in ("sk-sim", "red apple", "/files/", "http://", "b64_json", "iVBOR"):
        assert secret not in text
