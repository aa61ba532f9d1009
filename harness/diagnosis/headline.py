"""The verdict of a run, and the sentence that says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from harness.diagnosis.case import Case, seconds
from harness.diagnosis.culprit import Culprit
from harness.diagnosis.model import Finding, VerdictName
from harness.diagnosis.verdicts import Verdicts

# By harm: what makes every job fail, then what is paid for and lost, then what fails, then what is slow.
BY_HARM: tuple[VerdictName, ...] = (
    "false_timeout",
    "incomplete_stream",
    "empty_success",
    "task_failed",
    "link_expired",
    "gateway_cooldown",
    "hidden_retries",
    "retry_pressure",
    "silent_downgrade",
    "parameter_dropped",
    "moderation_output",
    "moderation_input",
    "quota",
    "auth",
    "org_unverified",
    "account_block",
    "model_not_found",
    "parameter_mismatch",
    "route_owner_delay",
    "stream_buffered",
    "poll_delay",
    "client_bound",
    "connect_delay",
    "upload_bound",
    "download_bound",
    "render_bound",
    "long_model_wait",
)
BLOCKS_EVERYTHING: tuple[VerdictName, ...] = (
    "auth",
    "quota",
    "account_block",
    "org_unverified",
    "model_not_found",
    "parameter_mismatch",
)
WORTH_A_HEADLINE = 0.01  # of all jobs; a single stray job does not name the run

_SAID: dict[str, str] = {
    "incomplete_stream": "streams ended without their final image",
    "empty_success": "successes held no usable image",
    "gateway_cooldown": "were refused by a gateway in cooldown",
    "hidden_retries": "were tried again by a gateway behind one answer",
    "task_failed": "were taken on as tasks and failed",
    "link_expired": "ended in a link that could not be fetched",
    "poll_delay": "were seen late because of the pauses between polls",
    "retry_pressure": "met the rate limit",
    "silent_downgrade": "came back in another size or quality",
    "parameter_dropped": "came back with a parameter dropped",
    "moderation_output": "were filtered after full generation time",
    "moderation_input": "were rejected before generation",
    "quota": "were refused for quota or billing",
    "auth": "were refused for their key",
    "org_unverified": "were refused because the organisation is not verified",
    "account_block": "were refused because the account is blocked",
    "model_not_found": "named a model that this route does not know",
    "parameter_mismatch": "had a parameter that the route refuses",
    "route_owner_delay": "took longer than the same jobs on the most direct route",
    "stream_buffered": "had their partial images held back",
    "client_bound": "were blurred by our own machine",
    "connect_delay": "spent most of their time connecting",
    "upload_bound": "spent most of their time uploading",
    "download_bound": "spent most of their time downloading",
    "render_bound": "spent most of their time decoding",
    "long_model_wait": "waited long, and the wait was the model's own",
}


def headline(counts: Mapping[str, int], jobs: int, unexplained: int = 0) -> VerdictName:
    """The verdict that names the run. `unexplained`: jobs that failed, and nothing shows why."""
    if not jobs:
        return "undetermined"
    for name in BLOCKS_EVERYTHING:
        if counts.get(name, 0) * 2 > jobs:
            return name
    for name in BY_HARM:
        if counts.get(name, 0) >= max(1, WORTH_A_HEADLINE * jobs):
            return name
    if unexplained >= max(1, WORTH_A_HEADLINE * jobs):
        return "undetermined"
    return "ok" if counts.get("ok", 0) * 2 > jobs else "undetermined"


def answer(name: VerdictName, case: Case, verdicts: Verdicts, findings: Sequence[Finding], most: Culprit | None) -> str:
    """One sentence: what happened, where, how often, on what evidence. `most`: the cap that cut most, where one did."""
    total = len(case.jobs)
    if not total:
        return "Nothing was measured."
    well = int((verdicts.table["verdict"] == "ok").sum())
    if name == "ok":
        return f"All is well: {well} of {total} jobs completed without anything to explain."
    if name == "false_timeout" and most is not None:
        return _timeout(case, verdicts, most)
    here = [finding for finding in findings if finding.verdict == name]
    if name == "undetermined" and well:
        return (
            f"{well} of {total} jobs went well; what the others met is not shown, and each says what would settle it."
        )
    if name == "undetermined" or not here:
        return "The evidence does not show what happened; each job says what would settle it."
    top = max(here, key=lambda finding: finding.jobs)
    said = f"{top.jobs} of {top.of_jobs} jobs on route {top.route} {_SAID[name]}"
    if name == "route_owner_delay" and top.route in case.gaps:
        gap = case.gaps[top.route]
        said = f"Route {top.route} is {seconds(gap.median_gap_ms)} slower than {gap.direct} at the median, same shapes"
    return said[0].upper() + said[1:] + "."


def _timeout(case: Case, verdicts: Verdicts, most: Culprit) -> str:
    table = verdicts.table
    on_route = case.is_in("route", most.route)
    timeouts = (table["verdict"] == "false_timeout").to_numpy(dtype=bool)
    cut = table.iloc[most.rows[on_route[most.rows]]]
    products = cut["product"].dropna()
    product = str(products.iloc[0]) if len(products) else None
    who = f"{most.layer} ({product})" if product and product != most.layer else str(most.layer)
    at = "" if most.cap_s is None else f" at {most.cap_s:g} s"
    made = int((cut["backend_finished"] == True).sum())  # noqa: E712 - None is neither
    tail = f", and the backend made {made} of these images anyway" if made else ""
    share = f"{len(cut)} of {int(on_route.sum())} jobs"
    others, elsewhere = int((timeouts & on_route).sum()) - len(cut), int((timeouts & ~on_route).sum())
    more = f"; other caps in {others} more" if others else ""
    more += f"; {elsewhere} on other routes" if elsewhere else ""
    return f"False timeouts: on route {most.route}, {who} gave up{at} in {share}{tail} ({_graded(cut)}){more}."


def _graded(cut: pd.DataFrame) -> str:
    """How well that layer is shown: the one grade of its jobs, or how many there are of each."""
    counted = cut["grade"].value_counts()
    grades = [(str(grade), int(counted.get(grade, 0))) for grade in ("proven", "attributed", "inferred")]
    there = [(grade, count) for grade, count in grades if count]
    return there[0][0] if len(there) == 1 else ", ".join(f"{count} {grade}" for grade, count in there)
