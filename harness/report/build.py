"""From what a run left behind to the record that a report shows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from harness.conditions import RunConditions
from harness.diagnosis.model import Diagnosis, JobVerdict
from harness.events import LinkCheck
from harness.metrics import METRICS
from harness.rating.votes import Votes
from harness.report import pictures, tables
from harness.report.comparisons import MIN_EFFECT, comparisons
from harness.report.contact import Kept, picture_part
from harness.report.heatmap import heat_maps
from harness.report.hours import hours
from harness.report.hypotheses import judge_claims
from harness.report.jobs import Shapes, join_verdicts, numbers, rounded
from harness.report.model import Answer, Definition, RunPart, Summary, VerdictCount
from harness.report.objectives import judge_all
from harness.report.ratings import rate
from harness.report.recommendation import as_needs, recommendation
from harness.report.spread import spread_part
from harness.report.stopped import stopped
from harness.report.told import told
from harness.report.waste import waste

NO_VOTES = Votes()


def summarize(
    conditions: RunConditions,
    frame: pd.DataFrame,
    diagnosis: Diagnosis,
    verdicts: Sequence[JobVerdict],
    unreadable_lines: int = 0,
    link_checks: Sequence[LinkCheck] = (),
    *,
    min_effect: float = MIN_EFFECT,
    votes: Votes = NO_VOTES,
    kept: Kept | None = None,
) -> Summary:
    """Pure: the same conditions, events and verdicts give the same summary, in whatever order the events came."""
    jobs = join_verdicts(frame, verdicts)
    shapes = Shapes(jobs, conditions)
    cells = tables.cells(jobs, conditions, shapes)
    rated = rate(votes, cells)
    return Summary(
        run=_run(conditions, jobs, shapes, unreadable_lines, diagnosis.backend_records),
        answer=Answer(
            headline=diagnosis.headline,
            sentence=diagnosis.answer,
            conclusive=diagnosis.conclusive,
            decision=diagnosis.decision,
            verdicts=tuple(
                VerdictCount(verdict=verdict, jobs=count)
                for verdict, count in sorted(diagnosis.counts.items(), key=lambda item: (-item[1], item[0]))
                if count
            ),
        ),
        totals=tables.totals(jobs),
        findings=diagnosis.findings,
        objectives=judge_all(conditions.objectives, jobs),
        hypotheses=judge_claims(conditions, jobs),
        cells=cells,
        stopped=stopped(conditions),
        waste=waste(jobs, shapes),
        comparisons=comparisons(jobs, conditions, min_effect),
        spread=spread_part(jobs, conditions),
        heat=heat_maps(jobs, shapes),
        hours=hours(jobs, conditions, shapes),
        curves=pictures.curves(jobs, shapes),
        waterfalls=pictures.waterfalls(jobs, shapes),
        layers=tables.layers(jobs, shapes),
        failures=tables.failures(jobs, shapes),
        retries=tables.retries(jobs, shapes),
        told=told(jobs, conditions, shapes, link_checks),
        ratings=rated,
        pictures=None if kept is None else picture_part(kept, cells, jobs),
        recommendation=recommendation(jobs, conditions, ratings=as_needs(rated)),
        definitions=tuple(
            Definition(
                name=metric.name,
                title=metric.title,
                unit=metric.unit,
                start=metric.start,
                end=metric.end,
                sentence=metric.sentence,
            )
            for metric in METRICS
        ),
    )


def _run(
    conditions: RunConditions, jobs: pd.DataFrame, shapes: Shapes, unreadable_lines: int, backend_records: int
) -> RunPart:
    lag, error = numbers(jobs, "host_lag_ms"), numbers(jobs, "clock_error_ms")
    error = np.sort(error[~np.isnan(error)])
    sources = sorted(str(source) for source in jobs["stamp_source"].dropna().unique())
    left_out = sum(cell.jobs_not_sent for cell in conditions.stopped_cells)
    left_out += conditions.load_result.dropped if conditions.load_result is not None else 0
    return RunPart(
        run_id=conditions.run_id,
        scenario=conditions.scenario,
        why=conditions.why,
        scenario_sha256=conditions.scenario_sha256,
        seed=conditions.seed,
        started_at=conditions.started_at,
        finished_at=conditions.finished_at,
        timezone=conditions.timezone,
        status=conditions.status,
        partial=conditions.status != "complete" or len(jobs) < conditions.planned_jobs - left_out,
        stopped_by=conditions.stopped_by,
        time_scale=conditions.time_scale,
        simulated=conditions.simulated,
        simulator_profile=conditions.simulator_profile,
        planned_jobs=conditions.planned_jobs,
        jobs=len(jobs),
        unreadable_lines=unreadable_lines,
        backend_records=backend_records,
        planned_cost_usd=conditions.planned_cost_usd,
        budget_usd=conditions.budget_usd,
        budget_jobs=conditions.budget_jobs,
        blocks=conditions.blocks,
        concurrency=conditions.concurrency,
        load=conditions.load,
        load_result=conditions.load_result,
        closed_routes=conditions.closed_routes,
        retries=conditions.retries,
        axes=conditions.axes,
        common=shapes.common,
        models=tuple(sorted(str(model) for model in jobs["model"].dropna().unique())),
        caps=conditions.caps,
        routes=conditions.routes,
        host=conditions.host,
        host_lag_max_ms=None if np.isnan(lag).all() else rounded(float(np.nanmax(lag))),
        stamp_source=" and ".join(sources) or None,
        clock_error_p99_ms=rounded(float(error[math.ceil(0.99 * error.size) - 1])) if error.size else None,
        clock_proof=conditions.clock_proof,
    )
