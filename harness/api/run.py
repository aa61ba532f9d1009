"""`Run`: a run in hand, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from harness.api import tables
from harness.api.select import mask
from harness.conditions import RunConditions
from harness.diagnosis.cap_clocks import Jobs
from harness.diagnosis.model import Diagnosis, JobVerdict
from harness.diagnosis.verdicts import Verdicts
from harness.errors import UsageProblem
from harness.events import LinkCheck
from harness.journal_lines import BadLine
from harness.metrics import BY_NAME
from harness.report.build import summarize
from harness.report.jobs import NOT_JUDGED, clock_curve, clock_times, is_in, join_verdicts
from harness.report.model import Summary
from harness.stats import Curve, Proportion, Quantile, proportion, survival
from harness.stats.beyond import Beyond, share_beyond
from harness.stats.censored import BoolArray
from harness.stats.compare import Arm, Effect, compare
from harness.stats.quantiles import FloatArray

CapKind = Literal["total", "first_byte", "idle"]
CAP_KINDS: tuple[CapKind, ...] = ("total", "first_byte", "idle")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Run:
    """A run, read once and never changed. Make one with `harness.load_run`.

    Clocks are in ms of the measured world: those of a simulated run are not sped up, whatever its `time_scale` was.

    Selectors are columns of `jobs` given by keyword, a value or several of which any will do:
    ``quality="high", route=["direct", "edge"]``. `format`, `compression` and `complexity` may be written short.
    A column or value that the run does not have is a `UsageProblem`, so that a typing error is never "no jobs".

    Attributes:
        path: where it was read from.
        conditions: what ``run.json`` says: plan, routes with their chains, caps, host (`RunConditions`).
        diagnosis: headline, findings with their evidence, and one decision (`Diagnosis`).
        diagnosed: ``before``, with ``harness diagnose``; or ``now``, in memory.
        planned: how many jobs the plan has; null for a journal without its run.
        bad_lines: lines of the journal that are no jobs, with number and reason.
    """

    path: Path
    conditions: RunConditions
    diagnosis: Diagnosis
    diagnosed: Literal["before", "now"]
    planned: int | None
    bad_lines: tuple[BadLine, ...]
    _frame: pd.DataFrame = field(repr=False)
    _verdicts: Verdicts = field(repr=False)
    _link_checks: tuple[LinkCheck, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        of = "" if self.planned is None else f" of {self.planned} planned"
        return f"<Run {self.conditions.run_id}: {len(self._frame)} jobs{of}, {self.diagnosis.headline}>"

    @property
    def jobs(self) -> pd.DataFrame:
        """One row a job, by ascending `job_id`: the columns of `harness.frame`, then those of the verdict.

        * what was asked for: `route`, `quality`, `size`, `output_format`, `n`, `stream`, … and `cell`, `block`;
        * how it ended: `outcome` (``image`` is success), `http_status`, `error_code`, `attempt_count`, `cost_usd`, …;
        * clocks in ms (`harness.metrics`), and marks of the last attempt in ms since the job's start (`mark_*_at_ms`);
        * `verdict_verdict`, `verdict_grade`, `verdict_layer`, `verdict_product`, `verdict_setting`, `verdict_cap_s`,
          `verdict_cap_kind`, `verdict_backend_finished`, and `verdict_censored_at_ms`: where the clock of the final
          image was cut. Its true value is larger; NaN for jobs that were not cut.

        Numbers that may be missing are NaN. The frame is yours: changing it does not change the run.
        """
        return self._jobs.copy(deep=False)  # pandas copies what is written to

    @cached_property
    def _jobs(self) -> pd.DataFrame:
        # Whole copies: a frame of a hundred pieces makes pandas warn whoever adds a column.
        return join_verdicts(self._frame, self._verdicts, without=frozenset()).copy()

    @cached_property
    def summary(self) -> Summary:
        """Everything that the report shows, as plain data (`harness.report.model.Summary`); made in memory."""
        return summarize(
            self.conditions, self._frame, self.diagnosis, self._verdicts, len(self.bad_lines), self._link_checks
        )

    def select(self, **where: object) -> pd.DataFrame:
        """The jobs that match all selectors; all jobs without any."""
        return self._jobs[mask(self._jobs, self.conditions, where)]

    def verdict(self, job_id: str) -> JobVerdict:
        """The verdict of one job with its evidence, what was excluded, and what would settle it.

        Raises:
            UsageProblem: there is no such job.
        """
        found = np.flatnonzero(self._verdicts.table["job_id"].to_numpy() == job_id)
        if not len(found):
            raise UsageProblem(f"this run has no job {job_id!r}; run.jobs.job_id lists them")
        return self._verdicts[int(found[0])]

    def curve(self, metric: str, /, **where: object) -> Curve:
        """The Kaplan-Meier curve of a clock: the share of jobs done by each moment, in ms.

        Jobs that brought their image count as done, cut ones as still under way at their cut, refused ones not at all.
        Only the clocks of the user's wait (`total_ms`, `final_image_ms`, `delivered_ms`, `response_ms`,
        `service_ms`, `first_partial_image_ms`, `first_event_ms`, `first_byte_ms`, `wait_ms`) can be cut; of any other
        the jobs that have a value count. No job at all gives a curve with `n` 0.

        Raises:
            UsageProblem: there is no such clock, column or value.
        """
        return clock_curve(self.select(**where), _clock(metric))

    def quantile(self, metric: str, p: float, /, **where: object) -> Quantile:
        """The p-quantile of a clock in ms, with its 95 % interval and whether there are enough jobs for it.

        `value` is null when too many jobs were cut for it to be told; `beyond` is then what it is larger than. A null
        `low` or `high` is open. `thin`: fewer than `floor` jobs; then `bound` holds with `bound_confidence`.

        Raises:
            UsageProblem: as `curve`, or `p` is not between 0 and 1.
        """
        if not 0 < p < 1:
            raise UsageProblem(f"a quantile lies strictly between 0 and 1, not at {p}: the median is 0.5")
        return self.curve(metric, **where).quantile(p)

    def beyond(self, metric: str, at_ms: float, /, **where: object) -> Beyond:
        """The share of jobs whose clock goes beyond `at_ms`, with its 95 % interval; null share: not estimable.

        Raises:
            UsageProblem: as `curve`, or `at_ms` is not above 0.
        """
        times, censored, counts = clock_times(self.select(**where), _clock(metric))
        return share_beyond(times[counts], censored[counts], _positive(at_ms, "at_ms"))

    def delivered(self, **where: object) -> Proportion:
        """How many of the jobs that were seen to their end brought the image asked for, with its 95 % interval.

        Jobs that we cancelled, and those whose answer nobody saw, are neither success nor failure.
        """
        jobs = self.select(**where)
        judged = ~is_in(jobs, "outcome", NOT_JUDGED)
        return proportion(int(is_in(jobs, "outcome", ("image",)).sum()), int(judged.sum()))

    def compare(
        self,
        *,
        a: Mapping[str, object],
        b: Mapping[str, object],
        metric: str = "final_image_ms",
        p: float = 0.5,
        min_effect: float = 0.05,
    ) -> Effect:
        """The jobs of `b` against those of `a` (selectors as mappings) at the p-quantile of a clock.

        Difference in ms and ratio, each with a 95 % interval, a p-value, and a verdict on b: faster, slower, no
        difference beyond `min_effect`, or inconclusive. After several comparisons put them through
        `harness.adjusted`. Blocks and prompts that both have are paired.

        Raises:
            UsageProblem: as `curve`; or a job is in both; or a share is not one.
        """
        if not (0 < p < 1 and 0 <= min_effect < 1):
            raise UsageProblem("p lies strictly between 0 and 1, min_effect from 0 to below 1")
        rows_a, rows_b = (mask(self._jobs, self.conditions, where) for where in (a, b))
        if (rows_a & rows_b).any():
            raise UsageProblem(f"{int((rows_a & rows_b).sum())} jobs are in a and in b; tell the two apart")
        return compare(self._arm(rows_a, metric), self._arm(rows_b, metric), p=p, min_effect=min_effect)

    def _arm(self, rows: BoolArray, metric: str) -> Arm:
        jobs = self._jobs[rows]
        times, censored, counts = clock_times(jobs, _clock(metric))
        prompts = pd.Index(pd.unique(self._jobs["prompt_hash"]))
        return Arm(
            times=times[counts],
            censored=censored[counts],
            block=jobs["block"].to_numpy(dtype=np.int64)[counts],
            prompt=prompts.get_indexer(pd.Index(jobs["prompt_hash"]))[counts].astype(np.int64),
        )

    def cells(self) -> pd.DataFrame:
        """One row a combination of the matrix, as in the report, with planned ones that were not come to.

        `cell`, `route`, `shape`, what was asked for (`quality`, `size`, `output_format`, `stream`), counts (`jobs`,
        `judged`, `completed`, `cut`), `cost_per_image_usd`, and for each of `final_image_p50`, `final_image_p90`,
        `first_byte_p50`, `first_partial_image_p50` and `server_p50`: ``…_ms``, its 95 % limits ``…_low_ms`` and
        ``…_high_ms`` (NaN: open), ``…_beyond_ms`` (larger than that, and not estimable), and ``…_thin``.
        """
        return tables.cells(self.summary.cells, self._jobs)

    def caps(self, route: str | None = None) -> pd.DataFrame:
        """The declared caps of a route (or of all): our own timeouts first, then its layers, outermost first.

        Columns: `route`, `layer`, `product`, `setting`, `kind` (total, first_byte, idle or connect), `cap_s` (NaN:
        not known or none).

        Raises:
            UsageProblem: the run has no such route.
        """
        return tables.caps(self.conditions, route)

    def cap_curve(self, kind: CapKind, /, **where: object) -> Curve:
        """How long jobs kept a kind of cap waiting, in ms: what a cap has to outlast. Cut jobs are censored.

        ``total``: from the first connection to the last byte. ``first_byte``: from the last byte sent to the first one
        of the answer. ``idle``: the longest silence.

        Raises:
            UsageProblem: there is no such kind, column or value.
        """
        return survival(*self._waited(kind, where))

    def cap_beyond(self, kind: CapKind, cap_s: float, /, **where: object) -> Beyond:
        """The share of jobs that a cap of this kind at `cap_s` would cut, were it the only one.

        Raises:
            UsageProblem: as `cap_curve`, or `cap_s` is not above 0.
        """
        times, censored = self._waited(kind, where)
        return share_beyond(times, censored, _positive(cap_s, "cap_s") * 1000)

    def _waited(self, kind: str, where: Mapping[str, object]) -> tuple[FloatArray, BoolArray]:
        if kind not in CAP_KINDS:
            raise UsageProblem(f"there is no cap of kind {kind!r}; write one of {', '.join(CAP_KINDS)}")
        table = pd.DataFrame({"censored_at_ms": self._jobs["verdict_censored_at_ms"]})
        jobs = Jobs(self.conditions, self._jobs, Verdicts(table, {}))
        clock = jobs.clock(kind, mask(self._jobs, self.conditions, where))
        return clock.times * 1000, clock.censored

    def sql(self, query: str, /) -> pd.DataFrame:
        """Any query over the tables ``jobs`` and ``cells`` (`jobs` and `cells()` here), in DuckDB's SQL.

        Mind that an average or a quantile in SQL knows nothing of cut jobs.

        Raises:
            UsageProblem: the query is not one that DuckDB can answer.
        """
        import duckdb

        # Nothing is fetched for a query, and nothing is looked for in the caller's variables.
        settings = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        with duckdb.connect(":memory:", config={**settings, "python_enable_replacements": False}) as connection:
            connection.register("jobs_as_they_are", self._jobs)
            connection.register("cells", self.cells())
            # Categories would be sorted in the order in which the journal named them.
            words = [f'"{name}"::VARCHAR AS "{name}"' for name in self._jobs.select_dtypes("category")]
            connection.execute(f"CREATE TEMP VIEW jobs AS SELECT * REPLACE ({', '.join(words)}) FROM jobs_as_they_are")
            try:
                return connection.execute(query).df()
            except duckdb.Error as error:
                raise UsageProblem(f"the query cannot be answered: {error}") from None


def _clock(metric: str) -> str:
    if metric not in BY_NAME:
        raise UsageProblem(f"there is no clock {metric!r}; write one of {', '.join(BY_NAME)}")
    return metric


def _positive(value: float, name: str) -> float:
    if not value > 0:
        raise UsageProblem(f"{name} is {value}; it has to be above 0")
    return value
