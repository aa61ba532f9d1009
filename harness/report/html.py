"""The page: one self-contained HTML file from a summary and from nothing else."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report import (
    charts,
    comparisons_text,
    contact_text,
    ratings_text,
    recommendation_text,
    stopped,
    waste_text,
)
from harness.report import format as fmt
from harness.report.model import Estimate, Summary, WaterfallRow
from harness.report.pareto import pareto
from harness.report.terms import PHRASES, TERMS
from harness.report.view import (
    bad_headlines,
    chance_sentence,
    claims_sentence,
    clocks_note,
    condition_rows,
    decision_facts,
    floors_sentence,
    heat_title,
    rests_on,
    selection,
    tiers_sentence,
    told_result,
    told_way,
)

_TEMPLATES = Path(__file__).parent / "templates"
_SEGMENTS = (
    # kind, column, the metric that defines it
    ("earlier", "Earlier attempts", ""),
    ("pool", "Pool", "pool_wait_ms"),
    ("dns", "DNS", "connect_ms"),
    ("tcp", "TCP", "connect_ms"),
    ("tls", "TLS", "connect_ms"),
    ("upload", "Upload", "upload_ms"),
    ("wait", "Wait", "wait_ms"),
    ("partials", "Partials", ""),
    ("download", "Download", "download_ms"),
    ("render", "Render", "render_ms"),
)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(summary: Summary) -> str:
    """The whole page. The same summary gives the same characters."""
    colours = route_colours(summary)
    drawn = [panel for panel in summary.curves if charts.has_room_for_curves(panel)]
    sections = (
        ("findings", "Findings", bool(summary.findings or summary.answer.verdicts)),
        ("objectives", "Objectives", bool(summary.objectives)),
        ("hypotheses", "Hypotheses", bool(summary.hypotheses)),
        ("recommendation", "Recommendation", summary.recommendation is not None),
        ("comparisons", "A against B", summary.comparisons is not None),
        ("spread", "What explains the spread", summary.spread is not None),
        ("ratings", "Blind ratings", summary.ratings is not None),
        ("heat", heat_title(summary), summary.heat is not None),
        ("timing", "When jobs were done", bool(drawn)),
        ("waterfalls", "Where the time goes", bool(summary.waterfalls)),
        ("cells", "Every cell", bool(summary.cells)),
        ("hours", "By hour of the day", summary.hours is not None),
        ("picture-quality", "Picture quality", summary.pictures is not None),
        ("contact-sheet", "Contact sheet", summary.pictures is not None and summary.pictures.sheet is not None),
        ("stopped", "Stopped early", summary.stopped is not None),
        ("waste", "Paid and not received", bool(summary.waste)),
        ("failures", "Failures", bool(summary.layers or summary.failures)),
        ("retries", "Retries and rate limits", bool(summary.retries)),
        ("told", "What each route tells", bool(summary.told)),
        ("conditions", "Conditions", True),
        ("definitions", "Definitions", True),
    )
    shown = [(name, title) for name, title, there in sections if there]
    present = {segment.kind for row in summary.waterfalls for segment in row.segments}
    return (
        _environment()
        .get_template("page.html")
        .render(
            s=summary,
            f=fmt,
            pics=contact_text,
            v=comparisons_text,
            colours=colours,
            parts=[f"{name}.html" for name, _ in shown],
            contents=shown,
            definitions={definition.name: definition.title for definition in summary.definitions},
            bad_headlines=bad_headlines(),
            decision_facts=decision_facts(summary.answer.decision),
            rests_on=rests_on(summary),
            other_failures=max(0, summary.totals.failed - summary.totals.censored),
            verdict_jobs=sum(row.jobs for row in summary.answer.verdicts),
            quiet_findings=[row for row in summary.findings if row.state in ("does_not_hold", "not_applicable")],
            curves=[
                (panel, Markup(charts.ecdf(panel, f"curve-{index}", colours))) for index, panel in enumerate(drawn)
            ],
            waterfall_wide=_drawn_waterfall(summary, narrow=False),
            waterfall_narrow=_drawn_waterfall(summary, narrow=True),
            segment_columns=[
                (kind, title, charts.SEGMENT_INK[kind], metric) for kind, title, metric in _SEGMENTS if kind in present
            ],
            segment_ms=_segment_ms,
            cut_sentence=charts.cut_sentence,
            any_response=any(row.response_p50_ms is not None for row in summary.cells),
            any_partials=any(row.first_partial_image_p50_ms.value is not None for row in summary.cells),
            cells_by_route=[
                (route, list(rows))
                for route, rows in groupby(summary.cells, key=lambda row: "" if row.planned_only else row.route)
            ],
            nothing_known=Estimate(value=None),
            clocks_note=clocks_note(summary),
            conditions=condition_rows(summary),
            rec_words=recommendation_text,
            pareto_wide=_drawn_pareto(summary, colours, narrow=False),
            pareto_narrow=_drawn_pareto(summary, colours, narrow=True),
            front_names={point.cell: point.label for point in summary.recommendation.front}
            if summary.recommendation
            else {},
            claims_sentence=claims_sentence(summary),
            chance_sentence=chance_sentence(summary),
            selection=selection,
            told_way=told_way,
            told_result=told_result,
            stopped=stopped,
            waste=waste_text,
            stopped_cells=stopped.stopped_cells(summary),
            floors=floors_sentence(),
            cells_by_name={row.cell: row for row in summary.cells},
            ratings_view=ratings_text,
            ratings_notes=ratings_text.notes_on(summary.ratings, summary) if summary.ratings else [],
            rating_bar=lambda rated: Markup(ratings_text.drawn(rated)),
            terms=TERMS,
            phrases=PHRASES,
            heat_title=heat_title(summary),
            sorted_by=_sorted_by,
            tiers_sentence=tiers_sentence(summary),
            script=Markup(script()),
            script_hash=_allowed(script()),
        )
    )


@cache
def script() -> str:
    """The one script of the page: it sorts tables and folds long ones on a phone. The page is whole without it."""
    return (_TEMPLATES / "page.js").read_text(encoding="utf-8")


def _allowed(text: str) -> str:
    """How a content security policy names a script that may run: by the digest of its bytes, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sorted_by(found: Estimate) -> float | None:
    """What a figure is sorted by: what is only known to be larger than something goes by that."""
    return found.value if found.value is not None else found.beyond


def route_colours(summary: Summary) -> dict[str, int]:
    """A route keeps its colour in every chart and table."""
    named = [route.name for route in summary.run.routes]
    drawn = [line.route for panel in summary.curves for line in panel.lines]
    return {route: index for index, route in enumerate(dict.fromkeys([*named, *drawn]))}


def _drawn_waterfall(summary: Summary, *, narrow: bool) -> Markup:
    if not summary.waterfalls:
        return Markup("")
    name = "waterfall-narrow" if narrow else "waterfall-wide"
    return Markup(charts.waterfall(summary.waterfalls, name, narrow=narrow))


def _drawn_pareto(summary: Summary, colours: dict[str, int], *, narrow: bool) -> Markup:
    if summary.recommendation is None:
        return Markup("")
    name = "pareto-narrow" if narrow else "pareto-wide"
    return Markup(pareto(summary.recommendation, name, colours, narrow=narrow))


def _segment_ms(row: WaterfallRow, kind: str) -> float | None:
    found: list[Any] = [part.end_ms - part.start_ms for part in row.segments if part.kind == kind]
    return sum(found) if found else None
