"""Timeouts out of a user's own configuration, and nothing else."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.chain.config import FORMS, NAMES, read_config
from harness.errors import UsageProblem

from .configs import APACHE, CADDY, ENVOY, HAPROXY, NGINX, VERCEL, set_caps, told


def test_vercel_functions_without_a_duration_run_at_the_default(put: Any) -> None:
    file = put("vercel.json", VERCEL)
    assert set_caps(read_config(file).caps) == {("maxDuration", "total"): 60}
    default = read_config(f"{file}:4").caps[0]
    assert (default.cap_s, default.default) == (300, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nginx.conf", NGINX), ("haproxy.cfg", HAPROXY), ("Caddyfile", CADDY), ("httpd.conf", APACHE),
        ("envoy.yaml", ENVOY), ("vercel.json", VERCEL),
    ],
)  # fmt: skip
def test_nothing_but_timeouts_is_kept(put: Any, name: str, text: str) -> None:
    found = repr(read_config(put(name, text)))
    for secret in ("example.com", "10.0.0", "10.1.2", "/v1", "api", "images", "secret", "ops@"):
        assert secret not in found.replace(put(name, text), "FILE")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nginx.conf", "http {\n proxy_read_timeout soon;\n}", r"nginx.conf:2: proxy_read_timeout: .* no time"),
        ("nginx.conf", "http {\n server {\n}\n", r"nginx.conf:\d: not nginx's syntax"),
        ("haproxy.cfg", "  timeout server 5s\n", r"haproxy.cfg:1: not HAProxy's: a section"),
        ("haproxy.cfg", "defaults\n timeout server 5 s\n timeout connect x\n", r"haproxy.cfg:3: timeout connect"),
        ("Caddyfile", "a {\n reverse_proxy b {\n}\n", r"Caddyfile:1: this block is never closed"),
        ("Caddyfile", '(x) {\n import x\n}\na {\n import x\n reverse_proxy "b\n', r"Caddyfile:6: a quote is never"),
        ("Caddyfile", "(x) {\n import x\n}\na {\n import x\n}\n", r"imports go round in a circle"),
        ("httpd.conf", "<VirtualHost *:80>\nProxyTimeout 5\n", r"httpd.conf:1: this section is never closed"),
        ("httpd.conf", "ProxyTimeout 5 parsecs\nProxyTimeout 5parsecs\n", r"httpd.conf:2: proxytimeout"),
        ("envoy.yaml", "static_resources: [\n", r"envoy.yaml:2: not YAML"),
        ("envoy.yaml", "clusters:\n- name: a\n  connect_timeout: 5 minutes\n", r"envoy.yaml:3: connect_timeout"),
        ("vercel.json", '{"functions": {"a": {\n "maxDuration": "max"}}}', r"vercel.json:2: maxDuration"),
        ("vercel.json", '{"functions": \n', r"vercel.json:2: not JSON"),
        ("readme.md", "hello\n", r"readme.md:1: not recognised; say which with FORM=FILE"),
        ("nginx.conf", "worker_processes 4;\n", r"nginx.conf:1: read as nginx, and nothing in it passes requests on"),
    ],
)  # fmt: skip
def test_a_bad_file_is_answered_with_its_line(put: Any, name: str, text: str, message: str) -> None:
    with pytest.raises(UsageProblem, match=message):
        read_config(put(name, text))


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no such file"):
        read_config(str(tmp_path / "nginx.conf"))
    with pytest.raises(UsageProblem, match="not a plain file"):
        read_config(str(tmp_path))


def test_the_form_can_be_said_where_the_file_does_not_show_it(put: Any) -> None:
    file = put("a.txt", "backend b\n timeout server 7s\n server s 10.0.0.1:1\n")
    assert told(read_config(f"haproxy={file}").caps)["timeout server", "idle"] == 7


def test_without_the_library_the_extra_is_named(put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "crossplane":
            raise ImportError(name)
        return whole(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageProblem, match=r"pip install -e '\.\[config\]'"):
        read_config(put("nginx.conf", NGINX))


SEEDS = [NGINX, HAPROXY, CADDY, APACHE, ENVOY, VERCEL, "{}", "", "a: &a [*a]", "include nginx.conf;", "import *"]
PIECES = st.sampled_from(
    ["{", "}", '"', "'", "`", "\\", "\n", ";", "#", "<<X", "</", "<", ">", "\x00", "\t", "import *", "include *;", "0",
     "timeout server ", "proxy_read_timeout ", "é", "\ud7ff", "&a ", "*a", "- ", ": ", "1e9", "9" * 20, "$x"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(NAMES),
    seed=st.sampled_from(SEEDS),
    cuts=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 30), PIECES), max_size=6),
    noise=st.text(max_size=30),
)
def test_whatever_stands_in_a_file_nothing_but_a_usage_problem_comes_of_it(
    form: str, seed: str, cuts: list[tuple[int, int, str]], noise: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = seed
    for at, length, piece in cuts:
        text = text[:at] + piece + text[at + length :]
    folder = tmp_path_factory.mktemp("garbage")
    path = folder / "nginx.conf"
    path.write_bytes((text + noise).encode("utf-8", "surrogatepass"))
    try:
        found = read_config(f"{form}={path}")
    except UsageProblem:
        return
    assert all(cap.cap_s is None or cap.cap_s > 0 for cap in found.caps)


@pytest.mark.parametrize("form", NAMES)
@pytest.mark.parametrize("unit", ["{", "a {\n", "<A>\n", "[", "\n", "a\n", '{"a":', "- ", "backend a\n", "(x) {\n"])
def test_a_long_run_of_the_same_is_answered_too(form: str, unit: str, tmp_path: Path) -> None:
    path = tmp_path / "large.conf"
    path.write_text(unit * (60_000 // len(unit)))
    for named in (f"{form}={path}", str(path)):
        with pytest.raises(UsageProblem):
            read_config(named)


def test_every_form_names_a_reader_that_is_there() -> None:
    from importlib import import_module

    for form in FORMS:
        assert callable(import_module(f"harness.chain.{form.module}").read)
