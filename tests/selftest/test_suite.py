"""The self-test: our stamps hold the truth, plain and TLS, and a broken promise is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from harness.conditions import ClockProof
from harness.selftest.drive import Round, drive, truth_server
from harness.selftest.proof import CLOCKS, PROMISED_MS, Errors, broken, errors_of, nearest_rank, row_of, whole_off_ns
from harness.selftest.suite import certified
from harness.selftest.truth import Plan

SLACK_MS = 60.0  # a test may run beside anything; the gaps that must not leak into a stamp are longer


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("rate", [0.0, 4_000_000.0])
def test_stamps_are_those_of_the_moment_and_not_of_its_neighbours(tls: bool, rate: float) -> None:
    """Headers, events and session tickets are 250 ms apart: a stamp of the wrong one would be off by that."""
    plan = Plan(headers_after_ms=250, gap_ms=250, events=2, bytes=300_000, rate_bytes_per_s=rate)
    with certified(secure=tls) as certificate, truth_server(certificate) as server:
        driven = drive(server, Round(jobs=8, at_once=8, plan=plan, spread_s=0.2, tls=tls))
        errors = errors_of(driven, server.truth())
    assert [len(errors[clock].off_ns) for clock in CLOCKS] == [8, 16, 16]
    for clock in CLOCKS:
        assert max(abs(off) for off in errors[clock].off_ns) < SLACK_MS * 1e6, clock


def test_a_loop_that_is_held_does_not_move_the_stamps() -> None:
    plan = Plan(gap_ms=130, events=3, bytes=200_000)
    with truth_server() as server:
        driven = drive(server, Round(jobs=12, at_once=12, plan=plan, spread_s=0.3, blocked=True))
        errors = errors_of(driven, server.truth())
    typical_ms = nearest_rank([abs(off) / 1e6 for clock in CLOCKS for off in errors[clock].off_ns], 0.5)
    assert typical_ms < 5  # the loop was held for 50 ms at a time


def test_a_row_says_whether_its_promise_was_kept() -> None:
    good = row_of("first_byte", 1, False, Errors((10_000, -20_000, 30_000), 3), kernel=True)
    assert (good.stamps, good.bias_ms, good.p99_ms, good.worst_ms, good.inside) == (3, 0.01, 0.03, 0.03, 1.0)
    assert (good.promised_ms, good.kept) == (PROMISED_MS["first_byte", False], True)
    bad = row_of("event_whole", 64, True, Errors((9_000_000,), 0), kernel=True)
    assert bad.kept is False
    unpromised = row_of("first_byte", 1, False, Errors((9_000_000,), 0), kernel=False)
    assert (unpromised.promised_ms, unpromised.kept) == (None, None)
    proof = ClockProof(measured_at="", harness="", platform="", stamp_source="kernel", rows=(good, bad))
    assert broken(proof) == [bad]


def test_the_truth_of_a_last_byte_is_the_call_that_carried_it() -> None:
    sent = {"last_before_ns": 100, "whole_ns": 110}
    assert [whole_off_ns(stamp, sent) for stamp in (90, 100, 105, 110, 130)] == [-10, 0, 0, 0, 20]


def test_the_promises_of_the_documentation_are_those_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "clocks.md").read_text(encoding="utf-8")
    for (clock, tls), promised_ms in PROMISED_MS.items():
        assert f"| {clock} | {'TLS' if tls else 'plain'} | {promised_ms:g} |" in text


def selftest(*options: str, state: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", "selftest", *options]
    import os

    env = {**os.environ, "XDG_STATE_HOME": str(state)}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)


def test_the_command_prints_a_table_keeps_its_result_and_ends_with_3_for_a_broken_promise(tmp_path: Path) -> None:
    done = selftest("--at-once", "4", "--no-tls", "--format", "json", state=tmp_path)
    proof = msgspec.json.decode(done.stdout, type=ClockProof)
    assert [(row.clock, row.jobs, row.tls) for row in proof.rows] == [(clock, 4, False) for clock in CLOCKS]
    assert done.returncode == (3 if broken(proof) else 0), done.stderr
    kept = json.loads((tmp_path / "harness" / "selftest.json").read_text())
    assert kept == json.loads(done.stdout)


def test_bad_options_are_told_before_anything_starts(tmp_path: Path) -> None:
    for given in ("0", "x", "1,,2", "5000"):
        done = selftest("--at-once", given, state=tmp_path)
        assert done.returncode == 2
        assert "--at-once" in done.stderr
    assert not (tmp_path / "harness").exists()
