"""Somebody's file becomes clean text, whatever it was packed in; what is no text is told by its line."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from pathlib import Path

import pytest

from harness.errors import UsageProblem
from harness.ingest.source import MAX_LINE, open_source

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = "first line\nsecond ü line\n"


def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstd.compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_a_packed_file_is_unpacked_whatever_its_name(tmp_path: Path, pack) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(pack(TEXT.encode()))
    found = open_source(path, scratch(tmp_path))
    assert found.path.read_text() == TEXT
    assert (found.name, found.head, found.bad) == ("access.log", TEXT, ())


def test_a_clean_file_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(TEXT)
    assert open_source(path, scratch(tmp_path)).path == path


def test_an_archive_of_one_file_is_that_file_and_of_two_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    for path, names in ((one, ["a"]), (two, ["a", "b"])):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, TEXT)
    assert open_source(one, scratch(tmp_path)).path.read_text() == TEXT
    with pytest.raises(UsageProblem, match="holds 2 files"):
        open_source(two, scratch(tmp_path))


def test_utf_16_and_a_byte_order_mark_are_no_obstacle(tmp_path: Path) -> None:
    wide, marked = tmp_path / "wide.log", tmp_path / "marked.log"
    wide.write_bytes(TEXT.encode("utf-16"))
    marked.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert open_source(wide, scratch(tmp_path)).path.read_text(encoding="utf-8-sig") == TEXT
    assert open_source(marked, scratch(tmp_path)).path.read_text() == TEXT


def test_a_line_that_is_no_text_is_told_and_all_others_keep_their_number(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntw\xffo\nthr\x00ee\nfour\n" + b"x" * (MAX_LINE + 1) + b"\nsix\n")
    found = open_source(path, scratch(tmp_path))
    assert found.path.read_text().split("\n") == ["one", "", "", "four", "", "six", ""]
    assert [bad.line for bad in found.bad] == [2, 3, 5]
    assert not any("tw" in bad.reason or "thr" in bad.reason for bad in found.bad)


def test_standard_input_is_a_file_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT.encode()))))
    found = open_source(Path("-"), scratch(tmp_path))
    assert (found.name, found.path.read_text()) == ("standard input", TEXT)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "cut short"),
        (gzip.compress(b"x", mtime=0)[:10] + b"\xff" * 40, "damaged"),
        (b"\x28\xb5\x2f\xfd....", "damaged"),
        (zstd.compress(TEXT.encode() * 99)[:-9], "cut short"),
        (b"PK\x03\x04....", "damaged"),
    ],
    ids=["a gzip cut short", "a damaged gzip", "a damaged zstd", "a zstd cut short", "a damaged zip"],
)
def test_a_damaged_or_unknown_packing_is_a_clear_error(tmp_path: Path, data: bytes, match: str) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(data)
    with pytest.raises(UsageProblem, match=match):
        open_source(path, scratch(tmp_path))


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="nowhere"):
        open_source(tmp_path / "nowhere", scratch(tmp_path))
