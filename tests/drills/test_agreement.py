"""What a drill measures on the embedded API is what the simulation of its policy says from a plain run."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Harness
from tests.drills.agreeing import Agreement, agreements

# Of 100 jobs a share of 0.95 is known to 2.2 points, and so is what is simulated from a run of as many: their
# difference has a standard error of 3.3 %, and the bound is three of them. What the embedded API draws is always the
# same here, so that luck does not come into it; `make bench` compares more jobs, with other draws.
BOUND = 0.10


def test_drill_and_simulation_of_an_outage_agree_within_a_tenth(tmp_path: Path, harness: Harness) -> None:
    found = agreements(tmp_path, harness, jobs=100, broken=True)
    table = _table(found)
    print(table)
    assert {one.policy for one in found} == {"nothing", "naive", "bounded", "fallback"}
    assert all(abs(one.error) < BOUND for one in found), table
    kept = {one.policy: one.live for one in found if one.figure == "success share"}
    assert kept["nothing"] < 0.7, "an outage was there"
    assert kept["fallback"] > 0.95


def test_drill_and_simulation_agree_within_a_tenth_on_success_and_cost(tmp_path: Path, harness: Harness) -> None:
    found = agreements(tmp_path, harness, jobs=100)
    table = _table(found)
    print(table)
    assert {one.policy for one in found} == {"naive", "bounded", "fallback", "hedge"}
    assert all(abs(one.error) < BOUND for one in found), table


def _table(found: list[Agreement]) -> str:
    return "\n".join(
        f"{one.policy:9} {one.figure:14} live {one.live:.4f} simulated {one.simulated:.4f} {one.error:+.1%}"
        for one in found
    )
