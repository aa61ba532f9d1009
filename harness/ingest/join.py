"""Which records of several logs speak of the same job, and on what ground.

1. **By id.** Records that share a client request id, a request id, a call id or a trace id belong together, whoever
   wrote them, and so do records that are tied through a third. A value that one log repeats for many jobs (a constant,
   a session, a trace that asks for several images) is no id.
2. **By time, shape and route**, for a pair of logs of which less than half was joined by ids: within the measured
   offset of their clocks, the same shape where both say it, each other's nearest, and no second one within reach.

What cannot be told apart is not joined. The ground of every join is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from harness.ingest.skew import Skew, skew_of_pairs, skew_of_strangers, tolerance_s

IDS = ("client_request_id", "request_id", "call_id", "trace_id")
MOST_OF_ONE = 20  # records of one log with one id: retries of a job, not a constant
MOST_WHOLE = 2  # whole answers among them: nobody asks a third time for what came twice
DEPTH = {"client": 0, "proxy": 1, "gateway": 2, "upstream": 3}
_SHAPE = ("model", "quality", "size")

Ground = Literal["id", "time"]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Tie:
    """How two logs hang together. `outer` and `inner` are numbers of files; `ambiguous` had more than one candidate."""

    outer: int
    inner: int
    by_id: int
    by_time: int
    ambiguous: int
    skew: Skew


@dataclass(frozen=True)
class Joined:
    """`job`: for every record the number of its job, from 0. `ground`: for every record why it stands with others;
    empty where it stands alone. `offset_s`: for every record its writer's clock minus the first file's."""

    job: Rows
    ground: NDArray[np.object_]
    offset_s: NDArray[np.float64]
    ties: tuple[Tie, ...]
    doubtful: NDArray[np.bool_]  # of an inner log, and may be one of several jobs of an outer one: no job of its own


def join(table: pd.DataFrame) -> Joined:
    """Join sightings (`harness.ingest.sightings.COLUMNS`, and `file`, the number of the file) into jobs."""
    count = len(table)
    files = table["file"].to_numpy(dtype=np.int64)
    links = [_by_ids(table, files)]
    job = _components(count, links)
    ground = np.full(count, "", dtype=object)
    ground[_in_company(job)] = "id"
    depth = table["side"].map(DEPTH).fillna(1).to_numpy(dtype=np.int64)
    present = sorted(set(files.tolist()), key=lambda one: (int(depth[files == one].min()), one))
    ties = []
    doubtful = np.zeros(count, dtype=bool)
    for outer, inner in combinations(present, 2):
        tie, pairs, several = _tie(table, files, job, outer, inner)
        ties.append(tie)
        doubtful[several] = True
        if len(pairs):
            links.append(pairs)
            ground[pairs.ravel()[ground[pairs.ravel()] == ""]] = "time"
    job = _components(count, links)
    doubtful &= ~_in_company(job)
    return Joined(job, ground, _offsets(files, present, ties), tuple(ties), doubtful)


def _by_ids(table: pd.DataFrame, files: Rows) -> Rows:
    """Pairs of rows that share an id: each record with the first one that has it."""
    pieces = [
        pd.DataFrame(
            {
                "row": np.flatnonzero(table[name].notna()),
                "id": table[name].dropna().to_numpy(dtype=object),
                "trace": name == "trace_id",
            }
        )
        for name in IDS
    ]
    told = pd.concat(pieces, ignore_index=True)
    told = told[told["id"].str.len() >= 6].drop_duplicates(["row", "id"])
    if told.empty:
        return np.empty((0, 2), dtype=np.int64)
    told["file"] = files[told["row"].to_numpy(dtype=np.int64)]
    told["code"] = pd.factorize(told["id"])[0]
    told = told[~told["code"].isin(_repeated(table, told))]
    first = told.groupby("code")["row"].transform("first").to_numpy(dtype=np.int64)
    return np.column_stack([first, told["row"].to_numpy(dtype=np.int64)])


def _repeated(table: pd.DataFrame, told: pd.DataFrame) -> set[int]:
    """Codes of values that one log has for several jobs. A trace has them as soon as two of its records lie over each
    other, or one comes after a whole answer: tries of a job do neither."""
    told = told[
        told.duplicated(["code", "file"], keep=False)
    ]  # nearly all ids are one record's, and sorting takes time
    row = told["row"].to_numpy(dtype=np.int64)
    begun = table["started_at_s"].to_numpy(dtype=np.float64)[row]
    took, step = (
        np.nan_to_num(table[name].to_numpy(dtype=np.float64)[row]) for name in ("duration_ms", "started_step_s")
    )
    status = table["status"].to_numpy(dtype=np.float64)[row]
    cut = table["gave_up"].isin(["client", "self", "upstream"]).to_numpy()[row]
    seen = told.assign(begun=begun, end=begun + took / 1000, step=step, side=table["side"].to_numpy()[row],
                       whole=(status >= 200) & (status < 300) & ~cut)  # fmt: skip
    seen = seen.sort_values(["code", "file", "side", "begun"], kind="stable")
    one = seen.groupby(["code", "file", "side"], sort=False)
    size, whole = one["row"].transform("size"), one["whole"].transform("sum")
    last = one[["end", "step", "whole"]].shift()
    again = (last["end"] > seen["begun"] + last["step"] + seen["step"]) | last["whole"].eq(True)
    several = (size > MOST_OF_ONE) | (whole > MOST_WHOLE) | (seen["trace"] & (size > 1) & again)
    return set(seen.loc[several, "code"])


def _components(count: int, links: list[Rows]) -> Rows:
    """Numbers of the groups that the links make, in the order in which they first come."""
    pairs = np.concatenate([*links, np.empty((0, 2), dtype=np.int64)])
    graph = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(pd.factorize(labels)[0], dtype=np.int64)


def _in_company(job: Rows) -> NDArray[np.bool_]:
    return np.asarray(np.bincount(job)[job] > 1, dtype=bool) if job.size else np.zeros(0, dtype=bool)


def _tie(table: pd.DataFrame, files: Rows, job: Rows, outer: int, inner: int) -> tuple[Tie, Rows, Rows]:
    """The tie of two logs, the pairs that it adds, and rows of the inner one that fit several jobs."""
    none = np.empty(0, dtype=np.int64)
    a, b = np.flatnonzero(files == outer), np.flatnonzero(files == inner)
    start = table["started_at_s"].to_numpy(dtype=np.float64)
    step = float(np.nanmax([*table["started_step_s"].to_numpy()[a], *table["started_step_s"].to_numpy()[b], 0.0]))
    known = _known(job, a, b)
    skew: Skew | None = None
    if len(known) and _alike(table, a, b) and not _over_each_other(table, known):
        # What such logs share are tries of one job that met the one and then the other.
        skew = Skew(0.0, None, None, len(known), "parts of one log, or machines side by side: taken for one clock")
        return Tie(outer, inner, len(known), 0, 0, skew), none.reshape(0, 2), none
    if len(known):
        ends = _whole_end(table)
        one, two = known[:, 0], known[:, 1]
        skew = skew_of_pairs(start[one], ends[one], start[two], ends[two], step)
        if len(known) * 2 >= min(a.size, b.size):
            return Tie(outer, inner, len(known), 0, 0, skew), none.reshape(0, 2), none
    lonely_a, lonely_b = np.setdiff1d(a, known[:, 0]), np.setdiff1d(b, known[:, 1])
    lonely_a, lonely_b = lonely_a[~np.isnan(start[lonely_a])], lonely_b[~np.isnan(start[lonely_b])]
    if skew is None:
        kinds = _kinds(table, lonely_a, lonely_b)
        skew = skew_of_strangers(start[lonely_a], kinds[0], start[lonely_b], kinds[1], step)
    if skew.offset_s is None:
        # The same jobs twice, and nobody can say which: counted once, as the outer log has them.
        several = lonely_b if skew.rivals and not _alike(table, a, b) else none
        return Tie(outer, inner, len(known), 0, several.size, skew), none.reshape(0, 2), several
    pairs, several = _nearest(table, lonely_a, lonely_b, skew, step)
    if _alike(table, a, b) and not _took_the_same(table, pairs):
        skew = Skew(None, None, None, 0, "two machines side by side, or parts of one log, as far as can be seen")
        return Tie(outer, inner, len(known), 0, 0, skew), none.reshape(0, 2), none
    return Tie(outer, inner, len(known), len(pairs), several.size, skew), pairs, several


def _alike(table: pd.DataFrame, a: Rows, b: Rows) -> bool:
    """Whether both logs are of one product on one side: one behind the other, side by side, or one log in two parts."""
    return all(table[name].iloc[a[0]] == table[name].iloc[b[0]] for name in ("side", "writer"))


def _over_each_other(table: pd.DataFrame, pairs: Rows) -> bool:
    """Whether most pairs were under way at one time by their own clocks: one behind the other, and not a later try."""
    start, step = (table[name].to_numpy(dtype=np.float64) for name in ("started_at_s", "started_step_s"))
    end = start + np.nan_to_num(table["duration_ms"].to_numpy(dtype=np.float64)) / 1000
    one, two = pairs[:, 0], pairs[:, 1]
    slack = np.nan_to_num(step[one]) + np.nan_to_num(step[two])
    apart = (start[two] >= end[one] - slack) | (start[one] >= end[two] - slack)
    return bool(np.mean(apart) < 0.5)


def _took_the_same(table: pd.DataFrame, pairs: Rows) -> bool:
    """Whether one stands behind the other: nearly every whole answer took both the same time, to a quarter second."""
    took = table["duration_ms"].to_numpy(dtype=np.float64)
    ends = _whole_end(table)
    both = pairs[~np.isnan(ends[pairs[:, 0]]) & ~np.isnan(ends[pairs[:, 1]])]
    return len(both) >= 5 and bool(np.mean(np.abs(took[both[:, 0]] - took[both[:, 1]]) <= 250) >= 0.9)


def _known(job: Rows, a: Rows, b: Rows) -> Rows:
    """Pairs that stand in one job already: the first record of each file."""
    first_a = pd.Series(a, index=job[a]).groupby(level=0).first()
    first_b = pd.Series(b, index=job[b]).groupby(level=0).first()
    both = first_a.index.intersection(first_b.index)
    return np.column_stack([first_a.loc[both], first_b.loc[both]]).astype(np.int64).reshape(-1, 2)


def _whole_end(table: pd.DataFrame) -> NDArray[np.float64]:
    """When a whole answer was over, by the writer's clock; NaN where the answer was cut or the end is not known."""
    status = table["status"].to_numpy(dtype=np.float64)
    cut = table["gave_up"].isin(["client", "self", "upstream"]).to_numpy()
    end = table["started_at_s"].to_numpy(dtype=np.float64) + table["duration_ms"].to_numpy(dtype=np.float64) / 1000
    return np.where((status >= 200) & (status < 300) & ~cut, end, np.nan)


def _kinds(table: pd.DataFrame, a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """A number for each shape, over the fields that both logs tell; -1 where nothing is told."""
    told = [name for name in _SHAPE if table[name].iloc[a].notna().any() and table[name].iloc[b].notna().any()]
    if not told:
        return np.full(a.size, -1, dtype=np.int64), np.full(b.size, -1, dtype=np.int64)
    shape = table[told].astype(object).fillna("?").agg("\0".join, axis=1)
    codes = pd.factorize(pd.concat([shape.iloc[a], shape.iloc[b]]))[0].astype(np.int64)
    return codes[: a.size], codes[a.size :]


def _nearest(table: pd.DataFrame, a: Rows, b: Rows, skew: Skew, step_s: float) -> tuple[Rows, Rows]:
    """Pairs that are each other's only candidate under the offset; and rows of `b` that had a candidate, not alone."""
    assert skew.offset_s is not None
    start = table["started_at_s"].to_numpy(dtype=np.float64)
    reach = tolerance_s(skew, step_s)
    kind_a, kind_b = _kinds(table, a, b)
    order = np.argsort(start[b], kind="stable")
    sorted_b = start[b][order] - skew.offset_s
    first = np.searchsorted(sorted_b, start[a] - reach, side="left")
    last = np.searchsorted(sorted_b, start[a] + reach, side="right")
    sizes = last - first
    rows = np.repeat(np.arange(a.size), sizes)
    columns = order[np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(first, sizes)]
    fits = (kind_a[rows] == kind_b[columns]) | (kind_a[rows] < 0) | (kind_b[columns] < 0)
    fits &= _durations_agree(table, a[rows], b[columns], reach)
    rows, columns = rows[fits], columns[fits]
    alone = (np.bincount(rows, minlength=a.size)[rows] == 1) & (np.bincount(columns, minlength=b.size)[columns] == 1)
    several = np.unique(b[columns[~alone]])
    return np.column_stack([a[rows[alone]], b[columns[alone]]]).astype(np.int64).reshape(-1, 2), several


def _durations_agree(table: pd.DataFrame, one: Rows, two: Rows, reach_s: float) -> NDArray[np.bool_]:
    """An inner side that answered whole was not longer at it than an outer side that got the whole answer."""
    ends = _whole_end(table)
    took = table["duration_ms"].to_numpy(dtype=np.float64) / 1000
    both = ~np.isnan(ends[one]) & ~np.isnan(ends[two])
    return np.asarray(~both | (np.abs(took[two] - took[one]) <= 2 * reach_s + 0.1 * took[one]), dtype=bool)


def _offsets(files: Rows, present: list[int], ties: list[Tie]) -> NDArray[np.float64]:
    """Each file's clock against the outermost one's, along the ties that tell it."""
    offset = {present[0]: 0.0} if present else {}
    for _ in present:
        for tie in ties:
            if tie.skew.offset_s is None:
                continue
            if tie.outer in offset and tie.inner not in offset:
                offset[tie.inner] = offset[tie.outer] + tie.skew.offset_s
            elif tie.inner in offset and tie.outer not in offset:
                offset[tie.outer] = offset[tie.inner] - tie.skew.offset_s
    return np.array([offset.get(int(one), np.nan) for one in files], dtype=np.float64)
