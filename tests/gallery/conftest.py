"""One run with kept images, whose lettering the simulator wrote right, wrong, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.gallery import Pictures, look

RIGHT = {"A": "SUMMER SALE", "B": "Fresh Coffee Daily"}
WRONG_LETTERS = 3
SECRET = "zebra-striped"  # a word of the prompts that nothing may repeat


@pytest.fixture(scope="session")
def tesseract() -> str:
    """Where tesseract is; tests that need it are passed over without, but never in CI."""
    found = shutil.which("tesseract")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no tesseract on the path; CI must read the lettering")
        pytest.skip("no tesseract on the path")
    return found


def scenario() -> dict[str, object]:
    def route(fault: str = "") -> dict[str, object]:
        return {"base_url": "simulator://", "owner": "simulator", "headers": {"x-sim-fault": fault} if fault else {}}

    return {
        "name": "kept",
        "why": "Which cell keeps the lettering?",
        "prompts": [
            {"text": f'A {SECRET} window with the words "{text}"', "complexity": complexity, "expect_text": text}
            for text, complexity in zip(RIGHT.values(), ("simple", "complex"), strict=True)
        ],
        "routes": {
            "good": route(),
            "bad": route(f"misspelled;letters={WRONG_LETTERS}"),
            "blank": route("blank_image"),
            "resized": route("wrong_size"),
        },
        "simulator": {"time_scale": 1000, "seed": 4},
        "defaults": {"quality": "low", "size": "1024x1024"},
        "matrix": {
            "route": ["good", "bad", "blank", "resized"],
            "include": [{"route": "good", "output_format": "jpeg", "output_compression": 50}],
        },
        "repeats": 2,
        "load": {"concurrency": 2},
    }


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory, harness: Callable[..., object]) -> Path:
    """A run with ``--keep-images`` that nobody has looked at yet."""
    folder = tmp_path_factory.mktemp("kept")
    file, run = folder / "kept.yaml", folder / "run"
    file.write_text(yaml.safe_dump(scenario()))
    done = harness("run", file, "--keep-images", "--out", run, "--quiet")
    assert done.returncode == 0, done.stderr  # type: ignore[attr-defined]
    return run


@pytest.fixture(scope="session")
def looked(kept_run: Path, tesseract: str) -> Pictures:  # noqa: ARG001
    """What was found in its images."""
    return look(kept_run, recoded_images=1)
