from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.conditions import Caps, LayerCap, RouteConditions
from harness.errors import ScenarioError
from harness.scenario import load_scenario, load_text

from .build import GOOD, load, only_problem, problems

FULL = """\
name: full
why: Everything at once.
prompts:
  - {text: a lemon, complexity: simple, expect_text: LEMON}
  - a bridge
routes:
  direct:
    base_url: https://api.openai.com/v1
    owner: openai
    api_key_env: OPENAI_API_KEY
    headers: {X-Team: images, X-Pass: "Token ${TEAM_PASS}"}
    direct: true
    chain:
      - {layer: edge, product: nginx, kind: first_byte, cap_s: 1m, setting: proxy_read_timeout}
timeouts: {connect: 500ms, first_byte: 90, idle: 1.5m, total: 600s}
retry: {max_retries: 2, statuses: [429, 5xx, connect]}
budget: {usd: 1.5}
"""
ENV = {"OPENAI_API_KEY": "value-of-key", "TEAM_PASS": "value-of-pass"}


def test_a_file_becomes_a_frozen_scenario_that_knows_its_bytes_and_its_name(tmp_path: Path) -> None:
    scenario = load(tmp_path, GOOD)
    assert scenario.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert scenario.source == "s.yaml"
    assert scenario.model == "gpt-image-2"
    assert [prompt.text for prompt in scenario.prompts] == ["a lemon"]
    assert scenario.retry.max_retries == 0
    assert scenario.simulated
    assert scenario.time_scale == 1.0
    with pytest.raises(ValidationError):
        scenario.name = "other"  # type: ignore[misc]


def test_durations_take_numbers_and_units(tmp_path: Path) -> None:
    caps = load(tmp_path, FULL, env=ENV).timeouts.caps()
    assert caps == Caps(connect_s=0.5, first_byte_s=90.0, idle_s=90.0, total_s=600.0)


def test_a_route_tells_the_reading_half_who_owns_it_and_what_lies_on_the_way_but_no_address(tmp_path: Path) -> None:
    route = load(tmp_path, FULL, env=ENV).routes["direct"]
    edge = LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60.0, setting="proxy_read_timeout")
    assert route.conditions() == RouteConditions(
        name="direct", kind="images", owner="openai", chain=(edge,), direct=True
    )


def test_a_scenario_holds_names_of_secrets_and_fills_them_in_only_when_asked(tmp_path: Path) -> None:
    scenario = load(tmp_path, FULL, env=ENV)
    route = scenario.routes["direct"]
    assert "value-of" not in repr(scenario)
    assert route.secret_env_names() == ("OPENAI_API_KEY", "TEAM_PASS")
    assert route.resolved_headers(ENV) == {"X-Team": "images", "X-Pass": "Token value-of-pass"}


def test_retries_may_name_single_statuses_classes_and_failed_connections(tmp_path: Path) -> None:
    retry = load(tmp_path, FULL, env=ENV).retry
    assert set(retry.statuses) == {"429", "5xx", "connect"}


def test_variables_need_not_be_set_when_the_caller_says_so(tmp_path: Path) -> None:
    assert load(tmp_path, FULL, check_env=False).name == "full"
    whats = [problem.what for problem in problems(tmp_path, FULL)]
    assert whats == [
        "the environment variable OPENAI_API_KEY is not set",
        "the environment variable TEAM_PASS is not set",
    ]


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert load_scenario("-").source == "<stdin>"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"name: [")))
    with pytest.raises(ScenarioError, match=r"<stdin>:1: not YAML"):
        load_scenario(Path("-"))


def test_a_text_in_hand_is_read_like_a_file() -> None:
    assert load_text(GOOD, source="a command").source == "a command"
    with pytest.raises(ScenarioError, match=r"a command:7: there is no field `repeets`"):
        load_text(GOOD + "repeets: 3\n", source="a command")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_text("\ud800", source="a command")


def test_a_missing_file_and_a_folder_are_scenario_errors(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        load_scenario(tmp_path / "none.yaml")
    with pytest.raises(ScenarioError, match="this is a folder"):
        load_scenario(tmp_path)


def test_prompts_may_stand_in_a_file_of_their_own_which_then_counts_for_the_digest(tmp_path: Path) -> None:
    text = GOOD.replace("prompts: [a lemon]", "prompts_file: p.yaml")
    prompts = tmp_path / "p.yaml"
    prompts.write_text("- a pear\n- {text: a plum, complexity: complex}\n")
    first = load(tmp_path, text)
    assert [prompt.text for prompt in first.prompts] == ["a pear", "a plum"]
    prompts.write_text("prompts:\n  - a fig\n")
    assert [prompt.text for prompt in load(tmp_path, text).prompts] == ["a fig"]
    assert load(tmp_path, text).sha256 != first.sha256


def test_a_mistake_in_the_prompt_file_carries_that_files_name_and_line(tmp_path: Path) -> None:
    text = GOOD.replace("prompts: [a lemon]", "prompts_file: p.yaml")
    (tmp_path / "p.yaml").write_text("- a pear\n- {text: a plum, complexity: hard}\n")
    problem = only_problem(tmp_path, text)
    assert (problem.file, problem.line) == (str(tmp_path / "p.yaml"), 2)
    (tmp_path / "p.yaml").unlink()
    assert only_problem(tmp_path, text).what == "`p.yaml`: there is no such file"


def test_a_certificate_authority_is_found_beside_the_scenario(tmp_path: Path) -> None:
    text = GOOD.replace("owner: openai", "owner: openai, ca_file: own.pem")
    assert only_problem(tmp_path, text).what == "ca_file does not exist"
    (tmp_path / "own.pem").write_text("")
    assert load(tmp_path, text).routes["direct"].ca_file == str((tmp_path / "own.pem").resolve())


def test_importing_scenarios_and_plans_brings_no_network_and_no_data_frames() -> None:
    code = (
        "import sys, harness.scenario, harness.plan, harness.prices\n"
        "print([m for m in ('httpx', 'httpcore', 'openai', 'pandas', 'numpy', 'anyio', 'ssl') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
