"""Planted canaries: before a packet is written, one is made from inputs in which every open text is poisoned.

The real packet cannot show that a field is closed: its own values may happen to be harmless. So a twin is built from
the same job with a canary in place of, and then behind, every free string of events, conditions and diagnosis. When
one sings in any member, a hole was made in wall 1 and nothing is written.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from harness.diagnosis.model import JobVerdict
from harness.events import JobEvent
from harness.packet.inputs import RunInputs

CANARY = "Zq7KanarienvogelVx3"

_HINTS: dict[type, dict[str, Any]] = {}


def _closed(hint: Any) -> bool:
    """Whether a field's type is a Literal (or that or null): a closed word, which no canary can enter."""
    if get_origin(hint) in (Union, types.UnionType):
        return all(_closed(one) or one is type(None) for one in get_args(hint))
    return get_origin(hint) is Literal


def poison(value: Any, *, behind: bool) -> Any:
    """The same record with a canary in (or behind) every open string. Equal strings stay equal.

    In place, keys of dictionaries are poisoned too; behind, they stay, so that a known header carries a canary.
    """
    if isinstance(value, str):
        return f"{value}{CANARY}" if behind else f"{CANARY}{sum(value.encode('utf-8', 'replace')) % 997}x{len(value)}"
    if isinstance(value, msgspec.Struct):
        kind = type(value)
        hints = _HINTS.setdefault(kind, get_type_hints(kind))
        fresh = {
            name: poison(getattr(value, name), behind=behind)
            for name in value.__struct_fields__
            if not _closed(hints[name])
        }
        return msgspec.structs.replace(value, **fresh)
    if isinstance(value, tuple):
        return tuple(poison(one, behind=behind) for one in value)
    if isinstance(value, dict):
        return {key if behind else poison(key, behind=False): poison(one, behind=behind) for key, one in value.items()}
    return value


def poisoned(inputs: RunInputs, job: JobEvent) -> Iterator[tuple[RunInputs, JobEvent]]:
    """Twins of the inputs, with this job alone: canary instead of every text, canary behind every text."""
    for behind in (False, True):
        verdict = inputs.verdicts.get(job.job_id)
        twin: JobEvent = poison(job, behind=behind)
        verdicts: dict[str, JobVerdict] = {}
        if verdict is not None:
            verdicts[twin.job_id] = poison(verdict, behind=behind)
        fresh = RunInputs(
            conditions=poison(inputs.conditions, behind=behind),
            events=(twin,),
            diagnosis=poison(inputs.diagnosis, behind=behind),
            verdicts=verdicts,
            shrunk=None if inputs.shrunk is None else poison(inputs.shrunk, behind=behind),
        )
        yield fresh, twin
