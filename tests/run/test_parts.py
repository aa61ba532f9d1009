"""The runner's pure parts: budget, retries, image check, host lag, journal lines."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import io
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image, ImageDraw

from harness.errors import HarnessError
from harness.events import ApiError, Attempt, JobEvent, Marks
from harness.plan import Job, make_plan
from harness.routes.base import Answer
from harness.run import job as job_module
from harness.run import journal as journal_module
from harness.run.budget import Budget
from harness.run.images import decode_image
from harness.run.job import Setting, run_job
from harness.run.journal import Journal, Send
from harness.run.lag import LagMeter
from harness.run.lanes import make_setting
from harness.run.limits import retry_after_s
from harness.run.record import cost_of_all
from harness.run.retry import RetryPolicy
from harness.scenario import load_text
from harness.wire.clock import WorldClock
from harness.wire.trace import Trace

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def attempt(status: int | None = 429, number: int = 1, ended: str = "complete", **changes: object) -> Attempt:
    marks = Marks(started_at_ms=0.0, ended_at_ms=1.0)
    fields = {"number": number, "client_request_id": "x", "marks": marks, "ended": ended, "http_status": status}
    return Attempt(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_budget_counts_what_is_in_flight() -> None:
    budget = Budget(usd=1.0)
    assert budget.refuses(0.6) is None
    budget.reserve(0.6)
    assert "1.00 USD" in (budget.refuses(0.6) or "")
    budget.settle(0.6, 0.1)
    assert budget.refuses(0.6) is None
    assert budget.spent_usd == pytest.approx(0.1)


def test_a_budget_of_jobs_and_a_price_that_nobody_knows_refuse() -> None:
    budget = Budget(jobs=1)
    budget.reserve(None)
    assert "1 jobs" in (budget.refuses(None) or "")
    assert "not known" in (Budget(usd=5).refuses(None) or "")


def test_a_cost_that_is_unknown_settles_as_the_estimate() -> None:
    budget = Budget(usd=1.0)
    budget.reserve(0.3)
    budget.settle(0.3, None)
    assert budget.spent_usd == pytest.approx(0.3)
    assert budget.reserved_usd == pytest.approx(0)


def test_retries_are_off_by_default_and_never_follow_a_local_timeout() -> None:
    dice = random.Random(1)
    assert RetryPolicy().pause_s(attempt(), now=NOW, dice=dice) is None
    policy = RetryPolicy(max_retries=3)
    assert policy.pause_s(attempt(None, ended="local_cap"), now=NOW, dice=dice) is None
    assert policy.pause_s(attempt(None, ended="remote_closed"), now=NOW, dice=dice) is None
    assert policy.pause_s(attempt(400), now=NOW, dice=dice) is None
    assert policy.pause_s(attempt(number=4), now=NOW, dice=dice) is None


def test_what_can_be_tried_again_is_tried_with_growing_bounded_pauses() -> None:
    policy, dice = RetryPolicy(max_retries=9, base_s=1, max_s=5), random.Random(1)
    for number, ceiling in ((1, 1), (2, 2), (3, 4), (4, 5), (9, 5)):
        pauses = [policy.pause_s(attempt(503, number), now=NOW, dice=dice) for _ in range(200)]
        assert all(pause is not None and ceiling / 2 <= pause <= ceiling for pause in pauses)
    assert policy.reason(attempt(None, ended="connect_failed")) == "connect"


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached", "moderation_blocked"])
def test_permanent_refusals_are_not_tried_again(code: str) -> None:
    policy = RetryPolicy(max_retries=3, on=("429", "4xx"))
    assert policy.reason(attempt(429, error=ApiError(code=code))) is None


def test_a_server_that_says_when_is_obeyed() -> None:
    policy = RetryPolicy(max_retries=1)
    told = attempt(headers={"retry-after": "17"})
    assert policy.pause_s(told, now=NOW, dice=random.Random(1)) == 17
    assert retry_after_s({"retry-after-ms": "534", "retry-after": "1"}, NOW) == pytest.approx(0.534)
    date = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_s({"retry-after": date}, NOW) == pytest.approx(90)
    assert retry_after_s({"retry-after": "soon"}, NOW) is None
    assert retry_after_s({}, NOW) is None


def picture(size: tuple[int, int] = (64, 48), kind: str = "PNG", blank: bool = False) -> bytes:
    image = Image.new("RGB", size, (200, 10, 10))
    if not blank:
        ImageDraw.Draw(image).ellipse((4, 4, 30, 30), fill=(0, 90, 200))
    out = io.BytesIO()
    image.save(out, kind)
    return base64.b64encode(out.getvalue())


def test_an_image_as_asked_has_no_problems_and_a_render_time() -> None:
    found = decode_image(picture(), asked_format="png", asked_size="64x48")
    assert found.check.problems == ()
    assert (found.check.format, found.check.width, found.check.height) == ("png", 64, 48)
    assert found.render_ms is not None
    assert found.render_ms > 0


@pytest.mark.parametrize(
    ("encoded", "asked_format", "asked_size", "problem"),
    [
        (picture(kind="JPEG"), "webp", None, "format: asked webp, got jpeg"),
        (picture(), None, "1024x1024", "size: asked 1024x1024, got 64x48"),
        (picture(blank=True), "png", "auto", "blank: one flat colour"),
        (picture()[:-41], "png", None, "base64 is invalid or cut short"),
        (picture()[:100], "png", None, "not a decodable image"),
        (base64.b64encode(b"<html>"), "png", None, "not a decodable image"),
        (b"", "png", None, "empty"),
        (b"!!!!", "png", None, "base64 is invalid or cut short"),
    ],
)
def test_what_is_wrong_with_an_image_is_said_in_words(
    encoded: bytes, asked_format: str | None, asked_size: str | None, problem: str
) -> None:
    assert decode_image(encoded, asked_format=asked_format, asked_size=asked_size).check.problems == (problem,)


def test_what_a_reader_of_pillow_raises_in_its_own_way_is_a_bad_image() -> None:
    whole = bytearray(base64.b64decode(picture(kind="DDS")))
    whole[80:84] = (0x2000000).to_bytes(4, "little")  # flags that nobody knows: NotImplementedError
    for data in (bytes(whole), base64.b64decode(picture(kind="EPS"))):
        found = decode_image(data, asked_format="png", asked_size=None, base64=False)
        assert (found.check.format, found.check.problems) == (None, ("not a decodable image",))


def test_base64_in_folded_lines_is_read_as_every_usual_decoder_reads_it() -> None:
    found = decode_image(base64.encodebytes(base64.b64decode(picture())), asked_format="png", asked_size="64x48")
    assert found.check.problems == ()


def test_an_image_that_declares_too_many_pixels_is_not_decoded() -> None:
    bomb = bytearray(base64.b64decode(picture()))
    bomb[16:24] = (100_000).to_bytes(4) + (100_000).to_bytes(4)
    found = decode_image(base64.b64encode(bytes(bomb)), asked_format="png", asked_size=None)
    assert found.render_ms is None
    assert found.check.format is None


def test_a_blocked_loop_is_noticed_and_charged_to_who_was_under_way() -> None:
    async def go() -> tuple[int, int]:
        async with LagMeter() as meter:
            await asyncio.sleep(0.05)
            start = time.monotonic_ns()
            time.sleep(0.12)  # noqa: ASYNC251 - the fault under test
            await asyncio.sleep(0.05)
            end = time.monotonic_ns()
            await asyncio.sleep(0.05)
            return meter.worst_ns(start, end), meter.worst_ns(time.monotonic_ns(), time.monotonic_ns())

    blocked, after = asyncio.run(go())
    assert 60_000_000 < blocked < 400_000_000
    assert after < blocked


class Silent:
    """A route that answers nothing, at once."""

    expendable = None

    def endpoint(self, *, edits: bool) -> str:
        return "/v1/images/edits" if edits else "/v1/images/generations"

    async def exchange(self, call: object, trace: Trace) -> None:  # noqa: ARG002
        trace.begin()

    def read(self, trace: Trace, scrubber: object) -> Answer:  # noqa: ARG002
        return Answer()


def silent_job(folder: Path) -> tuple[Setting, Job]:
    """A job on that route, whose pictures would be kept."""
    loaded = load_text(
        "name: s\nwhy: x\nprompts: [a]\nroutes: {r: {base_url: 'simulator://', owner: simulator}}\n",
        source="s.yaml",
        env={},
    )
    setting = make_setting(
        loaded, {}, "run", WorldClock(), {"direct": "http://127.0.0.1:9"}, LagMeter(), folder, b"salt"
    )
    lane = dataclasses.replace(setting.lanes["r"], route=cast("Any", Silent()))
    return dataclasses.replace(setting, lanes={"r": lane}), make_plan(loaded).jobs[0]


def test_an_interrupt_while_pictures_are_being_kept_costs_no_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted() -> JobEvent:
        setting, job = silent_job(tmp_path)
        began, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def slow(*_: object) -> None:
            loop.call_soon_threadsafe(began.set)
            assert go_on.wait(10)

        monkeypatch.setattr(job_module, "_keep", slow)
        task = asyncio.create_task(run_job(setting, job, 1))
        await began.wait()
        for _ in range(2):  # once for each Ctrl-C
            task.cancel()
            await asyncio.sleep(0.01)
        go_on.set()
        return await task

    assert asyncio.run(interrupted()).outcome != "cancelled", "its answer was here"


def test_a_full_disk_stops_with_a_message_and_not_with_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path) as journal:
        real = journal._sends
        with Path("/dev/full").open("ab", buffering=0) as full:
            monkeypatch.setattr(journal, "_sends", full)
            with pytest.raises(HarnessError, match="No space left on device"):
                journal.send(Send(job_id="j", at="now", client_request_id="c"))
        monkeypatch.setattr(journal, "_sends", real)
    assert journal_module.SENDS_FILE == "sends.jsonl"


def test_a_retry_of_a_job_without_a_known_price_does_not_cost_nothing() -> None:
    assert cost_of_all([], None) == (None, None)
    assert cost_of_all([], 0.05) == (0.05, None)
    assert cost_of_all([0.05, 0.0], 0.05) == (0.1, 0.05)
    assert cost_of_all([0.0], None) == (None, 0.0)
    assert cost_of_all([None], 0.0) == (None, None)
