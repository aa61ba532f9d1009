"""A world that runs faster is the embedded API's alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.run.scale import check_address
from tests.conftest import Harness

PUBLIC = ["https://api.openai.com/v1", "https://8.8.8.8/v1", "https://[2606:4700::1]/v1", "https://my.gateway.dev"]
OWN = ["http://127.0.0.1:8080/v1", "http://localhost:1/v1", "http://[::1]:9/v1", "http://10.0.0.7/v1", "http://sim:80/v1",
       "https://sim.internal/v1", "http://api.test/v1"]  # fmt: skip


@pytest.mark.parametrize("base_url", PUBLIC)
def test_a_public_address_is_in_no_world_that_runs_faster(base_url: str) -> None:
    check_address("s.yaml", "direct", base_url, 1.0)
    with pytest.raises(UsageProblem, match="50 times too long"):
        check_address("s.yaml", "direct", base_url, 50.0)


@pytest.mark.parametrize("base_url", OWN)
def test_an_address_of_ones_own_may_be_an_embedded_api(base_url: str) -> None:
    check_address("s.yaml", "direct", base_url, 50.0)


def test_nothing_is_sent_to_a_real_api_at_another_speed(tmp_path: Path, harness: Harness) -> None:
    scenario = tmp_path / "real.yaml"
    scenario.write_text(
        "name: real\nwhy: At which speed?\nprompts: [A red apple]\nbudget: {usd: 1}\n"
        "routes: {direct: {base_url: 'https://api.openai.com/v1', owner: openai, api_key_env: SOME_KEY}}\n"
    )
    done = harness("run", scenario, "--out", tmp_path / "r", "--time-scale", "50", "--yes", env={"SOME_KEY": "none"})
    assert done.returncode == 2
    assert "api.openai.com does not" in done.stderr
    assert not (tmp_path / "r" / "events.jsonl").read_bytes()
