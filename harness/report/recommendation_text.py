"""The recommendation as Markdown that reads as well on a terminal, and the words that the page shares with it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.conditions import UseClaim
from harness.estimate import Estimate
from harness.recommend.model import CellResult, MonthlyCost, Recommendation, Timeout, UseResult
from harness.report import format as fmt

_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


NOTHING_KNOWN = Estimate(value=None)


def figure_words(found: Estimate | None, unit: str = "ms") -> str:
    """ "33.1 s (31.5 – 36.4 s)"; an open side is said."""
    told = found or NOTHING_KNOWN
    interval = fmt.interval(told, unit)
    value = fmt.estimate(told, unit)
    # An interval whose ends read like the figure itself says nothing.
    return value if not interval or interval == f"{value} – {value}" else f"{value} ({interval})"


def summary_sentence(found: Recommendation) -> str:
    """How many uses fared how."""
    counts = {state: sum(use.state == state for use in found.uses) for state in _STATES}
    judged = sum(counts.values()) - counts["not_measured"]
    if not judged:
        return "No use of the list has the shape of a cell that was measured; what follows is the front alone."
    parts = [f"{count} {_STATES[state]}" for state, count in counts.items() if count and state != "not_measured"]
    left = counts["not_measured"]
    rest = "" if not left else " One more has no cell of its shape." if left == 1 else f" {left} more have none."
    return f"Of {judged} {'use' if judged == 1 else 'uses'} that this run has cells for: {', '.join(parts)}.{rest}"


_STATES = {
    "recommended": "with a cell that is shown to meet every need",
    "not_shown": "not shown",
    "refuted": "that no measured cell meets",
    "not_measured": "not measured",
}


def claim_words(claim: UseClaim) -> str:
    compression = "" if claim.output_compression is None else f" {claim.output_compression}"
    return (
        f"{claim.quality} · {claim.size.replace('x', '×')} · {claim.output_format}{compression}, {claim.from_s:g} to "
        f"{claim.to_s:g} s, {fmt.money(claim.usd)} (a claim of the {claim.source})"
    )


def monthly_words(found: MonthlyCost) -> str:
    volume = fmt.count(round(found.images_per_month))
    told = f"{figure_words(found.usd, 'usd')} for {volume} images a month"
    return told + (", an example; harness recommend --volume 10000/month counts with yours" if found.example else "")


def failures_words(found: CellResult) -> str:
    failed = f"{fmt.of(found.failed, found.judged)} failed"
    return failed + (f", {fmt.of(found.wrong, found.judged)} brought another image" if found.wrong else "")


def timeout_words(found: Timeout) -> str:
    return "not estimable" if found.timeout_s is None else fmt.seconds(found.timeout_s)


def markdown(found: Recommendation, *, level: int = 2) -> str:
    """The whole recommendation. `level`: of its heading."""
    mark = "#" * level
    parts = [f"{mark} Recommendation", summary_sentence(found)]
    for use in found.uses:
        if use.state != "not_measured":
            parts += _use(use, mark)
    unmeasured = [f"- {use.title}: {use.sentence}" for use in found.uses if use.state == "not_measured"]
    if unmeasured:
        parts += [f"{mark}# Uses without a cell", "\n".join(unmeasured)]
    parts += [f"{mark}# Price against latency", _front(found)]
    parts += [f"- {note}" for note in found.notes]
    return "\n\n".join(part for part in parts if part)


def printed(found: Recommendation, *, plain: bool) -> str:
    """For standard output: Markdown, or the same without its marks. Ends with a newline."""
    text = markdown(found, level=1 if plain else 2).replace("\u202f", " ").replace("\u00a0", " ")
    # What a route is called must steer neither a terminal nor a page that this Markdown becomes.
    text = _CONTROL.sub("", text) if plain else _HTML.sub("&lt;", _CONTROL.sub("", text))
    return (text.replace("**", "") if plain else text) + "\n"


def _use(use: UseResult, mark: str) -> list[str]:
    rows = [f"needs: {'; '.join(use.needs)}"]
    if use.best is not None:
        rows.append(f"{use.latency_statistic} of the final image: {figure_words(use.latency)}")
        rows.append(f"price: {figure_words(use.price_usd, 'usd')} an image")
        rows.append(f"jobs: {failures_words(use.best)}")
    if use.monthly is not None:
        rows.append(f"month: {monthly_words(use.monthly)} ({use.monthly.why})")
    if use.timeout is not None:
        rows.append(f"timeout: {timeout_words(use.timeout)}. {use.timeout.why} {use.timeout.shared}".strip())
    if use.stability is not None:
        rows.append(f"at a time: {use.stability.sentence}")
    rows += [f"would change it: {one}" for one in use.would_change]
    rows += use.missing
    if use.claim is not None:
        rows.append(f"published: {claim_words(use.claim)}; median measured here: {figure_words(use.median)}")
    parts = [
        f"{mark}# {use.title}: {fmt.words(use.state)}",
        f"**{use.sentence}**",
        "\n".join(f"- {row}" for row in rows),
    ]
    if use.timeout is not None and use.timeout.timeout_s is not None and use.timeout.layers:
        parts.append(_layers(use.timeout))
    return parts


def _layers(found: Timeout) -> str:
    rows = [
        (
            row.layer,
            row.setting or " and ".join(fmt.words(kind) for kind in row.kinds),
            "none" if row.today_s is None and row.action == "set" else fmt.seconds(row.today_s),
            fmt.seconds(row.should_be_s),
            "; ".join(word for word in (fmt.words(row.action), row.line or "", row.note) if word),
        )
        for row in found.layers
    ]
    return _table(("layer, outermost first", "setting", "today", "should be", "what to do"), rows)


def _front(found: Recommendation) -> str:
    names = {point.cell: point.label for point in found.front}
    rows = [
        (
            point.label,
            fmt.money(point.usd.value),
            figure_words(point.latency),
            "on the front" if point.beaten_by is None else f"beaten by {names.get(point.beaten_by, point.beaten_by)}",
        )
        for point in found.front
    ]
    without = [f"No price, because no image came: {', '.join(found.unplaced)}."] if found.unplaced else []
    table = _table(("cell", "an image", f"{found.statistic} of the final image", "front"), rows) if rows else ""
    return "\n\n".join(part for part in (table, *without) if part)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
