"""Every preset against the embedded API of its wire, whose own log knows when the image was really made."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from harness.routes import make_route
from harness.routes.base import Target
from harness.scenario.families import FamilyOptions
from harness.simulator.process import spawn
from tests.simulator.asking import truths
from tests.simulator.tasking import APIS, SCALE, world

from .recorder import CALL, KEY, Told, one

PRESETS = {"generic": "task", "evolink": "evolink", "fal": "fal", "replicate": "replicate", "kie": "kie"}


def play(base_url: str, preset: str, **headers: str) -> Told:
    options = FamilyOptions.model_validate({"task": {"preset": preset, "callback": {"receive": True}}}).task

    async def go() -> Told:
        target = Target("t", base_url, KEY, headers, options=options, time_scale=SCALE)
        route = make_route("task", target)
        await route.warm_up()
        try:
            asked = {"prompt": "A red apple", "quality": "low", "size": "1024x1024", "output_format": "jpeg"}
            model = "fal-ai/gpt-image-2" if preset == "fal" else "gpt-image-2"
            return await one(route, replace(CALL, fields={"model": model, **asked}))
        finally:
            await route.aclose()

    return asyncio.run(go())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_brings_the_image_and_its_interval_holds_the_moment_of_making(preset: str, tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with spawn(world(), log=log) as sim:
        base = sim.entries[PRESETS[preset]]
        told = play(base if APIS[PRESETS[preset]].base_has_v1 else base.removesuffix("/v1"), preset)
    (record,) = [record for record in truths(log) if record.get("made_ns")]
    (payload,) = told.answer.finals
    assert payload.encoded[:3] == b"\xff\xd8\xff"
    assert told.answer.notes == ("result_by_url",)
    seen = told.answer.task
    assert seen is not None
    assert seen.poll_error_ns is not None
    assert payload.whole.ns - seen.poll_error_ns <= record["made_ns"] <= payload.whole.ns
    assert seen.callback is not None
    assert record["made_ns"] <= seen.callback.ns
    assert record["polls"] == seen.polls + (preset == "fal")  # that API counts the call for the result as well


@pytest.mark.parametrize("preset", PRESETS)
def test_a_task_that_fails_at_its_api_is_an_error_with_what_it_says(preset: str) -> None:
    with spawn(world()) as sim:
        base = sim.entries[PRESETS[preset]]
        base = base if APIS[PRESETS[preset]].base_has_v1 else base.removesuffix("/v1")
        told = play(base, preset, **{"x-sim-fault": "task_failed"})
    assert told.answer.finals == ()
    assert told.answer.error is not None
    assert told.answer.error.message
    assert told.answer.error.code
    assert "mapping_does_not_fit" not in told.answer.notes
