"""A redirect to another host, or to plain http, is an answer and no order: no key, and no request at all, goes there.

What follows links of results carries nothing of the route's in any case: tests/routes/test_links.py.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from harness.routes import make_route
from harness.routes.base import Picture, Target
from harness.run.attempt import Exchange
from harness.run.record import outcome_of
from harness.scenario.families import AzureOptions, BrowserOptions, ResponsesOptions
from tests.routes.recorder import CALL, KEY, Seen, Told, ask, one, recording, reply
from tests.routes.tasking import options as task_options

PICTURE = Picture("reference-1.png", "image/png", b"\x89PNG")
CALLS = {
    "plain": CALL,
    "streamed": replace(CALL, stream=True),
    "edit": replace(CALL, references=(PICTURE,)),
}
KINDS: dict[str, tuple[str, Any]] = {
    "images": ("images", None),
    "compatible": ("compatible", None),
    "reverse": ("reverse", None),
    "responses": ("responses", ResponsesOptions()),
    "azure-classic": ("azure", AzureOptions()),
    "azure-v1": ("azure", AzureOptions(api="v1", auth="api-key")),
    "task": ("task", task_options()),
}


def redirected(
    kind: str, call: Any, status: int, options: Any = None, where: str = "localhost"
) -> tuple[Told, list[Seen]]:
    """One exchange with a server that sends everybody elsewhere; what was seen there."""

    async def go() -> tuple[Told, list[Seen]]:
        async with recording(lambda _: reply({"data": []})) as other:
            location = f"http://{where}:{other.port}/v1/elsewhere"
            async with recording(lambda _: reply({}, status, location=location)) as first:
                (told,) = await ask(first, kind, call, options=options, headers={"X-Team-Token": "planted"})
                assert len(first.seen) == 1
            return told, other.seen

    return asyncio.run(go())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", KINDS)
def test_a_redirect_is_not_followed_by_any_family(name: str, status: int) -> None:
    kind, options = KINDS[name]
    told, elsewhere = redirected(kind, CALL, status, options)
    assert elsewhere == []
    assert (told.trace.http_status, told.failure) == (status, ())


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("where", ["localhost", "127.0.0.1"])  # another name, and another port of the same host
def test_neither_are_streams_and_uploads(name: str, where: str) -> None:
    told, elsewhere = redirected("images", CALLS[name], 307, where=where)
    assert (elsewhere, told.trace.http_status) == ([], 307)


def test_polls_and_results_of_a_task_are_not_sent_elsewhere_either() -> None:
    async def go(result: bool) -> list[Seen]:
        async with recording(lambda _: reply({"task": {"state": "ok"}})) as other:
            moved = reply({}, 307, location=f"http://localhost:{other.port}/make/t-1")

            def say(seen: Seen) -> bytes:
                if seen.method == "POST":
                    return reply({"status": 200, "task": {"id": "t-1"}})
                if result and not seen.path.endswith("/result"):
                    return reply({"status": 200, "task": {"state": "ok"}})
                return moved

            changes: dict[str, Any] = {"poll": {"every": 0.01, "failures": 2, "give_up_after": 0.2}}
            async with recording(say) as first:
                options = task_options(**changes, **({"result_path": "/make/{id}/result"} if result else {}))
                await ask(first, "task", options=options)
                assert len(first.seen) >= 2
            return other.seen

    assert asyncio.run(go(False)) == []
    assert asyncio.run(go(True)) == []


def test_https_does_not_become_http(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    async def go() -> tuple[Told, list[Seen]]:
        async with recording(lambda _: reply({"data": []})) as plain:
            moved = reply({}, 308, location=f"http://localhost:{plain.port}/v1/images/generations")

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = await reader.readuntil(b"\r\n\r\n")
                assert KEY.encode() in head
                writer.write(moved)
                await writer.drain()

            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
            port = server.sockets[0].getsockname()[1]
            route = make_route(
                "images", Target("t", f"https://localhost:{port}/v1", KEY, ca_file=str(tmp_path / "ca.pem"))
            )
            told = await one(route, CALL)
            await route.aclose()
            server.close()
            return told, plain.seen

    told, plain = asyncio.run(go())
    assert (told.trace.http_status, plain) == (308, [])


def test_a_redirect_is_an_error_answer_and_no_success_without_an_image() -> None:
    told, _ = redirected("images", CALL, 307)
    exchange = Exchange(1, "c", told.trace, told.failure, False, told.answer, ())
    assert outcome_of(exchange, "complete", 1) == "error"


@pytest.mark.browser
@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("headers", [{}, {"X-Team-Token": "planted"}], ids=["key alone", "with a header of its own"])
def test_a_page_takes_no_key_to_another_origin(headers: dict[str, str]) -> None:
    everybody = {
        "access_control_allow_origin": "*",
        "access_control_allow_headers": "content-type, authorization, x-team-token, x-client-request-id",
    }

    async def go() -> tuple[Told, list[Seen]]:
        async with recording(lambda _: reply({"data": []}, **everybody)) as other:

            def say(seen: Seen) -> bytes:
                if seen.method == "POST":
                    return reply({}, 307, location=f"http://localhost:{other.port}/elsewhere")
                return reply("<!doctype html>", kind="text/html")

            async with recording(say) as first:
                page = BrowserOptions(path="/v1/images/generations")
                (told,) = await ask(first, "browser", options=page, headers=headers, base="")
                (asked,) = [one for one in first.seen if one.method == "POST"]
                assert asked.all("authorization") == [f"Bearer {KEY}"]
            return told, other.seen

    told, elsewhere = asyncio.run(go())
    assert KEY not in repr(elsewhere)
    assert "planted" not in repr(elsewhere)
    # A header that the browser would take along keeps it from going at all.
    assert [one.method for one in elsewhere] == ([] if headers else ["OPTIONS", "POST"])
    assert told.trace.http_status == (307 if headers else 200)
