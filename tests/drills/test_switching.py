"""Commands that break and mend: run without a shell, within a time, and believed only by their exit code."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from harness.drills.switching import Commands, SwitchFailed, post, words
from harness.errors import UsageProblem


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_command_is_split_like_a_shell_does_and_nothing_else_of_a_shell_is_done(tmp_path: Path) -> None:
    assert words("--break", "docker stop 'my edge' && rm -rf x $HOME") == (
        "docker", "stop", "my edge", "&&", "rm", "-rf", "x", "$HOME",
    )  # fmt: skip
    made = tmp_path / "made"
    command = words("--break", f"{sys.executable} -c \"open('{made}', 'w').write('$HOME')\"")
    asyncio.run(Commands(command, command).break_it())
    assert made.read_text() == "$HOME"


@pytest.mark.parametrize("text", ["", "   ", "docker 'stop"])
def test_a_command_that_is_none_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(UsageProblem, match="--mend"):
        words("--mend", text)


def test_an_exit_code_other_than_0_is_a_failure_and_says_what_the_command_said() -> None:
    commands = Commands(python("import sys; print('no such container'); sys.exit(3)"), ())
    with pytest.raises(SwitchFailed, match="exit code 3: no such container"):
        asyncio.run(commands.break_it())


def test_a_command_that_cannot_be_run_is_a_failure() -> None:
    with pytest.raises(SwitchFailed, match="--mend: no-such-program-anywhere cannot be run"):
        asyncio.run(Commands((), ("no-such-program-anywhere",)).mend())


def test_a_command_that_does_not_end_is_ended() -> None:
    commands = Commands(python("import time; time.sleep(600)"), (), limit_s=0.2)
    with pytest.raises(SwitchFailed, match="was not over"):
        asyncio.run(commands.break_it())


def test_a_command_that_starts_a_server_and_ends_is_over_though_the_server_keeps_its_output(tmp_path: Path) -> None:
    left = tmp_path / "left"
    server = f"import time, pathlib\nwhile not pathlib.Path({str(left)!r}).exists(): time.sleep(0.05)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {server!r}])"
    try:
        asyncio.run(Commands((), python(code), limit_s=15).mend())
    finally:
        left.touch()


def test_an_embedded_api_that_is_gone_is_a_failure_and_no_riddle() -> None:
    with pytest.raises(SwitchFailed, match="does not answer at its own port"):
        post("http://127.0.0.1:1/v1", "/sim/switch", {"fault": None})
