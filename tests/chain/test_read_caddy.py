"""Caddy: a Caddyfile with all of its syntax, and its JSON."""

from __future__ import annotations

from typing import Any

from harness.chain.config import read_config

from .configs import CADDY, set_caps, told


def test_a_caddyfile_with_a_snippet_quotes_heredoc_and_global_options(put: Any) -> None:
    found = read_config(put("Caddyfile", CADDY))
    assert found.places == 1
    assert set_caps(found.caps) == {
        ("response_header_timeout", "first_byte"): 90,
        ("dial_timeout", "connect"): 1.5,
        ("write", "total"): 150,
        ("read_body", "request_read"): 10,
    }


def test_a_caddyfile_value_from_a_variable_is_not_known(put: Any) -> None:
    text = "a.example.com {\n reverse_proxy b {\n  transport http {\n   read_timeout {$WAIT:10s}\n  }\n }\n}\n"
    found = read_config(put("Caddyfile", text))
    assert told(found.caps)["read_timeout", "idle"] is None
    assert "Caddyfile:4: read_timeout comes from a variable" in found.notes[0]


def test_caddys_json_counts_nanoseconds_or_words(put: Any) -> None:
    text = (
        '{"apps": {"http": {"servers": {"s": {"write_timeout": "5m", "routes": [{"handle": [\n'
        '\t{"handler": "subroute", "routes": [{"handle": [{"handler": "reverse_proxy",\n'
        '\t"transport": {"protocol": "http", "response_header_timeout": 60000000000, "read_timeout": "1m"}}]}]}\n'
        "]}]}}}}}"
    )
    found = read_config(put("caddy.json", text))
    assert set_caps(found.caps) == {
        ("response_header_timeout", "first_byte"): 60,
        ("read_timeout", "first_byte"): 60,
        ("read_timeout", "idle"): 60,
        ("write", "total"): 300,
    }


def test_of_several_caddy_servers_the_lowest_timeout_counts(put: Any) -> None:
    servers = "".join(f"servers :{port} {{\n timeouts {{\n write {s}s\n}}\n}}\n" for port, s in ((80, 10), (443, 300)))
    found = read_config(put("Caddyfile", f"{{\n{servers}}}\n:80 {{\n reverse_proxy a\n}}\n"))
    assert told(found.caps)["write", "total"] == 10
    assert any("servers have different timeouts" in note for note in found.notes)
