"""`python -m tests.bench.kills`: SIGKILL at 200 random moments of a run, judged by the embedded API's own log."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tests.run.killing import kill_and_resume


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kills: int = options.kills
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_STATE_HOME"] = name
        tally = kill_and_resume(Path(name), kills, seed=options.seed, jobs=12 * kills, time_scale=40)
    print(f"kill -9 at {tally.kills} random moments of one run of {tally.jobs} jobs, four at once;")
    print(f"{tally.before_sending} of the kills before the process had sent anything.\n")
    print("| promise | broken |")
    print("|---|---|")
    print(f"| a finished job is kept, byte by byte | {len(tally.lost)} of {tally.jobs} |")
    print(f"| no job reaches the other side twice (its own log) | {len(tally.seen_twice)} of {tally.requests} |")
    print(f"| what reached the other side stands in the journal | {len(tally.unannounced)} of {tally.requests} |")
    print(f"| a job has one event | {len(tally.finished_twice)} of {tally.jobs} |")
    print(f"\n{tally.images} images; {tally.unknown} jobs were on their way at a kill and are recorded as unknown.")
    return 1 if tally.broken else 0


if __name__ == "__main__":
    sys.exit(main())
