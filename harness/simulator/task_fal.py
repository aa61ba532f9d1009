"""fal's queue: a request has an address for its status, one for its result and one to cancel it."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request

from harness.simulator.requests import Refused
from harness.simulator.tasks import Json, Order, Task, TaskApi, address_of, shape_of

STATES = {"queued": "IN_QUEUE", "running": "IN_PROGRESS"}
SIZES = {
    "square_hd": "1024x1024",
    "square": "512x512",
    "portrait_4_3": "768x1024",
    "portrait_16_9": "576x1024",
    "landscape_4_3": "1024x768",
    "landscape_16_9": "1024x576",
}
REQUEST = "/{model:path}/requests/{id}"
IGNORED = ("sync_mode", "enable_safety_checker")


class Fal(TaskApi):
    """``POST /{model}`` and what hangs under ``/{model}/requests/{id}``. What failed is completed, with an error."""

    scheme = "Key"
    id_header = "x-fal-request-id"
    routes = (
        ("GET", f"{REQUEST}/status", "poll"),
        ("PUT", f"{REQUEST}/cancel", "cancel"),
        ("GET", REQUEST, "result"),
        ("POST", "/{model:path}", "submit"),
    )

    def read(self, request: Request, body: Json) -> Order:
        fields = {name: value for name, value in body.items() if name not in IGNORED}
        if "image_size" in fields:
            fields["image_size"] = _size(fields["image_size"])
        model = str(request.path_params["model"])
        callback = address_of(request.query_params.get("fal_webhook"), "fal_webhook")
        return Order(shape_of(fields, model, image_size="size", num_images="n"), model, fields, callback)

    def accepted(self, task: Task) -> tuple[int, Json]:
        return 200, {**self._addresses(task), "status": "IN_QUEUE", "queue_position": task.ahead()}

    def shown(self, task: Task) -> tuple[int, Json]:
        told: Json = {"status": STATES.get(task.state, "COMPLETED"), **self._addresses(task), "logs": None}
        if task.state == "queued":
            told["queue_position"] = task.ahead()
        if task.over_ns is None:
            return 202, told
        if task.failure is not None:
            told["error"], told["error_type"] = task.failure[1], task.failure[0]
        if task.truth.running_ns is not None:
            inference_s = task.clock.world_s(task.truth.running_ns, task.over_ns)
            told["metrics"] = {"inference_time": round(inference_s, 3)}
        return 200, told

    def result(self, task: Task) -> tuple[int, Json]:
        if task.over_ns is None:
            return 400, {"detail": "Request is still in progress"}
        if task.failure is not None:
            error = {"loc": ["body"], "msg": task.failure[1], "type": task.failure[0]}
            return 422 if task.state == "failed" else 400, {"detail": [error]}
        return 200, self._images(task)

    def stopped(self, task: Task, *, in_time: bool) -> tuple[int, Json]:  # noqa: ARG002
        return (202, {"status": "CANCELLATION_REQUESTED"}) if in_time else (400, {"status": "ALREADY_COMPLETED"})

    def told(self, task: Task) -> Json:
        told: Json = {"request_id": task.id, "gateway_request_id": task.id}
        if task.failure is None:
            return {**told, "status": "OK", "payload": self._images(task)}
        return {**told, "status": "ERROR", "error": task.failure[1], "payload": self.result(task)[1]}

    def refused(self, refused: Refused) -> tuple[int, Json]:
        error = refused.body["error"]
        if refused.status == 400:
            where = ["body", error["param"]] if error["param"] else ["body"]
            return 422, {"detail": [{"loc": where, "msg": error["message"], "type": error["code"] or "value_error"}]}
        return refused.status, {"detail": error["message"]}

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def _addresses(self, task: Task) -> Json:
        at = f"{task.home}/{task.order.model}/requests/{task.id}"
        return {"request_id": task.id, "response_url": at, "status_url": f"{at}/status", "cancel_url": f"{at}/cancel"}

    def _images(self, task: Task) -> Json:
        shape = task.order.shape
        width, height = (int(edge) for edge in shape.size.split("x"))
        content_type = f"image/{shape.output_format}"
        return {
            "images": [
                {
                    "url": url,
                    "content_type": content_type,
                    "file_name": url.rpartition("/")[2],
                    "width": width,
                    "height": height,
                }
                for url in task.urls
            ]
        }


def _size(asked: Any) -> object:
    """The size in the images API's words: fal takes names and objects as well."""
    if isinstance(asked, dict):
        return f"{asked.get('width')}x{asked.get('height')}"
    return SIZES.get(asked, asked) if isinstance(asked, str) else asked
