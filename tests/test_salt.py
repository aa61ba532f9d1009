"""The salt is whole or is not there, whoever is killed or comes at the same time."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.salt import load_salt, salt_path
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_processes_that_begin_at_the_same_time_get_the_same_salt() -> None:
    code = "from harness.salt import load_salt; print(load_salt().hex())"
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    assert {one.communicate(timeout=60)[0] for one in running} == {load_salt().hex() + "\n"}
    assert [path.name for path in salt_path().parent.iterdir()] == ["salt"]
    assert salt_path().stat().st_mode & 0o777 == 0o600


def test_a_salt_that_cannot_be_written_whole_is_not_there_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageProblem, match="No space left"):
        load_salt()
    assert list(salt_path().parent.iterdir()) == []
