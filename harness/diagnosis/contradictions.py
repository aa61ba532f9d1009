"""An image came, but the bytes, the resolved fields or the tokens contradict the request."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.diagnosis.audit import Audit, Explain, Row
from harness.diagnosis.case import Case, Mask
from harness.diagnosis.model import EvidenceRow, JobVerdict, VerdictName
from harness.prices import image_tokens

# Usage below this share of the formula's tokens is another quality or size, not rounding.
TOKEN_SHARE = 0.9


def expected_tokens(case: Case) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Output tokens that the asked shape takes by the formula; NaN where the shape leaves it open."""
    shapes = (
        case.jobs.groupby(["model", "quality", "size"], observed=True, dropna=False, sort=False).ngroup().to_numpy()
    )
    known = np.full(int(shapes.max(initial=-1)) + 1, np.nan)
    for shape, row in zip(*np.unique(shapes, return_index=True), strict=True):
        model, quality, size = (case.jobs[name].iloc[row] for name in ("model", "quality", "size"))
        tokens = image_tokens(model, quality, size) if isinstance(quality, str) and isinstance(size, str) else None
        known[shape] = np.nan if tokens is None else float(tokens)
    return np.asarray(known[shapes] * _made(case.number("n"), case.number("image_count")), dtype=np.float64)


def _made(asked: npt.ArrayLike, came: npt.ArrayLike) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The images that tokens were spent on. Fewer than asked for is no lower quality."""
    wanted, got = np.asarray(asked, dtype=np.float64), np.asarray(came, dtype=np.float64)
    return np.where(got > 0, np.minimum(wanted, got), wanted)


def _differs(case: Case, asked: str, got: str) -> Mask:
    """Rows where both are words, and other ones than asked for; ``auto`` asks for nothing, and says nothing."""
    a, b = case.jobs[asked].cat, case.jobs[got].cat
    asked_words, got_words = [*a.categories, None], [*b.categories, None]  # code -1 is the last
    table = np.array(
        [[x not in (None, "auto", y) and y not in (None, "auto") for y in got_words] for x in asked_words], dtype=bool
    )
    return np.asarray(table[a.codes.to_numpy(), b.codes.to_numpy()], dtype=bool)


def _downgraded(case: Case) -> Mask:
    fewer = case.number("usage_output_tokens") < TOKEN_SHARE * expected_tokens(case)  # NaN compares false
    other = _differs(case, "quality", "resolved_quality") | _differs(case, "size", "resolved_size")
    return case.answered & (fewer | other | case.matches("image_problems", r"size: asked"))


def _dropped(case: Case) -> Mask:
    return case.is_in("outcome", "wrong_image")


def _whole_shape(row: Row) -> bool:
    return isinstance(row["quality"], str) and isinstance(row["size"], str)


def _explain(verdict: VerdictName) -> Explain:
    def explain(case: Case, index: int, row: Row) -> JobVerdict:  # noqa: ARG001
        facts = []
        if isinstance(row["image_problems"], str):
            facts.append(row["image_problems"])
        for asked, got in (("quality", "resolved_quality"), ("size", "resolved_size")):
            told = isinstance(row[got], str) and isinstance(row[asked], str) and row[asked] != row[got]
            if told and "auto" not in (row[asked], row[got]):
                facts.append(f"{asked}: asked {row[asked]}, the answer says {row[got]}")
        tokens = image_tokens(row["model"], row["quality"], row["size"]) if _whole_shape(row) else None
        made = _made(row["n"], row["image_count"])
        expected, used = (np.nan if tokens is None else float(tokens * made)), row["usage_output_tokens"]
        if used < TOKEN_SHARE * expected:
            facts.append(f"{used:.0f} output tokens, where the asked shape takes {expected:.0f}")
        if isinstance(row["notes"], str):
            facts.append(f"notes: {row['notes']}")
        rows = tuple(EvidenceRow(fact=fact) for fact in facts)
        return JobVerdict(job_id=row["job_id"], verdict=verdict, evidence=rows)

    return explain


AUDITS = (
    Audit(
        verdict="silent_downgrade",
        title_holds="Images are of a lower quality or another size than asked for",
        title_clear="Size and quality are as asked, as far as the answers tell",
        next_step="Take it up with the route's owner: ask for the shape that reached the model.",
        where=_downgraded,
        explain=_explain("silent_downgrade"),
    ),
    Audit(
        verdict="parameter_dropped",
        title_holds="Parameters were dropped on the way",
        title_clear="No parameter was dropped",
        next_step="Take it up with the route's owner: name the parameter and what came instead.",
        where=_dropped,
        explain=_explain("parameter_dropped"),
    ),
)
