"""What goes out, by every family: read off the wire by a server that knows nothing of the harness."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from harness.routes.base import Call, Picture
from harness.scenario.families import AzureOptions, ResponsesOptions
from tests.routes.recorder import CALL, KEY, PROMPT, Seen, ask, recording, reply

PIXELS = bytes(range(256)) * 3 + b"\r\n--x\r\n\0"
FIRST = Picture("reference-1.png", "image/png", b"\x89PNG first" + PIXELS)
SECOND = Picture("reference-2.webp", "image/webp", b"RIFF second" + PIXELS)
MASK = Picture("mask.png", "image/png", b"\x89PNG mask" + PIXELS)
OK = {"created": 1, "data": [{"b64_json": "AAAA"}]}

FIELDS = {
    "model": "gpt-image-2", "prompt": PROMPT, "quality": "low", "size": "1024x1536", "n": 2,
    "output_format": "jpeg", "output_compression": 80, "background": "opaque", "moderation": "low",
}  # fmt: skip


def call(**changes: Any) -> Call:
    return replace(CALL, **{"fields": FIELDS, **changes})


def sent(kind: str, asked: Call, **options: Any) -> Seen:
    """The only request that an exchange makes."""

    async def go() -> Seen:
        async with recording(lambda _: reply(OK)) as server:
            await ask(server, kind, asked, **options)
            (only,) = server.seen
            return only

    return asyncio.run(go())


def as_picture(url: str) -> tuple[str, bytes]:
    head, _, data = url.partition(",")
    assert head.startswith("data:")
    assert head.endswith(";base64")
    return head[5:-7], b64decode(data, validate=True)


@pytest.mark.parametrize("kind", ["images", "compatible", "reverse"])
def test_a_generation_carries_its_fields_and_nothing_else(kind: str) -> None:
    seen = sent(kind, call())
    assert (seen.method, seen.target) == ("POST", "/v1/images/generations")
    assert seen.json() == FIELDS
    assert seen.all("authorization") == [f"Bearer {KEY}"]
    assert seen.all("x-client-request-id") == ["harness-test-1"]
    assert seen.all("accept-encoding") == ["identity"]
    assert seen.all("x-stainless-retry-count") == ["0"]
    assert seen.all("cookie") == []


def test_a_stream_is_asked_for_in_the_body() -> None:
    seen = sent("images", call(stream=True, fields={**FIELDS, "partial_images": 2}))
    assert seen.json() == {**FIELDS, "stream": True, "partial_images": 2}


def test_headers_of_the_route_and_of_the_call_go_out_once_each() -> None:
    seen = sent("images", call(headers={"x-sim-fault": "none"}), headers={"X-Team": "blue"})
    assert (seen.all("x-team"), seen.all("x-sim-fault")) == (["blue"], ["none"])


def test_a_multipart_edit_is_read_back_by_a_mail_parser_byte_by_byte() -> None:
    seen = sent("images", call(references=(FIRST, SECOND), mask=MASK, stream=True))
    assert (seen.method, seen.target) == ("POST", "/v1/images/edits")
    parts = seen.parts()
    files = [(p.name, p.filename, p.content_type, p.data) for p in parts if p.filename is not None]
    assert sorted(files) == sorted(
        [
            ("image[]", "reference-1.png", "image/png", FIRST.data),
            ("image[]", "reference-2.webp", "image/webp", SECOND.data),
            ("mask", "mask.png", "image/png", MASK.data),
        ]
    )
    assert [name for name, *_ in files if name == "image[]"] == ["image[]"] * 2
    texts = {p.name: p.data.decode() for p in parts if p.filename is None}
    assert texts == {name: str(value) for name, value in FIELDS.items()} | {"stream": "true"}
    assert len(parts) == len(files) + len(texts)


def test_the_first_reference_of_an_edit_is_the_first_on_the_wire() -> None:
    names = [part.filename for part in sent("images", call(references=(SECOND, FIRST))).parts() if part.filename]
    assert names == ["reference-2.webp", "reference-1.png"]


def test_a_single_reference_is_an_edit_as_well() -> None:
    seen = sent("images", call(references=(FIRST,)))
    assert seen.path == "/v1/images/edits"
    assert [(p.name, p.data) for p in seen.parts() if p.filename] == [("image[]", FIRST.data)]


def test_a_json_edit_holds_its_pictures_as_data_urls() -> None:
    seen = sent("images", call(references=(FIRST, SECOND), mask=MASK, edit_form="json", stream=True))
    assert (seen.method, seen.target) == ("POST", "/v1/images/edits")
    body = seen.json()
    images, mask = body.pop("images"), body.pop("mask")
    assert body == {**FIELDS, "stream": True}
    assert [set(image) for image in [*images, mask]] == [{"image_url"}] * 3
    pictures = [as_picture(image["image_url"]) for image in [*images, mask]]
    assert pictures == [("image/png", FIRST.data), ("image/webp", SECOND.data), ("image/png", MASK.data)]
    assert seen.all("authorization") == [f"Bearer {KEY}"]
    assert seen.all("x-client-request-id") == ["harness-test-1"]


def test_a_json_edit_without_a_mask_names_none() -> None:
    assert "mask" not in sent("images", call(references=(FIRST,), edit_form="json")).json()


def test_an_exchange_is_one_request_even_where_the_sdk_would_try_again() -> None:
    async def go() -> int:
        async with recording(lambda _: reply({"error": {"message": "no"}}, 503)) as server:
            await ask(server, "images", call())
            return len(server.seen)

    assert asyncio.run(go()) == 1


def test_a_responses_call_forces_the_image_tool_behind_the_text_model() -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "n"}
    seen = sent("responses", call(fields=fields), options=ResponsesOptions(text_model="gpt-5.2-mini"))
    assert (seen.method, seen.target) == ("POST", "/v1/responses")
    tool = {name: value for name, value in fields.items() if name != "prompt"}
    assert seen.json() == {
        "model": "gpt-5.2-mini",
        "input": PROMPT,
        "tools": [{"type": "image_generation", **tool}],
        "tool_choice": {"type": "image_generation"},
    }
    assert seen.all("authorization") == [f"Bearer {KEY}"]
    assert seen.all("x-client-request-id") == ["harness-test-1"]


def test_a_responses_edit_hands_its_pictures_to_the_text_model_and_the_mask_to_the_tool() -> None:
    fields = {"model": "gpt-image-2", "prompt": PROMPT, "partial_images": 1}
    asked = call(fields=fields, references=(FIRST, SECOND), mask=MASK, stream=True)
    body = sent("responses", asked, options=ResponsesOptions(text_model="gpt-5.2")).json()
    ((message,), (tool,)) = body["input"], body["tools"]
    text, *images = message["content"]
    assert message["role"] == "user"
    assert text == {"type": "input_text", "text": PROMPT}
    assert [image["type"] for image in images] == ["input_image"] * 2
    assert [as_picture(image["image_url"])[1] for image in images] == [FIRST.data, SECOND.data]
    assert as_picture(tool["input_image_mask"]["image_url"])[1] == MASK.data
    assert (tool["action"], tool["partial_images"], tool["model"]) == ("edit", 1, "gpt-image-2")
    assert body["stream"] is True


AZURE_ENV = {
    "AZURE_OPENAI_API_KEY": "environment-key", "AZURE_OPENAI_AD_TOKEN": "environment-token",
    "OPENAI_API_VERSION": "1999-01-01", "OPENAI_API_KEY": "environment-key", "OPENAI_BASE_URL": "http://127.0.0.1:9/",
    "AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:9/",
}  # fmt: skip


def key_headers(seen: Seen) -> dict[str, list[str]]:
    return {name: seen.all(name) for name in ("api-key", "authorization") if seen.all(name)}


API_KEY, BEARER = {"api-key": [KEY]}, {"authorization": [f"Bearer {KEY}"]}


@pytest.mark.parametrize("environment", [{}, AZURE_ENV], ids=["clean", "azure_variables_set"])
@pytest.mark.parametrize("base", ["", "/", "/openai", "/openai/", "/openai/v1", "/openai/v1/"])
@pytest.mark.parametrize(
    ("options", "path", "version", "keys", "model"),
    [
        ({}, "/openai/deployments/gpt-image-2/images/generations", "2025-04-01-preview", API_KEY, "gpt-image-2"),
        ({"deployment": "team.images_2"}, "/openai/deployments/team.images_2/images/generations",
         "2025-04-01-preview", API_KEY, "team.images_2"),
        ({"api_version": "2026-01-01", "auth": "bearer", "deployment": "d"},
         "/openai/deployments/d/images/generations", "2026-01-01", BEARER, "d"),
        ({"api": "v1"}, "/openai/v1/images/generations", "preview", API_KEY, "gpt-image-2"),
        ({"api": "v1", "deployment": "d", "auth": "bearer", "api_version": "latest"}, "/openai/v1/images/generations",
         "latest", BEARER, "d"),
    ],
    ids=["classic", "deployment", "classic_bearer", "v1", "v1_bearer"],
)  # fmt: skip
def test_azure_is_addressed_as_the_scenario_says_whatever_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], base: str, options: dict[str, Any],
    path: str, version: str, keys: dict[str, list[str]], model: str,
) -> None:  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    seen = sent("azure", call(), options=AzureOptions(**options), base=base)
    assert (seen.method, seen.path, seen.query) == ("POST", path, [("api-version", version)])
    assert key_headers(seen) == keys
    assert seen.json() == {**FIELDS, "model": model}
    assert b"environment" not in seen.body + json.dumps(seen.headers).encode()


@pytest.mark.parametrize("kind", ["images", "responses", "azure"])
def test_the_accounts_names_in_the_environment_go_to_nobody_but_openai(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "environment-organization")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "environment-project")
    options = {"images": None, "responses": ResponsesOptions(), "azure": AzureOptions()}[kind]
    seen = sent(kind, call(), options=options)
    assert b"environment" not in seen.body + json.dumps(seen.headers).encode()


@pytest.mark.parametrize(
    ("api", "path"), [("deployments", "/openai/deployments/d/images/edits"), ("v1", "/openai/v1/images/edits")]
)
def test_an_azure_edit_is_multipart_at_the_deployment(api: Any, path: str) -> None:
    asked = call(references=(FIRST, SECOND), mask=MASK)
    seen = sent("azure", asked, options=AzureOptions(deployment="d", api=api), base="")
    assert (seen.path, key_headers(seen)) == (path, API_KEY)
    parts = seen.parts()
    assert [p.data for p in parts if p.name == "image[]"] == [FIRST.data, SECOND.data]
    assert {p.name: p.data.decode() for p in parts if p.filename is None} == {
        **{name: str(value) for name, value in FIELDS.items()},
        "model": "d",
    }
