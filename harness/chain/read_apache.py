"""Apache: directives and nested sections. A worker's own ``timeout=`` comes first, then ProxyTimeout, then Timeout.

A worker's settings may stand at its ProxyPass, at its BalancerMember, or in the <Proxy> section of its address. The
``timeout=`` of a balancer itself is another thing: how long to wait for a free worker.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from harness.chain.durations import APACHE
from harness.chain.reading import MAX_DEPTH, Env, Found, Node, Use, every, found_in, found_or_unknown
from harness.chain.settings import known_of
from harness.chain.sources import Source, Sources

_WORD = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\S+')
_PLAIN = {"timeout": "Timeout", "proxytimeout": "ProxyTimeout"}
_WORKER = {"timeout": "timeout=", "connectiontimeout": "connectiontimeout="}
_PASSES = frozenset({"proxypass", "proxypassmatch"})
_TESTS = frozenset({"<ifmodule", "<ifdefine", "<ifversion", "<iffile", "<ifdirective", "<ifsection"})
_WAITS = ("timeout=", "ProxyTimeout", "Timeout")
_ADDRESS = re.compile(r"(?:balancer|https?|h2c?|fcgi|scgi|uwsgi|ajp|wss?|unix):[^\s|]*", re.IGNORECASE)
_BALANCER = re.compile(r"balancer://[^/\s]+", re.IGNORECASE)


def read(sources: Sources) -> list[Use]:
    """The places that pass requests on: ProxyPass, rewrites and handlers that lead to a proxy, and members of balancers
    that nothing here leads to.

    Raises:
        UsageProblem: it is not Apache's.
    """
    nodes = _flat(_nodes(sources, sources.main))
    workers = _Workers(nodes, sources)
    uses: list[Use] = []
    _walk(nodes, {}, uses, workers)
    if len({_wait(use.settings) for use in uses}) > 1 and len({use.applies[0] for use in uses}) > 1:
        sources.notes.append(f"{sources.main.label}: how long an answer is waited for differs by place; see FILE:LINE")
    return uses


def _wait(env: Mapping[str, Found]) -> float:
    """How long an answer is waited for; infinite where that is switched off, or not known."""
    found = next((env[name] for name in _WAITS if name in env), None)
    known = known_of("apache", "ProxyTimeout") if found is None else None
    value = known.default_s if known is not None else found.value_s if found is not None else None
    return value or math.inf


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
            inside = [word.strip("\"'") for word in _WORD.findall(text[1:-1])] or [""]
            node = Node((inside[0].lower(), *inside[1:]), source, line)
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


def _flat(nodes: list[Node]) -> list[Node]:
    """What stands under a condition as if it were met; under a negated one it stays for itself."""
    out: list[Node] = []
    for node in nodes:
        inner = _flat(node.children)
        if f"<{node.name}" in _TESTS and len(node.words) > 1 and not node.words[1].startswith("!"):
            out += inner
        else:
            out.append(Node(node.words, node.source, node.line, inner))
    return out


class _Workers:
    """What is set for addresses, wherever it stands: sections of them, ProxySet, and the members of balancers."""

    def __init__(self, nodes: list[Node], sources: Sources) -> None:
        self.notes = sources.notes
        self.by_address: dict[str, Env] = {}
        self.members: dict[str, list[Env]] = {}
        self.led_to: set[str] = set()
        for node in every(nodes):
            if node.name == "proxy" and len(node.words) > 1:
                self._section(node)
            elif node.name == "proxyset" and len(node.words) > 1 and _ADDRESS.match(node.words[1]):
                self._set(node.words[1], self.settings(node))
            elif node.name == "balancermember" and len(node.words) > 1 and _BALANCER.match(node.words[1]):
                self.members.setdefault(_plain(node.words[1]), []).append(self.settings(node))
            elif _passes(node):
                self.led_to |= {_plain(found) for found in _BALANCER.findall(" ".join(node.words))}

    def _section(self, node: Node) -> None:
        address = node.words[1]
        self._set(address, self.settings(node))
        for inner in node.children:
            if inner.name == "proxyset":
                self._set(address, self.settings(inner))
            elif inner.name == "balancermember" and _BALANCER.match(address):
                self.members.setdefault(_plain(address), []).append(self.settings(inner))

    def _set(self, address: str, found: Env) -> None:
        if not _BALANCER.match(address):
            self.by_address.setdefault(_plain(address), {}).update(found)

    def settings(self, node: Node) -> Env:
        """What a line sets for a worker."""
        found: Env = {}
        for word in node.words[1:]:
            key, _, value = word.partition("=")
            if key.lower() in _WORKER and value:
                found[_WORKER[key.lower()]] = found_or_unknown(node, value, "${", APACHE, self.notes)
        return found

    def of(self, node: Node, env: Env) -> Env:
        """The settings in force where a request is passed on; of several members, those that wait least."""
        text = " ".join(node.words)
        balancer = _BALANCER.search(text)
        if balancer is not None and node.name != "balancermember":
            members = self.members.get(_plain(balancer[0]))
            if members is None:
                here = node.source.at(node.line)
                self.notes.append(
                    f"{here}: the members of this balancer are not here; they may have timeouts of their own"
                )
            return min(({**env, **member} for member in members or [{}]), key=_wait)
        address = _ADDRESS.search(text)
        section = {} if address is None else self.by_address.get(_plain(address[0]), {})
        return {**env, **self.settings(node), **section}


def _plain(address: str) -> str:
    return address.rstrip("/").lower()


def _walk(nodes: list[Node], outer: Env, uses: list[Use], workers: _Workers, inside: str = "") -> None:
    env: Env = dict(outer)
    for node in nodes:
        if node.name in _PLAIN and len(node.words) > 1:
            env[_PLAIN[node.name]] = found_or_unknown(node, node.words[1], "${", APACHE, workers.notes)
        elif node.name == "requestreadtimeout":
            body = next((word for word in node.words if word.lower().startswith("body=")), None)
            if body is not None:
                first = re.split(r"[-,]", body[5:])[0]
                env["RequestReadTimeout"] = found_in(node, first, APACHE, zero_is_off=True)
    for node in nodes:
        alone = node.name == "balancermember" and len(node.words) > 1
        if alone:
            balancer = _BALANCER.match(node.words[1])
            alone = _plain(balancer[0] if balancer else inside) not in workers.led_to
        if alone or _passes(node):
            found = workers.of(node, env)
            uses.append(Use(node.source.at(node.line), found, _applies(found)))
        _walk(node.children, env, uses, workers, node.words[1] if node.name == "proxy" and len(node.words) > 1 else "")


def _passes(node: Node) -> bool:
    if node.name in _PASSES:
        return len(node.words) > 1 and node.words[-1] != "!"
    if node.name == "rewriterule":
        return bool(re.search(r"[\[,]\s*(P|proxy)\s*[,\]]", node.words[-1]))
    return node.name == "sethandler" and len(node.words) > 1 and node.words[1].startswith("proxy:")


def _applies(env: Env) -> tuple[str, ...]:
    """The one that counts of the three, and what counts beside it."""
    first = next((name for name in _WAITS if name in env), "ProxyTimeout")
    return (first, "connectiontimeout=", "RequestReadTimeout")
