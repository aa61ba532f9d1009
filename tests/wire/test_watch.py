"""A loop that knows when it last looked."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

from harness.wire import watch
from harness.wire.watch import watch_of


def test_what_comes_while_the_loop_is_held_is_dated_back_to_when_it_last_looked() -> None:
    async def go() -> tuple[int, int, int]:
        watching = watch_of(asyncio.get_running_loop())
        assert watching is not None
        await asyncio.sleep(0.02)
        held = time.monotonic_ns()
        time.sleep(0.1)  # noqa: ASYNC251 - holding the loop is the point
        freed = time.monotonic_ns()
        await asyncio.sleep(0)
        return held, watching.not_before_ns, freed

    held, not_before, freed = watch.run(go())
    assert not_before <= held < freed


def test_what_wakes_a_sleeping_loop_has_only_just_come() -> None:
    async def go() -> tuple[int, int]:
        watching = watch_of(asyncio.get_running_loop())
        assert watching is not None
        await asyncio.sleep(0.1)
        return watching.not_before_ns, time.monotonic_ns()

    not_before, now = watch.run(go())
    assert now - not_before < 90_000_000  # it slept for longer than that


def test_other_loops_are_not_watched_and_the_switch_interval_is_put_back() -> None:
    before = sys.getswitchinterval()

    async def inside() -> float:
        return sys.getswitchinterval()

    async def watched() -> bool:
        return watch_of(asyncio.get_running_loop()) is not None

    assert watch.run(inside()) < before
    assert sys.getswitchinterval() == before
    assert watch.run(watched())
    assert not asyncio.run(watched())


def test_a_run_allows_itself_more_open_files_than_a_shell_does() -> None:
    code = (
        "import asyncio, resource; from harness.wire import watch\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "watch.run(asyncio.sleep(0)); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], hard)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    soft, hard = map(int, done.stdout.split())
    assert soft == (watch.MANY_FILES if hard < 0 else min(watch.MANY_FILES, hard))
