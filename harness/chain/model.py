"""What the rest of this room speaks of: a cap of a layer, and how long a job is expected to wait."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from harness.conditions import CapKind, Caps, LayerCap

Kind = Literal["total", "idle", "first_byte", "connect", "request_read"]
DECLARABLE: tuple[CapKind, ...] = get_args(CapKind)
PREVIEWS = 3  # of the stream that is put forward as a way out: as many as the API sends
OURS = "client"  # what our own timeouts are called in a chain


@dataclass(frozen=True, kw_only=True)
class Cap:
    """One cap of one layer. `cap_s` null: the layer is there and its cap is not known, or there is none."""

    layer: str
    product: str | None = None
    kind: Kind = "total"
    cap_s: float | None = None
    setting: str | None = None
    place: str | None = None  # file:line of the configuration that it was read from
    default: bool = False  # nobody set it: the product's own default, from the catalog
    known: bool = True  # false: it is set, by a variable


@dataclass(frozen=True, kw_only=True)
class Wait:
    """How long the jobs of a cell are expected to wait, in seconds. Null where nothing is known, and `note` says why.

    `silence_s` is the longest time without a byte. `needed_s` is what a cap has to allow so that hardly a job is cut,
    and `needed_silence_s` the same of the silence. `streamed_silence_s` is what the silence would be as a stream with
    previews; null where that cannot be told. `polls`: it is a task that is asked for in short calls, so no cap on the
    way has to last as long as it.
    """

    cell: str
    streamed: bool
    whole_s: float | None
    silence_s: float | None = None
    needed_s: float | None = None
    needed_silence_s: float | None = None
    streamed_silence_s: float | None = None
    basis: str | None = None
    note: str | None = None
    polls: bool = False

    def under(self, kind: Kind) -> float | None:
        """How long this kind of cap has to last at the expected time; null where it does not bite or nothing is known.

        Without a stream nothing comes before the whole answer. With one the headers may come early, so nothing is said
        of the first byte. A connection's cap and one on reading the request have nothing to do with the wait.
        """
        return self._of(kind, self.whole_s, self.silence_s)

    def allowed(self, kind: Kind) -> float | None:
        """The same for hardly a job to be cut."""
        return self._of(kind, self.needed_s or self.whole_s, self.needed_silence_s or self.silence_s)

    def _of(self, kind: Kind, whole: float | None, silence: float | None) -> float | None:
        if kind == "total":
            return whole
        if kind == "idle":
            return silence
        return whole if kind == "first_byte" and not self.streamed else None


def declared(chain: Iterable[LayerCap], ours: Caps | None = None) -> tuple[Cap, ...]:
    """A route's declared layers with our own timeouts in front of them: outermost first."""
    ours = ours or Caps()
    own: tuple[tuple[Kind, float | None, str], ...] = (
        ("connect", ours.connect_s, "timeouts.connect"),
        ("first_byte", ours.first_byte_s, "timeouts.first_byte"),
        ("idle", ours.idle_s, "timeouts.idle"),
        ("total", ours.total_s, "timeouts.total"),
    )
    mine: list[Cap] = [
        Cap(layer=OURS, product="harness", kind=kind, cap_s=cap_s, setting=setting)
        for kind, cap_s, setting in own
        if cap_s is not None
    ]
    theirs = [
        Cap(layer=one.layer, product=one.product, kind=one.kind, cap_s=one.cap_s, setting=one.setting) for one in chain
    ]
    return (*mine, *theirs)


def layers_of(caps: Sequence[Cap]) -> list[tuple[str, tuple[Cap, ...]]]:
    """The layers with their caps, in the order in which they were first named: outermost first."""
    names = list(dict.fromkeys(cap.layer for cap in caps))
    return [(name, tuple(cap for cap in caps if cap.layer == name)) for name in names]
