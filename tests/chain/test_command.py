"""``harness chain`` as a user meets it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ScenarioError, UsageProblem
from harness.scenario import load_scenario
from tests.conftest import DemoRun

SCENARIO = """\
name: chained
why: a chain out of a file
prompts: [a red apple]
routes:
  edge:
    base_url: http://127.0.0.1:9/v1
    owner: client_infrastructure
    chain:
      - {layer: cdn, cap_s: 100, kind: first_byte}
      - {from: haproxy.cfg, layer: lb}
      - {layer: gateway, cap_s: 600}
defaults: {quality: high, size: 1024x1024}
matrix: {route: [edge]}
"""
HAPROXY = "backend b\n  timeout server 50s\n  timeout connect 5s\n  timeout client 9s\n  server s 10.0.0.1:1\n"


def test_before_paying_it_names_the_cut_the_inversion_and_one_list_of_changes(harness: Any) -> None:
    done = harness("chain", "scenarios/timing-audit.yaml", "edge", "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["routes"]["edge"]
    first = told["view"]["cells"][0]["bites"][0]
    assert (first["layer"], first["cap_s"]) == ("proxy", 60)
    assert [step["number"] for step in told["changes"]] == list(range(1, len(told["changes"]) + 1))
    assert told["changes"][0]["line"] == "proxy_read_timeout 360s;"


def test_it_opens_no_connection_and_needs_no_key(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, socket\n"
        "def refuse(*a, **k):\n    raise AssertionError('a connection was opened')\n"
        "socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse\n"
        "os.environ.pop('OPENAI_API_KEY', None)\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    done = harness("chain", "scenarios/demo.yaml", env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    assert "cuts it: edge proxy_read_timeout at 60 s" in done.stdout


def test_configurations_are_shown_without_a_scenario(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(HAPROXY)
    done = harness("chain", "--config", tmp_path / "haproxy.cfg", "--config", f"{tmp_path}/haproxy.cfg:1")
    assert done.returncode == 0, done.stderr
    assert "recognised by its name and directives" in done.stdout
    assert "haproxy-2 (haproxy)" in done.stdout
    assert "10.0.0.1" not in done.stdout


def test_a_configuration_can_stand_behind_the_declared_layers_of_a_route(harness: Any, tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(HAPROXY)
    done = harness("chain", "scenarios/timing-audit.yaml", "--config", tmp_path / "haproxy.cfg")
    assert done.returncode == 2
    assert "say which ROUTE" in done.stderr
    done = harness("chain", "scenarios/timing-audit.yaml", "gateway", "--config", tmp_path / "haproxy.cfg")
    assert "widen timeout server of haproxy from 50 s" in done.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "give a SCENARIO, a RUN, or --config FILE"),
        (("scenarios/demo.yaml", "nowhere"), "the scenario has no route nowhere"),
        (("scenarios/demo.yaml", "--at", "edge=1"), "--at and --times-of are of a RUN"),
        (("scenarios/tier-selection.yaml",), "declares a chain"),
        (("--config", "nowhere.conf"), "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_said(harness: Any, args: tuple[str, ...], message: str) -> None:
    done = harness("chain", *args)
    assert done.returncode == 2
    assert message in done.stderr


def test_after_a_run_a_cap_is_estimated_and_beyond_it_nothing_is_made_up(harness: Any, demo: DemoRun) -> None:
    done = harness("chain", demo.path, "edge", "--at", "edge=120", "--format", "json")
    assert done.returncode == 0, done.stderr
    row = next(one for one in json.loads(done.stdout)["rows"] if one["layer"] == "edge")
    truly = sum(event["route"] == "edge" and event["quality"] == "high" for event in demo.events)
    of = sum(event["route"] == "edge" for event in demo.events)
    assert row["now"]["share"] == pytest.approx(truly / of)
    assert row["seen"] == sum(verdict["layer"] == "edge" for verdict in demo.verdicts.values()) > 0
    assert row["proposed"]["share"] is None


def test_the_times_of_another_route_tell_what_the_cut_ones_hide(harness: Any, demo: DemoRun) -> None:
    done = harness("chain", demo.path, "edge", "--at", "edge=120s,client:total=4m", "--times-of", "direct")
    assert done.returncode == 0, done.stderr
    assert "[first byte] at 120 s: 33.3%" in done.stdout
    assert "by the times of route direct" in done.stdout


def test_an_earlier_run_tells_what_to_expect(harness: Any, demo: DemoRun) -> None:
    done = harness("chain", "scenarios/demo.yaml", "--from", demo.path)
    assert "(measured, 12 jobs of its own)" in done.stdout
    assert "(measured, 12 jobs on the direct route)" in done.stdout


def test_proposed_caps_that_cannot_be_read_are_refused() -> None:
    from harness.diagnosis.cap_shares import parse_at

    assert parse_at("edge=120, edge:idle=2m", {"edge"}) == {("edge", ""): 120, ("edge", "idle"): 120}
    for text in ("edge", "edge=", "edge=0", "edge=-1", "other=5", "edge:nothing=5"):
        with pytest.raises(UsageProblem, match="--at"):
            parse_at(text, {"edge"})


def test_no_cap_on_the_way_is_held_against_a_route_that_polls(harness: Any, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("""\
name: polled
why: which cap cuts a task?
prompts: [a red apple]
routes:
  task:
    kind: task
    base_url: simulator://fal
    owner: task_provider
    task: {preset: fal}
    chain: [{layer: edge, product: nginx, kind: idle, cap_s: 60}, {layer: worker, kind: total, cap_s: 60}]
simulator: {layers: {fal: {speaks: fal}}}
matrix: {route: [task], quality: [high]}
defaults: {size: 1024x1024}
timeouts: {idle: 60}
""")
    done = harness("chain", str(file))
    assert "task/high/1024x1024: it polls; no call of it lasts as long as the image does" in done.stdout
    assert "changes: none" in done.stdout
    assert "inverted" not in done.stdout


def test_a_scenarios_chain_may_come_from_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(HAPROXY)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    scenario = load_scenario(tmp_path / "s.yaml")
    assert [(one.layer, one.kind, one.cap_s) for one in scenario.routes["edge"].chain] == [
        ("cdn", "first_byte", 100),
        ("lb", "first_byte", 50),
        ("lb", "idle", 50),
        ("lb", "connect", 5),
        ("gateway", "total", 600),
    ]
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.replace("50s", "55s"))
    assert load_scenario(tmp_path / "s.yaml").sha256 != scenario.sha256


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("from: haproxy.cfg", "from: nowhere.cfg", 10, "there is no such file"),
        ("from: haproxy.cfg, layer: lb", "from: haproxy.cfg, cap_s: 5", 10, "does not stand beside `from`"),
        ("from: haproxy.cfg, layer: lb", "from: 5", 10, "is not a name"),
        ("{layer: gateway, cap_s: 600}", "{layer: gateway, cap_s: soon}", 11, "is not a duration"),
    ],
)
def test_mistakes_in_such_a_chain_keep_their_lines(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    (tmp_path / "haproxy.cfg").write_text(HAPROXY)
    (tmp_path / "s.yaml").write_text(SCENARIO.replace(old, new))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(tmp_path / "s.yaml")
    assert [problem.line for problem in caught.value.problems] == [line]
    assert message in str(caught.value)


def test_a_mistake_in_the_file_itself_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.replace("50s", "soon"))
    (tmp_path / "s.yaml").write_text(SCENARIO)
    with pytest.raises(ScenarioError, match=r"haproxy\.cfg:2: timeout server: the value is no time"):
        load_scenario(tmp_path / "s.yaml")
