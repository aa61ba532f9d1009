"""A page in Chromium that gives up by its own AbortController; the harness drives it, so nothing stands in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.layers.process import find
from tests.layers.server import Cap, Front, Server, Upstreams, url, version_of


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:  # noqa: ARG001
    """Nothing to start: the page calls the API itself."""
    yield Front(url(up.live), url(up.dead))


LAYER = Server(
    name="chromium",
    product="browser",
    program=lambda: find("chromium"),
    version=lambda: version_of(r"Chromium ([\d.]+)", find("chromium"), "--version"),
    start=start,
    caps=(Cap("total", 2.0, "the page's AbortController"),),
    route={"kind": "browser", "browser": {"abort": 2}, "chain": [], "owner": "client_infrastructure"},
)
