"""What a hop's own log says of who gave up: stronger than how the answer looked, because the hop wrote it itself.

*self*: this hop gave up on the one behind it. The innermost such hop is the one that did; hops further out only passed
its answer on. *client*: whoever called the outermost hop that says so closed first: a layer in front of every log that
is here. *upstream*: the hop behind closed or refused, which is no timeout of the writer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.diagnosis.elapsed import shown
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layer import Layer
from harness.diagnosis.model import EvidenceRow
from harness.diagnosis.weigh import RECORD, Attribution, Scene, weigh

_GROUNDS = {"own": "", "id": ", found by its id", "time": ", found by its time and shape"}


def in_their_words(one: Evidence, scene: Scene) -> Attribution | None:
    """The attribution by the hops' own logs; null where they name nobody, or say that the one behind failed."""
    selves = [word for word in one.log_words if word.get("gave_up") == "self"]
    if selves:
        return _gave_up(one, selves[-1], scene)
    left = next((word for word in one.log_words if word.get("gave_up") == "client"), None)
    return None if left is None else _was_left(one, left, scene)


def _gave_up(one: Evidence, word: Mapping[str, Any], scene: Scene) -> Attribution:
    product, after = str(word["writer"]), word.get("after_ms")
    said = EvidenceRow(fact=f"the log of {product}{_GROUNDS[word['ground']]}: {_word(word)} after {shown(after)}")
    settings = _settings(word, scene.catalog)
    # Weighed by the hop's own clock, as if it had signed the reply: its log is its signature.
    clocks = one.elapsed if after is None else {**one.elapsed, "total": after, "first_byte": after}
    if word.get("connected"):
        clocks = {kind: ran for kind, ran in clocks.items() if kind != "connect"}
    found = weigh(replace(one, elapsed=clocks, api_request_id=False), replace(scene, signed=settings))
    if found.product == product and found.grade != "undetermined":
        return replace(found, grade="attributed", evidence=(said, *found.evidence[1:]))
    piled = scene.pile.at / 1000 if scene.pile is not None else None
    names = " or ".join(dict.fromkeys(layer.setting for layer in settings)) or None
    return Attribution(
        grade="attributed",
        layer=product,
        product=product,
        setting=names if len(settings) == 1 else None,
        cap_s=None if piled is None else round(piled, 1),
        cut_at_ms=one.ended_at_ms,
        first_move=f"raise {names or 'the timeout'} of {product} alone",
        evidence=(said,),
        settle=RECORD,
    )


def _settings(word: Mapping[str, Any], catalog: Sequence[Layer]) -> tuple[Layer, ...]:
    """Caps of the writer that fit its word: those whose log line it is, else all of its caps."""
    own = [layer for layer in catalog if layer.product == word["writer"] and layer.is_cap]
    said = str(word.get("word") or "")
    exact = [layer for layer in own if said and any(pattern.search(f" {said} ") for pattern in layer.log)]
    return tuple(exact or own)


def _was_left(one: Evidence, word: Mapping[str, Any], scene: Scene) -> Attribution:
    writer = str(word["writer"])
    after = word.get("after_ms") if word.get("after_ms") is not None else one.ended_at_ms
    said = EvidenceRow(fact=f"the log of {writer}{_GROUNDS[word['ground']]}: {_word(word)} after {shown(after)}")
    piled = scene.pile.at / 1000 if scene.pile is not None else None
    rows = [said]
    if scene.pile is not None:
        rows.append(EvidenceRow(fact=f"{scene.pile.count} of {scene.pile.n} ends pile up at {piled:.1f} s: a timer"))
    return Attribution(
        # Without a pile it may have been a person who closed a tab.
        grade="attributed" if scene.pile is not None else "inferred",
        # A browser has no caller: it is its page's script, or whoever closed it.
        layer="the browser page" if writer == "browser" else f"the caller of {writer}",
        product=None,
        cap_s=None if piled is None else round(piled, 1),
        cut_at_ms=one.ended_at_ms,
        first_move="find the page's own timer (AbortSignal.timeout, AbortController, xhr.timeout); raise it alone"
        if writer == "browser"
        else f"find the timeout of whatever calls {writer}; then raise it alone",
        evidence=tuple(rows),
        settle="the page's code"
        if writer == "browser"
        else f"the log, or the timeout setting, of whatever calls {writer}",
    )


def _word(word: Mapping[str, Any]) -> str:
    means = {"self": "it gave up on the call", "client": "its caller closed first"}[str(word["gave_up"])]
    if word["writer"] == "browser" and word["gave_up"] == "client":
        means = "the page, or whoever closed it, ended it"
    return f"{means} ({word['word']})" if word.get("word") else means
