"""Kept images of a real run in its report, and in nothing that is handed on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.diagnosis.judge import diagnose_run
from harness.gallery import Pictures, write_pictures
from harness.packet import write_packet
from harness.packet.archive import unpack
from harness.packet.members import NAMES
from harness.report import read_summary, write_report

from .conftest import RIGHT, SECRET


@pytest.fixture(scope="module")
def reported(kept_run: Path, looked: Pictures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Path(shutil.copytree(kept_run, tmp_path_factory.mktemp("reported") / "run"))
    write_pictures(run, looked)
    diagnose_run(run)
    write_report(run)
    return run


def test_no_file_but_the_expected_lettering_says_what_was_prompted(reported: Path) -> None:
    texts = [path for path in reported.iterdir() if path.is_file() and path.suffix in (".html", ".json", ".jsonl")]
    assert {"report.html", "summary.json", "pictures.json", "events.jsonl"} <= {path.name for path in texts}
    for path in texts:
        text = path.read_text().casefold()
        for word in (SECRET, *RIGHT.values()):
            assert word.casefold() not in text, path.name
    assert (reported / "report.html").stat().st_size < 2_000_000


def test_the_cells_of_a_real_run_are_told_apart(reported: Path) -> None:
    found = read_summary(reported / "summary.json").pictures
    assert found is not None
    assert found.sheet is not None
    assert {row.route: row.lettering_right.value for row in found.cells} == {
        "good": 1.0, "bad": 0.0, "blank": 0.0, "resized": 1.0,
    }  # fmt: skip
    assert {row.route for row in found.cells if row.flagged} == {"blank", "resized"}
    assert (len(found.levels), found.sheet.shown, found.sheet.prompts) == (9, 10, 2)


def test_a_packet_is_the_same_with_and_without_kept_images(reported: Path, tmp_path: Path) -> None:
    bare = Path(shutil.copytree(reported, tmp_path / "bare"))
    shutil.rmtree(bare / "images")
    (bare / "pictures.json").unlink()
    packet = write_packet(reported, tmp_path / "with.zip").read_bytes()
    assert write_packet(bare, tmp_path / "without.zip").read_bytes() == packet
    whole = b"".join(unpack(packet, NAMES).values()).lower()
    assert b"data:image" not in whole
    for word in (SECRET, *RIGHT.values()):
        assert word.lower().encode() not in whole
