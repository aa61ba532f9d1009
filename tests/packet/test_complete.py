"""What a packet must hold beyond the exchange itself: queues, hops' logs, the smallest reproduction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.cli import cli
from harness.errors import UsageProblem
from harness.events import LogWord
from harness.packet import EscalationPacket, extract, verify_packet
from harness.packet.choose import choose, worst
from harness.packet.inputs import read_inputs
from harness.packet.markdown import markdown
from harness.packet.repro import fields, python_script, shell_script
from harness.packet.schema import Size
from harness.shrinking.model import (
    Limits,
    Rule,
    Shape,
    ShrinkRecord,
    Sighting,
    write_record,
)

from .builder import attempt, event, marks, rate_limited, write_run

SMALL = Shape(quality="high", size="1024x1024", prompt="low", prompt_length="1-50")


def record(**more: Any) -> ShrinkRecord:
    given: dict[str, Any] = {
        "run_id": "run-20261120-falcon",
        "job_id": "j1",
        "route": "edge-falcon.corp",
        "scenario_sha256": "ab" * 32,
        "model": "gpt-image-2",
        "kind": "timeout",
        "target": Sighting(verdict="false_timeout", outcome="error", layer="ingress-falcon"),
        "original": Shape(quality="high", size="2048x2048", output_format="jpeg", output_compression=80),
        "rule": Rule(repeats=5),
        "limits": Limits(tries=40),
        "status": "smallest",
        "confirmed": True,
        "smallest": SMALL,
        "needed": ("quality",),
        "dropped": ("format", "size", "prompt"),
        "smallest_shown": 6,
        "smallest_sends": 7,
        "shapes_tried": 9,
        "sends": 31,
        "spent_usd": 4.2,
    }
    return ShrinkRecord(**{**given, **more})


def shrunk(run_dir: Path, **more: Any) -> EscalationPacket:
    write_record(run_dir, record(**more))
    return extract(run_dir)


def test_the_smallest_shape_is_what_the_reproduction_sends(run_dir: Path) -> None:
    packet = shrunk(run_dir)
    found = packet.reproduction
    assert found is not None
    assert (found.state, found.needed, found.not_needed) == ("smallest", ("quality",), ("format", "size", "prompt"))
    assert (found.shown, found.of_sends, found.shapes_tried, found.sends, found.repeats) == (6, 7, 9, 31, 5)
    assert packet.request.size == Size(width=2048, height=2048)
    assert fields(packet) == {"size": "1024x1024", "quality": "high"}
    assert "-lt 40" in shell_script(packet)
    assert "PROMPT_CHARS = 40" in python_script(packet)
    page = markdown(packet)
    assert "Smallest request that shows it: images/generations, quality high, size 1024x1024" in page
    assert "It did in 6 of 7 sends" in page


def test_the_job_that_was_shrunk_is_the_one_that_the_packet_is_about(run_dir: Path) -> None:
    assert choose(read_inputs(run_dir)).job_id == "j2"
    write_record(run_dir, record())
    assert choose(read_inputs(run_dir)).job_id == "j1"
    assert extract(run_dir, "j2").reproduction is None


def test_an_edit_that_needs_no_references_is_reproduced_as_a_generation(tmp_path: Path) -> None:
    job = event("j1", endpoint="/v1/images/edits", reference_images=4, reference_bytes=8_000_000, mask=True)
    run = write_run(tmp_path / "r", jobs=[job])
    packet = shrunk(run)
    assert (packet.request.endpoint, packet.request.mask) == ("images/edits", True)
    assert (packet.repro_request.endpoint, packet.repro_request.reference_bytes) == ("images/generations", 0)
    half = shrunk(run, smallest=msgspec.structs.replace(SMALL, reference_images=2))
    assert (half.repro_request.endpoint, half.repro_request.reference_bytes) == ("images/edits", 4_000_000)


@pytest.mark.parametrize(
    ("status", "state"),
    [("running", "unfinished"), ("out_of_budget", "unfinished"), ("stopped", "unfinished"), ("smallest", "smallest")],
)
def test_an_unfinished_search_says_so(run_dir: Path, status: str, state: str) -> None:
    found = shrunk(run_dir, status=status, confirmed=False).reproduction
    assert found is not None
    assert found.state == state


def test_what_was_not_reproduced_is_said_and_the_jobs_own_shape_is_sent(run_dir: Path) -> None:
    packet = shrunk(run_dir, status="not_reproduced", smallest=None, needed=(), dropped=())
    assert packet.reproduction is not None
    assert packet.reproduction.request is None
    assert packet.repro_request == packet.request
    assert "did not show it any more" in markdown(packet)


def test_that_the_own_prompt_is_needed_is_said_and_the_prompt_is_not(run_dir: Path) -> None:
    packet = shrunk(run_dir, smallest=msgspec.structs.replace(SMALL, prompt="own", prompt_length="51-200"))
    assert packet.reproduction is not None
    assert packet.reproduction.own_prompt
    assert packet.repro_request.prompt_complexity == "high"
    assert "takes the job's own prompt, which is not in here" in markdown(packet)


def test_strange_words_in_the_record_become_other(run_dir: Path) -> None:
    strange = Shape(
        quality="falcon", size="9", output_format="falcon", background="falcon", prompt_length="falcon", n=-4
    )
    packet = shrunk(run_dir, smallest=strange, smallest_shown=-1)
    assert "falcon" not in packet.model_dump_json()
    assert packet.repro_request.quality == "other"


def test_a_poisoned_record_gives_no_canary(run_dir: Path) -> None:
    write_record(run_dir, record())
    cli.main(["packet", str(run_dir)], standalone_mode=False)
    assert verify_packet(run_dir / "packet.zip").rendered_again


def test_queues_are_told_apart(tmp_path: Path) -> None:
    sent = attempt(polls=7, marks=marks(submitted_at_ms=900.0, running_at_ms=12_900.0))
    job = event("j1", pool_wait_ms=41.0, queue_ms=3000.0, attempts=(sent,))
    limited = msgspec.structs.replace(rate_limited("j5"), route=job.route)
    queue = extract(write_run(tmp_path / "r", jobs=[job, limited]), "j1").queue
    assert (queue.in_flight, queue.concurrency, queue.sent_late_ms) == (4, 4, 4.0)
    assert (queue.pool_wait_ms, queue.server_queue_ms, queue.task_waited_ms, queue.polls) == (41.0, 3000.0, 12_000.0, 7)
    assert (queue.rate_limited_attempts, queue.rate_limited_jobs) == (0, 1)


def test_what_hops_logs_say_is_held_without_their_words(tmp_path: Path) -> None:
    words = (
        LogWord(writer="nginx", side="proxy", gave_up="self", word="falcon said so", after_ms=60_001.0, connected=True,
                status=504, ground="id"),
        LogWord(writer="falcon-relay", side="gateway", gave_up="client", after_ms=59_990.0, ground="time"),
    )  # fmt: skip
    packet = extract(write_run(tmp_path / "r", jobs=[event("j1", attempts=(attempt(log_words=words),))]))
    first, second = packet.attempts[0].logs
    assert (first.writer, first.gave_up, first.after_ms, first.connected) == ("nginx", "self", 60_001.0, True)
    assert (second.writer, second.ground) == ("other", "time")
    page = markdown(packet)
    assert "log of nginx (proxy, joined by id): gave up on the hop behind it after 60.001 s, status 504" in page
    assert "falcon" not in packet.model_dump_json() + page


def test_a_packet_of_somebody_elses_log_is_written(tmp_path: Path) -> None:
    log, run = tmp_path / "access.jsonl", tmp_path / "run"
    lines = [
        {"at": f"2026-11-20T10:1{i}:30+00:00", "took": 60_001, "status": 504, "path": "/v1/images/generations",
         "request": f"0f8fad5bd9cb469fa16570867728950{i}", "ended": "gave up"}
        for i in range(6)
    ]  # fmt: skip
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "writer: nginx\nside: proxy\nfields:\n  started_at_s: at\n  duration_ms: took\n  status: status\n"
        "  path: path\n  request_id: request\n  gave_up: {from: ended, words: {gave up: self}}\n"
    )
    cli.main(["diagnose", str(log), "--mapping", str(mapping), "--out", str(run)], standalone_mode=False)
    cli.main(["packet", str(run), "--out", str(tmp_path / "p.zip")], standalone_mode=False)
    packet = extract(run)
    assert verify_packet(tmp_path / "p.zip").rendered_again
    assert packet.attempts[0].logs[0].writer == "nginx"
    assert packet.local_chain.python is None
    assert "-lt 40" in shell_script(packet)


def test_the_worst_and_the_job_of_a_verdict_are_found(run_dir: Path) -> None:
    inputs = read_inputs(run_dir)
    assert worst(inputs).job_id == "j4"
    assert worst(inputs, "false_timeout").job_id in {"j1", "j2"}
    assert choose(inputs, verdict="retry_pressure").job_id == "j5"
    with pytest.raises(UsageProblem, match="there are connect_delay, false_timeout"):
        choose(inputs, verdict="falcon")


def test_the_forms_of_the_verb(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: str) -> str:
        cli.main(["packet", *words], standalone_mode=False)
        return capsys.readouterr().out

    assert call("preview", str(run_dir)) == call(str(run_dir), "--preview")
    assert not (run_dir / "packet.zip").exists()
    call(str(run_dir), "--verdict", "retry_pressure")
    target = str(run_dir / "packet.zip")
    assert call("verify", target) == call(target, "--verify")
    assert '"verdict": "long_model_wait"' in call("preview", str(run_dir), "--worst")
    for wrong in (["preview"], ["preview", target, target], ["verify", target, "--preview"], [str(run_dir / "none")],
                  [str(run_dir), "--job", "j1", "--worst"]):  # fmt: skip
        with pytest.raises(UsageProblem):
            call(*wrong)
