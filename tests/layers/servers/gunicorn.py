"""gunicorn's sync worker: --timeout is a heartbeat, looked at once a second; the worker of a long request is killed.

Up to 21 it dies without a word; from 22 on it says 500 first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.layers.process import Missing, free_ports, running
from tests.layers.server import Cap, Front, Server, Upstreams, url, version_of

WORKERS = 9  # one for every situation at once


def _place(age: str) -> Path:
    place = ROOT / ".layers" / age
    if not (place / "gunicorn").is_dir():
        raise Missing(f"there is no gunicorn in .layers/{age}; `make layers` puts it there")
    return place


def _version(age: str) -> str:
    paths = os.pathsep.join((str(_place(age)),))
    return version_of(r"version ([\d.]+)", "env", f"PYTHONPATH={paths}", sys.executable, "-m", "gunicorn", "--version")


def _layer(age: str) -> Server:
    @contextmanager
    def start(folder: Path, up: Upstreams) -> Iterator[Front]:
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--timeout", "2"]
        command += ["--worker-class", "sync", "--workers", str(WORKERS), "forwarder:wsgi"]
        env = {
            "PYTHONPATH": os.pathsep.join((str(_place(age)), str(Path(__file__).parent))),
            "FORWARD_LIVE": str(up.live),
            "FORWARD_DEAD": str(up.dead),
        }
        with running(command, folder, (port,), env=env) as said:
            yield Front(url(port), f"{url(port)}/dead", log=said)

    return Server(
        name=f"gunicorn-{age}",
        product="gunicorn",
        program=lambda: str(_place(age)),
        version=lambda: _version(age),
        start=start,
        caps=(Cap("total", 2.0, "--timeout"),),
    )


LAYERS = (_layer("old"), _layer("new"))
