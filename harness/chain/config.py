"""A user's own configuration file → the caps in it: which product it is, what is set, what is left at its default."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from harness.chain.model import Cap
from harness.chain.reading import Found, Use
from harness.chain.settings import known_of, setting_of
from harness.chain.sources import Sources
from harness.errors import UsageProblem


@dataclass(frozen=True)
class Form:
    """A kind of file: the product, how such files are called, what stands in them, and the module that reads them."""

    name: str
    product: str
    called: re.Pattern[str]
    holds: re.Pattern[str]
    module: str


def _form(name: str, product: str, called: str, holds: str) -> Form:
    return Form(name, product, re.compile(called, re.IGNORECASE), re.compile(holds, re.MULTILINE), f"read_{name}")


# No pattern may run over line ends from a start that is everywhere: a megabyte of blank lines is read in no time.
FORMS: tuple[Form, ...] = (
    _form("nginx", "nginx", "nginx", r"^[ \t]*(?:(?:http|server|location|upstream)\b[^;\n]*\{|\w+_pass\b[^;\n]*;)"),
    _form("haproxy", "haproxy", "haproxy", r"^(?:global|frontend|backend|listen|defaults)\b[^{;=:\n]*$"),
    _form("caddyfile", "caddy", "caddyfile", r"^[ \t]*(?:reverse_proxy|php_fastcgi)\b[^;\n]*$"),
    _form("caddy_json", "caddy", r"caddy[\w.-]*\.json$", r'"apps"\s*:'),
    _form(
        "apache", "apache", "apache|httpd", r"(?i)^[ \t]*(?:<VirtualHost|ProxyPass|ProxyTimeout|<IfModule|Timeout \d)"
    ),
    _form("envoy", "envoy", "envoy", r"\b(?:static_resources|staticResources|virtual_hosts|typed_config)\"?\s*:"),
    _form("vercel", "vercel", r"^vercel[\w.-]*\.json$", r'"maxDuration"\s*:'),
)
NAMES = tuple(form.name for form in FORMS)


@dataclass(frozen=True)
class Reading:
    """What a file says. `caps` are those in force at the place that was asked for, or the lowest of all its places."""

    file: str
    form: str
    product: str
    recognised_by: str
    places: int
    caps: tuple[Cap, ...]
    notes: tuple[str, ...]


def read_config(given: str, folder: Path = Path(), layer: str | None = None) -> Reading:
    """Read one file: ``FILE``, ``FILE:LINE`` for the place that passes requests on at that line, ``FORM=FILE`` to say
    what it is.

    Raises:
        UsageProblem: it is none of `FORMS`, or cannot be read; with file and line.
    """
    named, _, rest = given.partition("=")
    wanted = next((form for form in FORMS if form.name == named), None) if rest else None
    text, line = _line_of(rest if wanted else given, folder)
    sources = Sources.open(folder / text)
    form, why = (wanted, "as you said") if wanted else _sniff(folder / text, sources.main.text)
    read: Callable[[Sources], list[Use]] = import_module(f"harness.chain.{form.module}").read
    try:
        uses = read(sources)
    except RecursionError:
        raise sources.main.problem(1, "nested too deeply") from None
    if not uses:
        raise sources.main.problem(1, f"read as {form.name}, and nothing in it passes requests on")
    picked = _picked(uses, sources.main.at(line) if line else None, sources)
    caps, differing = _lowest(form.product, layer or form.product, picked)
    notes = [*sources.notes, *differing]
    return Reading(text, form.name, form.product, why, len(uses), caps, tuple(notes))


def _line_of(text: str, folder: Path) -> tuple[str, int | None]:
    found = re.fullmatch(r"(.+):(\d{1,7})", text, re.DOTALL)
    try:
        whole = (folder / text).exists()
    except (OSError, ValueError):
        whole = False
    return (found[1], int(found[2])) if found and not whole else (text, None)


def _sniff(path: Path, text: str) -> tuple[Form, str]:
    """By what the file is called and by what stands in it."""
    scores = [(2 * bool(form.called.search(path.name)) + bool(form.holds.search(text)), form) for form in FORMS]
    best = max(score for score, _ in scores)
    found = [form for score, form in scores if score == best]
    if best == 0 or len(found) > 1:
        what = "not recognised" if best == 0 else f"could be {' or '.join(form.name for form in found)}"
        raise UsageProblem(f"{path}:1: {what}; say which with FORM=FILE, FORM one of {', '.join(NAMES)}")
    return found[0], {1: "by its directives", 2: "by its name", 3: "by its name and directives"}[best]


def _picked(uses: list[Use], place: str | None, sources: Sources) -> list[Use]:
    if place is None:
        return uses
    found = [use for use in uses if use.place == place]
    if not found:
        known = ", ".join(use.place.removeprefix(sources.main.label + ":") for use in uses[:12])
        raise UsageProblem(f"{place}: nothing here passes requests on; lines that do: {known}")
    return found


def _lowest(product: str, layer: str, uses: Iterable[Use]) -> tuple[tuple[Cap, ...], list[str]]:
    """Of each setting that applies somewhere, the lowest value; where places differ, that is said."""
    values: dict[str, list[Found]] = {}
    for use in uses:
        for name in use.applies:
            values.setdefault(name, []).append(use.settings.get(name) or _default(product, name))
    caps: list[Cap] = []
    notes: list[str] = []
    for name, found in values.items():
        least = min(found, key=lambda one: float("inf") if one.value_s is None else one.value_s)
        others = sorted({one.value_s for one in found if one.value_s is not None})
        if len(others) > 1:
            shown = ", ".join(f"{value:g} s" for value in others[:8])
            notes.append(f"{name} differs by place ({shown}): the lowest counts here; FILE:LINE picks a place")
        if least.value_s is None and least.default:
            continue  # no cap of this name, here or by default
        setting = setting_of(product, name)
        for kind in setting.kinds if setting else ():
            caps.append(
                Cap(layer=layer, product=product, kind=kind, cap_s=least.value_s, setting=name, place=least.place,
                    default=least.default, known=least.known)
            )  # fmt: skip
    return tuple(caps), notes


def _default(product: str, name: str) -> Found:
    known = known_of(product, name)
    value = known.default_s if known is not None else None
    return Found(value or None, None, default=True)
