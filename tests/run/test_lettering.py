"""The lettering that prompts expect is kept with images and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.journal_lines import read_events
from harness.kept import read_lettering
from harness.run.lettering import keep_lettering
from harness.salt import prompt_hash
from harness.scenario.models import Prompt

SALT = b"0123456789abcdef"


def test_only_prompts_that_expect_lettering_are_kept_and_earlier_parts_stay(tmp_path: Path) -> None:
    keep_lettering(tmp_path / "images", [Prompt(text="a lemon")], SALT)
    assert not (tmp_path / "images").exists()
    keep_lettering(tmp_path / "images", [Prompt(text="a sign", expect_text="OPEN"), Prompt(text="a lemon")], SALT)
    keep_lettering(tmp_path / "images", [Prompt(text="a shop", expect_text="SALE")], SALT)
    assert read_lettering(tmp_path / "images") == {
        prompt_hash("a sign", SALT): "OPEN",
        prompt_hash("a shop", SALT): "SALE",
    }


@pytest.mark.parametrize("keep", [True, False])
def test_a_run_writes_it_only_when_images_are_kept(keep: bool, tmp_path: Path, harness: Callable[..., Any]) -> None:
    file, run = tmp_path / "s.yaml", tmp_path / "run"
    scenario = {
        "name": "one",
        "why": "Is the lettering kept?",
        "prompts": [{"text": "A door in the rain", "expect_text": "Quillon"}],
        "routes": {"direct": {"base_url": "simulator://", "owner": "simulator"}},
        "simulator": {"time_scale": 1000},
        "defaults": {"quality": "low", "size": "1024x1024", "output_format": "jpeg"},
    }
    file.write_text(yaml.safe_dump(scenario))
    done = harness("run", file, "--out", run, "--quiet", *(["--keep-images"] if keep else []))
    assert done.returncode == 0, done.stderr
    holding = {
        str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and b"Quillon" in path.read_bytes()
    }
    assert holding == ({"images/expected.json"} if keep else set())
    assert (run / "images").exists() == keep
    if keep:
        (event,), _ = read_events(run / "events.jsonl")
        assert read_lettering(run / "images") == {event.prompt_hash: "Quillon"}
