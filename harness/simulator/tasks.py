"""What every asynchronous API is made of: a task with its life, and a wire that reads orders and words answers."""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request

from harness.simulator.clock import SimClock
from harness.simulator.requests import MODELS, Refused, Shape, validate
from harness.simulator.truth import Truth

State = Literal["queued", "running", "done", "failed", "cancelled"]
Json = dict[str, Any]
Action = Literal["submit", "poll", "result", "cancel"]


@dataclass(frozen=True)
class Order:
    """A submission that was understood."""

    shape: Shape
    model: str  # as the caller named it
    inputs: Json
    callback: str | None = None
    wait_s: float = 0.0  # the caller wants to be held so many world seconds for the result


@dataclass(frozen=True)
class Plan:
    """The moments of a task, in world seconds since its submission was received."""

    accepted_s: float
    running_s: float
    done_s: float


@dataclass
class Task:
    """One task. It lives on when nobody asks for it."""

    id: str
    order: Order
    plan: Plan
    truth: Truth
    clock: SimClock
    home: str  # scheme, host and port that it was submitted at
    fault: str | None
    options: Mapping[str, str]
    ahead: Callable[[], int]  # how many tasks wait in front of this one
    state: State = "queued"
    over_ns: int | None = None
    touched_ns: int = 0  # when somebody last had to do with it
    urls: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    life: asyncio.Task[None] | None = None

    @property
    def failure(self) -> tuple[str, str] | None:
        """Code and message of what went wrong."""
        if self.state == "cancelled":
            return "cancelled", "The task was cancelled."
        if self.state == "failed":
            return "generation_failed", "The image could not be generated. Please try again."
        return None

    @property
    def created_s(self) -> float:
        """The world's date of its submission, in seconds since 1970."""
        return self.clock.date_s(self.truth.received_ns)

    @property
    def started_s(self) -> float | None:
        """The world's date at which it left the queue."""
        return None if self.truth.running_ns is None else self.clock.date_s(self.truth.running_ns)

    @property
    def ended_s(self) -> float | None:
        """The world's date of its end."""
        return None if self.over_ns is None else self.clock.date_s(self.over_ns)

    @property
    def progress(self) -> int:
        """Percent of the work that is done."""
        if self.state == "done":
            return 100
        if self.truth.running_ns is None:
            return 0
        passed_s = self.clock.world_s(self.truth.running_ns, self.over_ns or self.clock.now_ns())
        return min(99, int(100 * passed_s / (self.plan.done_s - self.plan.running_s)))


class TaskApi(ABC):
    """One wire: how it reads an order and what it says about a task. It holds no state."""

    scheme = "Bearer"
    link_ttl_s = 86_400.0
    id_header: str | None = None  # response header of a submission with the request's id
    status_field: tuple[str, ...] = ("status",)  # where a status answer says the state
    routes: tuple[tuple[str, str, Action], ...] = ()  # method, path and what is done there

    @abstractmethod
    def read(self, request: Request, body: Json) -> Order:
        """The order in a submission.

        Raises:
            Refused: the API would not take it.
        """

    @abstractmethod
    def accepted(self, task: Task) -> tuple[int, Json]:
        """HTTP status and body of the answer to a submission."""

    @abstractmethod
    def shown(self, task: Task) -> tuple[int, Json]:
        """HTTP status and body of the answer to a question about the task."""

    def result(self, task: Task) -> tuple[int, Json]:
        """HTTP status and body of the answer to a question about the result, where that is another question."""
        return self.shown(task)

    def stopped(self, task: Task, *, in_time: bool) -> tuple[int, Json]:  # noqa: ARG002
        """HTTP status and body of the answer to a cancellation; `in_time`: the task was not over before."""
        return self.shown(task)

    def task_id(self, request: Request) -> str:
        """The id of the task that a request is about."""
        return str(request.path_params["id"])

    def told(self, task: Task) -> Json:
        """What a callback's address is sent at the end."""
        return self.shown(task)[1]

    def refused(self, refused: Refused) -> tuple[int, Json]:
        """HTTP status and body of a refusal."""
        return refused.status, refused.body

    def new_id(self) -> str:
        """An id as this API makes them."""
        return f"task_{secrets.token_hex(12)}"


def shape_of(fields: Json, model: object, **names: str) -> Shape:
    """The shape of an order whose fields may have other names: their names → the images API's.

    A mistake is refused under the name that the caller gave the field. Nothing streams here.
    """
    for name in ("stream", "partial_images"):
        if name in fields:
            raise Refused(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    try:
        return validate({**{names.get(name, name): value for name, value in fields.items()}, "model": known(model)})
    except Refused as refused:
        param = refused.body["error"]["param"]
        theirs = next((name for name, ours in names.items() if ours == param and name in fields), param)
        refused.body["error"]["param"] = theirs
        raise


def known(model: object) -> object:
    """The images API's name of a model inside of somebody's own, as ``owner/gpt-image-2/edit``; else as it was."""
    text = model if isinstance(model, str) else ""
    return next((name for name in sorted(MODELS, key=len, reverse=True) if name in text), model)


def address_of(value: object, param: str) -> str | None:
    """A callback's address.

    Raises:
        Refused: it is none.
    """
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise Refused(400, f"Invalid '{param}': expected an http(s) URL.", param=param, code="invalid_value")
    return value
