"""Real kills and a disk that is really full, judged by the log of an embedded API that lives on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.run.killing import embedded_api, environment, kill_and_resume, lines, scenario


def test_kills_at_random_moments_lose_no_finished_job_and_send_none_twice(tmp_path: Path) -> None:
    tally = kill_and_resume(tmp_path, 5, seed=11, jobs=160, time_scale=40)
    assert tally.broken == set(), tally
    assert (tally.kills, tally.jobs) == (5, 160)
    assert tally.images + tally.unknown == tally.jobs
    assert 0 < tally.unknown <= 5 * 4
    # Every job went out but for those that a kill caught between journal and socket.
    assert tally.images <= tally.requests <= tally.jobs


DISK = """
set -e
mount -t tmpfs -o size={size}k none {place}
dd if=/dev/zero of={place}/filler bs=1k count={filled} 2>/dev/null
code=0
{run} 2>{folder}/first.err || code=$?
echo $code >{folder}/first.code
cp -r {place}/run {folder}/first
rm {place}/filler
{run} 2>{folder}/second.err
cp -r {place}/run {folder}/second
"""


def test_a_disk_that_is_really_full_stops_the_sending_and_loses_nothing(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    place = tmp_path / "small"
    place.mkdir()
    with embedded_api(tmp_path, 60) as entries:
        file = scenario(tmp_path, entries["direct"], jobs=40, concurrency=4)
        run = f"{sys.executable} -m harness run {file} --out {place}/run --quiet --yes --time-scale 60"
        script = DISK.format(size=1024, filled=700, place=place, folder=tmp_path, run=run)
        command = ["unshare", "-m", "sh", "-c", script]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
    if not (tmp_path / "first.code").exists() and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"no file system of our own can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr + (tmp_path / "second.err").read_text()
    said = (tmp_path / "first.err").read_text()
    assert (tmp_path / "first.code").read_text().strip() == "1", said
    assert "disk is full" in said
    assert "Traceback" not in said
    # Stopped before the end, and every job that went out is in the journal with its image.
    first, sends = lines(tmp_path / "first" / "events.jsonl"), lines(tmp_path / "first" / "sends.jsonl")
    assert 0 < len(first) < 40
    assert {one["outcome"] for one in first} == {"image"}
    assert {one["job_id"] for one in first} == {one["job_id"] for one in sends}
    assert '"disk"' in (tmp_path / "first" / "run.json").read_text()
    # With room again it goes on, and nothing goes out twice.
    second = lines(tmp_path / "second" / "events.jsonl")
    assert second[: len(first)] == first
    assert [one["outcome"] for one in second] == ["image"] * 40
    truth = [one["client_request_id"] for one in lines(tmp_path / "truth.jsonl")]
    assert sorted(truth) == sorted(one["attempts"][0]["client_request_id"] for one in second)


def test_a_run_on_a_disk_that_is_full_from_the_start_sends_nothing(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    place = tmp_path / "small"
    place.mkdir()
    file = scenario(tmp_path, "http://127.0.0.1:9/v1", jobs=3, concurrency=1)
    run = f"{sys.executable} -m harness run {file} --out {place}/run --quiet --yes"
    script = f"mount -t tmpfs -o size=64k none {place} && {run}; code=$?; ls {place}/run; exit $code"
    command = ["unshare", "-m", "sh", "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no file system of our own can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_hour_of_jobs_in_virtual_time_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "tests.bench.soak", "--hours", "0.4", "--scale", "600", "--only", "soak", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    looks = told["looks"]
    half = looks[len(looks) // 2 :]
    assert set(told["outcomes"]) == {"image"}
    assert told["world_hours"] > 0.3
    assert max(one["files"] for one in half) <= 30  # four jobs at once, and not one more for every job that was
    assert max(one["tasks"] for one in half) <= 16
    assert max(one["threads"] for one in looks) <= 16
    assert told["after"]["tasks"] == 0
    assert told["after"]["files"] <= 12


def test_a_picture_that_finds_no_place_costs_no_event_and_stops_the_sending(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    run = tmp_path / "run"
    (run / "images").mkdir(parents=True)
    with embedded_api(tmp_path, 200) as entries:
        file = scenario(tmp_path, entries["direct"], jobs=12, concurrency=2)
        command = f"{sys.executable} -m harness run {file} --out {run} --quiet --yes --time-scale 200 --keep-images"
        script = f"mount -t tmpfs -o size=100k none {run}/images && {command}; code=$?; ls {run}/images; exit $code"
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script],
            cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no file system of our own can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 1, done.stderr
    assert "disk is full" in done.stderr
    events = lines(run / "events.jsonl")
    assert 0 < len(events) < 12
    assert {one["job_id"] for one in events} == {one["job_id"] for one in lines(run / "sends.jsonl")}
    assert {one["outcome"] for one in events} == {"image"}
    without = [one for one in events if "images_not_kept" in one["notes"]]
    assert without
    pictures = [name for name in done.stdout.split() if name.endswith(".jpg") or name.endswith(".jpeg")]
    assert len(pictures) == len(events) - len(without)
