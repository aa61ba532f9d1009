"""Route families in a scenario: whose options are whose, what each can carry, presets, and mappings of task APIs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.scenario.families import (
    FAMILIES,
    TASK_FIELDS,
    AzureOptions,
    BrowserOptions,
    FamilyOptions,
    ResponsesOptions,
    TaskOptions,
    options_of,
    task_presets,
)
from harness.scenario.paths import look, put

from .build import load, only_problem, problems

HEAD = "name: small\nwhy: Does it load?\nprompts: [a lemon]\n"
PRESETS = sorted(task_presets())


def scenario(kind: str, more: str = "", defaults: str = "quality: low", rest: str = "") -> str:
    route = f'base_url: "simulator://", owner: gateway, kind: {kind}{", " if more else ""}{more}'
    return f"{HEAD}routes:\n  r: {{{route}}}\ndefaults: {{{defaults}}}\n{rest}"


OPTIONS = {"task": "task: {preset: generic}"}


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_loads_with_what_it_needs_and_nothing_else(tmp_path: Path, kind: str) -> None:
    loaded = load(tmp_path, scenario(kind, OPTIONS.get(kind, "")))
    assert loaded.routes["r"].kind == kind


def test_families_without_options_in_the_file_have_their_defaults() -> None:
    none = FamilyOptions()
    assert options_of(none, "azure") == AzureOptions(api="deployments", auth="api-key")
    assert options_of(none, "responses") == ResponsesOptions(text_model="gpt-5.2")
    assert options_of(none, "browser") == BrowserOptions(path="/images/generations")
    assert options_of(none, "images") is None
    assert options_of(none, "task") is None
    given = FamilyOptions(azure=AzureOptions(deployment="d"))
    assert options_of(given, "azure") == AzureOptions(deployment="d")


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize(
    ("owner", "options"), [("azure", "{deployment: d}"), ("responses", "{text_model: m}"), ("task", "{preset: kie}")]
)
def test_options_of_another_family_are_a_mistake(tmp_path: Path, kind: str, owner: str, options: str) -> None:
    own = "" if kind == owner or kind not in OPTIONS else f"{OPTIONS[kind]}, "
    text = scenario(kind, f"{own}{owner}: {options}")
    if kind == owner:
        load(tmp_path, text)
        return
    problem = only_problem(tmp_path, text)
    assert f"is of kind {kind}, which has no {owner} options" in problem.what
    assert problem.line == 5


@pytest.mark.parametrize(
    ("kind", "more", "defaults", "what"),
    [
        ("task", OPTIONS["task"], "reference_images: 1", "carry no reference images"),
        ("browser", "", "reference_images: 1", "carry no reference images"),
        ("task", OPTIONS["task"], "stream: true", "have no streams"),
        ("task", OPTIONS["task"], "partial_images: 1", "have no streams"),
        ("images", "", "mask: true", "mask needs reference images"),
        ("images", "", "edit_form: json", "edit_form needs reference images"),
        ("azure", "", "reference_images: 1, edit_form: json", "Azure takes edits as multipart only"),
        ("responses", "", "n: 2", "one image a call"),
        ("task", "", "quality: low", "has no task mapping"),
    ],
)
def test_what_a_family_cannot_carry_is_said_before_anything_is_sent(
    tmp_path: Path, kind: str, more: str, defaults: str, what: str
) -> None:
    problem = only_problem(tmp_path, scenario(kind, more, defaults))
    assert what in problem.what
    assert problem.line in (5, 6)


@pytest.mark.parametrize("kind", ["images", "compatible", "reverse", "azure", "responses"])
def test_an_edit_with_a_mask_is_carried(tmp_path: Path, kind: str) -> None:
    (cell,) = load(tmp_path, scenario(kind, "", "reference_images: 2, mask: true")).cells()
    assert (cell.edits, cell.mask) == (True, True)


def test_hops_are_other_routes_of_the_file(tmp_path: Path) -> None:
    text = scenario("images", "hops: [r, edge]").replace("defaults: {", "defaults: {route: r, ")
    assert [problem.what for problem in problems(tmp_path, text)] == [
        "there is no other route `r`",
        "there is no other route `edge`",
    ]


def test_reference_files_are_found_beside_the_scenario_and_count_in_its_hash(tmp_path: Path) -> None:
    text = scenario("images", "", "reference_images: 1, mask: true", "references: [a.png]\nmask_file: m.png\n")
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "m.png").write_bytes(b"mask")
    first = load(tmp_path, text)
    assert first.references == (str(tmp_path / "a.png"),)
    assert first.mask_file == str(tmp_path / "m.png")
    (tmp_path / "a.png").write_bytes(b"two")
    assert load(tmp_path, text).sha256 != first.sha256


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        ("references: [gone.png]\n", "`gone.png` cannot be read"),
        ("references: [a.gif]\n", "is not a png, jpg, jpeg or webp file"),
        ("references: [a.png]\n", "2 reference images are asked for, and 1 files are named"),
        ("references: [huge.png, a.png]\n", "larger than 50 MB"),
        ("mask_file: m.jpg\n", "is not a png file"),
    ],
)
def test_reference_files_that_cannot_go_out_are_mistakes(tmp_path: Path, rest: str, what: str) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(50 * 1024 * 1024 + 1)
    found = problems(tmp_path, scenario("images", "", "reference_images: 2", rest))
    assert [problem.line for problem in found if what in problem.what] == [7]


# Mappings of task APIs.

MAPPING: dict[str, Any] = {
    "submit": {"path": "/make", "fields": {"model": "model", "prompt": "input.prompt"}},
    "id": "id",
    "status": {"path": "/make/{id}", "word": "state", "done": ["ok"]},
    "result": "url",
}


def over(mapping: Mapping[str, Any], **changes: Any) -> str:
    """The mapping with values put at dotted paths (``__`` for the dot), as YAML on one line."""
    text = yaml.safe_dump({"task": mapping}, default_flow_style=False)
    changed = yaml.safe_load(text)["task"]
    for path, value in changes.items():
        put(changed, path.replace("__", "."), value)
    return "task: " + yaml.safe_dump(changed, default_flow_style=True, width=10_000).strip()


def test_a_mapping_of_ones_own_needs_no_preset(tmp_path: Path) -> None:
    task = load(tmp_path, scenario("task", over(MAPPING))).routes["r"].task
    assert task is not None
    assert (task.submit.path, task.status.done, task.poll.every, task.auth_scheme) == ("/make", ("ok",), 3.0, "Bearer")


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        ({"id": "a..b"}, "`a..b` is not a path", "data.items[0].url"),
        ({"result": "a[x]"}, "is not a path", "data.items[0].url"),
        ({"result": ""}, "empty text is not a path", "data.id"),
        ({"status__word": "1"}, "is not a path", "data.items[0].url"),
        ({"submit__fields": {"prompt": "input[0]"}}, "cannot be written to", "input.prompt"),
        ({"submit__fields": {"prompt": "a.b|json"}}, "cannot be written to", "input.prompt"),
        ({"submit__extra": {"a[*]": 1}}, "cannot be written to", "input.prompt"),
        ({"submit__path": "make"}, "is no path behind base_url", "begin with /"),
        ({"status__path": "https://example.com/{id}"}, "is no path behind base_url", "begin with /"),
        ({"status__path": "/make"}, "is the same for every task", "put {id}"),
        ({"result_path": "/make/result"}, "is the same for every task", "put {id}"),
        ({"cancel": {"path": "/stop"}}, "is the same for every task", "put {id}"),
        ({"submit__fields": {"promt": "prompt"}}, "no field `promt` to map", "write prompt"),
        ({"submit__fields": {"prompt": "p", "stream": "stream"}}, "no field `stream` to map", "write"),
        ({"submit__fields": {"model": "model"}}, "the prompt is not mapped", "map prompt"),
        ({"submit__fields": {"prompt": "input", "n": "input.n"}}, "written to the same place", "move one"),
        ({"submit__fields": {"prompt": "input.n", "n": "input.n"}}, "written to the same place", "move one"),
        ({"submit__extra": {"input": 1}}, "written to the same place", "move one"),
        ({"callback": {"field": "model"}}, "written to the same place", "move one"),
        ({"poll": {"every": "often"}}, "is not a duration", "write seconds"),
        ({"auth_scheme": "Basic"}, "auth_scheme", "Bearer"),
        ({"pol": {"every": 1}}, "no field `pol`", "write poll"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_mapping_that_cannot_work_is_a_mistake(tmp_path: Path, changes: dict[str, Any], what: str, fix: str) -> None:
    found = problems(tmp_path, scenario("task", over(MAPPING, **changes)))
    hits = [problem for problem in found if what in problem.what and fix in problem.fix]
    assert hits, [str(problem) for problem in found]
    assert hits[0].line == 5


@pytest.mark.parametrize("gone", ["submit", "id", "status", "result"])
def test_a_mapping_without_one_of_its_parts_is_a_mistake(tmp_path: Path, gone: str) -> None:
    rest = {name: value for name, value in MAPPING.items() if name != gone}
    assert only_problem(tmp_path, scenario("task", over(rest))).what == f"`{gone}` is missing"


def test_places_that_only_begin_alike_are_different_places(tmp_path: Path) -> None:
    fields = {"prompt": "input.n", "n": "input.number", "size": "input_size"}
    load(tmp_path, scenario("task", over(MAPPING, submit__fields=fields)))


def test_a_fixed_value_may_stand_where_a_field_would(tmp_path: Path) -> None:
    load(tmp_path, scenario("task", "task: {preset: kie, submit: {extra: {model: gpt-image-2-text-to-image}}}"))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_mapping_that_loads(tmp_path: Path, name: str) -> None:
    task = load(tmp_path, scenario("task", f"task: {{preset: {name}}}")).routes["r"].task
    assert task is not None
    assert set(task.submit.fields) <= set(TASK_FIELDS)
    assert task.submit.model_in_path == ("{model}" in task.submit.path)


def test_what_the_file_says_goes_over_the_preset_and_leaves_the_rest_of_it(tmp_path: Path) -> None:
    text = scenario("task", "task: {preset: evolink, poll: {every: 500ms}, status: {done: [completed, finished]}}")
    task = load(tmp_path, text).routes["r"].task
    assert task is not None
    assert (task.poll.every, task.status.done) == (0.5, ("completed", "finished"))
    assert (task.status.path, task.status.running, task.id) == ("/tasks/{id}", ("processing",), "id")
    again = FamilyOptions.model_validate({"task": {"preset": "evolink"}}).task
    assert again is not None
    assert (again.poll.every, again.status.done) == (5.0, ("completed",))  # the preset itself is as it was


@pytest.mark.parametrize(("name", "fix"), [("evolnik", "write evolink"), ("zzz", "write evolink, fal, generic")])
def test_a_preset_that_there_is_not_is_a_mistake_with_the_nearest_name(tmp_path: Path, name: str, fix: str) -> None:
    found = problems(tmp_path, scenario("task", f"task: {{preset: {name}}}"))
    assert [problem for problem in found if f"no preset `{name}`" in problem.what and fix in problem.fix]


# What each API answers, as its reference and captures have it: submit, a look, the end, and where the result is told.
ANSWERS: dict[str, tuple[Any, Any, Any, Any]] = {
    "generic": (
        {"id": "t1", "status": "queued"},
        {"id": "t1", "status": "running"},
        {"id": "t1", "status": "done", "queue_ms": 5, "result": {"url": "http://h/1", "urls": ["http://h/1"]}},
        None,
    ),
    "evolink": (
        {"created": 1, "id": "t1", "object": "image.generation.task", "progress": 0, "status": "pending",
         "task_info": {"can_cancel": True, "estimated_time": 100}, "type": "image", "usage": {"credits_reserved": 2}},
        {"id": "t1", "status": "processing", "progress": 40},
        {"id": "t1", "status": "completed", "results": ["http://h/1"]},
        None,
    ),
    "fal": (
        {"request_id": "t1", "response_url": "u", "status_url": "u", "cancel_url": "u", "queue_position": 0},
        {"status": "IN_PROGRESS", "logs": None},
        {"status": "COMPLETED", "metrics": {}},
        {"images": [{"url": "http://h/1", "width": 1024}], "seed": 1},
    ),
    "replicate": (
        {"id": "t1", "status": "starting", "urls": {"get": "u", "cancel": "u"}, "error": None, "output": None},
        {"id": "t1", "status": "processing", "error": None, "output": None},
        {"id": "t1", "status": "succeeded", "error": None, "output": ["http://h/1"]},
        None,
    ),
    "kie": (
        {"code": 200, "msg": "success", "data": {"taskId": "t1"}},
        {"code": 200, "msg": "success", "data": {"taskId": "t1", "state": "generating", "resultJson": ""}},
        {"code": 200, "msg": "success", "data": {"taskId": "t1", "state": "success", "costTime": 8000, "failCode": None,
                                                 "resultJson": '{"resultUrls":["http://h/1"]}'}},
        None,
    ),
}  # fmt: skip


@pytest.fixture(params=PRESETS)
def preset(request: pytest.FixtureRequest) -> tuple[TaskOptions, tuple[Any, Any, Any, Any]]:
    task = FamilyOptions.model_validate({"task": {"preset": request.param}}).task
    assert task is not None
    return task, ANSWERS[request.param]


def test_a_presets_paths_lead_to_what_its_api_answers(preset: tuple[TaskOptions, tuple[Any, Any, Any, Any]]) -> None:
    task, (submitted, running, done, result) = preset
    assert look(submitted, task.id).values == ("t1",)
    assert look(running, task.status.word).values[0] in task.status.running
    assert look(done, task.status.word).values[0] in task.status.done
    assert look(done if result is None else result, task.result).values == ("http://h/1",)
    assert (result is None) == (task.result_path is None)
    words = [*task.status.pending, *task.status.running, *task.status.done, *task.status.failed]
    assert len(words) == len(set(words))


def test_every_preset_says_where_its_facts_are_from() -> None:
    text = (Path(__file__).parents[2] / "harness/data/tasks.yaml").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^(\w+): # \S.*", text, re.MULTILINE)) == PRESETS
