"""One round of one arm: start the truth server, let the arm measure, hold what it saw against the truth."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from harness.selftest.drive import Certificate, truth_server
from harness.selftest.proof import began_off_ns, nearest_rank, whole_off_ns
from tests.bench.arms.common import Spec
from tests.bench.scenarios import Situation

CLOCKS = ("first_byte", "event_first_byte", "event_whole")


@dataclass(frozen=True)
class Result:
    """Errors in ms by clock (stamp minus truth), and what the round cost."""

    off_ms: dict[str, list[float]]
    bytes: int
    cpu_s: float
    decode_cpu_s: float
    rss_mb: float

    def p99_ms(self, clock: str) -> float:
        return nearest_rank([abs(off) for off in self.off_ms[clock]], 0.99)

    def bias_ms(self, clock: str) -> float:
        return nearest_rank(self.off_ms[clock], 0.5)

    def worst_ms(self, clock: str) -> float:
        return max(abs(off) for off in self.off_ms[clock])

    @property
    def cpu_ms_per_mb(self) -> float:
        return self.cpu_s * 1e9 / self.bytes if self.bytes else 0.0

    @property
    def receive_ms_per_mb(self) -> float:
        """Without JSON and base64, where the arm tells them apart."""
        return (self.cpu_s - self.decode_cpu_s) * 1e9 / self.bytes if self.bytes else 0.0


def run_round(arm: str, situation: Situation, seed: int, certificate: Certificate | None) -> Result:
    """Raises subprocess.CalledProcessError when the arm fails."""
    secure = certificate if situation.tls else None
    with truth_server(secure) as server:
        spec = Spec(
            port=server.port,
            jobs=situation.jobs,
            plan=situation.plan(),
            spread_s=situation.spread_s,
            seed=seed,
            blocked=situation.blocked,
            ca_file=secure.authority if secure else None,
        )
        command = [sys.executable, "-m", f"tests.bench.arms.{arm}"]
        done = subprocess.run(command, input=json.dumps(asdict(spec)).encode(), capture_output=True, timeout=180)
        if done.returncode:
            raise RuntimeError(f"arm {arm}: {done.stderr.decode()[-600:]}")
        told = json.loads(done.stdout)
        truth = server.truth()
    errors = _since_headers if arm == "curl_w" else _errors
    off: dict[str, list[float]] = {clock: [] for clock in CLOCKS}
    for job in told["seen"]:
        for clock, ns in errors(job, truth[job["id"]]):
            off[clock].append(ns / 1e6)
    size = sum(job["bytes"] for job in told["seen"])
    return Result(off, size, told["cpu_s"], told["decode_cpu_s"], told["rss_mb"])


def _errors(job: dict[str, Any], truth: dict[str, Any]) -> list[tuple[str, int]]:
    found = [("first_byte", began_off_ns(job["first_byte_ns"], truth["headers"]))]
    for (first, whole), sent in zip(job["events"], truth["events"], strict=True):
        found.append(("event_first_byte", began_off_ns(first, sent)))
        found.append(("event_whole", whole_off_ns(whole, sent)))
    return found


def _since_headers(job: dict[str, Any], truth: dict[str, Any]) -> list[tuple[str, int]]:
    """curl counts from a start of its own: what can be compared is how long the body took behind the first byte."""
    took = job["events"][-1][1] - job["first_byte_ns"]
    return [("event_whole", took - (truth["events"][-1]["whole_ns"] - truth["headers"]["first_before_ns"]))]
