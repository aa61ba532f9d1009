"""`sanitize(text)`: wall 2. Other people's HAR files, logs and error bodies, without what must never leave."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.errors import HarnessError, LeakRefused
from harness.sanitizer.carriers import form_of
from harness.sanitizer.engine import Engine
from harness.sanitizer.registry import RULES
from harness.sanitizer.rules import Rule, likely
from harness.sanitizer.session import Session

FORMS = ("auto", "har", "json", "jsonl", "text", "multipart", "form")
MAX_CHARS = 400_000_000
ROUNDS, ROUNDS_SHORT, SHORT_CHARS = 8, 80, 100_000  # until nothing changes; nearly always the second


class SanitizerRefused(LeakRefused):
    """The sanitizer could not do its work, so nothing comes out. Says where and which rule, never what stood there."""


@dataclass(frozen=True)
class Sanitized:
    """A cleaned text, what form it was read as, and how many values of each kind were replaced."""

    text: str
    form: str
    counts: Mapping[str, int]


def sanitize(text: str, *, salt: bytes | None = None, known: Iterable[str] = (), form: str = "auto") -> str:
    """The text without keys, prompts, images, people, addresses and paths; ids, figures and words of a diagnosis stay.

    Args:
        text: anything: HAR, JSON, JSONL, SSE, multipart, a form, a curl command, logs.
        salt: of the pseudonyms. The same salt gives the same value the same pseudonym; random when not given.
        known: values that must go wherever they stand, in every encoding.
        form: one of `FORMS`.

    Raises:
        SanitizerRefused: it could not be done; holds nothing of the text.
    """
    return sanitized(text, salt=salt, known=known, form=form).text


def sanitized(
    text: str,
    *,
    salt: bytes | None = None,
    known: Iterable[str] = (),
    form: str = "auto",
    rules: Iterable[Rule] = RULES,
) -> Sanitized:
    """As `sanitize`, with the form and the counts."""
    problem: str
    try:
        return _sanitized(text, salt, tuple(known), form, tuple(rules))
    except HarnessError:
        raise
    except MemoryError:
        problem = "out of memory"
    except RecursionError:
        problem = "nested too deep"
    except Exception as error:  # noqa: BLE001 - whatever it is, it may hold input: only its type and place leave
        problem = f"{type(error).__name__} at {_place()}"
    # Outside of the handler: no __context__, so that no traceback can show what was being read.
    raise SanitizerRefused(f"the sanitizer stopped ({problem}); nothing comes out. Please report this line")


def _place() -> str:
    """File and line of the innermost frame, without any value."""
    trace = sys.exc_info()[2]
    place = "?"
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
        place, trace = f"{name}:{trace.tb_lineno}", trace.tb_next
    return place


def _sanitized(text: str, salt: bytes | None, known: tuple[str, ...], form: str, rules: tuple[Rule, ...]) -> Sanitized:
    if len(text) > MAX_CHARS:
        raise SanitizerRefused(f"more than {MAX_CHARS} characters; sanitize it in parts")
    if "\x00" in text:
        raise SanitizerRefused(f"a NUL character at offset {text.index(chr(0))}: not text; decode it first")
    session = Session(rules, salt=salt, known=_forms(known))
    detectors = likely(rules)
    engine = Engine(detectors, session)
    marked = text.startswith("\ufeff")
    body = text[1:] if marked else text
    if form == "auto":
        try:
            form = form_of(body)
        except RecursionError:
            form, body = "json", '"<cut:00000000>"'
    out = engine.document(body, form)
    for _ in range(ROUNDS_SHORT if len(out) < SHORT_CHARS else ROUNDS):
        again = Engine(detectors, session).document(out, form)
        if again == out:
            break
        out = again
    else:
        raise SanitizerRefused("a text that changes each time it is cleaned")
    return Sanitized(("\ufeff" if marked else "") + out, form, dict(session.counts))


def _forms(values: tuple[str, ...]) -> list[str]:
    from harness.packet.known import base64_forms, text_forms

    out: set[str] = set()
    for value in values:
        if len(value.strip()) >= 3:
            out |= text_forms(value) | base64_forms(value)
    return sorted(out)


def findings(text: str, *, known: Iterable[str] = ()) -> list[tuple[str, str]]:
    """(kind, value) of everything that `sanitize` would replace: the scan of wall 3. Stays in memory.

    Raises:
        SanitizerRefused: as `sanitize`.
    """
    problem: str
    try:
        session = Session(RULES, known=_forms(tuple(known)))
        session.keep_values = True
        Engine(likely(RULES), session).document(text, form_of(text))
        return session.values
    except Exception as error:  # noqa: BLE001 - as above
        problem = f"{type(error).__name__} at {_place()}"
    raise SanitizerRefused(f"the sanitizer stopped ({problem})")
