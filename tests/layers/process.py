"""Other people's programs as child processes: found, started on loopback, waited for, and ended by their own id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

LIFE_S = 240  # however this process ends: no child outlives it for longer
UP_S = 30.0


class Missing(Exception):
    """A program that a layer needs is not on this machine."""


def find(name: str, *places: Path) -> str:
    """Where a program is; Debian keeps servers out of the path of ordinary users.

    Raises:
        Missing: nowhere.
    """
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise Missing(f"there is no {name} on this machine; .ci/run says what to install")
    return found


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nothing listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that is taken, so that nobody else gets it, and on which nobody listens: connections are refused."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    ports: Sequence[int],
    *,
    env: Mapping[str, str] | None = None,
    up_s: float = UP_S,
) -> Iterator[Path]:
    """Run a program until the context is left; it is entered once all its ports take connections.

    Yields: the file with everything that it printed.
    """
    said = folder / "output.log"
    bounded = ["timeout", "--kill-after=3", str(LIFE_S), *command]
    with said.open("wb") as output:
        process = subprocess.Popen(
            bounded,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        limit = time.monotonic() + up_s
        for port in ports:
            while not _listens(port):
                tail = said.read_text(encoding="utf-8", errors="replace")[-2000:]
                assert process.poll() is None, f"{command[0]} ended:\n{tail}"
                assert time.monotonic() < limit, f"{command[0]} does not listen on {port}:\n{tail}"
                time.sleep(0.05)
        yield said
    finally:
        process.terminate()  # `timeout` hands it on to its child
        with suppress(subprocess.TimeoutExpired):
            process.wait(4)
        _end_group(process.pid)
        process.wait()


def _end_group(group: int) -> None:
    """What is left of a session that we started: workers of a master that did not wait for them."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def first_line(*command: str) -> str:
    """The first line that a program prints, on whichever stream: where most say their version."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else ""
