"""A small good scenario as text, and ways to load one and to see what was wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import Problem, ScenarioError
from harness.scenario import Scenario, load_scenario

GOOD = """\
name: small
why: Does the loader load?
prompts: [a lemon]
routes:
  direct: {base_url: "simulator://", owner: openai}
defaults: {quality: low, size: 1024x1024}
"""


def load(folder: Path, text: str, *, env: Mapping[str, str] | None = None, check_env: bool = True) -> Scenario:
    file = folder / "s.yaml"
    file.write_text(text, encoding="utf-8")
    return load_scenario(file, env={} if env is None else env, check_env=check_env)


def problems(folder: Path, text: str, **options: object) -> tuple[Problem, ...]:
    with pytest.raises(ScenarioError) as caught:
        load(folder, text, **options)  # type: ignore[arg-type]
    return caught.value.problems


def only_problem(folder: Path, text: str, **options: object) -> Problem:
    found = problems(folder, text, **options)
    assert len(found) == 1, [str(problem) for problem in found]
    return found[0]
