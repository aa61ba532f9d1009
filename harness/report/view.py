"""What page and text have in common: which parts of a summary are said, and in which words."""

from __future__ import annotations

from harness.conditions import ClockProof
from harness.diagnosis.model import Decision, Finding
from harness.gateways import gateway_named
from harness.loads import ClosedRoute, remarks
from harness.report import format as fmt
from harness.report.model import CellRow, RunPart, Summary, ToldRow
from harness.stats import sample_floor

_GOOD = frozenset({"ok"})
_NEUTRAL = frozenset({"long_model_wait", "undetermined"})


def bad_headlines() -> frozenset[str]:
    """Verdicts that are drawn as something wrong: a long wait of the model's own is not."""
    from typing import get_args

    from harness.diagnosis.model import VerdictName

    return frozenset(get_args(VerdictName)) - _GOOD - _NEUTRAL


def decision_facts(decision: Decision) -> list[str]:
    """The decision in its parts, as far as it has them."""
    facts = [] if decision.kind in ("nothing", "none_justified") else [fmt.words(decision.kind)]
    if decision.route:
        facts.append(f"route {decision.route}")
    if decision.layer:
        facts.append(f"layer {decision.layer}")
    if decision.setting:
        facts.append(decision.setting)
    if decision.from_s is not None and decision.to_s is not None:
        facts.append(f"{fmt.seconds(decision.from_s)} → {fmt.seconds(decision.to_s)}")
    return facts


def rests_on(summary: Summary) -> Finding | None:
    """The finding that carries the headline: the one with most jobs among those that hold and bear its name.

    False timeouts are named by the cap that cut most jobs, which is not always on the route that lost most.
    """
    carrying = [
        finding
        for finding in summary.findings
        if finding.state == "holds" and finding.verdict == summary.answer.headline and finding.evidence
    ]
    if summary.answer.headline == "false_timeout":
        named = summary.answer.decision.route
        carrying = [finding for finding in carrying if finding.route == named] or carrying
    return max(carrying, key=lambda finding: finding.jobs, default=None)


def condition_rows(summary: Summary) -> list[tuple[str, str]]:
    """The conditions as title and value; what was not set is said to be so."""
    run, caps = summary.run, summary.run.caps
    named_caps = (
        ("connect", caps.connect_s),
        ("first byte", caps.first_byte_s),
        ("idle", caps.idle_s),
        ("total", caps.total_s),
    )
    limits = [fmt.money(run.budget_usd)] if run.budget_usd is not None else []
    limits += [f"{fmt.count(run.budget_jobs)} jobs"] if run.budget_jobs is not None else []
    world = (
        "real"
        if not run.simulated
        else f"simulated{f', profile {run.simulator_profile}' if run.simulator_profile else ''}"
    )
    own_caps = [f"{name} {fmt.seconds(cap)}" for name, cap in named_caps if cap is not None]
    lag = f"at most {fmt.duration(run.host_lag_max_ms)}" if run.host_lag_max_ms is not None else fmt.NOTHING
    not_sent = 0 if summary.stopped is None else summary.stopped.jobs_not_sent
    early = f", {fmt.count(not_sent)} not sent because their cells had told enough" if not_sent else ""
    return [
        ("Run", f"{run.run_id}, {run.status}{f', stopped by {run.stopped_by}' if run.stopped_by else ''}"),
        ("Scenario", f"{run.scenario}, sha256 {run.scenario_sha256[:12]}…"),
        ("Started", f"{fmt.moment(run.started_at)} (timezone {run.timezone})"),
        ("Took", f"{fmt.elapsed(run.started_at, run.finished_at)} on the wall clock"),
        ("World", world),
        ("Time scale", f"{run.time_scale:g}"),
        (
            "Jobs",
            f"{fmt.of(run.jobs, run.planned_jobs)} planned{early}, in {fmt.count(run.blocks)} blocks, seed {run.seed}",
        ),
        ("Axes", ", ".join(run.axes) or fmt.NOTHING),
        ("Common to all jobs", ", ".join(run.common) or fmt.NOTHING),
        ("Load", f"{_load(run)}, up to {run.retries} retries a job"),
        *[(f"Route {one.route} given up", _given_up(one)) for one in run.closed_routes],
        ("Our own caps", ", ".join(own_caps) or "none"),
        ("Budget", ", ".join(limits) or "none set"),
        ("Planned cost", fmt.money(run.planned_cost_usd)),
        ("Backend’s own records", fmt.count(run.backend_records) if run.backend_records else "none"),
        (
            "Host",
            f"Python {run.host.python}, {run.host.platform}, {run.host.cpus} CPUs, "
            f"openai {run.host.openai_sdk}, harness {run.host.harness}",
        ),
        ("Host lag", lag),
        ("Stamps", _stamps(run)),
        ("Clocks proven", _proof(run.clock_proof)),
    ]


def _load(run: RunPart) -> str:
    """The shape of the load, and what it did to the plan."""
    if run.load is None:
        return f"up to {run.concurrency} at a time"
    told = [] if run.load_result is None else remarks(run.load_result)
    return "; ".join([run.load.text(), *told])


def _given_up(one: ClosedRoute) -> str:
    saved = "" if one.usd_not_spent is None else f", {fmt.money(one.usd_not_spent)} not spent"
    return f"after {fmt.count(one.after_jobs)} jobs: {one.why}; {fmt.count(one.jobs_not_sent)} jobs not sent{saved}"


def _stamps(run: RunPart) -> str:
    known = f"; in 99 % of jobs within {fmt.duration(run.clock_error_p99_ms)}" if run.clock_error_p99_ms else ""
    return f"{run.stamp_source}{known}" if run.stamp_source else fmt.NOTHING


def _proof(proof: ClockProof | None) -> str:
    """The last self-test of the machine that measured."""
    if proof is None or not proof.rows:
        return "not on this machine: harness selftest"
    worst = {
        path: max((row.p99_ms for row in proof.rows if row.tls == tls), default=None)
        for path, tls in (("plain", False), ("over TLS", True))
    }
    told = ", ".join(f"{fmt.duration(p99)} {path}" for path, p99 in worst.items() if p99 is not None)
    kept = sum(row.kept is not False for row in proof.rows)
    return (
        f"{fmt.moment(proof.measured_at)}, harness {proof.harness}: p99 of the error at most {told}; "
        f"{fmt.of(kept, len(proof.rows))} promises kept"
    )


def told_way(row: ToldRow) -> list[str]:
    """What lies on the way that a reader must know before comparing this route."""
    ways = [f"after {model}: an extra model hop" for model in row.text_models]
    ways += [f"deployment {name}" for name in row.deployments]
    for name in row.gateways:
        found = gateway_named(name)
        ways.append(f"through {name if found is None else found.title}")
    if row.overhead_p50_ms is not None:
        ways.append(f"adds {fmt.duration(row.overhead_p50_ms)} by its own word")
    if row.cache_hits:
        ways.append(f"{fmt.of(row.cache_hits, row.jobs)} from its cache")
    return ways


def told_result(row: ToldRow) -> list[str]:
    """How the image comes, and how finely that can be seen."""
    told = [f"{fmt.of(row.by_link, row.delivered)} as a link" if row.by_link else "in the answer"]
    if row.download_p50_ms is not None and row.by_link:
        told.append(f"fetched in {fmt.duration(row.download_p50_ms)}")
    if row.poll_error_p50_ms is not None:
        told.append(f"seen up to {fmt.duration(row.poll_error_p50_ms)} late: polled")
    if row.callbacks:
        told.append(f"{fmt.count(row.callbacks)} callbacks came")
    if row.links_checked:
        told.append(f"{fmt.of(row.links_alive, row.links_checked)} later looks found the link alive")
    return told


def claims_sentence(summary: Summary) -> str:
    """How many claims fared how; those that no run can show are counted apart."""
    tested = [row for row in summary.hypotheses if row.testable]
    counts = [
        f"{fmt.count(sum(row.state == state for row in tested))} {fmt.words(state)}"
        for state in ("supported", "refuted", "not_shown")
    ]
    noun = "claim" if len(tested) == 1 else "claims"
    return f"Of {fmt.count(len(tested))} {noun} that a run can test: {', '.join(counts)}."


def chance_sentence(summary: Summary) -> str:
    """How many answers chance alone may have made wrong, and how many stand with all claims judged together."""
    answered = [row for row in summary.hypotheses if row.survives_holm is not None]
    if not answered:
        return "No claim is answered, so none is answered wrongly by chance."
    n, weak = len(answered), sum(row.survives_holm is False for row in answered)
    stand = (
        f"{fmt.count(weak)} of them, marked “alone”, would not stand with all claims judged together (Holm)."
        if weak
        else "All of them stand also with all claims judged together (Holm)."
    )
    noun = "answer is" if n == 1 else "answers are"
    return (
        f"{fmt.count(n)} {noun} given, each at 95 % by itself: by chance alone up to {0.05 * n:.2g} "
        f"({fmt.count(n)} × 5 %) may be wrong. {stand}"
    )


def selection(selector: dict[str, tuple[str, ...]]) -> str:
    """Which jobs, in words: "quality low, format png or webp"."""
    return (
        ", ".join(
            (" or ".join(values) if name == "cell" else f"{fmt.words(name)} {' or '.join(values)}")
            for name, values in selector.items()
        )
        or "all jobs"
    )


def floors_sentence() -> str:
    return ", ".join(f"{sample_floor(p)} for p{p * 100:g}" for p in (0.5, 0.9, 0.95, 0.99))


SUCCESSES_ONLY = (
    "“Successes only” stands where jobs were cut: the figure that leaves them out. It flatters, because the slowest "
    "jobs are the ones that were cut, so it falls the more of them are lost."
)


def clocks_note(summary: Summary) -> str:
    """What is to be known of the cells' times: figures of successes alone, and from when times count."""
    flatters = f"{SUCCESSES_ONLY} " if any(row.successes_p50_ms for row in summary.cells) else ""
    return flatters + response_sentence(summary)


def response_sentence(summary: Summary) -> str:
    """Whether there is a response time beside the service time, and if not, why."""
    if any(row.response_p50_ms is not None for row in summary.cells):
        return (
            "Final image is service time: it counts from when the job was sent. Response time counts from when the "
            "plan wanted it sent, so that what waited for its turn is seen."
        )
    return (
        "Times are service times: they count from when a job was sent. Its jobs were due at no moment (closed load), "
        "so there is no response time to set beside them."
    )


def heat_title(summary: Summary) -> str:
    heat = summary.heat
    return "" if heat is None else f"{heat.row_axis.capitalize()} × {heat.column_axis}"


_FEW_CELLS = 4  # more figures than this are a table, and there is one


def tiers_sentence(summary: Summary) -> str:
    """What the cells took and cost, where nothing on the way is to blame: what choosing a tier starts from.

    Empty where the headline is a fault, or where no cell has a median."""
    if summary.answer.headline in bad_headlines():
        return ""
    cells = [cell for cell in summary.cells if cell.final_image_p50_ms.value is not None]
    if not cells:
        return ""
    routes = {cell.route for cell in cells}
    named = [(cell, cell.shape if len(routes) == 1 else f"{cell.shape} on {cell.route}") for cell in cells]
    total = summary.totals
    done = (
        f"All {fmt.count(total.judged)} jobs completed"
        if total.completed == total.judged
        else f"{fmt.of(total.completed, total.judged)} jobs completed"
    )
    if len(named) <= _FEW_CELLS:
        return f"{done}; at the median {', '.join(_took(cell, name) for cell, name in named)}."
    # The ends of a range are where chance sits: a cell of few jobs is neither the fastest nor the slowest.
    enough = [one for one in named if not one[0].final_image_p50_ms.thin] or named
    by_time = sorted(enough, key=lambda one: one[0].final_image_p50_ms.value or 0.0)
    return f"{done}; from {_took(*by_time[0], verb='')} to {_took(*by_time[-1], verb='')} at the median of a cell."


def _took(cell: CellRow, name: str, verb: str = "took ") -> str:
    """ "low took 5.5 s (5.4 – 5.9 s, n 100) and $0.0060 an image"."""
    found = cell.final_image_p50_ms
    rests = ", ".join(part for part in (fmt.interval(found), fmt.basis(found)) if part)
    price = f" and {fmt.money(cell.cost_per_image_usd)} an image" if cell.cost_per_image_usd is not None else ""
    return f"{name} {verb}{fmt.estimate(found)} ({rests}){price}"
