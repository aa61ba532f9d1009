"""Policies side by side, as a table for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.estimate import Estimate
from harness.policies.model import Limits, Load
from harness.policies.results import PolicyResult, WhatIf

NEVER = "never"
UNKNOWN = "–"
RESTS_ON_A_RULE = 0.05  # share of draws beyond what was measured from which a row is marked
END_WORDS = {
    "image": "image",
    "timeout": "our timeout",
    "cut": "cut by a layer",
    "deadline": "user walked away",
    "bad": "no image in the answer",
    "connect": "no connection",
}


@dataclass(frozen=True)
class _Column:
    head: str
    of: Callable[[PolicyResult], Estimate]
    words: Callable[[float], str]
    open_end: str  # what a null value or limit stands for


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share in (0, 1) or 0.1 <= share <= 0.9 else f"{100 * share:.1f} %"


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 99.5 else f"{value:.1f} s"


def _usd(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.2f}"


def _per_100(value: float) -> str:
    return f"{100 * value:.0f}" if value == 0 or value >= 0.1 else f"{100 * value:.1f}"


def _columns(previews: bool) -> list[_Column]:
    columns = [
        _Column("images", lambda one: one.success_share, _percent, UNKNOWN),
        _Column("p50", lambda one: one.final_p50_s, _seconds, NEVER),
        _Column("p95", lambda one: one.final_p95_s, _seconds, NEVER),
    ]
    if previews:
        columns.append(_Column("first seen p50", lambda one: one.seen_p50_s, _seconds, NEVER))
    return [
        *columns,
        _Column("USD/job", lambda one: one.usd_per_job, _usd, UNKNOWN),
        _Column("USD/image", lambda one: one.usd_per_image, _usd, UNKNOWN),
        _Column("duplicates*", lambda one: one.duplicates, _per_100, UNKNOWN),
        _Column("orphans*", lambda one: one.orphans, _per_100, UNKNOWN),
        _Column("429s*", lambda one: one.refused, _per_100, UNKNOWN),
    ]


def _figure(column: _Column, one: PolicyResult) -> str:
    value = column.of(one).value
    return column.open_end if value is None else column.words(value)


def _interval(column: _Column, one: PolicyResult) -> str:
    found = column.of(one)
    if found.low is None and found.high is None:
        return ""
    low, high = (column.open_end if end is None else column.words(end) for end in (found.low, found.high))
    if low == high == _figure(column, one):
        return ""
    unit = next((unit for unit in (" %", " s") if low.endswith(unit) and high.endswith(unit)), "")
    return f"{low.removesuffix(unit)} – {high}" if unit else f"{low} – {high}"


def load_words(load: Load) -> str:
    """ "6 jobs a minute (poisson), 500 jobs a replication"."""
    if load.rate is not None:
        each = f"{load.rate * 60:g} jobs a minute ({load.arrivals})"
    else:
        each = f"{load.concurrency or 1} at a time"
    return f"{each}, {load.jobs} jobs a replication"


def limit_words(limits: Limits) -> str:
    """ "5 images a minute, 3 at a time", or that there are none."""
    parts = []
    if limits.images_per_minute is not None:
        parts.append(f"{limits.images_per_minute} images a minute")
    if limits.requests_per_minute is not None:
        parts.append(f"{limits.requests_per_minute} requests a minute")
    if parts and limits.refused_count:
        parts[-1] += " (refused ones count)"
    if limits.concurrent is not None:
        line = "then a queue" if limits.when_full == "queue" else "orphans among them" * limits.orphans_hold
        parts.append(f"{limits.concurrent} at a time" + (f" ({line})" if line else ""))
    return ", ".join(parts) or "none"


def _notes(found: WhatIf) -> list[str]:
    notes = [
        "* by a hundred jobs. Ranges hold 95 % of replications. p50 and p95 are over all jobs; one without an image is "
        "never done."
    ]
    for one in found.policies:
        lost = [
            f"{_percent(share)} {END_WORDS.get(end, end)}" for end, share in one.end_shares.items() if end != "image"
        ]
        if lost:
            notes.append(f"{one.policy}: without an image {', '.join(lost)}")
    for one in found.policies:
        if one.beyond_share > 0:
            weight = "rests on a rule, not on measurement" if one.beyond_share > RESTS_ON_A_RULE else "by the tail rule"
            notes.append(
                f"{one.policy}: {_percent(one.beyond_share)} of generations lie beyond what was measured: {weight}"
            )
    return notes


def printed(found: WhatIf, *, markdown: bool) -> str:
    """The table, what it rests on and what is assumed. Ends with a newline."""
    seen = any(one.seen_p50_s != one.final_p50_s for one in found.policies)
    columns = _columns(seen)
    heads = ["policy", *(column.head for column in columns)]
    lines = [
        f"times: {found.source}",
        f"load: {found.load}; limits of each route: {found.limits}; seed {found.seed}",
        "",
    ]
    if markdown:
        lines = [f"{line}  " if line else line for line in lines]
        rows = []
        for one in found.policies:
            cells = [_figure(column, one) for column in columns]
            ranges = [_interval(column, one) for column in columns]
            rows.append([_marked(one), *(f"{cell} ({told})" if told else cell
                                         for cell, told in zip(cells, ranges, strict=True))])  # fmt: skip
        lines += ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *rows)]
    else:
        table: list[Sequence[str]] = [heads]
        for one in found.policies:
            table.append([_marked(one), *(_figure(column, one) for column in columns)])
            table.append(["", *(_interval(column, one) for column in columns)])
        lines += _aligned(table)
    lines += ["", *(f"- {note}" if markdown else note for note in _notes(found))]
    if found.assumed:
        lines += ["", "Assumed, not measured:", *([""] if markdown else []), *(f"- {one}" for one in found.assumed)]
    if found.jobs_per_s is not None:
        lines += ["", f"simulated {found.jobs_per_s:,.0f} jobs a second"]
    return "\n".join(lines) + "\n"


def _marked(one: PolicyResult) -> str:
    return f"{one.policy} ~" if one.beyond_share > RESTS_ON_A_RULE else one.policy


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]
    return [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
