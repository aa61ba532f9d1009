"""Pages that several tests look at, each written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report import write_report


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports by the names of their runs."""
    from .test_html import RUNS  # here: tests that need no page wait for none of it

    names = ("demo", "hostile", "no events", "across hours", "crowded")
    return {name: write_report(RUNS[name]().write(tmp_path_factory.mktemp("run"))).html for name in names}
