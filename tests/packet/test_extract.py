"""From a run directory to a packet: what must be held is there, and what was chosen freely is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.diagnosis.model import Decision, JobVerdict
from harness.errors import UsageProblem
from harness.events import ApiError, JobEvent
from harness.packet import EscalationPacket, extract
from harness.packet.schema import Size

from .builder import (
    API_ID,
    OUR_ID,
    RAY,
    UUID,
    attempt,
    conditions,
    diagnosis,
    event,
    events,
    image,
    verdicts,
    write_run,
)


def one(tmp_path: Path, job: JobEvent, verdict: JobVerdict | None = None, **found: Any) -> EscalationPacket:
    """The packet of a run with this one job."""
    said = [verdict or JobVerdict(job_id=job.job_id, verdict="false_timeout")]
    return extract(write_run(tmp_path / "one", jobs=[job], said=said, found=diagnosis(**found)))


def dropped(packet: EscalationPacket) -> dict[str, int]:
    return {str(each.kind): each.count for each in packet.dropped}


def test_the_most_telling_job_of_the_headline_is_the_one_that_is_proven(run_dir: Path) -> None:
    packet = extract(run_dir)
    assert packet.verdict == packet.run_headline == "false_timeout"
    assert packet.timeout is not None
    assert packet.timeout.grade == "proven"
    assert packet.timeout.backend_finished is True


def test_of_equal_jobs_the_longest_with_a_request_id_is_chosen(tmp_path: Path) -> None:
    mute = attempt(http_status=504)
    jobs = [event("a", total_ms=90_000.0, attempts=(mute,)), event("b", total_ms=61_000.0), event("c")]
    said = [JobVerdict(job_id=name, verdict="false_timeout") for name in "abc"]
    assert extract(write_run(tmp_path / "r", jobs=jobs, said=said)).clocks.total_ms == 61_000.0


def test_a_job_that_is_asked_for_is_taken_and_an_unknown_one_refused(run_dir: Path) -> None:
    assert extract(run_dir, "j6").verdict == "moderation_output"
    with pytest.raises(UsageProblem, match="no job of that id"):
        extract(run_dir, "j99")


def test_a_headline_without_jobs_falls_back_to_one_that_is_not_ok(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", found=diagnosis(headline="render_bound"))
    assert extract(run).verdict not in {"ok", "render_bound"}


def test_time_offset_and_repetition_are_held(run_dir: Path) -> None:
    when = extract(run_dir).when
    assert when.started_at == datetime.fromisoformat("2026-11-20T10:25:30+02:00")
    assert when.utc_offset_minutes == 120
    assert (when.pattern, when.jobs, when.of_jobs) == ("repeated", 2, 3)
    assert when.since == datetime.fromisoformat("2026-11-20T10:15:30.250+02:00")


def test_a_single_job_is_a_one_off(run_dir: Path) -> None:
    when = extract(run_dir, "j7").when
    assert (when.pattern, when.jobs, when.of_jobs) == ("one_off", 1, 3)


def test_the_request_shape_is_held_without_the_prompt(run_dir: Path) -> None:
    asked = extract(run_dir).request
    assert (asked.endpoint, asked.model, asked.stream) == ("images/generations", "gpt-image-2", False)
    assert (asked.quality, asked.size, asked.high_resolution) == ("high", Size(width=2048, height=2048), True)
    assert (asked.output_format, asked.output_compression) == ("jpeg", 80)
    assert (asked.prompt_length, asked.prompt_complexity) == ("51-200", "high")


def test_marks_and_clocks_survive_to_the_microsecond(run_dir: Path) -> None:
    packet = extract(run_dir)
    assert packet.clocks.total_ms == 60_012.5
    assert packet.clocks.longest_silence_ms == 59_978.0
    assert packet.attempts[0].marks.request_sent_at_ms == 32.5
    assert packet.attempts[0].marks.ended_at_ms == 60_012.5


def test_ids_survive_each_under_its_own_header(run_dir: Path) -> None:
    ids = {one.header: one.value for one in extract(run_dir).ids()}
    assert ids == {"cf-ray": RAY, "x-request-id": API_ID, "x-client-request-id": OUR_ID}


def test_an_id_in_the_wrong_place_is_dropped_and_counted(tmp_path: Path) -> None:
    sent = attempt(ids={"cf-ray": "sk-live", "x-falcon-id": UUID, "x-request-id": UUID}, request_id="anna")
    packet = one(tmp_path, event("j", attempts=(sent,)))
    assert {(i.header, i.value) for i in packet.ids()} == {("x-request-id", UUID), ("x-client-request-id", OUR_ID)}
    assert dropped(packet)["id"] == 3


def test_a_client_id_that_spells_out_the_scenarios_name_is_dropped(tmp_path: Path) -> None:
    sent = attempt(client_request_id="falcon-launch-20261120-101500-3f2a.b1p3.a1", request_id=API_ID)
    packet = one(tmp_path, event("j", attempts=(sent,)))
    assert [i.header for i in packet.ids()] == ["x-request-id"]
    assert dropped(packet)["id"] == 1


def test_an_azure_id_is_not_said_twice(tmp_path: Path) -> None:
    sent = attempt(ids={"apim-request-id": UUID}, request_id=UUID)
    packet = one(tmp_path, event("j", route_owner="azure", attempts=(sent,)))
    assert [i.header for i in packet.ids()] == ["apim-request-id", "x-client-request-id"]


def test_rate_limit_headers_become_numbers_and_durations(run_dir: Path) -> None:
    limited = extract(run_dir, "j5").attempts[0]
    windows = {window.bucket: window for window in limited.rate_limits}
    assert (windows["requests"].limit, windows["requests"].remaining) == (500, 0)
    assert windows["requests"].reset_ms == 360_500.0
    assert windows["input-images"].reset_ms == 120.0
    assert (limited.retry_after_ms, limited.should_retry) == (534.0, True)


def test_an_unknown_rate_bucket_is_counted_and_not_named(run_dir: Path) -> None:
    packet = extract(run_dir, "j5")
    assert dropped(packet)["header"] == 2
    assert "falcon" not in packet.model_dump_json()


@pytest.mark.parametrize("value", ["soon", "1h; rm", "-5", "9" * 40, "1.2.3.4"])
def test_a_header_that_is_no_number_is_dropped(tmp_path: Path, value: str) -> None:
    headers = {"retry-after": value, "x-ratelimit-limit-requests": value}
    packet = one(tmp_path, event("j", attempts=(attempt(headers=headers),)))
    assert packet.attempts[0].retry_after_ms is None
    assert packet.attempts[0].rate_limits[0].limit is None
    assert dropped(packet)["header"] >= 1 or dropped(packet)["number"] >= 1


def test_retries_of_ours_and_of_the_gateway_are_told_apart(run_dir: Path) -> None:
    packet = extract(run_dir, "j5")
    assert (packet.retries.ours, packet.retries.our_reason, packet.retries.gateway) == (1, "rate_limit", 2)
    assert len(packet.attempts) == 2
    assert (packet.route.owner, packet.route.product) == ("gateway", "litellm")


def test_an_error_is_named_by_type_code_message_and_stage(run_dir: Path) -> None:
    error = extract(run_dir, "j6").error
    assert error is not None
    assert (error.type, error.code) == ("image_generation_user_error", "moderation_blocked")
    assert (error.message_id, error.message_chars) == ("safety_rejected", 190)
    assert (error.message_fingerprint, error.moderation_stage) == ("ffeeddccbbaa0099", "output")


def test_an_unknown_error_code_is_a_length_and_a_fingerprint(tmp_path: Path) -> None:
    strange = ApiError(type="falcon_error", code="pool_7_of_falcon_is_empty", message_chars=10)
    packet = one(tmp_path, event("j", attempts=(attempt(error=strange),)))
    error = packet.error
    assert error is not None
    assert error.code is None
    assert error.unknown_code is not None
    assert error.unknown_code.chars == 25
    assert error.unknown_code.fingerprint is not None
    assert "falcon" not in packet.model_dump_json()


def test_fingerprints_of_codes_that_differ_in_digits_only_are_equal(tmp_path: Path) -> None:
    def fingerprint(code: str) -> str | None:
        packet = one(tmp_path / code, event("j", attempts=(attempt(error=ApiError(code=code)),)))
        assert packet.error is not None
        assert packet.error.unknown_code is not None
        return packet.error.unknown_code.fingerprint

    assert fingerprint("shard_17_down") == fingerprint("shard_42_down") != fingerprint("shard_down")


def test_an_unknown_code_that_looks_private_has_no_fingerprint_to_guess_from(tmp_path: Path) -> None:
    packet = one(tmp_path, event("j", attempts=(attempt(error=ApiError(code="anna@falcon-motors.com")),)))
    assert packet.error is not None
    assert packet.error.unknown_code is not None
    assert packet.error.unknown_code.fingerprint is None


def test_the_flat_error_of_an_ingested_event_is_enough(tmp_path: Path) -> None:
    packet = one(tmp_path, event("j", attempts=(), error_type="server_error", error_code="server_error"))
    assert packet.error is not None
    assert packet.error.code == "server_error"
    assert packet.attempts == ()


def test_routes_are_neutral_labels_in_declared_order(run_dir: Path) -> None:
    assert extract(run_dir).route.label == "route-2 (owner: openai)"
    assert extract(run_dir, "j8").route.label == "route-4 (owner: client)"


def test_the_declared_chain_says_products_caps_and_positions(run_dir: Path) -> None:
    packet = extract(run_dir)
    layers = [(one.position, one.product, one.layer_class, one.cap_s, one.setting) for one in packet.local_chain.layers]
    assert layers == [
        (1, "cloudflare", "cdn_edge", 120.0, None),
        (2, "nginx", "reverse_proxy", 60.0, "proxy_read_timeout"),
        (3, "other", "other", 300.0, "other"),
    ]
    assert packet.timeout is not None
    assert (packet.timeout.product, packet.timeout.position_in_chain, packet.timeout.cap_s) == ("nginx", 2, 60.0)


def test_our_own_cap_is_named_as_ours(tmp_path: Path) -> None:
    sent = attempt(ended="local_cap", cap="first_byte", cap_ms=60_000.0, http_status=None)
    job = event("j", outcome="cut", ended="local_cap", timeout_layer="client.first_byte", attempts=(sent,))
    verdict = JobVerdict(
        job_id="j", verdict="false_timeout", grade="proven", layer="this client", product="harness",
        setting="timeouts.first_byte", cap_s=60.0, cap_kind="first_byte",
    )  # fmt: skip
    for said in (verdict, JobVerdict(job_id="j", verdict="undetermined")):
        timeout = one(tmp_path / said.verdict, job, said).timeout
        assert timeout is not None
        assert (timeout.ours, timeout.product, timeout.cap_s) == (True, "harness", 60.0)
        assert (timeout.cap_kind, timeout.layer_class) == ("first_byte", "sdk_client")


def test_the_most_direct_route_is_compared_over_the_same_shape(run_dir: Path) -> None:
    found = extract(run_dir).comparison
    assert found is not None
    assert found.direct.number == 1
    assert (found.on_direct.jobs, found.on_direct.with_image, found.on_direct.refused) == (2, 2, 1)
    assert found.on_direct.median_final_image_ms == 124_700.0
    assert (found.on_this.jobs, found.on_this.with_image, found.on_this.median_final_image_ms) == (2, 0, None)


def test_jobs_that_never_got_an_image_do_not_flatter_the_median(tmp_path: Path) -> None:
    direct = [image(f"d{i}", 1000.0 * i) for i in (1, 2, 3)]
    direct += [msgspec.structs.replace(image(f"x{i}"), outcome="cut", final_image_ms=None) for i in (1, 2)]
    found = extract(write_run(tmp_path / "r", jobs=[event("j1"), *direct])).comparison
    assert found is not None
    assert found.on_direct.median_final_image_ms == 3000.0


def test_other_shapes_and_the_direct_route_itself_are_not_compared(tmp_path: Path, run_dir: Path) -> None:
    small = [image("d1", size="1024x1024")]
    assert extract(write_run(tmp_path / "r", jobs=[event("j1"), *small])).comparison is None
    assert extract(run_dir, "j4").comparison is None


@pytest.mark.parametrize(
    ("owner", "verdict", "asked"),
    [
        ("openai", "long_model_wait", "provider"),
        ("azure", "long_model_wait", "azure"),
        ("litellm", "long_model_wait", "gateway_operator"),
        ("gateway", "silent_downgrade", "gateway_operator"),
        ("reverse", "long_model_wait", "reverse_operator"),
        ("client_infrastructure", "long_model_wait", "platform_team"),
        ("Falcon Hosting Ltd", "long_model_wait", "platform_team"),
        ("openai", "connect_delay", "platform_team"),
    ],
)
def test_the_decision_is_asked_of_whoever_can_act(tmp_path: Path, owner: str, verdict: Any, asked: str) -> None:
    job = event("j", route="r", route_owner=owner)
    assert one(tmp_path, job, JobVerdict(job_id="j", verdict=verdict)).decision.asked_of == asked


def test_a_layer_of_our_own_chain_is_asked_of_our_own_team(run_dir: Path) -> None:
    asked = extract(run_dir).decision
    assert (asked.kind, asked.asked_of, asked.of_the_run) == ("widen_timeout", "platform_team", True)
    assert (asked.product, asked.setting, asked.from_s, asked.to_s) == ("nginx", "proxy_read_timeout", 60.0, 300.0)


def test_a_layer_that_nobody_declared_is_asked_of_the_routes_owner(tmp_path: Path) -> None:
    verdict = JobVerdict(job_id="j", verdict="false_timeout", grade="attributed", layer="cloudflare", cap_s=100.0)
    packet = one(tmp_path, event("j", route="r", route_owner="openai"), verdict)
    assert packet.decision.asked_of == "provider"


def test_a_job_beside_the_headline_asks_for_a_look_up(run_dir: Path) -> None:
    asked = extract(run_dir, "j4").decision
    assert (asked.kind, asked.of_the_run) == ("escalate_to_route_owner", False)


def test_figures_out_of_bounds_are_dropped_and_counted(tmp_path: Path) -> None:
    job = event("j", total_ms=1e30, http_status=99999, n=-4, in_flight=-1, output_compression=900, reference_bytes=-7)
    packet = one(tmp_path, job, decision=Decision(kind="widen_timeout", sentence="", from_s=-1.0, to_s=1e40))
    assert packet.clocks.total_ms is None
    assert packet.http_status is None
    assert (packet.request.n, packet.request.output_compression) == (1, None)
    assert dropped(packet)["number"] >= 8


def test_a_time_without_an_offset_is_no_time(tmp_path: Path) -> None:
    for text in ("2026-11-20T10:00:00", "yesterday, at Anna's", "9999-99-99T00:00:00Z", ""):
        when = one(tmp_path / str(len(text)), event("j", request_started_at=text)).when
        assert when.started_at is None
        assert when.utc_offset_minutes is None


def test_a_strange_offset_is_rounded_to_a_minute(tmp_path: Path) -> None:
    when = one(tmp_path, event("j", request_started_at="2026-11-20T10:00:00.123456+05:30:29")).when
    assert when.started_at is not None
    assert when.started_at.utcoffset() == timedelta(hours=5, minutes=30)
    assert when.started_at.astimezone(UTC).second == 31
    assert when.started_at.microsecond == 123_000


def test_many_attempts_are_cut_to_the_last_ones(tmp_path: Path) -> None:
    packet = one(tmp_path, event("j", attempts=tuple(attempt(n) for n in range(1, 101))))
    assert len(packet.attempts) == 32
    assert packet.attempts[-1].number == 100
    assert dropped(packet)["list_entry"] == 68


def test_freely_chosen_names_are_nowhere(run_dir: Path) -> None:
    for job in events():
        text = extract(run_dir, job.job_id).model_dump_json().lower()
        for word in ("falcon", "example motors", "helsinki", "anna", "4711", "ingress-", "europe", "edge-7"):
            assert word not in text


def test_a_simulated_run_says_so(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", under=conditions(simulated=True, simulator_profile="falcon", time_scale=50.0))
    assert extract(run).simulated is True


def test_a_run_that_was_not_diagnosed_is_refused_with_the_remedy(run_dir: Path) -> None:
    (run_dir / "diagnosis.json").unlink()
    with pytest.raises(UsageProblem, match="harness diagnose"):
        extract(run_dir)


def test_an_empty_or_missing_journal_is_refused(run_dir: Path) -> None:
    (run_dir / "events.jsonl").write_bytes(b"")
    with pytest.raises(UsageProblem, match="no job"):
        extract(run_dir)
    (run_dir / "events.jsonl").unlink()
    with pytest.raises(UsageProblem, match=r"events\.jsonl"):
        extract(run_dir)


def test_torn_lines_and_repeated_jobs_do_not_disturb(run_dir: Path) -> None:
    journal = run_dir / "events.jsonl"
    before = extract(run_dir)
    first = journal.read_bytes().splitlines(keepends=True)[0]
    journal.write_bytes(first + journal.read_bytes() + b'{"event": "image_job", "run')
    assert extract(run_dir) == before


def test_every_verdict_the_builder_knows_makes_a_packet(run_dir: Path) -> None:
    for said in verdicts():
        assert extract(run_dir, said.job_id).verdict == said.verdict
