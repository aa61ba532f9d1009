"""The data behind the charts: curves of the share done, and waterfalls of typical jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from harness.frame import parsed
from harness.report.jobs import (
    DELIVERED,
    FloatArray,
    IntArray,
    Shapes,
    StringArray,
    clock_curve,
    is_cut,
    is_in,
    none_if_nan,
    numbers,
    positions_by,
    quality_rank,
    rounded,
)
from harness.report.model import CurveLine, CurvePanel, CutMark, Segment, SegmentKind, WaterfallRow

_MAX_POINTS = 200  # a curve of more steps than there are pixels only costs bytes
_MAX_TICKS = 40
_MAX_ROWS = 12
_CURVE_COLUMNS = ("route", "outcome", "http_status", "stream", "final_image_ms", "verdict_censored_at_ms")


def curves(frame: pd.DataFrame, shapes: Shapes) -> tuple[CurvePanel, ...]:
    """One panel a shape of request (or a quality, when there are too many shapes), one line a route."""
    narrow = frame[list(_CURVE_COLUMNS)]  # a selection copies whole rows
    groups = _positions(shapes.panel, narrow)
    titles = sorted(set(shapes.panel), key=quality_rank if shapes.by_quality else shapes.rank.__getitem__)
    panels = []
    for title in titles:
        found = ((route, groups.get((route, title))) for route in shapes.routes)
        drawn = (_line(route, narrow.iloc[rows]) for route, rows in found if rows is not None)
        lines = [line for line in drawn if line is not None]
        if lines:
            panels.append(CurvePanel(title=title, pooled=shapes.pooled, lines=tuple(lines)))
    return tuple(panels)


def _line(route: str, jobs: pd.DataFrame) -> CurveLine | None:
    curve = clock_curve(jobs, "final_image_ms")
    if curve.n == 0:
        return None
    every = np.flatnonzero(curve.done)
    steps = _thinned(every, _MAX_POINTS)
    cuts = _thinned(np.flatnonzero(curve.cut), _MAX_TICKS)
    return CurveLine(
        route=route,
        n=curve.n,
        censored=curve.censored,
        x_ms=_floats(curve.x[steps], 1),
        done=_floats(curve.cdf[steps], 5),
        cut_at_ms=_floats(curve.x[cuts], 1),
        cut_done=_floats(curve.cdf[cuts], 5),
        p50_ms=rounded(curve.quantile(0.5).value, 1),
        open_ended=bool(curve.cdf[-1] < 1 - 1e-9),
        steps=len(every),
    )


def _positions(names: StringArray, frame: pd.DataFrame) -> dict[tuple[str, str], IntArray]:
    """Row positions by route and by another name of each row."""
    table = pd.DataFrame({"route": frame["route"].array, "name": names})
    found = positions_by(table, ["route", "name"]).values()
    return {(str(table["route"].iloc[rows[0]]), str(table["name"].iloc[rows[0]])): rows for rows in found}


def _thinned(indices: Any, most: int) -> Any:
    """At most this many of them, evenly spaced, first and last kept."""
    if len(indices) <= most:
        return indices
    return indices[np.unique(np.linspace(0, len(indices) - 1, most).round().astype(int))]


def _floats(values: FloatArray, digits: int) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)


def waterfalls(frame: pd.DataFrame, shapes: Shapes) -> tuple[WaterfallRow, ...]:
    """Typical jobs of each route: of its slowest shape that usually completes, of its slowest stream, and of its
    slowest shape whose usual fate is to be cut. Each is a real job, the median of its kind."""
    groups = _positions(shapes.label, frame)
    delivered_all, cut_all = is_in(frame, "outcome", DELIVERED), is_cut(frame)
    streams = frame["stream"].to_numpy(dtype=np.bool_)
    rows: list[WaterfallRow] = []
    for route in shapes.routes:
        kinds: dict[str, tuple[float, WaterfallRow]] = {}
        for label in sorted((label for name, label in groups if name == route), key=shapes.rank.__getitem__):
            here = groups[route, label]
            delivered, cut = here[delivered_all[here]], here[cut_all[here]]
            if len(delivered) == len(cut) == 0:
                continue
            if len(delivered) >= len(cut):
                clock, of, kind = "final_image_ms", delivered, "stream" if streams[delivered].all() else "done"
            else:
                clock, of, kind = "verdict_censored_at_ms", cut, "cut"
            typical = _median_job(frame, of, clock)
            if typical is None:
                continue
            time, job = typical
            if kind not in kinds or time > kinds[kind][0]:
                kinds[kind] = (time, _row(job, route, label, len(of)))
        rows += [kinds[kind][1] for kind in ("done", "stream", "cut") if kind in kinds]
    return tuple(rows[:_MAX_ROWS])


def _median_job(frame: pd.DataFrame, rows: IntArray, clock: str) -> tuple[float, dict[str, Any]] | None:
    """The job in the middle; `frame` is by ascending job, so that equal times are in the order of their jobs."""
    times = numbers(frame, clock)[rows]
    known = rows[~np.isnan(times) & ~np.isnan(numbers(frame, "mark_started_at_ms")[rows])]
    if not len(known):
        return None
    times = numbers(frame, clock)[known]
    at = known[np.argsort(times, kind="stable")[(len(known) - 1) // 2]]
    return float(frame[clock].iloc[at]), {str(name): none_if_nan(frame[name].iloc[at]) for name in frame.columns}


def _row(job: dict[str, Any], route: str, shape: str, of_jobs: int) -> WaterfallRow:
    cut_at = job["verdict_censored_at_ms"]
    cut = None
    if cut_at is not None:
        cut = CutMark(
            at_ms=round(cut_at, 3),
            layer=job["verdict_layer"],
            product=job["verdict_product"],
            setting=job["verdict_setting"],
            cap_s=job["verdict_cap_s"],
            grade=job["verdict_grade"],
            backend_finished=job["verdict_backend_finished"],
        )
    return WaterfallRow(
        route=route,
        shape=shape,
        job_id=job["job_id"],
        of_jobs=of_jobs,
        outcome=job["outcome"],
        total_ms=round(cut_at if cut_at is not None else job["final_image_ms"], 3),
        segments=tuple(_segments(job, cut_at)),
        partials_at_ms=tuple(
            round(at, 3) for at in parsed(job["mark_partial_images"]) or () if cut_at is None or at <= cut_at
        ),
        attempts=job["attempt_count"],
        cut=cut,
    )


def _segments(job: dict[str, Any], cut_at: float | None) -> Iterator[Segment]:
    """Lay the marks of the last attempt end to end; a cut ends whatever was under way."""
    status = job["http_status"]
    answered = cut_at is None or (status is not None and 200 <= status < 300)
    payload = job["mark_first_event_at_ms"] or job["mark_first_body_byte_at_ms"] if answered else None
    final_began = job["mark_final_first_byte_at_ms"] if answered else None
    streamed = job["mark_first_event_at_ms"] is not None and bool(job["stream"])
    ends: list[tuple[SegmentKind, float | None]] = [
        ("earlier", job["mark_started_at_ms"]),
        ("pool", job["mark_pool_acquired_at_ms"]),
        ("dns", job["mark_dns_done_at_ms"]),
        ("tcp", job["mark_tcp_connected_at_ms"]),
        ("tls", job["mark_tls_done_at_ms"]),
        ("upload", job["mark_request_sent_at_ms"]),
        ("wait", payload if streamed else (final_began or payload)),
        ("partials", final_began if streamed else None),
    ]
    if cut_at is None:
        ends.append(("download", job["mark_downloaded_at_ms"] or job["mark_final_image_at_ms"]))
        ends.append(("render", job["mark_rendered_at_ms"]))
    else:
        begun = [kind for kind, end in ends if end is not None]
        last = begun[-1] if begun else "earlier"
        after: dict[str, SegmentKind] = {"upload": "wait", "wait": "partials" if streamed else "download"}
        ends.append((after.get(last, "download" if last == "partials" else last), cut_at))
    at = 0.0
    for kind, end in ends:
        if end is None:
            continue
        if cut_at is not None:
            end = min(end, cut_at)
        if end > at:
            yield Segment(kind=kind, start_ms=round(at, 3), end_ms=round(end, 3))
            at = end
