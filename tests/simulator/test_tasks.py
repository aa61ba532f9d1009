"""Task APIs through the whole life of a task, against the log of truth."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types import ImagesResponse
from PIL import Image

from harness.simulator.process import Running, spawn
from tests.simulator.asking import truths
from tests.simulator.tasking import APIS, CLIENT, KEY, LOW, SCALE, Api, result, world

ALL = pytest.mark.parametrize("api", APIS.values(), ids=APIS.keys())


def finish(api: Api, sim: Running, **headers: str) -> list[str]:
    """Submit, wait, and the links."""
    task_id = api.id_of(api.submit(sim, **headers).json())
    return result(api, api.wait(sim, task_id)[0])


def only(log: Path) -> dict[str, Any]:
    (record,) = truths(log)
    return record


@ALL
def test_a_task_waits_runs_and_ends_with_links_to_its_images(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(queue_s=60.0), log=log) as sim:  # long enough for a first poll on a busy machine
        reply = api.submit(sim, {**LOW, "quality": "medium", "n": 2}, **{"x-client-request-id": "client-1"})
        assert reply.status_code == api.accepted
        task_id = api.id_of(reply.json())
        last, seen = api.wait(sim, task_id)
        assert seen[0] in api.waiting
        assert [state for state in seen if state not in api.waiting] == [api.running, api.done]
        urls = result(api, last)
        files = [CLIENT.get(url) for url in urls]
    assert len(set(urls)) == 2
    for url, file in zip(urls, files, strict=True):
        assert url.startswith(f"{sim.entries[api.name].removesuffix('/v1')}/files/")
        assert file.headers["content-type"] == "image/jpeg"
        assert int(file.headers["content-length"]) == len(file.content)
        image = Image.open(io.BytesIO(file.content))
        assert (image.size, image.format) == ((1024, 1024), "JPEG")
    record = only(log)
    assert (record["api"], record["entry"], record["task_id"]) == ("task", api.name, task_id)
    assert (record["client_request_id"], record["status"], record["status_sent"]) == ("client-1", 200, api.accepted)
    assert (record["finished"], record["result_fetches"], record["cancelled"]) == (True, 2, False)
    assert record["polls"] >= 3
    assert record["billed_output_tokens"] == 3512
    assert record["queued_s"] == pytest.approx(60, abs=30)
    order = ["received_ns", "request_body_ns", "headers_sent_ns", "running_ns", "made_ns"]
    stamps = [record[name] for name in order]
    assert stamps == sorted(stamps)
    assert (record["made_ns"] - record["received_ns"]) / 1e9 * SCALE >= record["latency_s"] - 0.01


@ALL
def test_a_task_that_nobody_asks_for_again_is_finished_with_no_fetch(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        api.submit(sim)
        CLIENT.post(f"{api.base(sim)}/sim/clock", json={"advance_s": 60})
        CLIENT.get(f"{api.base(sim)}/healthz")
    record = only(log)
    assert (record["finished"], record["result_fetches"], record["polls"]) == (True, 0, 0)


@pytest.mark.parametrize("name", ["task", "evolink", "fal", "replicate"])
@pytest.mark.parametrize("late", [False, True], ids=["in its queue", "while it runs"])
def test_a_cancelled_task_ends_without_an_image(name: str, late: bool, tmp_path: Path) -> None:
    log, api = tmp_path / "truth.jsonl", APIS[name]
    with spawn(world(queue_s=0.0 if late else 1000.0), log=log) as sim:
        told = api.submit(sim, {**LOW, "quality": "high"}).json()
        task_id, base = api.id_of(told), api.base(sim)
        if late:
            api.wait(sim, task_id, {api.running})
        ask = {
            "task": lambda: CLIENT.delete(f"{base}/v1/tasks/{task_id}", headers=api.headers()),
            "evolink": lambda: CLIENT.post(f"{base}/v1/tasks/{task_id}/cancel", headers=api.headers()),
            "fal": lambda: CLIENT.put(told["cancel_url"], headers=api.headers()),
            "replicate": lambda: CLIENT.post(told["urls"]["cancel"], headers=api.headers()),
        }[name]
        reply = ask()
        last, again = api.poll(sim, task_id).json(), ask()
    assert reply.status_code == (202 if name == "fal" else 200)
    assert last["status"] == {"replicate": "canceled", "fal": "COMPLETED"}.get(name, "failed")
    if name in ("task", "evolink"):
        assert last["error"]["code"] == "cancelled"
    assert again.status_code == {"fal": 400, "evolink": 400}.get(name, 200)
    record = only(log)
    assert (record["cancelled"], record["finished"], record["made_ns"]) == (True, False, None)
    assert (record["running_ns"] is not None) is late
    assert record["billed_output_tokens"] == 0


@ALL
def test_each_api_refuses_a_bad_order_in_its_own_manner(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        bad = api.submit(sim, {**LOW, "size": "512x512"})
        no_key = CLIENT.post(api.base(sim) + api.submit_path, json=api.body(dict(LOW)))
        no_task = api.poll(sim, "nothing")
        no_json = CLIENT.post(api.base(sim) + api.submit_path, content=b"{", headers=api.headers())
    words = "below the current minimum pixel budget"
    statuses = [reply.status_code for reply in (bad, no_key, no_task, no_json)]
    if api.name == "kie":
        assert statuses == [200] * 4
        assert [reply.json()["code"] for reply in (bad, no_key, no_task, no_json)] == [422, 401, 404, 422]
        assert words in bad.json()["msg"]
    elif api.name == "fal":
        assert statuses == [422, 401, 404, 422]
        assert bad.json()["detail"][0]["loc"] == ["body", "image_size"]
        assert words in bad.json()["detail"][0]["msg"]
    elif api.name == "replicate":
        assert statuses == [422, 401, 404, 422]
        assert (bad.json()["title"], bad.json()["invalid_fields"][0]["field"]) == ("Input validation failed", "size")
    else:
        assert statuses == [400, 401, 404, 400]
        assert words in bad.json()["error"]["message"]
    assert sorted(record["status"] for record in truths(log)) in ([400, 400, 401], [400, 401, 422])
    assert all(not record["finished"] and record["task_id"] is None for record in truths(log))


def test_fal_takes_a_key_and_no_bearer() -> None:
    api = APIS["fal"]
    with spawn(world()) as sim:
        url = api.base(sim) + api.submit_path
        reply = CLIENT.post(url, json=api.body(dict(LOW)), headers={"authorization": f"Bearer {KEY}"})
    assert reply.status_code == 401


def test_fal_gives_no_result_before_it_is_there_and_takes_sizes_by_name_and_as_objects() -> None:
    api = APIS["fal"]
    with spawn(world(queue_s=40.0)) as sim:
        told = api.submit(sim, {**LOW, "size": {"width": 1280, "height": 720}}).json()
        early = CLIENT.get(told["response_url"], headers=api.headers())
        status = CLIENT.get(told["status_url"], headers=api.headers())
        last, _ = api.wait(sim, told["request_id"])
        images = CLIENT.get(last["response_url"], headers=api.headers()).json()["images"]
        named = api.submit(sim, {**LOW, "size": "landscape_4_3"}).json()
        api.wait(sim, named["request_id"])
        wide = CLIENT.get(named["response_url"], headers=api.headers()).json()["images"][0]
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    assert (status.status_code, told["queue_position"]) == (202, 0)
    assert [(image["width"], image["height"], image["content_type"]) for image in images] == [(1280, 720, "image/jpeg")]
    assert (wide["width"], wide["height"]) == (1024, 768)
    assert last["metrics"]["inference_time"] > 2


def test_fal_and_kie_tell_who_waits_in_front() -> None:
    with spawn(world(queue_s=300.0)) as sim:
        for api in (APIS["fal"], APIS["kie"]):
            api.submit(sim)
        second = APIS["fal"].submit(sim).json()
        assert second["queue_position"] == 1
        assert APIS["fal"].poll(sim, second["request_id"]).json()["queue_position"] == 1
        behind = APIS["kie"].id_of(APIS["kie"].submit(sim).json())
        assert APIS["kie"].poll(sim, behind).json()["data"]["state"] == "queuing"


def test_replicate_holds_the_line_while_it_is_asked_to_wait() -> None:
    api = APIS["replicate"]
    with spawn(world(queue_s=40.0)) as sim:
        held = api.submit(sim, prefer="wait").json()
        short = api.submit(sim, prefer="wait=1").json()
        assert api.poll(sim, short["id"]).json()["status"] in ("starting", "processing")
        version = {"version": "a" * 64, "input": LOW}
        by_version = CLIENT.post(f"{api.base(sim)}/v1/predictions", json=version, headers=api.headers())
        by_path = CLIENT.post(
            f"{api.base(sim)}/v1/models/openai/gpt-image-2/predictions",
            json={"input": LOW},
            headers=api.headers(),
        )
    assert (held["status"], len(held["output"])) == ("succeeded", 1)
    assert held["metrics"]["predict_time"] >= 2.9
    assert held["completed_at"] > held["started_at"] > held["created_at"]
    assert (short["status"], short["output"]) == ("starting", None)
    assert (by_version.status_code, by_path.status_code) == (201, 201)


def test_kie_counts_in_the_worlds_milliseconds_and_wraps_results_in_a_string(tmp_path: Path) -> None:
    api, log = APIS["kie"], tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        task_id = api.id_of(api.submit(sim).json())
        record = api.wait(sim, task_id)[0]["data"]
    assert isinstance(record["resultJson"], str)
    assert record["costTime"] == record["completeTime"] - record["createTime"]
    truth = only(log)
    assert record["costTime"] == pytest.approx((truth["made_ns"] - truth["received_ns"]) / 1e6 * SCALE, abs=1000)
    assert record["costTime"] >= truth["latency_s"] * 1000 - 2


def test_evolink_tells_progress_and_reserves_credits_on_the_path_of_the_images_api() -> None:
    api = APIS["evolink"]
    with spawn(world()) as sim:
        assert sim.entries["evolink"].endswith("/v1")
        told = api.submit(sim, {**LOW, "quality": "high"}).json()
        running, _ = api.wait(sim, told["id"], {"processing"})
        CLIENT.post(f"{api.base(sim)}/sim/clock", json={"advance_s": 60})
        later = api.poll(sim, told["id"]).json()
    assert (told["object"], told["status"], told["progress"]) == ("image.generation.task", "pending", 0)
    assert told["id"].startswith("task-unified-")
    assert told["usage"]["credits_reserved"] > 0
    assert 0 <= running["progress"] < later["progress"] < 100


def test_the_official_client_takes_evolinks_task_for_an_answer_without_images() -> None:
    with spawn(world()) as sim, openai.OpenAI(base_url=sim.entries["evolink"], api_key=KEY, max_retries=0) as client:
        answer = client.images.generate(model="gpt-image-2", prompt="A red apple", quality="low")
    assert isinstance(answer, ImagesResponse)
    assert answer.data is None
    assert answer.created > 1_700_000_000
    assert str((answer.model_extra or {})["id"]).startswith("task-unified-")


def test_a_layer_may_add_to_every_answer() -> None:
    with spawn(world(adds_s=30.0)) as sim:
        began = time.monotonic()
        APIS["task"].poll(sim, "nothing")
        assert (time.monotonic() - began) * SCALE >= 30


@ALL
def test_the_same_client_id_takes_the_same_time(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(spread=0.5), log=log) as sim:
        for run in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
            api.submit(sim, **{"x-client-request-id": f"harness-{'1' * 12}{run}-1"})
    first, second = truths(log)
    assert first["latency_s"] == second["latency_s"]


def test_a_port_may_have_a_limit_and_says_when_to_come_back() -> None:
    with spawn(world(images_per_minute=1)) as sim:
        assert APIS["task"].submit(sim).status_code == 202
        full = APIS["task"].submit(sim)
        APIS["kie"].submit(sim)
        kie = APIS["kie"].submit(sim)
    assert (full.status_code, int(full.headers["retry-after"]) > 30) == (429, True)
    assert (kie.status_code, kie.json()["code"]) == (200, 429)


@ALL
def test_a_failed_task_says_so_and_bills_nothing(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        task_id = api.id_of(api.submit(sim, **{"x-sim-fault": "task_failed"}).json())
        last, seen = api.wait(sim, task_id)
        assert seen[-1] == api.failed
        if api.name == "fal":
            assert last["error"]
            assert CLIENT.get(last["response_url"], headers=api.headers()).status_code == 422
        elif api.name == "kie":
            assert (last["data"]["failCode"], last["data"]["resultJson"]) == ("501", "")
        else:
            assert last["error"]
    record = only(log)
    assert (record["fault"], record["finished"], record["billed_output_tokens"]) == ("task_failed", False, 0)
    assert record["running_ns"] is not None


@ALL
def test_a_stuck_task_runs_for_ever(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        task_id = api.id_of(api.submit(sim, **{"x-sim-fault": "task_stuck"}).json())
        api.wait(sim, task_id, {api.running})
        CLIENT.post(f"{api.base(sim)}/sim/clock", json={"advance_s": 100_000})
        assert api.state_of(api.poll(sim, task_id).json()) == api.running
    assert (only(log)["finished"], only(log)["note"]) == (False, "the server was stopped")


@ALL
def test_links_may_be_dead_or_their_files_cut(api: Api) -> None:
    with spawn(world()) as sim:
        (dead,) = finish(api, sim, **{"x-sim-fault": "link_dead"})
        (cut,) = finish(api, sim, **{"x-sim-fault": "link_truncated"})
        refused = CLIENT.get(dead)
        assert (refused.status_code, "AccessDenied" in refused.text) == (403, True)
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            CLIENT.get(cut)


@ALL
def test_answers_may_lack_the_state_fail_every_second_time_or_be_no_json(api: Api) -> None:
    with spawn(world()) as sim:
        unmapped = api.poll(sim, api.id_of(api.submit(sim, **{"x-sim-fault": "bad_mapping"}).json())).json()
        task_id = api.id_of(api.submit(sim, **{"x-sim-fault": "poll_500"}).json())
        polls = [api.poll(sim, task_id) for _ in range(4)]
        with pytest.raises(ValueError):
            finish(api, sim, **{"x-sim-fault": "result_not_json"})
    with pytest.raises(KeyError):
        api.state_of(unmapped)
    codes = [poll.json()["code"] if api.name == "kie" else poll.status_code for poll in polls]
    assert codes[1::2] == [500, 500]
    assert set(codes[::2]) <= {200, 202}


@ALL
def test_a_submission_may_be_refused_by_the_application_or_answered_with_a_page(api: Api, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        poor = api.submit(sim, **{"x-sim-fault": "app_error;code=402"})
        page = api.submit(sim, **{"x-sim-fault": "task_html"})
        unknown = api.submit(sim, **{"x-sim-fault": "no-such"})
        CLIENT.post(f"{api.base(sim)}/sim/clock", json={"advance_s": 60})
        CLIENT.get(f"{api.base(sim)}/healthz")
    assert (poor.json()["code"] if api.name == "kie" else poor.status_code) == 402
    assert "credits are insufficient" in poor.text
    assert (page.status_code, page.headers["content-type"][:9], page.text[:9]) == (200, "text/html", "<!DOCTYPE")
    assert "there is no fault" in unknown.text
    by_fault = {record["fault"]: record for record in truths(log)}
    assert (by_fault["app_error"]["status"], by_fault["app_error"]["task_id"]) == (402, None)
    assert (by_fault["task_html"]["finished"], by_fault["task_html"]["result_fetches"]) == (True, 0)


@ALL
def test_an_image_may_be_blank(api: Api) -> None:
    with spawn(world()) as sim:
        (url,) = finish(api, sim, **{"x-sim-fault": "blank_image"})
        image = Image.open(io.BytesIO(CLIENT.get(url).content)).convert("RGB")
    assert (image.size, image.getextrema()) == ((1024, 1024), ((255, 255),) * 3)


def test_faults_of_the_world_reach_the_apis_that_know_them() -> None:
    faults = [{"fault": "app_error;code=402"}, {"fault": "500"}]
    with spawn({"time_scale": 500, "layers": {"jobs": {"speaks": "task"}}, "faults": faults}) as sim:
        url = f"{sim.entries['jobs']}/v1/tasks"
        headers = {"authorization": f"Bearer {KEY}"}
        assert CLIENT.post(url, json=LOW, headers=headers).status_code == 402
        images = f"{sim.entries['direct']}/images/generations"
        assert CLIENT.post(images, json=LOW, headers=headers).status_code == 500
