"""What a diagnosis says: a verdict for every job, findings for the run, and one decision.

``diagnosis.json`` holds a `Diagnosis`, ``verdicts.jsonl`` one `JobVerdict` a line. Report and packet read these two.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import UsageProblem

DIAGNOSIS_FILE = "diagnosis.json"
VERDICTS_FILE = "verdicts.jsonl"

VerdictName = Literal[
    "ok",
    "long_model_wait",
    "false_timeout",
    "retry_pressure",
    "route_owner_delay",
    "connect_delay",
    "upload_bound",
    "download_bound",
    "render_bound",
    "stream_buffered",
    "moderation_input",
    "moderation_output",
    "parameter_mismatch",
    "model_not_found",
    "org_unverified",
    "auth",
    "quota",
    "account_block",
    "gateway_cooldown",
    "hidden_retries",
    "task_failed",
    "link_expired",
    "poll_delay",
    "silent_downgrade",
    "parameter_dropped",
    "incomplete_stream",
    "empty_success",
    "client_bound",
    "undetermined",
]

Grade = Literal["proven", "attributed", "inferred", "undetermined"]

DecisionKind = Literal[
    "widen_timeout",
    "move_to_async",
    "turn_on_streaming",
    "lower_complexity_for_drafts",
    "change_output_format",
    "split_high_resolution",
    "adjust_retry_backoff",
    "escalate_to_route_owner",
    "fix_request",
    "fix_account",
    "nothing",
    "none_justified",
]


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, in our words with figures and units, and which way it points."""

    fact: str
    points: Literal["for", "against", "context"] = "for"


class JobVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of one job. `layer`, `setting` and `cap_s` are those that gave up, where one did."""

    job_id: str
    verdict: VerdictName
    grade: Grade | None = None  # only where a layer gave up
    layer: str | None = None
    product: str | None = None
    setting: str | None = None
    cap_s: float | None = None
    cap_kind: str | None = None
    backend_finished: bool | None = None  # the other side's own record says the image was made anyway
    censored_at_ms: float | None = None  # the final image's clock was cut here: its true value is larger
    evidence: tuple[EvidenceRow, ...] = ()
    excluded: tuple[str, ...] = ()  # what looks alike, and why it is not that
    settle: str | None = None  # what evidence would settle it


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one audit found over the run. "Not shown" and "not applicable" are results too."""

    id: str
    title: str
    state: Literal["holds", "does_not_hold", "inconclusive", "not_applicable"]
    verdict: VerdictName | None = None
    route: str | None = None
    jobs: int = 0
    of_jobs: int = 0
    grade: Grade | None = None
    layer: str | None = None
    evidence: tuple[EvidenceRow, ...] = ()
    next_step: str | None = None
    job_ids: tuple[str, ...] = ()  # a few examples, worst first


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The one thing to do next, or that none is justified."""

    kind: DecisionKind
    sentence: str
    route: str | None = None
    layer: str | None = None
    setting: str | None = None
    from_s: float | None = None
    to_s: float | None = None


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict of a run."""

    schema_version: int = 1
    run_id: str
    headline: VerdictName
    answer: str  # one sentence
    conclusive: bool
    counts: dict[str, int]  # verdict → jobs
    findings: tuple[Finding, ...]
    decision: Decision
    unreadable_lines: int = 0
    backend_records: int = 0
    explained_jobs: int | None = None  # null: all. In a very large run only examples carry their evidence


def write_diagnosis(run_dir: Path, diagnosis: Diagnosis, verdict_lines: Iterable[bytes]) -> None:
    """Write both files; the verdicts first, so that a diagnosis never stands without them."""
    with (run_dir / VERDICTS_FILE).open("wb", buffering=1 << 20) as verdicts:
        verdicts.writelines(verdict_lines)
    text = msgspec.json.format(msgspec.json.encode(diagnosis), indent=2)
    (run_dir / DIAGNOSIS_FILE).write_bytes(text + b"\n")


def read_diagnosis(run_dir: Path) -> tuple[Diagnosis, list[JobVerdict]]:
    """Read what `write_diagnosis` wrote.

    Raises:
        UsageProblem: it is not there, or not ours.
    """
    try:
        diagnosis = msgspec.json.decode((run_dir / DIAGNOSIS_FILE).read_bytes(), type=Diagnosis)
        decoder = msgspec.json.Decoder(JobVerdict)
        verdicts = [decoder.decode(line) for line in (run_dir / VERDICTS_FILE).read_bytes().splitlines()]
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise UsageProblem(f"{run_dir}: no {name} here; run `harness diagnose {run_dir}` first") from None
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{run_dir}: {DIAGNOSIS_FILE} or {VERDICTS_FILE} cannot be read ({error})") from None
    return diagnosis, verdicts
