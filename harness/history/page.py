"""The page of a history: one self-contained HTML file, in the report's own clothes."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness import __version__, report
from harness.estimate import Estimate
from harness.history.baseline import WEEKDAYS, Usual
from harness.history.drawing import cell_chart
from harness.history.text import WORDS, headline, moment, period_words
from harness.history.trend import Trend
from harness.report import format as fmt
from harness.report.html import script

_TEMPLATES = Path(__file__).parent / "templates"
_CHIPS = {"firing": "bad", "pending": "inconclusive", "not_enough": "", "inactive": "ok"}  # in the order of the table


class UsualCell(NamedTuple):
    """A cell of the table of hours or weekdays; `level` 0 to 4, or null where it is not usual yet."""

    one: Usual
    level: int | None


@cache
def _environment() -> Environment:
    theirs = Path(report.__file__).parent / "templates"
    return Environment(
        loader=FileSystemLoader([_TEMPLATES, theirs]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(trend: Trend) -> str:
    """The whole page. The same trend gives the same characters."""
    routes = list(dict.fromkeys(cell.route for cell in trend.cells))
    colours = {route: place for place, route in enumerate(routes)}
    began = [one.began_s for cell in trend.cells for one in cell.periods]
    span = (min(began, default=0.0), max(began, default=0.0) + trend.period_s)
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        _environment()
        .get_template("trend.html")
        .render(
            t=trend,
            f=fmt,
            headline=headline(trend),
            alerts=sorted(trend.alerts, key=lambda one: list(_CHIPS).index(one.state)),
            moment=moment,
            day=lambda at_s: datetime.fromtimestamp(at_s).astimezone().strftime(_form(trend.period_s)),
            colours=colours,
            definitions={},
            phrases={},
            sorted_by=_sorted_by,
            states=WORDS,
            chips=_CHIPS,
            percent=lambda found: "—" if found.value is None else fmt.in_unit(found.value, "share"),
            period=period_words(trend.period_s),
            every=period_words(trend.watch.every_s),
            charts=[
                (cell, Markup(cell_chart(cell, f"cell-{place}", colours[cell.route], span, trend.period_s)))
                for place, cell in enumerate(trend.cells)
            ],
            usual_tables=[
                (title, routes, table)
                for title, names, rows in (
                    ("Hour of the day", [f"{hour:02d}:00" for hour in range(24)], trend.hours),
                    ("Day of the week", list(WEEKDAYS), trend.weekdays),
                )
                if (table := _usual_table(rows, names, routes))
            ],
            version=__version__,
            script=Markup(script()),
            script_hash=f"sha256-{digest}",
        )
    )


def write_page(trend: Trend, path: Path) -> None:
    """Write it whole or not at all."""
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(render(trend), encoding="utf-8")
    fresh.replace(path)


def _usual_table(
    rows: tuple[Usual, ...], names: list[str], routes: list[str]
) -> list[tuple[str, list[UsualCell | None]]]:
    known = {(one.place, one.route): one for one in rows}
    ratios = [value for one in rows if one.usual and (value := one.against_cell_p50_ratio.value) is not None]
    slowest = max(ratios, default=1.0)
    table = []
    for place, name in enumerate(names):
        cells = [known.get((place, route)) for route in routes]
        if any(cells):
            table.append((name, [None if one is None else UsualCell(one, _level(one, slowest)) for one in cells]))
    return table


def _level(one: Usual, slowest: float) -> int | None:
    """0 up to the usual, then in equal steps to the slowest; all the same where nothing is 10 % slower."""
    ratio = one.against_cell_p50_ratio.value
    if not one.usual or ratio is None:
        return None
    return 0 if slowest < 1.1 or ratio <= 1 else min(4, int(5 * (ratio - 1) / (slowest - 1)))


def _sorted_by(found: Estimate) -> float | None:
    return found.value if found.value is not None else found.beyond


def _form(period_s: float) -> str:
    return "%Y-%m-%d" if period_s >= 86_400 else "%Y-%m-%d %H:%M"
