"""Policy files: what is read, and how mistakes are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from harness.errors import ScenarioError
from harness.policies import PolicyFile, read_policies
from harness.policies.model import ENDS
from harness.policies.read import parse_policies
from tests.conftest import ROOT

SHIPPED = sorted((ROOT / "scenarios" / "policies").glob("*.yaml"))
PAGE = (ROOT / "docs" / "whatif.md").read_text(encoding="utf-8")


def parsed(text: str) -> PolicyFile:
    return parse_policies(text.encode(), "p.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        parsed(text)
    return [f"{one.line}: {one.what} | {one.fix}" for one in caught.value.problems]


def test_every_way_of_writing_times_rates_and_shares_is_understood() -> None:
    found = parsed("""
load: {rate: 6/1m}
policies:
  - name: bounded
    timeout: 2m
    retry: {max: 1, base: 500ms, cap: 30, budget_share: 10%, on: [429, 5xx, cut]}
  - {name: again, retry: {max: 3, pause: 0s}, async: {poll: 2s}, caps: {edge: null}}
""")
    bounded, again = found.policies
    assert found.load.rate == 0.1
    assert bounded.timeout == 120.0
    assert bounded.retry is not None
    assert (bounded.retry.base, bounded.retry.cap, bounded.retry.budget_share) == (0.5, 30.0, 0.1)
    assert bounded.retry.ends == {"429", "5xx", "cut"}
    assert again.retry is not None
    assert again.async_ is not None
    assert (again.retry.pause, again.retry.ceiling_s(3), again.async_.poll, dict(again.caps)) == (
        0,
        0,
        2,
        {"edge": None},
    )
    assert parsed("load: {rate: 2/1h}\npolicies: [{name: a}]").load.rate == pytest.approx(2 / 3600)
    assert parsed("load: {rate: 0.5/s}\npolicies: [{name: a}]").load.rate == 0.5


def test_error_stands_for_what_may_pass_and_never_for_a_refusal_that_stays() -> None:
    found = parsed("policies: [{name: a, fallback: {route: b, on: [error]}}]").policies[0]
    assert found.fallback is not None
    assert found.fallback.ends == {"cut", "429", "5xx", "bad", "connect"}
    assert set(ENDS) - found.fallback.ends == {"timeout", "4xx", "moderation"}


def test_every_mistake_has_its_line_and_its_fix() -> None:
    assert problems("""
load: {rate: 6 a minute, jobs: 0}
polices: 3
policies:
  - name: naive
    timeot: 60s
    retry: {max: 3, on: [timeout, 430]}
  - name: other
    asinc: {}
    stream: {partial_images: 9}
""") == [
        "2: `6 a minute` is not a rate | write jobs per time: 6/1m, 0.5/s, 200/1h",
        "2: jobs: 0 is out of range | it must be at least 1 (Jobs of one replication)",
        "3: there is no field `polices` here | write policies",
        "6: there is no field `timeot` here | write timeout",
        "7: 430 is no way for an attempt to end | "
        "write timeout, cut, 429, 5xx, 4xx, moderation, bad, connect or error",
        "9: there is no field `asinc` here | write async",
        "10: partial_images: 9 is out of range | "
        "it must be at most 3 (Previews asked for, 0 to 3; each costs about 100 output tokens)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "what"),
    [
        ("retry: {max: 1, on: [moderation]}", "moderation is refused again however often it is sent"),
        ("retry: {max: 1, pause: 1, base: 1}", "pause and base are two kinds of pause"),
        ("timeout: 50\n    hedge: {after: 100}", "the copy would be sent after the timeout, so it never is"),
        ("deadline: 50\n    fallback: {after: 100, route: b}", "fallback begins after the deadline, so it never does"),
        ("fallback: {route: b}", "a fallback that nothing leads to"),
        ("stream: {}\n    async: {}", "stream and async are two ways to ask; a job goes one"),
        ("two_stage: {first: {}}", "the first stage has no shape"),
        ("name: a", "`name` is given twice; the first is on line 3"),
        ("cache: {share: 20}", "share: 20 is out of range"),
    ],
)
def test_what_contradicts_itself_is_refused(policy: str, what: str) -> None:
    found = problems(f"load: {{rate: 1/m}}\npolicies:\n  - name: a\n    {policy}\n")
    assert len(found) == 1
    assert what in found[0]


@pytest.mark.parametrize(
    ("down", "what"),
    [
        ("{after: 100s, lasts: 60s}", "the last job begins at about 100 s, before that"),
        ("{after: 10s, lasts: 60s, end: timeout}", "is no end that an outage makes"),
        ("{after: 10s}", "lasts"),
    ],
)
def test_an_outage_that_nobody_could_meet_or_that_is_none_is_refused(down: str, what: str) -> None:
    text = f"load: {{rate: 6/1m, jobs: 10}}\nroutes:\n  a: {{down: {down}}}\npolicies: [{{name: it}}]\n"
    with pytest.raises(ScenarioError) as caught:
        parse_policies(text.encode(), "p.yaml")
    (problem,) = caught.value.problems
    assert problem.line == 3
    assert what in problem.what


def test_a_load_is_a_rate_or_a_concurrency_and_names_are_given_once() -> None:
    assert "the load is a rate or a concurrency" in problems("load: {jobs: 3}\npolicies: [{name: a}]")[0]
    assert "the load is a rate or" in problems("load: {rate: 1/m, concurrency: 2}\npolicies: [{name: a}]")[0]
    assert "`a` is given twice" in problems("policies: [{name: a}, {name: a}]")[0]
    same = "routes: {a: {same_as: c}, b: {}}\npolicies: [{name: a}]"
    assert "`c` is no other route of this file" in problems(same)[0]


@pytest.mark.parametrize("raw", [b"", b"- a", b"policies: [", b"\xff", b"policies: 3", b"policies: []"])
def test_what_is_no_policy_file_is_a_problem_with_a_line_and_never_a_crash(raw: bytes) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_policies(raw, "p.yaml")
    assert all(one.line >= 1 and one.fix for one in caught.value.problems)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="there is no such file"):
        read_policies(tmp_path / "none.yaml")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_policies_are_read(file: Path) -> None:
    assert all(policy.why for policy in read_policies(file).policies)


def fields(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_every_field_is_on_the_page() -> None:
    import harness.policies.model as room

    models = [one for one in vars(room).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    names = {name for model in models if model.__module__ == room.__name__ for name in fields(model)}
    assert len(names) > 40
    assert {name for name in names if not re.search(rf"\b{name}\b", PAGE)} == set()
    assert {end for end in ENDS if f"`{end}`" not in PAGE} == set()
