"""Whatever the bytes are, the loader answers with a scenario or with a `ScenarioError`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.plan import make_plan
from harness.scenario import Scenario, load_scenario

DEMO = (Path(__file__).parents[2] / "scenarios" / "demo.yaml").read_text(encoding="utf-8")
WORDS = sorted(set(DEMO.split()))
SECRET = "sk-live-Zq9" + "Xw7Lm2" * 4

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), st.sampled_from(WORDS))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def loads(raw: bytes) -> Scenario | ScenarioError:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "s.yaml"
        file.write_bytes(raw)
        result: Scenario | ScenarioError
        try:
            result = load_scenario(file, env={})
        except ScenarioError as error:
            result = error
    if isinstance(result, ScenarioError):
        assert result.problems
        assert all(problem.line >= 1 and problem.what and problem.fix for problem in result.problems)
    return result


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    loads(raw)


@settings(deadline=None)
@given(st.text(alphabet="ab:{}[]-'\"|>&*!%#?,\n\t \\xuU0129~<", max_size=80))
def test_any_text_of_yaml_marks(text: str) -> None:
    loads(text.encode())


def paths(tree: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [here] if here else []
    if isinstance(tree, dict):
        for key, value in tree.items():
            found += paths(value, (*here, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found += paths(value, (*here, index))
    return found


PATHS = paths(yaml.safe_load(DEMO))


@settings(deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from(PATHS), st.sampled_from(["set", "drop", "rename"]), values), min_size=1, max_size=3
    )
)
def test_the_demo_with_some_of_its_values_replaced_dropped_or_renamed(
    changes: list[tuple[tuple[str | int, ...], str, object]],
) -> None:
    tree = yaml.safe_load(DEMO)
    for path, kind, value in changes:
        holder = tree
        try:
            for step in path[:-1]:
                holder = holder[step]
            if kind == "set":
                holder[path[-1]] = value
            elif kind == "drop":
                del holder[path[-1]]
            else:
                holder[str(value)] = holder.pop(path[-1])
        except (KeyError, IndexError, TypeError):
            continue
    result = loads(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))
    if isinstance(result, Scenario) and isinstance(result.simulator, dict):
        assert result.cells()
        if result.simulator.get("profile") == "tuning-article":
            make_plan(result).to_json()


@settings(deadline=None, max_examples=150)
@given(st.integers(0, len(DEMO) - 1), st.integers(0, 30), st.text(max_size=8))
def test_the_demo_with_a_piece_of_its_text_replaced(at: int, length: int, piece: str) -> None:
    loads((DEMO[:at] + piece + DEMO[at + length :]).encode("utf-8", "surrogatepass"))


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(PATHS))
def test_a_key_put_anywhere_into_the_demo_is_refused_and_never_echoed(path: tuple[str | int, ...]) -> None:
    tree = yaml.safe_load(DEMO)
    holder = tree
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = SECRET
    result = loads(yaml.safe_dump(tree).encode())
    assert isinstance(result, ScenarioError)
    assert SECRET[8:] not in str(result)
