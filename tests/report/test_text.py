"""The report as Markdown and on a terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.report.text import render

from . import build_run, demo_run
from .build_run import Run, job, of_events
from .test_build import summary_of
from .test_html import RUNS


@pytest.mark.parametrize("name", RUNS)
def test_every_kind_of_run_has_a_text(name: str) -> None:
    text = render(summary_of(RUNS[name]()))
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert "None" not in text
    assert "nan" not in text.split()


def test_the_text_opens_with_the_answer_and_the_decision() -> None:
    lines = [line for line in render(summary_of(demo_run.demo())).splitlines() if line]
    assert lines[0].startswith("# False timeout: nginx")
    assert lines[1] == "> Simulated world, 50 times faster; all times below are world times."
    assert lines[3].startswith("**Decision:** Raise proxy_read_timeout")


def test_tables_are_padded_and_survive_a_pipe_in_a_name() -> None:
    run: Run = of_events([job(1, route="a|b"), job(2, route="long-name")])
    cells = render(summary_of(run)).partition("## Every cell")[2]
    table = [line for line in cells.splitlines() if line.startswith("| route") or "a\\|b" in line]
    assert len({len(line) for line in table[:2]}) == 1


def test_a_name_cannot_steer_the_terminal_or_the_page() -> None:
    text = render(summary_of(of_events([job(1, route="\x1b[2Jred\x07<script>")])))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "<script" not in text


def test_few_jobs_are_starred() -> None:
    text = render(summary_of(build_run.healthy(3)))
    assert "4.17 s*" in text


def test_text_needs_no_drawing_library_and_no_network_library() -> None:
    code = "import sys, harness.report.text; print(*{'matplotlib', 'jinja2', 'httpx', 'openai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
