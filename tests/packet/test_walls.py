"""What the packet may import: the waist and the diagnosis' records. No network, nothing of the measuring half."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import harness.packet

FOLDER = Path(harness.packet.__file__).parent
MAY = (
    "harness.packet",
    "harness.events",
    "harness.journal_lines",
    "harness.metrics",
    "harness.conditions",
    "harness.errors",
    "harness.diagnosis.model",
    "harness.stats",
    "harness.sanitizer",
    "harness.shrinking",
)


def test_only_the_waist_and_the_diagnosis_records_are_imported() -> None:
    strangers = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness."):
                if not str(node.module).startswith(MAY):
                    strangers.add((path.name, node.module))
            elif isinstance(node, ast.Import):
                strangers |= {(path.name, one.name) for one in node.names if one.name.startswith("harness.")}
    assert strangers == set()


def test_no_network_library_is_loaded() -> None:
    code = (
        "import sys, harness.packet; print([m for m in ('httpx', 'openai', 'httpcore', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
