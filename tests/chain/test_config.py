"""Timeouts out of a user's own configuration, and nothing else."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.chain.config import FORMS, NAMES, read_config
from harness.chain.model import Cap
from harness.errors import UsageProblem

NGINX = """\
user www-data;
http {
  proxy_read_timeout 2m;   # for all servers
  upstream images { server 10.1.2.3:8000; keepalive 8; }
  server {
    server_name images.example.com;
    include snippets/*.conf;
    location /v1/images {
      proxy_pass http://images;
      proxy_connect_timeout 1500ms;
    }
    location ~ "^/old{2}" { proxy_pass http://images; proxy_read_timeout "1m 30s"; }
    location /php { fastcgi_pass unix:/run/php.sock; fastcgi_read_timeout 300; }
  }
}
"""
HAPROXY = """\
global
    log stdout format raw local0
    stats timeout 30s
defaults base
    mode http
    timeout connect 5s
    timeout client  50s
    timeout server  50000 # fifty seconds
    timeout tunnel  1h
frontend web
    bind *:443 ssl crt /etc/ssl/secret.example.com.pem
    timeout client 90s
    acl img path_beg "/v1/images # not a comment"
    use_backend images if img
    default_backend rest
frontend other
    default_backend rest
    timeout client 10s
backend images
    timeout server 5m
    server one 10.0.0.1:8000 check inter 2s
backend rest
    server two 10.0.0.2:8000
backend nothing
    timeout server 1s
"""
CADDY = """\
{
    email ops@example.com
    servers {
        timeouts {
            read_body 10s
            write 2m30s
        }
    }
}
(upstream) {
    transport http {
        response_header_timeout 90s
        dial_timeout 1s500ms
    }
}
images.example.com {
    # reverse_proxy nowhere { transport http { read_timeout 1s } }
    header X-Note "a { brace"
    respond /text <<EOT
        reverse_proxy }
        EOT 200
    reverse_proxy /v1/* api:8000 {
        import upstream
    }
}
"""
APACHE = """\
Timeout 120
ProxyTimeout \\
    90
LoadModule proxy_module modules/mod_proxy.so
RequestReadTimeout header=20-40,MinRate=500 body=30,MinRate=500
<VirtualHost *:443>
  ServerName images.example.com
  # ProxyTimeout 1
  ProxyPass "/static" "!"
  ProxyPass "/v1" "http://10.0.0.1:8000/v1" timeout=600 connectiontimeout=500ms retry=0
  <Location "/old">
    ProxyPass http://10.0.0.2:8000/
  </Location>
</VirtualHost>
"""
ENVOY = """\
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          stat_prefix: in
          stream_idle_timeout: 0s
          common_http_protocol_options: {max_stream_duration: 900s, idle_timeout: 1h}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["images.example.com"]
              routes:
              - match: {prefix: "/v1"}
                route: {cluster: api, timeout: 300s, retry_policy: {per_try_timeout: 0.5s}}
              - match: {prefix: "/"}
                route:
                  cluster: api
                  idle_timeout: {seconds: 45, nanos: 500000000}
  clusters:
  - name: api
    connect_timeout: 2.5s
"""
VERCEL = """\
{
  "functions": {
    "api/images/*.ts": {"memory": 1024, "maxDuration": 60},
    "api/other.ts": {"memory": 512}
  }
}
"""


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def told(caps: tuple[Cap, ...]) -> dict[tuple[str | None, str], float | None]:
    return {(cap.setting, cap.kind): cap.cap_s for cap in caps}


def set_caps(caps: tuple[Cap, ...]) -> dict[tuple[str | None, str], float | None]:
    """What the file sets; what is left at a default depends on the catalog."""
    return told(tuple(cap for cap in caps if not cap.default))


def test_nginx_inherits_from_the_block_around_and_the_lowest_place_counts(put: Any) -> None:
    found = read_config(put("nginx.conf", NGINX))
    assert (found.form, found.product, found.places) == ("nginx", "nginx", 3)
    caps = told(found.caps)
    assert caps["proxy_read_timeout", "first_byte"] == caps["proxy_read_timeout", "idle"] == 90
    assert caps["proxy_connect_timeout", "connect"] == 1.5
    assert caps["fastcgi_read_timeout", "idle"] == 300
    assert any("proxy_read_timeout differs by place (90 s, 120 s)" in note for note in found.notes)


def test_a_line_picks_the_place_and_a_wrong_one_is_answered_with_those_that_there_are(put: Any) -> None:
    file = put("nginx.conf", NGINX)
    found = read_config(f"{file}:9")
    assert told(found.caps)["proxy_read_timeout", "idle"] == 120
    assert next(cap for cap in found.caps if cap.setting == "proxy_read_timeout").place == f"{file}:3"
    assert ("fastcgi_read_timeout", "idle") not in told(found.caps)
    with pytest.raises(UsageProblem, match=r"nginx\.conf:4: .*lines that do: 9, 12, 13"):
        read_config(f"{file}:4")


def test_nginx_includes_are_followed_and_their_names_are_not_told(put: Any) -> None:
    put("snippets/shop.example.com.conf", "proxy_read_timeout 45s;\ninclude ../deeper.conf;\n")
    file = put("nginx.conf", NGINX)
    found = read_config(f"{file}:9")
    cap = next(cap for cap in found.caps if cap.setting == "proxy_read_timeout")
    assert (cap.cap_s, cap.place) == (45, f"{file}:7 → include:1")
    assert "shop.example" not in repr(found)
    assert any("include:2: what it includes is not here" in note for note in found.notes)


def test_what_nginx_leaves_unset_is_shown_as_its_default(put: Any) -> None:
    found = read_config(put("site.conf", "location / { proxy_pass http://x; }"))
    assert found.recognised_by == "by its directives"
    cap = next(cap for cap in found.caps if cap.setting == "proxy_read_timeout")
    assert (cap.cap_s, cap.default, cap.place) == (60, True, None)


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


def test_in_apache_the_workers_own_timeout_comes_before_the_servers(put: Any) -> None:
    file = put("apache2.conf", APACHE)
    one = told(read_config(f"{file}:10").caps)
    assert one["timeout=", "idle"] == 600
    assert one["connectiontimeout=", "connect"] == 0.5
    assert one["RequestReadTimeout", "request_read"] == 30
    assert ("ProxyTimeout", "idle") not in one
    assert told(read_config(f"{file}:12").caps)["ProxyTimeout", "idle"] == 90


def test_apache_includes_are_followed(put: Any) -> None:
    put("conf.d/a.conf", "ProxyTimeout 33\n")
    file = put("httpd.conf", "IncludeOptional conf.d/*.conf\nIncludeOptional none/*.conf\nProxyPass / http://x/\n")
    found = read_config(file)
    assert told(found.caps)["ProxyTimeout", "idle"] == 33
    assert found.notes == ()


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


def test_of_several_caddy_servers_the_lowest_timeout_counts(put: Any) -> None:
    servers = "".join(f"servers :{port} {{\n timeouts {{\n write {s}s\n}}\n}}\n" for port, s in ((80, 10), (443, 300)))
    found = read_config(put("Caddyfile", f"{{\n{servers}}}\n:80 {{\n reverse_proxy a\n}}\n"))
    assert told(found.caps)["write", "total"] == 10
    assert any("servers have different timeouts" in note for note in found.notes)


# What real Apache 2.4 did with each of these, in front of a server that never answers.
APACHE_WORKERS = """\
Timeout 9
<Proxy balancer://c>
BalancerMember http://10.0.0.1:80 timeout=4
ProxySet timeout=2
</Proxy>
<Proxy balancer://d>
BalancerMember http://10.0.0.2:80
ProxySet timeout=2
</Proxy>
<Proxy "http://10.0.0.3/e">
ProxySet timeout=3
</Proxy>
<IfModule mod_proxy.c>
ProxyTimeout 6
</IfModule>
<IfModule !mod_proxy.c>
ProxyTimeout 1
</IfModule>
ProxyPass /c balancer://c/
ProxyPass /d balancer://d/ timeout=2
ProxyPass /e http://10.0.0.3/e
ProxyPass /f http://10.0.0.4/f
ProxyPass /i http://10.0.0.5/i timeout=8
<Proxy "http://10.0.0.5/i">
ProxySet timeout=1
</Proxy>
"""


@pytest.mark.parametrize(("line", "setting", "cap_s"), [
    (19, "timeout=", 4), (20, "ProxyTimeout", 6), (21, "timeout=", 3), (22, "ProxyTimeout", 6), (23, "timeout=", 1),
])  # fmt: skip
def test_an_apache_worker_has_the_timeout_that_the_real_one_has(put: Any, line: int, setting: str, cap_s: int) -> None:
    caps = set_caps(read_config(f"{put('apache2.conf', APACHE_WORKERS)}:{line}").caps)
    assert caps == {(setting, "first_byte"): cap_s, (setting, "idle"): cap_s}


def test_the_member_of_an_apache_balancer_that_waits_least_counts_also_at_its_default(put: Any) -> None:
    text = "<Proxy balancer://c>\nBalancerMember http://a timeout=600\nBalancerMember http://b\n</Proxy>\n"
    found = read_config(put("apache2.conf", text + "ProxyPass / balancer://c/\n"))
    assert (found.places, told(found.caps)["ProxyTimeout", "idle"]) == (1, 60)
    alone = read_config(put("apache2.conf", text))
    assert (alone.places, told(alone.caps)["timeout=", "idle"]) == (2, 600)
    assert any("differs by place" in note for note in alone.notes)
    elsewhere = read_config(put("apache2.conf", "ProxyTimeout ${WAIT}\nProxyPass / balancer://c/ timeout=2\n"))
    assert told(elsewhere.caps)["ProxyTimeout", "idle"] is None
    assert ["variable" in elsewhere.notes[0], "members of this balancer" in elsewhere.notes[1]] == [True, True]


def test_envoys_virtual_host_retries_for_routes_that_do_not_say_how(put: Any) -> None:
    host = "virtual_hosts:\n- name: all\n  retry_policy: {per_try_timeout: 5s}\n  routes:\n"
    text = host + "  - route: {cluster: a}\n  - route: {cluster: a, retry_policy: {num_retries: 2}}\n"
    file = put("envoy.yaml", text)
    assert told(read_config(f"{file}:5").caps)["per_try_timeout", "total"] == 5
    assert ("per_try_timeout", "total") not in told(read_config(f"{file}:6").caps)


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
