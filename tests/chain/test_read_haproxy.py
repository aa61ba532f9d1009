"""HAProxy: sections, their defaults, and who may lead to whom."""

from __future__ import annotations

from typing import Any

from harness.chain.config import read_config

from .configs import HAPROXY, set_caps, told


def test_haproxy_takes_the_defaults_before_a_section_and_the_frontends_that_lead_to_it(put: Any) -> None:
    file = put("haproxy.cfg", HAPROXY)
    assert set_caps(read_config(f"{file}:19").caps) == {
        ("timeout server", "first_byte"): 300,
        ("timeout server", "idle"): 300,
        ("timeout connect", "connect"): 5,
        ("timeout client", "request_read"): 90,
    }
    rest = told(read_config(f"{file}:22").caps)
    assert rest["timeout server", "idle"] == 50
    assert rest["timeout client", "request_read"] == 10


def test_haproxy_without_a_timeout_has_none(put: Any) -> None:
    found = read_config(put("haproxy.cfg", "listen web\n  bind *:80\n  timeout server 0\n  server a 10.0.0.1:80\n"))
    assert told(found.caps)["timeout server", "idle"] is None


def test_haproxys_quotes_are_no_part_of_a_value_and_what_is_set_elsewhere_is_said(put: Any) -> None:
    file = put(
        "haproxy.cfg",
        'defaults\n mode http\n timeout server "90s"\n timeout connect "${WAIT}"\nlisten a\n'
        " http-request set-timeout server 3s if { path_beg /v1 }\n server one 10.0.0.1:80\n",
    )
    found = read_config(file)
    caps = told(found.caps)
    assert (caps["timeout server", "idle"], caps["timeout connect", "connect"]) == (90, None)
    assert [cap.known for cap in found.caps if cap.setting == "timeout connect"] == [False]
    assert f"{file}:4: timeout connect comes from a variable; its value is not known here" in found.notes
    assert any(":6: a rule sets another timeout server" in note for note in found.notes)


def test_a_haproxy_frontend_that_picks_its_backend_by_a_rule_may_lead_to_any(put: Any) -> None:
    file = put(
        "haproxy.cfg",
        "frontend f\n timeout client 30s\n use_backend %[path,map(x)]\n"
        "frontend g\n timeout client 1h\n default_backend b\nbackend b\n server one 10.0.0.1:80\n",
    )
    assert told(read_config(file).caps)["timeout client", "request_read"] == 30
