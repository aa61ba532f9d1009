"""What explains the spread of a run whose truth is known."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.events import JobEvent
from harness.report import html
from harness.report.spread_model import SpreadPart
from harness.report.text import render
from harness.stats.spread import spread

from .build_run import cut_by_nginx, job, of_events
from .test_build import summary_of

SIZES = {"1024x1024": 1.0, "1536x1024": 1.5, "2048x2048": 3.0}
QUALITIES = {"low": 5.0, "medium": 25.0}


def run_of(
    *, adds: bool = False, blocks: int = 12, luck: float = 0.05, routes: tuple[str, ...] = ("direct", "edge")
) -> Any:
    """Quality and size set the time, by factors or (`adds`) in seconds; the route does nothing."""
    dice = random.Random(3)
    events: list[JobEvent] = []
    for block in range(blocks):
        for route in routes:
            for quality, seconds in QUALITIES.items():
                for size, factor in SIZES.items():
                    took = seconds + 12 * factor if adds else seconds * factor
                    events.append(
                        job(
                            len(events), route=route, quality=quality, size=size, block=block,
                            seconds=took * dice.lognormvariate(0, luck),
                        )
                    )  # fmt: skip
    return of_events(events)


def part(run: Any) -> SpreadPart:
    found = summary_of(run).spread
    assert found is not None
    return found


def test_shares_go_to_the_axes_that_set_the_time_and_none_to_the_route() -> None:
    found = part(run_of())
    # Of two halves of the jobs that lie a factor of 5 apart, and three thirds at 1, 1.5 and 3.
    of_quality, of_size = np.var(np.log([5, 25])), np.var(np.log([1, 1.5, 3]))
    total = of_quality + of_size + 0.05**2
    shares = {share.axis: share for share in found.axes}
    assert shares["quality"].share == pytest.approx(of_quality / total, abs=0.01)
    assert shares["size"].share == pytest.approx(of_size / total, abs=0.01)
    assert [shares[axis].clear for axis in ("quality", "size", "route")] == [True, True, False]
    assert shares["route"].by_chance == pytest.approx(1 / (found.n - 1), abs=1e-4)
    assert found.residual_factor == pytest.approx(np.exp(0.05), abs=0.01)
    assert sum(share.share for share in found.axes) + found.unexplained == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("adds", "kind"), [(False, "multiplies"), (True, "adds")])
def test_whether_quality_and_size_multiply_or_add_is_found(adds: bool, kind: str) -> None:
    run = run_of(adds=adds)
    joint = part(run).joint
    assert joint is not None
    assert (joint.kind, joint.route, joint.n) == (kind, "direct", 72)
    assert {"multiplies": "Quality and size multiply", "adds": "Quality and size add"}[kind] in render(summary_of(run))


def test_one_axis_or_few_jobs_are_left_out() -> None:
    assert summary_of(run_of(blocks=2)).spread is None
    assert summary_of(of_events([job(n, block=n, quality=("low", "high")[n % 2]) for n in range(60)])).spread is None
    assert summary_of(of_events([])).spread is None


def test_cut_jobs_are_left_out_and_counted() -> None:
    run = run_of()
    cut, verdict = cut_by_nginx(9000, quality="medium")
    found = summary_of(of_events([*run.events, cut], [verdict]))
    assert found.spread is not None
    assert (found.spread.n, found.spread.cut_left_out) == (144, 1)
    assert "1 cut jobs have no known time" in html.render(found)


def test_axes_that_part_the_jobs_alike_are_one() -> None:
    run = run_of()
    run.events = [
        msgspec.structs.replace(e, stream=True, partial_images=2) if e.route == "edge" else e for e in run.events
    ]
    found = part(run)
    assert [share.goes_with for share in found.axes if share.axis == "route"] == [("stream", "partial_images")]


def test_the_hour_is_an_axis_only_of_a_run_of_more_than_an_hour_and_its_blocks_are_what_counts() -> None:
    run = run_of(blocks=24)
    per_block = len(run.events) // 24

    def at(hour_of: Any, slow: float) -> list[JobEvent]:
        changed = []
        for n, event in enumerate(run.events):
            hour = hour_of(n // per_block)
            assert event.final_image_ms is not None
            changed.append(
                msgspec.structs.replace(
                    event,
                    request_started_at=f"2026-03-02T{hour:02}:10:00+08:00",
                    final_image_ms=event.final_image_ms * (slow if hour == 11 else 1),
                )
            )
        return changed

    long = {"started_at": "2026-03-02T10:00:00+08:00", "finished_at": "2026-03-02T12:00:00+08:00"}
    slowed = part(of_events(at(lambda block: 10 + block % 2, 3.0), **long))
    hour = next(share for share in slowed.axes if share.axis == "local_hour")
    assert (hour.categories, hour.clear) == (2, True)
    quiet = part(of_events(at(lambda block: 10 + block % 2, 1.0), **long))
    assert [share.clear for share in quiet.axes if share.axis == "local_hour"] == [False]
    short = {**long, "finished_at": "2026-03-02T10:40:00+08:00"}
    assert "local_hour" not in {share.axis for share in part(of_events(at(lambda b: 10 + b % 2, 3.0), **short)).axes}


def test_shares_from_groups_are_those_of_a_model_over_every_job() -> None:
    dice = np.random.default_rng(5)
    a, b = dice.integers(0, 3, 200), dice.integers(0, 2, 200)
    times = np.exp(0.4 * a + 0.2 * b + dice.normal(0, 0.3, 200))
    design = np.column_stack([np.ones(200), a == 1, a == 2, b == 1]).astype(float)
    logs = np.log(times)
    left = logs - design @ np.linalg.lstsq(design, logs, rcond=None)[0]
    found = spread(times, np.zeros(200, dtype=np.bool_), {"a": a, "b": [str(one) for one in b]})
    assert found.unexplained == pytest.approx(float(left @ left) / float(((logs - logs.mean()) ** 2).sum()))
