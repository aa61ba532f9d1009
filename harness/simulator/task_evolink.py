"""EvoLink's wire: the images path answers with a task object."""

from __future__ import annotations

import secrets

from starlette.requests import Request

from harness.simulator.requests import Refused
from harness.simulator.tasks import Json, Order, Task, TaskApi, address_of, shape_of

STATES = {"queued": "pending", "running": "processing", "done": "completed", "failed": "failed", "cancelled": "failed"}
CREDITS = {"low": 0.5, "medium": 4.0, "high": 16.0}  # made up; what matters is that they are told
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class EvoLink(TaskApi):
    """The same path as the images API, so a client that does not look takes the task for an answer."""

    id_header = "x-request-id"
    routes = (
        ("POST", "/v1/images/generations", "submit"),
        ("GET", "/v1/tasks/{id}", "poll"),
        ("POST", "/v1/tasks/{id}/cancel", "cancel"),
    )

    def read(self, request: Request, body: Json) -> Order:  # noqa: ARG002
        fields = {name: value for name, value in body.items() if name not in ("model", "callback_url")}
        model = body.get("model", "gpt-image-2")
        return Order(shape_of(fields, model), str(model), fields, address_of(body.get("callback_url"), "callback_url"))

    def accepted(self, task: Task) -> tuple[int, Json]:
        told = self._object(task)
        told["task_info"]["estimated_time"] = 100
        credits = CREDITS[task.order.shape.quality] * task.order.shape.n
        told["usage"] = {"billing_rule": "per_call", "credits_reserved": credits, "user_group": "default"}
        return 200, told

    def shown(self, task: Task) -> tuple[int, Json]:
        return 200, self._object(task)

    def stopped(self, task: Task, *, in_time: bool) -> tuple[int, Json]:
        if not in_time:
            message = f"Task {task.id} is {STATES[task.state]} and cannot be cancelled."
            return self.refused(Refused(400, message, code="task_not_cancellable"))
        return self.shown(task)

    def new_id(self) -> str:
        # Theirs holds the date of its making as well; ids stay unique without it.
        return "task-unified-{}-{}".format(
            secrets.randbelow(10**10), "".join(secrets.choice(ALPHABET) for _ in "8" * 8)
        )

    def refused(self, refused: Refused) -> tuple[int, Json]:
        error = refused.body["error"]
        own = {"code": error["code"] or "invalid_request", "message": error["message"], "type": error["type"]}
        return refused.status, {"error": own | ({"param": error["param"]} if error["param"] else {})}

    def _object(self, task: Task) -> Json:
        told: Json = {
            "created": int(task.created_s),
            "id": task.id,
            "model": task.order.model,
            "object": "image.generation.task",
            "progress": task.progress,
            "status": STATES[task.state],
            "task_info": {"can_cancel": task.over_ns is None},
            "type": "image",
        }
        if task.urls:
            told["results"] = task.urls
        if task.failure is not None:
            told["error"] = {"code": task.failure[0], "message": task.failure[1], "type": "task_error"}
        return told
