"""What the report says of cells that were stopped early."""

from __future__ import annotations

from typing import Any

import pytest

from harness.conditions import EarlyStop, StopDecision, StoppedCell
from harness.loads import LoadResult
from harness.report.html import render as page_of
from harness.report.model import Summary
from harness.report.text import render as text_of

from .build_run import job, of_events
from .test_build import summary_of

RULES = EarlyStop(confidence=0.95, after_blocks=5, intervals=3)


def decision(**changes: Any) -> StopDecision:
    fields: dict[str, Any] = {
        "rule": "compare", "cell": "edge/low", "against": "direct/low", "metric": "final_image_ms", "statistic": "p50",
        "verdict": "slower", "blocks": 12, "samples": 10, "low": 1.2, "high": None, "why": "w",
    }  # fmt: skip
    return StopDecision(**{**fields, **changes})


def with_stopped(*cells: StoppedCell, planned: int = 30, **changes: Any) -> Summary:
    events = [job(index, seconds=5, block=index) for index in range(12)]
    return summary_of(of_events(events, early_stop=RULES, stopped_cells=cells, planned_jobs=planned, **changes))


def one_cell(name: str, *decisions: StopDecision, usd: float | None = 0.5) -> StoppedCell:
    return StoppedCell(cell=name, jobs_sent=12, jobs_not_sent=18, usd_not_spent=usd, decisions=decisions)


def test_jobs_that_were_left_out_do_not_make_a_run_partial() -> None:
    assert not with_stopped(one_cell("direct/low", decision())).run.partial
    # One job more is missing than was left out.
    assert with_stopped(one_cell("direct/low", decision()), planned=31).run.partial


def test_each_cell_of_a_pair_is_told_from_its_own_side() -> None:
    summary = with_stopped(one_cell("edge/low", decision()), one_cell("direct/low", decision()))
    for words in (text_of(summary), page_of(summary)):
        plain = " ".join(words.replace("\u00a0", " ").split())
        assert "slower than direct/low, median ratio to it" in plain
        assert "faster than edge/low, median ratio of that to this" in plain
        assert "≥ 1.20 ×" in plain
        assert "first 12 blocks, 2 of them without a pair" in plain


def test_what_was_saved_is_said_and_an_unknown_price_is_not_made_up() -> None:
    known = with_stopped(one_cell("direct/low", decision()), planned_cost_usd=2.0)
    assert "That saved $0.500 of $2.00 planned, by estimate." in text_of(known)
    unknown = with_stopped(one_cell("direct/low", decision()), one_cell("edge/low", decision(), usd=None))
    assert unknown.stopped is not None
    assert unknown.stopped.usd_not_spent is None
    assert "That saved" not in text_of(unknown)
    played = with_stopped(one_cell("direct/low", decision()), simulated=True)
    assert "the embedded API bills nothing" in text_of(played)


@pytest.mark.parametrize("render", [text_of, page_of])
def test_rules_that_stopped_nothing_say_so_and_without_rules_there_is_no_section(render: Any) -> None:
    assert "No cell had told enough before its last block" in render(with_stopped(planned=12))
    assert "No cell had told enough as far as the run went" in render(with_stopped(planned=30))
    dropped = render(with_stopped(planned=30, load_result=LoadResult(sent=12, dropped=18)))
    assert "every planned job was sent" not in dropped
    assert "before its first dropped job" in dropped
    assert "Stopped early" not in render(summary_of(of_events([job(1)])))


def test_a_cell_that_was_stopped_is_marked_in_the_table_of_cells() -> None:
    name = job(0).cell
    summary = with_stopped(one_cell(name, decision(rule="interval", against=None, verdict="narrow", low=4000.0)))
    assert "(stopped early)" in text_of(summary)
    assert '<a href="#stopped">stopped early</a>' in page_of(summary)
    assert "final_image_ms p50 known well enough" in text_of(summary)
