"""kie.ai's wire: everything is HTTP 200, the code that counts is in the body, and results are JSON inside of JSON."""

from __future__ import annotations

import json
import secrets

from starlette.requests import Request

from harness.simulator.requests import Refused
from harness.simulator.tasks import Json, Order, Task, TaskApi, address_of, shape_of

CODES = {401, 402, 404, 422, 429, 455, 500, 501, 505}
STATES = {"running": "generating", "done": "success", "failed": "fail", "cancelled": "fail"}


class Kie(TaskApi):
    """``createTask`` and ``recordInfo``. There is no way to cancel."""

    status_field = ("data", "state")
    routes = (
        ("POST", "/api/v1/jobs/createTask", "submit"),
        ("GET", "/api/v1/jobs/recordInfo", "poll"),
    )

    def read(self, request: Request, body: Json) -> Order:  # noqa: ARG002
        fields, model = body.get("input"), body.get("model")
        if not isinstance(fields, dict):
            raise Refused(422, "input is required and must be an object", param="input")
        if not isinstance(model, str) or not model:
            raise Refused(422, "This field is required: model", param="model")
        callback = address_of(body.get("callBackUrl"), "callBackUrl")
        return Order(shape_of(fields, model, num_images="n", image_size="size"), model, fields, callback)

    def accepted(self, task: Task) -> tuple[int, Json]:
        return 200, {"code": 200, "msg": "success", "data": {"taskId": task.id}}

    def shown(self, task: Task) -> tuple[int, Json]:
        return 200, {"code": 200, "msg": "success", "data": self._record(task)}

    def told(self, task: Task) -> Json:
        failed = task.failure is not None
        code, message = (501, "Playground task failed.") if failed else (200, "Playground task completed successfully.")
        return {"code": code, "msg": message, "data": self._record(task)}

    def task_id(self, request: Request) -> str:
        return request.query_params.get("taskId", "")

    def refused(self, refused: Refused) -> tuple[int, Json]:
        code = {400: 422, 403: 401}.get(refused.status, refused.status)
        return 200, {"code": code if code in CODES else 500, "msg": refused.body["error"]["message"], "data": None}

    def new_id(self) -> str:
        return secrets.token_hex(16)

    def _record(self, task: Task) -> Json:
        def ms(at_s: float | None) -> int | None:
            return None if at_s is None else int(at_s * 1000)

        state = STATES.get(task.state) or ("queuing" if task.ahead() else "waiting")
        result = json.dumps({"resultUrls": task.urls}) if task.urls else ""
        if task.urls and task.fault == "result_not_json":
            result = "resultUrls=" + ",".join(task.urls)
        param = {"model": task.order.model, "input": task.order.inputs}
        created, ended = ms(task.created_s), ms(task.ended_s)
        return {
            "taskId": task.id,
            "model": task.order.model,
            "state": state,
            "param": json.dumps(param),
            "resultJson": result,
            "failCode": "501" if task.failure else "",
            "failMsg": task.failure[1] if task.failure else "",
            "costTime": None if created is None or ended is None else ended - created,
            "completeTime": ended,
            "createTime": created,
            "updateTime": ended or ms(task.started_s) or created,
        }
