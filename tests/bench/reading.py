"""`python -m tests.bench.reading`: a million events to verdicts, quantiles with intervals and summary.json.

Beside it, in the same run, what `json.loads` alone needs for the same lines. Each measurement is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.events import write_journal
from tests.bench.machine import describe

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "reports" / "sample"
ROUNDS = 3


def ours(run_dir: Path) -> None:
    """The pipeline, stage by stage."""
    from harness.conditions import EVENTS_FILE, read_conditions
    from harness.diagnosis.judge import judge
    from harness.diagnosis.model import write_diagnosis
    from harness.frame import load_frame
    from harness.report.build import summarize
    from harness.report.model import write_summary

    conditions = read_conditions(run_dir)
    stages: dict[str, float] = {}
    began = mark = time.perf_counter()

    def stage(name: str) -> None:
        nonlocal mark
        stages[name], mark = time.perf_counter() - mark, time.perf_counter()

    frame, bad = load_frame(run_dir / EVENTS_FILE, lean=True)
    stage("columns")
    diagnosis, verdicts = judge(frame, conditions)
    stage("verdicts")
    write_diagnosis(run_dir, diagnosis, verdicts.lines())
    stage("written")
    write_summary(run_dir / "summary.json", summarize(conditions, frame, diagnosis, verdicts, len(bad)))
    stage("summary")
    _tell(time.perf_counter() - began, stages, len(frame))


def loads(run_dir: Path) -> None:
    """json.loads over every line, and nothing else."""
    began = time.perf_counter()
    count = 0
    with (run_dir / "events.jsonl").open("rb") as lines:
        for line in lines:
            json.loads(line)
            count += 1
    _tell(time.perf_counter() - began, {}, count)


def _tell(wall_s: float, stages: dict[str, float], jobs: int) -> None:
    status = Path("/proc/self/status").read_text()
    rss_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"wall_s": wall_s, "stages": stages, "jobs": jobs, "rss_mb": rss_mb}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--child", choices=["ours", "loads"], help=argparse.SUPPRESS)
    parser.add_argument("--run-dir", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        (ours if options.child == "ours" else loads)(options.run_dir)
        return 0
    for line in describe():
        print(line)
    print()
    walls: dict[int, float] = {}
    for count in (options.events // 10, options.events):
        walls[count] = measure(count, options.rounds)
    small, large = walls.values()
    print(f"\nten times the events take {large / small:.1f} times as long (goal ≤ 11)")
    return 0


def measure(count: int, rounds: int) -> float:
    """Print one line of the table; our median wall time in s."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        size = write_journal(run_dir / "events.jsonl", SAMPLE / "events.jsonl", count)
        (run_dir / "run.json").write_bytes((SAMPLE / "run.json").read_bytes())
        told: dict[str, list[dict[str, float]]] = {"loads": [], "ours": []}
        stages: list[dict[str, float]] = []
        for _ in range(rounds):
            for child in told:
                command = [sys.executable, "-m", "tests.bench.reading", "--child", child, "--run-dir", folder]
                done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
                told[child].append(json.loads(done.stdout))
                print(".", end="", file=sys.stderr, flush=True)
        stages = [result["stages"] for result in told["ours"]]  # type: ignore[misc]
    wall = {child: statistics.median(result["wall_s"] for result in results) for child, results in told.items()}
    rss = max(result["rss_mb"] for result in told["ours"])
    parts = {name: statistics.median(stage[name] for stage in stages) for name in stages[0]}
    print(
        f"{count:,} events, {size / 1e6:,.0f} MB: json.loads {wall['loads']:.1f} s; ours {wall['ours']:.1f} s "
        f"({', '.join(f'{name} {took:.1f}' for name, took in parts.items())}), that is "
        f"{wall['ours'] / wall['loads']:.2f} of it (goal ≤ 0.33), {rss:,.0f} MB at most (goal ≤ 1,500)"
    )
    return wall["ours"]


if __name__ == "__main__":
    sys.exit(main())
