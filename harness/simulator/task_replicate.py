"""Replicate's wire: a prediction, for which the caller may wait on the line; its files go after an hour."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from starlette.requests import Request

from harness.simulator.requests import Refused
from harness.simulator.tasks import Json, Order, Task, TaskApi, address_of, shape_of

STATES = {
    "queued": "starting",
    "running": "processing",
    "done": "succeeded",
    "failed": "failed",
    "cancelled": "canceled",
}
TITLES = {
    401: "Unauthenticated",
    402: "Insufficient credit",
    404: "Not found",
    422: "Input validation failed",
    429: "Too many requests",
}
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
LONGEST_WAIT_S = 60.0
EVENTS = {"start", "output", "logs", "completed"}
SIZES = {"1:1": "1024x1024", "3:2": "1536x1024", "2:3": "1024x1536"}


class Replicate(TaskApi):
    """Predictions by version, by model in the body, and by model in the path."""

    link_ttl_s = 3600.0
    routes = (
        ("POST", "/v1/predictions", "submit"),
        ("POST", "/v1/models/{owner}/{name}/predictions", "submit"),
        ("GET", "/v1/predictions/{id}", "poll"),
        ("POST", "/v1/predictions/{id}/cancel", "cancel"),
    )

    def read(self, request: Request, body: Json) -> Order:
        fields = body.get("input")
        if not isinstance(fields, dict):
            raise Refused(422, "- input is required", param="input")
        at = request.path_params
        named = f"{at['owner']}/{at['name']}" if "owner" in at else body.get("model") or body.get("version")
        if not isinstance(named, str) or not named:
            raise Refused(422, "- version is required", param="version")
        hashed = re.fullmatch(r"(?:.*:)?[0-9a-f]{64}", named) is not None  # a version: it does not say whose
        fields = dict(fields)
        if "aspect_ratio" in fields:
            fields["aspect_ratio"] = SIZES.get(str(fields["aspect_ratio"]), fields["aspect_ratio"])
        names = {"number_of_images": "n", "aspect_ratio": "size"}
        shape = shape_of(fields, "gpt-image-2" if hashed else named, **names)
        events = body.get("webhook_events_filter")
        if events is not None and not (isinstance(events, list) and all(str(event) in EVENTS for event in events)):
            raise Refused(422, "- webhook_events_filter must be one of the known events", param="webhook_events_filter")
        callback = address_of(body.get("webhook"), "webhook")
        wanted = callback if events is None or "completed" in events else None
        return Order(shape, named, body["input"], wanted, _wait_s(request.headers.get("prefer", "")))

    def accepted(self, task: Task) -> tuple[int, Json]:
        return 201, self._prediction(task)

    def shown(self, task: Task) -> tuple[int, Json]:
        return 200, self._prediction(task)

    def refused(self, refused: Refused) -> tuple[int, Json]:
        error = refused.body["error"]
        status = 422 if refused.status == 400 or error["code"] == "model_not_found" else refused.status
        told: Json = {"title": TITLES.get(status, "Error"), "detail": error["message"], "status": status}
        if status == 422 and error["param"]:
            told["invalid_fields"] = [{"type": error["code"], "field": error["param"], "description": error["message"]}]
        return status, told

    def new_id(self) -> str:
        return "".join(secrets.choice(ALPHABET) for _ in range(26))

    def _prediction(self, task: Task) -> Json:
        at = f"{task.home}/v1/predictions/{task.id}"
        metrics: Json = {}
        if task.over_ns is not None and task.truth.running_ns is not None:
            metrics["predict_time"] = round(task.clock.world_s(task.truth.running_ns, task.over_ns), 6)
            metrics["total_time"] = round(task.clock.world_s(task.truth.received_ns, task.over_ns), 6)
        return {
            "id": task.id,
            "model": task.order.model,
            "version": "hidden",
            "input": task.order.inputs,
            "logs": "",
            "output": task.urls or None,
            "data_removed": False,
            "error": task.failure[1] if task.state == "failed" and task.failure else None,
            "status": STATES[task.state],
            "created_at": _date(task.created_s),
            "started_at": _date(task.started_s),
            "completed_at": _date(task.ended_s),
            "urls": {"get": at, "cancel": f"{at}/cancel"},
            "metrics": metrics,
        }


def _wait_s(prefer: str) -> float:
    found = re.search(r"\bwait(?:=(\d+))?\b", prefer)
    return 0.0 if found is None else min(float(found[1] or LONGEST_WAIT_S), LONGEST_WAIT_S)


def _date(at_s: float | None) -> str | None:
    if at_s is None:
        return None
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
