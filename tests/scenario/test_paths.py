"""Paths into JSON: every value is an outcome, and what is shown of an answer holds none of its values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenario.paths import MAX_SHAPE_CHARS, check_path, check_place, look, put, shape, steps_of
from harness.scenario.words import Mistake

ANSWER = {
    "data": {"items": [{"url": "u1"}, {"url": "u2"}, {"other": 1}], "text": '{"urls": ["t1", "t2"]}', "nothing": None},
    "zero": 0, "no": False, "empty": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("data.items[0].url", ("u1",)),
        ("data.items[*].url", ("u1", "u2")),
        ("data.items[1]", ({"url": "u2"},)),
        ("data.text|json.urls[*]", ("t1", "t2")),
        ("data.text|json.urls[1]", ("t2",)),
        ("zero", (0,)),
        ("no", (False,)),
        ("empty", ("",)),
    ],
)
def test_a_path_leads_to_what_it_names(path: str, values: tuple[object, ...]) -> None:
    found = look(ANSWER, path)
    assert (found.values, found.missing) == (values, None)


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("id", "id"),
        ("data.id.deeper", "data.id"),
        ("data.items[7].url", "data.items[7]"),
        ("data.items[*].nothing.more", "data.items[*].nothing"),
        ("data.items.url", "data.items.url"),
        ("data[0]", "data[0]"),
        ("data[*]", "data[*]"),
        ("data.nothing", "data.nothing"),
        ("data.items|json", "data.items|json"),
        ("empty|json", "empty|json"),
        ("data.text|json.links", "data.text|json.links"),
        ("zero.more", "zero.more"),
    ],
)
def test_a_path_that_leads_nowhere_says_how_far_it_led(path: str, missing: str) -> None:
    found = look(ANSWER, path)
    assert (found.values, found.missing) == ((), missing)


@pytest.mark.parametrize(
    "text", ["<html>no</html>", "{", "NaN", '"\\ud800"', "9" * 5000, "[" * 20_000, "\ud800", "nulL", "", " "]
)
def test_json_in_a_text_that_is_none_is_a_path_that_leads_nowhere(text: str) -> None:
    assert look({"text": text}, "text|json.urls[*]").missing in ("text|json", "text|json.urls")


@pytest.mark.parametrize(
    "path",
    ["", ".", "a.", ".a", "a..b", "a b", "a[", "a[x]", "a[-1]", "[0]a", "a|jsonx", "a|xml", "a[12345]", "é", "1a"],
)
def test_what_is_no_path_is_a_mistake_with_an_example(path: str) -> None:
    with pytest.raises(Mistake) as caught:
        check_path(path)
    assert "data" in caught.value.fix


@pytest.mark.parametrize("path", ["a[0]", "a[*].b", "a|json", "a|json.b"])
def test_only_names_can_be_written_to(path: str) -> None:
    assert check_path(path) == path
    with pytest.raises(Mistake, match="cannot be written to"):
        check_place(path)


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,5}", fullmatch=True) | st.sampled_from(["a", "b", "data"])
STEPS = st.one_of(
    NAMES.map(lambda name: f".{name}"),
    st.integers(0, 9999).map(lambda at: f"[{at}]"),
    st.sampled_from(["[*]", "|json"]),
)
PATHS = st.builds(lambda name, rest: name + "".join(rest), NAMES, st.lists(STEPS, max_size=5))
TEXTS = st.text(max_size=12) | st.text(st.characters(categories=["Cs", "Ll", "Nd"]), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers().map(lambda n: n * 10**400) | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "data"]) | TEXTS, inner, max_size=4)
        | inner.map(json.dumps)
    ),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(VALUES, PATHS)
def test_looking_into_any_json_finds_something_or_says_how_far_it_came(value: Any, path: str) -> None:
    found = look(value, path)
    assert bool(found.values) == (found.missing is None)
    assert found.missing is None or path.startswith(found.missing)


@settings(max_examples=200, deadline=None)
@given(PATHS)
def test_a_path_is_what_its_steps_say(path: str) -> None:
    shown = ""
    for step in steps_of(path):
        if isinstance(step, int) or step == "*":
            shown += f"[{step}]"
        else:
            shown += step if step == "|json" or not shown else f".{step}"
    assert shown == path


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_path_or_a_mistake(text: str) -> None:
    try:
        check_path(text)
    except Mistake:
        return
    look({}, text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=3).map(".".join), VALUES), max_size=6))
def test_what_was_put_last_is_found_again_whatever_was_there(puts: list[tuple[str, Any]]) -> None:
    body: dict[str, Any] = {}
    for path, value in puts:
        put(body, path, value)
        kept: Any = body
        for name in path.split("."):
            kept = kept[name]
        assert kept is value


def test_put_makes_the_mappings_on_the_way_and_keeps_what_stands_beside() -> None:
    body: dict[str, Any] = {"input": {"prompt": "p"}}
    put(body, "input.image.size", "1024x1024")
    put(body, "model", "m")
    assert body == {"input": {"prompt": "p", "image": {"size": "1024x1024"}}, "model": "m"}


def test_a_shape_has_keys_and_types() -> None:
    told: Any = {"code": 200, "ok": True, "none": None, "items": [{"url": "u"}, 1], "deep": {"a": {"b": {}}}, "x": []}
    assert shape(told) == ("{code: number, ok: bool, none: null, items: [{url: text} × 2], deep: {a: {b: {…}}}, x: []}")


MARK = "Zq7"  # in every value and in nothing else


def marked(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["a", "b", "data"]) | MARKED, inner, max_size=4
    )


MARKED = st.text(max_size=30).map(lambda text: f"{text} {MARK}") | st.text(max_size=40).map(
    lambda text: f"{MARK}.{text}"
)


@settings(max_examples=300, deadline=None)
@given(st.recursive(MARKED | st.just(777_777), marked, max_leaves=30))
def test_a_shape_is_short_and_holds_no_value_and_no_key_that_may_be_one(value: Any) -> None:
    told = shape(value)
    assert len(told) <= MAX_SHAPE_CHARS
    assert MARK not in told
    assert "777" not in told


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_json_has_a_shape(value: Any) -> None:
    assert shape(value)


def test_a_shape_of_something_deep_or_wide_is_short() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": [deep]}
    assert shape(deep) == "{a: [{a: […]} × 1]}"
    assert len(shape({f"name_{index}": index for index in range(10_000)})) <= MAX_SHAPE_CHARS
