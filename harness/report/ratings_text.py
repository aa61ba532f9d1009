"""Blind ratings as Markdown, and the sentences that page and text share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.report import format as fmt
from harness.report.model import Summary
from harness.report.ratings import limits, name_of, points
from harness.report.ratings_model import RatedCell, RatingsPart


def ratings(summary: Summary, table: Callable[[Sequence[str], Sequence[Sequence[str]]], str]) -> list[str]:
    """The section; nothing when nobody voted."""
    part = summary.ratings
    if part is None:
        return []
    rows = []
    by_cell = {row.cell: row for row in summary.cells}
    for rated in part.cells:
        row = by_cell[rated.cell]
        rows.append(
            (
                *((str(rated.scale),) if part.scales > 1 else ()),
                name_of(rated.cell, summary.cells),
                points(rated.share),
                limits(rated.share) or "too few votes",
                fmt.count(rated.votes),
                fmt.count(rated.unusable),
                fmt.estimate(row.final_image_p50_ms),
                fmt.money(row.cost_per_image_usd),
            )
        )
    head = (*(("scale",) if part.scales > 1 else ()), "cell", "preferred", "95 % interval", "votes", "unusable",
            "final image p50", "cost per image")  # fmt: skip
    shown = [
        f"- {name_of(pair.better, summary.cells)} over {name_of(pair.worse, summary.cells)}: "
        f"{points(pair.share)} of pairs ({limits(pair.share)})"
        for pair in part.pairs
        if pair.shown
    ]
    notes = "\n".join(f"- {note}" for note in notes_on(part, summary))
    return [
        "## Blind ratings",
        part.sentence,
        table(head, rows),
        *(["Shown better, after Holm over all pairs:\n\n" + "\n".join(shown)] if shown else []),
        notes,
    ]


def drawn(rated: RatedCell) -> str:
    """Where the share and its interval lie, as an inline drawing of 100 units."""
    share = rated.share
    if share.value is None or share.low is None or share.high is None:
        return ""
    return (
        '<svg class="rating-bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<line x1="50" y1="0" x2="50" y2="10" class="even"/>'
        f'<line x1="{100 * share.low:.1f}" y1="5" x2="{100 * share.high:.1f}" y2="5" class="range"/>'
        f'<line x1="{100 * share.value:.1f}" y1="1" x2="{100 * share.value:.1f}" y2="9" class="at"/></svg>'
    )


def notes_on(part: RatingsPart, summary: Summary) -> list[str]:
    """What the scores rest on, and what is odd about the votes."""
    people = "1 rater" if part.raters == 1 else f"{fmt.count(part.raters)} raters"
    unit = "prompts" if part.clustered_by == "prompt" else "combinations of prompt and block"
    notes = [
        f"{fmt.count(part.votes)} votes of {people} on {fmt.count(part.clusters)} {unit}; votes on one of them are "
        "taken as alike, so intervals grow with few of them."
    ]
    if part.clustered_by != "prompt":
        notes.append("The prompts are few: the scores hold for these prompts, and not for others.")
    if part.clusters < part.min_clusters:
        notes.append(f"A score needs votes on at least {part.min_clusters} of them.")
    if any(row.share.value is None for row in part.cells):
        notes.append(f"A cell needs at least {part.min_votes} votes for a score.")
    if part.unusable:
        notes.append(f"In {fmt.count(part.unusable)} further pairs neither picture was usable; they count for nobody.")
    if part.scales > 1:
        notes.append(
            f"The cells fall into {part.scales} groups that were never compared with each other: "
            "each group has an average of its own."
        )
    if part.one_sided:
        names = ", ".join(name_of(cell, summary.cells) for cell in part.one_sided)
        notes.append(
            f"{names}: won or lost every vote, so the true share may be 100 or 0 %. One tie was added to every cell."
        )
    notes.append(_left(part))
    if part.agreement_pairs:
        told = "cannot be told" if part.agreement is None else f"{part.agreement:.2f}"
        notes.append(
            f"Agreement of raters on {fmt.count(part.agreement_pairs)} pairs that several saw: {told} "
            "(Krippendorff's alpha: 1 is full agreement, 0 that of chance)."
        )
    if part.bad_lines:
        notes.append(f"{fmt.count(part.bad_lines)} lines of votes.jsonl could not be read and are left out.")
    return notes


def _left(part: RatingsPart) -> str:
    left = part.left
    if left.value is None or left.low is None or left.high is None:
        return "Too few votes to say whether one side of the page is preferred."
    told = f"The left picture won {points(left)} of {fmt.count(left.n)} votes for a side ({limits(left)})"
    if left.low <= 0.5 <= left.high:
        return f"{told}: no liking for a side is shown."
    return f"{told}: raters like one side. Cells stand on either side equally often, so it cancels out between them."
