"""Bytes that many answers share: nothing is lost where they are cut, and only so much is kept."""

from __future__ import annotations

import base64
import io
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.simulator import pictures, script
from harness.simulator.pictures import Pictures
from harness.simulator.profiles import Timing
from harness.simulator.requests import validate
from harness.simulator.rope import Rope

SMALL = ("1024x640", "jpeg", 10, "low")
TIMING = Timing(generation_s=5, first_partial_s=2, moderation_s=1, refusal_s=0.3)


@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(1, 12), st.integers(0, 60), st.integers(0, 60))
def test_a_rope_is_its_bytes_wherever_it_is_cut(parts: list[bytes], step: int, start: int, end: int) -> None:
    rope, whole = Rope(*parts), b"".join(parts)
    assert (len(rope), bytes(rope)) == (len(whole), whole)
    assert bytes(rope.between(start, end)) == whole[start:end]
    chunks = list(rope.chunks(step))
    assert b"".join(chunks) == whole
    assert all(0 < len(chunk) <= step for chunk in chunks)


def test_a_chunk_inside_of_one_part_is_no_copy() -> None:
    picture = bytes(1000)
    first, second = Rope(b"head", picture, b"tail").between(4, 1004).chunks(600)
    assert isinstance(first, memoryview)
    assert isinstance(second, memoryview)
    assert first.obj is second.obj is picture


def test_answers_of_one_shape_differ_around_their_pictures_and_share_these() -> None:
    shape = validate({"prompt": "x", "n": 2, "output_format": "jpeg", "output_compression": 10, "size": "1024x640"})
    early, late = (script.plain(shape, TIMING, created, 0).pieces[0].data for created in (1, 2))
    told = [json.loads(bytes(data)) for data in (early, late)]
    assert [answer["created"] for answer in told] == [1, 2]
    assert told[0]["data"] == told[1]["data"]
    for item in told[0]["data"]:
        assert Image.open(io.BytesIO(base64.b64decode(item["b64_json"]))).size == (1024, 640)
    assert told[0]["data"][0] != told[0]["data"][1]


def test_pictures_are_kept_up_to_so_many_bytes_and_those_used_last_stay() -> None:
    kept = Pictures(most_bytes=1)
    one, other = (*SMALL, 0), (*SMALL, 1)
    kept.get(one)
    assert one in kept  # the last one stays, however large it is
    kept.get(other)
    assert (one in kept, other in kept) == (False, True)
    roomy = Pictures(most_bytes=2 * len(kept.get(one)) + 10_000)
    for key in (one, other, one, (*SMALL, 2)):
        roomy.get(key)
    assert (one in roomy, other in roomy) == (True, False)


def test_a_picture_is_made_once_however_many_threads_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made, go = [], threading.Event()
    original = pictures.picture

    def slowly(*key: object) -> bytes:
        made.append(key)
        go.wait(20)
        return original(*key)  # type: ignore[arg-type]

    kept, found = Pictures(), []
    monkeypatch.setattr(pictures, "picture", slowly)
    asking = [threading.Thread(target=lambda: found.append(kept.get((*SMALL, 0)))) for _ in range(4)]
    for thread in asking:
        thread.start()
    go.set()
    for thread in asking:
        thread.join(timeout=20)
    assert (len(made), len(found), len(set(found))) == (1, 4, 1)
