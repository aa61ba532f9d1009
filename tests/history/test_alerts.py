"""Alerts: what fires, what does not, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from harness.errors import UsageProblem
from harness.history.alerts import CALM, NEED, newly, update
from harness.history.desk import Desk
from harness.history.judging import judge, not_watched
from harness.history.model import AlertState, Finding, Judged, Standing
from harness.history.rows import JOB_COLUMNS
from harness.scenario.objectives import parse_objective

from .worlds import HOUR_S, START_S, cut, failed, history, job, round_row, rows_of, usual, watch


def walk(*judged: Judged, at_once: bool = False) -> list[AlertState]:
    states: tuple[AlertState, ...] = ()
    seen = []
    for number, one in enumerate(judged):
        finding = Finding(name="ImageLatency", subject="p50", judged=one, summary=one)
        states = update(states, [finding], f"t{number}", {"ImageLatency"} if at_once else ())
        seen.append(states[0])
    return seen


def test_an_alert_is_pending_then_fires_then_is_resolved() -> None:
    found = walk("ok", *["breach"] * NEED, *["ok"] * CALM)
    assert [one.state for one in found] == ["inactive", "pending", "firing", "firing", "firing", "inactive"]
    assert found[-1].started_at == "t2"
    assert found[-1].resolved_at == "t5"


def test_what_is_unclear_makes_no_alert_flicker() -> None:
    assert {one.state for one in walk("breach", "breach", *["unclear", "ok"] * 5)[1:]} == {"firing"}
    assert "firing" not in {one.state for one in walk("ok", *["unclear"] * 9)}


def test_one_bad_judgement_between_good_ones_never_fires() -> None:
    assert "firing" not in {one.state for one in walk(*["breach", "ok"] * 6)}


def test_too_few_samples_neither_fire_nor_end_what_fires() -> None:
    assert {one.state for one in walk(*["not_enough"] * 5)} == {"not_enough"}
    assert walk("breach", "breach", "not_enough", "not_enough", "not_enough", "not_enough")[-1].state == "firing"
    assert walk("breach", "not_enough", "breach")[-1].state == "pending"


def test_what_looks_at_several_rounds_by_itself_fires_at_once() -> None:
    assert [one.state for one in walk("breach", at_once=True)] == ["firing"]


def test_what_is_no_longer_watched_is_told_as_resolved_once() -> None:
    firing = (walk("breach", "breach")[-1],)
    after = update(firing, [], "t9")
    assert [one.key for one in newly(firing, after)[1]] == ["ImageLatency p50"]
    assert update(after, [], "t10") == ()


def frame(*jobs: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(jobs), columns=list(JOB_COLUMNS))


def jobs_of(n: int, **changes: Any) -> list[dict[str, Any]]:
    return [job("r0", number, START_S + number, **changes) for number in range(n)]


@pytest.mark.parametrize(
    ("text", "jobs", "judged"),
    [
        ("p50(final_image_ms) < 4s", jobs_of(10), "not_enough"),
        ("p50(final_image_ms) < 4s", jobs_of(11), "breach"),
        ("p50(final_image_ms) < 6s", jobs_of(11), "ok"),
        ("p50(final_image_ms){route=edge} < 4s", jobs_of(40), "not_enough"),
        ("p50(final_image_ms) < 4s", [cut(one, 4500) for one in jobs_of(20)], "breach"),
        ("p50(final_image_ms) < 4s", [cut(one, 3500) for one in jobs_of(20)], "unclear"),
        ("p95(final_image_ms) < 4s", jobs_of(129), "not_enough"),
        ("p95(final_image_ms) < 4s", jobs_of(130), "breach"),
        ("error_rate < 5%", [failed(one) for one in jobs_of(4)], "not_enough"),
        ("error_rate < 5%", [failed(one) for one in jobs_of(5)], "breach"),
        ("error_rate < 5%", jobs_of(19), "not_enough"),
        ("error_rate < 5%", jobs_of(20), "ok"),
        ("error_rate < 5%", [*jobs_of(18), *map(failed, jobs_of(2))], "unclear"),
        ("share(final_image_ms > 4s) < 50%", jobs_of(20), "breach"),
        ("share(final_image_ms > 6s) < 50%", jobs_of(20), "ok"),
        ("cost_usd per image < 0.005", jobs_of(10), "not_enough"),
        ("cost_usd per image < 0.005", jobs_of(11), "breach"),
        ("cost_usd per image < 0.007", jobs_of(11), "ok"),
    ],
)
def test_an_objective_is_judged_by_its_interval_and_never_from_too_few(
    text: str, jobs: list[dict[str, Any]], judged: str
) -> None:
    found, why, _ = judge(parse_objective(text), frame(*jobs))
    assert found == judged, why
    assert ("not enough" in why) == (judged == "not_enough")


@pytest.mark.parametrize("text", ["max(final_image_ms) < 9s", "20 images under 5min", "p50(connect_ms) < 1s"])
def test_what_cannot_be_watched_is_said(text: str) -> None:
    assert not_watched(parse_objective(text))


def go_on(root: Path, first: int, count: int, **kinds: Any) -> list[Standing]:
    """Further rounds through the desk; `each` and `links` give those of a round. Only the last `look_at` are judged."""
    conditions = kinds.get("conditions") or watch()
    standings = []
    with Desk(root, conditions) as desk:
        for number in range(first, first + count):
            row = round_row(number, conditions.every_s, **kinds.get("row", {}))
            jobs = rows_of(kinds["each"](row)) if "each" in kinds else []
            desk.store.append(row, jobs, kinds["links"](row) if "links" in kinds else [])
            if number >= first + count - kinds.get("look_at", count):
                standings.append(desk.stand(row, jobs))
    return standings


def state_of(standing: Standing, name: str, subject: str = "direct") -> str:
    return next(one.state for one in standing.alerts if (one.name, one.subject) == (name, subject))


def test_a_quiet_history_raises_nothing(tmp_path: Path) -> None:
    objectives = ["p50(final_image_ms){quality=low} < 7s", "error_rate < 5%", "cost_usd per image < 0.05"]
    history(tmp_path, 160)
    *_, last = go_on(
        tmp_path, 160, 2, conditions=watch(objectives), each=lambda row: [job(row.round_id, 0, row.began_s)]
    )
    assert not [one.name for one in last.alerts if one.state in ("pending", "firing")]
    assert state_of(last, "ImageLatency", objectives[0]) == "inactive"


def test_429s_fire_when_they_last_and_not_when_they_come_once(tmp_path: Path) -> None:
    history(tmp_path, 20)

    def limited(row: Any) -> list[dict[str, Any]]:
        return [failed(job(row.round_id, 0, row.began_s), 429), job(row.round_id, 1, row.began_s + 1)]

    once = go_on(tmp_path, 20, 1, each=limited)
    assert state_of(once[-1], "ImageRateLimited") == "inactive"
    lasting = go_on(tmp_path, 21, 2, each=limited)
    assert [state_of(one, "ImageRateLimited") for one in lasting] == ["inactive", "firing"]
    assert lasting[-1].fresh[0].rate_limited


def test_failures_above_what_was_usual_fire_and_a_bad_route_as_bad_as_ever_does_not(tmp_path: Path) -> None:
    def tasks(bad: int) -> Any:
        return lambda row: [
            (failed if number < bad else dict)(job(row.round_id, number, row.began_s + number, route_kind="task"))
            for number in range(10)
        ]

    usually = go_on(tmp_path, 0, 8, look_at=1, each=tasks(3))
    assert state_of(usually[-1], "ImageFailuresAboveBaseline") == "inactive"
    worse = go_on(tmp_path, 8, 3, look_at=2, each=tasks(9))
    assert state_of(worse[-1], "ImageFailuresAboveBaseline") == "firing"
    assert "18 of the newest 20 tasks failed" in next(
        one.summary for one in worse[-1].alerts if one.name == "ImageFailuresAboveBaseline"
    )


def test_links_that_die_before_their_time_fire_and_those_that_die_after_it_do_not(tmp_path: Path) -> None:
    def looks(due_s: float) -> Any:
        return lambda row: [
            (row.round_id, f"b1-{n}", 0, "direct", row.began_s, due_s, due_s, False, 404) for n in range(4)
        ]

    late = go_on(tmp_path / "late", 0, 3, each=lambda row: [job(row.round_id, 0, row.began_s)], links=looks(90_000))
    assert "ImageDeadLinks" not in {one.name for one in late[-1].alerts}
    early = go_on(tmp_path / "early", 0, 3, each=lambda row: [job(row.round_id, 0, row.began_s)], links=looks(3600))
    assert [state_of(one, "ImageDeadLinks") for one in early] == ["not_enough", "pending", "firing"]


def test_a_change_of_level_fires_names_both_levels_and_ends_when_it_is_back(tmp_path: Path) -> None:
    def slow(route: str, quality: str, number: int, dice: Any) -> float:
        return usual(route, quality, number, dice) * (1.8 if number >= 120 else 1.0)

    history(tmp_path, 132, slow)
    (standing,) = go_on(tmp_path, 132, 1, each=lambda row: [job(row.round_id, 0, row.began_s, final_image_ms=9000.0)])
    alert = next(one for one in standing.firing if one.subject == "direct/low")
    assert "slower since" in alert.summary
    assert "5." in alert.summary.split("before")[0]
    back = go_on(
        tmp_path, 133, 14, look_at=3, each=lambda row: [job(row.round_id, 0, row.began_s, final_image_ms=5000.0)]
    )
    assert state_of(back[-1], "ImageLatencyChanged", "direct/low") == "inactive"
    assert any(one.subject == "direct/low" for standing in back for one in standing.resolved)


def test_rounds_that_fail_on_our_side_are_an_alert_of_their_own(tmp_path: Path) -> None:
    found = go_on(tmp_path, 0, 3, row={"status": "failed", "why": "simulator: no port"})
    assert [state_of(one, "HarnessRoundsFailing", "watch") for one in found] == ["inactive", "inactive", "firing"]
    assert found[-1].fresh == ()


def test_rounds_of_an_embedded_api_and_of_a_real_route_are_no_one_history(tmp_path: Path) -> None:
    played = msgspec.structs.replace(watch(), simulated=True)
    with Desk(tmp_path, played):
        pass
    with (
        pytest.raises(UsageProblem, match="of an embedded API, and these would be of a real"),
        Desk(tmp_path, watch()),
    ):
        pass
    with Desk(tmp_path, played):
        pass


def test_two_watches_never_write_one_history(tmp_path: Path) -> None:
    with Desk(tmp_path, watch()), pytest.raises(UsageProblem, match="never overlap"):
        Desk(tmp_path, watch()).__enter__()
    other = msgspec.structs.replace(watch(), scenario="another")
    with pytest.raises(UsageProblem, match="give another --history"):
        Desk(tmp_path, other).__enter__()
    assert watch().every_s == HOUR_S
