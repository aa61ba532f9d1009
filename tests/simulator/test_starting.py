"""What the simulator says when it cannot start: one line, and exit code 2."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def start(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.simulator", "--until-stdin-closes", *map(str, args)]
    return subprocess.run(command, input="", capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)


def the_line(done: subprocess.CompletedProcess[str]) -> str:
    """What it said, after a look at how: nothing but one line."""
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("simulator: ")
    return line


def test_a_port_above_65535_is_told_apart_from_a_crash() -> None:
    assert "cannot listen on 127.0.0.1:70000: " in the_line(start("--port", 70000))


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = the_line(start("--port", port))
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in line


def test_a_log_that_cannot_be_written_is_not_blamed_on_a_port(tmp_path: Path) -> None:
    line = the_line(start("--log", tmp_path / "no-such-folder" / "truth.jsonl"))
    assert "no-such-folder" in line
    assert "listen" not in line


def test_a_world_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    world = tmp_path / "world.yaml"
    world.write_bytes(b"seed: \xff\xfe\n")
    assert "can't decode byte 0xff" in the_line(start("--world", world))
