"""Rate limits as answers word them, and our own: without a clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.events import ApiError, Attempt, Marks
from harness.run.limiter import Limiter
from harness.run.limits import Bucket, buckets, go_duration_s, never_passes, pause_s
from harness.run.retry import RetryPolicy

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def refused(
    message: str = "", *, code: str | None = "rate_limit_exceeded", status: int = 429, **headers: str
) -> Attempt:
    return Attempt(
        number=1,
        client_request_id="x",
        marks=Marks(started_at_ms=0, ended_at_ms=1),
        ended="complete",
        http_status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        error=ApiError(type="t", code=code, message=message),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1ms", 0.001), ("120ms", 0.12), ("58.891s", 58.891), ("6m0s", 360), ("1h2m3s", 3723), ("12", 12.0),
        ("1.5", 1.5), ("0s", 0), ("", None), ("soon", None), ("5 s", None), ("-1s", None), ("s", None),
    ],
)  # fmt: skip
def test_resets_are_go_durations_or_seconds(text: str, seconds: float | None) -> None:
    assert go_duration_s(text) == (seconds if seconds is None else pytest.approx(seconds))


def test_a_captured_answer_tells_its_buckets() -> None:
    # The headers of a real 429 of 2025-07, as far as they concern limits.
    headers = {
        "x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms", "x-ratelimit-limit-input-images": "50000",
        "x-ratelimit-remaining-input-images": "49999", "x-ratelimit-reset-input-images": "1ms",
    }  # fmt: skip
    assert buckets(headers) == (
        Bucket("requests", 500, 499, pytest.approx(0.12)),
        Bucket("input-images", 50000, 49999, pytest.approx(0.001)),
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "534", "retry_after": "1"}, 0.534),
        ({"retry_after": "12"}, 12.0),
        ({"retry_after": "Sat, 21 Nov 2026 12:01:30 GMT"}, 90.0),
        ({"retry_after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "6m0s",
          "x_ratelimit_remaining_images": "0", "x_ratelimit_reset_images": "10s"}, 360.0),
        ({"x_ratelimit_remaining_requests": "3", "x_ratelimit_reset_requests": "6m0s"}, None),
        ({"retry_after": "later"}, None),
        ({"retry_after": "Sat Nov 21 12:01:30 2026"}, 90.0),
        ({"retry_after": "Sat, 21 Nov 2026 12:01:30 -0000"}, 90.0),
        ({"retry_after": "12, 15"}, 15.0),
        ({"retry_after_ms": "soon", "retry_after": "2"}, 2.0),
        ({"retry_after_ms": "-5", "retry_after": "2"}, 2.0),
        ({"retry_after_ms": "nan"}, None),
        ({"retry_after_ms": "inf"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "1795262490"}, None),  # a moment, and no pause
        ({"x_ratelimit_remaining_requests": "-1", "x_ratelimit_reset_requests": "1m30.5s"}, 90.5),
        ({"x_ratelimit_reset_requests": "1m30.5s"}, None),
        ({"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "1795262490"}, None),
    ],
)  # fmt: skip
def test_the_pause_is_what_the_answer_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    found = pause_s(refused(**headers), NOW)
    assert found == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("attempt", "why"),
    [
        (refused("Request too large for gpt-image-2 … Limit 0, Requested 1."), "limit_0"),
        (refused("Request too large on input-images per min: Limit 5, Requested 6."), "request_too_large"),
        (refused(code="insufficient_quota"), "insufficient_quota"),
        (refused(code="project_spend_limit_exceeded"), "project_spend_limit_exceeded"),
        (refused(code="billing_hard_limit_reached", status=400), "billing_hard_limit_reached"),
        # Azure words a limit of requests a minute like this, and says when to come back.
        (refused(code="insufficient_quota", retry_after_ms="900"), None),
        (refused(code="insufficient_quota", retry_after="Sat, 21 Nov 2026 12:01:30 GMT"), None),
        (refused("Rate limit reached … Limit 5, Used 5, Requested 1. Please try again in 12s."), None),
        (refused("The limit 0.5 is fine", status=500), None),
    ],
)  # fmt: skip
def test_what_waiting_cannot_help_is_told_from_what_it_can(attempt: Attempt, why: str | None) -> None:
    assert never_passes(attempt) == why
    import random

    pause = RetryPolicy(max_retries=2).pause_s(attempt, now=NOW, dice=random.Random(1))
    assert (pause is None) == (why is not None or attempt.http_status == 400)


def test_a_pause_of_an_hour_is_no_retry_of_the_same_job() -> None:
    import random

    policy = RetryPolicy(max_retries=2)
    assert policy.pause_s(refused(retry_after="3600"), now=NOW, dice=random.Random(1)) is None
    assert policy.pause_s(refused(retry_after="30"), now=NOW, dice=random.Random(1)) == 30


@given(
    limit=st.integers(1, 8),
    images=st.lists(st.integers(1, 4), min_size=1, max_size=40),
    think=st.lists(st.floats(0, 40), min_size=40, max_size=40),
)
def test_no_minute_ever_holds_more_images_than_the_limit(limit: int, images: list[int], think: list[float]) -> None:
    limiter, now, sent = Limiter(images_per_minute=limit), 0.0, list[tuple[float, int]]()
    for count, pause in zip(images, think, strict=False):
        now = limiter.free_at_s(now + pause, count)
        # Not one moment later than needed: the limit would have been broken just before.
        limiter.sent(now, count)
        sent.append((now, count))
    for at, _ in sent:
        window = [count for other, count in sent if at - 60 + 1e-6 < other <= at]
        assert sum(window) <= limit or (len(window) == 1 and window[0] > limit)


def test_the_limiter_lets_go_at_the_very_moment_when_there_is_room() -> None:
    limiter = Limiter(requests_per_minute=2)
    for at in (0.0, 10.0):
        assert limiter.free_at_s(at, 1) == at
        limiter.sent(at, 1)
    assert limiter.free_at_s(20.0, 1) == 61.0
    limiter.sent(61.0, 1)
    assert limiter.free_at_s(62.0, 1) == 71.0


def test_a_refusal_holds_the_route_only_where_limits_are_respected() -> None:
    for respect, free in ((True, 42.0), (False, 5.0)):
        limiter = Limiter(respect=respect)
        limiter.told(2.0, 40.0)
        limiter.told(3.0, 1.0)
        limiter.told(4.0, None)
        assert limiter.free_at_s(5.0, 1) == free
