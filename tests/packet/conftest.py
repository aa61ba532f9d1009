"""A diagnosed run directory for every test that wants one."""

from __future__ import annotations

from pathlib import Path

import pytest

from .builder import write_run


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Eight jobs on four routes; the headline is a false timeout at 60 s."""
    return write_run(tmp_path / "falcon-run")
