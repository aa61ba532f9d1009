"""Runs that are killed with SIGKILL again and again, against an embedded API that lives on and keeps its own log.

Half of the kills come at any moment from the start of the process on, imports included; the other half when jobs are
under way.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

KEY_VARIABLE = "EMBEDDED_KEY"
SCENARIO = """
name: killed
why: Enough jobs to be killed.
prompts: [A red apple on a white table]
routes: {{direct: {{base_url: "{url}", owner: openai, direct: true, api_key_env: {key}}}}}
defaults: {{size: 1024x1024, output_format: jpeg, quality: low}}
repeats: {jobs}
load: {{concurrency: {concurrency}}}
budget: {{jobs: {jobs}, usd: 1000}}
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, KEY_VARIABLE: "sk-sim-" + "x" * 8, **more}


@contextmanager
def embedded_api(folder: Path, time_scale: float, *, host: str = "127.0.0.1", before: Sequence[str] = ()) -> Iterator[
    Mapping[str, str]
]:  # fmt: skip
    """The embedded API in a process of its own; its entries. Its log is ``folder/truth.jsonl``, whole when it ends."""
    command = [*before, sys.executable, "-m", "harness", "simulate", "--host", host, "--port", "0"]
    command += ["--time-scale", f"{time_scale:g}", "--log", str(folder / "truth.jsonl"), "--until-stdin-closes"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        entries: Mapping[str, str] = json.loads(process.stdout.readline())["entries"]
        yield entries
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def scenario(folder: Path, url: str, *, jobs: int, concurrency: int) -> Path:
    path = folder / "killed.yaml"
    path.write_text(SCENARIO.format(url=url, key=KEY_VARIABLE, jobs=jobs, concurrency=concurrency))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines only: a process may be in the middle of one."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


@dataclass
class Tally:
    """What came of it. The sets of broken promises are empty."""

    kills: int = 0
    before_sending: int = 0  # kills of a process that had sent nothing yet
    in_flight: int = 0  # jobs that were under way at a kill
    jobs: int = 0
    images: int = 0
    unknown: int = 0
    requests: int = 0  # by the other side's log
    seen_twice: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)  # finished, and gone or changed afterwards
    unannounced: set[str] = field(default_factory=set)  # reached the other side, and stand in no journal
    finished_twice: set[str] = field(default_factory=set)

    @property
    def broken(self) -> set[str]:
        return self.seen_twice | self.lost | self.unannounced | self.finished_twice


def kill_and_resume(
    folder: Path, kills: int, *, seed: int, jobs: int, time_scale: float, concurrency: int = 4
) -> Tally:
    """Kill one run so many times, let it come to its end, and hold it against the embedded API's log."""
    run, tally, dice = folder / "run", Tally(), random.Random(seed)
    with embedded_api(folder, time_scale) as entries:
        file = scenario(folder, entries["direct"], jobs=jobs, concurrency=concurrency)
        command = [sys.executable, "-m", "harness", "run", str(file), "--out", str(run), "--quiet", "--yes"]
        command += ["--time-scale", f"{time_scale:g}"]
        finished: dict[str, bytes] = {}
        start_s = 1.5  # how long a process takes until it sends; learned below
        for number in range(kills):
            sent_before = len(lines(run / "sends.jsonl"))
            began = time.monotonic()
            process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE)
            if number % 2:
                while len(lines(run / "sends.jsonl")) == sent_before:
                    assert process.poll() is None, process.stderr.read() if process.stderr else b""
                    assert time.monotonic() - began < 120
                    time.sleep(0.01)
                start_s = time.monotonic() - began
                time.sleep(dice.uniform(0, 0.7))
            else:
                time.sleep(dice.uniform(0, 1.3 * start_s))
            assert process.poll() is None, "the run was over before it could be killed: give it more jobs"
            process.kill()
            process.communicate(timeout=60)
            tally.kills += 1
            sent = {one["job_id"] for one in lines(run / "sends.jsonl")}
            tally.before_sending += len(sent) == sent_before
            now = _finished(run)
            tally.lost |= {job for job, line in finished.items() if now.get(job) != line}
            tally.in_flight += len(sent - set(now))
            finished = now
        last = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, timeout=600, check=False)
        assert last.returncode == 0, last.stderr
    now = _finished(run)
    tally.lost |= {job for job, line in finished.items() if now.get(job) != line}
    events = lines(run / "events.jsonl")
    tally.jobs, tally.images = len(events), sum(one["outcome"] == "image" for one in events)
    tally.unknown = sum(one["outcome"] == "unknown" for one in events)
    tally.finished_twice = {job for job, count in Counter(one["job_id"] for one in events).items() if count > 1}
    truth = Counter(one["client_request_id"] for one in lines(folder / "truth.jsonl"))
    tally.requests = sum(truth.values())
    tally.seen_twice = {request for request, count in truth.items() if count > 1}
    tally.unannounced = set(truth) - {one["client_request_id"] for one in lines(run / "sends.jsonl")}
    return tally


def _finished(run: Path) -> dict[str, bytes]:
    """The line of every job that is over; a line that lacks nothing but its end counts with it."""
    path = run / "events.jsonl"
    if not path.exists():
        return {}
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return {json.loads(line)["job_id"]: line for line in whole}
