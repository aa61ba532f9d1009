"""nginx: read by crossplane, the parser that nginx's own makers publish; inheritance and includes are followed here."""

from __future__ import annotations

from typing import Any

from harness.chain.durations import NGINX
from harness.chain.reading import Env, Found, Node, Use, found_in
from harness.chain.settings import SETTINGS
from harness.chain.sources import Source, Sources
from harness.errors import UsageProblem

_NAMES = frozenset(one.name for one in SETTINGS if one.product == "nginx")
_PASSES = {f"{family}_pass": family for family in ("proxy", "fastcgi", "uwsgi", "scgi", "grpc")}


def read(sources: Sources) -> list[Use]:
    """The uses of a configuration, or of a part of one.

    Raises:
        UsageProblem: it is not nginx's, or the library is not installed.
    """
    uses: list[Use] = []
    _walk(_nodes(sources, sources.main), {}, False, uses, sources.notes)
    return uses


def _nodes(sources: Sources, source: Source) -> list[Node]:
    try:
        import crossplane
    except ImportError:
        raise UsageProblem(
            "nginx's configuration is read by the library crossplane: pip install -e '.[config]'"
        ) from None
    try:
        payload = crossplane.parse(
            str(source.path), single=True, strict=False, check_ctx=False, check_args=False, comments=False
        )
        errors = [*payload["errors"]]
        statements = payload["config"][0]["parsed"]
        return_line = errors[0]["line"] if errors else None
    except Exception:  # noqa: BLE001 - whatever the parser trips over, it is the file that cannot be read
        errors, statements, return_line = [None], [], None
    if errors:
        last = source.text.count("\n") + 1
        line = min(return_line or last, last)
        raise source.problem(line, "not nginx's syntax: look for a missing semicolon, brace or quote")
    try:
        return _tree(sources, source, statements)
    except RecursionError:
        raise source.problem(1, "nested too deeply") from None


def _tree(sources: Sources, source: Source, statements: list[dict[str, Any]]) -> list[Node]:
    nodes: list[Node] = []
    for one in statements:
        words = (str(one["directive"]), *map(str, one["args"]))
        line = int(one["line"])
        if words[0] == "include" and len(words) > 1:
            for inner in sources.included(words[1], source, line, sources.main.path.parent):
                nodes += _nodes(sources, inner)
            continue
        nodes.append(Node(words, source, line, _tree(sources, source, one.get("block", []))))
    return nodes


def _walk(nodes: list[Node], outer: Env, stream: bool, uses: list[Use], notes: list[str]) -> None:
    """A block takes what it does not set itself from the block around it, wherever inside the block it is set."""
    env: Env = dict(outer)
    for node in nodes:
        if node.name in _NAMES and len(node.words) > 1:
            found = found_in(node, " ".join(node.words[1:]), NGINX, zero_is_off=False, joined=True)
            if found.value_s == 0:
                notes.append(f"{found.place}: {node.name} 0 is no usable timeout and was not taken")
                found = Found(None, found.place)
            env[node.name] = found
    for node in nodes:
        family = _PASSES.get(node.name)
        if family is not None:
            uses.append(Use(node.source.at(node.line), dict(env), _applies(family, stream)))
        _walk(node.children, env, stream or node.name == "stream", uses, notes)


def _applies(family: str, stream: bool) -> tuple[str, ...]:
    if stream:
        return ("proxy_timeout", "proxy_connect_timeout")
    return (
        f"{family}_read_timeout",
        f"{family}_connect_timeout",
        f"{family}_send_timeout",
        "client_body_timeout",
    )
