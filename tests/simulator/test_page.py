"""What browsers need: a page to start from, permission to look at answers, and their timing."""

from __future__ import annotations

import httpx
import pytest

from harness.simulator.process import spawn
from tests.simulator.asking import HEADERS, LOW
from tests.simulator.tasking import APIS, CLIENT, world

ORIGIN = "https://somewhere.example"
SHARED = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "timing-allow-origin": "*",
}


def shared(reply: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name in SHARED}


def test_every_port_has_a_page_and_answers_preflights_on_every_path() -> None:
    with spawn(world()) as sim:
        for base in sim.entries.values():
            root = base.removesuffix("/v1")
            page = CLIENT.get(f"{root}/")
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert page.headers["timing-allow-origin"] == "*"
            assert page.text.startswith("<!DOCTYPE html>")
            assert "http" not in page.text.replace("http-equiv", "")  # it loads nothing
            for path in ("/v1/images/generations", "/anything/else"):
                asked = {"origin": ORIGIN, "access-control-request-headers": "authorization, content-type"}
                reply = CLIENT.options(root + path, headers=asked)
                assert (reply.status_code, reply.content) == (204, b"")
                assert reply.headers["access-control-allow-headers"] == "authorization, content-type"
                assert "POST" in reply.headers["access-control-allow-methods"]
                assert shared(reply) == SHARED


def test_answers_may_be_read_from_any_origin_that_says_so_and_are_as_before_where_none_does() -> None:
    with spawn({**world(), "time_scale": 500}) as sim:
        url = f"{sim.entries['direct']}/images/generations"
        plain = CLIENT.post(url, json=LOW, headers=HEADERS)
        crossed = CLIENT.post(url, json=LOW, headers={**HEADERS, "origin": ORIGIN})
        api = APIS["task"]
        submitted = api.submit(sim, origin=ORIGIN)
        refused = api.submit(sim, {}, origin=ORIGIN)
    assert shared(plain) == {}
    assert [shared(reply) for reply in (crossed, submitted, refused)] == [SHARED] * 3
    assert all(len(reply.json()["data"]) == 1 for reply in (crossed, plain))


@pytest.mark.parametrize("after", ["silence", "headers", "bytes"])
def test_a_connection_is_cut_for_browsers_as_for_everybody(after: str) -> None:
    with spawn({"time_scale": 500}) as sim:
        url = f"{sim.entries['direct']}/images/generations"
        for headers in (HEADERS, {**HEADERS, "origin": ORIGIN}):
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                CLIENT.post(url, json=LOW, headers={**headers, "x-sim-fault": f"cut;after={after}"})
