"""The words and tables of "A against B" and of "What explains the spread", for the page and for Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from harness.report import format as fmt
from harness.report.comparisons_model import AxisLine, ComparisonRow, Comparisons, QuantileEffect, Tally
from harness.report.model import Summary
from harness.report.spread_model import SpreadPart, SpreadShare

FOLDED_FROM = 60  # rows: a longer table is folded away on the page

_Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]
_TITLES = {"output_format": "format", "output_compression": "compression", "local_hour": "hour of day"}
_CHIPS = {"better": "better", "worse": "worse", "no_difference": "no difference", "inconclusive": "inconclusive"}


def axis_words(axis: str) -> str:
    return _TITLES.get(axis, fmt.words(axis))


def verdict_words(verdict: str) -> str:
    return _CHIPS[verdict]


def by_axis(found: Comparisons) -> list[tuple[str, list[ComparisonRow]]]:
    """The rows of each axis, in their order."""
    return [(axis, list(rows)) for axis, rows in groupby(found.rows, key=lambda row: row.axis)]


def tally_words(tally: Tally, cells: int) -> str:
    """ "faster in 3 of 6, slower in none, 3 inconclusive"."""
    parts = [f"faster in {fmt.of(tally.better, cells) if tally.better else 'none'}"]
    parts.append(f"slower in {fmt.of(tally.worse, cells) if tally.worse else 'none'}")
    if tally.no_difference:
        parts.append(f"no difference in {fmt.count(tally.no_difference)}")
    if tally.inconclusive:
        parts.append(f"{fmt.count(tally.inconclusive)} inconclusive")
    return ", ".join(parts)


def cost_words(line: AxisLine) -> str:
    """The range of the ratios of cost per image over the pairs of cells."""
    low, high = line.cost_ratio_low, line.cost_ratio_high
    if low is None or high is None:
        return fmt.NOTHING
    return factor(low) if factor(low) == factor(high) else f"{factor(low)} to {factor(high)}"


def factor(ratio: float | None) -> str:
    """A ratio with digits enough to tell it from 1."""
    return fmt.NOTHING if ratio is None else f"×{ratio:.1f}" if ratio >= 10 else f"×{ratio:.2f}"


def signed(ms: float | None) -> str:
    return fmt.NOTHING if ms is None else ("+" if ms > 0 else "−" if ms < 0 else "±") + fmt.duration(abs(ms))


def signed_money(usd: float | None) -> str:
    if usd is None:
        return fmt.NOTHING
    return "±$0" if usd == 0 else ("+" if usd > 0 else "−") + fmt.money(abs(usd))


def within(low: float | None, high: float | None, form: Callable[[float | None], str]) -> str:
    """An interval, its open sides said; empty where both are."""
    if low is None and high is None:
        return ""
    return f"{'open' if low is None else form(low)} … {'open' if high is None else form(high)}"


def p_words(effect: QuantileEffect) -> str:
    p = effect.p_adjusted
    return fmt.NOTHING if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def comparisons_sentence(found: Comparisons) -> str:
    """How to read the section, and how large its family is."""
    least = f"{100 * found.min_effect:g} %"
    return (
        "Two cells at a time that differ in one setting only; the second named is the baseline. Better is faster and "
        f"worse is slower: the whole 95 % interval of the ratio lies beyond {least}, and the test agrees after Holm's "
        f"adjustment over all {fmt.count(found.family)} tests of this section. No difference: the whole interval lies "
        f"within {least}. Everything else is inconclusive, and more blocks are what decides it. Jobs are paired by "
        "block and prompt, and cut jobs count as lower bounds."
    )


def left_out_sentence(found: Comparisons) -> str:
    return (
        f"{fmt.count(found.left_out)} further pairs of cells are not compared: the more tests, the less each can show."
        if found.left_out
        else ""
    )


def share_words(share: SpreadShare) -> str:
    return f"{100 * share.share:.0f}\u00a0%" if share.share >= 0.01 else "< 1\u00a0%"


def axis_of_share(share: SpreadShare) -> str:
    also = "".join(f", with it {axis_words(name)}" for name in share.goes_with)
    return axis_words(share.axis) + also


def spread_sentence(found: SpreadPart) -> str:
    cut = (
        f" {fmt.count(found.cut_left_out)} cut jobs have no known time and are left out, so what makes jobs slow "
        "enough to be cut is underrated."
        if found.cut_left_out
        else ""
    )
    left = f"; within cells by a factor of {found.residual_factor:.2f}" if found.residual_factor else ""
    return (
        f"Times of {fmt.count(found.n)} delivered jobs typically lie apart by a factor of {found.factor:.2f}{left}. "
        f"Shares are of the variance of log times; a setting without any effect would explain a little by chance.{cut}"
    )


def joint_sentence(summary: Summary) -> str:
    """Whether quality and size multiply or add; empty where that was not asked."""
    joint = summary.spread.joint if summary.spread else None
    if joint is None:
        return ""
    lead = {
        "multiplies": "Quality and size multiply: a larger size costs each quality the same factor",
        "adds": "Quality and size add: a larger size costs each quality the same time",
        "undecided": "Whether quality and size multiply or add is not decided",
    }[joint.kind]
    errors = (
        f"; blocks that the model had not seen are off by {100 * joint.error_multiplies:.0f} % if they multiply, "
        f"by {100 * joint.error_adds:.0f} % if they add"
        if joint.error_multiplies is not None and joint.error_adds is not None
        else ""
    )
    cut = f", {fmt.count(joint.left_out)} cut jobs left out" if joint.left_out else ""
    return f"{lead} ({fmt.count(joint.n)} jobs of route {joint.route}{cut}: {joint.why}{errors})."


def comparisons_parts(summary: Summary, table: _Table) -> list[str]:
    found = summary.comparisons
    if found is None:
        return []
    lines = [
        (axis_words(line.axis), f"{line.value} against {line.baseline}", tally_words(line.p50, line.cells),
         tally_words(line.p90, line.cells), cost_words(line))
        for line in found.lines
    ]  # fmt: skip
    head = ("setting", "compared", "p50", "p90", "cost per image")
    parts = ["## A against B", comparisons_sentence(found) + f" The clock is `{found.metric}`."]
    parts += [part for part in (left_out_sentence(found),) if part]
    parts += [table(head, lines)]
    columns = ("setting", "compared", "the rest", "n", "p50 ratio", "p50 difference", "p50", "p90 ratio", "p90", "cost")
    return [*parts, table(columns, [_row(row) for row in found.rows])]


def _row(row: ComparisonRow) -> tuple[str, ...]:
    return (
        axis_words(row.axis),
        f"{row.value} against {row.baseline}",
        row.shared or fmt.NOTHING,
        f"{row.n_value} / {row.n_baseline}",
        _with(factor(row.p50.ratio), within(row.p50.ratio_low, row.p50.ratio_high, factor)),
        _with(signed(row.p50.difference_ms), within(row.p50.difference_low_ms, row.p50.difference_high_ms, signed)),
        verdict_words(row.p50.verdict),
        _with(factor(row.p90.ratio), within(row.p90.ratio_low, row.p90.ratio_high, factor)),
        verdict_words(row.p90.verdict),
        signed_money(row.cost_difference_usd),
    )


def _with(figure: str, interval: str) -> str:
    return f"{figure} ({interval})" if interval else figure


def spread_parts(summary: Summary, table: _Table) -> list[str]:
    found = summary.spread
    if found is None:
        return []
    rows = [
        (axis_of_share(share), share_words(share), f"{100 * share.by_chance:.1f} %", "yes" if share.clear else "no")
        for share in found.axes
    ]
    rows.append(("none of these", f"{100 * found.unexplained:.0f} %", fmt.NOTHING, fmt.NOTHING))
    parts = ["## What explains the spread", spread_sentence(found)]
    parts += [table(("setting", "share", "by chance", "more than chance"), rows)]
    return parts + [part for part in (joint_sentence(summary),) if part]


def response_parts(summary: Summary, table: _Table) -> list[str]:
    """Response beside service time, where jobs were due at a moment."""
    rows = [
        (row.route, row.shape, *(fmt.estimate(one) if one else fmt.NOTHING for one in (
            row.final_image_p50_ms, row.response_p50_ms, row.final_image_p90_ms, row.response_p90_ms)))
        for row in summary.cells
        if row.response_p50_ms is not None
    ]  # fmt: skip
    head = ("route", "request", "service p50", "response p50", "service p90", "response p90")
    return ["### Service and response time", table(head, rows)] if rows else []
