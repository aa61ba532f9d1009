"""Which layer gave up, for every job of a run that somebody may have cut: rows in, attributions out.

What fits a single attempt is weighed in `harness.diagnosis.weigh`. Here are the questions that take the whole run: who
is a suspect at all, whose ends pile up at a constant, and what the other side's own record says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from harness.conditions import LayerCap, RunConditions
from harness.diagnosis.catalog import Layer, load_catalog, signed_by
from harness.diagnosis.evidence import NEEDED, Evidence, evidence_of
from harness.diagnosis.logs import in_their_words
from harness.diagnosis.model import EvidenceRow
from harness.diagnosis.weigh import Attribution, Scene, weigh, with_record
from harness.ingest.backend import BackendLog, BackendRecord
from harness.stats.constants import Constant, constants

# Caps of our own side that are no client timeouts, by the name under which they are set.
OUR_SETTINGS = {"abort": "the page's AbortController (browser.abort)", "poll": "task.poll.give_up_after"}
OUR_WORDS = {"abort": "the page's own abort", "poll": "our own limit on polling"}

TIMEOUT_STATUSES = (408, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529, 546, 598)
MIN_PILE_MS = 1000.0  # what ends sooner is a refusal, at whatever constant


@dataclass(frozen=True)
class Attributions:
    """By row number. Rows that nobody can have cut are absent."""

    by_row: dict[int, Attribution] = field(default_factory=dict)

    def gave_up(self) -> list[int]:
        """Rows for which a layer is shown to have given up."""
        return [row for row, found in self.by_row.items() if found.grade != "undetermined"]


def attribute(
    jobs: pd.DataFrame,
    conditions: RunConditions,
    backend: BackendLog | None,
    catalog: tuple[Layer, ...] | None = None,
) -> Attributions:
    """Attribute every job that ended in a cut, in a status that a layer in between could have written, or short.

    `catalog`: the layers that are known; the shipped ones by default.
    """
    catalog = load_catalog() if catalog is None else catalog
    cut = (jobs["outcome"] == "cut").to_numpy()
    answered = jobs["outcome"].isin(["error", "empty"]).to_numpy()
    suspects = cut | (answered & jobs["http_status"].isin(TIMEOUT_STATUSES).to_numpy())
    # Some proxies frame a cut answer anew as a complete one: then only what is in it is short.
    short = jobs["outcome"].isin(["empty", "bad_image"]).to_numpy() & (jobs["http_status"] == 200).to_numpy()
    rows = np.flatnonzero(suspects | short)
    if not len(rows):
        return Attributions()
    chains = {route.name: route.chain for route in conditions.routes}
    columns = jobs.loc[rows, list(NEEDED)]
    values = [_plain_column(columns[name]) for name in NEEDED]
    found = {
        row: evidence_of(dict(zip(NEEDED, job, strict=True))) for row, *job in zip(rows.tolist(), *values, strict=True)
    }
    piles = _piles({row: one for row, one in found.items() if suspects[row]})
    signers = _signers(catalog)
    by_row: dict[int, Attribution] = {}
    for row, one in found.items():
        record = backend.find(one.ids) if backend is not None else None
        chain = tuple(chains.get(one.route, ()))
        if not suspects[row]:
            reframed = _reframed(one, chain, catalog)
            if reframed is not None:
                by_row[row] = _recorded(reframed, one, record)
            continue
        scene = Scene(chain, signers(one), catalog, piles.get(row))
        known = _own_cap(one) or in_their_words(one, scene) or weigh(one, scene)
        by_row[row] = _recorded(known, one, record)
    return Attributions(by_row)


def _plain_column(column: pd.Series[Any]) -> list[Any]:
    """A column's values as Python has them; None where there is nothing."""
    values = column.astype(object)
    return list(values.where(values.notna(), None))


def _signers(catalog: tuple[Layer, ...]) -> Callable[[Evidence], tuple[Layer, ...]]:
    """Who signed an end; the same page is met thousands of times in a run."""

    @lru_cache(maxsize=4096)
    def signed(
        status: int | None, headers: tuple[tuple[str, str], ...], body_head: str, error_text: str, failure: str
    ) -> tuple[Layer, ...]:
        return signed_by(status, dict(headers), body_head, error_text, failure, layers=catalog)

    def of(one: Evidence) -> tuple[Layer, ...]:
        return signed(one.status, tuple(one.headers.items()), one.body_head, one.error_text, one.failure)

    return of


def _piles(found: Mapping[int, Evidence]) -> dict[int, Constant]:
    """Rows whose end lies at a constant of their route: row → the constant, in ms."""
    by_route: dict[str, list[int]] = {}
    for row, one in found.items():
        if one.own_cap is None and one.elapsed.get("total", 0.0) >= MIN_PILE_MS:
            by_route.setdefault(one.route, []).append(row)
    piles: dict[int, Constant] = {}
    for rows in by_route.values():
        for pile in constants([found[row].elapsed["total"] for row in rows]):
            piles.update({rows[member]: pile for member in pile.members})
    return piles


def _own_cap(one: Evidence) -> Attribution | None:
    """Our own timeout: nothing is more certain, and it says nothing about the other side."""
    if one.own_cap is None or one.own_cap_s is None:
        return None
    # Without the whole request nobody was at work on it.
    going_up = one.own_cap == "total" and not one.answered and "request_read" in one.elapsed
    never_sent = going_up or one.own_cap == "connect"
    page = one.own_cap == "abort"
    setting = OUR_SETTINGS.get(one.own_cap, f"timeouts.{one.own_cap}")
    what = "request" if going_up else "answer"
    ours = OUR_WORDS.get(one.own_cap, f"our own {one.own_cap} timeout")
    return Attribution(
        grade="undetermined" if never_sent else "attributed",
        layer="the browser page" if page else "this client",
        product="browser" if page else "harness",
        setting=setting,
        cap_s=one.own_cap_s,
        cap_kind=one.own_cap,
        cut_at_ms=None if never_sent else one.ended_at_ms,
        first_move=f"raise {setting}",
        evidence=(EvidenceRow(fact=f"{ours} of {one.own_cap_s:g} s fired; the {what} was not whole by then"),),
        settle="whether the way up is slow, or nobody reads at its end"
        if going_up
        else "the backend's record for this job's id: is it running, or did it finish?",
    )


def _reframed(one: Evidence, chain: tuple[LayerCap, ...], catalog: tuple[Layer, ...]) -> Attribution | None:
    """A success that is short: a cap of the declared chain may have cut it, and its framing been mended on the way."""
    if one.bytes_down == 0 or not chain or not one.may_be_short:
        return None
    found = weigh(one, Scene(chain, (), catalog))
    if found.grade == "undetermined":
        return None
    row = EvidenceRow(fact="the answer is short, though its framing says that it is whole", points="for")
    return Attribution(**{**found.__dict__, "evidence": (row, *found.evidence)})


def _recorded(found: Attribution, one: Evidence, record: BackendRecord | None) -> Attribution:
    """Add what the other side's own record says."""
    if record is None or record.finished is None:
        return found
    took = "" if record.latency_s is None else f" after {record.latency_s:.1f} s of work"
    whole_ms = one.elapsed.get("total")
    later = bool(record.finished_after_client_left) or (
        record.latency_s is not None and whole_ms is not None and record.latency_s * 1000 > whole_ms
    )
    return with_record(found, one, finished=record.finished, later=later, took=took)
