"""Wall 3: look at the final bytes, and write nothing when anything is found.

Wall 1 should make this wall idle. It stands all the same, over every member, every member's name, the manifest and the
preview: in the raw text and in its decoded views, for shapes that must never leave and for the values of this run; and
with the eyes of wall 2, which must have nothing left to take out.
A hit names its rule and its member and never the value. There is no way to overrule it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from harness.errors import LeakRefused
from harness.packet.known import KnownValue, Needle, searchable
from harness.packet.sanitize import findings
from harness.packet.shapes import find
from harness.packet.views import MAX_CHARS, views


@dataclass(frozen=True, order=True)
class Hit:
    """One rule broken in one member. It does not hold what broke it."""

    member: str
    rule: str


def _plain(data: bytes) -> bool:
    """Everything a bundle holds is printable ASCII and newlines: nothing can hide in look-alikes or control bytes."""
    return all(32 <= byte < 127 or byte == 10 for byte in data)


def scan(
    members: Mapping[str, bytes],
    *,
    known: Iterable[KnownValue] = (),
    allowed: Collection[str] = (),
    public: str = "",
    names: Collection[str] | None = None,
    sanitizer: bool = True,
) -> list[Hit]:
    """Every rule that these bytes break, sorted.

    Args:
        members: name → final bytes.
        known: values that must be absent.
        allowed: whole opaque tokens that belong here (anchored ids, digests).
        public: case-folded fixed text of the tool; a known value that stands in it is not searched for.
        names: the member names that may exist; null skips that check.
        sanitizer: look with the eyes of wall 2 as well.
    """
    wanted = [Needle(one) for one in dict.fromkeys(known) if searchable(one.value, public)]
    hits: set[Hit] = set()
    for number, (name, data) in enumerate(members.items(), start=1):
        shown = name if names is not None and name in names else f"member {number}"
        if names is not None and name not in names:
            hits.add(Hit(shown, "unlisted-member"))
        for text, where in ((name, f"{shown} (its name)"), (_text(data, shown, hits), shown)):
            hits.update(Hit(where, rule) for rule in _broken(text, wanted, allowed))
            if sanitizer:
                hits.update(Hit(where, rule) for rule in _left_over(text, allowed, public))
    return sorted(hits)


def _text(data: bytes, shown: str, hits: set[Hit]) -> str:
    if len(data) > MAX_CHARS:
        hits.add(Hit(shown, "member-too-large"))
        return ""  # refused already; not worth the time
    if not _plain(data):
        hits.add(Hit(shown, "not-plain-text"))
    return data.decode("utf-8", "replace")


def _broken(text: str, wanted: Iterable[Needle], allowed: Collection[str]) -> set[str]:
    rules: set[str] = set()
    for view in views(text):
        rules.update(find(view, allowed))
        folded = without_ids = view.casefold()
        for token in allowed:
            without_ids = without_ids.replace(token.casefold(), " ")
        rules.update(one.rule for one in wanted if one.found_in(view, folded, without_ids))
    return rules


# What wall 2 also takes out of foreign texts, and what a packet holds of its own: our sentences, the synthetic prompt
# of the reproduction, our waterfall. Somebody's prompt is searched for as a known value, and a canary stands in for it.
_OUR_OWN = frozenset({"text", "prompt", "image"})


@functools.lru_cache(maxsize=64)
def _found(text: str) -> tuple[tuple[str, str], ...]:
    """The same members are looked at before and after they are written."""
    return tuple(findings(text))


def _left_over(text: str, allowed: Collection[str], public: str) -> set[str]:
    """What wall 2 would take out of this text, by kind."""
    if not text.strip():
        return set()
    return {
        f"sanitizer-{kind}"
        for kind, value in _found(text)
        if kind not in _OUR_OWN and value not in allowed and value.casefold() not in public
    }


def refuse(hits: Iterable[Hit]) -> None:
    """Stop when there is a hit.

    Raises:
        LeakRefused: with rule and member of each hit.
    """
    lines = [f"  {hit.rule} in {hit.member}" for hit in hits]
    if lines:
        raise LeakRefused(
            "the leak scan found something that must not leave; nothing was written:\n"
            + "\n".join(lines)
            + "\nThe value is not shown. Remove its source from the run directory or report this rule as a false alarm."
        )
