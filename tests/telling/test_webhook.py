"""Alerts to a webhook: the real Alertmanager takes them; tokens stay where they belong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from harness.errors import UsageProblem
from harness.telling.webhook import Webhook, alerts_of

from .test_prometheus import free_port
from .worlds import alert, get_json, receiver, standing, until


def now(seconds: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def test_what_fires_goes_out_with_an_end_some_rounds_ahead() -> None:
    (sent,) = alerts_of(standing(every_s=3600.0))
    assert sent["labels"]["alertname"] == "ImageLatency"
    assert sent["labels"]["route"] == "direct"
    assert sent["startsAt"] == "2026-03-02T09:30:00+00:00"
    assert sent["endsAt"] == "2026-03-02T13:00:30+00:00"
    assert "5.2 s over 22 jobs" in sent["annotations"]["summary"]


def test_what_was_resolved_is_said_once_with_its_end_and_what_is_quiet_is_not_said() -> None:
    over = alert(state="inactive", resolved_at="2026-03-02T10:00:30+00:00")
    (sent,) = alerts_of(standing(alerts=(over,), resolved=(over,)))
    assert sent["endsAt"] == "2026-03-02T10:00:30+00:00"
    with receiver() as (url, got):
        assert Webhook(url).tell(standing(alerts=(over,))) is None
        assert got == []


def test_the_body_is_a_json_list_and_the_token_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH_TOKEN", "one-that-opens-nothing")
    with receiver() as (url, got):
        assert Webhook(f"{url}/api/v2/alerts", "WATCH_TOKEN").tell(standing()) is None
    ((path, headers, body),) = got
    assert path == "/api/v2/alerts"
    assert headers["authorization"] == "Bearer one-that-opens-nothing"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == alerts_of(standing())


def test_a_round_longer_than_the_period_does_not_let_what_fires_end_before_the_next_word() -> None:
    long = msgspec.structs.replace(standing().round, ended_s=standing().round.began_s + 1800)
    (sent,) = alerts_of(standing(every_s=300.0, round=long))
    assert sent["endsAt"] == "2026-03-02T11:30:30+00:00"


def test_what_was_resolved_is_said_again_until_it_is_taken_and_not_once_it_fires_again() -> None:
    over = alert(state="inactive", resolved_at="2026-03-02T10:00:30+00:00")
    with receiver() as (url, got):
        webhook = Webhook(url)
        there, webhook._url = webhook._url, f"http://127.0.0.1:{free_port()}/"
        assert "sent again next round" in (webhook.tell(standing(alerts=(over,), resolved=(over,))) or "")
        assert "sent again next round" in (webhook.tell(standing(alerts=(over,))) or "")
        webhook._url = there
        assert webhook.tell(standing(alerts=(over,))) is None
        assert webhook.tell(standing(alerts=(over,))) is None
    ((_, _, body),) = got
    assert [one["endsAt"] for one in json.loads(body)] == ["2026-03-02T10:00:30+00:00"]


def test_a_token_for_this_machine_goes_to_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCH_TOKEN", "one-that-opens-nothing")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with receiver() as (proxy, seen), receiver() as (url, got):
        monkeypatch.setenv("http_proxy", proxy)
        assert Webhook(url, "WATCH_TOKEN").tell(standing()) is None
        assert (len(seen), len(got)) == (0, 1)


def _answer_oddly(listening: socket.socket) -> None:
    peer, _ = listening.accept()
    peer.recv(65536)
    peer.sendall(b"SSH-2.0-none\r\n\r\n")
    peer.close()


def test_what_the_other_side_does_never_ends_a_watch_and_no_redirect_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATCH_TOKEN", "one-that-opens-nothing")
    with receiver(503) as (url, _):
        assert "HTTP 503" in (Webhook(url).tell(standing()) or "")
    with socket.create_server(("127.0.0.1", 0)) as odd:
        threading.Thread(target=_answer_oddly, args=(odd,), daemon=True).start()
        told = Webhook(f"http://127.0.0.1:{odd.getsockname()[1]}/").tell(standing())
        assert "was not reached (BadStatusLine)" in (told or "")
    with receiver() as (elsewhere, got), receiver(307, {"Location": elsewhere}) as (url, first):
        assert "HTTP 307" in (Webhook(url, "WATCH_TOKEN").tell(standing()) or "")
        assert (len(first), len(got)) == (1, 0)
    assert "was not reached" in (Webhook(f"http://127.0.0.1:{free_port()}/").tell(standing()) or "")


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("ftp://127.0.0.1/", None),
        ("127.0.0.1:9093", None),
        ("http://user:word@127.0.0.1/", None),
        ("http://user:word", None),
        ("http://127.0.0.1:99999/", None),
        ("http://[::1/", None),
        ("https://alerts.example.com/", "NOT_SET_ANYWHERE"),
        ("http://alerts.example.com/", "WATCH_TOKEN"),
    ],
)
def test_a_receiver_that_cannot_be_right_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str | None
) -> None:
    monkeypatch.setenv("WATCH_TOKEN", "one-that-opens-nothing")
    with pytest.raises(UsageProblem) as raised:
        Webhook(url, token)
    assert "one-that-opens-nothing" not in str(raised.value)
    assert "word" not in str(raised.value).replace("password", "")


def test_the_real_alertmanager_takes_them_and_takes_the_end_as_well(tmp_path: Path) -> None:
    found = shutil.which("prometheus-alertmanager")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no prometheus-alertmanager on the path; CI must ask the real one")
        pytest.skip("no prometheus-alertmanager on the path")
    port = free_port()
    (tmp_path / "config.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    command = [found, f"--config.file={tmp_path / 'config.yml'}", f"--storage.path={tmp_path / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    api = f"http://127.0.0.1:{port}/api/v2"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: get_json(f"{api}/status"))
            webhook = Webhook(f"{api}/alerts")
            firing = alert(started_at=now(-600))
            assert webhook.tell(standing(at=now(), alerts=(firing,))) is None
            (there,) = until(lambda: get_json(f"{api}/alerts"))
            assert there["labels"]["alertname"] == "ImageLatency"
            assert there["status"]["state"] == "active"
            over = alert(state="inactive", started_at=now(-600), resolved_at=now(-1))
            assert webhook.tell(standing(at=now(), alerts=(over,), resolved=(over,))) is None
            until(lambda: not get_json(f"{api}/alerts"))
        finally:
            process.terminate()
            process.wait(timeout=30)
