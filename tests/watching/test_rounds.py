"""One round after the other, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.errors import HarnessError, UsageProblem
from harness.events import to_line
from harness.plan import Plan, make_plan
from harness.run.journal import Send
from harness.scenario.load import load_text
from harness.watching.money import Bounds, Purse, at_most, check, day_of, dearest_round, lines, spent_in
from harness.watching.rounds import Ended, Ran, Round, rounds, strays
from tests.report.build_run import job as event_of

START_S = 1_772_409_600.0 + 600  # ten minutes after a midnight of UTC
EVERY_S = 900.0
EACH = {"b1-1": 0.05, "b1-2": 0.05}


class Virtual:
    """A clock that a round and a wait move, and a user who may ask for the end."""

    def __init__(self, end_s: float = float("inf")) -> None:
        self.at_s, self.end_s = START_S, end_s

    def now_s(self) -> float:
        return self.at_s

    def wait(self, seconds: float) -> bool:
        self.at_s += seconds
        return self.at_s < self.end_s

    def listen(self) -> None:
        pass


def send(run_dir: Path, *job_ids: str) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    text = b"".join(msgspec.json.encode(Send(job_id=one, at="", client_request_id="")) + b"\n" for one in job_ids)
    (run_dir / "sends.jsonl").write_bytes(text)


def play(
    folder: Path,
    do_round: Callable[[Path], Ran],
    clock: Virtual,
    bounds: Bounds = Bounds(rounds=4),  # noqa: B008
    **more: Any,
) -> tuple[list[Round], Ended, list[str]]:
    said: list[str] = []
    purse = more.pop("purse", None) or Purse()
    found = list(
        rounds(do_round, folder, EVERY_S, bounds, purse, 0.1, EACH, more.pop("last", None), clock, said.append, **more)
    )
    assert isinstance(found[-1], Ended)
    return [one for one in found if isinstance(one, Round)], found[-1], said


def taking(clock: Virtual, seconds: float = 60.0) -> Callable[[Path], Ran]:
    def do(run_dir: Path) -> Ran:
        send(run_dir, *EACH)
        clock.at_s += seconds
        return Ran()

    return do


def test_rounds_follow_the_grid_and_end_after_so_many(tmp_path: Path) -> None:
    clock = Virtual()
    found, ended, _ = play(tmp_path, taking(clock), clock)
    assert [one.began_s - START_S for one in found] == [0, 900, 1800, 2700]
    assert ended.by == "rounds"
    assert {one.status for one in found} == {"complete"}
    assert len({one.run_dir for one in found}) == 4


def test_rounds_never_overlap_and_what_falls_out_is_counted(tmp_path: Path) -> None:
    clock = Virtual()
    found, _, _ = play(tmp_path, taking(clock, 2000), clock)
    assert all(later.began_s >= sooner.ended_s for sooner, later in pairwise(found))
    assert [one.missed for one in found] == [0, 2, 2, 2]


@pytest.mark.parametrize(
    ("error", "said"),
    [(HarnessError("the disk is full"), "the disk is full"), (ValueError("a secret"), "ValueError at test_rounds.py:")],
)
def test_a_round_that_fails_is_recorded_and_the_watch_goes_on(tmp_path: Path, error: Exception, said: str) -> None:
    clock, calls = Virtual(), []

    def do(run_dir: Path) -> Ran:
        calls.append(run_dir)
        if len(calls) == 2:
            raise error
        return taking(clock)(run_dir)

    found, _, _ = play(tmp_path, do, clock)
    assert [one.status for one in found] == ["complete", "failed", "complete", "complete"]
    assert found[1].why is not None
    assert said in found[1].why
    assert "secret" not in found[1].why


def test_what_was_sent_counts_with_its_estimate_until_its_cost_is_known(tmp_path: Path) -> None:
    send(tmp_path, "b1-1", "b1-2", "of another version")
    assert spent_in(tmp_path, EACH) == pytest.approx(0.15)
    known = event_of(1, job_id="b1-1", cost_usd=0.01)
    (tmp_path / "events.jsonl").write_bytes(to_line(known) + b'{"torn')
    with (tmp_path / "sends.jsonl").open("ab") as sends:
        sends.write(b'{"job_id": "b1-')  # killed in the middle of the line: this job was not sent
    assert spent_in(tmp_path, EACH) == pytest.approx(0.11)


def test_the_cap_of_a_day_lets_the_watch_wait_for_the_next_day(tmp_path: Path) -> None:
    clock = Virtual()
    found, ended, said = play(tmp_path, taking(clock), clock, Bounds(rounds=5, usd_per_day=0.25))
    days = [day_of(one.began_s) for one in found]
    assert [days.count(day) for day in dict.fromkeys(days)] == [2, 2, 1]
    assert ended.by == "rounds"
    assert len(said) == 2
    assert "0.25 USD a day" in said[0]
    assert found[2].missed > 80


def test_the_cap_in_all_ends_the_watch_and_counts_what_earlier_processes_spent(tmp_path: Path) -> None:
    clock, purse = Virtual(), Purse({"2026-01-01": 0.7})
    found, ended, _ = play(tmp_path, taking(clock), clock, Bounds(usd_total=1.0), purse=purse)
    assert len(found) == 3
    assert ended.by == "cap"
    assert purse.total_usd == pytest.approx(1.0)


def test_the_user_ends_it_between_rounds_and_in_one(tmp_path: Path) -> None:
    clock = Virtual(end_s=START_S + 1000)
    found, ended, _ = play(tmp_path, taking(clock), clock, Bounds())
    assert len(found) == 2
    assert ended.by == "user"
    again = Virtual()
    found, ended, _ = play(tmp_path, lambda _: Ran("user"), again, Bounds())
    assert [one.status for one in found] == ["partial"]
    assert ended.by == "user"


def test_once_is_one_round_now_whenever_the_last_one_was(tmp_path: Path) -> None:
    clock = Virtual()
    found, _, _ = play(tmp_path, taking(clock), clock, Bounds(rounds=1), last=START_S - 5, at_once=True)
    assert [one.began_s for one in found] == [START_S]
    waited, _, _ = play(tmp_path, taking(clock), Virtual(), Bounds(rounds=1), last=START_S - 5)
    assert [one.began_s for one in waited] == [START_S + EVERY_S - 5]


def test_a_round_whose_process_died_is_found_with_what_it_may_have_cost(tmp_path: Path) -> None:
    send(tmp_path / "runs" / "20260302-000000-dead", "b1-1")
    send(tmp_path / "runs" / "20260302-010000-know", "b1-1")
    (found,) = strays(tmp_path, ["20260302-010000-know"], EACH)
    assert found.status == "interrupted"
    assert found.spent_usd == pytest.approx(0.05)


PAID = """
name: paid
why: Is it bounded?
prompts: [A red apple]
routes: {direct: {base_url: "https://api.example.com/v1", owner: openai}}
matrix: {quality: [low]}
defaults: {size: 1024x1024}
repeats: 2
budget: {usd: 1, jobs: 2}
"""


def paid() -> Plan:
    return make_plan(load_text(PAID, source="paid.yaml", env={}))


def test_a_watch_without_an_end_on_a_paid_route_is_refused() -> None:
    with pytest.raises(UsageProblem, match="--usd-per-day"):
        check(paid(), Bounds(), 0.02, "paid.yaml")
    with pytest.raises(UsageProblem, match="a single round may cost"):
        check(paid(), Bounds(usd_per_day=0.001), 0.02, "paid.yaml")
    check(paid(), Bounds(usd_per_day=1), 0.02, "paid.yaml")


def test_a_round_with_retries_may_cost_more_and_never_more_than_its_own_budget() -> None:
    plan = paid()
    assert plan.cost_upper_usd is not None
    assert dearest_round(plan, 0) == pytest.approx(plan.cost_upper_usd)
    assert dearest_round(plan, 2) == pytest.approx(3 * plan.cost_upper_usd)
    assert dearest_round(plan, 10_000) == plan.budget_usd


def test_what_is_agreed_to_is_the_lowest_of_its_bounds() -> None:
    spent = Purse({"2026-01-01": 3.0})
    assert at_most(Bounds(rounds=10), 0.5, spent) == (5.0, "this watch")
    assert at_most(Bounds(rounds=10, usd_total=4), 0.5, spent) == (1.0, "this watch")
    assert at_most(Bounds(usd_per_day=2), 0.5, spent) == (2.0, "each day of this watch")
    assert at_most(Bounds(rounds=10), None, spent) == (None, "this watch")


def test_the_cost_of_a_round_a_day_and_a_month_is_said_first() -> None:
    plan = paid()
    assert plan.cost_usd is not None
    text = "\n".join(lines(plan, 900, Bounds(usd_per_day=1), Purse(), START_S, once=False))
    assert f"{plan.cost_usd:.2f} USD" in text
    assert f"{plan.cost_usd * 96:.2f} USD a day, {plan.cost_usd * 96 * 30:.2f} in 30 days" in text
    assert "1.00 USD a day (0.00 spent today)" in text
