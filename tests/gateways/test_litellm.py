"""The harness through a real LiteLLM, in front of the embedded API, whose own log is the judge.

Every test has a model of its own at the proxy and a port of its own at the API: LiteLLM hands no id of ours on, so the
port is what a record is known by. And what LiteLLM holds against one model (a cooldown) is not held against another.
What is asserted is what the pinned version was seen to do; docs/gateways.md has it as a table.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.diagnosis.judge import diagnose_run
from harness.events import JobEvent
from harness.ingest.intake import Intake, take_in
from harness.journal_lines import read_events
from harness.simulator.process import spawn
from tests.conftest import ROOT, Harness
from tests.gateways.proxy import HOME, Proxy, is_installed, litellm

pytestmark = pytest.mark.gateway

SCALE = 20
LONGEST_S = 40  # of an image of medium quality in this world; the shortest takes 20
TIMEOUT_S = 0.4  # of LiteLLM, by this machine's clock: eight seconds of the world, too short for any medium image
PINNED = (ROOT / "tests" / "gateways" / "requirements-litellm.in").read_text(encoding="utf-8").split("==")[-1].strip()
LEFT_AFTER_S = 10  # our own cap, in seconds of the world: too short for any medium image as well


@dataclass(frozen=True)
class Asked:
    """A run to be made, and how many calls are to reach the API."""

    fields: str
    calls: int = 1
    repeats: int = 1
    timeouts: str = ""


# Model at the proxy, and port of the API → what is asked for there. All are made side by side, the longest first.
RUNS = {
    "slow": Asked("quality: medium", calls=9),
    "slow-edit": Asked("quality: medium, reference_images: 1", calls=3),
    "limited": Asked("quality: low", calls=9),
    "streamed": Asked("quality: low, partial_images: 1", calls=3),
    "left": Asked("quality: medium", timeouts=f"total: {LEFT_AFTER_S}"),
    "streamed-edit": Asked("quality: low, partial_images: 1, reference_images: 1", repeats=2),
    "plain": Asked("quality: low"),
    "edit": Asked("quality: low, reference_images: 1"),
    "refused": Asked("quality: low"),
}

SCENARIO = """
name: litellm
why: What of a job is left behind LiteLLM.
model: {model}
prompts: [A red apple on a white table]
defaults: {{size: 1024x1024, {fields}}}
repeats: {repeats}
routes: {{gateway: {{kind: compatible, base_url: "{base_url}", owner: gateway, api_key_env: LITELLM_TEST_KEY}}}}
timeouts: {{{timeouts}}}
budget: {{jobs: 5}}
"""


@dataclass(frozen=True)
class Seen:
    """One run: what the harness recorded, and what really happened behind the gateway."""

    events: Sequence[dict[str, Any]]
    truth: Sequence[dict[str, Any]]
    requests: Path  # LiteLLM's own log, of all models, as far as it has come

    @property
    def event(self) -> dict[str, Any]:
        """The only job."""
        (event,) = self.events
        return event

    @property
    def attempt(self) -> dict[str, Any]:
        """Its only attempt."""
        (attempt,) = self.event["attempts"]
        return dict(attempt)

    @property
    def error(self) -> Mapping[str, Any]:
        """What it was told."""
        return dict(self.attempt["error"])


Behind = Callable[[str], Seen]  # what was seen of one of `RUNS`


@dataclass(frozen=True)
class Bench:
    """The proxy, the API behind it, and the command line in front."""

    proxy: Proxy
    log: Path
    folder: Path
    harness: Harness

    def run(self, port: str, asked: Asked) -> Seen:
        """Run jobs through the proxy to the API's port of that name."""
        scenario = SCENARIO.format(
            model=port,
            fields=asked.fields,
            repeats=asked.repeats,
            base_url=self.proxy.base_url,
            timeouts=asked.timeouts,
        )
        out = self.folder / port
        args = ("run", "-", "--out", out, "--quiet", "--yes", "--time-scale", SCALE)
        done = self.harness(*args, stdin=scenario, env={"LITELLM_TEST_KEY": self.proxy.key})
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
        return Seen(events, self._truth(port, asked.calls), self.folder / "requests.jsonl")

    def _truth(self, port: str, calls: int) -> list[dict[str, Any]]:
        """Every call that reached this port. A record is written when its image is made, maybe after the answer."""
        limit = time.monotonic() + 20
        while len(found := self._records(port)) < calls and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(LONGEST_S / SCALE if found and found[0]["quality"] == "medium" else 0.2)
        return self._records(port)

    def _records(self, port: str) -> list[dict[str, Any]]:
        lines = self.log.read_bytes().splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return sorted((one for one in records if one["entry"] == port), key=lambda one: one["received_ns"])


@pytest.fixture(scope="session")
def behind_litellm(tmp_path_factory: pytest.TempPathFactory, harness: Harness) -> Iterator[Behind]:
    """One proxy for all, as it comes: only the address behind each model, and the timeout of two, are ours."""
    if not is_installed():
        reason = f"there is no {HOME.name}; `make gateways` puts it there"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("litellm")
    log = folder / "truth.jsonl"
    world = {
        "time_scale": SCALE,
        "seed": 2,
        "layers": {port: {} for port in ("warm", *RUNS)},
        "faults": [
            {"fault": "moderation_input", "entry": "refused"},
            {"fault": "429;retry_after=0.5", "entry": "limited"},
        ],
    }
    with spawn(world, log=log) as sim:
        models = {
            port: {"api_base": sim.entries[port], **({"timeout": TIMEOUT_S} if port.startswith("slow") else {})}
            for port in ("warm", *RUNS)
        }
        with litellm(models, folder) as proxy, ThreadPoolExecutor(4) as pool:
            made = Bench(proxy, log, folder, harness)
            made.run("warm", Asked("quality: low"))  # its first call takes a second of imports
            runs = {port: pool.submit(made.run, port, asked) for port, asked in RUNS.items()}
            yield lambda port: runs[port].result()


def made_behind(seen: Seen) -> list[bool]:
    """Of each call that reached the API, in order: was its image made?"""
    return [record["finished"] for record in seen.truth]


def test_a_generation_comes_through_and_nothing_of_the_api_s_own_ids_and_times_does(behind_litellm: Behind) -> None:
    seen = behind_litellm("plain")
    event, attempt = seen.event, seen.attempt
    assert (event["outcome"], event["gateway"]) == ("image", "litellm")
    assert set(attempt["ids"]) == {"x-litellm-call-id"}
    assert (event["request_id"], event["server_ms"]) == (None, None)
    assert (event["gateway_retries"], event["gateway_fallbacks"]) == (None, None)
    assert attempt["headers"]["x-litellm-version"] == PINNED
    # Its own time is one inside of ours; it is of this machine's clock, and ours is of the world's.
    assert 0 < attempt["gateway_ms"] * SCALE < event["final_image_ms"]
    (record,) = seen.truth
    assert (record["api"], record["status_sent"], record["finished"]) == ("images.generations", 200, True)
    assert record["client_request_id"] is None  # our own id does not get through to the API either
    assert record["latency_s"] * 1000 < event["final_image_ms"]


def test_an_edit_keeps_the_api_s_ids_and_times_under_names_of_litellm(behind_litellm: Behind) -> None:
    seen = behind_litellm("edit")
    event, attempt = seen.event, seen.attempt
    (record,) = seen.truth
    assert (event["outcome"], event["gateway"]) == ("image", "litellm")
    assert attempt["ids"]["llm_provider-x-request-id"] == attempt["ids"]["request-id"] == record["request_id"]
    assert "x-litellm-call-id" in attempt["ids"]
    assert event["request_id"] is None
    assert (event["gateway_retries"], event["gateway_fallbacks"]) == (0, 0)
    assert event["server_ms"] == pytest.approx(record["latency_s"] * 1000, abs=1)
    assert (record["api"], record["reference_images"]) == ("images.edits", 1)


def test_a_streamed_generation_fails_although_the_api_made_it_three_times(behind_litellm: Behind) -> None:
    seen = behind_litellm("streamed")
    event = seen.event
    assert (event["outcome"], event["ended"], event["http_status"]) == ("error", "complete", 500)
    assert (event["error_type"], event["error_code"]) == ("internal_server_error", "500")
    assert "'str' object has no attribute 'model_dump'" in seen.error["message"]
    assert event["images"] == []
    assert event["cost_basis"] == "maybe_billed"
    # It does not say that it tried again, so we do not know: only the log of the API has it.
    assert (event["gateway"], event["gateway_retries"], event["retry_count"]) == ("litellm", None, 0)
    assert made_behind(seen) == [True] * 3
    assert {(record["stream"], record["status_sent"]) for record in seen.truth} == {(True, 200)}
    assert sum(record["billed_output_tokens"] for record in seen.truth) == 3 * (196 + 100)
    assert event["total_ms"] > 1000 * sum(record["latency_s"] for record in seen.truth)


def test_a_streamed_edit_fails_once_and_the_next_call_meets_a_cooldown_instead_of_the_api(
    behind_litellm: Behind,
) -> None:
    """The 429 is the gateway's own, with a retry-after; the API's limits have nothing to do with it."""
    seen = behind_litellm("streamed-edit")
    first, second = seen.events
    assert (first["outcome"], first["http_status"], first["error_type"]) == ("error", 500, "internal_server_error")
    told = first["attempts"][0]["error"]
    assert "event: image_edit.partial_image" in told["message"]  # the stream itself, inside of an error's message
    assert told["message_chars"] > 100_000
    assert len(told["message"]) < 1_000
    assert (second["outcome"], second["http_status"]) == ("error", 429)
    assert second["error_type"] == "all_deployments_in_cooldown"
    assert second["attempts"][0]["headers"]["retry-after"] == "5"
    assert second["gateway"] == "litellm"
    assert made_behind(seen) == [True]


def test_an_api_slower_than_litellm_s_timeout_is_called_nine_times_for_one_408(behind_litellm: Behind) -> None:
    """Three tries of the SDK inside of LiteLLM for each of three of its router. LiteLLM closes each, and it is made."""
    seen = behind_litellm("slow")
    event = seen.event
    assert (event["outcome"], event["http_status"]) == ("error", 408)
    assert (event["error_type"], event["error_code"]) == ("invalid_request_error", "408")
    assert seen.error["message"].startswith("litellm.Timeout: APITimeoutError - Request timed out.")
    assert (event["gateway"], event["gateway_retries"], event["retry_count"]) == ("litellm", None, 0)
    assert event["cost_basis"] == "maybe_billed"
    assert event["total_ms"] > 9 * TIMEOUT_S * SCALE * 1000
    assert made_behind(seen) == [True] * 9
    assert all(record["finished_after_client_left"] and record["status_sent"] is None for record in seen.truth)
    assert sum(record["billed_output_tokens"] for record in seen.truth) == 9 * 1756


def test_an_edit_slower_than_litellm_s_timeout_is_called_three_times_and_names_the_timeout(
    behind_litellm: Behind,
) -> None:
    seen = behind_litellm("slow-edit")
    event = seen.event
    assert (event["outcome"], event["http_status"], event["gateway_retries"]) == ("error", 408, None)
    assert f"Timeout passed={TIMEOUT_S}" in seen.error["message"]
    assert seen.attempt["headers"]["x-litellm-timeout"] == f"{TIMEOUT_S}"
    assert made_behind(seen) == [True] * 3
    assert all(record["finished_after_client_left"] for record in seen.truth)


def test_a_client_that_leaves_leaves_an_image_behind_that_litellm_waits_for_and_takes(behind_litellm: Behind) -> None:
    """The API never learns that anybody left: its client is LiteLLM, which stays until the answer is there.

    So its record does not say ``finished_after_client_left``; that the image came after us is told by the clocks.
    """
    seen = behind_litellm("left")
    event = seen.event
    assert (event["outcome"], event["ended"], event["timeout_layer"]) == ("cut", "local_cap", "client.total")
    assert (event["gateway"], event["http_status"], event["cost_basis"]) == (None, None, "maybe_billed")
    (record,) = seen.truth  # and it is not tried again
    assert record["finished"]
    assert (record["status_sent"], record["client_gone_ns"], record["finished_after_client_left"]) == (200, None, False)
    assert (
        record["made_ns"] - record["received_ns"]
    ) / 1e9 * SCALE > LEFT_AFTER_S  # and it was received after we had begun


def test_a_moderation_refusal_comes_through_without_its_code_and_stage(behind_litellm: Behind) -> None:
    seen = behind_litellm("refused")
    event = seen.event
    assert (event["outcome"], event["http_status"], event["gateway"]) == ("error", 400, "litellm")
    assert (event["error_type"], event["error_code"]) == ("image_generation_user_error", "400")
    assert seen.error["moderation_stage"] is None
    assert "rejected by the safety system" in seen.error["message"]
    (record,) = seen.truth  # a refusal is not tried again
    assert (record["status"], record["fault"], record["finished"]) == (400, "moderation_input", False)


def test_a_rate_limit_is_run_into_nine_times_and_its_retry_after_is_gone(behind_litellm: Behind) -> None:
    """Each of the nine waited as long as the API had asked; the last 429 does not say how long that is."""
    seen = behind_litellm("limited")
    event = seen.event
    assert (event["outcome"], event["http_status"]) == ("error", 429)
    assert (event["error_type"], event["error_code"]) == ("throttling_error", "429")
    assert "retry-after" not in seen.attempt["headers"]
    assert (event["gateway"], event["gateway_retries"]) == ("litellm", None)
    assert made_behind(seen) == [False] * 9


def test_its_own_request_log_names_it_as_what_gave_up(behind_litellm: Behind, tmp_path: Path) -> None:
    """The log alone, read as logs are: each try a record, the call's id the same, and nothing of what was asked."""
    seen = behind_litellm("slow")
    behind_litellm("plain")
    found, events = logged(seen, tmp_path, lambda events: "slow" in events and "plain" in events)
    assert found.files[0].format == "LiteLLM"
    assert [attempt.http_status for attempt in events["slow"].attempts] == [408] * 3
    words = events["slow"].attempts[-1].log_words
    assert len(words) == 3
    for attempt, word in zip(events["slow"].attempts, words, strict=True):
        assert (word.writer, word.gave_up, word.word) == ("litellm", "self", "litellm.exceptions.Timeout")
        assert attempt.marks.ended_at_ms - attempt.marks.started_at_ms >= TIMEOUT_S * 1000
    assert seen.attempt["ids"]["x-litellm-call-id"] == events["slow"].attempts[-1].ids["call"]
    by_job = {one.job_id: one for one in diagnose_run(tmp_path / "run")[1]}
    verdict = by_job[events["slow"].job_id]
    assert (verdict.verdict, verdict.grade, verdict.product) == ("false_timeout", "attributed", "litellm")
    whole = events["plain"]
    assert (whole.outcome, whole.size, whole.attempts[-1].http_status) == ("image", "1024x1024", 200)
    (record,) = behind_litellm("plain").truth
    assert whole.request_id == record["request_id"]
    assert "red apple" not in (tmp_path / "run" / "events.jsonl").read_text()


def logged(
    seen: Seen, folder: Path, is_whole: Callable[[dict[str, JobEvent]], bool]
) -> tuple[Intake, dict[str, JobEvent]]:
    """What intake makes of the log, by model; LiteLLM writes it a moment after it answers."""
    limit = time.monotonic() + 20
    while True:
        said = (seen.requests.parent / "litellm.log").read_text(encoding="utf-8", errors="replace")
        if seen.requests.exists():
            shutil.rmtree(folder / "run", ignore_errors=True)
            found = take_in([seen.requests], folder / "run")
            events = {event.model: event for event in read_events(folder / "run" / "events.jsonl")[0]}
            if is_whole(events):
                return found, events
        assert time.monotonic() < limit, said[-3000:]
        time.sleep(0.2)
