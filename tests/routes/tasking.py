"""A mapping of every part, and a task that is played to it: stamped answers in, what was made of them out."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from harness.routes.base import Answer
from harness.routes.tasks import Task, read_task
from harness.run.attempt import Exchange, make_attempt
from harness.run.record import outcome_of
from harness.scenario.families import FamilyOptions, TaskOptions
from harness.wire.caps import Caps
from harness.wire.clock import WorldClock
from harness.wire.scrub import Scrubber
from harness.wire.stamp import at
from harness.wire.trace import Trace

MAPPING: dict[str, Any] = {
    "submit": {"path": "/make", "fields": {"prompt": "prompt"}},
    "id": "task.id",
    "status": {"path": "/make/{id}", "word": "task.state", "pending": ["waiting"], "running": ["busy"],
               "done": ["ok"], "failed": ["broken"]},
    "result": "task.text|json.urls[*]",
    "error_code": "task.code", "error_message": "task.why",
    "app_code": "status", "app_ok": [200],
    "queue_ms": "task.queued", "server_ms": "task.made",
    "poll": {"failures": 2},
}  # fmt: skip
MARK = "ZqVALUE"  # stands in values only
KEY = "sk-sim-" + "planted"
SCRUBBER = Scrubber(prompt="a heron in the morning fog", secrets=(KEY,))


def options(**changes: Any) -> TaskOptions:
    task = FamilyOptions.model_validate({"task": {**MAPPING, **changes}}, strict=False).task
    assert task is not None
    return task


def fill(
    trace: Trace, body: Any, ms: int, status: int = 200, kind: str = "application/json", whole: bool = True
) -> None:
    """An exchange that took 10 ms, its body here at once at its end."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    trace.started_ns, trace.request_sent_ns = (ms - 10) * 1_000_000, (ms - 9) * 1_000_000
    trace.http_status, trace.headers = status, [("content-type", kind)]
    trace.received(len(data), at(ms * 1_000_000))
    if data:
        trace.body.add(data, at(ms * 1_000_000))
    trace.body_end_ns = ms * 1_000_000 if whole else None
    trace.ended_ns = ms * 1_000_000


TAKEN = {"status": 200, "task": {"id": "t-1"}}


def said(state: Any, **more: Any) -> dict[str, Any]:
    return {"status": 200, "task": {"state": state, **more}}


def go(task: TaskOptions, submitted: Any, *polls: Any, result: Any = None, **how: Any) -> tuple[Trace, Answer]:
    """A submit and its polls, 100 ms apart, as the route would make them."""
    trace, seen = Trace(Caps()), Task(task)
    fill(trace, submitted, 100, **(how if not polls else {}))
    taken = seen.taken_on(trace)
    for number, body in enumerate(polls, start=2):
        if taken is None or seen.over:
            break
        leg = trace.leg("poll")
        fill(leg.trace, body, number * 100, **(how if number == len(polls) + 1 else {}))
        seen.looked(leg, trace)
    if result is not None:
        fill(trace.leg("result").trace, result, 900)
    return trace, read_task(task, trace, SCRUBBER)


def outcome(trace: Trace, answer: Answer) -> str:
    trace.finish()
    exchange = Exchange(1, "x", trace, (), False, answer, ())
    attempt = make_attempt(exchange, 0, WorldClock(), SCRUBBER)
    msgspec.json.encode(attempt)  # it can be written down
    return outcome_of(exchange, attempt.ended, 1)
