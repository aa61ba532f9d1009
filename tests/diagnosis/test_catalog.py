"""The catalog holds together: closed words, expressions that cannot run away, and look-alikes that know each other."""

from __future__ import annotations

import time
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.diagnosis.catalog import load_catalog
from harness.diagnosis.layer import BYTES_RESET, CLASSES, GOES_ON, GRADES, KINDS, Layer
from harness.diagnosis.patterns import what_runs_away
from harness.evidence import kept_headers

CATALOG = load_catalog()
BY_ID = {layer.id: layer for layer in CATALOG}
FACTS = Path(__file__).parents[2].parent / "shared" / "data" / "layers.yaml"
GRADE_OF = {
    "observed": "measured", "source_read": "documented", "doc_read": "documented", "doc_not_opened": "documented",
    "report_read": "reported",
}  # fmt: skip
# Entries of ours that the facts do not have, and why.
OURS = {
    "gunicorn_sync_worker_killed": "up to 21.2 it closes without a reply, since 22.0 it writes a page",
    "azure_openai_idle_60": "a first-hand report gives 60 s of silence for what else has no constant",
    "haproxy_bad_gateway": "its page is signed, and tells of a server that hung up: no timer of HAProxy's own",
}
every = pytest.mark.parametrize("layer", CATALOG, ids=lambda layer: layer.id)


def patterns(layer: Layer) -> dict[str, Any]:
    found = {f"log {number}": one for number, one in enumerate(layer.log)}
    for number, signature in enumerate(layer.signatures):
        for part in ("body", "error", "exception"):
            if getattr(signature, part) is not None:
                found[f"{part} {number}"] = getattr(signature, part)
        found |= {f"{name} {number}": one for name, one in signature.headers.items()}
    return found


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(layer.id for layer in CATALOG).items() if count > 1] == []


@every
def test_an_entry_uses_the_closed_words_and_says_what_to_do_and_how_it_is_known(layer: Layer) -> None:
    assert layer.layer_class in CLASSES
    assert set(layer.kinds) <= set(KINDS)
    assert layer.kinds
    assert layer.bytes_reset_it in BYTES_RESET
    assert layer.backend_goes_on in GOES_ON
    assert layer.grade in GRADES
    assert layer.source
    assert layer.first_move[0] == layer.first_move[0].lower() or layer.first_move[:4].isupper()
    assert not layer.first_move.endswith(".")
    assert layer.version or layer.grade != "measured"


@every
def test_whoever_names_a_look_alike_says_how_the_two_are_told_apart(layer: Layer) -> None:
    assert layer.id not in layer.confused_with
    assert set(layer.confused_with) <= set(BY_ID)
    assert layer.told_apart_by or not (layer.confused_with or layer.confused_with_others)


@every
def test_an_entry_that_names_the_layer_has_a_signature_or_is_no_reply_at_all(layer: Layer) -> None:
    assert layer.signatures or not layer.names_the_layer
    for signature in layer.signatures:
        # A status names nobody, save where it is one vendor's own and its header stands beside it.
        told = signature.headers or signature.body or signature.error or signature.exception
        assert told, layer.id


@every
def test_a_signature_looks_only_at_headers_that_an_event_keeps(layer: Layer) -> None:
    for signature in layer.signatures:
        kept, _ = kept_headers((name, "x") for name in signature.headers)
        assert set(kept) == set(signature.headers)


def test_no_two_entries_share_a_signature_without_saying_so() -> None:
    silent = [
        (one.id, other.id)
        for one, other in combinations(CATALOG, 2)
        if {s.key() for s in one.signatures} & {s.key() for s in other.signatures}
        and not (
            other.id in one.confused_with
            and one.id in other.confused_with
            and one.told_apart_by
            and other.told_apart_by
        )
    ]
    assert silent == []


@pytest.mark.parametrize("pattern", ["a*", "a+b", "a{3,}", "(a{0,9}){0,9}", "((a|b{2}){3})", "a{0,501}", "x" * 601])
def test_an_expression_that_may_run_away_is_refused(pattern: str) -> None:
    assert what_runs_away(pattern) is not None


@pytest.mark.parametrize("pattern", [r"a\+", "[*+]", r"\d{1,9}ms", "(a|b)?c{0,200}", "^$", r"\(", "[]*]x", "a{b}"])
def test_a_bounded_expression_is_taken(pattern: str) -> None:
    assert what_runs_away(pattern) is None


@every
def test_every_expression_is_bounded(layer: Layer) -> None:
    assert {name: why for name, one in patterns(layer).items() if (why := what_runs_away(one.pattern))} == {}


def literal_of(pattern: str) -> str:
    """The text that an expression is made of: what tempts it to begin, over and over."""
    plain = "".join(char for char in pattern.replace("\\s", " ").replace("\\d", "1") if char not in "\\^$()[]{}|?*+")
    return plain[:24] or "x"


def cpu_of(pattern: Any, text: str) -> float:
    began = time.process_time()
    pattern.search(text)
    return time.process_time() - began


@every
def test_every_expression_takes_time_in_proportion_to_its_text(layer: Layer) -> None:
    for name, one in patterns(layer).items():
        for unit in (literal_of(one.pattern), literal_of(one.pattern)[:6], "1", " ", "<", "\n"):
            text = unit * (100_000 // len(unit))
            once, twice = cpu_of(one, text[:50_000]), cpu_of(one, text)
            # Three times for twice the text, and a floor under what the clock and a busy machine make of little.
            assert twice <= 3 * once + 0.05, f"{layer.id} {name}: {once:.4f} s, then {twice:.4f} s"
            assert twice < 1.0


@pytest.fixture(scope="module")
def facts() -> list[dict[str, Any]]:
    if not FACTS.exists():
        pytest.skip("the collected facts are not beside this repository")
    found: list[dict[str, Any]] = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    return found


def test_every_collected_fact_has_its_entry_with_the_same_figures(facts: list[dict[str, Any]]) -> None:
    assert {fact["id"] for fact in facts} | set(OURS) == set(BY_ID)
    for fact in facts:
        layer = BY_ID[fact["id"]]
        kinds = tuple("first_byte" if kind == "ttfb" else kind for kind in fact["cap_kind"])
        status = {one for signature in layer.signatures for one in signature.status} - {0}
        assert (layer.default_s, layer.max_s) == (fact["default_s"], fact["max_s"]), layer.id
        assert layer.kinds == kinds, layer.id
        assert status == set(fact["http_status"]), layer.id
        assert layer.grade == GRADE_OF[fact["evidence"]], layer.id
        # An entry may know more of its log than the facts do (an edge's own log says its status), never less.
        assert layer.log or not fact["log_signatures"], layer.id
        assert ("not re-verified" in (layer.note or "")) or fact["evidence"] != "doc_not_opened", layer.id


def test_our_words_are_our_own(facts: list[dict[str, Any]]) -> None:
    for fact in facts:
        layer = BY_ID[fact["id"]]
        ours = " ".join(filter(None, (layer.first_move, layer.note, layer.told_apart_by, layer.after_headers)))
        for text in (fact["first_safe_move"], fact["note"], fact["backend_keeps_running"]):
            copied = [part for part in text.split(". ") if len(part) > 50 and part.lower() in ours.lower()]
            assert copied == [], layer.id
