"""Caddy's own JSON: the same timeouts as in a Caddyfile, as nanoseconds or as text."""

from __future__ import annotations

from harness.chain.durations import GO, seconds
from harness.chain.read_caddyfile import APPLIES, TRANSPORT
from harness.chain.reading import Env, Found, Use
from harness.chain.sources import Source, Sources
from harness.chain.tree import Tree, load_json

_SERVER = {"write_timeout": "write", "read_timeout": "read_body"}


def read(sources: Sources) -> list[Use]:
    """The proxies of a JSON configuration.

    Raises:
        UsageProblem: it is not JSON, or a timeout in it is no time.
    """
    source = sources.main
    root = load_json(source)
    servers = root.get("apps", "http", "servers") or Tree(1)
    uses: list[Use] = []
    for server in servers.fields.values():
        env: Env = {
            ours: _found(source, theirs, server.fields[theirs])
            for theirs, ours in _SERVER.items()
            if theirs in server.fields
        }
        for one in server.every():
            handler = one.get("handler")
            if handler is None or handler.text != "reverse_proxy":
                continue
            transport = one.get("transport") or Tree(one.line)
            inside = {
                name: _found(source, name, transport.fields[name]) for name in TRANSPORT if name in transport.fields
            }
            uses.append(Use(source.at(one.line), env | inside, APPLIES))
    return uses


def _found(source: Source, name: str, value: Tree) -> Found:
    text = value.text or ""
    try:
        # A bare number counts nanoseconds.
        took = seconds(text, {"": 1e-9} if text.isdigit() else GO, joined=True)
    except ValueError:
        raise source.problem(value.line, f'{name}: the value is no time; write "60s" or nanoseconds') from None
    return Found(took or None, source.at(value.line))
