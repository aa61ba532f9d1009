"""The official client, unmodified, against the embedded API; its answers against the published description."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from PIL import Image

from harness.simulator.process import Running, spawn

SPEC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "openai-images-openapi.yaml"
KEY = "sk-sim-test"
SHAPE: dict[str, Any] = {"model": "gpt-image-2", "prompt": "A red apple", "quality": "low", "size": "1024x1024"}


@pytest.fixture(scope="module")
def sim() -> Iterator[Running]:
    with spawn({"time_scale": 400, "seed": 2, "layers": {"tier": {"images_per_minute": 1}}}) as running:
        yield running
        while OPENED:
            OPENED.pop().close()


OPENED: list[openai.OpenAI] = []


def client(sim: Running, entry: str = "direct", key: str = KEY, **headers: str) -> openai.OpenAI:
    OPENED.append(openai.OpenAI(api_key=key, base_url=sim.entries[entry], max_retries=0, default_headers=headers))
    return OPENED[-1]


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    if not SPEC.exists():
        pytest.skip("the published description is not beside this checkout")
    loaded: dict[str, Any] = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    return loaded


def check(schemas: dict[str, Any], name: str, value: Any) -> None:
    """`value` against one schema of the description, its references included."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": schemas["components"]}
    errors = [error.message for error in OAS31Validator(schema).iter_errors(value)]
    assert errors == []


def decoded(text: str | None) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(text or "", validate=True)))
    image.load()
    return image


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "816x816"])
def test_a_plain_call_brings_an_image_of_the_asked_size_and_format(
    sim: Running, schemas: dict[str, Any], output_format: Any, size: Any
) -> None:
    raw = client(sim).images.with_raw_response.generate(**{**SHAPE, "size": size}, output_format=output_format)
    answer = raw.parse()
    assert answer.data is not None
    image = decoded(answer.data[0].b64_json)
    assert (image.format or "").lower() == output_format
    assert f"{image.width}x{image.height}" == size
    assert raw.headers["x-request-id"].startswith("req_")
    assert int(raw.headers["openai-processing-ms"]) > 1000
    body = raw.http_response.json()
    assert body.pop("size") == size  # the description still lists three sizes here; the API has taken more since
    check(schemas, "ImagesResponse", body)


def test_n_images_come_in_one_answer_and_are_counted(sim: Running, schemas: dict[str, Any]) -> None:
    raw = client(sim).images.with_raw_response.generate(**SHAPE, n=3)
    answer = raw.parse()
    assert len(answer.data or []) == 3
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3 * 196
    check(schemas, "ImagesResponse", raw.http_response.json())


def test_a_stream_brings_partial_images_and_then_the_final_one(sim: Running, schemas: dict[str, Any]) -> None:
    events = list(client(sim).images.generate(**SHAPE, stream=True, partial_images=2))
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    for event in events:
        decoded(event.b64_json)
        name = "ImageGenCompletedEvent" if event.type.endswith("completed") else "ImageGenPartialImageEvent"
        check(schemas, name, event.to_dict())
    final = events[-1]
    assert final.type == "image_generation.completed"
    assert final.usage.output_tokens == 196 + 200


def test_the_asynchronous_client_works_as_well(sim: Running) -> None:
    async def once() -> int:
        async with openai.AsyncOpenAI(api_key=KEY, base_url=sim.entries["direct"], max_retries=0) as asked:
            answer = await asked.images.generate(**SHAPE)
            return len(answer.data or [])

    assert asyncio.run(once()) == 1


def test_a_bad_key_is_an_authentication_error_that_does_not_repeat_it(sim: Running) -> None:
    bad = "sk-" + "wrong" * 4
    with pytest.raises(openai.AuthenticationError) as caught:
        client(sim, key=bad).images.generate(**SHAPE)
    assert caught.value.code == "invalid_api_key"
    assert bad not in str(caught.value)


def test_an_unknown_model_is_not_found(sim: Running) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client(sim).images.generate(**{**SHAPE, "model": "dall-e-4"})
    assert caught.value.code == "model_not_found"
    assert "The model `dall-e-4` does not exist or you do not have access to it." in str(caught.value)


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"extra_body": {"response_format": "url"}}, "unknown_parameter", "response_format",
     "Unknown parameter: 'response_format'."),
    ({"quality": "standard"}, "invalid_value", "quality",
     "Invalid value: 'standard'. Supported values are: 'low', 'medium', 'high', and 'auto'."),
    ({"size": "512x512"}, "invalid_value", "size",
     "Invalid size '512x512'. Requested resolution is below the current minimum pixel budget."),
    ({"size": "1920x1080"}, "invalid_value", "size",
     "Invalid size '1920x1080'. Width and height must both be divisible by 16."),
    ({"size": "4096x1024"}, "invalid_value", "size",
     "Invalid size '4096x1024'. The longest edge must be less than or equal to 3840."),
    ({"extra_body": {"input_fidelity": "high"}}, "invalid_input_fidelity_model", "input_fidelity",
     "The model 'gpt-image-2' does not support the 'input_fidelity' parameter."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "param", "message"), REFUSED, ids=[row[3][:40] for row in REFUSED])
def test_each_mistake_is_refused_in_the_apis_own_words(
    sim: Running, changes: dict[str, Any], code: str, param: str, message: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client(sim).images.generate(**{**SHAPE, **changes})
    body = caught.value.body
    assert isinstance(body, dict)
    assert (body["code"], body["param"], body["message"]) == (code, param, message)


def test_a_moderated_prompt_names_its_stage(sim: Running) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client(sim, **{"x-sim-fault": "moderation_output"}).images.generate(**SHAPE)
    body = caught.value.body
    assert isinstance(body, dict)
    assert (body["type"], body["code"]) == ("image_generation_user_error", "moderation_blocked")
    assert body["moderation_details"]["moderation_stage"] == "output"


def test_a_limit_of_images_per_minute_refuses_and_says_when_to_come_back(sim: Running) -> None:
    asked = client(sim, "tier")
    asked.images.generate(**SHAPE)
    with pytest.raises(openai.RateLimitError) as caught:
        asked.images.generate(**SHAPE)
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-limit-input-images"] == "1"
    assert "on input-images per min: Limit 1, Used 1, Requested 1." in str(caught.value)


@pytest.mark.parametrize(("fault", "kind"), [("500", openai.InternalServerError), ("503", openai.InternalServerError)])
def test_server_errors_are_the_sdks_own_classes(sim: Running, fault: str, kind: type[openai.APIStatusError]) -> None:
    with pytest.raises(kind):
        client(sim, **{"x-sim-fault": fault}).images.generate(**SHAPE)


def test_a_stream_that_ends_without_its_image_is_silent_in_the_sdk(sim: Running) -> None:
    """The reason why the harness reads streams itself."""
    asked = client(sim, **{"x-sim-fault": "silent_end"})
    events = list(asked.images.generate(**SHAPE, stream=True, partial_images=1))
    assert [event.type for event in events] == ["image_generation.partial_image"]


def test_the_token_formula_gives_the_published_table() -> None:
    from harness.simulator.requests import Shape

    table = {
        "1024x1024": (196, 1756, 7024),
        "1024x1536": (158, 1372, 5488),
        "1536x1024": (158, 1372, 5488),
        "2048x2048": (397, 3568, 14272),
        "2048x1152": (157, 1413, 5650),
        "2560x1440": (205, 1843, 7370),
        "3840x2160": (371, 3336, 13342),
        "1280x720": (106, 947, 3787),
        "1920x1088": (148, 1325, 5300),
    }
    for size, row in table.items():
        for quality, tokens in zip(("low", "medium", "high"), row, strict=True):
            shape = Shape("gpt-image-2", 10, quality, size, "png", 100, "opaque", 1, False, 0)
            assert shape.output_tokens == tokens, (size, quality)
