"""What all tests share: a salt of their own, the real command line, and one demo run to look at."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]  # of Chromium

Harness = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_configure() -> None:
    """A shell that starts CI in its background has SIGINT ignored, and every process below inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no name: packed ones hold the second of packing, and xdist's workers must agree on names."""
    return argname if isinstance(val, bytes) and not val.isascii() else None


@pytest.fixture(scope="session", autouse=True)
def _own_salt(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def harness() -> Harness:
    """The real command line in a process of its own."""

    def call(
        *args: object, stdin: str = "", env: Mapping[str, str] | None = None, cwd: Path = ROOT, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *map(str, args)]
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=timeout,
            env={**os.environ, **(env or {})},
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the system's Chromium is; tests that need it are passed over without, but never in CI."""
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no chromium on the path; CI must look at the page")
        pytest.skip("no chromium on the path")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium, driven. Of a module and not of the session: while it is open, no test around it can run a loop."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


@dataclass(frozen=True)
class DemoRun:
    """The demo, run once through the real command line, and the simulator's own truth of it."""

    path: Path
    events: Sequence[dict[str, Any]]
    truth: Mapping[str, dict[str, Any]]  # by client request id
    verdicts: Mapping[str, dict[str, Any]]  # by job id

    def truth_of(self, event: dict[str, Any]) -> dict[str, Any]:
        """What really happened to this job's last attempt."""
        return self.truth[event["attempts"][-1]["client_request_id"]]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, harness: Harness) -> DemoRun:
    """Run, diagnose, report and packet of ``scenarios/demo.yaml``."""
    path = tmp_path_factory.mktemp("demo") / "run"
    for args, codes in (
        (("run", "scenarios/demo.yaml", "--out", path, "--quiet"), {0}),
        (("diagnose", path), {0}),
        (("report", path), {0, 3}),
        (("packet", path), {0}),
    ):
        done = harness(*args)
        assert done.returncode in codes, done.stderr
    read = [json.loads(line) for line in (path / "events.jsonl").read_text().splitlines()]
    truth = [json.loads(line) for line in (path / "backend.jsonl").read_text().splitlines()]
    verdicts = [json.loads(line) for line in (path / "verdicts.jsonl").read_text().splitlines()]
    return DemoRun(
        path,
        read,
        {record["client_request_id"]: record for record in truth},
        {verdict["job_id"]: verdict for verdict in verdicts},
    )
