"""A diagnosis for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.model import Diagnosis


def lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The answer, the decision, the counts, and what each finding rests on."""
    yield f"verdict: {diagnosis.headline}"
    yield f"  {diagnosis.answer}"
    yield f"decision: {diagnosis.decision.kind}"
    yield f"  {diagnosis.decision.sentence}"
    yield "jobs: " + ", ".join(f"{count} {name}" for name, count in diagnosis.counts.items())
    if diagnosis.unreadable_lines:
        yield f"  {diagnosis.unreadable_lines} lines of the journal could not be read and are left out"
    for finding in diagnosis.findings:
        if finding.state not in {"holds", "inconclusive"}:
            continue
        grade = f", {finding.grade}" if finding.grade else ""
        yield f"finding: {finding.title} — route {finding.route}, {finding.jobs} of {finding.of_jobs} jobs{grade}"
        for row in finding.evidence:
            sign = {"for": "+", "against": "-", "context": "·"}[row.points]
            yield f"  {sign} {row.fact}"
        if finding.next_step:
            yield f"  → {finding.next_step}"
