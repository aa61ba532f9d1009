"""HAR of several browsers: what each entry says, what a broken one costs, and that nothing secret comes along."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.diagnosis.judge import diagnose_run
from harness.ingest import har
from harness.ingest.formats import sniff
from harness.ingest.intake import take_in
from harness.ingest.sightings import Batch
from harness.ingest.source import open_source
from harness.journal_lines import read_events
from harness.simulator.process import spawn

FIXTURES = Path(__file__).parent / "fixtures"


def read(path: Path, scratch: Path) -> Batch:
    scratch.mkdir(exist_ok=True)
    source = open_source(path, scratch)
    assert sniff(source).name == "har"  # type: ignore[union-attr]
    return har.read_har(source)


@pytest.fixture
def chromium_har(tmp_path: Path) -> Batch:
    return read(FIXTURES / "har.har", tmp_path / "scratch")


def row(batch: Batch, entry: int) -> dict[str, Any]:
    (found,) = batch.table[batch.table["line"] == entry].to_dict("records")
    return {name: None if isinstance(value, float) and value != value else value for name, value in found.items()}


def test_an_image_has_its_times_its_shape_and_its_ids(chromium_har: Batch) -> None:
    one = row(chromium_har, 1)
    assert (one["started_at_s"], one["duration_ms"]) == (pd.Timestamp("2026-11-21T10:00:00.250Z").timestamp(), 5000)
    assert one["connect_ms"] == 50  # ssl is within connect
    assert (one["request_sent_at_ms"], one["first_byte_at_ms"]) == (53, 4853)
    assert (one["status"], one["server_ms"], one["gave_up"]) == (200, 4200, None)
    assert (one["model"], one["quality"], one["size"], one["n"]) == ("gpt-image-2", "low", "1024x1024", 1)
    assert (one["images"], one["image_bytes"], one["usage_output_tokens"]) == (1, 35, 196)
    assert (one["client_request_id"], one["request_id"]) == ("page-job-0000", "req_00000000")
    assert (one["call_id"], one["trace_id"]) == ("0" * 16, "0" * 32)
    assert (one["path"], one["bytes_up"], one["bytes_down"]) == ("/v1/images/generations", 520, 90300)
    assert one["prompt_chars"] == len("canary-prompt of somebody")


def test_tls_that_firefox_counts_beside_connecting_is_before_the_first_byte_as_well(tmp_path: Path) -> None:
    document = json.loads((FIXTURES / "har-firefox.har").read_text())
    entry = document["log"]["entries"][0]
    timings = {"blocked": 1, "dns": 50, "connect": 50, "ssl": 900, "send": 1, "wait": 20_000, "receive": 100}
    document["log"]["entries"] = [
        entry | {"timings": timings, "time": 21_102},
        entry | {"timings": timings | {"connect": 950}, "time": 21_102},
    ]
    (tmp_path / "a.har").write_text(json.dumps(document))
    batch = read(tmp_path / "a.har", tmp_path / "scratch")
    for number in (1, 2):
        one = row(batch, number)
        assert (one["connect_ms"], one["first_byte_at_ms"], one["duration_ms"]) == (1000, 21_002, 21_102)


def test_an_entry_that_was_not_over_has_no_duration_and_no_zero(tmp_path: Path) -> None:
    document = json.loads((FIXTURES / "har-firefox.har").read_text())
    entry = document["log"]["entries"][0]
    nothing = {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 0, "receive": 0}
    document["log"]["entries"] = [entry | {"timings": nothing, "time": time} for time in (-1, 0)]
    (tmp_path / "a.har").write_text(json.dumps(document))
    batch = read(tmp_path / "a.har", tmp_path / "scratch")
    assert [row(batch, number)["duration_ms"] for number in (1, 2)] == [None, None]


def test_who_ended_it_is_the_browsers_own_word(chromium_har: Batch) -> None:
    words = {entry: (row(chromium_har, entry)["gave_up"], row(chromium_har, entry)["gave_up_word"]) for entry in
             (3, 4, 5, 6)}  # fmt: skip
    assert words == {
        3: (None, None),
        4: ("client", "net::ERR_ABORTED"),
        5: ("upstream", "net::ERR_CONNECTION_REFUSED"),
        6: ("upstream", "net::ERR_CONNECTION_RESET"),
    }
    aborted = row(chromium_har, 4)
    assert (aborted["status"], aborted["first_byte_at_ms"], aborted["request_sent_at_ms"]) == (None, None, 3.2)
    refused = row(chromium_har, 5)
    assert (refused["request_sent_at_ms"], refused["duration_ms"]) == (None, 12)


def test_errors_are_told_by_type_and_code_and_pages_by_their_head(chromium_har: Batch) -> None:
    blocked = row(chromium_har, 7)
    assert (blocked["error_type"], blocked["error_code"]) == ("image_generation_user_error", "moderation_blocked")
    page = row(chromium_har, 3)
    assert (page["body_kind"], "nginx/1.27.2" in page["body_head"]) == ("html", True)
    assert json.loads(page["reply_headers"]) == {"server": "nginx/1.27.2", "content-type": "text/html"}


def test_of_a_stream_the_final_images_count_and_its_error_is_an_error(chromium_har: Batch) -> None:
    streamed, failed = row(chromium_har, 10), row(chromium_har, 11)
    assert (streamed["body_kind"], streamed["images"], streamed["image_bytes"]) == ("sse", 1, 300)
    assert streamed["usage_output_tokens"] == 296
    assert (failed["images"], failed["error_type"], failed["error_code"]) == (0, "server_error", "stream_failed")


def test_a_broken_entry_is_told_by_its_number_and_a_preflight_is_no_job(chromium_har: Batch) -> None:
    assert [(bad.line, bad.reason) for bad in chromium_har.bad] == [(8, "entry of another form than HAR 1.2 has")]
    assert sorted(chromium_har.table["line"]) == [1, 3, 4, 5, 6, 7, 9, 10, 11]


@pytest.mark.parametrize("name", ["har.har", "har-firefox.har", "har-safari.har"])
def test_nothing_secret_and_no_host_comes_out_of_a_har(name: str, tmp_path: Path) -> None:
    take_in([FIXTURES / name], tmp_path / "run")
    for path in (tmp_path / "run").iterdir():
        text = path.read_text()
        assert not [word for word in ("canary-", "example.com", "203.0.113", "api-version") if word in text], path
    assert not read(FIXTURES / name, tmp_path / "s").table.astype(str).apply(
        lambda column: column.str.contains("canary-|example.com")
    ).any(axis=None)  # fmt: skip


def test_the_events_are_what_the_entries_say(tmp_path: Path) -> None:
    found = take_in([FIXTURES / "har.har"], tmp_path / "run")
    events, bad = read_events(tmp_path / "run" / "events.jsonl")
    assert (found.files[0].other_requests, found.files[0].unreadable, bad) == (1, 1, [])
    outcomes = {int(event.job_id.split(":")[1]): (event.outcome, event.ended) for event in events}
    assert outcomes == {
        1: ("image", "complete"),
        3: ("error", "complete"),
        4: ("cut", "remote_closed"),
        5: ("unreachable", "connect_failed"),
        6: ("cut", "remote_closed"),
        7: ("error", "complete"),
        10: ("image", "complete"),
        11: ("error", "complete"),
    }


def test_firefox_and_safari_say_the_same_things_in_their_words(tmp_path: Path) -> None:
    firefox = read(FIXTURES / "har-firefox.har", tmp_path / "one")
    assert row(firefox, 1)["started_at_s"] == pd.Timestamp("2026-11-21T10:00:00.250Z").timestamp()
    left = row(firefox, 2)
    assert (left["gave_up"], left["gave_up_word"], left["connect_ms"]) == ("client", "NS_BINDING_ABORTED", None)
    late = row(read(FIXTURES / "har-safari.har", tmp_path / "two"), 2)
    assert (late["gave_up"], late["duration_ms"], late["status"]) == ("self", 61000, None)


def test_of_a_file_that_is_cut_short_all_whole_entries_are_read(tmp_path: Path) -> None:
    whole = (FIXTURES / "har.har").read_bytes()
    cut = tmp_path / "cut.har"
    cut.write_bytes(whole[: whole.index(b'"page-job-0005"')])
    found = read(cut, tmp_path / "scratch")
    assert sorted(found.table["line"]) == [1, 3, 4, 5]
    assert [bad.line for bad in found.bad] == [6]


def test_one_entry_that_is_no_json_costs_that_entry_alone(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.har"
    damaged.write_bytes((FIXTURES / "har.har").read_bytes().replace(b'"page-job-0003"', rb'"\q \" }] "', 1))
    found = read(damaged, tmp_path / "scratch")
    assert sorted(found.table["line"]) == [1, 3, 5, 6, 7, 9, 10, 11]
    assert [bad.line for bad in found.bad] == [4, 8]


@pytest.mark.parametrize("tail", [b'{"a":"' + b'\\"' * 400_000, b"{" * 800_000, b'"' * 800_001, b"[" * 800_000])
def test_no_broken_har_takes_long(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "long.har"
    path.write_bytes(b'{"log":{"entries":[' + tail)
    began = time.monotonic()
    assert read(path, tmp_path / "scratch").table.empty
    assert time.monotonic() - began < 5


def test_a_har_that_is_one_long_line_is_read(tmp_path: Path) -> None:
    document = json.loads((FIXTURES / "har.har").read_text())
    document["log"]["entries"][0]["response"]["content"]["text"] = json.dumps(
        {"data": [{"b64_json": "A" * 20_000_000}]}
    )
    path = tmp_path / "large.har"
    path.write_text(json.dumps(document))
    assert row(read(path, tmp_path / "scratch"), 1)["image_bytes"] == 15_000_000


WORLD = {"time_scale": 60, "seed": 4, "layers": {"capped": {"imitates": "nginx", "cap_s": 60}}}
ASK = """async ([url, number, abortMs]) => {
  const controller = new AbortController();
  if (abortMs) setTimeout(() => controller.abort(), abortMs);
  try {
    const answer = await fetch(url, {
      method: 'POST', signal: controller.signal,
      headers: {'content-type': 'application/json', 'authorization': 'Bearer sk-sim-test',
                'x-client-request-id': 'page-' + number},
      body: JSON.stringify({model: 'gpt-image-2', prompt: 'canary-prompt', quality: 'high', size: '1024x1024'}),
    });
    await answer.text();
    return answer.status;
  } catch (error) { return error.name; }
}"""


@pytest.mark.browser
def test_a_real_chromium_behind_a_proxy_that_gives_up_is_told_so(tmp_path: Path, chromium: str) -> None:
    """The har is Chromium's own; the API's log says that every image was made all the same."""
    from playwright.sync_api import sync_playwright

    truth = tmp_path / "backend.jsonl"
    with spawn(WORLD, log=truth) as sim, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(record_har_path=tmp_path / "real.har")
        page = context.new_page()
        page.goto(sim.entries["direct"].removesuffix("/v1") + "/")
        asked = [*[("capped", number, 0) for number in range(6)], ("direct", 6, 0), ("direct", 7, 700)]
        said = page.evaluate(
            f"(asked) => Promise.all(asked.map({ASK}))",
            [[f"{sim.entries[entry]}/images/generations?canary-query", number, ms] for entry, number, ms in asked],
        )
        context.close()
        browser.close()
        limit = time.monotonic() + 15
        while truth.read_bytes().count(b"\n") < len(asked) and time.monotonic() < limit:
            time.sleep(0.1)
    assert said == [504] * 6 + [200, "AbortError"]
    take_in([tmp_path / "real.har"], tmp_path / "run")
    diagnosis, found = diagnose_run(tmp_path / "run", truth)
    assert diagnosis.headline == "false_timeout"
    by_client = {event.attempts[-1].client_request_id: event for event in read_events(tmp_path / "run/events.jsonl")[0]}
    verdicts = {one.job_id: one for one in found}
    capped = [verdicts[by_client[f"page-{number}"].job_id] for number in range(6)]
    assert {(one.verdict, one.grade, one.backend_finished) for one in capped} == {("false_timeout", "proven", True)}
    # A cap of one second is none that nginx is known for; that it signed is said all the same.
    assert all(any("server nginx" in row.fact for row in one.evidence) for one in capped)
    assert by_client["page-6"].outcome == "image"
    left = by_client["page-7"]
    assert (left.outcome, verdicts[left.job_id].layer) == ("cut", "the browser page")
    assert 500 <= (left.total_ms or 0) < 5000  # Playwright's clock begins a moment after the page's timer
    assert "canary" not in (tmp_path / "run" / "events.jsonl").read_text()
