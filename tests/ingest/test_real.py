"""What real proxies write of planted faults, read and diagnosed: nginx, HAProxy, Caddy, and Envoy where it is."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.diagnosis.judge import diagnose_run
from harness.ingest.formats import format_named, sniff
from harness.ingest.intake import take_in
from harness.ingest.source import open_source
from tests.ingest.real import CAP_S, LEAVES_AFTER_S, PLANTED, Told, observe
from tests.layers.process import Missing

pytestmark = pytest.mark.layers

LOGS = ("nginx", "nginx-json", "haproxy", "caddy", "envoy", "envoy-json")
SETTINGS = {"haproxy": "timeout server", "caddy": "response_header_timeout", "envoy": "route.timeout"}
# What each says of a whole answer: some have a word for it, others say nothing.
WHOLE = {"nginx": None, "haproxy": "nobody", "caddy": None, "envoy": "nobody"}
# Who says that it gave up in the middle of a body; the others log the 200 that they had sent.
IN_THE_MIDDLE = {"haproxy", "envoy"}
WHO = {"silent": "self", "left": "client", "closed": "upstream", "refused": "upstream"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    try:
        return observe(tmp_path_factory.mktemp("proxies"))
    except Missing as why:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(why))


@pytest.fixture(params=LOGS)
def log(request: pytest.FixtureRequest, told: Told) -> str:
    if request.param not in told.logs:
        assert os.environ.get("CI") != "true"
        pytest.skip("no envoy here; `make layers` puts it there")
    return str(request.param)


def _who(planted: str, proxy: str) -> str | None:
    if planted == "stall" and proxy in IN_THE_MIDDLE:
        return "self"
    return WHO.get(planted, WHOLE[proxy])


def _proxy(log: str) -> str:
    return log.removesuffix("-json")


def _run(told: Told, log: str, folder: Path, *others: Path) -> dict[str, dict[str, Any]]:
    """Event and verdict of each planted request, by its name."""
    take_in([told.logs[log], *others], folder, mapping=told.mapping)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    _, found = diagnose_run(folder)
    verdicts = {one.job_id: one for one in found}
    planted = {client: name for (proxy, name), client in told.ids.items() if proxy == _proxy(log)}
    return {
        planted[event["attempts"][-1]["client_request_id"]]: {"event": event, "verdict": verdicts[event["job_id"]]}
        for event in events
    }


def test_a_real_log_is_recognised_and_every_record_says_who_gave_up(log: str, told: Told, tmp_path: Path) -> None:
    source = open_source(told.logs[log], tmp_path)
    form = sniff(source)
    assert form is not None
    assert form.name == log
    batch = form.read(source)
    assert batch.bad_count == 0
    table = batch.table[batch.table["path"] == "/v1/images/generations"]
    names = [name for proxy, name in told.ids if proxy == _proxy(log)]
    said = [one if isinstance(one, str) else None for one in table["gave_up"]]
    assert Counter(said) == Counter(_who(name, _proxy(log)) for name in names)
    # Floors, and a generous ceiling: on a busy machine everything is late.
    for side, after_s in (("self", CAP_S), ("client", LEAVES_AFTER_S)):
        took = table[table["gave_up"] == side]["duration_ms"] / 1000
        assert ((took >= 0.8 * after_s) & (took <= 4 * after_s + 2)).all()
    if log != "envoy":  # its default text has no such field
        wanted = {client for (proxy, _), client in told.ids.items() if proxy == _proxy(log)}
        assert set(table["client_request_id"]) == wanted


@pytest.mark.parametrize("log", [name for name in LOGS if name != "envoy"], indirect=True)
def test_a_real_log_alone_tells_a_false_timeout_from_a_failure(log: str, told: Told, tmp_path: Path) -> None:
    found = _run(told, log, tmp_path / "run")
    assert set(found) == {name for proxy, name in told.ids if proxy == _proxy(log)}
    silent, left = found["silent"]["verdict"], found["left"]["verdict"]
    assert (silent.verdict, silent.grade, silent.layer) == ("false_timeout", "attributed", _proxy(log))
    assert silent.setting == SETTINGS.get(_proxy(log))
    assert (left.verdict, left.grade, left.layer) == ("false_timeout", "inferred", f"the caller of {_proxy(log)}")
    stall = found["stall"]["verdict"]
    if _proxy(log) in IN_THE_MIDDLE:
        assert (stall.verdict, stall.grade, stall.layer) == ("false_timeout", "attributed", _proxy(log))
    else:
        assert stall.verdict not in {"ok", "false_timeout"}
    for name in ("closed", "own-504", "refused"):
        assert found[name]["verdict"].verdict == "undetermined", name
    for name in found:
        if name.startswith("healthy"):
            assert (found[name]["verdict"].verdict, found[name]["event"]["outcome"]) == ("ok", "image")


@pytest.mark.parametrize("log", [name for name in LOGS if name != "envoy"], indirect=True)
def test_with_the_backends_log_a_real_false_timeout_is_proven(log: str, told: Told, tmp_path: Path) -> None:
    found = _run(told, log, tmp_path / "run", told.backends[_proxy(log)])
    assert set(found) == {name for proxy, name in told.ids if proxy == _proxy(log)}
    for name in ("silent", "left"):
        verdict = found[name]["verdict"]
        assert (verdict.verdict, verdict.grade, verdict.backend_finished) == ("false_timeout", "proven", True), name
    assert found["silent"]["verdict"].layer == _proxy(log)
    assert found["own-504"]["verdict"].verdict == "undetermined"
    assert set(PLANTED) <= set(found)


def test_a_format_that_is_named_is_not_sniffed(told: Told, tmp_path: Path) -> None:
    source = open_source(told.logs["nginx"], tmp_path)
    assert len(format_named("apache").read(source).table) == len(told.logs["nginx"].read_text().splitlines())
