"""What a run may cost is asked for before anything is sent; where nobody is there, nothing goes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.confirm import confirm, needs_confirmation
from harness.errors import UsageProblem
from harness.plan import make_plan
from harness.scenario import load_scenario
from tests.conftest import Harness

SCENARIO = """
name: paid
why: What does it cost at worst?
prompts: [A red apple on a white table]
routes: {{direct: {{base_url: "http://127.0.0.1:9/v1", owner: openai}}}}
defaults: {{size: 1024x1024, quality: low}}
repeats: {repeats}
retry: {{max_retries: {retries}}}
{budget}
"""


def written(folder: Path, *, repeats: int = 10, retries: int = 0, budget: str = "") -> Path:
    path = folder / "paid.yaml"
    path.write_text(SCENARIO.format(repeats=repeats, retries=retries, budget=budget))
    return path


@pytest.mark.parametrize(
    ("retries", "budget", "most"),
    [(0, "", 1.0), (3, "", 4.0), (3, "budget: {usd: 0.1}", None), (0, "budget: {usd: 50}", 1.0)],
)
def test_the_worst_is_every_retry_billed_within_the_budget(
    tmp_path: Path, retries: int, budget: str, most: float | None
) -> None:
    plan = make_plan(load_scenario(written(tmp_path, retries=retries, budget=budget)))
    assert plan.cost_upper_usd is not None
    assert plan.most_usd == pytest.approx(0.1 if most is None else most * plan.cost_upper_usd)


def test_a_price_that_is_not_known_may_be_any_and_play_money_is_none() -> None:
    assert needs_confirmation(None, simulated=False)
    assert needs_confirmation(1.01, simulated=False)
    assert not needs_confirmation(1.0, simulated=False)
    assert not needs_confirmation(None, simulated=True)
    with pytest.raises(UsageProblem, match="not known"):
        confirm(None, simulated=False, above_usd=1, yes=False)
    confirm(None, simulated=False, above_usd=1, yes=True)


def test_nothing_is_sent_or_written_where_nobody_can_be_asked(tmp_path: Path, harness: Harness) -> None:
    path = written(tmp_path, repeats=250)
    assert "asks first" in harness("plan", path).stdout
    done = harness("run", path, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "nothing was sent. Give --yes" in done.stderr
    assert not (tmp_path / "run").exists()
    allowed = harness("run", path, "--out", tmp_path / "run", "--quiet", "--confirm-above", "5")
    # Nobody listens there: the breaker ends it after five, and it costs nothing.
    assert allowed.returncode == 0
    assert "5 failures in a row" in allowed.stderr


@pytest.mark.parametrize("option", ["--usd", "--confirm-above", "--time-scale"])
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_what_is_no_number_to_count_with_is_no_budget(
    tmp_path: Path, harness: Harness, option: str, value: str
) -> None:
    done = harness("run", written(tmp_path), "--out", tmp_path / "run", option, value)
    assert done.returncode == 2
    assert "is not a number to count with" in done.stderr
    assert not (tmp_path / "run").exists()
