"""Values of this very run and machine that must be absent from a bundle, in every form they could take.

Shapes catch what looks secret; this catches what *is* secret here: the environment's keys, the user, the host, the
prompts. A scan that refuses for ever would be bypassed, so four documented rules keep common values out of it:

* what already stands in the tool's own fixed words (`public_text`) cannot be a leak of this run: user ``queue``, say;
* fewer than three characters, or fewer than twelve and nothing but digits and punctuation, is not searched for;
* what a packet says in the open anyway is not searched for: a date or time, a model's name, a size in pixels;
* fewer than five characters, or an everyday account or host name, counts only as a whole word, and never inside an id.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import html
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from harness.conditions import RunConditions
from harness.events import JobEvent
from harness.packet.shapes import ALLOWED_HOSTS, looks_private

SECRET_NAME = re.compile(
    r"(?i)key|token|secret|passw|pwd|credential|auth|cookie|session|dsn|sas|private|webhook|signature|bearer"
    r"|(?:org|organi[sz]ation|project|account|tenant|customer|channel|client|user).{0,16}id$"
)
HOST_NAME = re.compile(r"(?i)url|endpoint|host|proxy|base|server|addr")
MIN_SECRET = 8
WHOLE_WORD_UNDER = 5
EVERYDAY = frozenset(
    {"admin", "ubuntu", "debian", "runner", "docker", "jenkins", "vagrant", "nobody", "guest", "build", "python",
     "localhost", "server", "desktop", "laptop", "macbook", "default", "github", "gitlab", "circleci", "harness",
     "codespace", "vscode", "users"}
)  # fmt: skip
_IN_THE_OPEN = re.compile(
    r"20[0-9]{2}-?[01][0-9]-?[0-3][0-9](?:[T _-]?[0-9:.+Z-]{0,30})?"
    r"|gpt-image-[1-9][a-z0-9.-]{0,40}|chatgpt-image-latest|dall-e-[23]|[0-9]{2,5}x[0-9]{2,5}"
)


@dataclass(frozen=True)
class KnownValue:
    """One value and the rule that a report of it names."""

    rule: str
    value: str = field(repr=False)


def _letters(value: str) -> int:
    return sum(character.isalpha() for character in value)


def searchable(value: str, public: str) -> bool:
    """Whether finding this value would mean anything."""
    value = value.strip()
    if len(value) < 3 or (len(value) < 12 and _letters(value) == 0) or _IN_THE_OPEN.fullmatch(value):
        return False
    return value.casefold() not in public


def needs_word_edges(value: str) -> bool:
    """Whether the value is so short or common that it counts only as a word of its own."""
    return len(value) < WHOLE_WORD_UNDER or value.casefold() in EVERYDAY


def environment_values(environ: Mapping[str, str]) -> Iterator[KnownValue]:
    """Secret-looking variables, by name or by the value's shape, and the hosts of configured addresses."""
    for name, value in environ.items():
        value = value.strip()
        if len(value) >= MIN_SECRET and (SECRET_NAME.search(name) or looks_private(value)):
            yield KnownValue("environment-secret", value)
        if HOST_NAME.search(name) and "://" in value:
            try:
                parts = urlsplit(value)
            except ValueError:
                continue
            if parts.hostname and parts.hostname not in ALLOWED_HOSTS:
                yield KnownValue("environment-host", parts.hostname)
            if parts.password:
                yield KnownValue("environment-secret", parts.password)


def machine_values() -> Iterator[KnownValue]:
    """User, home, host and local addresses. Nothing is sent: connecting a UDP socket only picks a source address."""
    with contextlib.suppress(KeyError, OSError, ImportError):
        yield KnownValue("user-name", getpass.getuser())
    home = Path.home() if os.environ.get("HOME") else Path("/")
    if len(home.parts) > 1:
        yield KnownValue("home-path", str(home))
    host = socket.gethostname()
    yield KnownValue("host-name", host)
    if "." in host:
        yield KnownValue("host-name", host.partition(".")[0])
    for family, nowhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((nowhere, 9))
                yield KnownValue("local-address", str(probe.getsockname()[0]).partition("%")[0])
        except OSError:
            continue


def run_values(run_dir: Path, conditions: RunConditions, events: Iterable[JobEvent]) -> Iterator[KnownValue]:
    """The run's own paths, freely chosen names, prompts and foreign texts."""
    for path in dict.fromkeys((str(run_dir), str(run_dir.absolute()), str(run_dir.resolve()), run_dir.resolve().name)):
        if len(path) >= WHOLE_WORD_UNDER:
            yield KnownValue("run-path", path)
    names = [conditions.scenario, conditions.why, conditions.run_id, conditions.simulator_profile or ""]
    for route in conditions.routes:
        names += [route.name, *(layer.layer for layer in route.chain)]
    texts: dict[tuple[str, str], None] = {("run-name", name): None for name in names}
    for event in events:
        texts[("run-name", event.route)] = None
        texts[("prompt", event.prompt_text or "")] = None
        for attempt in event.attempts:
            texts[("error-text", (attempt.error.message if attempt.error else None) or "")] = None
            texts[("error-text", attempt.body_head or "")] = None
    for rule, text in texts:
        floor = {"prompt": 3, "run-name": WHOLE_WORD_UNDER, "error-text": 24}[rule]
        if len(text.strip()) >= floor:
            yield KnownValue(rule, text.strip())
        if rule == "prompt":
            yield from (KnownValue(rule, line.strip()) for line in text.splitlines() if len(line.strip()) >= 16)


def text_forms(value: str) -> frozenset[str]:
    """The value as text may carry it; compared without regard to case."""
    plain = json.dumps(value)[1:-1]
    percent = quote(value, safe="")
    forms = {
        value, plain, plain.replace("/", "\\/"), json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1],
        repr(value.encode("utf-8", "surrogatepass"))[2:-1],
        percent, quote(value), quote(percent, safe=""), value.replace(" ", "+"), html.escape(value),
        value.encode("utf-8", "surrogatepass").hex(), value.encode("utf-16-le", "surrogatepass").hex(),
        " ".join(value.split()),
    }  # fmt: skip
    return frozenset(form.casefold() for form in forms)


def base64_forms(value: str) -> frozenset[str]:
    """The part of the value's base64 that does not depend on its neighbours, at each of the three alignments."""
    data = value.encode("utf-8", "surrogatepass")
    forms: set[str] = set()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data).decode()
        start = (0, 2, 3)[shift]
        end = len(whole.rstrip("=")) - (1 if whole.endswith("=") else 0)
        stable = whole[start:end]
        if len(stable) >= 8:
            forms |= {stable, stable.replace("+", "-").replace("/", "_")}
    return frozenset(forms)


class Needle:
    """A known value made ready to be looked for."""

    def __init__(self, known: KnownValue) -> None:
        self.rule = known.rule
        self._text_forms: frozenset[str] = frozenset()
        self._base64_forms: frozenset[str] = frozenset()
        self._word: re.Pattern[str] | None = None
        if needs_word_edges(known.value):
            self._word = re.compile(rf"(?<![^\W_]){re.escape(known.value.casefold())}(?![^\W_])")
        else:
            self._text_forms = text_forms(known.value)
            self._base64_forms = base64_forms(known.value)

    def found_in(self, text: str, folded: str, without_ids: str) -> bool:
        """Whether it is there in any form. `folded` is the text case-folded, `without_ids` that without its ids."""
        if self._word is not None:
            return self._word.search(without_ids) is not None
        return any(form in folded for form in self._text_forms) or any(form in text for form in self._base64_forms)
