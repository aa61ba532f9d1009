"""A real Dask scheduler and real workers, each a process of its own, on loopback or wherever `inside` puts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

UP_S = 60
CLI = "import sys; from distributed.cli.{} import main; sys.exit(main())"


@dataclass
class Cluster:
    """Where the scheduler listens, and its workers by name."""

    address: str
    folder: Path
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def add(
        self,
        name: str,
        region: str | None = None,
        *,
        env: Mapping[str, str] | None = None,
        inside: Sequence[str] = (),
        host: str = "127.0.0.1",
        wait: bool = True,
    ) -> subprocess.Popen[bytes]:
        """Start one worker, and wait until it is there."""
        args = [self.address, "--no-nanny", "--no-dashboard", "--nthreads", "1", "--name", name, "--host", host]
        args += ["--local-directory", str(self.folder / name)]
        args += [] if region is None else ["--resources", f"region-{region}=1"]
        process = _start(
            [*inside, sys.executable, "-c", CLI.format("dask_worker"), *args], self.folder / f"{name}.log", env
        )
        self.workers[name] = process
        if wait:
            self.wait_for(name)
        return process

    def wait_for(self, name: str) -> None:
        """Until the worker has registered."""
        log = self.folder / f"{name}.log"
        wait_until(lambda: b"Registered to" in log.read_bytes(), lambda: log.read_text())

    def kill(self, name: str) -> None:
        """SIGKILL, as a machine that is switched off."""
        process = self.workers.pop(name)
        process.kill()
        process.wait()


@contextmanager
def cluster(folder: Path, *, inside: Sequence[str] = (), host: str = "127.0.0.1") -> Iterator[Cluster]:
    """A scheduler; its workers end with it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "scheduler.json"
    args = ["--host", host, "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    log = folder / "scheduler.log"
    scheduler = _start([*inside, sys.executable, "-c", CLI.format("dask_scheduler"), *args], log, None)
    found: Cluster | None = None
    try:
        wait_until(lambda: file.exists() and file.read_bytes().endswith(b"}"), lambda: log.read_text())
        found = Cluster(json.loads(file.read_text())["address"], folder)
        yield found
    finally:
        processes = [scheduler, *(found.workers.values() if found is not None else ())]
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def wait_until(holds: Any, told: Any) -> None:
    """Wait for a condition; `told` says what is known when it does not come."""
    limit = time.monotonic() + UP_S
    while not holds():
        assert time.monotonic() < limit, told()
        time.sleep(0.05)


def _start(command: Sequence[str], log: Path, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    with log.open("wb") as out:
        # A test that is killed must not leave a cluster behind: the kernel ends it with its parent.
        command = ["setpriv", "--pdeathsig", "KILL", *command]
        return subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent, env=given, start_new_session=True)


def lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: a process may be in the middle of one."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
