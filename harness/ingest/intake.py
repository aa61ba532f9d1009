"""Other people's logs → a run's folder: everything after it reads that like a run of ours.

Sniff, read, keep what speaks of images, join, write ``events.jsonl``, ``backend.jsonl``, ``run.json`` and
``intake.json``, which says what was read, what was set aside and on what ground records were joined.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from harness.conditions import BACKEND_FILE, EVENTS_FILE, Host, RouteConditions, RunConditions, write_conditions
from harness.errors import UsageProblem
from harness.ingest import journal
from harness.ingest.events import rank, write_events
from harness.ingest.formats import MAPPED, format_named, names, sniff
from harness.ingest.join import DEPTH, Joined, join
from harness.ingest.repeats import repeats
from harness.ingest.sightings import TOLD, Batch
from harness.ingest.source import open_source

INTAKE_FILE = "intake.json"
IMAGE_PATHS = r"/images/(?:generations|edits|variations)|/responses$|/predictions|/createTask|/queue/|gpt-image"
# An application has paths of its own; what it asks for may still be told by the model.
IMAGE_MODELS = re.compile(r"image|dall-e|flux|diffusion|seedream|imagen|ideogram|recraft", re.IGNORECASE)
SHOWN_PATHS = 5
EVERYBODYS_WORDS = frozenset(
    {
        "api", "v1", "v2", "openai", "deployments", "images", "image", "generations", "generate", "generation", "edits",
        "edit", "chat", "completions", "responses", "models", "files", "health", "healthz", "status", "metrics", "ping",
        "jobs", "tasks", "predictions", "queue", "static", "index.html",
    }
)  # fmt: skip


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One file: what it was read as, and what came of its records."""

    name: str
    format: str
    side: str
    records: int  # that speak of images
    other_requests: int  # left out: they speak of something else
    unreadable: int
    setbacks: tuple[tuple[int, str], ...] = ()  # line and reason, the first 1,000


class TieRow(msgspec.Struct, frozen=True, kw_only=True):
    """How two files hang together."""

    outer: str
    inner: str
    joined_by_id: int
    joined_by_time: int
    ambiguous: int  # records that fit several jobs and were left out
    skew_s: float | None  # inner clock minus outer clock
    skew_low_s: float | None
    skew_high_s: float | None
    why: str


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, and how it was put together: ``intake.json``."""

    files: tuple[Taken, ...]
    ties: tuple[TieRow, ...]
    jobs: int
    repeated_jobs: int = 0
    repeated_usd: float | None = None


def take_in(
    paths: Sequence[Path],
    folder: Path,
    *,
    log_format: str | None = None,
    mapping: Path | None = None,
    only: str | None = None,
    route: str | None = None,
    routes: Sequence[RouteConditions] = (),
) -> Intake:
    """Read logs into `folder`, which becomes a run's folder.

    Args:
        paths: files, or run folders of ours; ``-`` is standard input.
        log_format: the format of all files, where sniffing must not decide; `MAPPED` for the mapping.
        mapping: a mapping file (docs/intake.md) for files in no known format.
        only: expression for the paths of image requests, instead of `IMAGE_PATHS`.
        route: the declared route that all records went.
        routes: declared routes with their chains.

    Raises:
        UsageProblem: a file cannot be read, or none holds an image request.
    """
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        batches = [_read(path, Path(scratch), log_format, mapping) for path in paths]
    kept, taken = [], []
    for number, (name, batch) in enumerate(batches):
        mask = _of_images(batch.table, only)
        table = batch.table[mask].assign(file=number)
        kept.append(table)
        taken.append(_taken(name, batch, table))
    everything = pd.concat(kept, ignore_index=True)
    if everything.empty:
        raise UsageProblem(_nothing(batches, only))
    if route is not None:
        everything["route"] = route
    joined = join(everything)
    ranked = rank(everything, joined)
    folder.mkdir(parents=True, exist_ok=True)
    run_id = f"intake-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    jobs = write_events(ranked, run_id, folder / EVENTS_FILE, folder / BACKEND_FILE)
    owned = {number: own for number, path in enumerate(paths) if (own := journal.journal_of(path)) is not None}
    journal.restore(folder / EVENTS_FILE, owned)
    again = repeats(ranked)
    found = Intake(files=tuple(taken), ties=_ties(joined, taken), jobs=jobs, repeated_jobs=again.jobs,
                   repeated_usd=again.usd)  # fmt: skip
    (folder / INTAKE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    write_conditions(folder, _conditions(ranked, run_id, jobs, routes))
    return found


def _read(path: Path, scratch: Path, log_format: str | None, mapping: Path | None) -> tuple[str, Batch]:
    own = journal.journal_of(path)
    if own is not None:
        return path.name, journal.read(own)
    if path.is_dir():
        raise UsageProblem(f"{path}: a folder without events.jsonl; give the log files in it")
    source = open_source(path, scratch)
    chosen = sniff(source) if log_format is None else format_named(log_format) if log_format != MAPPED else None
    if chosen is not None:
        return source.name, chosen.read(source)
    if mapping is None:
        raise UsageProblem(
            f"{source.name}: in no format that is known; name it with --log-format ({', '.join(names())}), or say with "
            "--mapping which of its fields is what"
        )
    from harness.ingest.generic import read_mapped

    return source.name, read_mapped(source, mapping)


def _of_images(table: pd.DataFrame, only: str | None) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Records of image requests: by their path, or a model of images; those that have no path are taken as such.

    A preflight asks for nothing, and of the usual paths a GET looks after a task or fetches a file.
    """
    paths = table["path"]
    try:
        wanted = re.compile(only or IMAGE_PATHS)
    except re.error as error:
        raise UsageProblem(f"--only: no regular expression: {error.msg}") from None
    # Each path once, however many records have it.
    codes, distinct = pd.factorize(paths)
    speaks = np.array([wanted.search(str(path)) is not None for path in distinct] + [False], dtype=bool)
    by_path = speaks[codes]
    pathless = paths.isna()
    if only is None:
        models, named = pd.factorize(table["model"])
        of_images = np.array([IMAGE_MODELS.search(str(name)) is not None for name in named] + [False], dtype=bool)
        pathless |= of_images[models]
    others = ("OPTIONS", "HEAD") if only is not None else ("OPTIONS", "HEAD", "GET", "DELETE")
    return np.asarray((by_path | pathless) & ~table["method"].isin(others).to_numpy(), dtype=bool)


def _nothing(batches: Sequence[tuple[str, Batch]], only: str | None) -> str:
    if not any(len(batch.table) for _, batch in batches):
        first = next((f"{name}:{bad.line}: {bad.reason}" for name, batch in batches for bad in batch.bad), "no line")
        return f"no record could be read ({first}); name the format with --log-format, or give a --mapping"
    said = pd.concat([batch.table["path"] for _, batch in batches]).value_counts().head(SHOWN_PATHS)
    # A path may hold anything: only words that are everybody's are repeated.
    shown = ", ".join(dict.fromkeys(re.sub(r"[^/]+", _everybodys, str(path)[:200]) for path in said.index))
    said_how = "Say which with --only; preflights are none, nor without it GETs"
    return f"no record speaks of images ({only or IMAGE_PATHS}); most asked paths: {shown}. {said_how}"


def _everybodys(step: re.Match[str]) -> str:
    return step[0] if step[0] in EVERYBODYS_WORDS else "…"


def _taken(name: str, batch: Batch, table: pd.DataFrame) -> Taken:
    sides = batch.table["side"].dropna().unique()
    return Taken(
        name=name,
        format=batch.format,
        side=" and ".join(sorted(map(str, sides))) or "nobody",
        records=len(table),
        other_requests=len(batch.table) - len(table),
        unreadable=max(batch.bad_count, len(batch.bad)),
        setbacks=tuple((bad.line, bad.reason) for bad in batch.bad[:TOLD]),
    )


def _ties(joined: Joined, taken: Sequence[Taken]) -> tuple[TieRow, ...]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    return tuple(
        TieRow(
            outer=taken[tie.outer].name,
            inner=taken[tie.inner].name,
            joined_by_id=tie.by_id,
            joined_by_time=tie.by_time,
            ambiguous=tie.ambiguous,
            skew_s=rounded(tie.skew.offset_s),
            skew_low_s=rounded(tie.skew.low_s),
            skew_high_s=rounded(tie.skew.high_s),
            why=tie.skew.why,
        )
        for tie in joined.ties
    )


def _conditions(ranked: pd.DataFrame, run_id: str, jobs: int, routes: Sequence[RouteConditions]) -> RunConditions:
    first = ranked["started_at_s"].min()
    last = (ranked["started_at_s"] + ranked["duration_ms"].fillna(0) / 1000).max()
    declared = {one.name: one for one in routes}
    outermost = ranked[ranked["rank"] == ranked.groupby("job")["rank"].transform("min")]
    named = outermost["route"].fillna(outermost["writer"]).astype(str)
    sides = dict(zip(named, outermost["side"], strict=True))
    met = tuple(
        declared.get(name)
        or RouteConditions(
            name=name, kind="images", owner="gateway" if sides[name] == "gateway" else "client_infrastructure"
        )
        for name in sorted(sides, key=lambda one: (DEPTH.get(str(sides[one]), 1), one))
    )
    return RunConditions(
        run_id=run_id,
        scenario="intake",
        why="What other people's logs say.",
        scenario_sha256="",
        seed=0,
        started_at=_iso(first),
        finished_at=_iso(last),
        status="complete",
        timezone="UTC",
        planned_jobs=jobs,
        blocks=1,
        routes=met,
        retries=0,
        host=Host(python="", platform="", cpus=0, openai_sdk="", harness=""),
    )


def _iso(at_s: float) -> str:
    return "" if np.isnan(at_s) else datetime.fromtimestamp(float(at_s), UTC).isoformat(timespec="milliseconds")


def told(found: Intake) -> list[str]:
    """What was read and how it was joined, in lines for a person."""
    lines = []
    for file in found.files:
        rest = [f"{file.other_requests} other requests left out"] if file.other_requests else []
        rest += [f"{file.unreadable} lines not read"] if file.unreadable else []
        lines.append(f"{file.name}: {file.format}, {file.records} records of the {file.side}"
                     + (f"; {', '.join(rest)}" if rest else ""))  # fmt: skip
        lines += [f"  {file.name}:{line}: {reason}" for line, reason in file.setbacks[:3]]
    for tie in found.ties:
        how = f"{tie.joined_by_id} jobs joined by id, {tie.joined_by_time} by time and shape"
        how += f", {tie.ambiguous} fit several and were left out" if tie.ambiguous else ""
        clock = "the clocks cannot be compared" if tie.skew_s is None else f"its clock is {tie.skew_s:+.1f} s off"
        if tie.skew_low_s is not None and tie.skew_high_s is not None:
            clock += f" ({tie.skew_low_s:+.1f} to {tie.skew_high_s:+.1f} s)"
        lines.append(f"{tie.outer} and {tie.inner}: {how}; {clock}: {tie.why}")
    if found.repeated_jobs:
        price = "" if found.repeated_usd is None else f", about {found.repeated_usd:.2f} USD"
        lines.append(f"{found.repeated_jobs} jobs ask again for what was asked for within ten minutes before{price}")
    return lines


__all__ = ["INTAKE_FILE", "Intake", "take_in", "told"]
