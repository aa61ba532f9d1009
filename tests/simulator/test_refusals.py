"""Refusals that somebody acts on, and requests that are no requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from harness.prices import image_tokens
from harness.simulator.limits import ImagesPerMinute
from harness.simulator.process import spawn
from harness.simulator.refusals import rate_limited
from harness.simulator.requests import KNOWN, OPENAI, Refused, Rules, validate
from tests.simulator.asking import HEADERS, LOW, post, truths


def test_who_comes_back_after_retry_after_is_let_in() -> None:
    limit = ImagesPerMinute(1)
    assert limit.admit(0.3, 1) is None
    found = limit.admit(20.0, 1)
    assert found is not None
    used, wait_s = found
    refused = rate_limited(1, used, 1, wait_s)
    assert 40 < wait_s < 40.5  # rounding to the nearest second would be too early
    assert refused.headers["retry-after"] == "41"
    assert "Please try again in 41s." in refused.body["error"]["message"]
    assert float(refused.headers["retry-after-ms"]) >= wait_s * 1000
    assert limit.admit(20.0 + int(refused.headers["retry-after"]), 1) is None


def test_every_wait_that_is_told_is_as_long_as_the_wait_that_is_meant() -> None:
    with spawn({"time_scale": 40, "layers": {"tier": {"images_per_minute": 1}}}) as sim:
        assert post(sim, "tier", LOW).status_code == 200
        for _ in range(6):
            reply = post(sim, "tier", LOW)
            assert reply.status_code == 429
            meant_s = float(reply.headers["x-ratelimit-reset-input-images"].removesuffix("s"))
            assert int(reply.headers["retry-after"]) >= meant_s
            assert int(reply.headers["retry-after-ms"]) >= meant_s * 1000 - 1  # the header that is meant has 3 digits
            assert f"try again in {reply.headers['retry-after']}s." in reply.json()["error"]["message"]


def test_a_fault_says_its_wait_rounded_up_as_well() -> None:
    with spawn({"time_scale": 1000}) as sim:
        for kind in ("images", "slow_down"):
            reply = post(sim, "direct", LOW, **{"x-sim-fault": f"429;kind={kind};retry_after=12.2"})
            assert reply.headers["retry-after"] == "13"


def test_more_images_than_the_limit_ever_lets_through_are_too_large_and_no_wait_is_advised() -> None:
    with spawn({"time_scale": 500, "layers": {"tier": {"images_per_minute": 2}}}) as sim:
        reply = post(sim, "tier", {**LOW, "n": 3})
        assert post(sim, "tier", {**LOW, "n": 2}).status_code == 200  # and it took nothing of the limit
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert reply.json()["error"]["message"].startswith("Request too large for gpt-image-2")
    assert "Limit 2, Requested 3." in reply.json()["error"]["message"]
    assert not {"retry-after", "retry-after-ms"} & set(reply.headers)


def test_a_request_that_is_being_refused_takes_no_place_of_those_that_are_worked_for() -> None:
    with (
        spawn({"time_scale": 20, "layers": {"narrow": {"concurrency_limit": 1}}}) as sim,
        ThreadPoolExecutor(7) as pool,
    ):
        replies = list(pool.map(lambda _: post(sim, "narrow", LOW), range(7)))
    refused = [reply for reply in replies if reply.status_code == 429]
    assert len(refused) == 6
    for reply in refused:
        assert "on concurrent-images per min: Limit 1, Used 1, Requested 1." in reply.json()["error"]["message"]
        assert reply.headers["x-ratelimit-limit-concurrent-images"] == "1"
        assert "x-ratelimit-limit-input-images" not in reply.headers  # another bucket


def test_json_that_is_nested_too_deeply_is_the_callers_mistake() -> None:
    with spawn({"time_scale": 500}) as sim:
        reply = httpx.post(
            f"{sim.entries['direct']}/images/generations", content=b"[" * 200_000, headers=HEADERS, timeout=10
        )
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_json")
        assert post(sim, "direct", LOW).status_code == 200


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "much"])
def test_an_option_of_a_fault_that_is_no_finite_number_counts_as_not_given(value: str, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn({"time_scale": 400}, log=log) as sim:
        reply = httpx.post(
            f"{sim.entries['direct']}/images/generations",
            json=LOW,
            headers={**HEADERS, "x-sim-fault": f"delay;s={value}"},
            timeout=10,
        )
    (record,) = truths(log)
    assert reply.status_code == 200
    assert (record["headers_sent_ns"] - record["received_ns"]) / 1e9 * 400 >= record["latency_s"] + 30 - 0.001


NULLS = ("n", "size", "quality", "background", "output_format", "output_compression", "moderation", "stream",
         "partial_images", "input_fidelity")  # fmt: skip


def test_null_is_the_same_as_nothing_where_the_published_description_allows_it() -> None:
    left_out = validate({"model": "gpt-image-2", "prompt": "a red apple"})
    assert validate({"model": None, "prompt": "a red apple", **dict.fromkeys(NULLS)}) == left_out
    with pytest.raises(Refused, match="missing_required_parameter"):
        validate({"model": "gpt-image-2", "prompt": None})


@pytest.mark.parametrize("model", ["gpt-image-1.5", "gpt-image-1-mini"])
def test_models_before_gpt_image_2_have_three_sizes_and_the_tokens_of_the_price_list(model: str) -> None:
    for size in ("1024x1024", "1024x1536", "1536x1024"):
        for quality in ("low", "medium", "high"):
            made = validate({"model": model, "prompt": "x", "size": size, "quality": quality, "n": 2}).output_tokens
            assert made == 2 * (image_tokens("gpt-image-1.5", quality, size) or 0)
    with pytest.raises(Refused) as refused:
        validate({"model": model, "prompt": "x", "size": "2048x2048"})
    assert refused.value.body["error"]["message"] == (
        "Invalid value: '2048x2048'. Supported values are: '1024x1024', '1024x1536', '1536x1024', and 'auto'."
    )


def test_input_fidelity_is_taken_by_the_one_model_that_has_it_and_where_images_come_in() -> None:
    body = {"prompt": "x", "input_fidelity": "high"}
    edits = Rules(known=KNOWN | {"input_fidelity"})
    assert validate({**body, "model": "gpt-image-1.5"}, edits).model == "gpt-image-1.5"
    for model, rules, code in (
        ("gpt-image-1.5", OPENAI, "unknown_parameter"),
        ("gpt-image-1-mini", edits, "invalid_input_fidelity_model"),
        ("gpt-image-2", edits, "invalid_input_fidelity_model"),
    ):
        with pytest.raises(Refused, match=code):
            validate({**body, "model": model}, rules)
