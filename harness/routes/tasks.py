"""A task from outside: when to stop asking, and what its exchanges said. Pure: stamped bytes in, plain data out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.events import ApiError, TaskState
from harness.routes.answer import body_kind, read_error
from harness.routes.base import Answer, Payload, TaskSeen
from harness.routes.mapping import (
    NO_JSON,
    app_code,
    body_of,
    json_of,
    meaning,
    plain,
    refused,
    state_of,
    task_id,
    value_of,
)
from harness.scenario.families import TaskOptions
from harness.scenario.paths import look, shape
from harness.wire.scrub import Scrubber
from harness.wire.stamp import Stamp
from harness.wire.trace import Leg, Trace

_FAILED_POLLS_KEPT = 10
_MOST_MS = 1e12


class Task:
    """Where a task is, as its polls say. Decides when to stop; what it all means is said by `read_task`."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options
        self._failed_in_a_row = 0
        self._state: TaskState | None = None
        self.over = False
        self.done = False

    def taken_on(self, trace: Trace) -> str | None:
        """The task's id out of the submit's answer; None where there is none."""
        value = value_of(trace)
        if (trace.http_status or 0) >= 400 or value is None or refused(self._options, value):
            return None
        return task_id(self._options, value)

    def looked(self, leg: Leg, trace: Trace) -> None:
        """Take in what a poll brought. A poll that brought nothing new makes the one before it forgettable."""
        state = leg.said = state_of(self._options, leg)
        if state is None:
            self._failed_in_a_row += 1
            _forget_some_failures(trace)
            self.over = self._failed_in_a_row > self._options.poll.failures
            return
        self._failed_in_a_row = 0
        if state == self._state and state not in ("done", "failed"):
            _forget_the_one_before(leg, trace)
        self._state = state
        self.over = state in ("done", "failed")
        self.done = state == "done"


def _forget_the_one_before(leg: Leg, trace: Trace) -> None:
    """The first poll of a state stays, and the last: between them and the next lies the moment that is sought."""
    same = [one for one in trace.legs if one.kind == "poll" and one.said == leg.said and one is not leg]
    for one in same[1:]:
        trace.legs.remove(one)


def _forget_some_failures(trace: Trace) -> None:
    """The first ones and the latest tell the story; all of them are counted."""
    failed = [one for one in trace.legs if one.kind == "poll" and one.said is None]
    if len(failed) > _FAILED_POLLS_KEPT:
        trace.legs.remove(failed[_FAILED_POLLS_KEPT // 2])


def result_links(options: TaskOptions, trace: Trace) -> tuple[str, ...]:
    """The links to fetch, once a task is done."""
    found = _results(options, trace)
    return tuple(one for one in found if _is_link(one))


def _results(options: TaskOptions, trace: Trace) -> tuple[str, ...]:
    held = _result_trace(options, trace)
    value = None if held is None else value_of(held)
    found = () if value is None else look(value, options.result).values
    flat = [one for item in found for one in (item if isinstance(item, list) else [item])]
    return tuple(one for one in flat if isinstance(one, str) and one)


def _is_link(text: str) -> bool:
    return text.startswith(("http://", "https://", "data:"))


def _result_trace(options: TaskOptions, trace: Trace) -> Trace | None:
    kind = "poll" if options.result_path is None else "result"
    return next((leg.trace for leg in reversed(trace.legs) if leg.kind == kind), None)


def read_task(options: TaskOptions, trace: Trace, scrubber: Scrubber) -> Answer:
    """Everything that the exchanges of one task said."""
    polls = [leg for leg in trace.legs if leg.kind == "poll"]
    submitted = value_of(trace)
    seen = TaskSeen(
        submitted=_whole(trace) if submitted is not None and task_id(options, submitted) else None,
        running=next((leg.trace.first_byte for leg in polls if leg.said == "running"), None),
        callback=_callback(options, trace),
        polls=trace.leg_counts.get("poll", 0),
        poll_error_ns=_coarseness(polls, trace),
        task_id=None if submitted is None else task_id(options, submitted),
    )
    answer = _first_answer(options, trace, submitted, scrubber)
    if not polls or answer.error is not None:
        return replace(answer, task=seen)
    last = polls[-1]
    value = value_of(last.trace)
    notes = dict.fromkeys("unknown_task_status" for leg in polls if leg.said == "other")
    notes |= dict.fromkeys("poll_failed" for leg in polls if leg.said is None)
    answer = Answer(body_kind=_kind(last.trace), notes=tuple(notes))
    if value is not None:
        queue_ms, server_ms = (_told(path, value) for path in (options.queue_ms, options.server_ms))
        seen = replace(seen, queue_ms=queue_ms, server_ms=server_ms)
    if last.said == "failed":
        error = _error(options, value or {}, scrubber, "task_failed")
        return replace(answer, error=error, task=seen)
    if last.said in (None, "other"):
        return replace(_misfit(options, options.status.word, last.trace, answer, scrubber), task=seen)
    if last.said != "done":
        return replace(answer, task=seen)
    return replace(_result(options, trace, last, answer, scrubber), task=seen)


def _first_answer(options: TaskOptions, trace: Trace, value: Mapping[str, Any] | None, scrubber: Scrubber) -> Answer:
    """What the submit said."""
    answer = Answer(body_kind=_kind(trace))
    if value is None:
        return _misfit(options, options.id, trace, answer, scrubber)
    if (trace.http_status or 0) >= 400 or refused(options, value):
        return replace(answer, error=_error(options, value, scrubber, None))
    if task_id(options, value) is None:
        return _misfit(options, options.id, trace, answer, scrubber)
    return answer


def _result(options: TaskOptions, trace: Trace, poll: Leg, answer: Answer, scrubber: Scrubber) -> Answer:
    """The images, with the stamps of the poll that saw the task done."""
    found, held = _results(options, trace), _result_trace(options, trace)
    if held is None:
        return answer  # the call for the result was never made
    if not found:
        return _misfit(options, options.result, held, answer, scrubber)
    # A link is had when the task is seen done; an image that the answer itself holds, when that answer is here.
    seen = poll.trace.body.arrived(0), _whole(poll.trace)
    here = held.body.arrived(0), _whole(held)
    links = tuple(one for one in found if _is_link(one))
    return replace(
        answer,
        finals=tuple(Payload(one.encode("utf-8", "replace"), *here) for one in found if not _is_link(one)),
        links=links,
        linked=tuple(here if one.startswith("data:") else seen for one in links),
    )


def _misfit(options: TaskOptions, path: str, trace: Trace, answer: Answer, scrubber: Scrubber) -> Answer:
    """An answer that the mapping does not fit: which path, how far it led, and what the answer looked like."""
    value, kind = json_of(trace), _kind(trace)
    answer = replace(answer, body_kind=kind)
    if value is NO_JSON and kind == "json":
        note = "json_incomplete" if trace.body_end_ns is None else "json_invalid"
        return replace(answer, notes=(*answer.notes, note))
    if value is NO_JSON:
        text = body_of(trace).head(4096).decode("utf-8", "replace") if kind in {"html", "text"} else ""
        return replace(answer, body_head=scrubber.head(text) if text else None)
    failed = isinstance(value, dict) and ((trace.http_status or 0) >= 400 or value.get("error") is not None)
    error = _error(options, value, scrubber, None) if failed else None
    if error is not None and (error.code or error.type or error.message_chars):
        return replace(answer, error=error)  # no misfit: it says what is wrong
    missing = look(value, path).missing
    why = "" if missing is None else f" (nothing at {missing})"
    if not why and path == options.status.word:
        why = " (a word that the mapping does not name)"
    return replace(
        answer,
        error=error,
        missing_path=path + why,
        body_shape=scrubber.head(shape(value)),
        notes=(*answer.notes, "mapping_does_not_fit"),
    )


def _error(options: TaskOptions, value: Mapping[str, Any], scrubber: Scrubber, code: str | None) -> ApiError | None:
    """The error by the mapping's paths, else by the usual envelope, else by the code inside of the body."""
    inner: dict[str, Any] = {}
    for name, path in (("code", options.error_code), ("message", options.error_message)):
        found = () if path is None else look(value, path).values
        if found and plain(found[0]):
            inner[name] = found[0] if name == "code" else str(found[0])
    if not inner and value.get("error") is not None:
        return read_error(value, scrubber, in_stream=False)
    if "code" not in inner:
        refusal = app_code(options, value)
        inner |= {"code": refusal} if refusal is not None else {"code": code} if code is not None else {}
    if "message" not in inner:
        said = next((value[name] for name in ("msg", "message", "detail") if isinstance(value.get(name), str)), None)
        inner |= {} if said is None else {"message": said}
    return read_error({"error": inner}, scrubber, in_stream=False)


def _told(path: str | None, value: Mapping[str, Any]) -> float | None:
    """A time that the other side states."""
    found = () if path is None else look(value, path).values
    told = found[0] if found and isinstance(found[0], int | float) and not isinstance(found[0], bool) else -1.0
    return float(told) if 0 <= told < _MOST_MS else None


def _coarseness(polls: list[Leg], trace: Trace) -> int | None:
    """How much earlier than it was seen the task may have been done: since the last look that found it unfinished."""
    done = next((leg for leg in polls if leg.said == "done"), None)
    if done is None:
        return None
    before = [leg for leg in polls if leg is not done and leg.said is not None]
    last = before[-1].trace if before else trace
    # When it was sent may be stamped late, and the other side have looked by then: the mark before it holds.
    marks = (last.started_ns, last.pool_acquired_ns, last.tcp_connected_ns, last.tls_done_ns)
    since = max((mark for mark in marks if mark is not None), default=None)
    return None if since is None else _whole(done.trace).ns - since


def _callback(options: TaskOptions, trace: Trace) -> Stamp | None:
    """The first callback that says done, or that says nothing that the mapping can read."""
    for leg in trace.legs:
        if leg.kind != "callback":
            continue
        value = value_of(leg.trace)
        found = () if value is None else look(value, options.status.word).values
        if not found or meaning(options, str(found[0])) in ("done", "failed"):
            return leg.trace.first_byte
    return None


def _whole(trace: Trace) -> Stamp:
    return trace.body.arrived(trace.body.size - 1)


def _kind(trace: Trace) -> Any:
    return body_kind(dict(trace.headers).get("content-type", ""), body_of(trace))
