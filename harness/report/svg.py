"""matplotlib drawings as inline SVG that belongs to the page: text is text, colours are the page's.

matplotlib draws with sentinel colours (`INKS`), which are then replaced by CSS variables, so that one drawing serves
light, dark and print. Fonts, ids and references are cleaned up in the same pass; ids get a prefix of their own because
several drawings share one document. matplotlib is imported on first use: text and JSON need none of it.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SERIES = 6  # colours of the page for routes: --series-0 …; more routes repeat them with another dash

# Sentinel colour → CSS. Each is a colour that nothing else in a drawing has.
INKS: dict[str, str] = {
    "ink": "#010101",
    "muted": "#020202",
    "line": "#030303",
    "bad": "#040404",
    "paper": "#050505",
    "accent": "#060606",
    **{f"series-{index}": f"#07070{index}" for index in range(SERIES)},
    **{
        f"seg-{kind}": f"#08080{index}"
        for index, kind in enumerate(("earlier", "connect", "upload", "wait", "partials", "download", "render"))
    },
}
_CSS = {colour: f"var(--{name})" for name, colour in INKS.items()}
FONT = 12.0


@contextmanager
def style(salt: str) -> Iterator[None]:
    import matplotlib

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.size": FONT,
        "font.family": "sans-serif",
        "path.simplify": False,
        "axes.linewidth": 1.0,
        "text.parse_math": False,
    }
    with matplotlib.rc_context(settings):
        yield


def blank(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure


def quiet(axes: Axes) -> None:
    axes.patch.set_visible(False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(INKS["muted"])
    axes.tick_params(axis="both", length=0, labelsize=FONT, labelcolor=INKS["muted"], pad=5)
    axes.tick_params(axis="x", length=4, color=INKS["muted"])
    axes.set_axisbelow(True)


def finish(figure: Figure, chart_id: str, width: int, height: int, title: str, text: str) -> str:
    """The drawing as a fragment of a page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    # Only inside tags: what a route is called is nobody's to rewrite.
    body = re.sub(r"<[^>]+>", lambda match: _own_tag(match.group(), chart_id), body)
    body = re.sub(r"<g>\s*</g>", "", body)
    body = re.sub(r"\s*\n\s*", "\n", body).strip()
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" '
        f'aria-labelledby="{chart_id}-title {chart_id}-desc">'
        f'<title id="{chart_id}-title">{html.escape(title)}</title>'
        f'<desc id="{chart_id}-desc">{html.escape(text)}</desc>'
        f'<g stroke-linejoin="round" stroke-linecap="butt">{body}</g></svg>'
    )


def _own_tag(tag: str, chart_id: str) -> str:
    """One tag with the page's colours and fonts, ids of its own, and no digits that nobody sees."""
    tag = tag.replace("xlink:href", "href")
    if "href" in tag or tag.startswith(("<path", "<clipPath")):
        tag = re.sub(r'\b(id="|href="#)', rf"\g<1>{chart_id}-", tag)
    else:
        tag = re.sub(r' id="[^"]*"', "", tag)
    tag = re.sub(r"url\(#", f"url(#{chart_id}-", tag)
    tag = re.sub(r"font: (?:(bold|\d+) )?([\d.]+)px [^;\"]+", _font, tag)
    tag = re.sub(r"font-family: [^;]+; ", "", tag)
    tag = re.sub(r' transform="rotate\(-?0 [^"]*"', "", tag)
    tag = re.sub(r"#[0-9a-f]{6}\b", lambda match: _CSS.get(match.group(), match.group()), tag)
    return re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match.group()):.2f}".rstrip("0").rstrip("."), tag)


def _font(match: re.Match[str]) -> str:
    weight = f"; font-weight: {match.group(1)}" if match.group(1) else ""
    return f"font-size: {float(match.group(2)):g}px{weight}"
