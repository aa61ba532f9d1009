"""A run's journal → rows by route and shape: what each request took, and how it ended.

What counts: an image is its service time (from the sending of the attempt that brought it, without pauses). A cut is
"at least so long". Of a job that was sent again its first request counts: the later ones are there because it failed,
and a job that fails however often it is sent would count as often as it was sent. Where a declared layer's cap, or a
constant that the cuts pile up at, explains a cut, the layer stays in the simulated world and cuts there again; a cut
that nothing explains happens again as often as it did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.conditions import EVENTS_FILE, RunConditions, read_conditions
from harness.errors import UsageProblem
from harness.events import JobEvent
from harness.journal_lines import iter_events
from harness.policies.ends import DELIVERED, end_of
from harness.policies.model import ENDS, End, Layer, Shape
from harness.policies.world import Rows
from harness.stats.censored import IntArray
from harness.stats.constants import constants

NEAR_SHARE, NEAR_S = 0.02, 1.0  # how far from a layer's cap a cut may lie and still be its
_CUT = ENDS.index("cut")


@dataclass
class Measured:
    """One shape on one route, as lists of one entry a request; `job` is the number of its job."""

    at_s: list[float] = field(default_factory=list)
    running: list[bool] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    block: list[int] = field(default_factory=list)
    job: list[int] = field(default_factory=list)
    cells: set[str] = field(default_factory=set)
    prompts: list[str] = field(default_factory=list)
    first_partial_s: list[float] = field(default_factory=list)
    usd: list[tuple[float, int]] = field(default_factory=list)  # of the generation that came, and its previews
    example: JobEvent | None = None
    moderated: int = 0
    jobs: int = 0

    @property
    def images(self) -> int:
        """Requests that brought one."""
        return sum(not running and end < 0 for running, end in zip(self.running, self.end, strict=True))

    def rows(self, *, keep_429: bool) -> Rows:
        """As arrays: the first request of each job; 429s left out where limits are simulated.

        Where none of those brought an image, all requests: what little is known of times stands in the later ones.
        """
        kept = np.array([keep_429 or end != ENDS.index("429") for end in self.end], dtype=np.bool_)
        place, number = np.flatnonzero(kept), np.array(self.job, dtype=np.int64)
        first = self._arrays(place[np.unique(number[kept], return_index=True)[1]])
        return first if first.images else self._arrays(place)

    def _arrays(self, take: IntArray) -> Rows:
        return Rows(
            np.array(self.at_s, dtype=np.float64)[take],
            np.array(self.running, dtype=np.bool_)[take],
            np.array(self.end, dtype=np.int64)[take],
            np.array(self.block, dtype=np.int64)[take],
        )


@dataclass
class Journal:
    """A run as the world's builder asks for it."""

    conditions: RunConditions
    events: list[JobEvent]
    unread: tuple[int, ...] = ()  # numbers of the journal's lines that are no events
    found: dict[str, tuple[Layer, ...]] = field(default_factory=dict)  # layers that only their cuts tell of

    def routes(self) -> tuple[str, ...]:
        """Routes with jobs, in the order of the scenario (that of the journal is who was done first)."""
        sent = {event.route for event in self.events}
        return tuple(dict.fromkeys(name for name in (*(one.name for one in self.conditions.routes), *sorted(sent))
                                   if name in sent))  # fmt: skip

    def layers(self, route: str) -> tuple[Layer, ...]:
        """Declared layers with a cap, and those that constants among the cuts tell of."""
        declared = next((one.chain for one in self.conditions.routes if one.name == route), ())
        known = tuple(Layer(layer=cap.layer, kind=cap.kind, cap=cap.cap_s) for cap in declared if cap.cap_s is not None)
        if route not in self.found:
            self.found[route] = _constants(self.events, route, known)
        return known + self.found[route]

    def measured(self, route: str, shape: Shape, *, streamed: bool) -> Measured | None:
        """Every request of that shape on that route; null when there is none.

        Raises:
            UsageProblem: several cells fit.
        """
        wanted = {name: value for name, value in shape.model_dump().items() if value is not None}
        out = Measured()
        layers = self.layers(route)
        for event in self.events:
            fits = all(getattr(event, name) == value for name, value in wanted.items())
            if event.route == route and fits and bool(event.partial_images) is streamed:
                _add(out, event, layers)
        if len(out.cells) > 1:
            raise UsageProblem(
                f"several cells of route {route} fit: {', '.join(sorted(out.cells)[:6])}; "
                "say in the policy file which is meant: `shape: {quality: high, size: 1024x1024}`"
            )
        return out if out.jobs else None


def read_journal(run_dir: Path) -> Journal:
    """Conditions and jobs of a run; of a job that was sent again on request the later event counts.

    Raises:
        UsageProblem: no run, or no job in it.
    """
    conditions = read_conditions(run_dir)
    path = run_dir / EVENTS_FILE
    if not path.exists():
        raise UsageProblem(f"{run_dir}: no {EVENTS_FILE} here; give a directory that `harness run` wrote")
    jobs: dict[str, JobEvent] = {}
    unread: list[int] = []
    for number, event in iter_events(path):
        if isinstance(event, JobEvent):
            jobs[event.job_id] = event
        else:
            unread.append(number)
    if not jobs:
        raise UsageProblem(f"{run_dir}: no job in its journal; give a run that has some, or --profile alone")
    return Journal(conditions, list(jobs.values()), tuple(unread))


def _ends(event: JobEvent) -> list[tuple[float, bool, End | None]]:
    """Of each request of a job: seconds, whether it may still have been under way, and how it ended."""
    found: list[tuple[float, bool, End | None]] = []
    for attempt in event.attempts:
        if attempt.ended == "unseen":
            continue  # neither how it ended nor that it lasted is known of it
        end = end_of(event, attempt)
        took_s = max(0.0, attempt.marks.ended_at_ms - attempt.marks.started_at_ms) / 1000
        if end is None and attempt is event.attempts[-1] and event.outcome in DELIVERED:
            value_ms = event.service_ms if event.service_ms is not None else event.total_ms
            found.append((took_s if value_ms is None else value_ms / 1000, False, None))
        else:  # a timeout of ours, and an end that nobody saw, tell only that the time is longer
            found.append((took_s, end in (None, "timeout", "cut"), None if end == "timeout" else end))
    if not event.attempts and event.outcome in DELIVERED and event.total_ms is not None:
        found.append((event.total_ms / 1000, False, None))
    return found


def _add(out: Measured, event: JobEvent, layers: tuple[Layer, ...]) -> None:
    out.jobs += 1
    out.example = out.example or event
    out.cells.add(event.cell)
    out.prompts.append(event.prompt_hash)
    ends = _ends(event)
    out.moderated += any(end == "moderation" for _, _, end in ends)
    for at_s, running, end in ends:
        if end == "moderation":
            continue  # belongs to the prompt, not to the request
        out.at_s.append(at_s)
        out.running.append(running)
        out.end.append(-1 if end is None or (end == "cut" and explains(layers, at_s)) else ENDS.index(end))
        out.block.append(event.block)
        out.job.append(out.jobs)
    if event.outcome in DELIVERED and event.cost_usd is not None:
        # Of one generation: what attempts before it may have been billed is not its price.
        out.usd.append((event.cost_usd - (event.earlier_attempts_usd or 0.0), _previews(event)))
    if event.first_partial_image_ms is not None:
        out.first_partial_s.append(event.first_partial_image_ms / 1000)


def _previews(event: JobEvent) -> int:
    """How many previews the cost of a job with an image holds: those that came, or by estimate all that were asked."""
    if event.cost_basis == "usage" and event.attempts:
        return len(event.attempts[-1].marks.partial_images)
    return (event.partial_images or 0) if event.stream and event.cost_basis == "estimate" else 0


def explains(layers: tuple[Layer, ...], at_s: float) -> bool:
    """Whether a layer's cap lies where a request was cut."""
    return any(abs(at_s - layer.cap) <= NEAR_S + NEAR_SHARE * layer.cap for layer in layers)


def _constants(events: list[JobEvent], route: str, known: tuple[Layer, ...]) -> tuple[Layer, ...]:
    cuts = [
        at_s
        for event in events
        if event.route == route
        for at_s, _, end in _ends(event)
        if end == "cut" and not explains(known, at_s)
    ]
    found = constants(cuts)
    return tuple(Layer(layer=f"found-{one.at:.0f}s", kind="total", cap=round(one.at, 3)) for one in found)


def shares(rows: Rows) -> Mapping[End, tuple[float, list[float]]]:
    """By end: its share of all requests, and after how long they ended."""
    after: dict[End, list[float]] = defaultdict(list)
    for at_s, end in zip(rows.at_s, rows.end, strict=True):
        if end >= 0:
            after[ENDS[int(end)]].append(float(at_s))
    return {end: (len(times) / rows.at_s.size, times) for end, times in after.items()}
