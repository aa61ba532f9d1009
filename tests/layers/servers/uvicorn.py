"""uvicorn: has no cap on a request at all. Nothing that happens behind it may be put down to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from tests.layers.process import free_ports, running
from tests.layers.server import Front, Server, Upstreams, url


@contextmanager
def start(folder: Path, up: Upstreams) -> Iterator[Front]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--app-dir", str(Path(__file__).parent), "--log-level", "warning", "forwarder:asgi"]
    env = {"FORWARD_LIVE": str(up.live), "FORWARD_DEAD": str(up.dead)}
    with running(command, folder, (port,), env=env) as said:
        yield Front(url(port), f"{url(port)}/dead", log=said)


LAYER = Server(
    name="uvicorn",
    product="uvicorn",
    program=lambda: sys.executable,
    version=lambda: version("uvicorn"),
    start=start,
)
