"""`python -m tests.bench.clocks`: our clocks and everybody else's against the truth, side by side."""

from __future__ import annotations

import argparse
import statistics
import sys

from harness.selftest.drive import Certificate
from harness.selftest.suite import certified
from tests.bench.machine import describe
from tests.bench.rounds import CLOCKS, Result, run_round
from tests.bench.scenarios import SITUATIONS, Situation

ROUNDS = 3
SHARP_MS = 0.01  # the truth is not known any sharper: no ratio is taken to less
HEAD = (
    "arm",
    "first byte p99",
    "event first p99",
    "event whole p99",
    "bias",
    "worst",
    "CPU/MB",
    "RSS",
    "times as far off as ours",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of a few situations")
    parser.add_argument("--only", help="situations whose name holds this")
    options = parser.parse_args()
    for line in describe():
        print(line)
    print(
        f"\nErrors are stamp minus truth in ms; p99 is that of the error's size, the median over "
        f"{1 if options.quick else ROUNDS} interleaved rounds. CPU is ms per MB of the arm's process; ours includes "
        "JSON and base64, in brackets without them. curl_w: time from first byte to end only. "
        "An event is whole without an error when the stamp lies inside of the system call that carried its last 4 KB."
    )
    with certified(secure=True) as certificate:
        for situation in SITUATIONS:
            if (options.quick and not situation.quick) or (options.only or "") not in situation.name:
                continue
            show(situation, measure(situation, 1 if options.quick else ROUNDS, certificate))
    return 0


def measure(situation: Situation, rounds: int, certificate: Certificate | None) -> dict[str, list[Result]]:
    """Arm after arm, and all of that again for every round: what the machine does meanwhile hits them alike."""
    found: dict[str, list[Result]] = {arm: [] for arm in situation.arms}
    for number in range(rounds):
        for arm in situation.arms:
            # A slow arm at high concurrency takes minutes, and one round shows what there is to see.
            if number and arm != "ours" and situation.jobs > 64:
                continue
            found[arm].append(run_round(arm, situation, number + 1, certificate))
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def show(situation: Situation, found: dict[str, list[Result]]) -> None:
    goals = ", ".join(f"{clock} ≤ {goal:g}" for clock, goal in situation.goals_ms.items())
    print(f"\n### {situation.name}\n\nGoals for ours (p99, ms): {goals}\n")
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    ours = {clock: median(found["ours"], "p99_ms", clock) for clock in CLOCKS}
    for arm, results in found.items():
        told = [clock for clock in CLOCKS if results[0].off_ms[clock]]
        p99 = {clock: median(results, "p99_ms", clock) for clock in told}
        cells = [
            f"{p99[clock]:.3f}{mark(arm, situation, clock, p99[clock])}" if clock in p99 else "" for clock in CLOCKS
        ]
        bias = median(results, "bias_ms", "event_whole")
        worst = max(result.worst_ms(clock) for result in results for clock in told)
        cpu = statistics.median(result.cpu_ms_per_mb for result in results)
        receive = statistics.median(result.receive_ms_per_mb for result in results)
        cost = f"{cpu:.2f} ({receive:.2f})" if arm == "ours" else f"{cpu:.2f}" if cpu else ""
        ratio = (
            "" if arm == "ours" else f"{min(p99[clock] / max(ours[clock], 1e-4) for clock in told):,.0f}× further off"
        )
        rss = statistics.median(result.rss_mb for result in results)
        print("| " + " | ".join([arm, *cells, f"{bias:+.3f}", f"{worst:.2f}", cost, f"{rss:.0f} MB", ratio]) + " |")
    sys.stdout.flush()


def mark(arm: str, situation: Situation, clock: str, p99_ms: float) -> str:
    if arm != "ours" or clock not in situation.goals_ms:
        return ""
    return " ✓" if p99_ms <= situation.goals_ms[clock] else " ✗"


def median(results: list[Result], what: str, clock: str) -> float:
    return statistics.median(getattr(result, what)(clock) for result in results)


if __name__ == "__main__":
    sys.exit(main())
