"""The page on clusters: what it shows of code runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from harness.export.write import export
from tests.conftest import ROOT


def test_the_query_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8"), re.DOTALL)
    shutil.copytree(ROOT / "reports" / "sample", tmp_path / "reports" / "sample")
    export(tmp_path / "reports" / "sample", "parquet")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    exec(compile(block, "docs/cluster.md", "exec"), namespace)
    found = namespace["found"]
    assert list(found["jobs"]) == [228]  # type: ignore[index]
    assert found["first_byte_p50_ms"].notna().all()  # type: ignore[index]
