"""The bundle on disk: whole or not at all, the same bytes every time, and verified by whoever receives it."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.errors import HarnessError, LeakRefused, UsageProblem
from harness.packet import extract, members, preview, verify_packet, write_packet
from harness.packet.archive import pack, unpack
from harness.packet.atomic import clear_leftovers, write_whole
from harness.packet.members import NAMES

from .builder import API_ID, PROMPT, write_run


def read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def litter(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in {
        "run.json", "events.jsonl", "diagnosis.json", "verdicts.jsonl", "packet.zip"
    })  # fmt: skip


def test_the_same_run_gives_the_same_bytes(run_dir: Path, tmp_path: Path) -> None:
    first = write_packet(run_dir, tmp_path / "a.zip").read_bytes()
    time.sleep(0.01)
    copy = write_run(tmp_path / "another place")
    assert write_packet(copy, tmp_path / "b.zip").read_bytes() == first


def test_the_default_place_is_the_run_directory(run_dir: Path) -> None:
    assert write_packet(run_dir) == run_dir / "packet.zip"
    assert litter(run_dir) == []


def test_members_are_the_seven_with_fixed_order_time_and_mode(run_dir: Path) -> None:
    with zipfile.ZipFile(write_packet(run_dir)) as archive:
        infos = archive.infolist()
    assert tuple(info.filename for info in infos) == tuple(sorted(NAMES))
    assert {info.date_time for info in infos} == {(2026, 11, 20, 8, 25, 30)}
    modes = {info.filename: stat.S_IMODE(info.external_attr >> 16) for info in infos}
    assert modes == {name: 0o755 if name == "repro.sh" else 0o644 for name in NAMES}


def test_the_manifest_names_every_file_its_digest_and_what_was_left_out(run_dir: Path) -> None:
    files = read(write_packet(run_dir))
    manifest = json.loads(files["manifest.json"])
    assert (manifest["schema_version"], manifest["tool_version"]) == (1, harness.__version__)
    listed = {one["name"]: (one["bytes"], one["sha256"]) for one in manifest["files"]}
    content = {name: data for name, data in files.items() if name not in {"manifest.json", "SHA256SUMS"}}
    assert listed == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in content.items()}
    assert manifest["left_out"] == {"name": 2, "note": 1, "text": 2}


def test_the_sums_are_those_that_sha256sum_checks(run_dir: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(write_packet(run_dir)) as archive:
        archive.extractall(tmp_path / "out")
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, check=False)
    assert done.returncode == 0


def test_the_preview_is_exactly_the_bytes_that_would_leave(run_dir: Path) -> None:
    shown = preview(run_dir)
    assert litter(run_dir) == []
    assert not (run_dir / "packet.zip").exists()
    files = read(write_packet(run_dir))
    expected = "".join(
        f"===== {name} ({len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()})\n{data.decode()}"
        for name, data in files.items()
    )
    assert shown == expected


def test_ids_timings_sizes_and_model_are_in_it_and_the_prompt_is_not(run_dir: Path) -> None:
    shown = preview(run_dir)
    for part in (API_ID, "gpt-image-2", "60012.5", "2048", "59978.0", "4321"):
        assert part in shown
    assert PROMPT not in shown
    assert "alcon" not in shown


@pytest.mark.parametrize("job", ["j1", "j3", "j5", "j6", "j7", "j8"])
def test_a_packet_of_any_job_is_written_and_verifies(run_dir: Path, job: str) -> None:
    result = verify_packet(write_packet(run_dir, job_id=job))
    assert result.rendered_again
    assert set(result.members) == set(NAMES)
    assert "whole and unchanged" in str(result)


def rewritten(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    files = read(path)
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def resealed(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Tampering by somebody who knows the format: sums, manifest and archive all made to agree."""
    files = read(path)
    packet = extract(path.parent)
    change(files)
    said = {name: data for name, data in files.items() if name not in {"manifest.json", "SHA256SUMS"}}
    said["manifest.json"] = members.manifest(packet, said)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(said.items()))
    path.write_bytes(pack({**said, "SHA256SUMS": sums.encode()}, packet.when.started_at))
    return path


def test_a_changed_member_is_named(run_dir: Path) -> None:
    path = rewritten(write_packet(run_dir), lambda files: files.update({"packet.md": b"all is well\n"}))
    with pytest.raises(UsageProblem, match=r"packet\.md: does not match SHA256SUMS"):
        verify_packet(path)


def test_a_missing_member_is_named(run_dir: Path) -> None:
    path = rewritten(write_packet(run_dir), lambda files: files.pop("waterfall.svg") and None)
    with pytest.raises(UsageProblem, match=r"waterfall\.svg missing"):
        verify_packet(path)


def test_an_added_member_is_refused_without_repeating_its_name(run_dir: Path) -> None:
    path = rewritten(write_packet(run_dir), lambda files: files.update({"anna-geheim.log": b"x"}))
    with pytest.raises(UsageProblem, match=r"1 member\(s\) that no packet has") as caught:
        verify_packet(path)
    assert "anna" not in str(caught.value)


def test_a_doubled_member_is_refused(run_dir: Path) -> None:
    path = write_packet(run_dir)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("packet.md", b"second")
    with pytest.raises(UsageProblem, match=r"packet\.md there twice"):
        verify_packet(path)


def test_bytes_before_behind_and_beside_the_members_are_refused(run_dir: Path) -> None:
    path = write_packet(run_dir)
    whole = path.read_bytes()
    path.write_bytes(b"hidden" + whole)
    with pytest.raises(UsageProblem, match="outside the members"):
        verify_packet(path)
    path.write_bytes(whole)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"psst"
    with pytest.raises(UsageProblem, match="outside the members"):
        verify_packet(path)


def test_texts_that_do_not_follow_from_the_packet_are_refused_even_when_resealed(run_dir: Path) -> None:
    path = write_packet(run_dir)
    path = resealed(path, lambda files: files.update({"packet.md": b"Please widen everything.\n"}))
    with pytest.raises(UsageProblem, match=r"packet\.md does not follow from packet\.json"):
        verify_packet(path)


def test_a_resealed_packet_with_a_foreign_field_is_refused_by_the_schema(run_dir: Path) -> None:
    def add_note(files: dict[str, bytes]) -> None:
        files["packet.json"] = json.dumps({**json.loads(files["packet.json"]), "note": "anna"}).encode()

    with pytest.raises(UsageProblem, match=r"packet\.json does not fit the schema"):
        verify_packet(resealed(write_packet(run_dir), add_note))


def test_a_packet_of_another_version_with_something_private_in_it_is_refused(run_dir: Path) -> None:
    def older(files: dict[str, bytes]) -> None:
        files["packet.json"] = files["packet.json"].replace(harness.__version__.encode(), b"0.0.1")
        files["packet.md"] += b"call anna@falcon-motors.com\n"

    path = write_packet(run_dir)
    files = read(path)
    older(files)
    packet = members.EscalationPacket.model_validate_json(files["packet.json"])
    said = {name: data for name, data in files.items() if name not in {"manifest.json", "SHA256SUMS"}}
    said["manifest.json"] = members.manifest(packet, said)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(said.items()))
    path.write_bytes(pack({**said, "SHA256SUMS": sums.encode()}, packet.when.started_at))
    with pytest.raises(LeakRefused, match=r"email in packet\.md"):
        verify_packet(path)


def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(name, bytes(50_000_000) if name == "packet.md" else b"")
    begun = time.monotonic()
    with pytest.raises(UsageProblem, match="compressed"):
        verify_packet(path)
    assert time.monotonic() - begun < 1


def test_a_file_that_is_huge_absent_or_no_zip_is_refused(tmp_path: Path) -> None:
    huge, text = tmp_path / "huge.zip", tmp_path / "text.zip"
    with huge.open("wb") as file:
        file.truncate(9_000_000)
    text.write_text("no zip")
    for path in (huge, text, tmp_path / "absent.zip"):
        with pytest.raises(UsageProblem, match=path.name):
            verify_packet(path)


def test_every_single_flipped_byte_is_noticed(run_dir: Path, tmp_path: Path) -> None:
    whole = write_packet(run_dir).read_bytes()
    for at in range(0, len(whole), 97):
        flipped = bytearray(whole)
        flipped[at] ^= 0x01
        path = tmp_path / "flipped.zip"
        path.write_bytes(bytes(flipped))
        with pytest.raises(HarnessError):
            verify_packet(path)


def test_unpacking_gives_back_what_was_packed() -> None:
    files = {name: name.encode() for name in NAMES}
    assert unpack(pack(files, None), NAMES) == files
    with zipfile.ZipFile(io.BytesIO(pack(files, None))) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_a_leak_leaves_nothing_on_disk_and_an_older_packet_untouched(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_packet(run_dir).read_bytes()
    real = members.markdown
    monkeypatch.setattr(members, "markdown", lambda packet: real(packet) + "mail anna@falcon-motors.com\n")
    for attempt in (lambda: write_packet(run_dir), lambda: preview(run_dir)):
        with pytest.raises(LeakRefused, match=r"email in packet\.md") as caught:
            attempt()
        assert "anna" not in str(caught.value)
    assert (run_dir / "packet.zip").read_bytes() == before
    assert litter(run_dir) == []


def test_a_secret_of_the_environment_that_would_leave_is_refused(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FALCON_TOKEN", API_ID)
    with pytest.raises(LeakRefused, match=r"environment-secret in packet\.json"):
        write_packet(run_dir)
    assert litter(run_dir) == []
    assert not (run_dir / "packet.zip").exists()


@pytest.mark.parametrize(
    "environ",
    [
        {"FALCON_TOKEN": "nginx_gateway_timeout"},
        {"USER": "root", "LOGNAME": "root"},
        {"USER": "nginx", "LOGNAME": "nginx"},
        {"USER": "medium", "LOGNAME": "medium"},
        {"SESSION_DATE": "2026-11-20"},
        {"OPENAI_BASE_URL": "https://api.openai.com/v1"},
    ],
    ids=range(6),
)
def test_ordinary_names_and_values_do_not_block_a_packet(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    write_packet(run_dir)


@pytest.mark.parametrize("call", ["fsync", "write", "replace"])
def test_a_full_disk_leaves_neither_half_a_packet_nor_a_temporary(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = write_packet(run_dir).read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif call == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(os, "fdopen", lambda handle, *_: full(os.close(handle)))
    with pytest.raises(HarnessError, match="No space left"):
        write_packet(run_dir)
    assert (run_dir / "packet.zip").read_bytes() == before
    assert litter(run_dir) == []


def test_a_file_size_limit_leaves_nothing_behind(run_dir: Path) -> None:
    script = f"""
import resource, pathlib
from harness.errors import HarnessError
from harness.packet import write_packet
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    write_packet(pathlib.Path({str(run_dir)!r}))
except HarnessError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "refused:" in done.stdout, done.stderr
    assert litter(run_dir) == []
    assert not (run_dir / "packet.zip").exists()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 5000


def test_a_directory_that_is_not_there_is_a_clear_failure(run_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="could not be written"):
        write_packet(run_dir, tmp_path / "nowhere" / "p.zip")


def test_bytes_that_come_back_changed_from_disk_are_not_renamed(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda self: real(self)[:-30] if self.name.endswith(".tmp") else real(self)
    )  # fmt: skip
    with pytest.raises(UsageProblem):
        write_packet(run_dir)
    assert litter(run_dir) == []
    assert not (run_dir / "packet.zip").exists()


def test_killed_at_any_moment_the_packet_is_whole_or_absent(run_dir: Path) -> None:
    script = f"""
import os, pathlib, signal, sys
from harness.packet import atomic, write_packet
target, calls = int(sys.argv[1]), 0
def tracer(frame, event, arg):
    global calls
    if frame.f_code.co_filename == atomic.__file__:
        calls += 1
        if calls == target:
            os.kill(os.getpid(), signal.SIGKILL)
    return tracer
sys.settrace(tracer)
write_packet(pathlib.Path({str(run_dir)!r}))
"""
    killed = 0
    for moment in range(8, 60, 9):
        done = subprocess.run([sys.executable, "-c", script, str(moment)], capture_output=True, text=True, check=False)
        killed += done.returncode == -signal.SIGKILL
        target = run_dir / "packet.zip"
        if target.exists():
            verify_packet(target)
            target.unlink()
        assert all(name.startswith(".packet.zip.") and name.endswith(".tmp") for name in litter(run_dir))
    assert killed >= 3
    write_packet(run_dir)
    assert litter(run_dir) == []


def test_a_temporary_whose_writer_lives_is_left_alone(tmp_path: Path) -> None:
    living = tmp_path / f".p.zip.{os.getpid()}-0123abcd.tmp"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    ended = tmp_path / f".p.zip.{dead.pid}-0123abcd.tmp"
    other = tmp_path / f".q.zip.{dead.pid}-0123abcd.tmp"
    for path in (living, ended, other):
        path.touch()
    assert clear_leftovers(tmp_path / "p.zip") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, other.name])


def test_a_check_that_fails_removes_the_temporary(tmp_path: Path) -> None:
    def refuse(_: bytes) -> None:
        raise LeakRefused("no")

    with pytest.raises(LeakRefused):
        write_whole(tmp_path / "p.zip", b"data", refuse)
    assert list(tmp_path.iterdir()) == []
