"""Whole runs of events made by hand: which verdict, which decision, and what the sentence about them may claim."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.chain.model import Cap
from harness.conditions import LayerCap
from harness.diagnosis.cap_clocks import Jobs
from harness.diagnosis.cap_shares import _rows
from harness.diagnosis.judge import judge
from harness.diagnosis.model import Diagnosis
from harness.diagnosis.verdicts import Verdicts
from harness.events import ApiError, ImageCheck, JobEvent, Usage
from harness.frame import frame_of
from harness.ingest.backend import read_backend_log
from harness.prices import image_tokens
from tests.diagnosis.test_attribution import NGINX, conditions, event

replace = msgspec.structs.replace
EDGE = LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60)


def judged(*events: JobEvent, chain: tuple[LayerCap, ...] = ()) -> tuple[Diagnosis, Verdicts]:
    return judge(frame_of(events), conditions(*chain))


def refused(status: int, total_s: float = 1.0, headers: dict[str, str] | None = None, **error: str) -> JobEvent:
    said = ApiError(**error)  # type: ignore[arg-type]
    one = event(cut_s=total_s, status=status, body_kind="json", error=said, headers=headers or {})
    return replace(one, error_type=said.type, error_code=said.code)


def test_azures_word_for_a_rate_limit_is_no_quota_when_it_says_when_to_come_again() -> None:
    quota = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "You exceeded it."}
    assert judged(refused(429, **quota))[1][0].verdict == "quota"
    told = {**quota, "message": "You exceeded your current quota. Please retry after 12 seconds."}
    assert judged(refused(429, **told))[1][0].verdict == "retry_pressure"
    assert judged(refused(429, headers={"retry-after-ms": "12000"}, **quota))[1][0].verdict == "retry_pressure"
    spent = {"type": "insufficient_quota", "code": "credit_balance_exhausted"}
    assert judged(refused(429, headers={"retry-after": "12"}, **spent))[1][0].verdict == "quota"


def test_a_quota_that_a_gateway_renamed_is_still_one() -> None:
    words = "litellm.RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and "
    one = refused(429, type="throttling_error", code="429", message=f"{words}billing details.")
    assert judged(one)[1][0].verdict == "quota"


@pytest.mark.parametrize("started_ms", [20_000.0, 0.0])
def test_neither_an_earlier_attempt_nor_the_upload_makes_an_input_check_an_output_filter(started_ms: float) -> None:
    words = {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "rejected"}
    one = refused(400, 21.5, **words)
    last = one.attempts[0]
    marks = replace(last.marks, started_at_ms=started_ms, request_sent_at_ms=20_025.0)
    assert judged(replace(one, attempts=(replace(last, marks=marks),)))[1][0].verdict == "moderation_input"
    assert judged(one)[1][0].verdict == "moderation_output"


def test_an_answer_that_says_that_the_image_was_made_names_the_stage_however_fast_it_was() -> None:
    words = {"code": "contentFilter", "message": "Generated image was filtered as a result of our safety system."}
    assert judged(refused(400, 6.0, **words))[1][0].verdict == "moderation_output"


def test_a_model_that_is_not_there_is_known_by_the_words_when_a_gateway_took_the_code() -> None:
    words = "litellm.NotFoundError: OpenAIException - The model `x` does not exist or you do not have access to it."
    assert judged(refused(404, type="invalid_request_error", code="404", message=words))[1][0].verdict == (
        "model_not_found"
    )


def test_what_the_backend_made_once_was_made_whatever_a_later_line_says(tmp_path: Path) -> None:
    file = tmp_path / "backend.jsonl"
    lines = ({"client_request_id": "a", "finished": finished} for finished in (None, True, False))
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_backend_log(file).find(("a",))
    assert found is not None
    assert found.finished is True


def test_the_layer_to_widen_is_named_with_the_route_on_which_it_cut() -> None:
    caps = {"a": (60, 3), "b": (30, 10)}
    events = [
        replace(event(cut_s=cap_s + 0.2, **NGINX), job_id=f"{route}{number}", route=route)
        for route, (cap_s, count) in caps.items()
        for number in range(count)
    ]
    base = conditions()
    routes = tuple(
        replace(base.routes[0], name=route, chain=(replace(EDGE, cap_s=float(cap_s)),))
        for route, (cap_s, _) in caps.items()
    )
    found, _ = judge(frame_of(events), replace(base, routes=routes))
    assert (found.decision.route, found.decision.from_s) == ("b", 30)
    assert "of edge on route b" in found.decision.sentence


def test_the_sentence_gives_a_layer_the_grade_of_its_own_jobs() -> None:
    rng = random.Random(3)
    piled = [event(number, cut_s=45 + rng.random() / 10, status=None) for number in range(12)]
    signed = [event(number + 20, cut_s=60.2, **NGINX) for number in range(8)]
    found, _ = judged(*piled, *signed)
    assert (found.findings[0].layer, found.findings[0].grade) == ("a layer not named by the evidence", "inferred")
    assert found.answer.endswith("in 12 of 20 jobs (inferred); other caps in 8 more.")


def test_a_cap_that_nobody_can_change_is_not_to_be_widened() -> None:
    azure = ApiError(code="Timeout", message="The operation was timeout.")
    plain, streamed = (
        judged(replace(event(cut_s=60.2, status=408, body_kind="json", error=azure), stream=stream))[0].decision
        for stream in (False, True)
    )
    assert (plain.kind, plain.to_s) == ("turn_on_streaming", None)
    assert "nobody can change that" in plain.sentence
    assert streamed.kind == "move_to_async"


def short(body: str = "json", notes: tuple[str, ...] = ()) -> JobEvent:
    one = event(cut_s=60.2, status=200, body_kind=body, bytes_down=3000)
    return replace(one, outcome="empty", bytes_down=3000, notes=notes)


def test_an_answer_that_can_be_read_to_its_end_was_not_cut_by_a_cap() -> None:
    chain = (replace(EDGE, kind="total"),)
    found = {
        name: judged(one, chain=chain)[1][0].verdict
        for name, one in {"empty": short(), "page": short("html"), "cut": short(notes=("json_invalid",))}.items()
    }
    assert found == {"empty": "empty_success", "page": "empty_success", "cut": "false_timeout"}


def test_a_success_had_its_first_byte_in_time() -> None:
    assert judged(short(notes=("json_invalid",)), chain=(EDGE,))[1][0].verdict == "empty_success"


def test_a_silence_that_was_survived_is_not_the_one_that_cut() -> None:
    one = event(cut_s=95, status=200, ended="remote_closed", longest_silence_ms=60_500.0, bytes_down=5000)
    last = one.attempts[0]
    for last_byte_ms, verdict in ((94_990.0, "undetermined"), (34_800.0, "false_timeout")):
        marks = replace(last.marks, first_byte_at_ms=1100.0, last_byte_at_ms=last_byte_ms)
        cut = replace(one, outcome="cut", attempts=(replace(last, marks=marks),))
        assert judged(cut, chain=(replace(EDGE, kind="idle"),))[1][0].verdict == verdict


def test_fewer_images_are_no_lower_quality() -> None:
    tokens = image_tokens("gpt-image-2", "medium", "1024x1024") or 0
    image = ImageCheck(image_bytes=10, format="png", width=1024, height=1024)
    base = event(cut_s=20, status=200, body_kind="json")
    for each, verdict in ((tokens, "parameter_dropped"), (tokens // 2, "silent_downgrade")):
        one = replace(
            base, outcome="wrong_image", notes=("image_count_differs",), images=(image, image), n=3,
            quality="medium", size="1024x1024", usage=Usage(output_tokens=2 * each),
        )  # fmt: skip
        assert judged(one)[1][0].verdict == verdict


def test_jobs_that_our_own_cap_cut_are_counted_for_that_cap() -> None:
    jobs = frame_of([event(cut_s=60, status=None, ended="local_cap", cap="idle", cap_ms=60_000.0)])
    own: Any = conditions()
    _, verdicts = judge(jobs, own)
    caps = tuple(
        Cap(layer="client", product="harness", kind=kind, cap_s=60, setting=f"timeouts.{kind}")
        for kind in ("idle", "total")
    )  # type: ignore[arg-type]
    rows = _rows(Jobs(own, jobs, verdicts), "edge", caps, {}, None)
    assert {row.setting: row.seen for row in rows} == {"timeouts.idle": 1, "timeouts.total": 0}
    assert "had not answered" not in verdicts[0].evidence[0].fact


def test_only_jobs_that_ask_for_the_same_are_compared_between_routes() -> None:
    def took(route: str, block: int, s: float, background: str) -> JobEvent:
        one = event(cut_s=s, status=200)
        return replace(
            one, job_id=f"{route}{block}", block=block, route=route, outcome="image", final_image_ms=s * 1000,
            background=background,
        )  # fmt: skip

    base = conditions()
    routes = tuple(replace(base.routes[0], name=name, direct=name == "a") for name in ("a", "b"))
    for background, slower in (("opaque", True), ("transparent", False)):
        events = [
            job for block in range(1, 13) for job in (took("a", block, 20, "opaque"), took("b", block, 60, background))
        ]
        found, _ = judge(frame_of(events), replace(base, routes=routes))
        assert (found.headline == "route_owner_delay") is slower


def test_a_limit_on_the_way_does_not_explain_a_cut_that_came_after_it() -> None:
    cut = event(cut_s=60.2, **NGINX)
    limited = replace(cut.attempts[0], http_status=429, headers={}, body_head=None)
    both = (limited, replace(cut.attempts[0], number=2))
    assert judged(replace(cut, attempts=both, retry_count=1))[1][0].verdict == "false_timeout"
    image = replace(cut, attempts=both, retry_count=1, outcome="image", http_status=200)
    assert judged(image)[1][0].verdict == "retry_pressure"


def test_a_connection_that_never_came_about_is_no_reason_to_wait_as_long_as_an_image_takes() -> None:
    page = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n"
    lb = LayerCap(layer="lb", product="haproxy", kind="connect", cap_s=3, setting="timeout connect")
    one = event(cut_s=3.0, status=503, body_kind="html", body_head=page)
    found, verdicts = judged(one, chain=(lb,))
    assert (verdicts[0].layer, found.decision.kind, found.decision.to_s) == ("lb", "none_justified", None)


@pytest.mark.parametrize("message", ["Our servers are currently overloaded.", "connect ECONNREFUSED 10.0.0.1:80"])
def test_refusals_that_come_at_the_same_moment_are_no_timer(message: str) -> None:
    said = ApiError(type="service_unavailable_error", message=message)
    events = [event(n, cut_s=2 + n / 1000, status=503, body_kind="json", error=said) for n in range(20)]
    assert {one.verdict for one in judged(*events)[1]} == {"undetermined"}


def test_an_idle_cap_of_streams_is_widened_to_their_silence_and_not_to_their_whole_time() -> None:
    cut = replace(
        event(cut_s=90, status=200, ended="remote_closed", longest_silence_ms=60_000.0, body_kind="sse"),
        outcome="cut", stream=True,
    )  # fmt: skip
    last = cut.attempts[0]
    marks = replace(last.marks, first_byte_at_ms=1000.0, last_byte_at_ms=29_900.0)
    cut = replace(cut, attempts=(replace(last, marks=marks),))
    whole = replace(
        event(2, cut_s=190, status=200, longest_silence_ms=70_000.0), outcome="image", stream=True,
        final_image_ms=190_000.0,
    )  # fmt: skip
    found, _ = judged(cut, whole, chain=(replace(EDGE, kind="idle"),))
    assert (found.decision.kind, found.decision.from_s, found.decision.to_s) == ("widen_timeout", 60, 90)
    assert "longest silence of 1 completed jobs of the same shapes: 70 s" in found.decision.sentence


def test_an_answer_that_only_repeats_auto_says_nothing_of_what_was_made() -> None:
    base = replace(event(cut_s=20, status=200), outcome="image", quality="high", size="1024x1024")
    said = {word: judged(replace(base, resolved_quality=word))[1][0].verdict for word in ("auto", "high", "low")}
    assert said == {"auto": "ok", "high": "ok", "low": "silent_downgrade"}
