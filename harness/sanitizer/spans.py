"""Spans: what must go, what may stay, and one pass that replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A part of a text. `kind` is the word of its placeholder; `instead` is set where the part was cleaned already."""

    start: int
    end: int
    kind: str
    rank: int = 5
    instead: str | None = None


def merged(spans: Iterable[Span]) -> list[Span]:
    """Overlapping parts become one. What goes whole swallows what was only cleaned; the lowest rank names it."""
    out: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if span.end <= span.start:
            continue
        if out and span.start < out[-1].end:
            last = out[-1]
            if last.instead is not None and span.instead is not None and span.end <= last.end:
                continue
            if last.start == span.start and last.end == span.end and last.instead is None and span.instead is not None:
                continue
            best = min(last, span, key=lambda one: (one.instead is not None, one.rank))
            out[-1] = Span(last.start, max(last.end, span.end), best.kind, best.rank)
        else:
            out.append(span)
    return out


def replaced(text: str, spans: Iterable[Span], pseudonym: Callable[[str, str], str]) -> str:
    """The text with every span replaced, once, from left to right."""
    out: list[str] = []
    done = 0
    for span in merged(spans):
        out.append(text[done : span.start])
        out.append(span.instead if span.instead is not None else pseudonym(span.kind, text[span.start : span.end]))
        done = span.end
    if not done:
        return text
    out.append(text[done:])
    return "".join(out)
