"""Which layer gave up, weighed from what fits: a pure function of one attempt's evidence.

The order of strength. Our own cap and a caller's own exception are testimony. A signature together with a cap that
agrees attributes. A cap that agrees without a signature, several hidden tries of one, or cuts that pile up at a
constant infer. Anything less, and everything that fits two layers alike, stays undetermined with a short list. A status
alone names nobody: the same silent upstream is a 504 behind one proxy, a 502 behind another and no byte behind a third.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.conditions import LayerCap
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.fits import Fit, declared_fits, repeated_fits, signed_fits, testimony
from harness.diagnosis.layer import Layer
from harness.diagnosis.model import EvidenceRow, Grade
from harness.stats.constants import Constant

_REFUSED = re.compile(r"ECONNREFUSED|connection refused", re.IGNORECASE)
RECORD = "the backend's record for this job's id would prove whether the image was made"
GOES_ON = {
    "yes": "the work behind it usually goes on after this layer gives up",
    "no": "this layer takes the work behind it down with it",
    "never_reached": "when this cap fires the work behind it was never begun",
}


@dataclass(frozen=True)
class Attribution:
    """What is known of one attempt that may have been cut."""

    grade: Grade
    layer: str | None = None
    product: str | None = None
    setting: str | None = None
    cap_s: float | None = None
    cap_kind: str | None = None
    cut_at_ms: float | None = None
    backend_finished: bool | None = None
    first_move: str | None = None
    evidence: tuple[EvidenceRow, ...] = ()
    excluded: tuple[str, ...] = ()
    settle: str | None = None


@dataclass(frozen=True)
class Scene:
    """Everything beside the attempt itself that bears on it."""

    chain: tuple[LayerCap, ...]
    signed: tuple[Layer, ...]  # layers whose signature the reply, or the failure, bears
    catalog: tuple[Layer, ...]
    pile: Constant | None = None  # the constant that this attempt's time belongs to, in ms


def weigh(one: Evidence, scene: Scene) -> Attribution:
    """The attribution of one attempt, without the other side's record."""
    said = _looked(one, scene.signed)
    looked = EvidenceRow(fact=said, points="context" if said.startswith("nobody") else "for")
    spoken = testimony(one, scene.signed, scene.chain, scene.catalog)
    if spoken:
        return _agreed(one, spoken, looked, "attributed")
    naming = [layer for layer in scene.signed if layer.names_the_layer]
    if _made_by_the_api(one, naming):
        return _the_apis_own(one)
    fits = signed_fits(one, scene.signed, scene.chain)
    in_chain = [fit for fit in fits if fit.ground == "declared"]
    by_name = [fit for fit in fits if fit.layer is not None and fit.layer.names_the_layer]
    ranked: tuple[tuple[Sequence[Fit], Grade], ...] = (
        (in_chain, "attributed"),
        (by_name, "attributed"),
        (fits, "inferred"),
    )
    for found, grade in ranked:
        if found and _one_product(found):
            return _agreed(one, found, looked, grade)
        if found:
            return _several(found, looked)
    hidden = repeated_fits(one, naming, scene.chain)
    if hidden and _one_product(hidden):
        return _agreed(one, hidden, looked, "inferred")
    return _unsigned(one, scene, naming, looked)


def _unsigned(one: Evidence, scene: Scene, naming: Sequence[Layer], looked: EvidenceRow) -> Attribution:
    """No signature whose cap agrees: what the chain declares, then what the crowd shows."""
    declared = declared_fits(one, scene.chain, scene.catalog)
    if naming and not any(layer.is_cap for layer in naming):
        declared = []  # the reply says itself that it was no timer: refused, closed, or the upstream's own failure
    signers = {layer.product for layer in naming}
    if signers:
        # Somebody else signed. A cap of a third layer that happens to agree is no reason to accuse it.
        declared = [fit for fit in declared if fit.product in signers]
    # Pages that a product writes when the hop behind it failed, and never for a timer of its own.
    not_timed = {layer.product for layer in scene.signed} - {layer.product for layer in scene.signed if layer.is_cap}
    declared = [fit for fit in declared if fit.product not in not_timed]
    if declared and _one_product(declared):
        return _agreed(one, declared, looked, "inferred")
    if declared:
        return _several(declared, looked)
    if scene.pile is not None and not _refused(one, scene):
        return _piled(one, scene, scene.pile, naming, looked)
    return _open(one, scene, looked)


def _one_product(fits: Sequence[Fit]) -> bool:
    return len({(fit.product, fit.name) for fit in fits}) == 1


def _made_by_the_api(one: Evidence, naming: Sequence[Layer]) -> bool:
    """An error with the API's own request id was made by the API: measured, 18 of 19 against 4 of 126 of proxies."""
    return one.api_request_id and one.body_kind == "json" and (one.status or 0) >= 400 and not naming


def _the_apis_own(one: Evidence) -> Attribution:
    return Attribution(
        grade="undetermined",
        evidence=(
            EvidenceRow(fact=f"HTTP {one.status} carries the API's own request id", points="against"),
            EvidenceRow(fact=one.how_it_looked(), points="context"),
        ),
        excluded=("a proxy in front: it would not know the API's request id",),
        settle="the API's own record for this request id",
    )


def _agreed(one: Evidence, fits: Sequence[Fit], looked: EvidenceRow, grade: Grade) -> Attribution:
    """One layer fits. Where several settings of it fit alike they are named together: nothing tells them apart."""
    first = fits[0]
    settings = list(dict.fromkeys(fit.setting for fit in fits if fit.setting))
    kinds = {fit.kind for fit in fits}
    rows = [looked, EvidenceRow(fact=first.said())]
    if len(settings) > 1:
        alike = ", ".join(settings)
        rows.append(EvidenceRow(fact=f"nothing tells these settings apart: {alike}", points="context"))
    layer = first.layer
    if layer is not None and layer.backend_goes_on in GOES_ON:
        rows.append(EvidenceRow(fact=f"{GOES_ON[layer.backend_goes_on]} ({layer.grade})", points="context"))
    never_begun = layer is not None and layer.backend_goes_on == "never_reached" and len(settings) == 1
    return Attribution(
        grade=grade,
        layer=first.name,
        product=first.product,
        setting=" or ".join(settings) or None,
        cap_s=first.cap_s,
        cap_kind=first.kind if len(kinds) == 1 or first.ground == "declared" else None,
        cut_at_ms=None if never_begun else one.ended_at_ms,
        first_move=layer.first_move if layer is not None else f"raise the cap of {first.name} alone",
        evidence=tuple(rows),
        excluded=_look_alikes(layer),
        settle=RECORD,
    )


def _several(fits: Sequence[Fit], looked: EvidenceRow) -> Attribution:
    """Several layers fit alike: a list, not a guess."""
    names = list(dict.fromkeys(fit.name for fit in fits))
    rows = tuple(EvidenceRow(fact=f"{fit.name}: {fit.said()}") for fit in fits[:6])
    return Attribution(
        grade="undetermined",
        evidence=(looked, *rows),
        excluded=tuple(f"not told apart: {name}" for name in names),
        settle=f"the logs of {', '.join(names)}: their caps agree with the end alike",
    )


def _refused(one: Evidence, scene: Scene) -> bool:
    """The reply says itself that nothing was begun: the API was overloaded, or nobody took the connection."""
    turned_away = any(
        layer.layer_class == "upstream" and not layer.is_cap and layer.backend_goes_on == "never_reached"
        for layer in scene.signed
    )
    return turned_away or _REFUSED.search(f"{one.error_text} {one.body_head}") is not None


def _whose_timer(scene: Scene, naming: Sequence[Layer]) -> Layer | None:
    """Whose page it is, where nothing but a timer of that product leaves it."""
    if len({layer.product for layer in naming}) != 1 or not naming[0].is_cap:
        return None
    product = naming[0].product
    ambiguous = any(layer.product == product and not layer.is_cap for layer in scene.signed)
    return None if ambiguous else naming[0]


def _piled(one: Evidence, scene: Scene, pile: Constant, naming: Sequence[Layer], looked: EvidenceRow) -> Attribution:
    """No cap is known that agrees, but the ends of this route pile up at a constant: somebody's timer."""
    layer = _whose_timer(scene, naming)
    at_s = pile.at / 1000
    row = EvidenceRow(
        fact=f"{pile.count} of {pile.n} ends on this route pile up at {at_s:.1f} s (p = {pile.p_value:.1g}): "
        "a timer, not a crash"
    )
    return Attribution(
        grade="inferred",
        layer=layer.product if layer else "a layer not named by the evidence",
        product=layer.product if layer else None,
        setting=layer.setting if layer else None,
        cap_s=round(at_s, 1),
        cap_kind="total",
        cut_at_ms=one.ended_at_ms,
        first_move="declare the layers of this route and their caps in the scenario, then look for this constant",
        evidence=(looked, row),
        excluded=_look_alikes(layer),
        settle="the chain of this route with its caps, or the logs of its hops",
    )


def _open(one: Evidence, scene: Scene, looked: EvidenceRow) -> Attribution:
    """Nothing decides. Who signed is worth a list; whose cap was not reached is worth a word."""
    rows = [looked]
    for layer in scene.signed[:3]:
        kind = layer.kinds[0]
        known = [f"{cap:g} s" for cap in layer.caps_s]
        known += [f"{c.cap_s:g} s declared" for c in scene.chain if c.product == layer.product and c.cap_s]
        elapsed = one.elapsed.get(kind)
        after = "an unknown time" if elapsed is None else f"{elapsed / 1000:.1f} s"
        rows.append(
            EvidenceRow(
                fact=f"{layer.title}: {after} is none of its caps ({', '.join(known) or 'none known'})",
                points="against",
            )
        )
    # A declared cap whose clock is not in this evidence cannot be ruled out either.
    unclocked = [c for c in scene.chain if c.cap_s is not None and c.kind not in one.elapsed]
    for cap in unclocked[:3]:
        clock = cap.kind.replace("_", " ")
        fact = f"{cap.layer} ({cap.product or 'no product named'}): its {clock} clock is not known here"
        rows.append(EvidenceRow(fact=fact, points="context"))
    names = list(dict.fromkeys((*(layer.product for layer in scene.signed), *(c.layer for c in unclocked))))
    settle = "the log of the hops on this route, or of the backend, for the ids of this job"
    if names:
        settle = f"the log of {' or '.join(names[:4])} for this moment"
        settings = ", ".join(dict.fromkeys(layer.setting for layer in scene.signed[:4]))
        settle += f"; and the value of {settings}, declared as chain" if settings else ""
    return Attribution(
        grade="undetermined",
        evidence=tuple(rows),
        excluded=tuple(f"may have written it: {name}" for name in names[:6]),
        settle=settle,
    )


def _looked(one: Evidence, signed: Sequence[Layer]) -> str:
    # A bare close has many possible authors, and a list of all of them says nothing.
    names = list(dict.fromkeys(layer.product for layer in signed if layer.names_the_layer))
    if not names:
        return f"nobody known signed it: {one.how_it_looked()}"
    return f"this is how {' or '.join(names[:4])} ends a call: {one.how_it_looked()}"


def _look_alikes(layer: Layer | None) -> tuple[str, ...]:
    """What looks the same, and how it is told apart."""
    if layer is None:
        return ()
    alike = (*(other.replace("_", " ") for other in layer.confused_with), *layer.confused_with_others)
    rows = [f"looks alike: {other}" for other in alike[:5]]
    if layer.told_apart_by:
        rows.append(f"told apart by: {layer.told_apart_by}")
    return tuple(rows)


def with_record(found: Attribution, one: Evidence, *, finished: bool, later: bool, took: str) -> Attribution:
    """Add what the other side's own record says: it made the image, and whether that was after the cut."""
    if not finished:
        row = EvidenceRow(fact="the backend's record: this job was not finished", points="against")
        return replace(found, evidence=(*found.evidence, row), backend_finished=False)
    row = EvidenceRow(fact=f"the backend's record, matched by id: it made this image{took}")
    if not later:
        return replace(found, evidence=(*found.evidence, row), backend_finished=True)
    return replace(
        found,
        grade="proven",
        layer=found.layer or found.product or "a layer not named by the evidence",
        cut_at_ms=found.cut_at_ms if found.cut_at_ms is not None else one.ended_at_ms,
        evidence=(*found.evidence, row),
        backend_finished=True,
        settle=None if found.layer else found.settle,
    )
