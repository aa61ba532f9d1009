"""The lettering that prompts expect, kept beside kept images and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.kept import write_lettering
from harness.salt import prompt_hash
from harness.scenario.models import Prompt


def keep_lettering(images: Path, prompts: Iterable[Prompt], salt: bytes) -> None:
    """Write it by prompt hash, so that who reads the events finds it; nothing when no prompt expects any."""
    write_lettering(images, {prompt_hash(one.text, salt): one.expect_text for one in prompts if one.expect_text})
