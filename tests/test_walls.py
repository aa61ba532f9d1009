"""The arrows of the house: who may import whom. Read from the source, so that lazy imports count as well."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "harness"

WAIST = {
    "errors", "events", "metrics", "conditions", "observed", "prices", "gateways", "kept", "estimate", "evidence",
    "salt", "loads", "journal_lines",
}  # fmt: skip
MEASURE = {"scenario", "plan", "run", "routes", "wire", "drills", "cluster", "watching"}
READ = {
    "frame", "ingest", "diagnosis", "report", "packet", "sanitizer", "compare", "api", "rating", "gallery", "recommend",
    "export", "history",
}  # fmt: skip

# room → rooms that it may import besides the waist and itself
ARROWS: dict[str, set[str]] = {
    "errors": set(),
    "events": set(),
    "metrics": set(),
    "conditions": set(),
    "observed": set(),
    "prices": set(),
    "gateways": set(),
    "kept": set(),
    "estimate": set(),
    "evidence": set(),
    "salt": set(),
    "journal_lines": set(),
    "loads": set(),
    "chain": set(),
    "scenario": {"chain"},
    "plan": {"scenario"},
    "wire": set(),
    "routes": {"scenario", "wire"},
    "run": {"scenario", "plan", "routes", "wire", "simulator", "stats", "sweeping"},
    "sweeping": set(),
    "drills": {"scenario", "plan", "policies", "run", "simulator", "stats", "wire"},
    "cluster": {"scenario", "plan", "run", "wire"},
    "selftest": {"routes", "wire"},
    "frame": set(),
    "ingest": {"frame"},  # our own runs among other people's logs
    "stats": set(),
    "sizing": {"stats"},
    "shrinking": set(),
    "policies": {"scenario", "stats"},  # the reader and the profiles; neither knows of sockets
    "diagnosis": {"chain", "frame", "ingest", "stats"},
    "rating": set(),
    "gallery": set(),
    "recommend": {"chain", "stats"},
    "report": {"chain", "frame", "stats", "diagnosis", "rating", "gallery", "recommend"},
    "compare": {"frame", "stats", "diagnosis", "report", "recommend", "rating"},
    "packet": {"frame", "stats", "diagnosis", "sanitizer", "shrinking"},
    "api": {"chain", "frame", "stats", "diagnosis", "report"},
    "sanitizer": set(),
    "export": {"frame"},
    "watching": {"plan", "run"},
    "history": {"frame", "stats", "report"},
    "telling": {"history"},  # to monitors; of neither half
    "simulator": set(),
    "cli": MEASURE
    | (READ - {"api"})
    | {"chain", "policies", "selftest", "shrinking", "simulator", "sizing", "stats", "sweeping", "telling"},
    "__main__": {"cli"},
    # Public names, each got from its room when it is first asked for: `import harness` itself loads nothing.
    "__init__": {"api"},
}
WAIST_FREE = {"simulator"}  # not even the waist: it is an independent oracle


def room_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imports_of(path: Path) -> set[str]:
    """Rooms of this package that a file imports, wherever in the file."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [f"harness.{alias.name}" for alias in node.names] if module == "harness" else [module]
        for name in names:
            parts = name.split(".")
            if parts[0] == "harness" and len(parts) > 1 and parts[1] != "__version__":
                rooms.add(parts[1])
    return rooms


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path: Path) -> None:
    room = room_of(path)
    assert room in ARROWS, f"a new room {room!r}: say in ARROWS what it may import"
    allowed = ARROWS[room] | {room} | (set() if room in WAIST_FREE else WAIST)
    assert imports_of(path) <= allowed


def test_measuring_and_reading_never_meet() -> None:
    for room in MEASURE:
        assert not ARROWS[room] & READ
    for room in READ:
        assert not ARROWS[room] & MEASURE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_http_libraries_are_imported_in_wire_and_routes_only(path: Path) -> None:
    if room_of(path) in {"wire", "routes"}:
        return
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & {"httpx", "httpcore", "openai"}, path


def test_of_the_reading_half_only_the_rating_server_opens_a_port() -> None:
    users = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if room_of(path) not in {"simulator", *MEASURE}
        and any(
            f"{word} {name}" in path.read_text(encoding="utf-8")
            for word in ("import", "from")
            for name in ("starlette", "uvicorn")
        )
    }
    assert users == {"rating/serve.py"}


@pytest.mark.parametrize(
    ("imported", "unwanted"),
    [
        ("harness.cli", ["pandas", "numpy", "duckdb", "openai", "httpx", "pydantic", "matplotlib"]),
        ("harness", ["pandas", "numpy", "scipy", "duckdb", "msgspec", "openai", "httpx", "pydantic", "matplotlib"]),
        ("harness.api", ["openai", "httpx", "httpcore", "pydantic", "matplotlib"]),
        ("harness.report", ["openai", "httpx", "httpcore", "matplotlib"]),
        ("harness.report.build", ["openai", "httpx", "httpcore", "starlette", "uvicorn", "asyncio"]),
        ("harness.diagnosis.judge", ["openai", "httpx", "httpcore", "matplotlib"]),
        ("harness.compare.build", ["openai", "httpx", "httpcore", "matplotlib"]),
        ("harness.recommend.build", ["openai", "httpx", "httpcore", "matplotlib", "duckdb"]),
        ("harness.export.write", ["openai", "httpx", "httpcore", "pandas", "numpy"]),
        ("harness.history.desk", ["openai", "httpx", "httpcore", "prometheus_client", "matplotlib"]),
        ("harness.telling.prometheus", ["openai", "httpx", "httpcore", "prometheus_client", "opentelemetry"]),
        ("harness.packet", ["openai", "httpx", "httpcore", "matplotlib"]),
        ("harness.packet.unpacking", ["openai", "httpx", "httpcore", "requests", "pandas", "numpy", "duckdb"]),
        ("harness.plan", ["openai", "httpx", "httpcore", "pandas", "numpy"]),
        ("harness.run.session", ["pandas", "scipy", "matplotlib"]),
        ("harness.policies.whatif", ["openai", "httpx", "httpcore", "pandas", "matplotlib", "duckdb"]),
        ("harness.sizing", ["openai", "httpx", "httpcore", "pandas", "pydantic", "matplotlib"]),
    ],
)
def test_heavy_libraries_are_not_loaded_where_they_are_not_needed(imported: str, unwanted: list[str]) -> None:
    code = f"import sys, {imported}; print([m for m in {unwanted!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_no_file_names_a_machine_path_or_a_registry() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    forbidden = ["/" + "work/", "--index" + "-url http", "python" + "hos" + "ted.org", "bash" + "_jobs"]
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in {".zip", ".png"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not [word for word in forbidden if word in text], name


def test_nobody_is_told_to_install_us_from_an_index_where_others_own_the_name() -> None:
    told = [
        *PACKAGE.rglob("*.py"),
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "scenarios").glob("*.yaml"),
    ]
    wrong = re.compile(r"install \S*(?:image-latency-harness|\bharness)\[")
    assert [path.name for path in told if wrong.search(path.read_text(encoding="utf-8"))] == []
