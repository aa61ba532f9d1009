"""Faults of asynchronous APIs, where they bite: at the submission, while it runs, in an answer, at the file.

Chosen like those of images: by the world's configuration for a share, or by ``x-sim-fault: name[;key=value…]``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

from PIL import Image

from harness.simulator.requests import Refused, Shape
from harness.simulator.tasks import Json, Task, TaskApi

NAMES = {
    "task_failed",  # after it ran
    "task_stuck",  # never leaves its running state
    "task_html",  # the submission is answered with a page; the task is made nevertheless
    "app_error",  # ;code=402: refused at the submission
    "link_dead",  # the link has expired when it is told
    "link_truncated",  # the file is shorter than its length says
    "bad_mapping",  # answers about the task do not say its state
    "poll_500",  # every second of them is an error
    "result_not_json",  # what says the result is no JSON: kie's string inside, elsewhere the whole answer
    "blank_image",  # a good file of one colour
    "callback_lost",  # never sent
    "callback_late",  # ;s=30: world seconds after its time
}
APP_ERRORS = {
    401: "You do not have access permissions",
    402: "The current credits are insufficient. Please top up",
    404: "The requested resource or endpoint does not exist",
    422: "The model is not supported or the parameters are invalid",
    429: "Your call frequency is too high. Please try again later.",
    455: "The service is currently under maintenance",
    500: "Server exception, please try again later or contact customer service",
    501: "Generation failed",
    505: "This feature is currently disabled",
}
PAGE = "<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n"


def refuse(name: str, options: Mapping[str, str]) -> None:
    """Faults that end a submission.

    Raises:
        Refused: this is one of them, or there is none of that name.
    """
    if name not in NAMES:
        raise Refused(400, f"x-sim-fault: there is no fault {name[:40]!r}")
    if name == "app_error":
        code = next((code for code in APP_ERRORS if str(code) == options.get("code", "402")), 500)
        # A type and code as the images API has them; wires with words of their own do not show them.
        raise Refused(code, APP_ERRORS[code], type="app_error", code=f"app_error_{code}")


def seconds(options: Mapping[str, str], default: float) -> float:
    """The option `s`, where it is a sensible number of world seconds."""
    try:
        value = float(options.get("s", default))
    except ValueError:
        return default
    return value if 0 <= value < 1e9 else default


def answer(task: Task, api: TaskApi, status: int, told: Json) -> tuple[int, Json | str]:
    """What really goes out as an answer about the task."""
    if task.fault == "poll_500" and task.truth.polls % 2 == 0:
        return api.refused(Refused(500, APP_ERRORS[500], type="server_error", code="server_error"))
    if task.fault == "bad_mapping":
        return status, without(told, api.status_field)
    if task.fault == "result_not_json" and task.urls and api.status_field[0] == "status":
        return status, f"result: {', '.join(task.urls)}"
    return status, told


def without(told: Json, path: tuple[str, ...]) -> Json:
    """The same answer without one field."""
    first, *rest = path
    if rest:
        return {**told, first: without(told[first], tuple(rest))}
    return {name: value for name, value in told.items() if name != first}


def blank(shape: Shape) -> bytes:
    """An image of the right size and format with nothing on it."""
    width, height = (int(edge) for edge in shape.size.split("x"))
    out = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(out, shape.output_format.upper())
    return out.getvalue()
