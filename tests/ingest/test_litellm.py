"""LiteLLM's request log: lines of its own (tests/gateways makes them anew), of which only the values were replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.diagnosis.judge import diagnose_run
from harness.ingest.formats import sniff
from harness.ingest.intake import take_in
from harness.ingest.litellm import read_litellm
from harness.ingest.sightings import Batch
from harness.ingest.source import open_source
from harness.journal_lines import read_events

FIXTURE = Path(__file__).parent / "fixtures" / "litellm.jsonl"


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    source = open_source(FIXTURE, tmp_path)
    assert sniff(source).name == "litellm"  # type: ignore[union-attr]
    return read_litellm(source)


def test_a_success_has_its_shape_its_tokens_its_price_and_the_apis_own_id(batch: Batch) -> None:
    one = batch.table.replace({np.nan: None}).iloc[0]
    assert (one["side"], one["writer"], one["status"], one["finished"]) == ("gateway", "litellm", 200, 1)
    assert (one["model"], one["quality"], one["size"], one["output_format"]) == ("plain", "low", "1024x1024", "png")
    assert (one["images"], one["image_bytes"], one["usage_output_tokens"]) == (1, 300, 196)
    assert one["cost_usd"] == pytest.approx(0.005905)
    assert one["duration_ms"] == pytest.approx(1697.222, abs=0.01)
    assert (one["first_byte_at_ms"], one["stream"]) == (None, None)  # its completionStartTime is the end
    assert (one["client_request_id"], one["path"]) == ("caller-job-plain", "/v1/images/generations")
    assert one["request_id"].startswith("req_")
    assert one["server_ms"] > 1000


def test_a_timeout_of_its_own_is_told_from_an_answer_of_the_api(batch: Batch) -> None:
    table = batch.table.replace({np.nan: None})
    told = {(one.model, one.status, one.gave_up, one.gave_up_word, one.error_type, one.error_code)
            for one in table.itertuples()}  # fmt: skip
    assert told == {
        ("plain", 200, None, None, None, None),
        ("slow", 408, "self", "litellm.exceptions.Timeout", "Timeout", "408"),
        ("refused", 400, None, None, "BadRequestError", "moderation_blocked"),
        ("limited", 429, None, None, "RateLimitError", "429"),
        ("gpt-5", 200, None, None, None, None),
    }
    assert '"retry-after":"1"' in table[table["model"] == "limited"]["reply_headers"].iloc[0]


def test_tries_of_one_call_are_attempts_of_one_job_and_chats_are_no_jobs(tmp_path: Path) -> None:
    found = take_in([FIXTURE], tmp_path / "run")
    assert (found.jobs, found.files[0].other_requests, found.files[0].unreadable) == (4, 1, 1)
    assert [line for line, _ in found.files[0].setbacks] == [9]
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    tries = {event.model: [attempt.http_status for attempt in event.attempts] for event in events}
    assert tries == {"plain": [200], "slow": [408] * 3, "refused": [400], "limited": [429] * 3}
    diagnosis, verdicts = diagnose_run(tmp_path / "run")
    assert diagnosis.conclusive
    by_job = {one.job_id: one for one in verdicts}
    slow = by_job[next(event.job_id for event in events if event.model == "slow")]
    assert (slow.verdict, slow.grade, slow.product) == ("false_timeout", "attributed", "litellm")


def test_users_prompts_addresses_and_messages_stay_where_they_are(batch: Batch, tmp_path: Path) -> None:
    text = batch.table.astype(str)
    assert not text.apply(lambda column: column.str.contains(r"canary|203\.0\.113")).any(axis=None)
    assert batch.table["user_hash"].dropna().str.fullmatch("[0-9a-f]{32}").all()
    assert batch.table["prompt_hash"].nunique() == 1
    assert (batch.table["prompt_chars"].dropna() == len("canary-prompt")).all()
    take_in([FIXTURE], tmp_path / "run")
    assert not [path for path in (tmp_path / "run").iterdir() if "canary" in path.read_text()]
