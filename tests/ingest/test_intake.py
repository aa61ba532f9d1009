"""Logs go in, a run's folder comes out: verdicts, proof across logs, what was left out and why."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.conditions import LayerCap, RouteConditions, read_conditions
from harness.diagnosis.judge import diagnose_run
from harness.errors import UsageProblem
from harness.events import from_line, to_line
from harness.ingest.events import LEAST_IMAGE_BYTES, LEAST_LINK_BYTES
from harness.ingest.intake import Intake, take_in, told
from harness.journal_lines import read_events
from tests.report.build_run import job

MAPPING = """
side: upstream
writer: image-api
fields:
  started_at_s: time
  duration_ms: {from: took.s, unit: s}
  status: status
  finished: done
  client_request_id: id
"""


class Logs:
    """nginx in front of a backend: 40 jobs, a cap of 60 s, and a backend that goes on; its clock is 90 s ahead."""

    def __init__(self, folder: Path, *, ids: bool, skew_s: float = 90.0) -> None:
        dice = np.random.default_rng(4)
        start = 1795255200 + np.cumsum(dice.exponential(40, 40))
        took = dice.lognormal(np.log(50), 0.4, 40)
        self.cut = int((took > 60).sum())
        self.nginx, self.api, self.mapping = folder / "access.log", folder / "api.jsonl", folder / "map.yaml"
        self.mapping.write_text(MAPPING)
        with self.nginx.open("w") as proxy, self.api.open("w") as backend:
            for number, (begun, seconds) in enumerate(zip(start, took, strict=True)):
                late = seconds > 60
                seen = 60.003 if late else seconds
                at = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(begun + seen))
                header = "-" if late else f"{seconds:.3f}"
                status, size = (504, 167) if late else (200, 1_800_000)
                crid = f' crid="job-{number:04d}"' if ids else ""
                proxy.write(
                    f'10.1.2.3 - - [{at}] "POST /v1/images/generations HTTP/1.1" {status} {size} "-" "node" '
                    f"rt={seen:.3f} uct=0.001 uht={header} urt={seen - 0.001:.3f} us={status} rid={number:032x}{crid}\n"
                )
                moment = begun + skew_s + 0.3
                text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
                record = {"time": text, "took": {"s": seconds}, "status": 200, "done": True}
                backend.write(json.dumps(record | ({"id": f"job-{number:04d}"} if ids else {})) + "\n")

    def take(self, folder: Path, **more) -> Intake:
        return take_in([self.nginx, self.api], folder, mapping=self.mapping, **more)


def verdicts(folder: Path) -> dict[tuple[str, str | None], int]:
    diagnosis, found = diagnose_run(folder)
    table = found.table
    assert diagnosis.conclusive
    counted = table.groupby(["verdict", "grade"], observed=True, dropna=False).size()
    return {(str(name), None if grade != grade else str(grade)): int(n) for (name, grade), n in counted.items() if n}


def test_one_proxys_log_alone_attributes_the_false_timeouts(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ids=False)
    found = take_in([logs.nginx], tmp_path / "run")
    assert (found.jobs, found.files[0].records, found.files[0].format) == (40, 40, "nginx")
    assert verdicts(tmp_path / "run") == {("ok", None): 40 - logs.cut, ("false_timeout", "attributed"): logs.cut}
    _, found_verdicts = diagnose_run(tmp_path / "run")
    one = next(verdict for verdict in found_verdicts if verdict.verdict == "false_timeout")
    assert (one.product, one.cap_s) == ("nginx", 60.0)
    assert one.setting == "proxy_read_timeout or fastcgi_read_timeout"  # it did connect
    assert any("the log of nginx: it gave up on the call (504) after 60.0 s" in e.fact for e in one.evidence)


@pytest.mark.parametrize("ids", [True, False], ids=["a shared id", "no shared id"])
def test_two_logs_prove_that_the_images_were_made_anyway(tmp_path: Path, ids: bool) -> None:
    logs = Logs(tmp_path, ids=ids)
    found = logs.take(tmp_path / "run")
    (tie,) = found.ties
    assert (tie.joined_by_id, tie.joined_by_time) == ((40, 0) if ids else (0, 40 - tie.ambiguous))
    assert tie.ambiguous <= 2
    assert tie.skew_s == pytest.approx(90.3, abs=1.1)
    assert found.jobs == 40
    proven = verdicts(tmp_path / "run").get(("false_timeout", "proven"), 0)
    assert logs.cut - tie.ambiguous <= proven <= logs.cut
    assert any(f"{tie.skew_s:+.1f} s off" in line for line in told(found))


def test_a_packed_log_is_the_same_log(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ids=False)
    packed = tmp_path / "access.log.1.gz"
    packed.write_bytes(gzip.compress(logs.nginx.read_bytes()))
    take_in([packed], tmp_path / "packed")
    take_in([logs.nginx], tmp_path / "plain")
    one, two = (read_events(tmp_path / name / "events.jsonl")[0] for name in ("packed", "plain"))
    assert [event.job_id for event in one] == [event.job_id for event in two]
    assert [event.total_ms for event in one] == [event.total_ms for event in two]


def test_bad_lines_and_other_requests_are_counted_and_lose_nothing(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ids=False)
    good = logs.nginx.read_bytes()
    other = b'10.1.2.3 - - [21/Nov/2026:10:00:00 +0000] "GET /health HTTP/1.1" 200 2 "-" "-" rt=0.001\n'
    logs.nginx.write_bytes(b"secret-marker garbage\n" + good + other + b"\xff\xfe binary secret-marker\n")
    found = take_in([logs.nginx], tmp_path / "run")
    (file,) = found.files
    assert (file.records, file.other_requests, file.unreadable) == (40, 1, 2)
    assert {line for line, _ in file.setbacks} == {1, 43}
    assert "secret-marker" not in (tmp_path / "run" / "intake.json").read_text()
    assert not any("secret-marker" in line for line in told(found))


def test_every_event_of_an_intake_is_an_event_by_the_schema(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ids=True)
    logs.take(tmp_path / "run")
    events, bad = read_events(tmp_path / "run" / "events.jsonl")
    assert (len(events), bad) == (40, [])
    cut = [event for event in events if event.http_status == 504]
    assert len(cut) == logs.cut
    for event in events:
        assert from_line(to_line(event)) == event
        assert event.route_owner == "client_infrastructure"
        assert "image_not_looked_at" in event.notes or event.outcome != "image"
    word = cut[0].attempts[-1].log_words[0]
    assert (word.writer, word.gave_up, word.word, word.connected, word.ground) == ("nginx", "self", "504", True, "own")
    assert not any("10.1.2.3" in to_line(event).decode() for event in events)


def test_our_own_run_among_logs_keeps_what_it_measured(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ids=True)
    run = tmp_path / "ours"
    run.mkdir()
    events = []
    for number, line in enumerate(logs.nginx.read_text().splitlines()):
        late = " 504 " in line
        seconds = float(line.split(" rt=")[1].split()[0])
        one = job(number, outcome="error" if late else "image", status=504 if late else 200, seconds=seconds)
        last = msgspec.structs.replace(one.attempts[-1], client_request_id=f"job-{number:04d}")
        started = datetime.fromtimestamp(_began(line) - 0.02, UTC).isoformat()
        events.append(msgspec.structs.replace(one, request_started_at=started, time_scale=1.0, attempts=(last,)))
    (run / "events.jsonl").write_bytes(b"".join(to_line(event) for event in events))
    found = take_in([run, logs.nginx, logs.api], tmp_path / "run", mapping=logs.mapping)
    assert found.jobs == 40
    assert [tie.joined_by_id for tie in found.ties] == [40, 40, 40]
    written, _ = read_events(tmp_path / "run" / "events.jsonl")
    mine = {event.job_id: event for event in events}
    assert {event.job_id for event in written} == set(mine)
    for event in written:
        assert event.total_ms == mine[event.job_id].total_ms
        assert event.prompt_hash == mine[event.job_id].prompt_hash
    cut = [event for event in written if event.http_status == 504]
    assert {event.attempts[-1].log_words[-1].ground for event in cut} == {"id"}
    assert verdicts(tmp_path / "run")[("false_timeout", "proven")] == logs.cut


def test_a_declared_chain_names_the_one_setting(tmp_path: Path) -> None:
    logs = Logs(tmp_path, ids=False)
    chain = (LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60.0, setting="proxy_read_timeout"),)
    declared = RouteConditions(name="web", kind="images", owner="client_infrastructure", chain=chain)
    take_in([logs.nginx], tmp_path / "run", route="web", routes=(declared,))
    assert read_conditions(tmp_path / "run").routes == (declared,)
    _, found = diagnose_run(tmp_path / "run")
    assert {one.setting for one in found if one.verdict == "false_timeout"} == {"proxy_read_timeout"}


@pytest.mark.parametrize(
    ("size", "outcome", "verdict"),
    [
        (LEAST_LINK_BYTES - 1, "empty", "empty_success"),
        (812, "unknown", "undetermined"),  # an answer with a link in it, or a task's number
        (LEAST_IMAGE_BYTES - 1, "unknown", "undetermined"),
    ],
)
def test_a_success_too_small_for_an_image_is_an_empty_one_only_where_no_link_fits_in(
    tmp_path: Path, size: int, outcome: str, verdict: str
) -> None:
    logs = Logs(tmp_path, ids=False)
    logs.nginx.write_text(logs.nginx.read_text().replace(" 200 1800000 ", f" 200 {size} "))
    take_in([logs.nginx], tmp_path / "run")
    events, _ = read_events(tmp_path / "run" / "events.jsonl")
    assert {event.outcome for event in events} == {outcome, "error"}
    _, found = diagnose_run(tmp_path / "run")
    told_of = [one for one in found if one.verdict == verdict]
    assert len(told_of) == 40 - logs.cut
    assert verdict != "undetermined" or "large enough for a link" in told_of[0].evidence[0].fact


def test_a_client_that_left_is_no_fault_of_the_proxy(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    asked = '"POST /v1/images/generations HTTP/1.1" 499 0 "-" "x"'
    line = f"1.2.3.4 - - [21/Nov/2026:10:{{:02d}}:00 +0000] {asked} rt={{}} uht=- us=-\n"
    log.write_text("".join(line.format(number, f"30.0{number % 10}1") for number in range(20)))
    take_in([log], tmp_path / "run")
    _, found = diagnose_run(tmp_path / "run")
    assert {(one.verdict, one.layer, one.product) for one in found} == {("false_timeout", "the caller of nginx", None)}
    assert {one.grade for one in found} == {"attributed"}  # they pile up at a constant: a timer, not twenty people


def test_asking_again_for_the_same_within_ten_minutes_is_counted_and_priced(tmp_path: Path) -> None:
    log, mapping = tmp_path / "app.csv", tmp_path / "map.yaml"
    rows = ["started,user,prompt,took"]
    rows += [
        f"2026-11-21 10:0{minute}:00,{user},p1,61000" for minute, user in ((0, "u1"), (1, "u1"), (2, "u2"), (9, "u1"))
    ]
    rows.append("2026-11-21 11:00:00,u1,p1,61000")
    log.write_text("\n".join(rows) + "\n")
    mapping.write_text(
        "side: client\nfields:\n  started_at_s: started\n  duration_ms: took\n"
        "  user_hash: user\n  prompt_hash: prompt\n"
    )
    found = take_in([log], tmp_path / "run", mapping=mapping)
    assert (found.jobs, found.repeated_jobs, found.repeated_usd) == (5, 2, None)  # no model, no price


@pytest.mark.parametrize(
    ("text", "more", "match"),
    [
        ("what is this\n", {}, "in no format that is known"),
        (
            '1.2.3.4 - - [21/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 2\n',
            {},
            "no record speaks of images.*Say which",
        ),
        ('1.2.3.4 - - [21/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 2\n', {"only": "("}, "--only"),
        ("x\n", {"log_format": "apache2"}, "no such format"),
        ("x\n", {"log_format": "nginx"}, r"no record could be read \(a.log:1: "),
    ],
)
def test_what_cannot_be_taken_in_is_a_clear_error(tmp_path: Path, text: str, more: dict, match: str) -> None:
    log = tmp_path / "a.log"
    log.write_text(text)
    with pytest.raises(UsageProblem, match=match):
        take_in([log], tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


def _began(line: str) -> float:
    at = time.mktime(time.strptime(line.split("[")[1].split(" +")[0], "%d/%b/%Y:%H:%M:%S")) - time.timezone
    return at - float(line.split(" rt=")[1].split()[0])
