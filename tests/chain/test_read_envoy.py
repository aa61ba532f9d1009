"""Envoy: routes, connection managers and clusters."""

from __future__ import annotations

from typing import Any

from harness.chain.config import read_config

from .configs import ENVOY, set_caps, told


def test_envoys_routes_managers_and_clusters_are_joined(put: Any) -> None:
    file = put("envoy.yaml", ENVOY)
    first = set_caps(read_config(f"{file}:16").caps)
    assert first["route.timeout", "total"] == 300
    assert first["per_try_timeout", "total"] == 0.5
    assert first["max_stream_duration", "total"] == 900
    assert first["stream_idle_timeout", "idle"] is None
    assert first["connect_timeout", "connect"] == 2.5
    second = read_config(f"{file}:18")
    assert told(second.caps)["route.idle_timeout", "idle"] == 45.5
    default = next(cap for cap in second.caps if cap.setting == "route.timeout")
    assert (default.cap_s, default.default) == (15, True)


def test_envoy_takes_both_spellings_and_says_when_its_routes_are_elsewhere(put: Any) -> None:
    found = read_config(put("envoy.yaml", "staticResources:\n  clusters:\n  - {name: a, connectTimeout: 3s}\n"))
    assert told(found.caps) == {("connect_timeout", "connect"): 3}
    assert "no routes in this file" in found.notes[0]


def test_envoys_virtual_host_retries_for_routes_that_do_not_say_how(put: Any) -> None:
    host = "virtual_hosts:\n- name: all\n  retry_policy: {per_try_timeout: 5s}\n  routes:\n"
    text = host + "  - route: {cluster: a}\n  - route: {cluster: a, retry_policy: {num_retries: 2}}\n"
    file = put("envoy.yaml", text)
    assert told(read_config(f"{file}:5").caps)["per_try_timeout", "total"] == 5
    assert ("per_try_timeout", "total") not in told(read_config(f"{file}:6").caps)
