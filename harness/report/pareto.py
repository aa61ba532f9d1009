"""Price against latency, every cell a dot with its 95 % interval; the step line is what more money and waiting buy.

Both axes are logarithmic, because tiers lie decades apart. A dot is filled when nothing beats it, and hollow when
something is shown to. An interval that is open upwards, or a quantile that cuts hide, ends in an arrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.recommend.candidate import QUALITY_RANK
from harness.recommend.model import FrontPoint, Recommendation
from harness.report import format as fmt
from harness.report.model import Estimate
from harness.report.svg import FONT, INKS, SERIES, blank, finish, quiet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CHAR = 0.56 * FONT  # average width of a character, in px
_LINE = 15.0  # height of a line of text, in px
_STEPS = (1.0, 2.0, 5.0)
_Box = tuple[float, float, float, float]  # left, top, right, bottom in px of the plot, y downwards


@dataclass(frozen=True)
class _Frame:
    """The plot in px and the ends of its axes, in s and USD."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, s: float, usd: float) -> tuple[float, float]:
        across = math.log(s / self.x[0]) / math.log(self.x[1] / self.x[0])
        up = math.log(usd / self.y[0]) / math.log(self.y[1] / self.y[0])
        return across * self.width, (1 - up) * self.height


def drawable(found: Recommendation) -> tuple[FrontPoint, ...]:
    """Points that have a place on logarithmic axes."""
    return tuple(point for point in found.front if _reach(point) is not None and (point.usd.value or 0.0) > 0)


def pareto(found: Recommendation, chart_id: str, colours: dict[str, int], *, narrow: bool = False) -> str:
    """The drawing; empty where fewer than two cells have a place. 760 units wide, or 360 for a phone."""
    points = drawable(found)
    if len(points) < 2:
        return ""
    width, height = (360, 380) if narrow else (760, 400)
    left, right, top, bottom = 64, 14, 12, 46
    with style(chart_id):
        figure = blank(width, height)
        plot_width, plot_height = width - left - right, height - top - bottom
        axes = figure.add_axes((left / width, bottom / height, plot_width / width, plot_height / height))
        frame = _Frame(plot_width, plot_height, *_ends(points))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*frame.x)
        axes.set_ylim(*frame.y)
        quiet(axes)
        axes.minorticks_off()
        _ticks(axes, frame, narrow)
        axes.grid(color=INKS["line"], linewidth=1)
        axes.set_xlabel(f"{found.statistic} of the final image, s", color=INKS["muted"], fontsize=FONT)
        axes.set_ylabel("USD an image", color=INKS["muted"], fontsize=FONT, labelpad=2)
        for steps in _staircases(points):
            axes.plot(
                [(point.latency.value or 0.0) / 1000 for point in steps],
                [point.usd.value or 0.0 for point in steps],
                drawstyle="steps-post",
                color=INKS["muted"],
                linewidth=1.4,
                zorder=2,
            )
        for point in points:
            _draw(axes, point, colours, frame)
        _label(axes, points, colours, frame, 20 if narrow else 34)
        return finish(figure, chart_id, width, height, "Price of an image against its latency", _tell(found, points))


def _reach(point: FrontPoint) -> float | None:
    """Where the dot sits, in s: the quantile, or what it is larger than."""
    at = point.latency.value if point.latency.value is not None else point.latency.beyond
    return at / 1000 if at else None


def _ends(points: Sequence[FrontPoint]) -> tuple[tuple[float, float], tuple[float, float]]:
    reached = [at for point in points if (at := _reach(point)) is not None]
    lows = [point.latency.low / 1000 for point in points if point.latency.low]
    highs = [point.latency.high / 1000 for point in points if point.latency.high]
    prices = [point.usd.value for point in points if point.usd.value]
    return (min(reached + lows) / 1.5, max(reached + highs) * 1.7), (min(prices) / 1.8, max(prices) * 1.8)


def _ticks(axes: Axes, frame: _Frame, narrow: bool) -> None:
    for ends, set_ticks, most in ((frame.x, axes.set_xticks, 5 if narrow else 9), (frame.y, axes.set_yticks, 8)):
        decades = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
        found = [
            step * 10.0**decade for decade in decades for step in _STEPS if ends[0] <= step * 10.0**decade <= ends[1]
        ]
        if len(found) > most:
            found = [value for value in found if f"{value:e}".startswith(("1", "5") if len(found) < 2 * most else "1")]
        set_ticks(found, [f"{value:g}" for value in found])


def _staircases(points: Sequence[FrontPoint]) -> list[list[FrontPoint]]:
    """For each size: of every tier the cheapest cell that nothing beats, by rising price."""
    found = []
    for size in dict.fromkeys(point.size for point in points):
        best: dict[str, FrontPoint] = {}
        for point in sorted(points, key=lambda one: (one.usd.value or 0.0, one.latency.value or math.inf)):
            if point.size == size and point.beaten_by is None and point.latency.value is not None:
                best.setdefault(point.quality, point)
        steps = sorted(best.values(), key=lambda one: (QUALITY_RANK.get(one.quality, -1), one.usd.value or 0.0))
        if len(steps) > 1:
            found.append(steps)
    return found


def _draw(axes: Axes, point: FrontPoint, colours: dict[str, int], frame: _Frame) -> None:
    ink = INKS[f"series-{colours.get(point.route, 0) % SERIES}"]
    at, usd = _reach(point), point.usd.value
    if at is None or not usd:
        return
    low = at if point.latency.low is None else min(at, point.latency.low / 1000)
    high, is_open = _end(point, frame)
    axes.plot([low, high], [usd, usd], color=ink, linewidth=1.6, zorder=4, solid_capstyle="butt")
    if is_open:
        axes.plot([high], [usd], marker=">", markersize=6, color=ink, linestyle="none", zorder=4, clip_on=False)
    if point.usd.low and point.usd.high and point.usd.high / point.usd.low > 1.01:
        axes.plot([at, at], [point.usd.low, point.usd.high], color=ink, linewidth=1.6, zorder=4)
    if point.latency.value is None:
        return
    axes.plot(
        [at],
        [usd],
        marker="o",
        markersize=8,
        color=ink,
        markerfacecolor=ink if point.beaten_by is None else INKS["paper"],
        markeredgecolor=INKS["paper"] if point.beaten_by is None else ink,
        markeredgewidth=1.5,
        linestyle="none",
        zorder=5,
    )


def _end(point: FrontPoint, frame: _Frame) -> tuple[float, bool]:
    """The right end of the whisker in s, and whether it is open there."""
    if point.latency.value is not None and point.latency.high is not None:
        return point.latency.high / 1000, False
    return min((_reach(point) or frame.x[0]) * 1.25, frame.x[1]), True


def _label(axes: Axes, points: Sequence[FrontPoint], colours: dict[str, int], frame: _Frame, most: int) -> None:
    """Names beside the dots, those of the front first. One that finds no free place is left out: the table has all."""
    taken: list[_Box] = []
    for point in points:
        at, usd = _reach(point), point.usd.value
        if at is None or not usd:
            continue
        x, y = frame.at(at, usd)
        right, _ = frame.at(_end(point, frame)[0], usd)
        left, _ = frame.at(min(at, (point.latency.low or at * 1000) / 1000), usd)
        taken += [(x - 6, y - 6, x + 6, y + 6), (left, y - 2, right + 4, y + 2)]
    for steps in _staircases(points):
        for one, next_one in pairwise(steps):
            x0, y0 = frame.at((one.latency.value or 1.0) / 1000, one.usd.value or 1.0)
            x1, y1 = frame.at((next_one.latency.value or 1.0) / 1000, next_one.usd.value or 1.0)
            taken += [(min(x0, x1), y0 - 1, max(x0, x1), y0 + 1), (x1 - 1, min(y0, y1), x1 + 1, max(y0, y1))]
    for point in sorted(points, key=lambda one: one.beaten_by is not None):
        at, usd = _reach(point), point.usd.value
        if at is None or not usd:
            continue
        x, y = frame.at(at, usd)
        right, _ = frame.at(_end(point, frame)[0], usd)
        left, _ = frame.at(min(at, (point.latency.low or at * 1000) / 1000), usd)
        text = point.short if len(point.short) <= most else point.short[: most - 1] + "…"
        wide = len(text) * _CHAR + 4
        box = next((one for one in _places(x, y, left, right, wide) if _is_free(one, taken, frame)), None)
        if box is None:
            continue
        taken.append(box)
        middle = (box[1] + box[3]) / 2
        axes.text(
            box[0] / frame.width,
            1 - middle / frame.height,
            text,
            transform=axes.transAxes,
            color=INKS[f"series-{colours.get(point.route, 0) % SERIES}"],
            ha="left",
            va="center",
            fontsize=FONT,
            zorder=7,
        )


def _places(x: float, y: float, left: float, right: float, wide: float) -> list[_Box]:
    """Where a name may stand, best first: over and under the dot, beside its whisker, then further off."""
    half = _LINE / 2
    places = []
    for rows in (1, 2, 3, 4):
        for side in (-1, 1):
            middle = y + side * (8 + half + (rows - 1) * _LINE)
            places += [
                (begin, middle - half, begin + wide, middle + half) for begin in (x - wide / 2, x - 4, x - wide + 4)
            ]
        if rows == 1:
            places += [
                (right + 8, y - half, right + 8 + wide, y + half),
                (left - 8 - wide, y - half, left - 8, y + half),
            ]
    return places


def _is_free(box: _Box, taken: Sequence[_Box], frame: _Frame) -> bool:
    if box[0] < 2 or box[1] < 0 or box[2] > frame.width + 10 or box[3] > frame.height:
        return False
    return not any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken
    )


def _tell(found: Recommendation, points: Sequence[FrontPoint]) -> str:
    parts = []
    for point in points:
        at = point.latency
        latency = fmt.estimate(Estimate(value=at.value, beyond=at.beyond))
        beaten = "" if point.beaten_by is None else ", beaten by another cell"
        parts.append(f"{point.label}: {found.statistic} {latency}, {fmt.money(point.usd.value)} an image{beaten}")
    return "; ".join(parts) + "."
