"""The server: whom it lets in, what it stores, when it ends."""

from __future__ import annotations

import asyncio
import functools
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.rating.serve import Desk, serve
from harness.rating.sitting import open_sitting
from harness.rating.votes import read_votes

from .build import FORMATS, WORDS, a_run
from .sitting_down import Served, serving


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run(tmp_path_factory.mktemp("served") / "run", blocks=2)


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[Served]:
    with serving(run, "--pairs", "6") as found:
        yield found


def data_of(page: bytes) -> dict[str, Any]:
    text = page.decode().split('id="data">')[1].split("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


def vote(pair: str, chosen: str = "left") -> str:
    return json.dumps({"pair": pair, "chosen": chosen, "took_ms": 900.0})


def test_the_page_and_its_pictures_tell_nothing_of_cells(served: Served, run: Path) -> None:
    status, headers, page = served.ask()
    assert status == 200
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    named = [event[name] for event in events for name in ("job_id", "cell", "route", "prompt_hash", "prompt_text")]
    said = page.decode() + json.dumps(headers)
    sizes = set()
    for source in data_of(page)["pictures"]:
        status, headers, picture = served.ask(source)
        assert status == 200
        assert headers["content-type"] == "image/png"
        sizes.add(picture[16:24])
        said += source + json.dumps(headers) + picture.decode("latin-1")
    assert len(sizes) == 1
    secrets = [*WORDS, *named, *FORMATS.values(), "quality", "1024", "hash0"]
    secrets.remove("png")  # what all of them are
    assert [word for word in secrets if word in said.replace(served.path, "")] == []


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "evil.example:80"}, {"origin": "http://evil.example"},
     {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}],
    ids=str,
)  # fmt: skip
def test_another_host_or_site_gets_nothing(served: Served, headers: dict[str, str]) -> None:
    assert served.ask(**headers)[0] == 403  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [{"origin": ""}, {"origin": "null"}, {"origin": "http://evil.example"}, {"content_type": "text/plain"},
     {"content_type": "application/x-www-form-urlencoded"}, {"host": "evil.example"}],
    ids=str,
)  # fmt: skip
def test_a_post_of_another_page_casts_no_vote(served: Served, run: Path, headers: dict[str, str]) -> None:
    before = len(read_votes(run).cast)
    pair = open_sitting(run, count=6, seed=0).pairs[0].name
    assert served.ask("votes", method="POST", body=vote(pair), **headers)[0] == 403  # type: ignore[arg-type]
    assert len(read_votes(run).cast) == before


def test_without_the_token_there_is_nothing(served: Served) -> None:
    wrong = Served(f"http://{served.host}/{'a' * 24}/", served.process)
    assert wrong.ask()[0] == 404
    assert wrong.ask("picture/0")[0] == 404
    assert Served(f"http://{served.host}/", served.process).ask()[0] == 404


def test_every_answer_forbids_other_sources_and_keeping(served: Served) -> None:
    for path in ("", "picture/0", "picture/999", "nothing"):
        headers = served.ask(path)[1]
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


@pytest.mark.parametrize(
    "body",
    ["", "[]", '{"pair": "x"}', vote("ffffffffffff"), "x" * 5000, '{"pair":"%s","chosen":"best"}'],
    ids=lambda body: body[:12],
)
def test_what_is_no_vote_is_not_stored(served: Served, run: Path, body: str) -> None:
    before = len(read_votes(run).cast)
    pair = open_sitting(run, count=6, seed=0).pairs[0].name
    assert served.ask("votes", method="POST", body=body.replace("%s", pair))[0] == 400
    assert len(read_votes(run).cast) == before


def test_what_was_never_cast_cannot_be_taken_back(served: Served, run: Path) -> None:
    pair = open_sitting(run, count=6, seed=0).pairs[-1].name
    assert served.ask("votes", method="POST", body=vote(pair, "undone"))[0] == 409


def test_a_vote_is_on_disk_when_it_is_answered_and_a_kill_loses_none(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=2)
    with serving(run, "--pairs", "4", "--rater", "ann") as served:
        pairs = [pair["pair"] for pair in data_of(served.ask()[2])["pairs"]]
        assert served.ask("votes", method="POST", body=vote(pairs[0], "tie"))[0] == 204
        assert served.ask("votes", method="POST", body=vote(pairs[1], "right"))[0] == 204
        served.process.kill()
        served.process.wait()
    assert [(v.pair, v.chosen, v.rater) for v in read_votes(run).cast] == [
        (pairs[0], "tie", "ann"),
        (pairs[1], "right", "ann"),
    ]
    with serving(run, "--pairs", "4", "--rater", "ann") as served:  # goes on where it stopped, and ends by itself
        assert data_of(served.ask()[2])["done"] == pairs[:2]
        assert served.ask("finish", method="POST", body="{}")[0] == 409
        for pair in pairs[2:]:
            served.ask("votes", method="POST", body=vote(pair))
        assert served.ask("finish", method="POST", body="{}")[0] == 204
        assert served.process.wait(20) == 0
    with serving(run, "--pairs", "4", "--rater", "bob") as served:  # whose votes are another's
        assert data_of(served.ask()[2])["done"] == []


def test_it_ends_by_itself_after_the_last_vote_unless_that_is_taken_back(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", blocks=1)
    pair = open_sitting(run, count=1, seed=0).pairs[0].name
    answers: list[int] = []

    async def sit(linger_s: float, *votes: str, wait_s: float) -> bool:
        """Whether it ended within that time."""
        desk = Desk(run, open_sitting(run, count=1, seed=0), None, linger_s)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(serve(desk, 0, address.set_result))
        served = Served(await address, None)  # type: ignore[arg-type]
        for chosen in votes:
            asked = functools.partial(served.ask, "votes", method="POST", body=vote(pair, chosen))
            answers.append((await asyncio.to_thread(asked))[0])
        ended = bool((await asyncio.wait({running}, timeout=wait_s))[0])
        desk.finished.set()
        await running
        return ended

    assert asyncio.run(sit(0.5, "left", "undone", wait_s=1.5)) is False
    assert asyncio.run(sit(0.05, "left", wait_s=20)) is True
    assert answers == [204, 204, 204]


def test_ctrl_c_ends_it_without_an_error(run: Path) -> None:
    with serving(run, "--pairs", "5") as served:
        served.process.send_signal(signal.SIGINT)
        out, err = served.process.communicate(timeout=20)
    assert served.process.returncode == 0
    assert "0 of 5 pairs" in out
    assert err == ""


def test_a_set_that_is_done_is_not_served_again(run: Path, harness: Any) -> None:
    sitting = open_sitting(run, count=1, seed=5)
    with serving(run, "--pairs", "1", "--seed", "5") as served:
        served.ask("votes", method="POST", body=vote(sitting.pairs[0].name))
    done = harness("rate", run, "--pairs", "1", "--seed", "5")
    assert done.returncode == 0
    assert "another --seed" in done.stdout


def test_a_run_without_images_and_odd_options_are_told(tmp_path: Path, run: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for args, told in (
        ([empty], "harness run"),
        ([run, "--page", "a.html", "--import", "b.json"], "one of them"),
        ([run, "--rater", "a b"], "32 letters"),
        ([run, "--import", tmp_path / "none.json"], "none.json"),
        ([run, "--page", tmp_path / "no" / "a.html"], "cannot be written"),
    ):
        done = CliRunner().invoke(cli, ["rate", *map(str, args)])
        said = done.output + str(done.exception)
        assert (getattr(done.exception, "exit_code", done.exit_code), told in said) == (2, True), said
