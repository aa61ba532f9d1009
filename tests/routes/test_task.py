"""Task APIs over the wire: what is sent where, when it stops, what is kept, and what the clock is worth."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from harness.routes import make_route
from harness.routes.base import Target
from harness.scenario.families import FamilyOptions, TaskOptions
from harness.wire.caps import Caps
from harness.wire.trace import Trace

from .recorder import CALL, KEY, PROMPT, Recorder, Seen, Told, ask, recording, reply

IMAGE = b"\x89PNG" + bytes(200)
FIELDS = {
    "model": "gpt-image-2", "prompt": PROMPT, "quality": "low", "size": "1024x1024", "n": 2,
    "output_format": "jpeg", "output_compression": 70, "background": "opaque", "moderation": "low",
}  # fmt: skip
FAST = {"every": 0.02, "give_up_after": 5.0}


def options(preset: str = "generic", **changes: Any) -> TaskOptions:
    given = {"preset": preset, "poll": FAST, **changes}
    task = FamilyOptions.model_validate({"task": given}, strict=False).task
    assert task is not None
    return task


Api = Callable[[Seen, Recorder], bytes]


def run(api: Api, task: TaskOptions | None = None, **how: Any) -> tuple[list[Told], list[Seen]]:
    """Exchanges with a server that answers like `api`, and everything that it was asked."""

    async def go() -> tuple[list[Told], list[Seen]]:
        async with recording(lambda seen: api(seen, server)) as server:
            told = await ask(server, "task", options=task or options(), **{"base": "", **how})
            await asyncio.sleep(0.05)  # whatever may still come
            return told, server.seen

    return asyncio.run(go())


def states(*words: str) -> Api:
    """The generic API: a task goes through these words, one a poll, and stays at the last."""
    polls = [0]

    def api(seen: Seen, server: Recorder) -> bytes:
        if seen.method == "POST":
            return reply({"id": "t/1 ä"}, 202)
        if seen.path == "/file":
            return reply(IMAGE)
        word = words[min(polls[0], len(words) - 1)]
        polls[0] += 1
        if not word.isalpha():
            return reply({"no": "state"}, int(word))
        return reply({"status": word, "result": {"url": f"{server.url}/file"}})

    return api


INPUT = {
    "prompt": PROMPT, "quality": "low", "size": "1024x1024", "n": 2, "output_format": "jpeg", "background": "opaque",
}  # fmt: skip
SUBMITS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "generic": ("", "/v1/tasks", FIELDS, "Bearer"),
    "evolink": ("/v1", "/v1/images/generations", FIELDS, "Bearer"),
    "fal": ("", "/fal-ai/gpt-image-2", {"prompt": PROMPT, "quality": "low", "image_size": "1024x1024", "num_images": 2,
                                        "output_format": "jpeg", "background": "opaque"}, "Key"),
    "replicate": ("", "/v1/predictions", {"version": "fal-ai/gpt-image-2", "input": INPUT}, "Bearer"),
    "kie": ("", "/api/v1/jobs/createTask", {"model": "fal-ai/gpt-image-2", "input": INPUT}, "Bearer"),
}  # fmt: skip


@pytest.mark.parametrize("preset", SUBMITS)
def test_a_preset_submits_its_apis_own_body_with_its_own_word_before_the_key(preset: str) -> None:
    base, target, body, scheme = SUBMITS[preset]
    fields = FIELDS if preset in ("generic", "evolink") else {**FIELDS, "model": "fal-ai/gpt-image-2"}
    asked = replace(CALL, fields=fields)
    (told,), (seen,) = run(lambda *_: reply({"error": "no"}, 400), options(preset), call=asked, base=base)
    assert (seen.method, seen.target, seen.json()) == ("POST", target, body)
    assert seen.all("authorization") == [f"{scheme} {KEY}"]
    assert seen.all("x-client-request-id") == ["harness-test-1"]
    assert told.answer.error is not None


def test_a_model_that_stands_in_the_path_is_not_in_the_body_and_a_fixed_value_wins() -> None:
    submit = {"path": "/run/{model}", "model_in_path": True, "extra": {"quality": "fixed", "meta.source": 7}}
    asked = replace(CALL, fields={**FIELDS, "model": "a/b c"})
    _, (seen,) = run(lambda *_: reply({}, 400), options(submit=submit), call=asked)
    assert seen.target == "/run/a/b%20c"
    rest = {name: value for name, value in FIELDS.items() if name != "model"}
    assert seen.json() == {**rest, "quality": "fixed", "meta": {"source": 7}}


def test_polls_and_the_link_go_where_they_should_and_the_link_without_the_key() -> None:
    (told,), seen = run(states("queued", "running", "done"), headers={"X-Team": "blue-team"})
    assert [(one.method, one.target) for one in seen] == [
        ("POST", "/v1/tasks"), *[("GET", "/v1/tasks/t%2F1%20%C3%A4")] * 3, ("GET", "/file"),
    ]  # fmt: skip
    assert all(one.all("authorization") == [f"Bearer {KEY}"] and one.all("x-team") == ["blue-team"] for one in seen[:4])
    assert all(one.body == b"" for one in seen[1:])
    assert KEY not in repr(seen[-1])
    assert "blue-team" not in repr(seen[-1])
    assert [payload.encoded for payload in told.answer.finals] == [IMAGE]
    assert told.answer.task is not None
    assert told.answer.task.running is not None


def test_the_result_of_a_further_call_is_asked_for_once_and_only_when_done() -> None:
    def api(seen: Seen, server: Recorder) -> bytes:
        if seen.method == "POST":
            return reply({"request_id": "r1"})
        if seen.path.endswith("/status"):
            return reply({"status": "COMPLETED" if len(server.seen) > 3 else "IN_QUEUE"})
        return reply(IMAGE) if seen.path == "/file" else reply({"images": [{"url": f"{server.url}/file"}]})

    (told,), seen = run(api, options("fal"))
    assert [one.target for one in seen] == [
        "/gpt-image-2", *["/gpt-image-2/requests/r1/status"] * 3, "/gpt-image-2/requests/r1", "/file",
    ]  # fmt: skip
    assert len(told.answer.finals) == 1


@pytest.mark.parametrize("word", ["failed", "cancelled"])
def test_a_task_that_failed_is_neither_polled_again_nor_cancelled(word: str) -> None:
    (told,), seen = run(states("running", word, "done"))
    assert [one.method for one in seen] == ["POST", "GET", "GET"]
    assert told.answer.error is not None
    assert told.answer.links == ()


def test_a_refused_submit_is_never_polled() -> None:
    for answer in (reply({"id": "t"}, 500), reply({"no": "id"}), reply("<html>", kind="text/html"), b""):
        _, seen = run(lambda *_, answer=answer: answer)
        assert [one.method for one in seen] == ["POST"]


def test_polls_that_bring_nothing_new_are_counted_and_not_kept() -> None:
    (told,), seen = run(states(*["queued"] * 8, *["running"] * 9, "done"))
    polls = [leg for leg in told.trace.legs if leg.kind == "poll"]
    assert [(leg.said, leg.number) for leg in polls] == [
        ("pending", 1), ("pending", 8), ("running", 9), ("running", 17), ("done", 18),
    ]  # fmt: skip
    assert told.answer.task is not None
    assert told.answer.task.polls == len([one for one in seen if one.method == "GET"]) - 1 == 18


def test_polls_that_fail_are_survived_and_noted_and_end_it_only_in_a_row() -> None:
    (told,), _ = run(states("500", "500", "queued", "404", "200", "done"), options(poll={**FAST, "failures": 2}))
    assert len(told.answer.finals) == 1
    assert "poll_failed" in told.answer.notes
    assert told.trace.deciding() is None
    (told,), seen = run(states("queued", "503"), options(poll={**FAST, "failures": 2}))
    assert len(seen) == 1 + 1 + 3
    deciding = told.trace.deciding()
    assert deciding is not None
    assert deciding.trace.http_status == 503


def test_many_failed_polls_leave_the_first_and_the_last() -> None:
    (told,), seen = run(states("500"), options(poll={**FAST, "every": 0.002, "failures": 40}))
    assert len(seen) == 42
    kept = [leg.number for leg in told.trace.legs]
    assert (len(kept), kept[0], kept[-1]) == (10, 1, 41)


def test_giving_up_is_a_cap_of_ours_that_cancels_the_task_once() -> None:
    (told,), seen = run(states("running"), options(poll={"every": 0.05, "give_up_after": 0.3}))
    assert (told.trace.cap_fired, told.trace.cap_s) == ("poll", 0.3)
    assert [one.method for one in seen if one.method != "GET"] == ["POST", "DELETE"]
    assert seen[-1].target == "/v1/tasks/t%2F1%20%C3%A4"
    assert told.trace.ended_ns is not None
    assert told.trace.body_end_ns is not None
    assert 0.29 <= (told.trace.ended_ns - told.trace.body_end_ns) / 1e9 < 3
    assert told.answer.task is not None
    assert told.answer.task.poll_error_ns is None


def cut_after(seconds: float, say: Callable[[Seen, Recorder], Any]) -> tuple[Trace, list[Seen], float]:
    """An exchange that is cut from outside, as the total cap does; what was asked; how long the cut took."""

    async def go() -> tuple[Trace, list[Seen], float]:
        async with recording(lambda seen: say(seen, server)) as server:
            route = make_route("task", Target("t", server.url, KEY, options=options()))
            await route.warm_up()
            trace, began = Trace(CALL.caps), time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await route.exchange(CALL, trace)
            took_s = time.monotonic() - began
            await asyncio.sleep(0.05)
            await route.aclose()
            return trace, server.seen, took_s

    return asyncio.run(go())


def test_a_task_that_is_cut_from_outside_is_cancelled_once_and_ends_when_it_was_cut() -> None:
    trace, seen, _ = cut_after(0.3, states("running"))
    assert [one.method for one in seen if one.method != "GET"] == ["POST", "DELETE"]
    assert [leg.kind for leg in trace.legs].count("cancel") == 1
    assert trace.ended_ns is not None
    assert trace.ended_ns <= seen[-1].at_ns


def test_a_cancellation_that_nobody_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.routes.task.CANCEL_WITHIN_S", 0.2)
    working = states("running")

    async def never() -> bytes:
        await asyncio.sleep(30)
        return b""

    trace, seen, took_s = cut_after(
        0.2, lambda seen, server: never() if seen.method == "DELETE" else working(seen, server)
    )
    assert seen[-1].method == "DELETE"
    assert took_s < 10
    assert trace.legs[-1].kind == "cancel"
    assert trace.legs[-1].trace.http_status is None


def test_a_task_that_is_done_is_not_cancelled_when_its_download_is_cut() -> None:
    done = states("done")

    async def slow() -> bytes:
        await asyncio.sleep(30)
        return b""

    _, seen, _ = cut_after(0.5, lambda seen, server: slow() if seen.path == "/file" else done(seen, server))
    assert "DELETE" not in [one.method for one in seen]
    assert seen[-1].path == "/file"


def test_a_word_that_nobody_declared_is_waited_out_and_named() -> None:
    (told,), _ = run(states("queued", "baking"), options(poll={"every": 0.02, "give_up_after": 0.2}))
    assert told.trace.cap_fired == "poll"
    assert "unknown_task_status" in told.answer.notes
    assert told.answer.missing_path == "status (a word that the mapping does not name)"
    assert "baking" not in repr(told.answer)
    (told,), _ = run(states("baking", "done"))
    assert (len(told.answer.finals), told.answer.missing_path) == (1, None)


@pytest.mark.parametrize("takes_s", [0.0, 0.05, 0.13, 0.27])
def test_the_polls_error_interval_holds_the_true_moment_of_completion(takes_s: float) -> None:
    """The server makes its task done at a moment of its own, and tells of it only when it is asked."""
    done_ns: list[int] = []

    def api(seen: Seen, server: Recorder) -> bytes:
        if seen.method == "POST":
            done_ns.append(seen.at_ns + round(takes_s * 1e9))
            return reply({"id": "t"})
        if seen.path == "/file":
            return reply(IMAGE)
        done = time.monotonic_ns() >= done_ns[-1]
        return reply({"status": "done" if done else "running", "result": {"url": f"{server.url}/file"}})

    exchanges, _ = run(api, options(poll={"every": 0.05}), times=4)
    for told, true_ns in zip(exchanges, done_ns, strict=True):
        seen = told.answer.task
        assert seen is not None
        assert seen.poll_error_ns is not None
        ((_, whole),) = told.answer.linked
        assert whole.ns - seen.poll_error_ns <= true_ns <= whole.ns
        assert seen.poll_error_ns < 2e9


def test_the_error_is_no_finer_where_the_poll_before_failed() -> None:
    (fine,), _ = run(states("running", "running", "done"), options(poll={**FAST, "every": 0.1}))
    (coarse,), _ = run(states("running", "500", "done"), options(poll={**FAST, "every": 0.1}))
    assert fine.answer.task is not None
    assert coarse.answer.task is not None
    assert (fine.answer.task.poll_error_ns or 0) >= 95e6
    assert (coarse.answer.task.poll_error_ns or 0) >= 195e6


def test_a_cap_on_a_poll_is_the_polls_own() -> None:
    async def go() -> Told:
        async def slow(seen: Seen) -> bytes:
            if seen.method == "GET":
                await asyncio.sleep(5)
            return reply({"id": "t"})

        async with recording(slow) as server:
            asked = replace(CALL, caps=Caps(first_byte_s=0.1))
            return (await ask(server, "task", asked, options=options(poll={**FAST, "failures": 1}), base=""))[0]

    told = asyncio.run(go())
    assert told.trace.cap_fired is None
    assert [leg.trace.cap_fired for leg in told.trace.legs] == ["first_byte"] * 2


def calling_back(body: dict[str, Any], delay_s: float, end: str = "done") -> tuple[Told, Seen]:
    """A task whose server calls back at the address that it was given."""
    calls: set[asyncio.Task[Any]] = set()

    async def go() -> tuple[Told, Seen]:
        async def call(url: str) -> None:
            await asyncio.sleep(delay_s)
            async with httpx.AsyncClient() as client:
                await client.post(url, json=body)

        def api(seen: Seen) -> bytes:
            if seen.method == "POST":
                calls.add(asyncio.ensure_future(call(json.loads(seen.body)["callback_url"])))
            return states(end)(seen, server)

        async with recording(api) as server:
            task = options(callback={"receive": True}, poll={"every": 0.2})
            (told,) = await ask(server, "task", options=task, base="")
            await asyncio.gather(*calls, return_exceptions=True)
            return told, server.seen[0]

    return asyncio.run(go())


def test_a_callback_is_stamped_and_its_url_goes_out_in_the_body() -> None:
    told, submit = calling_back({"status": "done"}, 0.05)
    assert submit.json()["callback_url"].startswith("http://127.0.0.1:")
    assert told.answer.task is not None
    assert told.answer.task.callback is not None
    assert told.answer.task.submitted is not None
    assert told.answer.task.callback.ns - told.answer.task.submitted.ns < 180e6
    assert "callback_did_not_come" not in told.answer.notes
    progress, _ = calling_back({"status": "running"}, 0.05)
    assert progress.answer.task is not None
    assert progress.answer.task.callback is None


def test_a_callback_that_does_not_come_is_said_only_where_it_was_waited_for() -> None:
    assert "callback_did_not_come" in calling_back({"status": "done"}, 0.6)[0].answer.notes
    assert "callback_did_not_come" not in calling_back({"status": "failed"}, 0.6, end="failed")[0].answer.notes


def test_a_callback_url_may_go_out_as_a_query() -> None:
    task = options("fal", callback={"query": "fal_webhook", "receive": True})
    _, (seen,) = run(lambda *_: reply({}, 400), task)
    ((name, url),) = seen.query
    assert (seen.path, name) == ("/gpt-image-2", "fal_webhook")
    assert url.startswith("http://127.0.0.1:")
    assert "fal_webhook" not in seen.body.decode()
