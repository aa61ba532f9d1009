"""What one answer of a task API says, by the mapping of the scenario. Pure; bad data is an outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.events import TaskState
from harness.scenario.families import TaskOptions
from harness.scenario.paths import look
from harness.wire.body import BodyTooLarge, StampedBody
from harness.wire.trace import Leg, Trace

_TASK_ID_CHARS = 200
NO_JSON = object()


def value_of(trace: Trace) -> dict[str, Any] | None:
    """The JSON object that an exchange brought; None for anything else."""
    value = json_of(trace)
    return value if isinstance(value, dict) else None


def json_of(trace: Trace) -> Any:
    """The JSON that an exchange brought, or `NO_JSON`."""
    if trace.body_end_ns is None or trace.over_limit:
        return NO_JSON
    try:
        return msgspec.json.decode(body_of(trace).whole())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NO_JSON


def body_of(trace: Trace) -> StampedBody:
    """The body, inflated: there are servers that compress whatever they are asked."""
    try:
        return trace.body.decoded(dict(trace.headers).get("content-encoding", ""))
    except BodyTooLarge:
        return StampedBody()


def task_id(options: TaskOptions, value: Mapping[str, Any]) -> str | None:
    """The id, where the mapping leads to one."""
    found = look(value, options.id).values
    text = str(found[0]) if found and plain(found[0]) else ""
    return text if 0 < len(text) <= _TASK_ID_CHARS and text.isprintable() else None


def refused(options: TaskOptions, value: Mapping[str, Any]) -> bool:
    """Whether a code inside of the body says no."""
    return app_code(options, value) is not None


def app_code(options: TaskOptions, value: Mapping[str, Any]) -> object:
    """The code inside of the body where it says no, else None."""
    found = () if options.app_code is None else look(value, options.app_code).values
    code = found[0] if found else None
    if isinstance(code, str) and code.isdecimal() and len(code) < 10:
        code = int(code)
    return None if code in options.app_ok else code


def state_of(options: TaskOptions, leg: Leg) -> TaskState | None:
    """What a poll says; None where it failed or the mapping does not fit its answer."""
    value = value_of(leg.trace)
    if value is None or (leg.trace.http_status or 0) >= 400:
        return None
    if app_code(options, value) in options.app_again:
        return None
    if refused(options, value):
        return "failed"
    found = look(value, options.status.word).values
    return None if not found else meaning(options, str(found[0]))


def meaning(options: TaskOptions, word: str) -> TaskState:
    """What a status word was declared to mean."""
    status = options.status
    named: tuple[tuple[TaskState, tuple[str, ...]], ...] = (
        ("pending", status.pending), ("running", status.running), ("done", status.done), ("failed", status.failed),
    )  # fmt: skip
    return next((state for state, words in named if word in words), "other")


def plain(value: object) -> bool:
    """A text or a number that may be an id, a code or a message."""
    return isinstance(value, str | int) and not isinstance(value, bool)
