"""What a reader of configuration gives back: for every place that passes requests on, the timeouts in force there.

Only timeouts are kept. No host name, path, address or certificate of a configuration leaves its reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.chain.durations import seconds
from harness.chain.sources import Source

MAX_DEPTH = 60


@dataclass(frozen=True)
class Found:
    """A timeout as it was set. `value_s` null: it was switched off, or is not `known`: it comes from a variable."""

    value_s: float | None
    place: str | None
    default: bool = False
    known: bool = True


@dataclass(frozen=True)
class Use:
    """A place that passes requests on. `settings` are in force there; `applies` are those that count there at all."""

    place: str
    settings: Mapping[str, Found]
    applies: tuple[str, ...]


@dataclass
class Node:
    """A directive of a configuration that is made of words and blocks."""

    words: tuple[str, ...]
    source: Source
    line: int
    children: list[Node] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""


Env = dict[str, Found]


def found_in(node: Node, text: str, units: Mapping[str, float], *, zero_is_off: bool, joined: bool = False) -> Found:
    """The value of a timeout's directive.

    Raises:
        UsageProblem: it is no time.
    """
    try:
        value = seconds(text, units, joined=joined)
    except ValueError:
        name = node.words[0] if len(node.words[0]) <= 40 else "this timeout"
        raise node.source.problem(node.line, f"{name}: the value is no time in this product's units") from None
    return Found(None if zero_is_off and value == 0 else value, node.source.at(node.line))


def found_or_unknown(node: Node, text: str, mark: str, units: Mapping[str, float], notes: list[str]) -> Found:
    """The same where the value may hold a variable, which `mark` gives away: then it is not known, and that is noted.

    Raises:
        UsageProblem: it is neither.
    """
    if mark not in text:
        return found_in(node, text, units, zero_is_off=True, joined="ns" in units)
    place = node.source.at(node.line)
    notes.append(f"{place}: {node.name} comes from a variable; its value is not known here")
    return Found(None, place, known=False)


def every(nodes: Sequence[Node]) -> Iterator[Node]:
    """All nodes, depth first."""
    for node in nodes:
        yield node
        yield from every(node.children)
