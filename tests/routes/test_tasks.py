"""Answers of task APIs read by a mapping: every kind of bad one is an outcome that names the path, and no value."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.routes.tasks import Task, read_task, result_links
from harness.wire.caps import Caps
from harness.wire.scrub import Scrubber
from harness.wire.stamp import at
from harness.wire.trace import Trace

from .tasking import KEY, MARK, TAKEN, fill, go, options, outcome, said


def test_a_good_task_gives_its_links_with_the_stamps_of_the_poll_that_saw_it_done() -> None:
    done = said("ok", text='{"urls": ["http://h/1", "http://h/2"]}', queued=20, made=1500.5)
    trace, answer = go(options(), TAKEN, said("waiting"), said("busy"), done)
    assert answer.links == ("http://h/1", "http://h/2") == result_links(options(), trace)
    assert answer.linked == ((at(400_000_000), at(400_000_000)),) * 2
    assert (answer.error, answer.notes, answer.missing_path, answer.body_shape) == (None, (), None, None)
    assert answer.task is not None
    assert (answer.task.task_id, answer.task.polls) == ("t-1", 3)
    assert (answer.task.submitted, answer.task.running) == (at(100_000_000), at(300_000_000))
    assert (answer.task.queue_ms, answer.task.server_ms) == (20.0, 1500.5)


@pytest.mark.parametrize(
    ("submitted", "missing", "shape"),
    [
        ({"task": {"name": MARK}}, "task.id (nothing at task.id)", "{task: {name: text}}"),
        ({"job": {"id": MARK}}, "task.id (nothing at task)", "{job: {id: text}}"),
        ({"task": {"id": None}}, "task.id (nothing at task.id)", "{task: {id: null}}"),
        ({"task": {"id": ""}}, "task.id", "{task: {id: text}}"),
        ({"task": {"id": True}}, "task.id", "{task: {id: bool}}"),
        ({"task": {"id": {"v": MARK}}}, "task.id", "{task: {id: {v: text}}}"),
        ({"task": {"id": MARK * 100}}, "task.id", "{task: {id: text}}"),
        ({"task": {"id": f"{MARK}\r\nx: y"}}, "task.id", "{task: {id: text}}"),
        ([MARK, MARK], "task.id (nothing at task)", "[text × 2]"),
        (MARK, "task.id (nothing at task)", "text"),
        ({KEY: 1, f"{MARK} key": 2}, "task.id (nothing at task)", "{[secret]: number, (key): number}"),
    ],
)  # fmt: skip
def test_a_submit_without_an_id_names_the_path_and_the_shape(submitted: Any, missing: str, shape: str) -> None:
    trace, answer = go(options(), submitted, said("ok"))
    assert (answer.missing_path, answer.body_shape) == (missing, shape)
    assert "mapping_does_not_fit" in answer.notes
    assert outcome(trace, answer) == "empty"
    assert trace.legs == []
    assert MARK not in repr(replace(answer, task=None))


@pytest.mark.parametrize(
    ("body", "kind", "head", "notes"),
    [
        (b"<html><h1>502 Bad Gateway</h1></html>", "text/html", "502 Bad Gateway", ()),
        (b"<html><h1>502 Bad Gateway</h1></html>", "application/json", "502 Bad Gateway", ()),
        (b'{"task": {"id": "t', "application/json", None, ("json_invalid",)),
        (b"", "application/json", None, ()),
        (b"\x89PNG\0\0", "image/png", None, ()),
    ],
)
def test_a_submit_answered_with_something_else_than_json_is_an_outcome(
    body: bytes, kind: str, head: str | None, notes: tuple[str, ...]
) -> None:
    trace, answer = go(options(), body, kind=kind)
    assert (answer.missing_path, answer.body_shape, answer.notes) == (None, None, notes)
    assert (head in (answer.body_head or "")) if head else answer.body_head is None
    assert outcome(trace, answer) == "empty"


@pytest.mark.parametrize(
    ("submitted", "status", "code", "message"),
    [
        ({"status": 455, "msg": "No credits left"}, 200, "455", "No credits left"),
        ({"status": 401, "task": {"id": "t", "code": "AUTH", "why": "Who?"}}, 200, "AUTH", "Who?"),
        ({"status": "500"}, 200, "500", None),
        ({"status": {"v": MARK}}, 200, None, None),
        ({"error": {"code": "moderation_blocked", "message": "No."}}, 200, "moderation_blocked", "No."),
        ({"error": "No."}, 200, None, "No."),
        ({"error": {"code": "quota", "message": "No."}}, 429, "quota", "No."),
        ({"detail": "No such model"}, 404, None, "No such model"),
    ],
)
def test_a_refusal_is_an_error_whatever_the_status_says(
    submitted: Any, status: int, code: str | None, message: str | None
) -> None:
    trace, answer = go(options(), submitted, status=status)
    assert answer.error is not None
    assert (answer.error.code, answer.error.message) == (code, message)
    assert Task(options()).taken_on(trace) is None
    assert outcome(trace, answer) == "error"


@pytest.mark.parametrize(
    ("poll", "missing", "shape"),
    [
        ({"task": {"phase": MARK}}, "task.state (nothing at task.state)", "{task: {phase: text}}"),
        ([{"state": MARK}], "task.state (nothing at task)", "[{state: text} × 1]"),
        (said(MARK), "task.state (a word that the mapping does not name)", "{status: number, task: {state: text}}"),
        (said(None), "task.state (nothing at task.state)", "{status: number, task: {state: null}}"),
        (said([MARK]), "task.state (a word that the mapping does not name)",
         "{status: number, task: {state: [text × 1]}}"),
    ],
)  # fmt: skip
def test_polls_that_the_mapping_does_not_fit_name_the_path_and_the_shape(poll: Any, missing: str, shape: str) -> None:
    trace, answer = go(options(), TAKEN, said("waiting"), *[poll] * 3)
    assert (answer.missing_path, answer.body_shape, answer.error) == (missing, shape, None)
    assert (
        {"mapping_does_not_fit"} < set(answer.notes) <= {"mapping_does_not_fit", "poll_failed", "unknown_task_status"}
    )
    assert outcome(trace, answer) == "empty"
    assert MARK not in repr(answer)


RESULT = "task.text|json.urls[*]"


@pytest.mark.parametrize(
    ("done", "missing"),
    [
        (said("ok"), f"{RESULT} (nothing at task.text)"),
        (said("ok", text=f"<html>{MARK}</html>"), f"{RESULT} (nothing at task.text|json)"),
        (said("ok", text='{"urls": ["' + MARK), f"{RESULT} (nothing at task.text|json)"),
        (said("ok", text={"urls": [MARK]}), f"{RESULT} (nothing at task.text|json)"),
        (said("ok", text=json.dumps({"links": [MARK]})), f"{RESULT} (nothing at task.text|json.urls)"),
        (said("ok", text='{"urls": []}'), f"{RESULT} (nothing at task.text|json.urls[*])"),
        (said("ok", text='{"urls": [1, null, ""]}'), RESULT),
        (said("ok", text=json.dumps({"urls": [{"u": MARK}]})), RESULT),
    ],
)
def test_a_result_path_that_leads_nowhere_says_how_far_it_led(done: Any, missing: str) -> None:
    trace, answer = go(options(), TAKEN, done)
    assert answer.missing_path == missing
    assert answer.body_shape is not None
    assert answer.notes == ("mapping_does_not_fit",)
    assert (answer.links, answer.finals, outcome(trace, answer)) == ((), (), "empty")
    assert MARK not in repr(answer)


def test_a_result_of_a_further_call_is_read_there_and_nowhere_else() -> None:
    task = options(result_path="/make/{id}/result", result="images[*]")
    _, answer = go(task, TAKEN, said("ok"), result={"images": ["http://h/1"]})
    assert (answer.links, answer.linked) == (("http://h/1",), ((at(200_000_000), at(200_000_000)),))
    _, answer = go(task, TAKEN, said("ok"), result=b"<html>gone</html>")
    assert (answer.body_kind, answer.body_head) == ("html", "<html>gone</html>")
    _, answer = go(task, {**TAKEN, "images": ["http://h/not-the-result"]}, said("ok"))
    assert (answer.links, answer.missing_path) == ((), None)  # our own cap came before that call


def test_an_image_that_an_answer_holds_is_here_when_that_answer_is() -> None:
    task = options(result_path="/make/{id}/result", result="images[*]")
    _, answer = go(task, TAKEN, said("ok"), result={"images": ["QUJD", "data:image/png;base64,QUJD"]})
    assert [(payload.encoded, payload.whole) for payload in answer.finals] == [(b"QUJD", at(900_000_000))]
    assert answer.linked == ((at(900_000_000), at(900_000_000)),)


@pytest.mark.parametrize(
    ("poll", "code", "message"),
    [
        (said("broken", code="moderation", why="No herons."), "moderation", "No herons."),
        (said("broken"), "task_failed", None),
        (said("broken", code=451), "451", None),
        ({"status": 501, "msg": "generation failed"}, "501", "generation failed"),
        ({**said("broken"), "error": {"code": "c", "message": "m"}}, "c", "m"),
    ],
)
def test_a_task_that_failed_is_an_error_and_is_over(poll: Any, code: str, message: str | None) -> None:
    trace, answer = go(options(), TAKEN, said("busy"), poll, said("ok", text='{"urls": ["http://h/1"]}'))
    assert answer.error is not None
    assert (answer.error.code, answer.error.message) == (code, message)
    assert (answer.links, outcome(trace, answer)) == ((), "error")
    assert answer.task is not None
    assert answer.task.polls == 2


def test_polls_that_fail_in_a_row_end_the_task_and_their_own_error_is_told() -> None:
    refusal = {"error": {"code": "not_found", "message": "No such task."}}
    trace, answer = go(options(), TAKEN, said("busy"), *[refusal] * 9, status=404)
    assert answer.task is not None
    assert answer.task.polls == 4  # two may fail
    assert answer.error is not None
    assert answer.error.code == "not_found"
    assert outcome(trace, answer) == "error"


@pytest.mark.parametrize("code", ["200", 200])
def test_a_code_that_says_all_right_may_be_a_text(code: object) -> None:
    trace, answer = go(options(), {**TAKEN, "status": code})
    assert (Task(options()).taken_on(trace), answer.error) == ("t-1", None)


def test_a_compressed_answer_is_read_although_none_was_asked_for() -> None:
    trace, seen = Trace(Caps()), Task(options())
    fill(trace, gzip.compress(json.dumps(TAKEN).encode()), 100)
    trace.headers.append(("content-encoding", "gzip"))
    assert seen.taken_on(trace) == "t-1"


def test_the_polls_error_begins_before_the_look_that_found_it_unfinished_was_sent() -> None:
    """Our stamp of having sent may be later than the other side's look: this process may be held in between."""
    trace, seen = Trace(Caps()), Task(options())
    fill(trace, TAKEN, 100)
    for ms, answer in ((200, said("busy")), (300, said("ok", text='{"urls": ["http://h/1"]}'))):
        leg = trace.leg("poll")
        fill(leg.trace, answer, ms)
        leg.trace.request_sent_ns = leg.trace.first_byte_ns
        seen.looked(leg, trace)
    task = read_task(options(), trace, Scrubber(prompt="")).task
    assert task is not None
    assert task.poll_error_ns == 110_000_000


@pytest.mark.parametrize("told", ["1" * 400, "1e999", "-1", "true", '"5"', "null", "[]", "{}"])
def test_times_that_cannot_be_are_not_told(told: str) -> None:
    body = f'{{"status": 200, "task": {{"state": "ok", "queued": {told}, "made": {told}, "text": ""}}}}'.encode()
    _, answer = go(options(), TAKEN, body)
    assert answer.task is not None
    assert (answer.task.queue_ms, answer.task.server_ms) == (None, None)


def test_a_message_out_of_json_in_a_text_can_be_written_down() -> None:
    task = options(error_message="task.text|json.why")
    trace, answer = go(task, TAKEN, said("broken", text='{"why": "bad \\ud800 half"}'))
    assert outcome(trace, answer) == "error"


WORDS = st.sampled_from(
    ["id", "task", "state", "status", "text", "error", "code", "why", "urls", "msg", "queued", "made"]
)
STATES = st.sampled_from(
    ["ok", "busy", "waiting", "broken", "t-1", '{"urls": ["http://h/1"]}', "data:,x", "http://[", ""]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**310)
    | st.floats()
    | st.text(max_size=5)
    | STATES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=15,
)
BODIES = JSON | st.builds(said, STATES, text=JSON, code=JSON, why=JSON, queued=JSON) | st.binary(max_size=30)


@settings(max_examples=400, deadline=None)
@given(BODIES | st.just(TAKEN), st.lists(BODIES, max_size=4), st.none() | BODIES, st.sampled_from([None, "/r/{id}"]))
def test_whatever_an_api_answers_is_an_outcome(submitted: Any, polls: list[Any], result: Any, path: str | None) -> None:
    trace, answer = go(options(result_path=path), submitted, *polls, result=result)
    outcome(trace, answer)
    result_links(options(result_path=path), trace)
