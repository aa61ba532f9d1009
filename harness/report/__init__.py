"""The report of a run: ``summary.json``, and a page and a text that are rendered from it alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.report.model import SUMMARY_FILE, Summary, read_summary, write_summary

REPORT_FILE = "report.html"

__all__ = ["REPORT_FILE", "SUMMARY_FILE", "ReportPaths", "Summary", "read_summary", "write_report", "write_summary"]


@dataclass(frozen=True)
class ReportPaths:
    """What `write_report` wrote."""

    summary: Path
    html: Path


def write_report(run_dir: Path, *, min_effect: float = 0.05) -> ReportPaths:
    """Write ``summary.json`` and then ``report.html`` into a run directory that has been diagnosed.

    The page is rendered from the summary as read back from its file, so that nothing reaches the page that is not in
    the summary. The same run gives the same bytes. `min_effect` is the smallest effect that matters where settings are
    compared, as a share of the baseline.

    Raises:
        UsageProblem: a file of the run is missing or not readable; the message says what to do.
    """
    from harness.conditions import EVENTS_FILE, read_conditions
    from harness.diagnosis.model import read_diagnosis
    from harness.frame import load_frame
    from harness.journal_lines import read_link_checks
    from harness.rating.votes import read_votes
    from harness.report.build import summarize
    from harness.report.contact import read_kept
    from harness.report.html import render
    from harness.report.objectives import also_read

    conditions = read_conditions(run_dir)
    diagnosis, verdicts = read_diagnosis(run_dir)
    # A claim may be about anything that a job has; without claims the report looks at less.
    lean, also = not conditions.hypotheses, also_read(conditions.objectives)
    frame, bad_lines = load_frame(run_dir / EVENTS_FILE, lean=lean, also=also)
    paths = ReportPaths(summary=run_dir / SUMMARY_FILE, html=run_dir / REPORT_FILE)
    checks = read_link_checks(run_dir / EVENTS_FILE)
    votes, kept = read_votes(run_dir), read_kept(run_dir)
    summary = summarize(
        conditions, frame, diagnosis, verdicts, len(bad_lines), checks, min_effect=min_effect, votes=votes, kept=kept
    )
    write_summary(paths.summary, summary)
    fresh = paths.html.with_suffix(".html.tmp")
    fresh.write_text(render(read_summary(paths.summary)), encoding="utf-8", newline="\n")
    fresh.replace(paths.html)
    return paths
