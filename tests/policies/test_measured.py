"""Worlds out of runs: cut jobs stay cut jobs, layers that cut keep cutting, and what nobody measured is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.conditions import LayerCap, RouteConditions
from harness.errors import UsageProblem
from harness.events import ApiError, Attempt, JobEvent, Marks
from harness.policies import PolicyFile
from harness.policies.build import build_world
from harness.policies.laws import Halves, Measured
from harness.policies.model import Load, Policy
from harness.policies.results import PolicyResult
from harness.policies.simulate import simulate
from harness.policies.world import World
from harness.stats import survival
from tests.policies.worlds import policy
from tests.report.build_run import conditions, cut_by_nginx, job, of_events

LOAD = Load(rate=0.01, arrivals="constant", jobs=400)


def local_cut(number: int, seconds: float, **more: Any) -> JobEvent:
    """A job that our own cap on the whole attempt ended."""
    event = job(number, seconds=seconds, outcome="cut", status=None, cost_basis="maybe_billed", **more)
    last = msgspec.structs.replace(event.attempts[-1], ended="local_cap", cap="total", cap_ms=seconds * 1000)
    return msgspec.structs.replace(event, ended="local_cap", attempts=(*event.attempts[:-1], last))


def file_of(*policies: dict[str, Any], **more: Any) -> PolicyFile:
    named = [{"name": f"p{index}", **one} for index, one in enumerate(policies or ({},))]
    return PolicyFile.model_validate({"load": {"concurrency": 1}, "policies": named, **more})


def result(world: World, done: Policy | None = None, **more: Any) -> PolicyResult:
    return simulate(done or policy(), world, LOAD, 1, **{"replications": 12, **more})


def written(tmp_path: Path, *events: JobEvent, **changes: Any) -> Path:
    run = of_events(list(events))
    run.conditions = msgspec.structs.replace(run.conditions, **changes)
    return run.write(tmp_path / "run")


def test_jobs_that_fail_however_often_they_are_sent_count_once(tmp_path: Path) -> None:
    """17 of 40 jobs went well at once, and 23 failed five times in a row: a client that sends once gets 17 of 40."""
    stubborn = ((500, 2000.0),) * 4
    events = [job(n, seconds=20, block=n) for n in range(17)]
    events += [
        job(n, seconds=2, block=n, outcome="error", status=500, retry_count=4, earlier=stubborn) for n in range(17, 40)
    ]
    world = build_world(file_of(), run_dir=written(tmp_path, *events))
    found = result(world)
    assert found.success_share.value == pytest.approx(17 / 40, abs=0.03)


def test_lines_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    run = written(tmp_path, *(job(n, seconds=20, block=n) for n in range(12)))
    with (run / "events.jsonl").open("a") as journal:
        journal.write('{"event": "image_job"}\n')
    world = build_world(file_of(), run_dir=run)
    assert "1 lines of the run are no events and are left out, events.jsonl:13 first" in world.assumed


def test_a_timeout_lets_through_the_kaplan_meier_share_under_it(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    times = dice.lognormal(np.log(190), 0.2, 200)
    caps = dice.uniform(150, 400, 200)  # of 200 jobs some were cut, each at a moment of its own
    events = [
        job(n, seconds=float(t), block=n) if t < cap else local_cut(n, float(cap), block=n)
        for n, (t, cap) in enumerate(zip(times, caps, strict=True))
    ]
    world = build_world(file_of(), run_dir=written(tmp_path, *events))
    curve = survival(np.minimum(times, caps), times >= caps)
    share = float(curve.cdf[np.searchsorted(curve.x, 240.0, side="right") - 1])
    naive = float(np.mean(times[times < caps] < 240))
    assert abs(naive - share) > 0.03  # leaving cut jobs out would say something else
    found = result(world, policy(timeout=240), replications=60)
    assert found.success_share.value == pytest.approx(share, abs=0.02)
    assert found.success_share.low is not None
    assert found.success_share.high is not None
    assert found.success_share.low < share < found.success_share.high
    low, high = (float(side[np.searchsorted(curve.x, 240.0) - 1]) for side in curve.limits())
    # The interval is about as wide as Greenwood's, not as narrow as thousands of simulated jobs would have it.
    assert found.success_share.high - found.success_share.low == pytest.approx(high - low, rel=0.5)


def test_a_draw_beyond_the_last_observation_is_counted_and_follows_the_stated_rule() -> None:
    law = Measured(np.array([50.0, 60, 60, 60]), np.array([False, True, True, True]))
    times, beyond = law.draw(np.random.default_rng(2), 40_000)
    assert beyond.mean() == pytest.approx(0.75, abs=0.01)
    assert (times[~beyond] == 50).all()
    assert (times[beyond] > 60).all()
    # S(t) = S(L)^(t/L): at twice L three quarters of what was left, and so on
    assert np.mean(times > 120) == pytest.approx(0.75**2, abs=0.01)


def test_a_profile_beside_a_run_says_what_lies_beyond_it() -> None:
    tail = Halves(195.0, 0.1, 0.13, 145.0, 280.0)
    law = Measured(np.array([60.0] * 30), np.ones(30, dtype=np.bool_), tail)
    times, beyond = law.draw(np.random.default_rng(2), 20_000)
    assert beyond.all()
    assert np.median(times) == pytest.approx(195, rel=0.01)
    late = tail.beyond(220.0, np.random.default_rng(2), 20_000)
    plain, _ = tail.draw(np.random.default_rng(3), 400_000)
    assert late is not None
    assert np.median(late) == pytest.approx(np.median(plain[plain > 220]), rel=0.01)
    assert tail.beyond(280.0, np.random.default_rng(2), 5) is None


def test_declared_layers_cut_in_the_simulated_world_and_one_of_them_can_be_widened(tmp_path: Path) -> None:
    cut = [cut_by_nginx(n, seconds=60.1, block=n)[0] for n in range(15)]
    fast = [job(100 + n, route="edge", quality="high", seconds=40 + n, block=20 + n) for n in range(15)]
    route = RouteConditions(name="edge", kind="images", owner="reverse", chain=(LayerCap(layer="nginx", cap_s=60.0),))
    run = written(tmp_path, *cut, *fast, routes=(route,))
    world = build_world(file_of(), run_dir=run)
    assert [(layer.layer, layer.cap) for layer in world.routes["edge"].layers] == [("nginx", 60.0)]
    assert not world.routes["edge"].main.failures
    as_it_is = result(world)
    assert as_it_is.success_share.value == pytest.approx(0.5, abs=0.05)
    assert as_it_is.end_shares["cut"] == pytest.approx(0.5, abs=0.05)
    assert as_it_is.beyond_share > 0.3
    wider = result(world, policy(caps={"nginx": None}))
    assert wider.success_share.value == 1.0


def test_a_layer_that_nobody_declared_is_found_in_the_cuts_and_said(tmp_path: Path) -> None:
    cut = [cut_by_nginx(n, seconds=60 + n / 100, block=n)[0] for n in range(15)]
    run = written(tmp_path, *cut, *(job(50 + n, route="edge", quality="high", seconds=45 + n) for n in range(10)))
    world = build_world(file_of({"caps": {"found-60s": 360}}), run_dir=run)
    assert world.routes["edge"].layers[0].cap == pytest.approx(60, abs=0.2)
    assert any("found-60s" in one for one in world.assumed)
    with pytest.raises(UsageProblem, match="no layer proxy with a cap; write found-60s"):
        build_world(file_of({"caps": {"proxy": 360}}), run_dir=run)


def test_cuts_that_nothing_explains_come_again_as_often(tmp_path: Path) -> None:
    events = [job(n, seconds=30, block=n) for n in range(30)]
    odd = [job(100 + n, seconds=5 + 7 * n, outcome="cut", status=None, block=50 + n) for n in range(3)]
    world = build_world(file_of(), run_dir=written(tmp_path, *events, *odd))
    found = result(world)
    assert found.end_shares["cut"] == pytest.approx(3 / 33, abs=0.03)
    assert any("cuts on direct" in one for one in world.assumed)


def test_failures_come_as_often_and_as_late_as_they_did_and_moderation_belongs_to_the_prompt(tmp_path: Path) -> None:
    moderated = ApiError(type="image_generation_user_error", code="moderation_blocked", moderation_stage="input")
    events = [
        *(job(n, seconds=20, block=n) for n in range(24)),
        *(job(50 + n, seconds=4, outcome="error", status=500, block=50 + n) for n in range(8)),
        *(job(80 + n, seconds=1, outcome="error", status=400, error=moderated, block=80 + n) for n in range(8)),
    ]
    world = build_world(file_of(), run_dir=written(tmp_path, *events))
    (failure,) = world.routes["direct"].main.failures
    assert (failure.end, failure.share, set(failure.after_s)) == ("5xx", 0.25, {4.0})
    assert world.moderation == 0.2
    found = result(world, policy(retry={"max": 8, "pause": 0, "on": ["error"]}))
    assert found.end_shares == pytest.approx({"image": 0.8, "moderation": 0.2}, abs=0.03)


def test_refusals_of_a_run_are_left_out_where_limits_are_simulated(tmp_path: Path) -> None:
    events = [job(n, seconds=20, earlier=((429, 2000.0),), block=n) for n in range(20)]
    run = written(tmp_path, *events)
    free = build_world(file_of(), run_dir=run)
    assert [(one.end, one.share) for one in free.routes["direct"].main.failures] == [("429", 0.5)]
    assert any("whatever the load" in one for one in free.assumed)
    limited = build_world(file_of(limits={"images_per_minute": 50}), run_dir=run)
    assert not limited.routes["direct"].main.failures
    times, _ = limited.routes["direct"].main.law.draw(np.random.default_rng(0), 10)
    assert times == pytest.approx(20.0)  # of the attempt that brought it, without the pause before


def test_few_jobs_without_a_failure_do_not_promise_that_none_ever_fails(tmp_path: Path) -> None:
    few = result(build_world(file_of(), run_dir=written(tmp_path, *(job(n, block=n) for n in range(12)))),
                 replications=60)  # fmt: skip
    assert few.success_share.value == 1.0
    assert few.success_share.low is not None
    assert few.success_share.low < 0.93
    many = result(build_world(file_of(), run_dir=written(tmp_path, *(job(n, block=n) for n in range(600)))),
                  replications=60)  # fmt: skip
    assert many.success_share.low is not None
    assert many.success_share.low > 0.985


def test_what_a_run_does_not_hold_is_refused_with_the_way_out(tmp_path: Path) -> None:
    run = written(tmp_path, *(cut_by_nginx(n, seconds=60.1)[0] for n in range(12)))
    with pytest.raises(UsageProblem, match=r"no image came in 12 jobs.*same_as"):
        build_world(file_of(), run_dir=run)
    with pytest.raises(UsageProblem, match="route B is neither in the run nor"):
        build_world(file_of({"fallback": {"route": "B", "after": 30}}), run_dir=run)
    mixed = written(tmp_path, job(1, quality="low"), job(2, quality="high"))
    with pytest.raises(UsageProblem, match="several cells of route direct fit"):
        build_world(file_of(), run_dir=mixed)
    with pytest.raises(UsageProblem, match="no job of the shape medium in the run"):
        build_world(file_of(shape={"quality": "medium"}), run_dir=mixed)
    with pytest.raises(UsageProblem, match="give a RUN, or --profile"):
        build_world(file_of())
    with pytest.raises(UsageProblem, match="has no figure for any shape"):
        build_world(file_of(), profile="tuning-article")


def test_a_declared_route_has_the_times_of_another_and_its_own_layers(tmp_path: Path) -> None:
    cut = [cut_by_nginx(n, seconds=60 + n / 100, block=n)[0] for n in range(12)]
    direct = [job(50 + n, quality="high", seconds=190 + n, block=n) for n in range(12)]
    file = file_of({"route": "edge"}, {"route": "edge", "caps": {"found-60s": 360}},
                   routes={"direct": {}, "edge": {"same_as": "direct"}})  # fmt: skip
    world = build_world(file, run_dir=written(tmp_path, *cut, *direct))
    assert [result(world, one).success_share.value for one in file.policies] == [0.0, 1.0]


def test_prices_are_those_that_the_run_saw_or_else_the_list(tmp_path: Path) -> None:
    paid = [job(n, quality="high", cost_usd=0.5) for n in range(12)]
    assert build_world(file_of(), run_dir=written(tmp_path, *paid)).routes["direct"].main.usd == 0.5
    listed = build_world(file_of(shape={"quality": "high", "size": "1024x1024"}), profile="tuning-article")
    assert listed.routes["api"].main.usd == pytest.approx(0.211, abs=0.001)
    assert listed.routes["api"].main.partial_usd == pytest.approx(0.003)


def test_a_price_is_that_of_one_generation_without_retries_and_previews(tmp_path: Path) -> None:
    shape = {"quality": "high", "size": "1024x1024", "model": "gpt-image-2"}
    again = [job(n, cost_usd=0.9, earlier_attempts_usd=0.4, retry_count=2, **shape) for n in range(12)]
    world = build_world(file_of(), run_dir=written(tmp_path, *again))
    assert world.routes["direct"].main.usd == pytest.approx(0.5)
    streamed = [job(n, cost_usd=0.22, cost_basis="estimate", stream=True, partial_images=3, **shape) for n in range(12)]
    run = written(tmp_path / "streamed", *streamed)
    world = build_world(file_of({"stream": {"partial_images": 3}}), run_dir=run)
    source = world.routes["direct"].streamed
    assert source is not None
    assert source.partial_usd is not None
    assert source.usd == pytest.approx(0.22 - 3 * source.partial_usd)
    found = result(world, policy(stream={"partial_images": 3}))
    assert found.usd_per_job.value == pytest.approx(0.22, abs=0.002), "what the run paid for just this"


def test_jobs_whose_end_nobody_saw_do_not_thin_out_the_failures(tmp_path: Path) -> None:
    ended = [*(job(n) for n in range(10)), *(job(n, outcome="error", status=503) for n in range(10, 20))]
    lost = Attempt(number=1, client_request_id="c", marks=Marks(started_at_ms=0.0, ended_at_ms=0.0), ended="unseen")
    unknown = {"outcome": "unknown", "ended": "unseen", "total_ms": None, "attempts": (lost,)}
    unseen = [msgspec.structs.replace(job(n), **unknown) for n in range(20, 40)]
    world = build_world(file_of(), run_dir=written(tmp_path, *ended, *unseen))
    assert [one.share for one in world.routes["direct"].main.failures] == [0.5]


def test_the_price_of_a_request_is_not_that_of_the_retries_before_it(tmp_path: Path) -> None:
    again = [
        job(n, earlier=((504, 2000.0),), retry_reason="504", cost_usd=0.12, earlier_attempts_usd=0.06)
        for n in range(12)
    ]
    world = build_world(file_of(), run_dir=written(tmp_path, *again))
    assert world.routes["direct"].main.usd == pytest.approx(0.06)


def test_prompts_that_came_before_are_the_share_that_a_cache_hits(tmp_path: Path) -> None:
    run = written(tmp_path, *(job(n, prompt_hash=f"h{n % 3}") for n in range(12)))
    world = build_world(file_of({"cache": {}}), run_dir=run)
    assert world.repeated == 0.75
    found = result(world, policy(cache={}))
    assert found.sent.value == pytest.approx(0.25, abs=0.03)
    assert any("repeats its prompts on purpose" in one for one in world.assumed)


def test_the_same_seed_gives_the_same_figures_and_another_one_others(tmp_path: Path) -> None:
    world = build_world(file_of(), run_dir=written(tmp_path, *(job(n, seconds=20 + n, block=n) for n in range(30))))
    assert result(world, policy(timeout=35)) == result(world, policy(timeout=35))
    assert result(world, policy(timeout=35)) != simulate(policy(timeout=35), world, LOAD, 2, replications=12)


def test_conditions_without_a_journal_are_no_run(tmp_path: Path) -> None:
    run = written(tmp_path, job(1))
    (run / "events.jsonl").unlink()
    with pytest.raises(UsageProblem, match=r"no events\.jsonl here"):
        build_world(file_of(), run_dir=run)
    assert conditions().run_id
