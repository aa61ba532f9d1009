"""A standing with something of everything in it, and processes that listen on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import msgspec

from harness.estimate import Estimate
from harness.history.model import AlertState, CellFigures, FreshJob, RoundRow, Standing

AT = "2026-03-02T10:00:30+00:00"


def fresh(**changes: Any) -> FreshJob:
    given = FreshJob(
        cell="direct/low", route="direct", quality="low", outcome="image", rate_limited=False, cost_usd=0.006, images=1,
        final_image_ms=5200.0, cut=False,
    )  # fmt: skip
    return msgspec.structs.replace(given, **changes)


def alert(**changes: Any) -> AlertState:
    given = AlertState(
        name="ImageLatency", subject="p50(final_image_ms){route=direct} < 4s", labels={"route": "direct"},
        state="firing", since=AT, started_at="2026-03-02T09:30:00+00:00", summary="p50 is 5.2 s over 22 jobs",
    )  # fmt: skip
    return msgspec.structs.replace(given, **changes)


def standing(**changes: Any) -> Standing:
    known = Estimate(value=5200.0, low=5000.0, high=5400.0, n=22)
    given = Standing(
        at=AT,
        scenario="watch",
        every_s=900.0,
        round=RoundRow(round_id="r1", began_s=1e9, ended_s=1e9 + 42.5, due_s=1e9, status="complete", missed=2, jobs=3),
        cells=(
            CellFigures(
                cell="direct/low", route="direct", quality="low", jobs=22, p50_ms=known,
                p95_ms=Estimate(value=7000.0, n=22, thin=True, floor=130), success=Estimate(value=0.95, n=22),
                usd_per_image=Estimate(value=0.006, n=21),
            ),
        ),
        alerts=(alert(), alert(name="ImageRateLimited", subject="direct", state="inactive", started_at=None)),
        fresh=(
            fresh(),
            fresh(outcome="cut", final_image_ms=None, cut=True, images=0, cost_usd=None),
            fresh(outcome="error", final_image_ms=None, images=0, cost_usd=None, rate_limited=True),
        ),
        spent_today_usd=0.5,
        spent_total_usd=2.5,
    )  # fmt: skip
    return msgspec.structs.replace(given, **changes)


@contextlib.contextmanager
def receiver(status: int = 200, headers: dict[str, str] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """A server that keeps what it gets: (path, headers, body)."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(
                (
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(int(self.headers["Content-Length"])),
                )
            )
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", got
        finally:
            server.shutdown()
            thread.join()


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def until(what: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """The first true answer; nothing that is not there yet is an error."""
    limit = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(OSError):
            found = what()
            if found:
                return found
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.1)
