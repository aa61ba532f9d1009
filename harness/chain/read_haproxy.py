"""HAProxy: sections of lines; what a section does not set comes from the defaults section before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.chain.durations import HAPROXY
from harness.chain.reading import Env, Node, Use, found_or_unknown
from harness.chain.settings import SETTINGS
from harness.chain.sources import Source, Sources

_TAKEN = frozenset(one.name for one in SETTINGS if one.product == "haproxy")
_CLIENT = ("timeout client", "timeout http-request")
_SERVER = ("timeout server", "timeout connect", "timeout queue")
_PROXIES = frozenset({"defaults", "frontend", "backend", "listen"})
_SECTIONS = _PROXIES | {
    "global", "cache", "peers", "resolvers", "userlist", "mailers", "program", "ring", "http-errors", "fcgi-app",
    "log-forward", "crt-store", "acme", "traces", "log-profile",
}  # fmt: skip
_WORD = re.compile(r"""(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\#]|(?<=\S)#)+|#.*""")


@dataclass
class _Section:
    kind: str
    name: str
    source: Source
    line: int
    env: Env
    servers: int = 0
    targets: set[str] = field(default_factory=set)


def read(sources: Sources) -> list[Use]:
    """The backends that have servers, each with the timeouts of the frontends that lead to it.

    What a rule sets for some requests alone (``set-timeout``) is noted and not taken.

    Raises:
        UsageProblem: it is not HAProxy's.
    """
    sections = _sections(sources.main, sources.notes)
    fronts = [one for one in sections if one.kind in ("frontend", "listen")]
    uses: list[Use] = []
    for one in sections:
        if not one.servers or one.kind not in ("backend", "listen"):
            continue
        # A frontend that picks its backend by a rule may lead to any of them.
        leading = [f for f in fronts if one.name in f.targets or any("%[" in name for name in f.targets)] or fronts
        leading = [one] if one.kind == "listen" else leading
        env: Env = {name: found for name, found in one.env.items() if name in _SERVER}
        for name in _CLIENT:
            told = [front.env[name] for front in leading if name in front.env]
            if told:
                env[name] = min(told, key=lambda f: float("inf") if f.value_s is None else f.value_s)
        uses.append(Use(one.source.at(one.line), env, (*_SERVER, *_CLIENT)))
    return uses


def _sections(source: Source, notes: list[str]) -> list[_Section]:
    found: list[_Section] = []
    defaults: dict[str, Env] = {}
    last: Env = {}
    current: _Section | None = None
    for line, text in enumerate(source.text.split("\n"), start=1):
        words = [_bare(word) for word in _WORD.findall(text) if not word.startswith("#")]
        if not words or words[0].startswith("."):
            continue
        if words[0] in _SECTIONS:
            current = _open(words, source, line, defaults, last)
            found.append(current)
            if current.kind == "defaults":
                last = defaults[current.name] = current.env
            continue
        if current is None:
            raise source.problem(line, "not HAProxy's: a section (global, defaults, frontend, backend …) comes first")
        if current.kind in _PROXIES:
            _line(current, words, source, line, notes)
    return found


def _bare(word: str) -> str:
    """A word without the quotes around it."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _open(words: list[str], source: Source, line: int, defaults: dict[str, Env], last: Env) -> _Section:
    kind, name = words[0], words[1] if len(words) > 1 else ""
    inherited = last
    if "from" in words[2:]:
        at = words.index("from", 2)
        inherited = defaults.get(words[at + 1] if at + 1 < len(words) else "", {})
    elif kind == "defaults":
        inherited = {}
    return _Section(kind, name, source, line, dict(inherited) if kind in _PROXIES else {})


def _line(section: _Section, words: list[str], source: Source, line: int, notes: list[str]) -> None:
    if words[0] in ("http-request", "http-response", "tcp-request") and "set-timeout" in words:
        at = words.index("set-timeout")
        name = f"timeout {words[at + 1] if at + 1 < len(words) else ''}"
        if name in _TAKEN:
            notes.append(f"{source.at(line)}: a rule sets another {name} for its requests; that one is not taken here")
    elif words[0] == "timeout" and len(words) > 1:
        name = f"timeout {words[1]}"
        if name not in _TAKEN:
            return
        if len(words) < 3:
            raise source.problem(line, f"{name} has no value")
        node = Node((name,), source, line)
        section.env[name] = found_or_unknown(node, words[2], "$", HAPROXY, notes)
    elif words[0] in ("server", "server-template"):
        section.servers += 1
    elif words[0] in ("use_backend", "default_backend") and len(words) > 1:
        section.targets.add(words[1])
