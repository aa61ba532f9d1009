"""Which layer gave up: what may be said on which evidence, and above all what may not."""

from __future__ import annotations

from typing import Any

import pytest

from harness.conditions import Host, LayerCap, RouteConditions, RunConditions
from harness.diagnosis.attribution import Attribution, attribute
from harness.diagnosis.catalog import load_catalog, signed_by
from harness.diagnosis.elapsed import agrees
from harness.events import ApiError, Attempt, JobEvent, Marks
from harness.frame import frame_of
from harness.ingest.backend import BackendLog, BackendRecord

NGINX_PAGE = (
    "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n<center><h1>504 Gateway Time-out</h1>"
    "</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>"
)


def event(number: int = 1, *, cut_s: float = 60.2, status: int | None = 504, **changes: Any) -> JobEvent:
    """A job that ended after `cut_s` without an image."""
    end = cut_s * 1000
    answered = status is not None
    attempt: dict[str, Any] = {
        "number": 1,
        "client_request_id": f"harness-{number:024x}-1",
        "marks": Marks(
            started_at_ms=0.0,
            pool_acquired_at_ms=0.1,
            tcp_connected_at_ms=20.0,
            request_sent_at_ms=25.0,
            first_byte_at_ms=end if answered else None,
            headers_at_ms=end if answered else None,
            last_byte_at_ms=end if answered else None,
            ended_at_ms=end,
        ),
        "ended": "complete" if answered else "remote_closed",
        "http_status": status,
        "body_kind": "text" if answered else None,
        "longest_silence_ms": end - 25.0,
    }
    attempt |= changes
    last = Attempt(**attempt)
    return JobEvent(
        run_id="r",
        job_id=f"j{number}",
        cell="edge/high",
        block=number,
        position=1,
        request_started_at="2026-11-20T10:00:00.000+00:00",
        timezone="UTC",
        route="edge",
        route_kind="images",
        route_owner="gateway",
        endpoint="/v1/images/generations",
        model="gpt-image-2",
        prompt_chars=10,
        prompt_hash="0" * 32,
        outcome="error" if answered else "cut",
        ended=last.ended,
        http_status=status,
        request_id=last.request_id,
        total_ms=end,
        longest_silence_ms=last.longest_silence_ms,
        attempts=(last,),
    )


def conditions(*chain: LayerCap) -> RunConditions:
    return RunConditions(
        run_id="r",
        scenario="s",
        why="w",
        scenario_sha256="0",
        seed=0,
        started_at="2026-11-20T10:00:00+00:00",
        timezone="UTC",
        planned_jobs=1,
        blocks=1,
        routes=(RouteConditions(name="edge", kind="images", owner="gateway", chain=chain),),
        host=Host(python="3", platform="x", cpus=2, openai_sdk="3", harness="0"),
    )


def judged(*events: JobEvent, chain: tuple[LayerCap, ...] = (), log: BackendLog | None = None) -> Attribution:
    return attribute(frame_of(events), conditions(*chain), log).by_row[0]


NGINX = {"headers": {"server": "nginx/1.22.1"}, "body_head": NGINX_PAGE, "body_kind": "html"}


def test_a_signed_page_at_the_default_cap_is_attributed() -> None:
    found = judged(event(**NGINX))
    assert (found.grade, found.product, found.cap_s) == ("attributed", "nginx", 60)
    # nginx's page is the same for several of its caps, and their defaults are: all of them are named.
    assert (found.setting or "").startswith("proxy_read_timeout or proxy_connect_timeout")


def test_a_declared_cap_goes_before_the_default() -> None:
    chain = (LayerCap(layer="our-edge", product="nginx", kind="first_byte", cap_s=30),)
    found = judged(event(cut_s=30.1, **NGINX), chain=chain)
    assert (found.grade, found.layer, found.cap_s) == ("attributed", "our-edge", 30)


def test_a_signed_page_at_no_known_cap_is_not_called_a_timeout() -> None:
    found = judged(event(cut_s=37.0, **NGINX))
    assert found.grade == "undetermined"
    assert found.layer is None
    assert "proxy_read_timeout" in (found.settle or "")


def test_a_bare_504_names_nobody_even_at_60_seconds() -> None:
    found = judged(event(body_head="gateway timeout"))
    assert (found.grade, found.layer) == ("undetermined", None)


def test_a_server_header_alone_does_not_sign() -> None:
    found = judged(event(headers={"server": "nginx/1.22.1"}, body_head="upstream failed"))
    assert found.grade == "undetermined"


def test_an_error_with_the_apis_own_request_id_was_made_by_the_api() -> None:
    error = ApiError(type="server_error", code="server_error", message="It broke.")
    chain = (LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60),)
    found = judged(event(status=503, request_id="req_" + "0" * 32, body_kind="json", error=error), chain=chain)
    assert found.grade == "undetermined"
    assert any("proxy" in one for one in found.excluded)


def test_one_declared_cap_that_agrees_without_a_signature_is_inferred() -> None:
    chain = (
        LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60),
        LayerCap(layer="lb", kind="idle", cap_s=350),
    )
    found = judged(event(status=None), chain=chain)
    assert (found.grade, found.layer) == ("inferred", "edge")


def test_two_declared_caps_that_agree_alike_are_a_list_and_not_a_guess() -> None:
    chain = (
        LayerCap(layer="edge", kind="first_byte", cap_s=60),
        LayerCap(layer="worker", kind="total", cap_s=60),
    )
    found = judged(event(status=None), chain=chain)
    assert (found.grade, found.layer) == ("undetermined", None)
    assert "edge, worker" in (found.settle or "")


def test_cuts_that_pile_up_at_a_constant_are_inferred_without_a_name() -> None:
    cuts = [event(i, cut_s=100 + i * 0.05, status=None) for i in range(6)]
    found = judged(*cuts)
    assert found.grade == "inferred"
    assert found.product is None
    assert found.cap_s == pytest.approx(100.1, abs=0.2)


def test_scattered_cuts_are_no_constant() -> None:
    cuts = [event(i, cut_s=40 + i * 13, status=None) for i in range(8)]
    assert judged(*cuts).grade == "undetermined"


def test_our_own_cap_is_named_and_says_nothing_of_the_other_side() -> None:
    found = judged(event(status=None, ended="local_cap", cap="total", cap_ms=60_000.0))
    assert (found.grade, found.product, found.setting) == ("attributed", "harness", "timeouts.total")
    assert found.backend_finished is None


def test_our_total_cap_in_an_upload_says_nothing_of_a_model_that_had_no_request() -> None:
    marks = Marks(started_at_ms=0.0, pool_acquired_at_ms=0.1, tcp_connected_at_ms=20.0, ended_at_ms=60_000.0)
    found = judged(
        event(status=None, cut_s=60.0, ended="local_cap", cap="total", cap_ms=60_000.0, marks=marks, bytes_up=9)
    )
    assert (found.grade, found.setting) == ("undetermined", "timeouts.total")
    assert "the request was not whole by then" in found.evidence[0].fact


def test_the_backends_record_of_a_finished_job_is_proof() -> None:
    cut = event(**NGINX)
    record = BackendRecord(client_request_id=cut.attempts[-1].client_request_id, finished=True, latency_s=190.0)
    log = BackendLog({record.client_request_id or "": record}, 1, ())
    found = judged(cut, log=log)
    assert (found.grade, found.backend_finished) == ("proven", True)


def test_a_record_of_a_job_that_was_over_before_the_cut_proves_no_false_timeout() -> None:
    cut = event(status=None)
    record = BackendRecord(client_request_id=cut.attempts[-1].client_request_id, finished=True, latency_s=10.0)
    found = judged(cut, log=BackendLog({record.client_request_id or "": record}, 1, ()))
    assert found.grade == "undetermined"
    assert found.backend_finished is True


def test_a_record_of_an_unfinished_job_speaks_against_an_image() -> None:
    cut = event(**NGINX)
    record = BackendRecord(client_request_id=cut.attempts[-1].client_request_id, finished=False)
    found = judged(cut, log=BackendLog({record.client_request_id or "": record}, 1, ()))
    assert (found.grade, found.backend_finished) == ("attributed", False)


def test_a_cap_fires_a_little_late_and_never_early() -> None:
    assert agrees(60_000, 60)
    assert agrees(61_400, 60)
    assert not agrees(59_000, 60)
    assert not agrees(64_000, 60)
    assert not agrees(None, 60)


def test_every_signature_of_the_catalog_is_told_from_every_other() -> None:
    ids = [layer.id for layer in load_catalog()]
    assert len(ids) == len(set(ids))
    assert signed_by(504, {"server": "nginx/1.22.1"}, NGINX_PAGE, "")[0].id == "nginx_proxy_read_timeout"
    assert signed_by(504, {}, "gateway timeout", "") == ()
    for layer in load_catalog():
        assert layer.source
        assert layer.grade in {"measured", "documented", "reported"}
        assert layer.first_move


NGINX_502 = {"headers": {"server": "nginx/1.22.1"}, "body_kind": "html",
             "body_head": NGINX_PAGE.replace("504 Gateway Time-out", "502 Bad Gateway")}  # fmt: skip


def test_a_page_that_says_its_upstream_hung_up_is_no_timer_of_its_writer() -> None:
    chain = (LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60),)
    assert judged(event(cut_s=60.1, status=502, **NGINX_502), chain=chain).grade == "undetermined"
    behind = LayerCap(layer="app", product="gunicorn", kind="total", cap_s=60)
    found = judged(event(cut_s=60.1, status=502, **NGINX_502), chain=(*chain, behind))
    assert (found.grade, found.layer) == ("inferred", "app")


APACHE_502 = ('<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n<title>502 Proxy Error</title>\n'
              "</head><body>\n<h1>Proxy Error</h1>\n<p>The proxy server received an invalid\r\nresponse")  # fmt: skip
LITELLM_504 = ApiError(code="504", message="litellm.Timeout: Timeout Error: OpenAIException - <html>")


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        (502, {"headers": {"server": "Apache/2.4"}, "body_kind": "html", "body_head": APACHE_502}),
        (504, {"body_kind": "json", "error": LITELLM_504}),
        (502, NGINX_502),
    ],
    ids=["apache", "litellm", "nginx"],
)
def test_who_only_tells_of_its_upstream_is_not_named_for_a_pile_of_ends(status: int, reply: dict[str, Any]) -> None:
    events = [event(number, cut_s=30 + number / 100, status=status, **reply) for number in range(20)]
    found = attribute(frame_of(events), conditions(), None).by_row[3]
    assert (found.grade, found.layer, found.product) == ("inferred", "a layer not named by the evidence", None)


def test_a_status_that_the_outermost_layer_never_gives_at_its_cap_is_not_its_timer() -> None:
    edge = LayerCap(layer="edge", product="nginx", kind="first_byte", cap_s=60)
    overloaded = ApiError(type="service_unavailable_error", code="server_is_overloaded", message="Overloaded.")
    reply: dict[str, Any] = {"cut_s": 60.1, "status": 503, "body_kind": "json", "error": overloaded}
    assert judged(event(**reply), chain=(edge,)).grade == "undetermined"
    # Behind another layer it may have been put in other words.
    front = LayerCap(layer="front", product="litellm", kind="total", cap_s=600)
    assert judged(event(**reply), chain=(front, edge)).layer == "edge"
    assert judged(event(cut_s=60.1, status=504, body_kind="json"), chain=(edge,)).layer == "edge"


def test_hidden_tries_are_counted_no_finer_than_their_pauses_let_them_be() -> None:
    # Measured: nine calls of 3 s each behind one answer after 35.2 s.
    said = ApiError(type="invalid_request_error", code="408", message="litellm.Timeout: APITimeoutError - timed out")
    gateway = LayerCap(layer="gw", product="litellm", kind="first_byte", cap_s=3)
    found = judged(event(cut_s=35.2, status=408, body_kind="json", error=said), chain=(gateway,))
    assert (found.grade, found.layer, found.cap_s) == ("inferred", "gw", 3)
    assert "35.2 s is 4, 6 or 9 times its declared first byte cap of 3 s, with pauses" in found.evidence[1].fact
