"""Votes on disk, and votes that come back from a page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageProblem
from harness.rating.imported import import_votes
from harness.rating.sitting import Sitting, open_sitting
from harness.rating.votes import VOTES_FILE, append_votes, read_votes

from .build import a_run

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return a_run(tmp_path / "run", blocks=2)


@pytest.fixture
def sitting(run: Path) -> Sitting:
    return open_sitting(run, count=6, seed=0)


def saved(path: Path, of: Sitting, /, *votes: dict[str, Any], **changes: Any) -> Path:
    content = {"record": "rating_votes", "schema_version": 1, "sitting": of.id, "rater": "r1", "votes": votes}
    path.write_text(json.dumps(content | changes))
    return path


def cast(sitting: Sitting, number: int, chosen: str = "left", at: str = "2026-03-02T12:00:00.000Z") -> dict[str, Any]:
    return {"pair": sitting.pairs[number].name, "chosen": chosen, "took_ms": 812.5, "voted_at": at}


def test_the_last_word_on_a_pair_counts_and_undone_opens_it(run: Path, sitting: Sitting) -> None:
    a, b, c = sitting.pairs[:3]
    for pair, chosen in ((a, "left"), (b, "tie"), (c, "right"), (a, "neither"), (b, None)):
        append_votes(run, [sitting.vote(pair, chosen, 5.0, None, NOW)])  # type: ignore[arg-type]
    assert [(vote.pair, vote.chosen) for vote in read_votes(run).cast] == [(a.name, "neither"), (c.name, "right")]
    assert len((run / VOTES_FILE).read_text().splitlines()) == 5


def test_half_a_line_is_said_and_does_not_spoil_the_next_one(run: Path, sitting: Sitting) -> None:
    append_votes(run, [sitting.vote(sitting.pairs[0], "left", None, None, NOW)])
    with (run / VOTES_FILE).open("ab") as lines:
        lines.write(b'{"record":"vote","pai')
    append_votes(run, [sitting.vote(sitting.pairs[1], "right", None, None, NOW)])
    votes = read_votes(run)
    assert [vote.chosen for vote in votes.cast] == ["left", "right"]
    assert [bad.line for bad in votes.bad_lines] == [2]


def test_a_saved_file_comes_in_once(run: Path, sitting: Sitting, tmp_path: Path) -> None:
    path = saved(tmp_path / "v.json", sitting, cast(sitting, 0), cast(sitting, 1, "tie"))
    assert import_votes(run, path).added == 2
    again = import_votes(run, path)
    assert (again.added, again.known_already) == (0, 2)
    (vote, other) = read_votes(run).cast
    pair = sitting.pairs[0]
    assert (vote.left.cell, vote.right.job_id) == (pair.left.cell, pair.right.job_id)
    assert (vote.chosen, vote.rater, vote.took_ms, other.chosen) == ("left", "r1", 812.5, "tie")


def test_a_later_file_of_the_same_rater_corrects_the_earlier_one(run: Path, sitting: Sitting, tmp_path: Path) -> None:
    import_votes(run, saved(tmp_path / "v.json", sitting, cast(sitting, 0)))
    later = cast(sitting, 0, "right", "2026-03-02T12:05:00.000Z")
    assert import_votes(run, saved(tmp_path / "w.json", sitting, later)).added == 1
    assert [vote.chosen for vote in read_votes(run).cast] == ["right"]


def test_two_raters_have_votes_of_their_own(run: Path, sitting: Sitting, tmp_path: Path) -> None:
    import_votes(run, saved(tmp_path / "v.json", sitting, cast(sitting, 0)))
    import_votes(run, saved(tmp_path / "w.json", sitting, cast(sitting, 0, "right"), rater="r2"))
    assert [vote.chosen for vote in read_votes(run).cast] == ["left", "right"]


def test_bad_votes_are_told_by_number_and_good_ones_taken(run: Path, sitting: Sitting, tmp_path: Path) -> None:
    path = saved(
        tmp_path / "v.json",
        sitting,
        cast(sitting, 0),
        cast(sitting, 1, "best"),
        cast(sitting, 1) | {"pair": "ffffffffffff"},
        cast(sitting, 1, at="yesterday"),
        cast(sitting, 1, at="2026-03-02T12:00:00"),
        {"pair": sitting.pairs[1].name},
    )
    done = import_votes(run, path)
    assert done.added == 1
    assert [line.split(": ")[1] for line in done.bad] == [f"vote {n}" for n in (2, 3, 4, 5, 6)]
    assert "no pair 'ffffffffffff'" in done.bad[1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sitting": "0123456789"}, "another run"),
        ({"sitting": "../../etc/x"}, "not the name of a rating"),
        ({"record": "vote"}, "not a file that a rating page saved"),
        ({"rater": "a b"}, "rater"),
        ({"schema_version": 2}, "schema version 2"),
        ({"votes": 3}, "not a file that a rating page saved"),
    ],
)
def test_a_file_of_something_else_is_refused(
    run: Path, sitting: Sitting, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageProblem, match=told):
        import_votes(run, saved(tmp_path / "v.json", sitting, cast(sitting, 0), **changes))
    assert not (run / VOTES_FILE).exists()


def test_a_file_that_is_not_there_or_not_json_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        import_votes(run, tmp_path / "none.json")
    (tmp_path / "x.json").write_bytes(b"\x89PNG")
    with pytest.raises(UsageProblem, match="not a file"):
        import_votes(run, tmp_path / "x.json")
