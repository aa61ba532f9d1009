"""What earlier runs know of a new one's cells: the same settings on a route of the same name, by the same model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.conditions import EVENTS_FILE, read_conditions
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.journal_lines import iter_events
from harness.observed import observed
from harness.sizing.model import Expected
from harness.stats.censored import survival
from harness.stats.samplesize import careful_log_sd, log_sd

FEWEST = 5  # jobs of a cell from which a spread is told at all

Key = tuple[str, ...]


@dataclass
class Pilots:
    """Times by cell and clock, of all runs together."""

    fields: Sequence[str]
    runs: list[str] = field(default_factory=list)
    _times: dict[tuple[Key, str], list[tuple[float, float]]] = field(default_factory=dict)

    def key(self, settings: Mapping[str, str], model: str) -> Key:
        found = dict(settings)
        if found.get("edit_form") == "null" and found.get("reference_images", "0") != "0":
            found["edit_form"] = "multipart"  # what an edit is sent as when nothing is said
        return (model, *(found[name] for name in self.fields))

    def expected(self, settings: Mapping[str, str], model: str, metric: str) -> Expected | None:
        """How a clock of such a cell lay; null where too few jobs, or too many cut ones, leave that open.

        The spread is the upper limit of what so few jobs bear (`careful_log_sd`).
        """
        found = self._times.get((self.key(settings, model), metric), [])
        if len(found) < FEWEST:
            return None
        times = np.array([low for low, _ in found])
        censored = np.array([math.isinf(high) for _, high in found])
        median = survival(times, censored).quantile(0.5).value
        spread = log_sd(times, censored)
        if not median or spread is None:
            return None
        careful = careful_log_sd(spread, len(found))
        return Expected(median, careful, careful, f"{len(found)} jobs of {' and '.join(self.runs)}", jobs=len(found))


def read_pilots(run_dirs: Iterable[Path], fields: Sequence[str], metrics: Iterable[str]) -> Pilots:
    """The journals of these runs. Times of a run that was stopped early are counted as they are.

    Raises:
        UsageProblem: a directory holds no run, or nothing can be read in its journal.
    """
    pilots = Pilots(fields)
    wanted = tuple(dict.fromkeys(metrics))
    for run_dir in run_dirs:
        pilots.runs.append(read_conditions(run_dir).run_id)
        if not (run_dir / EVENTS_FILE).exists():
            raise UsageProblem(f"{run_dir}: no {EVENTS_FILE} here; give a directory that `harness run` wrote")
        jobs: dict[str, JobEvent] = {}
        for _, event in iter_events(run_dir / EVENTS_FILE):
            if isinstance(event, JobEvent):
                jobs[event.job_id] = event
        if not jobs:
            raise UsageProblem(f"{run_dir}: no job in its journal; give a run that has some")
        for event in jobs.values():
            key = pilots.key({name: _text(getattr(event, name)) for name in fields}, event.model)
            for metric in wanted:
                sample = observed(event, metric)
                if sample is not None:
                    pilots._times.setdefault((key, metric), []).append(sample)
    return pilots


def _text(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
