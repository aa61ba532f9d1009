"""`python -m tests.bench.policies`: how many jobs a second `harness whatif` simulates, policy by policy."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from harness.policies import read_policies
from harness.policies.build import build_world
from harness.policies.simulate import simulate
from tests.bench.machine import describe

FOLDER = Path(__file__).resolve().parents[2] / "scenarios" / "policies"
GOAL = 2_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="of a replication; there are 50")
    options = parser.parse_args()
    for line in describe():
        print(line)
    print(f"\n| file | policy | jobs | jobs a second (goal ≥ {GOAL:,}) | requests a job |\n|---|---|---|---|---|")
    for path in sorted(FOLDER.glob("*.yaml")):
        file = read_policies(path)
        load = file.load.model_copy(update={"jobs": options.jobs})
        world = build_world(file, profile="tuning-article")
        for policy in file.policies:
            began = time.process_time()
            found = simulate(policy, world, load, seed=1)
            rate = found.jobs / (time.process_time() - began)
            mark = "✓" if rate >= GOAL else "✗"
            print(f"| {path.stem} | {policy.name} | {found.jobs:,} | {rate:,.0f} {mark} | {found.sent.value:.2f} |")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
