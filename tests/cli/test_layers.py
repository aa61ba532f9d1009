"""`harness layers` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

OWN = """\
- id: our_edge_cap
  product: our_edge
  class: reverse_proxy
  title: our edge, proxy_timeout
  setting: proxy_timeout
  kinds: [first_byte]
  default_s: 45
  signature: {status: [504], body: '^edge gave up'}
  names_the_layer: true
  first_move: raise proxy_timeout
- id: nginx_proxy_read_timeout
  product: nginx
  class: reverse_proxy
  title: nginx as we set it
  setting: proxy_read_timeout
  kinds: [first_byte, idle]
  default_s: 90
  first_move: ask the platform team
  confused_with: [our_edge_cap, {what: another nginx}]
"""


def test_layers_lists_every_cap_with_setting_default_and_grade(harness: Any) -> None:
    shown = harness("layers").stdout.splitlines()
    assert len(shown) > 130
    (row,) = [line for line in shown if line.startswith("nginx_proxy_read_timeout ")]
    assert row.split() == [
        "nginx_proxy_read_timeout",
        "proxy_read_timeout",
        "60",
        "s",
        "measured",
        "first_byte,",
        "idle",
    ]


def test_an_entry_is_explained_in_full(harness: Any) -> None:
    shown = harness("layers", "envoy_route_timeout").stdout
    for part in (
        "HTTP 504", "upstream request timeout", "no: it fires whatever flows", "goes on behind  yes", "looks alike",
        "told apart by", "first move", "timeout: 300s", "measured: Envoy 1.40.0", "source",
    ):  # fmt: skip
        assert part in shown


def test_a_product_shows_all_its_caps(harness: Any) -> None:
    shown = harness("layers", "nginx").stdout
    assert "[nginx_proxy_read_timeout]" in shown
    assert "[nginx_proxy_connect_timeout]" in shown


def test_search_status_and_class_narrow_together(harness: Any) -> None:
    done = harness("layers", "--status", 504, "--class", "gateway", "--search", "litellm", "--format", "json")
    found = json.loads(done.stdout)
    assert "litellm_upstream_504" in [layer["id"] for layer in found]
    for layer in found:
        assert layer["class"] == "gateway"
        assert any(504 in signature["status"] for signature in layer["signatures"])


def test_an_unknown_name_is_answered_with_the_nearest_ones(harness: Any) -> None:
    done = harness("layers", "ngnix")
    assert done.returncode == 2
    assert "nginx" in done.stderr


def test_an_unknown_class_is_answered_with_those_there_are(harness: Any) -> None:
    done = harness("layers", "--class", "proxy")
    assert done.returncode == 2
    assert "reverse_proxy" in done.stderr


def test_a_file_of_ones_own_adds_and_replaces(harness: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    found = {layer["id"]: layer for layer in json.loads(harness("layers", "--layers", own, "--format", "json").stdout)}
    assert found["our_edge_cap"]["default_s"] == 45
    assert found["nginx_proxy_read_timeout"]["default_s"] == 90
    assert len(found) > 135


def test_mistakes_in_ones_own_file_are_named_by_line_and_nothing_is_listed(harness: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN.replace("kinds: [first_byte]", "kinds: [frist_byte]").replace("'^edge gave up'", "'(a+)+$'"))
    done = harness("layers", "--layers", own)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "own.yaml:6:" in done.stderr
    assert "own.yaml:8:" in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr
