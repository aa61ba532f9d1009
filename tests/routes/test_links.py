"""Results that come as links: fetched without anything of the route's, joined where they came whole, never raising."""

from __future__ import annotations

import asyncio
import gzip
import socket
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.routes.base import Answer, Target
from harness.routes.links import MOST_LINKS, MOST_REDIRECTS, Downloads, joined
from harness.wire.caps import Caps
from harness.wire.stamp import at
from harness.wire.trace import Trace

from .recorder import CALL, KEY, Recorder, Say, Seen, Told, ask, recording, reply

IMAGE = b"\x89PNG" + bytes(range(256)) * 20
HEADERS = {"X-Team": "blue-team", "Cookie": "session=planted", "X-Api-Token": "planted-token"}


def answer_with(*links: Any) -> dict[str, Any]:
    return {"created": 1, "data": [{"url": link} for link in links]}


def fetched(say: Say, *links: str, headers: dict[str, str] | None = None) -> tuple[Told, list[Seen], Recorder]:
    """One exchange whose answer is these links ({} is the server itself); what came of it, and what was asked for."""

    async def go() -> tuple[Told, list[Seen], Recorder]:
        def answer(seen: Seen) -> Any:
            if seen.method == "POST":
                return reply(answer_with(*(link.replace("{}", server.url) for link in links)), set_cookie="api=planted")
            return say(seen)

        async with recording(answer) as server:
            (told,) = await ask(server, "images", headers=headers)
            return told, [seen for seen in server.seen if seen.method != "POST"], server

    return asyncio.run(go())


def images(told: Told) -> list[bytes]:
    assert all(not payload.base64 for payload in told.answer.finals)
    return [payload.encoded for payload in told.answer.finals]


def test_a_link_is_fetched_without_the_routes_key_headers_or_cookies() -> None:
    told, (seen,), server = fetched(lambda _: reply(IMAGE, kind="image/png"), "{}/file/a.png?sig=1", headers=HEADERS)
    assert (seen.method, seen.target, seen.body) == ("GET", "/file/a.png?sig=1", b"")
    names = {name for name, _ in seen.headers}
    assert names <= {"host", "accept", "accept-encoding", "connection", "user-agent"}
    everything = repr(seen.headers)
    for secret in (KEY, "blue-team", "planted", "harness-test-1", "stainless"):
        assert secret not in everything
    assert seen.all("host") == [f"127.0.0.1:{server.port}"]
    assert seen.all("accept-encoding") == ["identity"]
    assert images(told) == [IMAGE]
    assert "result_by_url" in told.answer.notes


def test_a_download_is_a_leg_with_stamps_of_its_own_and_the_answer_keeps_its() -> None:
    told, _, _ = fetched(lambda _: reply(IMAGE), "{}/a")
    (leg,) = told.trace.legs
    (payload,) = told.answer.finals
    assert (leg.kind, leg.trace.http_status, leg.trace.bytes_down > len(IMAGE)) == ("download", 200, True)
    assert told.trace.body_end_ns is not None
    assert leg.trace.started_ns is not None
    assert leg.trace.body_end_ns is not None
    assert payload.whole.ns == told.trace.body_end_ns < leg.trace.started_ns < leg.trace.body_end_ns
    assert told.trace.deciding() is None


def test_several_links_are_several_images_in_their_order() -> None:
    told, seen, _ = fetched(lambda seen: reply(IMAGE + seen.path.encode()), "{}/1", "{}/2", "{}/3")
    assert images(told) == [IMAGE + b"/1", IMAGE + b"/2", IMAGE + b"/3"]
    assert len(seen) == 3


def test_more_links_than_anybody_asks_for_are_not_all_fetched() -> None:
    told, seen, _ = fetched(lambda _: reply(IMAGE), *["{}/a"] * (MOST_LINKS + 5))
    assert (len(seen), len(images(told))) == (MOST_LINKS, MOST_LINKS)
    assert "download_failed" in told.answer.notes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_without_credentials_or_cookies_and_each_hop_is_a_leg(status: int) -> None:
    def say(seen: Seen) -> bytes:
        if seen.path == "/a":
            return reply(status=status, location="b?x=1", set_cookie="cdn=planted; Path=/")
        return reply(IMAGE)

    told, seen, _ = fetched(say, "{}/a", headers=HEADERS)
    assert [one.target for one in seen] == ["/a", "/b?x=1"]
    assert [(leg.number, leg.trace.http_status) for leg in told.trace.legs] == [(1, status), (2, 200)]
    assert "planted" not in repr([one.headers for one in seen])
    assert KEY not in repr([one.headers for one in seen])
    assert images(told) == [IMAGE]


def test_a_cookie_of_one_download_does_not_go_with_the_next() -> None:
    async def go() -> list[str]:
        def say(seen: Seen) -> bytes:
            if seen.method == "POST":
                return reply(answer_with(f"{server.url}/a"))
            return reply(IMAGE, set_cookie="cdn=planted; Path=/")

        async with recording(say) as server:
            await ask(server, "images", times=3)
            return [value for seen in server.seen for value in seen.all("cookie")]

    assert asyncio.run(go()) == []


def test_another_origin_of_a_redirect_gets_nothing_of_the_first() -> None:
    async def go() -> tuple[Told, list[Seen]]:
        def say(seen: Seen) -> bytes:
            if seen.method == "POST":
                return reply(answer_with(f"{first.url.replace('://', '://user:planted@')}/a"))
            return reply(status=302, location=f"{second.url}/b", set_cookie="cdn=planted")

        async with recording(lambda _: reply(IMAGE)) as second, recording(say) as first:
            (told,) = await ask(first, "images", headers=HEADERS)
            return told, second.seen

    told, (seen,) = asyncio.run(go())
    assert images(told) == [IMAGE]
    assert {name for name, _ in seen.headers} <= {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize("hops", [MOST_REDIRECTS, MOST_REDIRECTS + 1, 50])
def test_redirects_end_after_three(hops: int) -> None:
    def say(seen: Seen) -> bytes:
        number = int(seen.path[1:])
        return reply(IMAGE) if number == hops else reply(status=302, location=f"/{number + 1}")

    told, seen, _ = fetched(say, "{}/0")
    assert len(seen) == min(hops, MOST_REDIRECTS) + 1
    assert images(told) == ([IMAGE] if hops == MOST_REDIRECTS else [])
    assert ("download_failed" in told.answer.notes) == (hops > MOST_REDIRECTS)


@pytest.mark.parametrize(
    "where",
    ["file:///etc/hostname", "ftp://h/x", "data:image/png;base64,QUJD", "http://[::1", "http://a b/", "//", "\t"],
)
def test_a_redirect_to_anything_but_http_is_no_image(where: str) -> None:
    told, _, _ = fetched(lambda _: reply(status=302, location=where), "{}/a")
    assert images(told) == []
    assert "download_failed" in told.answer.notes


CUT = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 9999\r\nconnection: close\r\n\r\n" + IMAGE[:100]
CUT_CHUNK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n40\r\n" + IMAGE[:10]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (reply(b"<Error>AccessDenied</Error>", 403, "application/xml"), 403),
        (reply(b"gone", 404), 404),
        (reply(b"no", 500), 500),
        (reply(b"", 204), 204),
        (reply(IMAGE[:50], 206), 206),
        (reply(status=302), 302),
        (CUT, 200),
        (CUT_CHUNK, 200),
        (b"", None),
        (b"SSH-2.0-x\r\n\r\n", None),
    ],
    ids=["403", "404", "500", "204", "206", "302_nowhere", "cut", "cut_chunk", "closed", "not_http"],
)
def test_a_link_that_is_dead_or_cut_is_no_success(said: bytes, status: int | None) -> None:
    told, _, _ = fetched(lambda _: said, "{}/a")
    assert images(told) == []
    assert "download_failed" in told.answer.notes
    (leg,) = told.trace.legs
    assert leg.trace.http_status == status
    deciding = told.trace.deciding()
    assert (deciding is leg) == (status is None or status >= 400 or leg.trace.body_end_ns is None)


def test_one_dead_link_among_others_leaves_the_others() -> None:
    told, _, _ = fetched(lambda seen: reply(status=404) if seen.path == "/2" else reply(IMAGE), "{}/1", "{}/2", "{}/3")
    assert images(told) == [IMAGE, IMAGE]
    assert "download_failed" in told.answer.notes


def test_a_download_that_is_compressed_although_nobody_asked_is_inflated() -> None:
    told, _, _ = fetched(lambda _: reply(gzip.compress(IMAGE), kind="image/png", content_encoding="gzip"), "{}/a")
    assert images(told) == [IMAGE]


def test_a_data_link_needs_no_network() -> None:
    link = "data:image/png;base64," + b64encode(IMAGE).decode()
    told, seen, _ = fetched(lambda _: reply(IMAGE), link)
    assert (seen, told.trace.legs) == ([], [])
    (payload,) = told.answer.finals
    assert (payload.base64, payload.encoded) == (True, b64encode(IMAGE))
    plain, _, _ = fetched(lambda _: reply(IMAGE), "data:image/svg+xml,%3Csvg%20a='1'/%3E")
    assert images(plain) == [b"<svg a='1'/>"]


def test_an_answer_that_holds_images_has_no_links_to_fetch() -> None:
    async def go() -> list[Seen]:
        both = {"data": [{"b64_json": "QUJD", "url": "http://127.0.0.1:9/"}]}
        async with recording(lambda _: reply(both)) as server:
            (told,) = await ask(server, "images", replace(CALL))
            assert told.trace.legs == []
            return server.seen

    assert len(asyncio.run(go())) == 1


ODD = [
    "http://[", "http://[::1", "http://", "http:///x", "https://a..b/x", "http://" + "a" * 70 + ".test/", "http://h:x/",
    "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "http://h\r\nx: y/", "http://%zz/", "http://\ud800/", "//h/x",
    "HTTP://127.0.0.1:1/", "http://127.0.0.1:1/" + "a" * 70_000, "javascript:alert(1)", "http://xn--a/", "", " ",
]  # fmt: skip


def fetch(*links: str) -> Trace:
    async def go() -> Trace:
        downloads, trace = Downloads(Target("t", "http://127.0.0.1:9/v1", KEY)), Trace(Caps())
        await downloads.fetch(links, trace)
        await downloads.aclose()
        return trace

    return asyncio.run(go())


@pytest.mark.parametrize("link", ODD, ids=lambda link: ascii(link)[:30])
def test_an_odd_link_is_an_outcome(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(host: str, *_: object, **__: object) -> None:
        host.encode("idna")  # what the real one does first
        raise socket.gaierror(socket.EAI_NONAME, "nobody")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    trace = fetch(link)
    assert all(leg.failure and leg.trace.body_end_ns is None for leg in trace.legs)
    answer = joined(Answer(links=(link,), linked=((at(1), at(1)),)), trace)
    assert (answer.finals, answer.notes) == ((), ("result_by_url", "download_failed"))


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=20).map(lambda text: f"http://127.0.0.1:1/{text}") | st.from_regex(r"https?://[\[\]:@/?#\\]{1,6}")
)
def test_no_link_raises(link: str) -> None:
    fetch(link)
