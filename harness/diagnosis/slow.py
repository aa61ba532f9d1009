"""The image came, late: which clock holds the time?"""

from __future__ import annotations

import numpy as np

from harness.diagnosis.audit import Audit, Explain, Row, Where
from harness.diagnosis.case import Case, Mask, seconds
from harness.diagnosis.model import EvidenceRow, JobVerdict, VerdictName
from harness.metrics import BY_NAME

BOUND_SHARE = 0.5  # a clock "holds most of the time" above half of it
BOUND_MS = 2000.0  # and nobody waits for less than this
LONG_WAIT_MS = 30_000.0  # where integrators begin to call it slow: over 30 s means "optimise" (e-commerce article)
AGREES = 0.25  # server time and our wait agree within this share
BUFFERED_SHARE = 0.05  # first partial within this share of the final image: it was held back


def _whole_ms(case: Case) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return case.number("total_ms") + np.nan_to_num(case.number("render_ms"))


def _bound(clock: str) -> Where:
    def where(case: Case) -> Mask:
        spent = case.number(clock)
        return case.answered & (spent >= BOUND_MS) & (spent >= BOUND_SHARE * _whole_ms(case))

    return where


def _explain_bound(verdict: VerdictName, clock: str) -> Explain:
    def explain(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
        whole = row["total_ms"] + np.nan_to_num(row["render_ms"])
        fact = f"{BY_NAME[clock].title}: {seconds(row[clock])} of {seconds(whole)} ({row[clock] / whole:.0%})"
        return JobVerdict(job_id=row["job_id"], verdict=verdict, evidence=(EvidenceRow(fact=fact),))

    return explain


def _buffered(case: Case) -> Mask:
    first, final = case.number("first_partial_image_ms"), case.number("final_image_ms")
    return case.answered & (final >= BOUND_MS) & (final - first <= BUFFERED_SHARE * final)


def _explain_buffered(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    fact = (
        f"first partial image at {seconds(row['first_partial_image_ms'])}, final at {seconds(row['final_image_ms'])}: "
        "something between holds the bytes back"
    )
    return JobVerdict(job_id=row["job_id"], verdict="stream_buffered", evidence=(EvidenceRow(fact=fact),))


def _by_route(case: Case) -> Mask:
    slow = [name for name, gap in case.gaps.items() if gap.slower]
    return case.answered & case.is_in("route", *slow)


def _explain_route(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    gap = case.gaps[row["route"]]
    rows = [
        EvidenceRow(
            fact=f"{seconds(gap.median_gap_ms)} slower than {gap.direct} at the median, same shape in the same block "
            f"({gap.pairs} pairs, Wilcoxon p = {gap.p_value:.1g})"
        )
    ]
    if gap.outside_gap_ms is not None:
        rows.append(
            EvidenceRow(fact=f"{seconds(gap.outside_gap_ms)} of it lie outside of what the model's server says it took")
        )
    return JobVerdict(job_id=row["job_id"], verdict="route_owner_delay", evidence=tuple(rows))


def _can_compare(case: Case) -> bool:
    return any(gap.p_value is not None for gap in case.gaps.values())


def _waiting(case: Case) -> Mask:
    wait, server = case.number("wait_ms"), case.number("server_ms")
    whole, partial = _whole_ms(case), case.number("first_partial_image_ms")
    streamed = ~np.isnan(case.number("first_event_ms"))
    # On a stream the payload begins with the first partial; what follows until the final image is the model as well.
    held = np.where(streamed, case.number("final_image_ms") - np.nan_to_num(case.number("download_ms")), wait)
    contradicted = ~streamed & ~np.isnan(server) & (np.abs(server - wait) > AGREES * wait)
    return case.answered & (whole >= LONG_WAIT_MS) & (held >= BOUND_SHARE * whole) & ~contradicted & ~(partial > whole)


def _explain_waiting(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
    rows = [
        EvidenceRow(fact=f"{seconds(row['wait_ms'])} of {seconds(row['total_ms'])} before the first byte of payload")
    ]
    if row["first_partial_image_ms"] == row["first_partial_image_ms"]:
        rows.append(
            EvidenceRow(fact=f"first partial image at {seconds(row['first_partial_image_ms'])}", points="context")
        )
    elif row["server_ms"] == row["server_ms"]:
        rows.append(EvidenceRow(fact=f"the server says that it worked for {seconds(row['server_ms'])}"))
    else:
        rows.append(
            EvidenceRow(fact="the route states no server time: model and hops cannot be told apart", points="context")
        )
    return JobVerdict(job_id=row["job_id"], verdict="long_model_wait", evidence=tuple(rows))


def _bound_audit(verdict: VerdictName, clock: str, holds: str, clear: str, step: str) -> Audit:
    return Audit(verdict, holds, clear, step, _bound(clock), _explain_bound(verdict, clock))


AUDITS = (
    _bound_audit("connect_delay", "connect_ms", "Connecting holds most of the time", "Connections come about quickly",
                 "Look at DNS, addresses and TLS on this path; leave the model alone."),
    _bound_audit("upload_bound", "upload_ms", "The upload holds most of the time", "Uploads are quick",
                 "Send smaller reference images, or mend the way up; leave the model alone."),
    _bound_audit("download_bound", "download_ms", "The download holds most of the time", "Downloads are quick",
                 "A smaller format or a nearer route; leave the model alone."),
    _bound_audit("render_bound", "render_ms", "Decoding holds most of the time", "Decoding is quick",
                 "A smaller image or a lighter format for this client."),
    Audit("stream_buffered", "Partial images arrive together with the final one", "Streams flow",
          "Turn response buffering off on the layer that holds the bytes back.",
          _buffered, _explain_buffered),
    Audit("route_owner_delay", "One route is slower than the most direct one", "No route is slower than the direct one",
          "Escalate to the route's owner with the packet; the model is not the cause.",
          _by_route, _explain_route, _can_compare),
    Audit("long_model_wait", "The wait is the model's own", "No long waits for the model",
          "Keep users informed: stream, or go async; test a lower tier only if the product allows it.",
          _waiting, _explain_waiting),
)  # fmt: skip
