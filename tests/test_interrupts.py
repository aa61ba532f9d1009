"""Ctrl-C at the moments at which it used to be lost."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time

import pytest

from harness.run.lag import LagMeter
from tests.conftest import ROOT

START = """
import os, signal, time, weakref
import harness.__main__ as entry
import harness.cli
"""

DROPPED = """
class Thing:
    pass

def interrupted(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass  # the interrupt is raised in here, and the interpreter drops it

def command(standalone_mode):
    thing = Thing()
    watched = weakref.ref(thing, interrupted)
    del thing
    time.sleep(40)
    print("lost")
"""

IN_TEXT = """
def command(standalone_mode):
    exec("os.kill(os.getpid(), signal.SIGINT); time.sleep(40); print('lost')")
"""

END = """
harness.cli.cli = command
entry.main()
"""


@pytest.mark.parametrize("where", [DROPPED, IN_TEXT], ids=["a weakref's callback", "an exec of text"])
def test_an_interrupt_is_not_lost_where_the_interpreter_loses_it(where: str) -> None:
    command = [sys.executable, "-c", START + where + END]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert done.stderr == "harness: interrupted\n"


def test_a_cancellation_while_the_ticker_is_put_away_is_not_taken_for_its_own() -> None:
    async def go() -> None:
        async with LagMeter():
            task = asyncio.current_task()
            assert task is not None
            task.cancel()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(go())


@pytest.mark.parametrize("seed", range(2))
def test_an_interrupt_on_the_way_up_ends_with_130_whenever_it_comes(seed: int) -> None:
    command = [sys.executable, "-u", "-c", "print('up', flush=True); from harness.__main__ import main; main()"]
    process = subprocess.Popen(
        [*command, "ping", "--simulated"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"  # before that, Python itself is on its way up and knows no interrupts
    time.sleep(0.1 + random.Random(seed).uniform(0, 1.2))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
