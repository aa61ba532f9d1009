"""The timeouts of the products whose configuration is read: what each counts, and how a line that sets it looks."""

from __future__ import annotations

from dataclasses import dataclass

from harness.chain.known import Known, find
from harness.chain.model import Kind


@dataclass(frozen=True)
class Setting:
    """One timeout of one product. `line` is a format string: ``{s}`` seconds, ``{ms}`` milliseconds."""

    product: str
    name: str
    kinds: tuple[Kind, ...]
    line: str


_READ: tuple[Kind, ...] = ("first_byte", "idle")


def _nginx(family: str) -> tuple[Setting, ...]:
    kinds: tuple[tuple[str, tuple[Kind, ...]], ...] = (
        ("read", _READ),
        ("connect", ("connect",)),
        ("send", ("request_read",)),
    )
    return tuple(
        Setting("nginx", f"{family}_{part}_timeout", counted, f"{family}_{part}_timeout {{s}}s;")
        for part, counted in kinds
    )


SETTINGS: tuple[Setting, ...] = (
    *(one for family in ("proxy", "fastcgi", "uwsgi", "scgi", "grpc") for one in _nginx(family)),
    Setting("nginx", "proxy_timeout", ("idle",), "proxy_timeout {s}s;"),
    Setting("nginx", "client_body_timeout", ("request_read",), "client_body_timeout {s}s;"),
    Setting("haproxy", "timeout server", _READ, "timeout server {s}s"),
    Setting("haproxy", "timeout connect", ("connect",), "timeout connect {s}s"),
    Setting("haproxy", "timeout queue", ("connect",), "timeout queue {s}s"),
    Setting("haproxy", "timeout client", ("request_read",), "timeout client {s}s"),
    Setting("haproxy", "timeout http-request", ("request_read",), "timeout http-request {s}s"),
    Setting("apache", "ProxyTimeout", _READ, "ProxyTimeout {s}"),
    Setting("apache", "timeout=", _READ, "ProxyPass … timeout={s}"),
    Setting("apache", "Timeout", _READ, "ProxyTimeout {s}"),
    Setting("apache", "connectiontimeout=", ("connect",), "ProxyPass … connectiontimeout={s}"),
    Setting("apache", "RequestReadTimeout", ("request_read",), "RequestReadTimeout body={s},MinRate=500"),
    Setting("caddy", "response_header_timeout", ("first_byte",), "transport http {{ response_header_timeout {s}s }}"),
    Setting("caddy", "read_timeout", _READ, "transport http {{ read_timeout {s}s }}"),
    Setting("caddy", "dial_timeout", ("connect",), "transport http {{ dial_timeout {s}s }}"),
    Setting("caddy", "write", ("total",), "servers {{ timeouts {{ write {s}s }} }}"),
    Setting("caddy", "read_body", ("request_read",), "servers {{ timeouts {{ read_body {s}s }} }}"),
    Setting("envoy", "route.timeout", ("total",), "route: {{timeout: {s}s}}"),
    Setting("envoy", "route.idle_timeout", _READ, "route: {{idle_timeout: {s}s}}"),
    Setting("envoy", "per_try_timeout", ("total",), "retry_policy: {{per_try_timeout: {s}s}}"),
    Setting("envoy", "stream_idle_timeout", _READ, "stream_idle_timeout: {s}s"),
    Setting("envoy", "max_stream_duration", ("total",), "max_stream_duration: {s}s"),
    Setting("envoy", "request_timeout", ("request_read",), "request_timeout: {s}s"),
    Setting("envoy", "connect_timeout", ("connect",), "connect_timeout: {s}s"),
    Setting("vercel", "maxDuration", ("total",), '"maxDuration": {s}'),
    Setting("harness", "timeouts.connect", ("connect",), "timeouts: {{connect: {s}}}"),
    Setting("harness", "timeouts.first_byte", ("first_byte",), "timeouts: {{first_byte: {s}}}"),
    Setting("harness", "timeouts.idle", ("idle",), "timeouts: {{idle: {s}}}"),
    Setting("harness", "timeouts.total", ("total",), "timeouts: {{total: {s}}}"),
)

# Settings that the catalog has no entry of, and that work like one that it has.
_LIKE = {
    **{("nginx", f"{family}_read_timeout"): "fastcgi_read_timeout" for family in ("uwsgi", "scgi", "grpc")},
    **{
        ("nginx", f"{family}_connect_timeout"): "proxy_connect_timeout"
        for family in ("fastcgi", "uwsgi", "scgi", "grpc")
    },
    ("apache", "timeout="): "ProxyTimeout",
    ("apache", "Timeout"): "ProxyTimeout",
}

_BY_NAME = {(one.product, one.name): one for one in SETTINGS}


def setting_of(product: str | None, name: str | None) -> Setting | None:
    """The setting of this name, or null where this product's lines are not known here."""
    return _BY_NAME.get((product or "", name or ""))


def known_of(product: str | None, name: str | None, kind: str | None = None) -> Known | None:
    """What the catalog says of a setting, or of the one that it works like; null where it says nothing."""
    return find(product, name, kind) or find(product, _LIKE.get((product or "", name or ""), name), kind)


def line_for(product: str | None, name: str | None, value_s: float) -> str | None:
    """A line that sets it to `value_s`, in the product's own words; null where they are not known here."""
    found = setting_of(product, name)
    return None if found is None else found.line.format(s=f"{value_s:g}", ms=f"{value_s * 1000:g}")
