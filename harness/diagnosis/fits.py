"""Which caps agree with how an attempt ended: declared ones of the route's chain, and those that the catalog knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.conditions import LayerCap
from harness.diagnosis.elapsed import agrees
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layer import Layer

Ground = Literal["declared", "default", "own_word"]

# Layers that call on behalf of the user: what they raise says which timer of theirs fired.
CALLERS = frozenset({"browser", "sdk_client", "http_client"})
# Gateways and SDKs try again without saying so: tries that have been seen, and the longest pause between two.
HIDDEN_TRIES = (2, 3, 4, 6, 9)
LONGEST_PAUSE_S = 8.0


@dataclass(frozen=True)
class Fit:
    """A cap whose clock agrees with the end. `layer` is its entry in the catalog, `declared` its place in the chain."""

    product: str | None
    name: str  # what it is called on this route
    setting: str | None
    cap_s: float | None
    kind: str | None
    elapsed_ms: float | None
    ground: Ground
    layer: Layer | None = None
    tries: tuple[int, ...] = (1,)  # counts of tries that agree: pauses between them leave it open

    def said(self) -> str:
        """How it agrees, for a person."""
        after = "" if self.elapsed_ms is None else f"{self.elapsed_ms / 1000:.1f} s"
        if self.ground == "own_word":
            return f"it is {self.name}'s own word for its {self.setting}, after {after or 'an unknown time'}"
        kind = (self.kind or "").replace("_", " ")
        if self.tries != (1,):
            counts = " or ".join(filter(None, (", ".join(map(str, self.tries[:-1])), str(self.tries[-1]))))
            return f"{after} is {counts} times its {self.ground} {kind} cap of {self.cap_s:g} s, with pauses"
        return f"{after} on its {kind} clock agrees with its {self.ground} cap of {self.cap_s:g} s"


def declared_fits(evidence: Evidence, chain: Iterable[LayerCap], catalog: Sequence[Layer]) -> list[Fit]:
    """Caps of the chain that agree with their own clock.

    What the outermost layer writes reaches us as it is: a status that its timers never have was not one of them. What
    lies behind it may have been put in other words on the way.
    """
    found: list[Fit] = []
    declared = list(chain)
    for one in declared:
        layer = _entry(catalog, one)
        if one.layer == declared[0].layer and not _may_say(one.product, evidence.status, catalog):
            continue
        elapsed = evidence.clock(one.kind)
        if one.cap_s is not None and agrees(elapsed, one.cap_s, evidence.late_ms + _late_ms(layer), _early_ms(layer)):
            setting = one.setting or (layer.setting if layer else None)
            found.append(Fit(one.product, one.layer, setting, one.cap_s, one.kind, elapsed, "declared", layer))
    return found


def _may_say(product: str | None, status: int | None, catalog: Sequence[Layer]) -> bool:
    """Whether a product whose timers fire is known to answer so; true where nothing is known of it."""
    if status is None or status < 400:
        return True
    own = [layer for layer in catalog if layer.product == product and layer.is_cap]
    told = [one.status for layer in own for one in layer.signatures]
    return not told or any(not known or status in known for known in told)


def _entry(catalog: Sequence[Layer], one: LayerCap) -> Layer | None:
    """The catalog's entry for a declared cap: by its setting, else the product's first of that kind."""
    own = [layer for layer in catalog if layer.product == one.product]
    by_setting = [layer for layer in own if one.setting and one.setting in layer.setting]
    by_kind = [layer for layer in own if one.kind in layer.kinds]
    return next(iter((*by_setting, *by_kind, *own)), None)


def signed_fits(evidence: Evidence, signed: Iterable[Layer], chain: Sequence[LayerCap]) -> list[Fit]:
    """Caps of layers that signed, by what the chain declares for that product, else by what the catalog knows."""
    return [fit for layer in signed if layer.is_cap for fit in _caps_of(evidence, layer, chain, tries=(1,))]


def repeated_fits(evidence: Evidence, signed: Iterable[Layer], chain: Sequence[LayerCap]) -> list[Fit]:
    """The same for several tries in a row behind one reply. Only of layers that are known to try again: gateways."""
    again = [layer for layer in signed if layer.is_cap and layer.layer_class in ("gateway", "sdk_client")]
    return [fit for layer in again for fit in _caps_of(evidence, layer, chain, tries=HIDDEN_TRIES)]


def _caps_of(evidence: Evidence, layer: Layer, chain: Sequence[LayerCap], tries: Sequence[int]) -> Iterator[Fit]:
    own = [one for one in chain if one.product == layer.product and one.cap_s is not None]
    caps: list[tuple[float, str, Ground, str, str]] = [
        (one.cap_s or 0.0, one.kind, "declared", one.layer, one.setting or layer.setting)
        for one in own
        if one.kind in layer.kinds
    ]
    if not own:
        caps = [(cap, kind, "default", layer.product, layer.setting) for cap in layer.caps_s for kind in layer.kinds]
    for cap_s, kind, ground, name, setting in caps:
        elapsed = evidence.clock(kind)
        found = []
        for count in tries:
            pauses_ms = (count - 1) * LONGEST_PAUSE_S * 1000
            if agrees(elapsed, cap_s * count, evidence.late_ms + pauses_ms + _late_ms(layer), _early_ms(layer)):
                found.append(count)
        if found:
            yield Fit(layer.product, name, setting, cap_s, kind, elapsed, ground, layer, tuple(found))


def testimony(
    evidence: Evidence, signed: Iterable[Layer], chain: Sequence[LayerCap], catalog: Sequence[Layer]
) -> list[Fit]:
    """What a caller's own exception says of its own timers. Nobody else can have raised it."""
    found = []
    for layer in signed:
        told = evidence.failure and evidence.ended != "complete" and any(one.exception for one in layer.signatures)
        if layer.layer_class not in CALLERS or not layer.names_the_layer or not told:
            continue
        own = next((one for one in chain if one.product == layer.product and one.kind in layer.kinds), None)
        own = own or _wrapped(layer, chain, catalog)
        kind = own.kind if own else layer.kinds[0]
        found.append(
            Fit(
                product=own.product if own else layer.product,
                name=own.layer if own else layer.product,
                setting=(own.setting if own and own.setting else layer.setting),
                cap_s=own.cap_s if own else _near(evidence.elapsed.get(kind), layer),
                kind=kind,
                elapsed_ms=evidence.elapsed.get(kind, evidence.elapsed.get("total")),
                ground="own_word",
                layer=layer,
            )
        )
    return found


def _wrapped(layer: Layer, chain: Sequence[LayerCap], catalog: Sequence[Layer]) -> LayerCap | None:
    """The declared SDK whose HTTP library speaks here: it hands its own timeout down to it."""
    if layer.layer_class != "http_client":
        return None
    sdks = {one.product for one in catalog if one.layer_class == "sdk_client"}
    found = [one for one in chain if one.product in sdks and (one.kind in layer.kinds or one.kind == "total")]
    return found[0] if len({one.product for one in found}) == 1 else None


def _late_ms(layer: Layer | None) -> float:
    return 0.0 if layer is None else layer.late_s * 1000


def _early_ms(layer: Layer | None) -> float:
    return 0.0 if layer is None else layer.early_s * 1000


def _near(elapsed: float | None, layer: Layer) -> float | None:
    return next((cap for cap in layer.caps_s if agrees(elapsed, cap)), None)
