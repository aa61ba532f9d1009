"""packet.md and waterfall.svg say what support needs first, and hold nothing to escape."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from harness.diagnosis.model import DecisionKind, VerdictName
from harness.packet import extract
from harness.packet.facts import MarksMs
from harness.packet.markdown import markdown
from harness.packet.requests import ASKED, LOOK_UP, OWN_WORDS, RECIPIENTS, asked
from harness.packet.vocabulary import Recipient
from harness.packet.waterfall import legs, waterfall
from harness.packet.words import VERDICTS

from .builder import API_ID, OUR_ID, RAY


def test_the_first_lines_hold_what_support_acts_on(run_dir: Path) -> None:
    head = "\n".join(markdown(extract(run_dir)).splitlines()[:11])
    for part in (
        "false timeout: gpt-image-2 images/generations", "platform team", "from 60 s", "to 300 s", "evidence: proven",
        "finished the image anyway", "HTTP 504", "60.013 s", "2026-11-20T10:25:30.000+02:00", "2 of 3 jobs",
        "route-2 (owner: openai)", API_ID, RAY, OUR_ID, "nginx_gateway_timeout",
    ):  # fmt: skip
        assert part in head


def test_the_rest_holds_request_clocks_chain_and_comparison(run_dir: Path) -> None:
    page = markdown(extract(run_dir))
    for part in ("high, 2048x2048 (high resolution)", "51-200 characters", "| longest silence | 59.978 s |",
                 "| 2 | nginx | reverse_proxy | first_byte | 60 | proxy_read_timeout |", "124.700 s", "Retries: ours 0",
                 "text not included", "connect 5,", "concurrency 4"):  # fmt: skip
        assert part in page


def test_a_rate_limited_job_shows_its_windows(run_dir: Path) -> None:
    page = markdown(extract(run_dir, "j5"))
    assert "requests: 0 of 500 left, reset in 360.500 s" in page
    assert "retry after 0.534 s" in page


@pytest.mark.parametrize("job", ["j1", "j2", "j3", "j4", "j5", "j6", "j7", "j8"])
def test_the_waterfall_is_well_formed_and_has_a_lane_an_attempt(run_dir: Path, job: str) -> None:
    packet = extract(run_dir, job)
    root = ET.fromstring(waterfall(packet))
    texts = [node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert sum(text.startswith("attempt ") for text in texts) == len(packet.attempts)
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.attrib["width"]) > 0


def test_legs_follow_each_other_without_gap_and_end_at_the_end() -> None:
    marks = MarksMs(
        started_at_ms=0.0, pool_acquired_at_ms=1.0, dns_done_at_ms=3.0, tcp_connected_at_ms=10.0, tls_done_at_ms=25.0,
        request_sent_at_ms=30.0, first_body_byte_at_ms=900.0, final_image_at_ms=1000.0, ended_at_ms=1010.0,
    )  # fmt: skip
    found = legs(marks)
    assert [label for _, _, label, _ in found] == [
        "wait for a connection", "dns", "tcp", "tls", "upload", "wait for payload", "stream or download",
        "after the image",
    ]  # fmt: skip
    assert all(one[1] == two[0] for one, two in pairwise(found))
    assert (found[0][0], found[-1][1]) == (0.0, 1010.0)


def test_a_reused_connection_has_no_legs_for_dns_tcp_tls() -> None:
    marks = MarksMs(started_at_ms=0.0, pool_acquired_at_ms=1.0, request_sent_at_ms=30.0, ended_at_ms=60.0)
    assert [leg[2] for leg in legs(marks)] == ["wait for a connection", "upload", "wait for payload"]


def test_every_verdict_decision_and_recipient_has_its_words() -> None:
    assert set(VERDICTS) == set(get_args(VerdictName))
    assert set(ASKED) == set(get_args(DecisionKind))
    assert set(RECIPIENTS) == set(LOOK_UP) == set(get_args(Recipient))


def test_a_decision_that_concerns_everybody_is_asked_of_each_in_words_of_their_own() -> None:
    for kind in ("widen_timeout", "escalate_to_route_owner", "adjust_retry_backoff", "fix_request", "fix_account"):
        said = {asked(kind, of) for of in RECIPIENTS}
        assert len(said) == len(RECIPIENTS), kind
        assert ASKED[kind] not in said
    assert {kind for kind, _ in OWN_WORDS} <= set(ASKED)
    assert "our own" not in " ".join(words for (_, of), words in OWN_WORDS.items() if of != "platform_team")
