"""A plain task API, as small gateways have them: three words for a life, and errors as an object."""

from __future__ import annotations

from starlette.requests import Request

from harness.simulator.tasks import Json, Order, Task, TaskApi, address_of, shape_of

STATES = {"queued": "queued", "running": "running", "done": "done", "failed": "failed", "cancelled": "failed"}


class Generic(TaskApi):
    """``POST /v1/tasks``, ``GET`` and ``DELETE /v1/tasks/{id}``. A cancelled task is a failed one with that code."""

    id_header = "x-request-id"
    routes = (
        ("POST", "/v1/tasks", "submit"),
        ("GET", "/v1/tasks/{id}", "poll"),
        ("DELETE", "/v1/tasks/{id}", "cancel"),
    )

    def read(self, request: Request, body: Json) -> Order:  # noqa: ARG002
        fields = {name: value for name, value in body.items() if name not in ("model", "callback_url")}
        model = body.get("model", "gpt-image-2")
        callback = address_of(body.get("callback_url"), "callback_url")
        return Order(shape_of(fields, model), str(model), fields, callback)

    def accepted(self, task: Task) -> tuple[int, Json]:
        return 202, {"id": task.id, "status": "queued"}

    def shown(self, task: Task) -> tuple[int, Json]:
        queued_s = task.truth.queued_s
        told: Json = {
            "id": task.id,
            "status": STATES[task.state],
            "queue_ms": None if queued_s is None else round(queued_s * 1000),
            "result": {"url": task.urls[0], "urls": task.urls} if task.urls else None,
            "error": None,
        }
        if task.failure is not None:
            told["error"] = dict(zip(("code", "message"), task.failure, strict=True))
        return 200, told
