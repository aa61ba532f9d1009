"""Votes in the report: beside latency and price, with what they rest on, and nothing where there are too few."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.conditions import Use
from harness.diagnosis.model import Diagnosis
from harness.frame import frame_of
from harness.rating.votes import Shown, Vote, Votes, append_votes
from harness.report import html, read_summary, write_report
from harness.report.build import summarize
from harness.report.model import Summary
from harness.report.ratings_model import RatingsPart
from harness.report.text import render

from . import build_run
from .build_run import Run, job, of_events

QUALITIES = ("low", "medium", "high")


SECONDS = {"low": 5.0, "medium": 20.0, "high": 80.0}


def a_run(route: str = "direct", n: int = 8) -> Run:
    return of_events(
        [
            job(3 * block + index, route=route, quality=quality, block=block, seconds=SECONDS[quality])
            for block in range(n)
            for index, quality in enumerate(QUALITIES)
        ]
    )  # fmt: skip


def cell_of(run: Run, quality: str) -> str:
    return next(event.cell for event in run.events if event.quality == quality)


def vote(run: Run, number: int, first: str, second: str, chosen: str, prompts: int = 12, **changes: Any) -> Vote:
    fields: dict[str, Any] = {
        "sitting": "0123456789",
        "pair": f"{number:012x}",
        "left": Shown(job_id="x", index=0, cell=cell_of(run, first)),
        "right": Shown(job_id="y", index=0, cell=cell_of(run, second)),
        "block": 0,
        "prompt_hash": f"p{number % prompts}",
        "chosen": chosen,
        "voted_at": datetime(2026, 3, 2, tzinfo=UTC).isoformat(),
    }
    return Vote(**(fields | changes))


def preferring(run: Run, better: str, worse: str, share: float, n: int, start: int = 0, **changes: Any) -> list[Vote]:
    """`n` votes on two cells, sides by turns, of which `better` has that share."""
    dice = random.Random(7)
    wins = [True] * round(share * n) + [False] * (n - round(share * n))
    dice.shuffle(wins)
    votes = []
    for number, wins_it in enumerate(wins):
        sides = (better, worse) if number % 2 else (worse, better)
        chosen = "left" if (sides[0] == better) == wins_it else "right"
        votes.append(vote(run, start + number, *sides, chosen, **changes))
    return votes


def summary_of(run: Run, votes: Votes) -> Summary:
    diagnosis: Diagnosis = build_run.plain_diagnosis(run)
    return summarize(run.conditions, frame_of(run.events), diagnosis, run.verdicts, votes=votes)


def rated(run: Run, votes: list[Vote]) -> RatingsPart:
    part = summary_of(run, Votes(tuple(votes))).ratings
    assert part is not None
    return part


def test_a_clear_liking_is_told_with_its_price_and_its_wait() -> None:
    run = a_run()
    part = rated(run, preferring(run, "high", "low", 0.75, 80))
    assert part.sentence == (
        "high is preferred to low (75\u00a0% of pairs, 63 – 84\u00a0%), costs 35 times as much "
        "and takes 16 times as long."
    )
    assert [row.cell for row in part.cells] == [cell_of(run, "high"), cell_of(run, "low")]
    (pair,) = part.pairs
    assert pair.shown
    assert (part.votes, part.raters, part.clusters, part.clustered_by) == (80, 1, 12, "prompt")


def test_what_is_liked_more_may_cost_less() -> None:
    run = a_run()
    assert rated(run, preferring(run, "low", "high", 0.75, 80)).sentence.endswith(
        ", costs only 3\u00a0% as much and takes only 6\u00a0% as long."
    )


def test_no_clear_liking_is_told_as_such() -> None:
    run = a_run()
    part = rated(run, preferring(run, "high", "low", 0.55, 20))
    assert part.sentence.startswith("high is not shown to be preferred to low (55\u00a0% of pairs, ")
    assert not part.pairs[0].shown


def test_among_many_pairs_an_interval_beyond_one_half_is_not_enough() -> None:
    run = a_run()
    votes = preferring(run, "high", "low", 0.69, 48) + preferring(run, "medium", "low", 0.58, 48, 100)
    part = rated(run, votes + preferring(run, "high", "medium", 0.5, 48, 200))
    (pair,) = [pair for pair in part.pairs if (pair.better, pair.worse) == (cell_of(run, "high"), cell_of(run, "low"))]
    assert pair.share.low is not None
    assert pair.share.low > 0.5
    assert not pair.shown
    assert "is not shown to be preferred" in part.sentence
    assert "which among 3 pairs of cells may be chance" in part.sentence


@pytest.mark.parametrize(("votes", "prompts"), [(8, 8), (60, 4)], ids=["few votes", "few prompts"])
def test_too_few_votes_give_no_score(votes: int, prompts: int) -> None:
    run = a_run()
    summary = summary_of(run, Votes(tuple(preferring(run, "high", "low", 0.9, votes, prompts=prompts))))
    part = summary.ratings
    assert part is not None
    assert part.sentence == "Too few votes for a score."
    assert all(row.share.value is None for row in part.cells)
    assert part.pairs == ()
    assert "too few votes" in render(summary)
    assert "too few votes" in html.render(summary)


def test_ties_are_half_a_win_and_neither_counts_for_nobody() -> None:
    run = a_run()
    votes = [vote(run, n, "high", "low", "tie") for n in range(20)]
    votes += [vote(run, 100 + n, "high", "low", "neither") for n in range(30)]
    part = rated(run, votes)
    assert (part.votes, part.unusable) == (20, 30)
    assert [row.share.value for row in part.cells] == [pytest.approx(0.5), pytest.approx(0.5)]
    assert [row.unusable for row in part.cells] == [30, 30]


def test_a_liking_for_the_left_side_is_told_and_moves_no_score() -> None:
    run = a_run()
    sides = [("high", "low"), ("low", "high")]
    part = rated(run, [vote(run, n, *sides[n % 2], "right" if n % 10 == 3 else "left") for n in range(100)])
    assert part.left.value == 0.9
    assert part.cells[0].share.value == pytest.approx(0.5, abs=0.12)
    summary = summary_of(run, Votes(tuple(vote(run, n, *sides[n % 2], "left") for n in range(100))))
    assert "raters like one side" in render(summary)
    assert "raters like one side" in html.render(summary)


def test_few_prompts_are_told_and_blocks_stand_in_for_them() -> None:
    run = a_run()
    votes = [vote(run, n, "high", "low", "left" if n % 3 else "right", prompts=2, block=n // 2 % 8) for n in range(48)]
    part = rated(run, votes)
    assert (part.clustered_by, part.clusters) == ("prompt and block", 16)
    assert "hold for these prompts" in render(summary_of(run, Votes(tuple(votes))))


def test_raters_are_counted_and_their_agreement_told() -> None:
    run = a_run()
    ann = preferring(run, "high", "low", 0.7, 30, rater="ann")
    bob = preferring(run, "high", "low", 0.7, 30, rater="bob")
    part = rated(run, ann + bob)
    assert (part.raters, part.agreement_pairs, part.agreement) == (2, 30, 1.0)
    cat = [vote(run, n, "high", "low", "left") for n in range(30)]
    assert (rated(run, ann + cat).agreement or 0) < 0.5


def test_cells_that_never_met_are_in_groups_of_their_own() -> None:
    run = of_events(
        [job(n, route=route, quality=quality, block=0) for n, (route, quality) in
         enumerate([("a", "low"), ("a", "high"), ("b", "low"), ("b", "high")])]
    )  # fmt: skip
    cells = [event.cell for event in run.events]
    votes = [
        vote(run, n, "low", "low", "left" if n % 3 else "right",
             left=Shown(job_id="x", index=0, cell=cells[2 * (n % 2)]),
             right=Shown(job_id="y", index=0, cell=cells[2 * (n % 2) + 1]))
        for n in range(60)
    ]  # fmt: skip
    summary = summary_of(run, Votes(tuple(votes)))
    part = summary.ratings
    assert part is not None
    assert part.scales == 2
    assert [row.scale for row in part.cells] == [1, 1, 2, 2]
    assert "never compared with each other" in render(summary)
    page = html.render(summary)
    assert "low on a" in page
    assert '<th scope="col">Group</th>' in page


def test_without_votes_there_is_no_section(tmp_path: Path) -> None:
    summary = read_summary(write_report(a_run().write(tmp_path)).summary)
    assert summary.ratings is None
    assert "Blind ratings" not in render(summary)
    assert 'id="ratings"' not in html.render(summary)


def test_votes_of_a_run_reach_its_page_and_its_text(tmp_path: Path) -> None:
    run = a_run()
    run.write(tmp_path)
    append_votes(tmp_path, preferring(run, "high", "low", 0.8, 60))
    with (tmp_path / "votes.jsonl").open("a") as lines:
        lines.write("half a li")
    paths = write_report(tmp_path)
    first = paths.html.read_bytes()
    page, text = paths.html.read_text(), render(read_summary(paths.summary))
    for shown in (page, text):
        assert "high is preferred to low" in shown
        assert "lines of votes.jsonl could not be read" in shown
    assert 'href="#ratings"' in page
    assert write_report(tmp_path).html.read_bytes() == first


def test_names_from_a_scenario_are_never_markup() -> None:
    nasty = "<img src=x onerror=alert(1)>\n# b"
    run = of_events([*a_run(nasty).events, job(999, route="other")])
    summary = summary_of(run, Votes(tuple(preferring(run, "high", "low", 0.8, 60))))
    assert "<img" not in html.render(summary).split('id="ratings"')[1]
    assert "\n# b" not in render(summary).split("## Blind ratings")[1].split("\n## ")[0]


def test_votes_are_what_a_use_that_needs_a_rating_is_judged_by() -> None:
    run = a_run(n=40)
    wants = Use(name="pretty", min_rating=0.5, max_failed=0.2, own=True)
    conditions = msgspec.structs.replace(run.conditions, uses=(wants,))
    cast = preferring(run, "high", "low", 0.9, 60) + preferring(run, "high", "medium", 0.85, 60, start=100)
    found = summary_of(replace(run, conditions=conditions), Votes(tuple(cast))).recommendation
    assert found is not None
    (use,) = (one for one in found.uses if one.use == "pretty")
    assert (use.state, use.best) == ("recommended", use.best)
    assert use.best is not None
    assert use.best.cell == cell_of(run, "high")
    unrated = summary_of(replace(run, conditions=conditions), Votes()).recommendation
    assert unrated is not None
    assert next(one for one in unrated.uses if one.use == "pretty").state == "not_shown"
