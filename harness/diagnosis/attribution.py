"""Which layer gave up: signature, elapsed against caps, piled-up cut times, and the other side's own record.

The order of strength: the other side's record is proof; a signature together with a cap that agrees is attribution;
a cap that agrees without a signature, or cut times that pile up at a constant, is inference; anything less stays
undetermined. A status alone names nobody: the same silent upstream is a 504 behind one proxy and a 502 behind another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from harness.conditions import LayerCap, RunConditions
from harness.diagnosis.catalog import Layer, load_catalog, signed_by
from harness.diagnosis.elapsed import agrees, elapsed_ms, shown, slack_ms
from harness.diagnosis.model import EvidenceRow, Grade
from harness.frame import parsed
from harness.ingest.backend import BackendLog, BackendRecord

PILE_MIN = 5  # cut times needed before a constant is believed
PILE_SPREAD = 0.02  # (p90 − p10) / median of the cut times

_NEEDED = (
    "route", "outcome", "ended", "cap", "cap_ms", "http_status", "reply_request_id", "client_request_id", "other_ids",
    "body_kind", "body_head", "reply_headers", "error_type", "error_code", "error_message", "time_scale",
    "host_lag_ms", "longest_silence_ms", "mark_started_at_ms", "mark_request_sent_at_ms", "mark_first_byte_at_ms",
    "mark_last_byte_at_ms", "mark_ended_at_ms",
)  # fmt: skip

# Caps of our own side that are no client timeouts, by the name under which they are set.
OUR_SETTINGS = {"abort": "the page's AbortController (browser.abort)", "poll": "task.poll.give_up_after"}

TIMEOUT_STATUSES = (408, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 546)


@dataclass(frozen=True)
class Attribution:
    """What is known of one job that may have been cut."""

    grade: Grade
    layer: str | None = None
    product: str | None = None
    setting: str | None = None
    cap_s: float | None = None
    cap_kind: str | None = None
    cut_at_ms: float | None = None
    backend_finished: bool | None = None
    first_move: str | None = None
    evidence: tuple[EvidenceRow, ...] = ()
    excluded: tuple[str, ...] = ()
    settle: str | None = None


@dataclass(frozen=True)
class Attributions:
    """By row number. Rows that nobody can have cut are absent."""

    by_row: dict[int, Attribution] = field(default_factory=dict)

    def gave_up(self) -> list[int]:
        """Rows for which a layer is shown to have given up."""
        return [row for row, found in self.by_row.items() if found.grade != "undetermined"]


def attribute(jobs: pd.DataFrame, conditions: RunConditions, backend: BackendLog | None) -> Attributions:
    """Attribute every job that ended in a cut or in a status that a layer in between could have written."""
    suspects = jobs["outcome"].isin(["cut"]) | (
        jobs["outcome"].isin(["error", "empty"]) & jobs["http_status"].isin(TIMEOUT_STATUSES)
    )
    rows = np.flatnonzero(suspects.to_numpy())
    if not len(rows):
        return Attributions()
    chains = {route.name: route.chain for route in conditions.routes}
    columns = jobs.loc[rows, list(_NEEDED)]
    piles = _piles(columns)
    found: dict[int, Attribution] = {}
    values = [_plain_column(columns[name]) for name in _NEEDED]
    for row, *job in zip(rows.tolist(), *values, strict=True):
        one = dict(zip(_NEEDED, job, strict=True))
        one["signers"] = _signers(*_reply(one))
        record = backend.find(_ids(one)) if backend is not None else None
        found[row] = _attribute_one(one, chains.get(one["route"], ()), piles.get(one["route"]), record)
    return Attributions(found)


def _ids(job: dict[str, Any]) -> tuple[str, ...]:
    """Every id by which another party may know the last attempt: ours first, then the API's, then the hops'."""
    ids = (job["client_request_id"], job["reply_request_id"], *(parsed(job["other_ids"]) or {}).values())
    return tuple(dict.fromkeys(one for one in ids if one))


def _plain_column(column: pd.Series[Any]) -> list[Any]:
    """A column's values as Python has them; None where there is nothing."""
    values = column.astype(object)
    return list(values.where(values.notna(), None))


def _piles(columns: pd.DataFrame) -> dict[str, tuple[float, int]]:
    """Routes whose cut times pile up at one constant: route → (median ms, how many)."""
    piles: dict[str, tuple[float, int]] = {}
    cut_at = columns["mark_ended_at_ms"] - columns["mark_started_at_ms"]
    for route, times in cut_at.groupby(columns["route"], observed=True):
        values = times.dropna().to_numpy()
        if len(values) < PILE_MIN:
            continue
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9])
        if middle > 1000 and (high - low) / middle <= PILE_SPREAD:
            piles[str(route)] = (float(middle), len(values))
    return piles


def _attribute_one(
    job: dict[str, Any],
    chain: tuple[LayerCap, ...],
    pile: tuple[float, int] | None,
    record: BackendRecord | None,
) -> Attribution:
    found = (
        _own_cap(job)
        or _made_by_the_api(job)
        or _signed(job, chain, pile)
        or _declared(job, chain)
        or _piled(job, pile)
    )
    if found is None:
        found = Attribution(
            grade="undetermined",
            evidence=(EvidenceRow(fact=_how_it_looked(job), points="context"),),
            settle="the log of the hops on this route, or of the backend, for the ids of this job",
        )
    return _with_record(found, job, record)


def _own_cap(job: dict[str, Any]) -> Attribution | None:
    """Our own timeout: nothing is more certain, and it says nothing about the other side."""
    if job["ended"] != "local_cap" or job["cap"] is None:
        return None
    cap_s = None if job["cap_ms"] is None else job["cap_ms"] / 1000
    never_sent = job["cap"] == "connect"
    ours = {"abort": "the page's own abort", "poll": "our own limit on polling"}.get(
        job["cap"], f"our own {job['cap']} timeout"
    )
    return Attribution(
        grade="undetermined" if never_sent else "attributed",
        layer="the browser page" if job["cap"] == "abort" else "this client",
        product="browser" if job["cap"] == "abort" else "harness",
        setting=OUR_SETTINGS.get(job["cap"], f"timeouts.{job['cap']}"),
        cap_s=cap_s,
        cap_kind=job["cap"],
        cut_at_ms=None if never_sent else job["mark_ended_at_ms"],
        first_move=f"raise {OUR_SETTINGS.get(job['cap'], 'timeouts.' + job['cap'])}",
        evidence=(EvidenceRow(fact=f"{ours} of {cap_s:g} s fired; the other side had not answered"),),
        settle="the backend's record for this job's id: is it running, or did it finish?",
    )


def _made_by_the_api(job: dict[str, Any]) -> Attribution | None:
    """An error with the API's own request id and a JSON body was written by the API, not by a hop in front of it."""
    signed = job["reply_request_id"] is not None and job["body_kind"] == "json"
    if not signed or job["signers"]:
        return None
    return Attribution(
        grade="undetermined",
        evidence=(
            EvidenceRow(fact=f"HTTP {job['http_status']:.0f} carries the API's own request id", points="against"),
            EvidenceRow(fact=f"after {shown(elapsed_ms(job, 'total'))}", points="context"),
        ),
        excluded=("a proxy in front: it would not know the API's request id",),
        settle="the API's own record for this request id",
    )


def _reply(job: dict[str, Any]) -> tuple[int, str, str, str]:
    """What a signature is looked for in: status, headers as JSON text, the head of the body, the error's words."""
    error_text = " ".join(str(job[k]) for k in ("error_type", "error_code", "error_message") if job[k] is not None)
    status = 0 if job["http_status"] is None else int(job["http_status"])
    return status, job["reply_headers"] or "{}", job["body_head"] or "", error_text


@lru_cache(maxsize=4096)
def _signers(status: int, headers: str, body_head: str, error_text: str) -> tuple[Layer, ...]:
    """Every layer that signed such a reply; the same page is met thousands of times in a run."""
    signers = signed_by(status, parsed(headers), body_head, error_text)
    return tuple(layer for layer in signers if layer.names_the_layer)


def _signed(job: dict[str, Any], chain: tuple[LayerCap, ...], pile: tuple[float, int] | None) -> Attribution | None:
    """Someone known signed the reply; which cap of theirs agrees with the clock that it runs on?"""
    layers = job["signers"]
    if not layers:
        return None
    layer = layers[0]
    looked = EvidenceRow(fact=f"the reply is {layer.product}'s own: {_how_it_looked(job)}")
    excluded = tuple(f"not told apart by the reply alone: {other}" for other in layer.confused_with)
    for declared in chain:
        if declared.product == layer.product and declared.cap_s is not None:
            elapsed = elapsed_ms(job, declared.kind)
            if agrees(elapsed, declared.cap_s, slack_ms(job)):
                return _fits(job, layer, declared, declared.cap_s, declared.kind, "declared", looked, excluded)
    for cap_s in layer.caps_s:
        for kind in layer.kinds:
            if agrees(elapsed_ms(job, kind), cap_s, slack_ms(job)):
                return _fits(job, layer, None, cap_s, kind, "default", looked, excluded)
    caps = [f"{c.cap_s:g} s declared" for c in chain if c.product == layer.product and c.cap_s is not None]
    caps += [f"{cap:g} s by default" for cap in layer.caps_s]
    disagreement = EvidenceRow(
        fact=f"but {shown(elapsed_ms(job, layer.kinds[0]))} is none of its caps ({', '.join(caps) or 'none known'})",
        points="against",
    )
    rows: tuple[EvidenceRow, ...] = (looked, disagreement)
    if pile is not None and layer.names_the_layer:
        rows += (EvidenceRow(fact=f"{pile[1]} cuts on this route pile up at {pile[0] / 1000:.1f} s"),)
    inferred = len(rows) == 3
    return Attribution(
        grade="inferred" if inferred else "undetermined",
        layer=layer.product if inferred else None,
        product=layer.product,
        setting=layer.setting,
        cap_s=round(pile[0] / 1000, 1) if inferred and pile else None,
        cap_kind=layer.kinds[0],
        cut_at_ms=job["mark_ended_at_ms"] if inferred else None,
        first_move=layer.first_move,
        evidence=rows,
        excluded=excluded,
        settle=f"the value of {layer.setting} on this route, declared in the scenario's chain",
    )


def _fits(
    job: dict[str, Any],
    layer: Layer,
    declared: LayerCap | None,
    cap_s: float,
    kind: str,
    ground: str,
    looked: EvidenceRow,
    excluded: tuple[str, ...],
) -> Attribution:
    agreement = EvidenceRow(
        fact=f"{shown(elapsed_ms(job, kind))} on its {kind} clock agrees with its {ground} cap of {cap_s:g} s"
    )
    return Attribution(
        grade="attributed" if layer.names_the_layer else "inferred",
        layer=declared.layer if declared else layer.product,
        product=layer.product,
        setting=(declared.setting if declared and declared.setting else layer.setting),
        cap_s=cap_s,
        cap_kind=kind,
        cut_at_ms=job["mark_ended_at_ms"],
        first_move=layer.first_move,
        evidence=(looked, agreement),
        excluded=excluded,
        settle="the backend's record for this job's id would prove whether the image was made",
    )


def _declared(job: dict[str, Any], chain: tuple[LayerCap, ...]) -> Attribution | None:
    """Nobody signed, but exactly one declared cap agrees with its clock."""
    fitting = [layer for layer in chain if layer.cap_s is not None and agrees(elapsed_ms(job, layer.kind), layer.cap_s)]
    if not fitting:
        return None
    evidence = tuple(
        EvidenceRow(fact=f"{shown(elapsed_ms(job, one.kind))} agrees with the declared {one.kind} cap of {one.layer}")
        for one in fitting
    )
    unsigned = EvidenceRow(fact=f"nobody known signed it: {_how_it_looked(job)}", points="context")
    if len(fitting) > 1:
        names = ", ".join(one.layer for one in fitting)
        return Attribution(
            grade="undetermined",
            evidence=(*evidence, unsigned),
            settle=f"the logs of {names}: their caps agree with the cut alike",
        )
    (one,) = fitting
    return Attribution(
        grade="inferred",
        layer=one.layer,
        product=one.product,
        setting=one.setting or next((c.setting for c in load_catalog() if c.product == one.product), None),
        cap_s=one.cap_s,
        cap_kind=one.kind,
        cut_at_ms=job["mark_ended_at_ms"],
        first_move=f"raise the cap of {one.layer} alone",
        evidence=(*evidence, unsigned),
        settle=f"the log of {one.layer}, or the backend's record for this job's id",
    )


def _piled(job: dict[str, Any], pile: tuple[float, int] | None) -> Attribution | None:
    """No signature and no declared cap, but the cuts of this route pile up at a constant."""
    if pile is None:
        return None
    return Attribution(
        grade="inferred",
        layer="a layer not named by the evidence",
        cap_s=round(pile[0] / 1000, 1),
        cap_kind="total",
        cut_at_ms=job["mark_ended_at_ms"],
        first_move="declare the layers of this route and their caps in the scenario, then look for this constant",
        evidence=(
            EvidenceRow(fact=f"{pile[1]} cuts on this route pile up at {pile[0] / 1000:.1f} s: a timer, not a crash"),
            EvidenceRow(fact=_how_it_looked(job), points="context"),
        ),
        settle="the chain of this route with its caps, or the logs of its hops",
    )


def _with_record(found: Attribution, job: dict[str, Any], record: BackendRecord | None) -> Attribution:
    """Add what the other side's own record says."""
    if record is None or record.finished is None:
        return found
    took = "" if record.latency_s is None else f" after {record.latency_s:.1f} s of work"
    if not record.finished:
        row = EvidenceRow(fact="the backend's record: this job was not finished", points="against")
        return _replace(found, evidence=(*found.evidence, row), backend_finished=False)
    cut_ms = elapsed_ms(job, "total")
    later = record.finished_after_client_left or (
        record.latency_s is not None and cut_ms is not None and record.latency_s * 1000 > cut_ms
    )
    row = EvidenceRow(fact=f"the backend's record, matched by id: it made this image{took}")
    if not later:
        return _replace(found, evidence=(*found.evidence, row), backend_finished=True)
    return _replace(
        found,
        grade="proven",
        layer=found.layer or found.product or "a layer not named by the evidence",
        cut_at_ms=found.cut_at_ms if found.cut_at_ms is not None else job["mark_ended_at_ms"],
        evidence=(*found.evidence, row),
        backend_finished=True,
        settle=None if found.layer else found.settle,
    )


def _replace(found: Attribution, **changes: Any) -> Attribution:
    return Attribution(**{**found.__dict__, **changes})


def _how_it_looked(job: dict[str, Any]) -> str:
    if job["http_status"] is None:
        return f"no response; {job['ended'].replace('_', ' ')} after {shown(elapsed_ms(job, 'total'))}"
    server = parsed(job["reply_headers"] or "{}").get("server")
    # Only the product's name: a server header may hold anything.
    named = "" if server is None else f", server {server.split('/')[0][:20]}"
    after = shown(elapsed_ms(job, "total"))
    return f"HTTP {job['http_status']:.0f}{named}, {job['body_kind'] or 'no'} body, after {after}"
