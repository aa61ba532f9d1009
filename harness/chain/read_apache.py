"""Apache: directives and nested sections. A worker's own ``timeout=`` comes first, then ProxyTimeout, then Timeout."""

from __future__ import annotations

import re

from harness.chain.durations import APACHE
from harness.chain.reading import MAX_DEPTH, Env, Node, Use, found_in
from harness.chain.sources import Source, Sources

_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\S+')
_PLAIN = {"timeout": "Timeout", "proxytimeout": "ProxyTimeout"}
_WORKER = {"timeout": "timeout=", "connectiontimeout": "connectiontimeout="}
_PASSES = frozenset({"proxypass", "proxypassmatch", "balancermember"})


def read(sources: Sources) -> list[Use]:
    """The places that pass requests on: ProxyPass, members of a balancer, rewrites and handlers that lead to a proxy.

    Raises:
        UsageProblem: it is not Apache's.
    """
    uses: list[Use] = []
    _walk(_nodes(sources, sources.main), {}, uses)
    return uses


def _nodes(sources: Sources, source: Source) -> list[Node]:
    root: list[Node] = []
    open_: list[Node] = []
    for line, text in _lines(source.text):
        words = tuple(word.strip("\"'") for word in _WORD.findall(text))
        here = open_[-1].children if open_ else root
        if text.startswith("</"):
            name = text[2:].rstrip("> \t").lower()
            if not open_ or open_[-1].name != name:
                raise source.problem(line, "a section is closed that is not open")
            open_.pop()
        elif text.startswith("<"):
            if not text.endswith(">") or len(open_) >= MAX_DEPTH:
                raise source.problem(line, "not Apache's syntax: a section starts with <Name …>")
            node = Node((text[1:].split()[0].rstrip(">").lower() if text[1:].split() else "",), source, line)
            here.append(node)
            open_.append(node)
        elif words[0].lower() in ("include", "includeoptional") and len(words) > 1:
            for inner in sources.included(words[1], source, line, sources.main.path.parent):
                here += _nodes(sources, inner)
        else:
            here.append(Node((words[0].lower(), *words[1:]), source, line))
    if open_:
        raise source.problem(open_[-1].line, "this section is never closed")
    return root


def _lines(text: str) -> list[tuple[int, str]]:
    """Logical lines: a backslash at the end goes on, and a comment does not."""
    lines: list[tuple[int, str]] = []
    start, held = 0, ""
    for number, raw in enumerate(text.split("\n"), start=1):
        start = start or number
        if raw.endswith("\\"):
            held += raw[:-1] + " "
            continue
        whole, at = (held + raw).strip(), start
        start, held = 0, ""
        if whole and not whole.startswith("#") and _WORD.search(whole):
            lines.append((at, whole))
    if held.strip() and not held.strip().startswith("#"):
        lines.append((start, held.strip()))
    return lines


def _walk(nodes: list[Node], outer: Env, uses: list[Use]) -> None:
    env: Env = dict(outer)
    for node in nodes:
        if node.name in _PLAIN and len(node.words) > 1:
            env[_PLAIN[node.name]] = found_in(node, node.words[1], APACHE, zero_is_off=True)
        elif node.name == "proxyset":
            env |= _worker(node)
        elif node.name == "requestreadtimeout":
            body = next((word for word in node.words if word.lower().startswith("body=")), None)
            if body is not None:
                first = re.split(r"[-,]", body[5:])[0]
                env["RequestReadTimeout"] = found_in(node, first, APACHE, zero_is_off=True)
    for node in nodes:
        if _passes(node):
            inside = {**env, **_worker(node)}
            uses.append(Use(node.source.at(node.line), inside, _applies(inside)))
        _walk(node.children, env, uses)


def _passes(node: Node) -> bool:
    if node.name in _PASSES:
        return len(node.words) > 1 and node.words[-1] != "!"
    if node.name == "rewriterule":
        return bool(re.search(r"[\[,]\s*(P|proxy)\s*[,\]]", node.words[-1]))
    return node.name == "sethandler" and len(node.words) > 1 and node.words[1].startswith("proxy:")


def _worker(node: Node) -> Env:
    found: Env = {}
    for word in node.words[1:]:
        key, _, value = word.partition("=")
        if key.lower() in _WORKER and value:
            found[_WORKER[key.lower()]] = found_in(node, value, APACHE, zero_is_off=True)
    return found


def _applies(env: Env) -> tuple[str, ...]:
    """The one that counts of the three, and what counts beside it."""
    first = next((name for name in ("timeout=", "ProxyTimeout", "Timeout") if name in env), "ProxyTimeout")
    return (first, "connectiontimeout=", "RequestReadTimeout")
