"""Mutated logs over every reader: nothing but `UsageProblem`, nothing slow, nothing of the input in any message.

A case begins with a format's fixture. A word that stands nowhere else is put at random places among its bytes, then
bytes, fields, lines and numbers are changed, and the result is read as what it was, or as what it is sniffed to be. The
word must not come back in anything that is said: a setback, an error, or the records' ids of a line that was set aside.
"""

from __future__ import annotations

import random
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageProblem
from harness.ingest.formats import FORMATS, Format, sniff
from harness.ingest.sightings import Batch, complete
from harness.ingest.source import open_source
from tests.ingest.forms import with_fixtures

MARKER = "zqxMARKERxqz"
SLOW_S = 1.0
PER_FILE = 40  # mutated lines of a file: each of them counts as an input

_NASTY = (
    b"-", b"--", b'"', b"\\", b"\\x", b"'", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b"[[[[[[",
    b",", b"\t", b"\r", b"\x01", b"\x1f\x8b", b"PK\x03\x04", b"null", b"NaN", b"Infinity", b"-1", b"1e309", b"-0",
    b"99999999999999999999999", b"9" * 400, b"$.a", b"%s%n", b"';--", b'"":', b"\\u0000", b"\\ud800", b"\xf0\x9f\x98\x80",
    b"2026-13-45T99:99:99Z", b"31/Feb/2026:25:61:61 +9999", b"true", b"{}", b"[]", b'{"a":', b"(" * 60, b"a" * 5000,
)  # fmt: skip


@dataclass
class Tally:
    """What came of it. `faults`: (format, seed, what went wrong)."""

    inputs: int = 0
    refused: int = 0
    records: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    faults: list[tuple[str, int, str]] = field(default_factory=list)


def mutated(rng: random.Random, good: bytes, others: list[bytes]) -> tuple[bytes, int]:
    """A changed document, and how many changed inputs are in it: its lines."""
    if good.count(b"\n") < 2 or rng.random() < 0.15:
        return _changed(rng, good[: rng.choice((len(good), 4000))]), 1
    lines = good.splitlines()
    out = []
    for _ in range(PER_FILE):
        line = rng.choice(lines)
        roll = rng.random()
        if roll < 0.05:
            line += rng.choice(lines)  # a line end that was lost
        elif roll < 0.08:
            line = rng.choice(rng.choice(others).splitlines() or [b""])  # of another log
        out.append(_changed(rng, line))
    return rng.choice((b"\n", b"\n", b"\n", b"\r\n")).join(out), PER_FILE


def _changed(rng: random.Random, text: bytes) -> bytes:
    body = bytearray(text)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(body) + 1)
        until = min(len(body), at + rng.choice((1, 2, 5, 40)))
        match rng.randrange(7):
            case 0:
                body[at:until] = b""
            case 1:
                body[at:at] = rng.choice(_NASTY)
            case 2:
                body[at:until] = rng.choice(_NASTY)
            case 3:
                body[at:until] = bytes(rng.randrange(256) for _ in range(until - at))
            case 4:
                body[at:at] = bytes(body[at:until]) * rng.choice((1, 2, 20))
            case 5:
                del body[at:]
            case _:
                body[at:at] = str(rng.choice((0, -1, 1 << 63, 10**30, 1e-320, rng.random()))).encode()
    at = rng.randrange(len(body) + 1)
    body[at:at] = MARKER.encode()
    return bytes(body)


def run(inputs: int, seed: int, scratch: Path, tally: Tally, until: float | None = None) -> Tally:
    """Read this many mutated inputs, each format in turn; stops early at `until` (monotonic seconds)."""
    given = {name: path.read_bytes() for name, path in with_fixtures().items()}
    forms = [one for one in FORMATS if one.name in given]
    number = 0
    while tally.inputs < inputs and (until is None or time.monotonic() < until):
        form = forms[number % len(forms)]
        number += 1
        one_seed = seed * 1_000_003 + number
        rng = random.Random(one_seed)
        text, count = mutated(rng, given[form.name], list(given.values()))
        tally.inputs += count
        _one(form if rng.random() < 0.7 else None, form.name, one_seed, text, scratch, tally)
    return tally


def _one(form: Format | None, name: str, seed: int, text: bytes, scratch: Path, tally: Tally) -> None:
    folder = scratch / "copies"
    folder.mkdir(exist_ok=True)
    path = scratch / "given.log"
    path.write_bytes(text)
    began = time.perf_counter()
    said: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            source = open_source(path, folder)
            chosen = form or sniff(source)
            if chosen is not None:
                batch = chosen.read(source)
                tally.records += len(batch.table)
                said += [bad.reason for bad in batch.bad] + _misshapen(batch, text, tally, name, seed)
        said += [str(one.message) for one in warned]
    except UsageProblem as problem:
        tally.refused += 1
        said.append(str(problem))
    except Exception as error:
        tally.faults.append((name, seed, f"{type(error).__name__}: {str(error)[:200]}"))
    took = time.perf_counter() - began
    for copy in folder.iterdir():
        copy.unlink()
    if took > tally.slowest_s:
        tally.slowest_s, tally.slowest = took, f"{name} ({seed})"
    if any(MARKER in one for one in said):
        tally.faults.append((name, seed, "the input is in a message"))


def _misshapen(batch: Batch, text: bytes, tally: Tally, name: str, seed: int) -> list[str]:
    """The table has the columns it should have, and no more records than lines could hold."""
    table = batch.table
    if list(table.columns) != list(complete({}, rows=0, side="proxy", writer="x").columns):
        tally.faults.append((name, seed, "other columns"))
    numbers = table.select_dtypes("number")
    if numbers.isin([float("inf"), float("-inf")]).any().any():
        tally.faults.append((name, seed, "an infinite number"))
    return []
