"""Caddyfile: words, blocks, snippets and imports. Timeouts stand in a proxy's transport and in the servers' options."""

from __future__ import annotations

from harness.chain.caddy_words import Token, tokens
from harness.chain.durations import GO
from harness.chain.reading import MAX_DEPTH, Env, Found, Node, Use, every, found_or_unknown
from harness.chain.sources import Source, Sources

_MAX_NODES = 100_000
TRANSPORT = ("response_header_timeout", "read_timeout", "dial_timeout")
SERVERS = ("write", "read_body")
APPLIES = (*TRANSPORT, *SERVERS)
_PROXIES = frozenset({"reverse_proxy", "php_fastcgi"})


def read(sources: Sources) -> list[Use]:
    """The proxies of a Caddyfile.

    Raises:
        UsageProblem: it is not a Caddyfile.
    """
    nodes = _Parser(sources).expanded()
    servers: Env = {}
    for node in nodes:
        if not node.words:  # the block of global options has no name
            for inner in every(node.children):
                if inner.name == "timeouts":
                    told = _settings(inner.children, SERVERS, sources)
                    if any(servers[name].value_s != one.value_s for name, one in told.items() if name in servers):
                        place = inner.source.at(inner.line)
                        sources.notes.append(f"{place}: servers have different timeouts; the lowest of all counts here")
                    servers |= {name: _least(servers.get(name), one) for name, one in told.items()}
    uses: list[Use] = []
    for node in every(nodes):
        if node.name in _PROXIES:
            env = dict(servers)
            for inner in node.children:
                if inner.name == "transport":
                    env |= _settings(inner.children, TRANSPORT, sources)
                elif inner.name in TRANSPORT:  # php_fastcgi takes them directly
                    env |= _settings([inner], TRANSPORT, sources)
            uses.append(Use(node.source.at(node.line), env, APPLIES))
    return uses


def _least(before: Found | None, now: Found) -> Found:
    """Servers are told apart by their addresses, which are not kept: the lowest of all counts."""
    if before is None or before.value_s is None or (now.value_s is not None and now.value_s < before.value_s):
        return now
    return before


def _settings(nodes: list[Node], names: tuple[str, ...], sources: Sources) -> Env:
    found: Env = {}
    for node in nodes:
        if node.name not in names or len(node.words) < 2:
            continue
        found[node.name] = found_or_unknown(node, node.words[1], "{", GO, sources.notes)
    return found


class _Parser:
    """Nodes with every import put in its place."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.snippets: dict[str, list[Node]] = {}
        self.count = 0

    def expanded(self) -> list[Node]:
        nodes = self._nodes(self.sources.main)
        self._collect(nodes)
        return self._expand([node for node in nodes if not _snippet(node)], 0)

    def _collect(self, nodes: list[Node]) -> None:
        for node in nodes:
            if _snippet(node):
                self.snippets[node.words[0].strip("()")] = node.children

    def _expand(self, nodes: list[Node], depth: int) -> list[Node]:
        out: list[Node] = []
        for node in nodes:
            self.count += 1
            if self.count > _MAX_NODES or depth > MAX_DEPTH:
                raise node.source.problem(node.line, "imports go round in a circle, or multiply each other")
            if node.name != "import" or len(node.words) < 2:
                out.append(Node(node.words, node.source, node.line, self._expand(node.children, depth + 1)))
            elif node.words[1] in self.snippets:
                out += self._expand(self.snippets[node.words[1]], depth + 1)
            else:
                folder = node.source.path.parent
                for source in self.sources.included(node.words[1], node.source, node.line, folder):
                    inner = self._nodes(source)
                    self._collect(inner)
                    out += self._expand([one for one in inner if not _snippet(one)], depth + 1)
        return out

    def _nodes(self, source: Source) -> list[Node]:
        root: list[Node] = []
        open_: list[Node] = []
        for line, words in _by_line(tokens(source)):
            here = open_[-1].children if open_ else root
            if words[0].closes:
                if not open_:
                    raise source.problem(line, "a block is closed that is not open")
                open_.pop()
                if len(words) > 1:
                    raise source.problem(line, "nothing may follow a closing brace")
                continue
            opens = words[-1].opens
            node = Node(tuple(word.text for word in (words[:-1] if opens else words)), source, line)
            here.append(node)
            if opens:
                open_.append(node)
                if len(open_) > MAX_DEPTH:
                    raise source.problem(line, "nested too deeply")
        if open_:
            raise source.problem(open_[-1].line, "this block is never closed")
        return root


def _snippet(node: Node) -> bool:
    return len(node.words) == 1 and node.name.startswith("(") and node.name.endswith(")")


def _by_line(found: list[Token]) -> list[tuple[int, list[Token]]]:
    lines: list[tuple[int, list[Token]]] = []
    for token in found:
        if lines and not token.first:
            lines[-1][1].append(token)
        else:
            lines.append((token.line, [token]))
    return lines
