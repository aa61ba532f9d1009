"""The route families, one entry each, and what a route of each family may be told in the file.

To add one: a module in `harness.routes` with a class ``RouteFamily(target)``, an entry here, and its options, if it has
any, as a field of the same name in `FamilyOptions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from harness.scenario import fields as f
from harness.scenario.paths import check_path, check_place
from harness.scenario.words import Mistake, listing, nearest, show

TASKS_FILE = Path(__file__).parent.parent / "data" / "tasks.yaml"


@dataclass(frozen=True)
class Family:
    """A route family: where its code is, what it does in one line, and what it can carry."""

    module: str  # imported when used: the SDK alone takes about a second
    sentence: str
    streams: bool = True
    edits: bool = True


FAMILIES: dict[str, Family] = {
    "images": Family("harness.routes.images", "the Images API: generations, and edits where references are given"),
    "responses": Family("harness.routes.responses", "the Responses API with its image tool: a text model comes first"),
    "azure": Family("harness.routes.azure", "Azure OpenAI, by deployment or on /openai/v1"),
    "compatible": Family("harness.routes.images", "any gateway that speaks the Images API"),
    "reverse": Family("harness.routes.images", "a reverse-engineered service on the same wire: little can be known"),
    "task": Family("harness.routes.task", "submit, poll, download, as the mapping says", streams=False, edits=False),
    "browser": Family("harness.routes.browser", "headless Chromium calls the endpoint with fetch", edits=False),
}


class Options(BaseModel):
    """Options of one family: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class ResponsesOptions(Options):
    """The Responses API takes a text model that calls the image tool: an extra hop, named in every event."""

    text_model: str = Field("gpt-5.2", min_length=1, max_length=128, description="Model that calls the image tool.")


class AzureOptions(Options):
    """How Azure is addressed."""

    deployment: str | None = Field(
        None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Deployment; without it, the model's name."
    )
    api: Literal["deployments", "v1"] = Field("deployments", description="URL form: classic by deployment, or v1.")
    api_version: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]{3,40}$",
        description="api-version; 2025-04-01-preview by deployment, preview on v1.",
    )
    auth: Literal["api-key", "bearer"] = Field("api-key", description="How the key is sent; bearer is an Entra token.")


def _behind_base(path: object) -> object:
    """A path of a call; said in words that fit, before its pattern is looked at."""
    if isinstance(path, str) and not path.startswith("/"):
        raise Mistake(f"{show(path)} is no path behind base_url", "let it begin with /")
    return path


def _of_a_task(path: str) -> str:
    if "{id}" not in path:
        raise Mistake(f"{show(path)} is the same for every task", "put {id} where the task's id goes")
    return path


# What a task can be asked for: the request's own fields but those of streams.
TASK_FIELDS = (
    "model", "prompt", "quality", "size", "n", "output_format", "output_compression", "background", "moderation",
)  # fmt: skip


def _of_the_request(fields: Mapping[str, str]) -> Mapping[str, str]:
    for name in fields:
        if name not in TASK_FIELDS:
            near = nearest(name, TASK_FIELDS)
            raise Mistake(f"a request has no field {show(name)} to map", f"write {near or listing(TASK_FIELDS)}")
    if "prompt" not in fields:
        raise Mistake("the prompt is not mapped: images would be made, and billed, without it", "map prompt as well")
    return fields


JsonPath = Annotated[str, AfterValidator(check_path)]  # read from an answer
JsonPlace = Annotated[str, AfterValidator(check_place)]  # written into a body
CallPath = Annotated[str, BeforeValidator(_behind_base), Field(pattern=r"^/", max_length=300)]
TaskPath = Annotated[CallPath, AfterValidator(_of_a_task)]


class Submit(Options):
    """The first call of a task: where, and at which path of the body each request field goes."""

    path: CallPath = Field(description="Path behind base_url.")
    fields: Annotated[Mapping[str, JsonPlace], AfterValidator(_of_the_request)] = Field(
        description="Request field → dotted path in the body; left out, it is not sent."
    )
    extra: Mapping[JsonPlace, str | int | float | bool] = Field(
        {}, description="Dotted path in the body → fixed value, in place of a field that goes there."
    )
    model_in_path: bool = Field(False, description="{model} in the path is the model; it is not in the body then.")


class Status(Options):
    """The call that tells how a task is doing."""

    path: TaskPath = Field(description="Path behind base_url; {id} is the task's id.")
    word: JsonPath = Field(description="Path in the answer of the status word.")
    pending: f.Tuple[str] = Field((), description="Words that mean: waiting in a queue.")
    running: f.Tuple[str] = Field((), description="Words that mean: being made.")
    done: f.Tuple[str] = Field(description="Words that mean: finished, with a result.")
    failed: f.Tuple[str] = Field((), description="Words that mean: over, without a result.")


class Poll(Options):
    """How often a task is asked for."""

    every: f.Duration = Field(3.0, description="Pause between two polls: what the clock cannot be finer than.")
    give_up_after: f.Duration = Field(900.0, description="Since the submit; then the job counts as cut by our cap.")
    failures: int = Field(5, ge=0, le=100, description="Polls in a row that may fail before the job counts as failed.")


class Cancel(Options):
    """The call that cancels a task."""

    method: Literal["POST", "PUT", "DELETE"] = Field("POST", description="HTTP method.")
    path: TaskPath = Field(description="Path behind base_url; {id} is the task's id.")


class Callback(Options):
    """How a task is told where to call back, and whether we listen."""

    field: JsonPlace | None = Field(None, description="Dotted path in the submit's body for the URL.")
    query: str | None = Field(None, description="Name of the submit's query parameter for the URL.")
    receive: bool = Field(False, description="Open a receiver on loopback and stamp when the callback comes.")
    public_url: f.BaseUrl | None = Field(None, description="What leads to the receiver from outside (a tunnel).")
    port: int = Field(0, ge=0, le=65535, description="Port of the receiver on loopback; 0 takes a free one.")


class TaskOptions(Options):
    """An asynchronous API as a mapping. Paths: ``data.items[0].url``, ``[*]`` for all, ``|json`` for JSON in text."""

    preset: str | None = Field(
        None, description="evolink, fal, replicate, kie or generic; what is given here goes over it."
    )
    submit: Submit = Field(description="How a task is handed in.")
    id: JsonPath = Field(description="Path in the submit's answer of the task's id.")
    status: Status = Field(description="How a task is asked for.")
    result: JsonPath = Field(description="Path of the image's URL, or of its base64, in the answer that says done.")
    result_path: TaskPath | None = Field(None, description="A further call for the result, where needed.")
    error_code: JsonPath | None = Field(None, description="Path of the error code in an answer.")
    error_message: JsonPath | None = Field(None, description="Path of the error message in an answer.")
    app_code: JsonPath | None = Field(None, description="Path of a code inside of HTTP 200 that may say: refused.")
    app_ok: f.Tuple[int] = Field((200, 0), description="Values of that code that mean: all right.")
    app_again: f.Tuple[int] = Field(
        (429, 500, 502, 503, 504), description="Values of that code, in a poll, that say nothing of the task itself."
    )
    queue_ms: JsonPath | None = Field(None, description="Path of the time in the queue, in ms, where it is told.")
    server_ms: JsonPath | None = Field(None, description="Path of the time of making, in ms, where it is told.")
    poll: Poll = Field(Poll(), description="How often it is asked for.")
    cancel: Cancel | None = Field(None, description="How a task is cancelled when we give up.")
    callback: Callback | None = Field(None, description="How the other side can call back.")
    auth_scheme: Literal["Bearer", "Key", "Token"] = Field("Bearer", description="Word before the key.")

    @model_validator(mode="after")
    def _places_apart(self) -> TaskOptions:
        """Nothing that is written into the body lies at or inside of something else; a fixed value replaces a field."""
        fields = [place for place in self.submit.fields.values() if place not in self.submit.extra]
        places = [*fields, *self.submit.extra]
        if self.callback is not None and self.callback.field is not None:
            places.append(self.callback.field)
        for index, place in enumerate(places):
            for other in places[:index]:
                if f"{place}.".startswith(f"{other}.") or f"{other}.".startswith(f"{place}."):
                    raise Mistake(f"{show(other)} and {show(place)} are written to the same place", "move one of them")
        return self


class BrowserOptions(Options):
    """The page that calls the endpoint."""

    path: str = Field("/images/generations", pattern=r"^/", description="Path of the endpoint behind base_url.")
    page: f.BaseUrl | None = Field(None, description="Page to call it from; without it, the endpoint's own origin.")
    abort: f.Duration | None = Field(None, description="When the page's own AbortController gives up.")


@cache
def task_presets() -> Mapping[str, Any]:
    """The task APIs that we know, from ``data/tasks.yaml``: name → fields of `TaskOptions`."""
    loaded: Mapping[str, Any] = yaml.safe_load(TASKS_FILE.read_text(encoding="utf-8"))
    return loaded


def on_preset(value: object) -> object:
    """What the file says, laid over the preset that it names."""
    if not isinstance(value, dict) or not isinstance(value.get("preset"), str):
        return value
    name = value["preset"]
    if name not in task_presets():
        near = nearest(name, task_presets())
        raise Mistake(f"there is no preset {show(name)}", f"write {near or listing(sorted(task_presets()))}")
    return _over(task_presets()[name], value)


def _over(base: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, one in value.items():
        below = merged.get(name)
        merged[name] = _over(below, one) if isinstance(below, dict) and isinstance(one, dict) else one
    return merged


class FamilyOptions(Options):
    """Fields of a route that only one family reads; the field has the family's name."""

    responses: ResponsesOptions | None = Field(None, description="Of kind responses: the text model before the tool.")
    azure: AzureOptions | None = Field(None, description="Of kind azure: deployment, URL form, version, auth.")
    task: Annotated[TaskOptions, BeforeValidator(on_preset)] | None = Field(
        None, description="Of kind task: a preset, a mapping, or both."
    )
    browser: BrowserOptions | None = Field(None, description="Of kind browser: page, path, abort.")


def options_of(route: FamilyOptions, kind: str) -> Options | None:
    """What the file says for this route's own family, or the family's defaults; None where it has no options."""
    if kind not in FamilyOptions.model_fields:
        return None
    given: Options | None = getattr(route, kind)
    if given is not None:
        return given
    defaults: dict[str, type[Options]] = {
        "responses": ResponsesOptions, "azure": AzureOptions, "browser": BrowserOptions,
    }  # fmt: skip
    return defaults[kind]() if kind in defaults else None
