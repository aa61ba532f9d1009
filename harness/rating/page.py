"""The rating page: one HTML file, with its pictures inside or, when it is served, beside it under numbers.

What it knows of a pair is a random name and two numbers of pictures. It holds no cell, job, file name or size.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.rating.gallery import Framer
from harness.rating.sitting import Sitting

_FOLDER = Path(__file__).parent / "page"


def render(sitting: Sitting, sources: Sequence[str], *, served: bool, done: Sequence[str] = ()) -> str:
    """The page.

    Args:
        sources: where each picture of `sitting.pictures` comes from, in their order.
        done: names of pairs that are voted on already, in the order of their votes.
    """
    from jinja2 import Environment, StrictUndefined

    style, script = _part("rate.css"), _part("rate.js")
    numbers = {picture: number for number, picture in enumerate(sitting.pictures)}
    pairs = [
        {"pair": pair.name, "left": numbers[pair.left], "right": numbers[pair.right]}
        | ({"prompt": prompt} if (prompt := sitting.prompts.get(pair.left.prompt_hash)) else {})
        for pair in sitting.pairs
    ]
    data = {"sitting": sitting.id, "served": served, "done": list(done), "pairs": pairs, "pictures": list(sources)}
    kept = (
        "Every answer is saved at once. You can close the page and go on later."
        if served
        else "Nothing leaves this page by itself. Save the votes at the end, or before you close it."
    )
    template = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True).from_string(
        _part("rate.html")
    )
    # Inside a script element only "<" could end it early.
    inlined = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return template.render(csp=policy(served=served), style=style, script=script, data=inlined, kept=kept)


def policy(*, served: bool) -> str:
    """What the page may do: show its own pictures, run its own script, and (served) send votes where it came from."""
    images, talk = ("'self' data:", "'self'") if served else ("data:", "'none'")
    return (
        f"default-src 'none'; script-src {_hash('rate.js')}; style-src {_hash('rate.css')}; img-src {images}; "
        f"connect-src {talk}; base-uri 'none'; form-action 'none'"
    )


def write_page(run_dir: Path, sitting: Sitting, path: Path) -> None:
    """The page as one file for somebody else, every picture in it once."""
    framer = Framer(run_dir, sitting.pictures)
    sources = [
        "data:image/webp;base64," + base64.b64encode(framer.webp(picture)).decode() for picture in sitting.pictures
    ]
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_text(render(sitting, sources, served=False), encoding="utf-8", newline="\n")
    fresh.replace(path)


@cache
def _part(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _hash(name: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(_part(name).encode()).digest()).decode() + "'"
