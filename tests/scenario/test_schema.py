from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from harness.scenario import json_schema

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_the_schema_file_is_what_the_models_say_today() -> None:
    stored = (SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8")
    command = [sys.executable, "-W", "error", "-m", "harness.scenario.schema"]
    written = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8")
    assert written == stored, "run: python -m harness.scenario.schema > scenarios/scenario.schema.json"
    assert json.loads(stored) == json_schema()


def described(node: dict[str, Any], path: str = "") -> list[str]:
    missing = []
    for owner in (node, *node.get("$defs", {}).values()):
        for name, value in owner.get("properties", {}).items():
            if not value.get("description"):
                missing.append(f"{path}{name}")
    return missing


def test_every_field_has_a_description() -> None:
    assert described(json_schema()) == []


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*.yaml")), ids=lambda file: file.stem)
def test_an_editor_accepts_every_shipped_scenario(file: Path) -> None:
    Draft202012Validator(json_schema()).validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "change",
    [
        {"matrix": {"quality": "low"}},
        {"matrix": {"compression": [None, 85], "include": [{"format": ["jpeg", "webp"]}]}},
        {"timeouts": {"total": "90s", "idle": 3}},
        {"retry": {"statuses": [429, "5xx"]}},
    ],
)
def test_an_editor_accepts_every_way_of_writing_that_the_loader_accepts(change: dict[str, object]) -> None:
    Draft202012Validator(json_schema()).validate({**_good(), **change})


@pytest.mark.parametrize("change", [{"repeats": "3"}, {"modle": "x"}, {"defaults": {"quality": "hd"}}])
def test_an_editor_underlines_what_the_loader_refuses(change: dict[str, object]) -> None:
    assert not Draft202012Validator(json_schema()).is_valid({**_good(), **change})


def _good() -> dict[str, object]:
    return {
        "name": "a",
        "why": "b",
        "prompts": ["c", {"text": "d", "complexity": "simple"}],
        "routes": {"direct": {"base_url": "simulator://", "owner": "openai"}},
    }
