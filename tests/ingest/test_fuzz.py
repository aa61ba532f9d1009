"""Mutated logs over every reader, bounded in time; `python -m tests.bench.fuzz_readers N` is the same at length."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.ingest.formats import Format
from harness.ingest.intake import take_in, told
from harness.ingest.sightings import Batch
from harness.ingest.source import Source
from tests.ingest.forms import with_fixtures
from tests.ingest.fuzz import MARKER, SLOW_S, Tally, run, subjects

BOUND_S = 6.0


def test_no_mutated_log_crashes_a_reader_or_comes_back_in_a_message(tmp_path: Path) -> None:
    tally = run(1_000_000, 7, tmp_path, Tally(), until=time.monotonic() + BOUND_S)
    assert tally.faults == []
    assert tally.slowest_s <= SLOW_S, tally.slowest
    assert tally.inputs > 100
    assert tally.records > 0


def _crashes(_: Source) -> Batch:
    raise ValueError("of no kind that is expected")


def _tells(source: Source) -> Batch:
    raise UsageProblem(f"cannot read {source.path.read_bytes()!r}")


def _dawdles(_: Source) -> Batch:
    time.sleep(SLOW_S * 1.2)
    raise UsageProblem("at last")


@pytest.mark.parametrize(("read", "what"), [(_crashes, "ValueError"), (_tells, "the input is in a message")])
def test_the_fuzzer_sees_a_reader_that_crashes_or_tells(
    tmp_path: Path, read: Callable[[Source], Batch], what: str
) -> None:
    bad = [(Format("bad", "", lambda _: False, read), b"a line\n" * 5)]
    tally = run(2_000, 7, tmp_path, Tally(), over=bad)
    assert any(what in fault for _, _, fault in tally.faults)


def test_the_fuzzer_sees_a_reader_that_dawdles(tmp_path: Path) -> None:
    slow = [(Format("slow", "", lambda _: True, _dawdles), b"a line\n" * 5)]
    for seed in range(9):  # in three of ten it leaves the choice to sniffing, which knows no such format
        if run(1, seed, tmp_path, Tally(), over=slow).slowest_s > SLOW_S:
            return
    pytest.fail("none was seen to be slow")


def test_every_format_takes_part(tmp_path: Path) -> None:
    assert {one.name for one, _ in subjects(tmp_path)} >= set(with_fixtures())


def test_the_whole_intake_never_repeats_what_a_log_says(tmp_path: Path) -> None:
    for number, (name, path) in enumerate(with_fixtures().items()):
        text = path.read_text(encoding="utf-8").replace("/v1/images/", f"/{MARKER}/{MARKER}/")
        log = tmp_path / f"{name}.log"
        log.write_text(f"{MARKER} no line of this\n{text}{MARKER}\n", encoding="utf-8")
        try:
            said = "\n".join(told(take_in([log], tmp_path / f"run-{number}", log_format=name)))
        except UsageProblem as problem:
            said = str(problem)
        assert MARKER not in said, name
