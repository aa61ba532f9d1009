"""The two charts of a report: the share of jobs done over time, and waterfalls of typical jobs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.report import format as fmt
from harness.report.model import CurveLine, CurvePanel, WaterfallRow
from harness.report.svg import FONT, INKS, SERIES, blank, finish, quiet, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEGMENT_INK = {
    "earlier": "earlier",
    "pool": "connect",
    "dns": "connect",
    "tcp": "connect",
    "tls": "connect",
    "upload": "upload",
    "wait": "wait",
    "partials": "partials",
    "download": "download",
    "render": "render",
}
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 2)), (0, (1, 1.5)))
_CHAR = 0.56 * FONT  # average width of a character, in px
_PLOT = 380  # width of the plot within a curve's panel, in px
_LEFT = 48  # what lies to the left of it, in px


def ecdf(panel: CurvePanel, chart_id: str, colours: dict[str, int]) -> str:
    """Share of jobs done by each moment, one line a route. 440 × 300 units."""
    width, height = 440, 300
    with style(chart_id):
        figure = blank(width, height)
        axes = figure.add_axes((52 / width, 44 / height, (width - 52 - 14) / width, (height - 44 - 12) / height))
        unit, name, limit = _time_axis(_with_room_for_names(panel, _extent(panel)))
        axes.set_xlim(0, limit)
        axes.set_ylim(0, 1.04)
        quiet(axes)
        axes.set_yticks([0, 0.5, 0.9, 1], ["0", "50 %", "90 %", "100 %"])
        axes.set_xlabel(f"final image, {name}", color=INKS["muted"], fontsize=FONT)
        axes.grid(axis="y", color=INKS["line"], linewidth=1)
        for position, line in enumerate(panel.lines):
            # Where two lines coincide, the earlier one shows as a rim around the later.
            _draw_curve(axes, line, colours[line.route], unit, limit, 2.0 + 1.3 * (len(panel.lines) - 1 - position))
        _label_curves(axes, panel, colours, unit, limit)
        return finish(figure, chart_id, width, height, f"Share of jobs done over time: {panel.title}", _tell(panel))


def _extent(panel: CurvePanel) -> float:
    last_done = max((line.x_ms[-1] for line in panel.lines if line.x_ms), default=0.0)
    last_cut = max((line.cut_at_ms[-1] for line in panel.lines if line.cut_at_ms), default=0.0)
    # Room for a tail behind the last cut, so that it can be seen to go on.
    return max(last_done * 1.06, last_cut * (1.6 if last_cut > last_done else 1.06), 1.0)


def _name_of(line: CurveLine) -> str:
    return f"{_short(line.route, 24)} {fmt.duration(line.p50_ms)}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _with_room_for_names(panel: CurvePanel, extent: float) -> float:
    """A wider axis where the name of the last line would not fit beside it."""
    wide = max((len(_name_of(line)) * _CHAR + 24 for line in panel.lines), default=0.0)
    last_median = max((line.p50_ms or 0.0 for line in panel.lines), default=0.0)
    return max(extent, last_median * _PLOT / max(_PLOT - wide, 1.0))


def _time_axis(extent_ms: float) -> tuple[float, str, float]:
    unit, name = (1000.0, "s") if extent_ms >= 1000 else (1.0, "ms")
    return unit, name, extent_ms / unit


def _draw_curve(axes: Axes, line: CurveLine, colour: int, unit: float, limit: float, width: float) -> None:
    ink = INKS[f"series-{colour % SERIES}"]
    dash = _DASHES[colour // SERIES % len(_DASHES)]
    if line.x_ms:
        # From the first job on: a line along zero would only say that nothing was done yet, once a route.
        x = [line.x_ms[0] / unit, *(value / unit for value in line.x_ms)]
        axes.plot(x, [0.0, *line.done], drawstyle="steps-post", color=ink, linewidth=width, linestyle=dash, zorder=3)
    if line.open_ended:
        start = (line.x_ms[-1] if line.x_ms else line.cut_at_ms[0]) / unit
        share = line.done[-1] if line.done else 0.0
        axes.plot([start, limit], [share] * 2, color=ink, linewidth=2, linestyle=(0, (1.5, 2)), clip_on=False, zorder=4)
    if line.cut_at_ms:
        axes.plot(
            [value / unit for value in line.cut_at_ms],
            line.cut_done,
            linestyle="none",
            marker="|",
            markersize=13,
            markeredgewidth=1.4,
            color=ink,
            clip_on=False,
            zorder=4,
        )
    if line.p50_ms is not None:
        axes.plot(
            [line.p50_ms / unit],
            [0.5],
            marker="o",
            markersize=6.5,
            color=ink,
            markeredgecolor=INKS["paper"],
            markeredgewidth=1.5,
            zorder=6,
        )


def _label_curves(axes: Axes, panel: CurvePanel, colours: dict[str, int], unit: float, limit: float) -> None:
    """Names beside the lines: below the median to the right, where a curve leaves the plot blank, or above it to the
    left when the next line is too near. Lines whose medians lie closer than a few letters share a stack of names."""
    per_unit = _PLOT / limit
    stacks: list[list[CurveLine]] = []
    for line in sorted((line for line in panel.lines if line.p50_ms is not None), key=lambda line: line.p50_ms or 0.0):
        near = stacks and (_at(line, 0.5, unit) - _at(stacks[-1][-1], 0.5, unit)) * per_unit < 24
        stacks[-1].append(line) if near else stacks.append([line])
    for index, stack in enumerate(stacks):
        wide = max(len(_name_of(line)) for line in stack) * _CHAR / per_unit
        edge = max(_at(line, 0.45, unit) for line in stack) + 9 / per_unit
        following = (
            min((_at(line, 0.1, unit) for line in stacks[index + 1]), default=limit) if stacks[index + 1 :] else limit
        )
        on_the_right = edge + wide <= following or index == len(stacks) - 1
        left = min(_at(member, 0.5, unit) for member in stack) - 9 / per_unit
        # Beside the page's edge there is no left: then below the names of the next stack, across its curve.
        below = 0 if on_the_right else len(stacks[index + 1])
        on_the_right = on_the_right or (left - wide) * per_unit < -_LEFT
        for row, line in enumerate(stack if on_the_right else reversed(stack)):
            if on_the_right:
                _say(axes, edge, 0.42 - 0.065 * (row + below), _name_of(line), colours[line.route], "left")
            else:
                _say(axes, left, 0.57 + 0.065 * row, _name_of(line), colours[line.route], "right")
    rows = 0
    for line in panel.lines:
        if line.p50_ms is not None or not line.cut_at_ms:
            continue
        share = line.done[-1] if line.done else 0.0
        x = line.cut_at_ms[0] / unit
        room = (limit - x) * per_unit > 120
        align = "left" if room else "right"
        spread = line.cut_at_ms[-1] > 1.05 * line.cut_at_ms[0]
        when = f"cut {'from' if spread else 'at'} {fmt.duration(line.cut_at_ms[0])}{' on' if spread else ''}"
        for text in (when, f"{_short(line.route, 24)}: {fmt.of(line.censored, line.n)}"):
            rows += 1
            _say(axes, x + 8 / per_unit if room else limit, share + 0.065 * rows, text, colours[line.route], align)


def _at(line: CurveLine, share: float, unit: float) -> float:
    """Where a curve passes a share (its last step when it does not)."""
    reached = next((x for x, done in zip(line.x_ms, line.done, strict=True) if done >= share), None)
    return (reached if reached is not None else line.x_ms[-1] if line.x_ms else 0.0) / unit


def _say(axes: Axes, x: float, y: float, text: str, colour: int, align: Any) -> None:
    axes.text(x, y, text, color=INKS[f"series-{colour % SERIES}"], ha=align, va="center", fontsize=FONT, zorder=7)


def _tell(panel: CurvePanel) -> str:
    parts = []
    for line in panel.lines:
        half = f"half of the jobs done by {fmt.duration(line.p50_ms)}" if line.p50_ms is not None else "half never done"
        cut = f", {line.censored} cut" if line.censored else ""
        parts.append(f"{line.route}: {line.n} jobs{cut}, {half}")
    return "; ".join(parts) + "."


def waterfall(rows: tuple[WaterfallRow, ...], chart_id: str, *, narrow: bool = False) -> str:
    """One bar a job on one time axis. 960 units wide, or 360 for a phone."""
    width = 360 if narrow else 960
    left, right, top, bottom = 5, 16, 4, 42
    step = (78 if narrow else 60) if any(row.cut for row in rows) else (62 if narrow else 54)
    height = top + bottom + step * len(rows)
    with style(chart_id):
        figure = blank(width, height)
        plot_width = width - left - right
        axes = figure.add_axes((left / width, bottom / height, plot_width / width, (height - top - bottom) / height))
        longest = max(row.segments[-1].end_ms if row.segments else row.total_ms for row in rows)
        unit, name, limit = _time_axis(longest * 1.02)
        axes.set_xlim(0, limit)
        axes.set_ylim(step * len(rows), 0)
        quiet(axes)
        axes.set_yticks([])
        axes.grid(axis="x", color=INKS["line"], linewidth=1)
        axes.set_xlabel(f"since the job was started, {name}", color=INKS["muted"], fontsize=FONT)
        axes.xaxis.set_major_formatter("{x:g}")
        if narrow:
            axes.locator_params(axis="x", nbins=4)
        for index, row in enumerate(rows):
            _draw_row(axes, row, index * step, unit, limit, plot_width, narrow)
        text = " ".join(_tell_row(row) for row in rows)
        return finish(figure, chart_id, width, height, "Where the time of typical jobs goes", text)


def _draw_row(axes: Axes, row: WaterfallRow, y: float, unit: float, limit: float, wide: float, narrow: bool) -> None:
    bar_top, bar_height = y + 24, 16
    middle = bar_top + bar_height / 2
    title = _short(f"{row.route} · {row.shape}", 42 if narrow else 100)
    axes.text(0, y + 13, title, color=INKS["ink"], va="center", ha="left")
    for segment in row.segments:
        start, end = segment.start_ms / unit, segment.end_ms / unit
        axes.barh(
            middle,
            end - start,
            left=start,
            height=bar_height,
            color=INKS[f"seg-{SEGMENT_INK[segment.kind]}"],
            linewidth=0,
            zorder=3,
        )
    for at in row.partials_at_ms:
        axes.plot([at / unit] * 2, [bar_top - 3, bar_top + bar_height + 3], color=INKS["ink"], linewidth=1.6, zorder=5)
    end = (row.cut.at_ms if row.cut else row.segments[-1].end_ms if row.segments else row.total_ms) / unit
    if row.cut is None:
        label, ink = fmt.duration(row.total_ms), INKS["ink"]
        if row.partials_at_ms:
            label += f", first partial image at {fmt.duration(row.partials_at_ms[0])}"
        px = end / limit * wide
        if px + (len(label) + 1) * _CHAR < wide:
            axes.text(end + 7 / wide * limit, middle, label, color=ink, va="center", ha="left", zorder=6)
        else:
            axes.text(
                limit, y + 13, label if not narrow else fmt.duration(row.total_ms), color=ink, va="center", ha="right"
            )
        return
    if row.cut.backend_finished is not False:
        axes.plot([end, limit], [middle] * 2, color=INKS["bad"], linewidth=1.4, linestyle=(0, (2, 3)), zorder=2)
    axes.plot([end] * 2, [bar_top - 5, bar_top + bar_height + 5], color=INKS["bad"], linewidth=3, zorder=6)
    label = cut_sentence(row)
    px = end / limit * wide
    if not narrow and len(title) * _CHAR + 12 < px < wide - (len(label) + 2) * _CHAR:
        axes.text(end + 8 / wide * limit, y + 13, label, color=INKS["bad"], va="center", ha="left", zorder=7)
    else:
        axes.text(0, bar_top + bar_height + 12, label, color=INKS["bad"], va="center", ha="left", zorder=7)


def cut_sentence(row: WaterfallRow) -> str:
    """ "cut by nginx at 60.1 s; the backend finished later": as much of it as is known."""
    if row.cut is None:
        return ""
    by = _short(row.cut.product or row.cut.layer or "", 32)
    text = f"cut by {by} at {fmt.duration(row.cut.at_ms)}" if by else f"cut at {fmt.duration(row.cut.at_ms)}"
    if row.cut.backend_finished is None:
        return text
    return text + ("; the backend finished later" if row.cut.backend_finished else "; the backend did not finish")


def _tell_row(row: WaterfallRow) -> str:
    parts = ", ".join(f"{part.kind} {fmt.duration(part.end_ms - part.start_ms)}" for part in row.segments)
    return f"{row.route}, {row.shape}: {cut_sentence(row) or fmt.duration(row.total_ms)} ({parts})."


def has_room_for_curves(panel: CurvePanel) -> bool:
    """A single moment is no curve."""
    return any(line.x_ms or line.cut_at_ms for line in panel.lines) and math.isfinite(_extent(panel))
