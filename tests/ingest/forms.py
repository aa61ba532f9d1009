"""One fixture a format, under the format's own name: what tests and the fuzzer of readers both begin from."""

from __future__ import annotations

from pathlib import Path

from harness.ingest.formats import FORMATS

FIXTURES = Path(__file__).parent / "fixtures"


def fixture_of(name: str) -> Path | None:
    """The fixture of a format; null where it has none yet."""
    return next((path for path in sorted(FIXTURES.iterdir()) if path.is_file() and path.stem == name), None)


def with_fixtures() -> dict[str, Path]:
    """Format → fixture."""
    return {one.name: path for one in FORMATS if (path := fixture_of(one.name)) is not None}
