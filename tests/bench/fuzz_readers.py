"""`python -m tests.bench.fuzz_readers N [--seed S]`: N mutated inputs over every reader of somebody's log.

Prints how many were read, refused and slow; exit code 1 where one crashed, took over a second, or had its text in a
message. A slow one is read again, for the machine may have been busy: only what is slow each time counts. A fault is
printed with its format and seed, from which `tests.ingest.fuzz` makes the same input again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.ingest.fuzz import SLOW_S, Tally, run

PARTS = 20  # how often it says how far it is


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("inputs", type=int, nargs="?", default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for part in range(1, PARTS + 1):
            run(options.inputs * part // PARTS, options.seed * PARTS + part, Path(scratch), tally)
            print(f"{tally.inputs} of {options.inputs}, {len(tally.faults)} faults", file=sys.stderr, flush=True)
    took = time.monotonic() - began
    print(f"{tally.inputs} mutated inputs in {took:.0f} s: {tally.records} records, {tally.refused} files refused")
    print(f"slowest file: {tally.slowest_s:.2f} s, {tally.slowest}; {len(tally.faults)} faults")
    for name, seed, what in tally.faults[:50]:
        print(f"  {name}, seed {seed}: {what}")
    return 1 if tally.faults or tally.slowest_s > SLOW_S else 0


if __name__ == "__main__":
    sys.exit(main())
