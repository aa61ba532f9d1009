"""A comparison as text for a terminal, and as Markdown for a pull request. From the record alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.compare.model import CellEffect, Comparison, Side
from harness.report import format as fmt
from harness.report.comparisons_text import signed, within
from harness.report.model import Estimate

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HTML = re.compile(r"<(?=[A-Za-z/!?])")
_HEAD = ("cell", "n A / B", "cut A / B", "", "A", "B", "B − A", "B / A", "p (Holm)", "verdict")
_MARKS = {"no_worse": "No worse", "worse": "Worse", "inconclusive": "Inconclusive"}


def text(found: Comparison) -> str:
    """Lines for a terminal, with a padded table. Ends with a newline."""
    cells = [_plain_row(row) for row in [_HEAD, *map(_row, _rows(found))]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    parts = [
        found.sentence,
        "",
        *(f"{name}: {_side(side)}" for name, side in (("A", found.a), ("B", found.b))),
        *(f"differs, as allowed: {one.setting} ({one.a} in A, {one.b} in B)" for one in found.allowed),
        *found.notes,
        "",
        *table,
        "",
        *(f"{row.cell}, {_quantile(row)}: {row.why}" for row in _rows(found) if row.verdict == "inconclusive"),
        _failures(found),
        _method(found),
    ]
    return _clean("\n".join(parts)) + "\n"


def markdown(found: Comparison) -> str:
    """For a pull request: the verdict, the table, and the rest folded away. Ends with a newline."""
    head = [_escaped(cell) for cell in _HEAD]
    rows = [[_escaped(cell) for cell in _plain_row(_row(one))] for one in _rows(found)]
    aside = [
        *(f"- {name}: {_escaped(_side(side))}" for name, side in (("A", found.a), ("B", found.b))),
        *(
            f"- differs, as allowed: {one.setting} ({_escaped(one.a)} in A, {_escaped(one.b)} in B)"
            for one in found.allowed
        ),
        *(f"- {_escaped(note)}" for note in found.notes),
        *(f"- {_escaped(row.cell)}, {_quantile(row)}: {_escaped(row.why)}" for row in _rows(found)),
        f"- {_method(found)}",
    ]
    parts = [
        f"### {_MARKS[found.verdict]}: `{found.metric}`, run B against run A",
        _escaped(found.sentence),
        "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]),
        _failures(found),
    ]
    folded = f"<details><summary>What was compared, and how</summary>\n\n{_clean(chr(10).join(aside))}\n\n</details>"
    return f"{_clean((chr(10) * 2).join(parts))}\n\n{folded}\n"


def _rows(found: Comparison) -> list[CellEffect]:
    """Each cell's median and then its p90."""
    return [row for pair in zip(found.cells, found.tails, strict=True) for row in pair]


def _quantile(row: CellEffect) -> str:
    return f"p{100 * row.p:g}"


def _row(row: CellEffect) -> tuple[str, ...]:
    ratio = fmt.NOTHING if row.ratio is None else f"{row.ratio:.3f}"
    return (
        row.cell,
        f"{row.a.n} / {row.b.n}",
        f"{row.a.censored} / {row.b.censored}",
        _quantile(row),
        _figure(row.a),
        _figure(row.b),
        signed(row.difference_ms) + _within(row.difference_low_ms, row.difference_high_ms, signed),
        ratio + _within(row.ratio_low, row.ratio_high, lambda value: f"{value:.3f}"),
        fmt.NOTHING if row.p_adjusted is None else "< 0.001" if row.p_adjusted < 0.001 else f"{row.p_adjusted:.3f}",
        fmt.words(row.verdict),
    )


def _figure(found: Estimate) -> str:
    interval = fmt.interval(found)
    return (
        fmt.estimate(found)
        + ("*" if found.thin and found.value is not None else "")
        + (f" ({interval})" if interval else "")
    )


def _within(low: float | None, high: float | None, form: Callable[[float | None], str]) -> str:
    found = within(low, high, form)
    return f" ({found})" if found else ""


def _side(side: Side) -> str:
    simulated = f", simulated ({side.simulator_profile})" if side.simulated else ""
    return f"{side.run_id}, {side.jobs} jobs from {fmt.moment(side.started_at)}{simulated}"


def _failures(found: Comparison) -> str:
    rows = found.failures
    p = "" if rows.p_value is None else f" (more of them in B: p {rows.p_value:.2g}, one-sided)"
    a, b = fmt.of(rows.failed_a, rows.judged_a), fmt.of(rows.failed_b, rows.judged_b)
    return f"Jobs without an image: {a} in A, {b} in B{p}."


def _method(found: Comparison) -> str:
    return (
        f"p50 and p90 with {100 * found.confidence:g} % intervals (cut jobs by Kaplan–Meier), effects by resampled "
        f"blocks, p-values after Holm over the {found.family} tests of both; the smallest effect that matters is "
        f"{100 * found.min_effect:g} %. `*` fewer jobs than such a quantile needs."
    )


def _plain_row(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(" ".join(cell.replace("\u202f", " ").split()) for cell in row)


def _escaped(cell: str) -> str:
    return _HTML.sub("&lt;", " ".join(cell.split())).replace("|", "\\|")


def _clean(text_: str) -> str:
    """What a route is called must not steer a terminal."""
    return _CONTROL.sub("", text_).replace("\u202f", " ").replace("\u00a0", " ")
