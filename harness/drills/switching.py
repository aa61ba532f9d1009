"""Breaking the primary route and mending it: through the embedded API's own switch, or by a user's command.

A command runs without a shell, with this process's environment, and must be over within its time limit with exit code
0. Its output is shown where it fails, and never written anywhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from harness.errors import HarnessError, UsageProblem

CALL_S = 10.0
SHOWN_CHARS = 300


class SwitchFailed(HarnessError):
    """The primary could not be broken, or not be mended."""


class Switch(Protocol):
    """Something that breaks a route and mends it."""

    @property
    def how(self) -> str:
        """In words, for the record."""
        ...

    async def break_it(self) -> int | None:
        """Break it. Gives how many exchanges were cut by that, where it can be known.

        Raises:
            SwitchFailed: it did not work; what state the route is in is not known.
        """
        ...

    async def mend(self) -> None:
        """Mend it.

        Raises:
            SwitchFailed: it did not work, and the route may still be broken.
        """
        ...


@dataclass(frozen=True)
class Commands:
    """A user's own commands."""

    breaking: Sequence[str]
    mending: Sequence[str]
    limit_s: float = 30.0

    @property
    def how(self) -> str:
        """For the record; what the commands are is the user's own business."""
        return "command"

    async def break_it(self) -> int | None:
        await self._run("--break", self.breaking)
        return None

    async def mend(self) -> None:
        await self._run("--mend", self.mending)

    async def _run(self, option: str, words: Sequence[str]) -> None:
        # Not a pipe: a server that the command starts keeps that open, and its end never comes.
        with _file() as output:
            await self._end_of(option, words, output)

    async def _end_of(self, option: str, words: Sequence[str], output: IO[bytes]) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the drill, which still has to mend
            )
        except OSError as error:
            raise SwitchFailed(f"{option}: {words[0]} cannot be run ({error.strerror or error})") from None
        try:
            await asyncio.wait_for(process.wait(), self.limit_s)
        except BaseException as error:
            process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise SwitchFailed(
                    f"{option}: {words[0]} was not over after {self.limit_s:g} s and was ended; give --switch-limit"
                ) from None
            raise
        if process.returncode != 0:
            output.seek(0)
            said = output.read().decode("utf-8", errors="replace").strip()[-SHOWN_CHARS:]
            raise SwitchFailed(f"{option}: {words[0]} ended with exit code {process.returncode}: {said or 'no output'}")


def _file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError:  # a disk that takes nothing: what a command says is worth less than that it runs
        return Path(os.devnull).open("w+b")


@dataclass(frozen=True)
class Embedded:
    """A port of the embedded API. `url` is the port's base URL; `fault` as `x-sim-fault` words it."""

    url: str
    fault: str
    drop: bool = True

    @property
    def how(self) -> str:
        """For the record."""
        return f"embedded: {self.fault}{', what is under way is cut' if self.drop else ''}"

    async def break_it(self) -> int | None:
        said = await asyncio.to_thread(post, self.url, "/sim/switch", {"fault": self.fault, "drop": self.drop})
        return int(said["dropped"])

    async def mend(self) -> None:
        await asyncio.to_thread(post, self.url, "/sim/switch", {"fault": None})


def post(url: str, path: str, body: dict[str, object]) -> dict[str, int]:
    """Tell a port of the embedded API something. No proxy of the environment is asked: it is on this machine.

    Raises:
        SwitchFailed: it is not there, or it says what is wrong.
    """
    request = urllib.request.Request(
        url.removesuffix("/v1") + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=CALL_S) as answer:
            said: dict[str, int] = json.load(answer)
            return said
    except urllib.error.HTTPError as error:
        try:
            message = json.load(error)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            message = f"HTTP {error.code}"
        raise SwitchFailed(f"the embedded API: {message}") from None
    except OSError as error:
        raise SwitchFailed(f"the embedded API does not answer at its own port ({error})") from None


def words(option: str, command: str) -> tuple[str, ...]:
    """A command line as it would be typed, without anything that only a shell does.

    Raises:
        UsageProblem: it is empty, or a quote is not closed.
    """
    try:
        found = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageProblem(f"{option}: {error}; it is split like a shell does, and run without one") from None
    if not found:
        raise UsageProblem(f"{option}: give a command, like --break 'systemctl stop nginx'")
    return found
