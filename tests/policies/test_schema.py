"""The JSON Schema of policy files: as the models say, for every way of writing that the reader takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.policies.read import parse_policies
from harness.policies.schema import json_schema
from harness.scenario.reader import read_document

POLICIES = Path(__file__).parents[2] / "scenarios" / "policies"


def accepts(text: str) -> bool:
    # Our own reader's YAML is that of editors (1.2), where `on` is a word; PyYAML's own would make it true.
    found: bool = Draft202012Validator(json_schema()).is_valid(read_document(text.encode(), "p.yaml").tree)
    return found


def test_the_schema_file_is_what_the_models_say_today() -> None:
    stored = (POLICIES / "policy.schema.json").read_text(encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "harness.policies.schema"]
    written = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8")
    assert written == stored, "run: python -m harness.policies.schema > scenarios/policies/policy.schema.json"


def test_every_field_has_a_description() -> None:
    schema = json_schema()
    owners: list[dict[str, Any]] = [schema, *schema["$defs"].values()]
    fields = [(name, field) for owner in owners for name, field in owner.get("properties", {}).items()]
    assert [name for name, field in fields if not field.get("description")] == []


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_editor_accepts_every_shipped_policy_file(file: Path) -> None:
    assert accepts(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "policy",
    [
        "retry: {max: 1, on: [429, '5xx', error], pause: 0s}",
        "retry: {max: 1, base: 500ms, budget_share: 10%}",
        "async: {poll: 2}",
        "caps: {proxy: null, edge: 5m}",
        "cache: {share: 0.3, takes: 50ms}",
        "two_stage: {first: {quality: low}, keep: 30%}",
    ],
)
def test_what_the_reader_takes_an_editor_accepts(policy: str) -> None:
    text = f"load: {{concurrency: 1}}\npolicies:\n  - {{name: a, {policy}}}\n"
    parse_policies(text.encode(), "p.yaml")
    assert accepts(text)


@pytest.mark.parametrize(
    "policy", ["retri: {max: 1}", "retry: {max: -1}", "retry: {max: 1, on: [404]}", "timeout: soon"]
)
def test_what_the_reader_refuses_an_editor_underlines(policy: str) -> None:
    assert not accepts(f"load: {{concurrency: 1}}\npolicies:\n  - {{name: a, {policy}}}\n")
