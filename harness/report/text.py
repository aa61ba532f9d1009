"""The report as text: Markdown whose tables are padded, so that it reads as well on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.diagnosis.model import EvidenceRow
from harness.report import format as fmt
from harness.report import text_maps
from harness.report.charts import cut_sentence
from harness.report.comparisons_text import comparisons_parts, response_parts, spread_parts
from harness.report.contact_text import picture_lines
from harness.report.model import Estimate, Summary
from harness.report.ratings_text import ratings
from harness.report.recommendation_text import markdown as recommendation_text
from harness.report.stopped import stopped_cells
from harness.report.stopped_text import stopped_section
from harness.report.terms import TERMS
from harness.report.view import (
    chance_sentence,
    claims_sentence,
    clocks_note,
    condition_rows,
    decision_facts,
    floors_sentence,
    rests_on,
    tiers_sentence,
    told_result,
    told_way,
)
from harness.report.waste_text import waste_section

_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def render(summary: Summary) -> str:
    """The whole report in the order of the page. Ends with a newline."""
    parts = [
        *_top(summary),
        *_findings(summary),
        *_objectives(summary),
        *_hypotheses(summary),
        *([recommendation_text(summary.recommendation)] if summary.recommendation else []),
        *comparisons_parts(summary, _table),
        *spread_parts(summary, _table),
        *ratings(summary, _table),
        *stopped_section(summary, _table),
        *text_maps.heat(summary, _table),
        *_cells(summary),
        *text_maps.hours(summary, _table),
        *_waterfalls(summary),
        *(picture_lines(summary.pictures, _table) if summary.pictures is not None else []),
        *waste_section(summary, _table),
        *_failures(summary),
        *_retries(summary),
        *_told(summary),
        *_conditions(summary),
        *_definitions(summary),
    ]
    text = "\n\n".join(parts).replace("\u202f", " ").replace("\u00a0", " ")
    # What a route or a code is called must steer neither a terminal nor a page that this Markdown becomes.
    return _HTML.sub("&lt;", _CONTROL.sub("", text)) + "\n"


def _top(summary: Summary) -> list[str]:
    run, answer, totals = summary.run, summary.answer, summary.totals
    parts = [f"# {_plain(answer.sentence)}"]
    parts += [_plain(tiers)] if (tiers := tiers_sentence(summary)) else []
    if run.time_scale != 1:
        parts.append(f"> Simulated world, {run.time_scale:g} times faster; all times below are world times.")
    if run.partial:
        stopped = f", stopped by {run.stopped_by}" if run.stopped_by else ""
        parts.append(f"> Partial run{stopped}: {fmt.of(run.jobs, run.planned_jobs)} planned jobs.")
    if run.load_result and run.load_result.dropped:
        never = f"{fmt.count(run.load_result.dropped)} never sent, due while all places were taken"
        parts.append(f"> Jobs: {never}; all figures are of the {fmt.count(run.jobs)} that were.")
    if run.unreadable_lines:
        parts.append(f"> {fmt.count(run.unreadable_lines)} lines of the journal could not be read and are left out.")
    verdict = fmt.words(answer.headline) + ("" if answer.conclusive else " (not conclusive)")
    facts = decision_facts(answer.decision)
    parts.append(
        f"**Verdict:** {verdict}  \n**Decision:** {_plain(answer.decision.sentence)}"
        + (f"  \n({', '.join(facts)})" if facts else "")
    )
    carrying = rests_on(summary)
    if carrying:
        grade = f" ({carrying.grade})" if carrying.grade else ""
        parts.append(f"It rests on{grade}:\n\n" + _evidence(carrying.evidence))
    behind = (
        f" ({fmt.of(totals.finished_behind_a_cut, totals.censored)} finished behind the cut)"
        if totals.finished_behind_a_cut is not None
        else ""
    )
    parts.append(
        f"{fmt.of(totals.completed, totals.judged)} jobs completed; "
        f"{fmt.of(totals.censored, totals.jobs)} cut{behind}; "
        f"{fmt.money(totals.cost_usd)} in all, {fmt.money(totals.cost_per_image_usd)} per image delivered."
    )
    return parts


def _findings(summary: Summary) -> list[str]:
    words = {"holds": "", "does_not_hold": "not shown: ", "inconclusive": "inconclusive: ", "not_applicable": "n/a: "}
    order = list(words)
    rows = sorted(summary.findings, key=lambda finding: order.index(finding.state))
    lines = []
    for finding in rows:
        counted = f" ({fmt.of(finding.jobs, finding.of_jobs)} jobs)" if finding.of_jobs else ""
        lines.append(f"- {words[finding.state]}{_plain(finding.title)}{counted}")
        if finding.state == "holds" and finding.next_step:
            lines.append(f"  next: {_plain(finding.next_step)}")
    return ["## Findings", "\n".join(lines)] if lines else []


def _objectives(summary: Summary) -> list[str]:
    rows = [
        (row.state, row.text, _figure(row.value, row.unit), fmt.interval(row.value, row.unit) or fmt.NOTHING, row.why)
        for row in summary.objectives
    ]
    return (
        ["## Objectives", _table(("result", "objective", "measured", "95 % interval", "rests on"), rows)]
        if rows
        else []
    )


def _hypotheses(summary: Summary) -> list[str]:
    if not summary.hypotheses:
        return []
    rows = [
        (
            fmt.words(row.state) + (" (alone)" if row.survives_holm is False else ""),
            f"{_plain(row.claim)} ({_plain(row.source)})",
            f"{row.statistic} {row.metric}, {row.threshold}",
            _figure(row.value, row.unit),
            fmt.interval(row.value, row.unit) or fmt.NOTHING,
            _plain(row.why) + (f"; contradicts {', '.join(row.contradicts)}" if row.contradicts else ""),
        )
        for row in summary.hypotheses
        if row.testable
    ]
    head = ("result", "claim", "judged", "measured", "95 % interval", "rests on")
    others = "\n".join(
        f"- {_plain(row.claim)} ({_plain(row.source)}): {_plain(row.why)}"
        for row in summary.hypotheses
        if not row.testable
    )
    parts = [
        "## Hypotheses",
        f"{claims_sentence(summary)} {chance_sentence(summary)}",
        *([_table(head, rows)] * bool(rows)),
    ]
    return parts + (["Not to be shown by a run:\n\n" + others] if others else [])


def _cells(summary: Summary) -> list[str]:
    early = stopped_cells(summary)
    rows = [
        (
            row.route or fmt.NOTHING,
            row.shape + (" (stopped early)" if row.cell in early else ""),
            fmt.of(row.completed, row.n),
            ", ".join(f"{kind.jobs} {fmt.words(kind.kind)}" for kind in row.failures) or fmt.NOTHING,
            _figure(row.final_image_p50_ms) + _alone(row.successes_p50_ms),
            _figure(row.final_image_p90_ms) + _alone(row.successes_p90_ms),
            _figure(row.first_byte_p50_ms),
            _figure(row.server_p50_ms),
            fmt.money(row.cost_per_image_usd),
        )
        for row in summary.cells
    ]
    head = (
        "route", "request", "done", "failures", "final p50", "final p90", "first byte p50", "server p50", "per image",
    )  # fmt: skip
    note = "`*` fewer jobs than such a quantile needs; `>` not estimable, jobs were cut before it could be told. "
    return (
        ["## Every cell", _table(head, rows), note + clocks_note(summary), *response_parts(summary, _table)]
        if rows
        else []
    )


def _waterfalls(summary: Summary) -> list[str]:
    rows = [
        (
            row.route,
            row.shape,
            cut_sentence(row) or fmt.duration(row.total_ms),
            ", ".join(f"{part.kind} {fmt.duration(part.end_ms - part.start_ms)}" for part in row.segments),
        )
        for row in summary.waterfalls
    ]
    return (
        ["## Where the time of typical jobs goes", _table(("route", "request", "until", "segments"), rows)]
        if rows
        else []
    )


def _failures(summary: Summary) -> list[str]:
    layers = [
        (
            row.layer,
            row.route,
            row.setting or fmt.NOTHING,
            fmt.seconds(row.cap_s),
            fmt.of(row.jobs, row.of_jobs),
            fmt.of(row.backend_finished, row.jobs),
            row.grade or fmt.NOTHING,
        )
        for row in summary.layers
    ]
    refusals = [
        (
            fmt.words(row.verdict) if row.verdict else fmt.NOTHING,
            fmt.words(row.outcome),
            str(row.http_status) if row.http_status is not None else fmt.NOTHING,
            row.error_code or row.error_type or fmt.NOTHING,
            ", ".join(row.routes),
            fmt.of(row.jobs, summary.totals.judged),
        )
        for row in summary.failures
    ]
    parts = []
    if layers:
        head = ("layer", "route", "setting", "cap", "jobs of the route", "finished behind it", "evidence")
        parts += ["## Layers that gave up", _table(head, layers)]
    if refusals:
        head_ = ("verdict", "outcome", "status", "code", "routes", "jobs")
        parts += ["## Refusals and broken answers", _table(head_, refusals)]
    return parts


def _retries(summary: Summary) -> list[str]:
    rows = [
        (
            row.route,
            fmt.count(row.jobs),
            fmt.count(row.attempts),
            fmt.count(row.retries),
            fmt.count(row.gateway_retries),
            fmt.of(row.jobs_with_429, row.jobs),
            fmt.of(row.jobs_failed_429, row.jobs),
        )
        for row in summary.retries
    ]
    head = ("route", "jobs", "attempts", "our retries", "gateway's", "met a 429", "ended in a 429")
    return ["## Retries and rate limits", _table(head, rows)] if rows else []


def _told(summary: Summary) -> list[str]:
    rows = [
        (
            row.route,
            "; ".join([f"{row.kind}, owner {fmt.words(row.owner)}", *told_way(row)]),
            fmt.of(row.request_ids, row.delivered),
            fmt.of(row.server_times, row.delivered),
            fmt.of(row.usages, row.delivered),
            fmt.of(row.sizes, row.delivered),
            "; ".join(told_result(row)),
            "; ".join(row.drops) or fmt.NOTHING,
        )
        for row in summary.told
    ]
    head = ("route", "way", "request id", "server time", "usage", "size made", "result", "known to keep back")
    return ["## What each route tells", _table(head, rows)] if rows else []


def _conditions(summary: Summary) -> list[str]:
    rows = [*condition_rows(summary)]
    for route in summary.run.routes:
        chain = " → ".join(f"{cap.layer} {fmt.seconds(cap.cap_s)} {fmt.words(cap.kind)}" for cap in route.chain)
        rows.append((f"Route {route.name}", f"{route.kind}, owner {route.owner}; {chain or 'no chain declared'}"))
    return ["## Conditions", "\n".join(f"- {title}: {_plain(value)}" for title, value in rows)]


def _definitions(summary: Summary) -> list[str]:
    rows = [
        f"- **{row.title}** (`{row.name}`, {row.unit}): {row.sentence}"
        + (f" [as reported: {row.end}]" if row.start == "reported" else f" [{row.start} → {row.end}]")
        for row in summary.definitions
    ]
    rows += [f"- **{term.title}**: {term.sentence}" for term in TERMS]
    rows.append(
        "- **quantiles of cut clocks**: Kaplan–Meier; a cut job counts as not yet done until its cut. "
        "Refusals are failures and no part of any latency."
    )
    rows.append(f"- **enough jobs**: at least {floors_sentence()}.")
    return ["## Definitions", "\n".join(rows)]


def _figure(found: Estimate, unit: str = "ms") -> str:
    return fmt.estimate(found, unit) + ("*" if found.thin and found.value is not None else "")


def _alone(found: Estimate | None) -> str:
    return f" (successes only: {fmt.estimate(found)})" if found is not None else ""


def _evidence(rows: Sequence[EvidenceRow]) -> str:
    signs = {"for": "+", "against": "−", "context": "·"}
    return "\n".join(f"- {signs[row.points]} {_plain(row.fact)}" for row in rows)


def _plain(text: str) -> str:
    """One line of text, whatever was in it."""
    return " ".join(text.split())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[_plain(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
