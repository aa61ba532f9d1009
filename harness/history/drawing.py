"""A cell over time: p50 with its interval and p95 above, the share of good jobs below. 440 × 290 units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from harness.history.baseline import Period
from harness.history.trend import CellTrend
from harness.report import format as fmt
from harness.report.svg import FONT, INKS, SERIES, blank, finish, quiet, style

_WIDTH, _HEIGHT = 440, 290
_LEFT, _RIGHT, _GAP = 56, 14, 26
_STRIP = 46  # height of the share of good jobs
_TOP, _BOTTOM = 12, 34


def cell_chart(cell: CellTrend, chart_id: str, colour: int, span: tuple[float, float], period_s: float) -> str:
    """One panel; `span` is the time that all panels share, in seconds since 1970."""
    ink = INKS[f"series-{colour % SERIES}"]
    strip = _STRIP / _HEIGHT
    wide = (_WIDTH - _LEFT - _RIGHT) / _WIDTH
    upper = (_BOTTOM + _STRIP + _GAP) / _HEIGHT
    with style(chart_id):
        figure = blank(_WIDTH, _HEIGHT)
        times = figure.add_axes((_LEFT / _WIDTH, upper, wide, 1 - upper - _TOP / _HEIGHT))
        shares = figure.add_axes((_LEFT / _WIDTH, _BOTTOM / _HEIGHT, wide, strip))
        middle = period_s / 2
        first, last = span
        known = [one for one in cell.periods if one.p50_ms.value is not None]
        x = [one.began_s + middle for one in known]
        unit, name = (
            (1000.0, "s") if max((one.p50_ms.value or 0.0 for one in known), default=0.0) >= 1000 else (1.0, "ms")
        )
        for one in known:
            if one.p50_ms.low is not None and one.p50_ms.high is not None:
                low, high = one.p50_ms.low / unit, one.p50_ms.high / unit
                times.plot([one.began_s + middle] * 2, [low, high], color=ink, linewidth=4, alpha=0.28, zorder=2)
        p50 = [(one.p50_ms.value or 0.0) / unit for one in known]
        times.plot(x, p50, color=ink, linewidth=2, marker=_dot(x), markersize=5, zorder=4)
        far = [one for one in known if one.p95_ms.value is not None and one.jobs >= 20]
        times.plot(
            [one.began_s + middle for one in far],
            [(one.p95_ms.value or 0.0) / unit for one in far],
            color=ink, linewidth=1.2, linestyle=(0, (4, 3)), marker=_dot(far), markersize=3.5, zorder=3,
        )  # fmt: skip
        for one in cell.periods:
            if one.p50_ms.value is None and one.p50_ms.beyond is not None:
                times.plot([one.began_s + middle], [one.p50_ms.beyond / unit], marker="^", color=INKS["bad"], zorder=5)
        top = max([times.get_ylim()[1], 1e-6])
        for change in cell.changes:
            for axes in (times, shares):
                axes.axvline(change.since_s, color=INKS["bad"], linewidth=1.2, linestyle=(0, (2, 2)), zorder=1)
            near_end = change.since_s > first + 0.6 * (last - first)
            times.text(
                change.since_s + (-1 if near_end else 1) * 0.012 * (last - first), top * 1.04, change.direction,
                color=INKS["bad"], ha="right" if near_end else "left", va="bottom", fontsize=FONT, zorder=7,
            )  # fmt: skip
        times.set_ylim(0, top * 1.2)
        times.set_ylabel(name, color=INKS["muted"], fontsize=FONT)
        _share(shares, cell.periods, middle, ink)
        quiet(times)
        quiet(shares)
        times.grid(axis="y", color=INKS["line"], linewidth=1)
        shares.set_yticks([0, 1], ["0", "100 %"])
        shares.grid(axis="y", color=INKS["line"], linewidth=1)
        ticks = day_ticks(first, last)
        for axes in (times, shares):
            axes.set_xlim(first, last)
        times.set_xticks([at for at, _ in ticks], [""] * len(ticks))
        shares.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
        shares.text(first, 1.12, "with an image", color=INKS["muted"], fontsize=FONT, va="bottom", ha="left")
        return finish(figure, chart_id, _WIDTH, _HEIGHT, f"Over time: {cell.cell}", _tell(cell))


def _share(axes: object, periods: Sequence[Period], middle: float, ink: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    known = [one for one in periods if one.success.value is not None]
    x, y = [one.began_s + middle for one in known], [one.success.value or 0.0 for one in known]
    axes.plot(x, y, color=ink, linewidth=1.6, marker=_dot(x), markersize=4, clip_on=False, zorder=3)
    bad = [(at, share) for at, share in zip(x, y, strict=True) if share < 1]
    axes.plot([at for at, _ in bad], [share for _, share in bad], linestyle="none", marker="o", markersize=3.5,
              color=INKS["bad"], clip_on=False, zorder=4)  # fmt: skip
    axes.set_ylim(0, 1.04)


def _dot(drawn: Sequence[object]) -> str:
    """The marker of a line: a single moment has no line to be seen by."""
    return "o" if len(drawn) == 1 else ""


def day_ticks(first_s: float, last_s: float, most: int = 5) -> list[tuple[float, str]]:
    """Moments of local time at round hours or days, at most `most`, with words; none so far right that one is cut."""
    span = max(last_s - first_s, 1.0)
    steps = (
        60,
        300,
        900,
        3600,
        3 * 3600,
        6 * 3600,
        12 * 3600,
        86_400,
        2 * 86_400,
        7 * 86_400,
        30 * 86_400,
        90 * 86_400,
    )
    step = next((one for one in steps if span / one <= most), 365 * 86_400)
    begin = datetime.fromtimestamp(first_s).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    count = int((last_s - begin.timestamp()) // step) + 1
    moments = [begin + timedelta(seconds=step * place) for place in range(count)]
    form = "%d %b" if step >= 86_400 else "%H:%M"
    shown = [
        (at.timestamp(), at.strftime(form)) for at in moments if first_s <= at.timestamp() <= first_s + 0.94 * span
    ]
    return shown[:: max(1, -(-len(shown) // most))]


def _tell(cell: CellTrend) -> str:
    changes = "; ".join(
        f"{one.direction} since {datetime.fromtimestamp(one.since_s):%Y-%m-%d %H:%M}" for one in cell.changes
    )
    return (
        f"{cell.cell}: {cell.jobs} jobs, p50 {fmt.estimate(cell.p50_ms)}, p95 {fmt.estimate(cell.p95_ms)}. "
        f"{changes or 'No change of level'}."
    )
