"""The embedded API as a child process that cannot outlive its parent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STOP_S = 10.0


class SimulatorFailed(RuntimeError):
    """The simulator did not come up; the message is its own."""


@dataclass(frozen=True)
class Running:
    """Where it listens: entry name → base URL, with /v1 where that wire has it. "direct" is the API itself."""

    entries: Mapping[str, str]
    time_scale: float
    pid: int


@contextmanager
def spawn(world: Mapping[str, Any], *, log: Path | None = None) -> Iterator[Running]:
    """Run the embedded API on loopback, on ports that are free, for as long as the context is open.

    Raises:
        SimulatorFailed: the world's description is wrong, or nothing can be bound.
    """
    command = [sys.executable, "-m", "harness.simulator", "--world", "-", "--until-stdin-closes"]
    if log is not None:
        command += ["--log", str(log)]
    # A session of its own: Ctrl-C is for the run, which still waits for answers that are on their way.
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdin.write(json.dumps(world) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise SimulatorFailed(process.stderr.read().strip() or "the simulator ended without a word")
        ready = json.loads(line)
        yield Running(ready["entries"], ready["time_scale"], ready["pid"])
    finally:
        process.stdin.close()  # its sign to stop
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()
