"""`python -m tests.bench.soak`: a day of jobs in virtual time, and 2,000 jobs at once; what they leave behind.

The run is the harness's own (`run_scenario`), in this process, so that its tasks can be counted; the embedded API is a
process of its own. A thread looks twice a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.journal_lines import read_events
from harness.plan import make_plan
from harness.run.session import Options, run_scenario
from harness.scenario import Scenario, load_text
from harness.wire import watch

LOOK_S = 0.5
PAGE_BYTES = resource.getpagesize()
SCENARIO = """
name: soak
why: What a long run leaves behind.
prompts: [A red apple on a white table]
routes: {{direct: {{base_url: "simulator://", owner: simulator, direct: true}}}}
simulator: {{seed: 3, time_scale: {scale}}}
defaults: {{size: 1024x1024, output_format: jpeg}}
matrix: {{quality: [{qualities}], stream: [false, true]}}
repeats: {repeats}
budget: {{jobs: 100000, usd: 100000}}
"""


@dataclass(frozen=True)
class Look:
    """What this process held at one moment."""

    at_s: float
    files: int
    tasks: int
    threads: int
    memory_mb: float


@dataclass(frozen=True)
class Told:
    """A run, and what was seen of it."""

    looks: tuple[Look, ...]
    after: Look
    jobs: int
    outcomes: dict[str, int]
    world_hours: float
    took_s: float


def look(began: float) -> Look:
    loops = [loop for loop in list(watch._watched) if not loop.is_closed()]
    memory = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES / 1e6
    return Look(
        round(time.monotonic() - began, 1),
        len(list(Path("/proc/self/fd").iterdir())),
        sum(len(asyncio.all_tasks(loop)) for loop in loops),
        threading.active_count(),
        round(memory, 1),
    )


def watched(scenario: Scenario, folder: Path) -> Told:
    """Run it whole, and look."""
    looks: list[Look] = []
    over = threading.Event()
    began = time.monotonic()

    def keep_looking() -> None:
        while not over.wait(LOOK_S):
            looks.append(look(began))

    looker = threading.Thread(target=keep_looking)
    looker.start()
    try:
        run_scenario(scenario, make_plan(scenario), Options(run_dir=folder / "run", quiet=True))
    finally:
        over.set()
        looker.join()
    took_s = time.monotonic() - began
    events, bad = read_events(folder / "run" / "events.jsonl")
    assert not bad
    outcomes = dict(Counter(event.outcome for event in events))
    in_flight_ms = sum(event.total_ms or 0 for event in events)
    hours = in_flight_ms / 3.6e6 / scenario.load.concurrency
    return Told(tuple(looks), look(began), len(events), outcomes, round(hours, 2), round(took_s, 1))


def soak(hours: float, scale: float, concurrency: int = 4) -> Told:
    """So many hours of the world, every one of `concurrency` places busy all the time. A pair takes 220 s."""
    repeats = max(int(hours * 3600 * concurrency / 440 * 1.03), 1)
    text = SCENARIO.format(scale=scale, qualities="medium, high", repeats=repeats)
    return _told(text, concurrency)


def crowd(at_once: int, waves: int) -> Told:
    """So many jobs at once, several times over, in real time."""
    text = SCENARIO.format(scale=1, qualities="medium", repeats=at_once * waves // 2)
    return _told(text, at_once)


def _told(text: str, concurrency: int) -> Told:
    scenario = load_text(text, source="soak")
    # Past what a scenario file may ask for: whoever measures an API has no use for two thousand at once.
    load = scenario.load.model_copy(update={"concurrency": concurrency})
    with tempfile.TemporaryDirectory() as name:
        return watched(scenario.model_copy(update={"load": load}), Path(name))


def middle(looks: Sequence[Look], name: str, start: float, end: float) -> float:
    """The median of a figure between two shares of the run."""
    part = [getattr(one, name) for one in looks[int(len(looks) * start) : max(int(len(looks) * end), 1)]]
    return float(statistics.median(part)) if part else float("nan")


def table(told: Told) -> None:
    print("| | first third | second third | last third | most | afterwards |")
    print("|---|---|---|---|---|---|")
    for name, title in (
        ("files", "open files"),
        ("tasks", "tasks"),
        ("threads", "threads"),
        ("memory_mb", "memory, MB"),
    ):
        thirds = [middle(told.looks, name, a, b) for a, b in ((0.05, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 0.95))]
        most = max(getattr(one, name) for one in told.looks)
        cells = " | ".join(f"{value:,.0f}" for value in (*thirds, most, getattr(told.after, name)))
        print(f"| {title} | {cells} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--scale", type=float, default=600.0)
    parser.add_argument("--at-once", type=int, default=2000)
    parser.add_argument("--waves", type=int, default=3)
    parser.add_argument("--only", choices=["soak", "crowd"])
    parser.add_argument("--json", action="store_true", help="every look, for a test")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state
        if options.only != "crowd":
            told = soak(options.hours, options.scale)
            if options.json:
                print(json.dumps(asdict(told)))
                return 0
            print(
                f"{told.world_hours:.1f} hours of the world in {told.took_s:.0f} s, {told.jobs:,} jobs, four at once;"
            )
            print(f"outcomes: {told.outcomes}. Medians of each third of the run, looked at twice a second:\n")
            table(told)
        if options.only != "soak":
            told = crowd(options.at_once, options.waves)
            print(f"\n{options.at_once:,} jobs at once, {told.jobs:,} in all, in {told.took_s:.0f} s;")
            print(f"outcomes: {told.outcomes}:\n")
            table(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
