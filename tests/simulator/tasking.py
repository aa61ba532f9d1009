"""What the tests of task APIs share: how each API is asked, and what its answers mean in plain words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from harness.simulator.process import Running

LOW = {"prompt": "A red apple", "quality": "low", "size": "1024x1024", "output_format": "jpeg"}
KEY = "sk-sim-test"
SCALE = 100
# One for all: making one takes as long as a short task. Servers come and go, so no connection is kept.
CLIENT = httpx.Client(timeout=30, verify=False, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Api:
    """One wire, read independently of the simulator's own code."""

    name: str
    submit_path: str
    body: Callable[[dict[str, Any]], dict[str, Any]]
    id_of: Callable[[dict[str, Any]], str]
    poll_path: str  # with {id}
    state_of: Callable[[dict[str, Any]], Any]
    waiting: set[str]
    running: str
    done: str
    failed: str
    urls_of: Callable[[dict[str, Any]], list[str]]
    scheme: str = "Bearer"
    callback: tuple[str, str] = ("body", "callback_url")
    accepted: int = 200
    base_has_v1: bool = field(default=False)

    def headers(self, **more: str) -> dict[str, str]:
        return {"authorization": f"{self.scheme} {KEY}", **more}

    def base(self, sim: Running) -> str:
        return sim.entries[self.name].removesuffix("/v1")

    def submit(
        self, sim: Running, fields: dict[str, Any] = LOW, callback: str | None = None, **headers: str
    ) -> httpx.Response:
        body, params = self.body(dict(fields)), {}
        if callback is not None:
            where, name = self.callback
            (params if where == "query" else body)[name] = callback
        url = self.base(sim) + self.submit_path
        return CLIENT.post(url, json=body, params=params, headers=self.headers(**headers))

    def poll(self, sim: Running, task_id: str) -> httpx.Response:
        return CLIENT.get(self.base(sim) + self.poll_path.format(id=task_id), headers=self.headers())

    def wait(self, sim: Running, task_id: str, until: set[str] | None = None) -> tuple[dict[str, Any], list[Any]]:
        """Poll until the task is over (or in a state); the last answer and every state that was seen, in order."""
        seen: list[Any] = []
        for _ in range(2000):
            told = self.poll(sim, task_id).json()
            state = self.state_of(told)
            if not seen or seen[-1] != state:
                seen.append(state)
            if state in (until or {self.done, self.failed}):
                return told, seen
            time.sleep(0.003)
        raise AssertionError(f"not over: {seen}")


def _record(told: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = told["data"]
    return data


APIS = {
    api.name: api
    for api in (
        Api(
            "task", "/v1/tasks", lambda f: {"model": "gpt-image-2", **f}, lambda a: str(a["id"]), "/v1/tasks/{id}",
            lambda a: a["status"], {"queued"}, "running", "done", "failed", lambda a: list(a["result"]["urls"]),
            accepted=202,
        ),
        Api(
            "evolink", "/v1/images/generations", lambda f: {"model": "gpt-image-2", **f}, lambda a: str(a["id"]),
            "/v1/tasks/{id}", lambda a: a["status"], {"pending"}, "processing", "completed", "failed",
            lambda a: list(a["results"]), base_has_v1=True,
        ),
        Api(
            "kie", "/api/v1/jobs/createTask", lambda f: {"model": "gpt-image-2-text-to-image", "input": f},
            lambda a: str(a["data"]["taskId"]), "/api/v1/jobs/recordInfo?taskId={id}",
            lambda a: _record(a)["state"], {"waiting", "queuing"}, "generating", "success", "fail",
            lambda a: list(json.loads(_record(a)["resultJson"])["resultUrls"]), callback=("body", "callBackUrl"),
        ),
        Api(
            "fal", "/fal-ai/gpt-image-2",
            lambda f: {{"size": "image_size", "n": "num_images"}.get(k, k): v for k, v in f.items()},
            lambda a: str(a["request_id"]), "/fal-ai/gpt-image-2/requests/{id}/status",
            lambda a: a["status"], {"IN_QUEUE"}, "IN_PROGRESS", "COMPLETED", "COMPLETED",
            lambda a: [image["url"] for image in a["images"]], scheme="Key", callback=("query", "fal_webhook"),
        ),
        Api(
            "replicate", "/v1/predictions", lambda f: {"model": "openai/gpt-image-2", "input": f},
            lambda a: str(a["id"]), "/v1/predictions/{id}", lambda a: a["status"], {"starting"}, "processing",
            "succeeded", "failed", lambda a: list(a["output"]), callback=("body", "webhook"), accepted=201,
        ),
    )
}  # fmt: skip


def world(**layer: Any) -> dict[str, Any]:
    """A world in which every task API has its port."""
    return {"time_scale": SCALE, "seed": 4, "layers": {name: {"speaks": name, **layer} for name in APIS}}


def result(api: Api, last: dict[str, Any]) -> list[str]:
    """The links of a finished task; fal tells them at another address than its status."""
    if api.name == "fal":
        last = CLIENT.get(last["response_url"], headers=api.headers()).json()
    return api.urls_of(last)
