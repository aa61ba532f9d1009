"""The journal under every cut: what a kill leaves behind is whole lines and at most one that is not."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.conditions import Host, RunConditions, read_conditions, write_conditions
from harness.errors import HarnessError, UsageProblem
from harness.events import JobEvent, LinkCheck, to_line
from harness.journal_lines import read_events, read_link_checks
from harness.run import room
from harness.run.journal import DiskFull, Journal, Send


def event(job_id: str, **changes: Any) -> JobEvent:
    facts: dict[str, Any] = {
        "run_id": "r", "cell": "c", "block": 1, "position": 1, "request_started_at": "2026-11-21T10:00:00+00:00",
        "timezone": "UTC", "route": "direct", "route_kind": "images", "route_owner": "openai", "endpoint": "/v1",
        "model": "m", "prompt_chars": 3, "prompt_hash": "h", "outcome": "image", "ended": "complete",
        "error_type": 'a "quoted" word, ünïcode and \n a line',
    }  # fmt: skip
    return JobEvent(job_id=job_id, **{**facts, **changes})


def send(job_id: str) -> Send:
    return Send(job_id=job_id, at="2026-11-21T10:00:00+00:00", client_request_id=f"harness-{job_id}-1")


def written(folder: Path) -> tuple[bytes, bytes]:
    """A journal of three jobs: two over, one under way when the process died."""
    with Journal(folder) as journal:
        for job in ("j1", "j2", "j3"):
            journal.send(send(job))
            if job != "j3":
                journal.finish(event(job))
    return (folder / "events.jsonl").read_bytes(), (folder / "sends.jsonl").read_bytes()


def whole_lines(data: bytes) -> int:
    """How many lines are whole: what lacks nothing but its end is."""
    parts = data.split(b"\n")
    try:
        msgspec.json.decode(parts[-1])
    except msgspec.DecodeError:
        return len(parts) - 1
    return len(parts)


def test_events_may_be_cut_at_every_byte_and_no_finished_job_is_lost_or_sent_again(tmp_path: Path) -> None:
    events, sends = written(tmp_path)
    lines = events.splitlines(keepends=True)
    first = len(lines[0])
    for cut in (*range(40), *range(first - 40, len(events) + 1)):  # every byte of the last line, and the edges
        (tmp_path / "events.jsonl").write_bytes(events[:cut])
        (tmp_path / "sends.jsonl").write_bytes(sends)
        (tmp_path / "torn.txt").unlink(missing_ok=True)
        count = whole_lines(events[:cut])
        with Journal(tmp_path) as journal:
            assert journal.finished == {"j1", "j2", "j3"} & {f"j{n}" for n in range(1, count + 1)}, cut
            assert journal.on_their_way == {"j1", "j2", "j3"} - journal.finished, cut
            assert {one.job_id for one in journal.finished_events()} == journal.finished, cut
        data = (tmp_path / "events.jsonl").read_bytes()
        # What is set aside is there to be looked at: no byte is thrown away.
        rest = events[:cut][len(b"".join(lines[:count])) :]
        aside = (tmp_path / "torn.txt").read_bytes() if (tmp_path / "torn.txt").exists() else b""
        assert (journal.torn_lines, aside) == ((1, b"events.jsonl: " + rest + b"\n") if rest else (0, b"")), cut
        assert data == b"".join(lines[:count]), cut  # the next line begins where a line begins


def test_sends_may_be_cut_at_every_byte_and_only_a_job_that_never_went_out_is_free_to_go(tmp_path: Path) -> None:
    events, sends = written(tmp_path)
    for cut in range(len(sends) + 1):
        (tmp_path / "events.jsonl").write_bytes(events)
        (tmp_path / "sends.jsonl").write_bytes(sends[:cut])
        with Journal(tmp_path) as journal:
            # The line is written before the job goes out: with half a line, it did not.
            sent = {f"j{n}" for n in range(1, whole_lines(sends[:cut]) + 1)}
            assert set(journal.sent) == sent, cut
            assert journal.finished == {"j1", "j2"}, cut
            assert journal.on_their_way == sent - {"j1", "j2"}, cut
            journal.send(send("j9"))
        with Journal(tmp_path) as journal:
            assert set(journal.sent) == sent | {"j9"}, cut
            assert journal.torn_lines == 0, cut


def test_blocks_of_nothing_at_the_end_as_a_power_cut_leaves_them_are_set_aside(tmp_path: Path) -> None:
    events, _ = written(tmp_path)
    for name in ("events.jsonl", "sends.jsonl"):
        with (tmp_path / name).open("ab") as file:
            file.write(bytes(200_000))
    with Journal(tmp_path) as journal:
        assert (journal.torn_lines, journal.finished, journal.on_their_way) == (2, {"j1", "j2"}, {"j3"})
    assert (tmp_path / "events.jsonl").read_bytes() == events


def test_a_check_of_a_link_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    check = LinkCheck(run_id="r", job_id="j1", route="x", link=0, checked_at="t", due_s=1, age_s=1, alive=True,
                      ended="complete")  # fmt: skip
    line = to_line(check)
    for cut in range(len(line) + 1):
        (tmp_path / "events.jsonl").write_bytes(line + line[:cut])
        assert len(read_link_checks(tmp_path / "events.jsonl")) == 1 + (cut == len(line))


def test_a_job_that_died_while_it_was_sent_again_is_on_its_way_again(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.send(send("j1"))
        journal.finish(event("j1", outcome="unknown"))
        journal.send(send("j1"))  # asked for by name
    with Journal(tmp_path) as journal:
        assert journal.on_their_way == {"j1"}
        journal.finish(event("j1", outcome="unknown"))
        assert journal.on_their_way == set()
    with Journal(tmp_path) as journal:
        assert (journal.on_their_way, journal.finished, journal.unseen) == (set(), {"j1"}, {"j1"})


def test_retries_are_in_the_journal_and_belong_to_the_sending_that_they_end_with(tmp_path: Path) -> None:
    again = msgspec.structs.replace(send("j1"), client_request_id="harness-j1-2", number=2, orders=2)
    with Journal(tmp_path) as journal:
        journal.send(send("j1"))
        journal.send(again)
        journal.finish(event("j1"))
        journal.send(send("j2"))
        journal.send(msgspec.structs.replace(again, job_id="j2"))
    with Journal(tmp_path) as journal:
        assert journal.on_their_way == {"j2"}
        assert journal.sent["j2"].orders == 2


# The disk fills up


class Disk:
    """`os.posix_fallocate` and writes on a disk with so many bytes left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, journal: Journal) -> None:
        self.left = 1 << 40
        self.reserved = 0
        monkeypatch.setattr(os, "posix_fallocate", self.fallocate, raising=False)
        real = journal._room.close
        monkeypatch.setattr(journal._room, "close", lambda: (real(), self.give_back()))
        for name in ("_events", "_sends"):
            monkeypatch.setattr(journal, name, Slow(getattr(journal, name), self))

    def spend(self, count: int) -> None:
        if count > self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= count

    def fallocate(self, _file: int, _start: int, size: int) -> None:
        self.spend(size - self.reserved)
        self.reserved = size

    def give_back(self) -> None:
        self.left, self.reserved = self.left + self.reserved, 0


class Slow:
    """A file on that disk: a write takes what fits, and fails when nothing does."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: bytes) -> int:
        fits = min(len(data), self._disk.left)
        self._disk.spend(fits or 1)
        return int(self._file.write(data[:fits]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("left", [0, 1, 50, 400, 900])
def test_what_is_in_flight_when_the_disk_fills_up_is_recorded_and_nothing_more_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    with Journal(tmp_path) as journal:
        disk = Disk(monkeypatch, journal)
        for number in range(40):
            journal.send(send(f"j{number}"))
        assert journal.full is None
        disk.left = left  # somebody else has filled it
        for number in range(40):
            journal.finish(event(f"j{number}"))
        assert "disk is full" in str(journal.full)
        with pytest.raises(DiskFull):
            journal.send(send("late"))
    kept, bad = read_events(tmp_path / "events.jsonl")
    assert not bad
    assert [one.job_id for one in kept] == [f"j{number}" for number in range(40)]
    assert b"late" not in (tmp_path / "sends.jsonl").read_bytes()


def test_a_job_for_whose_event_there_is_no_room_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as journal:
        disk = Disk(monkeypatch, journal)
        disk.left = room.STEP_BYTES // 2  # plenty for a line, and too little for what may come
        with pytest.raises(DiskFull, match="No space left on device"):
            journal.send(send("j1"))
        assert journal.on_their_way == set()
    assert (tmp_path / "sends.jsonl").read_bytes() == b""
    assert not (tmp_path / room.RESERVE_FILE).exists()


def test_half_a_line_that_did_not_fit_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(tmp_path) as journal:
        disk = Disk(monkeypatch, journal)
        journal.send(send("j1"))
        disk.left = 100
        journal.finish(event("j1"))
    assert (tmp_path / "events.jsonl").read_bytes() == to_line(event("j1"))


def test_the_reserve_is_real_grows_with_what_is_under_way_and_is_gone_afterwards(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(30):
            journal.send(send(f"j{number}"))
            held = (tmp_path / room.RESERVE_FILE).stat()
            assert held.st_blocks * 512 >= (number + 1) * room.EVENT_ROOM_BYTES + room.OWN_ROOM_BYTES
    assert not (tmp_path / room.RESERVE_FILE).exists()


# run.json


def conditions() -> RunConditions:
    host = Host(python="3", platform="x", cpus=1, openai_sdk="1", harness="0")
    return RunConditions(run_id="r", scenario="s", why="w", scenario_sha256="0", seed=1, started_at="t", timezone="UTC",
                         planned_jobs=1, blocks=1, host=host)  # fmt: skip


def test_half_a_run_json_beside_the_whole_one_is_of_no_account(tmp_path: Path) -> None:
    write_conditions(tmp_path, conditions())
    whole = (tmp_path / "run.json").read_bytes()
    for cut in range(0, len(whole), 7):
        (tmp_path / "run.json.tmp").write_bytes(whole[:cut])
        assert read_conditions(tmp_path) == conditions()
    write_conditions(tmp_path, conditions())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]


def test_a_run_json_that_is_not_whole_is_refused_with_what_to_do(tmp_path: Path) -> None:
    write_conditions(tmp_path, conditions())
    whole = (tmp_path / "run.json").read_bytes().rstrip()
    for cut in range(0, len(whole), 5):
        (tmp_path / "run.json").write_bytes(whole[:cut])
        with pytest.raises(UsageProblem, match=r"run\.json: not the conditions of a run"):
            read_conditions(tmp_path)


def test_a_run_json_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_conditions(tmp_path, conditions())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HarnessError, match="No space left"):
        write_conditions(tmp_path, msgspec.structs.replace(conditions(), status="complete"))
    assert read_conditions(tmp_path).status == "running"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]
