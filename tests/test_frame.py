"""The journal as columns."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.errors import UsageProblem
from harness.events import ApiError, Attempt, JobEvent, Marks, Span, Usage, to_line
from harness.frame import LEFT_OUT, UNREAD, frame_of, load_frame, parsed


def an_attempt(number: int = 1, **changes: object) -> Attempt:
    base = Attempt(
        number=number,
        client_request_id=f"c{number}",
        marks=Marks(started_at_ms=0, request_sent_at_ms=12.5, ended_at_ms=900),
        ended="complete",
        http_status=200,
    )
    return msgspec.structs.replace(base, **changes)


def test_a_job_that_was_sent_again_costs_both_of_its_orders(tmp_path: Path) -> None:
    """The budget counts what nobody saw the answer of, and so does every figure that is read later."""
    seen = an_attempt(http_status=None, ended="unseen")
    again = {"cost_usd": 0.05, "earlier_attempts_usd": None}
    died = {"outcome": "unknown", "cost_basis": "maybe_billed", "attempts": (seen,), "cost_usd": 0.05}
    events = [
        an_event(job_id="once", **again),
        an_event(job_id="resent", **died),
        an_event(job_id="resent", **{**died, "outcome": "cancelled", "attempts": (an_attempt(ended="cancelled"),)}),
        an_event(job_id="often", **{**died, "cost_usd": 0.15, "earlier_attempts_usd": 0.1, "retry_count": 3}),
        an_event(job_id="unpriced", **{**died, "cost_usd": None}),
        *(an_event(job_id=job, attempts=(an_attempt(),), **again) for job in ("resent", "often", "unpriced")),
    ]
    (tmp_path / "events.jsonl").write_bytes(b"".join(to_line(event) for event in events))
    frame, _ = load_frame(tmp_path / "events.jsonl")
    told = frame.set_index("job_id")
    assert list(told.index) == ["once", "resent", "often", "unpriced"]
    assert told["cost_usd"].tolist() == pytest.approx([0.05, 0.15, 0.2, np.nan], nan_ok=True)
    assert told["earlier_attempts_usd"].tolist() == pytest.approx([np.nan, 0.1, 0.15, np.nan], nan_ok=True)
    assert told["earlier_orders"].tolist() == [0, 2, 3, 1]


def test_orders_that_were_refused_or_never_left_were_not_carried_out() -> None:
    earlier = [an_attempt(ended="connect_failed", http_status=None), an_attempt(http_status=429), an_attempt()]
    tries = (*earlier, an_attempt(http_status=None, ended="local_cap"), an_attempt(http_status=503), an_attempt())
    frame = frame_of([an_event(attempts=tries), an_event(job_id="j2", attempts=(an_attempt(http_status=503),))])
    assert frame["earlier_orders"].tolist() == [3, 0]


def an_event(**changes: object) -> JobEvent:
    base = JobEvent(
        run_id="r",
        job_id="j1",
        cell="c",
        block=0,
        position=0,
        request_started_at="2026-01-01T00:00:00+00:00",
        timezone="+00:00",
        route="direct",
        route_kind="images",
        route_owner="openai",
        endpoint="images.generate",
        model="gpt-image-2",
        prompt_chars=9,
        prompt_hash="ab",
        outcome="image",
        ended="complete",
        attempts=(an_attempt(),),
    )
    return msgspec.structs.replace(base, **changes)


def test_every_flat_field_of_an_event_is_a_column_or_left_out_with_a_reason() -> None:
    columns = set(frame_of([an_event()]).columns)
    fields = set(JobEvent.__struct_fields__)
    assert fields - columns == set(LEFT_OUT) - {"notes"}


def test_no_events_give_the_same_columns_with_the_same_kinds() -> None:
    some, none = frame_of([an_event()]), frame_of([])
    assert list(none.columns) == list(some.columns)
    assert len(none) == 0
    assert none["n"].dtype == some["n"].dtype == np.int64


def test_what_did_not_happen_is_missing_and_not_zero() -> None:
    frame = frame_of([an_event()])
    assert np.isnan(frame["final_image_ms"][0])
    assert frame["quality"].isna()[0]
    assert np.isnan(frame["mark_final_image_at_ms"][0])


def test_the_marks_are_those_of_the_last_attempt() -> None:
    last = an_attempt(
        2,
        marks=Marks(
            started_at_ms=1000,
            partial_images=(Span(first_byte_at_ms=1400, whole_at_ms=1500),),
            final_images=(Span(first_byte_at_ms=1900, whole_at_ms=2000),),
            final_image_at_ms=2000,
            ended_at_ms=2001,
        ),
        cap="idle",
        headers={"server": "nginx"},
        connection_reused=True,
    )
    first = an_attempt(1, http_status=429)
    row = frame_of([an_event(attempts=(first, last), retry_count=1)]).iloc[0]
    assert row["mark_started_at_ms"] == 1000
    assert parsed(row["mark_partial_images"]) == [1500]
    assert row["mark_final_first_byte_at_ms"] == 1900
    assert (row["cap"], row["header_server"], row["connection_reused"]) == ("idle", "nginx", 1.0)
    assert (row["attempt_count"], row["rate_limited_attempts"], row["attempt_statuses"]) == (2, 1, "429 200")


def test_a_job_that_never_began_has_a_row() -> None:
    row = frame_of([an_event(attempts=(), outcome="unknown", ended="unseen")]).iloc[0]
    assert row["attempt_count"] == 0
    assert np.isnan(row["mark_started_at_ms"])
    assert row["mark_partial_images"] is None


def test_usage_is_spread_out_and_prompts_stay_behind() -> None:
    frame = frame_of([an_event(usage=Usage(output_tokens=4160), prompt_text="a secret cat")])
    assert frame["usage_output_tokens"][0] == 4160
    assert "a secret cat" not in frame.to_csv()


def test_lines_that_are_no_events_come_back_beside_the_frame(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = to_line(an_event(error_type="x", attempts=(an_attempt(error=ApiError(type="x")),)))
    other = to_line(an_event(job_id="another"))
    path.write_bytes(line + b'{"event":"image_job"}\n\n' + other + b'{"event":"image_')
    frame, bad = load_frame(path)
    assert len(frame) == 2
    assert [(entry.line, entry.reason.split(" ")[0]) for entry in bad] == [(2, "not"), (5, "torn")]


def test_a_missing_journal_is_a_usage_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        load_frame(tmp_path / "none.jsonl")


def test_rows_keep_the_order_of_the_journal() -> None:
    frame = frame_of([an_event(job_id=name) for name in ("b", "a", "c")])
    assert frame["job_id"].tolist() == ["b", "a", "c"]


def test_of_two_events_of_one_job_the_later_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(to_line(an_event(outcome="unknown")) + to_line(an_event(outcome="image")))
    frame, _ = load_frame(path)
    assert list(frame["outcome"]) == ["image"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"event":"image_job"}', "not a job event"),
        (b'{"a":1}', "not a job event"),
        (b"[]", "not a job event"),
        (b"not json at all", "not JSON"),
    ],
)
def test_whatever_is_wrong_with_a_line_the_others_are_read(line: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(to_line(an_event(job_id="a")) + line + b"\n" + b"\n" + to_line(an_event(job_id="b")))
    frame, bad = load_frame(path)
    assert frame["job_id"].tolist() == ["a", "b"]
    assert [(one.line, one.reason.startswith(reason)) for one in bad] == [(2, True)]


def test_a_word_that_no_event_holds_makes_its_line_a_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    good, other = to_line(an_event(job_id="a")), to_line(an_event(job_id="b"))
    path.write_bytes(good + other.replace(b'"outcome":"image"', b'"outcome":"splendid"'))
    frame, bad = load_frame(path)
    assert frame["job_id"].tolist() == ["a"]
    assert [one.line for one in bad] == [2]


def test_lines_of_older_and_newer_writers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    whole = msgspec.json.decode(to_line(an_event(job_id="a")))
    older = {
        name: value for name, value in whole.items() if name not in {"time_scale", "n", "stream", "clock_error_ms"}
    }
    newer = {**whole, "job_id": "b", "unheard_of": {"deep": [1]}}
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in (older, newer)))
    frame, bad = load_frame(path)
    assert bad == []
    assert frame["time_scale"].tolist() == [1.0, 1.0]
    assert frame["n"].tolist() == [1, 1]
    assert frame["stream"].tolist() == [False, False]


def test_words_that_come_late_and_odd_characters_are_read_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    odd = 'späte\' "Zelle" \\ \u2028'
    lines = [to_line(an_event(job_id=f"j{i}", cell="early")) for i in range(20_500)]
    path.write_bytes(b"".join(lines) + to_line(an_event(job_id="last", cell=odd, quality="high")))
    frame, bad = load_frame(path)
    assert bad == []
    assert frame["cell"].value_counts().to_dict() == {"early": 20_500, odd: 1}
    assert frame["quality"].iloc[-1] == "high"
    assert frame["quality"].isna().sum() == 20_500


def test_a_lean_frame_is_the_same_without_what_nobody_looks_at(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(to_line(an_event(job_id="a", attempts=(an_attempt(http_status=429),), outcome="error")))
    full, lean = load_frame(path)[0], load_frame(path, lean=True)[0]
    assert set(full.columns) - set(lean.columns) == UNREAD
    assert lean.equals(full[list(lean.columns)])
    assert lean["rate_limited_attempts"].tolist() == [1]


def test_a_path_with_a_quote_in_it_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "it's.jsonl"
    path.write_bytes(to_line(an_event(job_id="a")))
    assert load_frame(path)[0]["job_id"].tolist() == ["a"]
