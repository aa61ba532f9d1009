"""Images cut out of JSON: the same values as a full decode gives, whatever stands around them."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.routes.payload import cut_base64

IMAGE = base64.b64encode(bytes(range(256)) * 8).decode()
TEXTS = st.one_of(st.text(max_size=30), st.just('a "b64_json": "trap"'), st.just("#image-0"), st.just(IMAGE))
ITEMS = st.fixed_dictionaries({}, optional={"b64_json": TEXTS, "revised_prompt": TEXTS, "url": TEXTS})


@settings(max_examples=300, deadline=None)
@given(st.lists(ITEMS, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_cutting_gives_what_decoding_the_whole_gives(
    items: list[dict[str, str]], ascii: bool, indent: int | None
) -> None:
    data = json.dumps({"created": 1, "data": items}, ensure_ascii=ascii, indent=indent).encode("utf-8", "replace")
    cut = cut_base64(data)
    decoded = cut.value()["data"]
    assert len(decoded) == len(items)
    for got, item in zip(decoded, json.loads(data)["data"], strict=True):
        payload = cut.payload(got.pop("b64_json", None))
        wanted = item.pop("b64_json", None)
        assert got == item
        assert (payload and payload[0]) == (wanted.encode() if wanted else None)


def test_a_large_value_is_cut_out_and_its_place_is_known() -> None:
    data = b'{"b64_json" :\n "' + IMAGE.encode() + b'","n":1}'
    cut = cut_base64(data)
    ((start, end),) = cut.spans
    assert data[start:end] == IMAGE.encode()
    value = cut.value()
    assert len(msgspec.json.encode(value)) < 60
    assert cut.payload(value["b64_json"]) == (IMAGE.encode(), (start, end))


def test_a_value_with_escaped_slashes_is_left_to_the_decoder() -> None:
    text = ("////" * 200).encode()
    data = b'{"b64_json":"' + text.replace(b"/", b"\\/") + b'"}'
    cut = cut_base64(data)
    assert cut.spans == ()
    assert cut.payload(cut.value()["b64_json"]) == (text, None)


@pytest.mark.parametrize(
    "data",
    [b"", b'{"b64_json":', b'{"b64_json":"' + b"A" * 9000, b'"b64_json"', b'{"b64_json":5}', b'{"b64_json":null}'],
)
def test_what_is_cut_short_or_no_text_gives_no_payload(data: bytes) -> None:
    cut = cut_base64(data)
    assert cut.spans == ()
    try:
        value = cut.value()
    except msgspec.DecodeError:
        return
    assert not isinstance(value, dict) or cut.payload(value.get("b64_json")) is None
