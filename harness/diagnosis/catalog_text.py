"""The catalog on a terminal: a row a cap, and everything that is known of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap

from harness.diagnosis.layer import Layer, Signature

WIDTH = 100
_RESET = {
    "yes": "yes: bytes on the wire start its clock anew",
    "no": "no: it fires whatever flows",
    "not_applicable": "does not apply",
    "unknown": "not known",
}
_GOES_ON = {
    "yes": "yes",
    "no": "no: it goes down with it",
    "never_reached": "it was never reached",
    "unknown": "not known",
}


def rows(layers: Sequence[Layer]) -> Iterator[str]:
    """One line a cap: id, setting, kinds, default, grade; and how many there are."""
    width = max((len(layer.id) for layer in layers), default=2)
    setting = min(max((len(layer.setting) for layer in layers), default=7), 32)
    yield f"{'id':<{width}}  {'setting':<{setting}}  {'default':>8}  {'grade':<10}  kinds"
    for layer in layers:
        named = layer.setting if len(layer.setting) <= setting else layer.setting[: setting - 1] + "…"
        yield (
            f"{layer.id:<{width}}  {named:<{setting}}  {seconds(layer.default_s):>8}  {layer.grade:<10}  "
            f"{', '.join(layer.kinds)}"
        )
    products = len({layer.product for layer in layers})
    yield f"{len(layers)} caps of {products} products; `harness layers ID` explains one"


def seconds(value: float | None) -> str:
    """A cap in seconds; `none` where there is none, `off` where it is switched off unless set."""
    return "none" if value is None else "off" if value == 0 else f"{value:g} s"


def explain(layer: Layer) -> Iterator[str]:
    """Everything that is known of one cap."""
    yield f"{layer.title}  [{layer.id}]"
    yield f"  {layer.product}, {layer.layer_class.replace('_', ' ')}; set by {layer.set_by or 'nobody outside'}"
    yield from _part("setting", layer.setting)
    seen = (
        "" if not layer.defaults_seen_s else f" (also seen: {', '.join(f'{cap:g} s' for cap in layer.defaults_seen_s)})"
    )
    most = "" if layer.max_s is None else f", at most {layer.max_s:g} s"
    yield from _part("default", f"{seconds(layer.default_s)}{most}{seen}")
    if layer.late_s:
        yield from _part("", f"may show up to {layer.late_s:g} s late: its timer ticks")
    yield from _part("counts", ", ".join(kind.replace("_", " ") for kind in layer.kinds))
    for at, signature in enumerate(layer.signatures):
        yield from _part("looks like" if at == 0 else "or", looks(signature))
    if not layer.signatures:
        yield from _part("looks like", "nothing of its own")
    if not layer.names_the_layer:
        yield from _part("", "others look alike: this alone names nobody")
    for at, line in enumerate(layer.log):
        yield from _part("its log" if at == 0 else "", line.pattern)
    yield from _part("after headers", layer.after_headers or "not known")
    yield from _part("reset by bytes", _RESET[layer.bytes_reset_it])
    note = f"; {layer.backend_note}" if layer.backend_note else ""
    yield from _part("goes on behind", _GOES_ON[layer.backend_goes_on] + note)
    alike = (*layer.confused_with, *layer.confused_with_others)
    if alike:
        yield from _part("looks alike", ", ".join(alike))
    if layer.told_apart_by:
        yield from _part("told apart by", layer.told_apart_by)
    yield from _part("first move", layer.first_move)
    if layer.example:
        yield from _part("example", layer.example)
    if layer.note:
        yield from _part("note", layer.note)
    yield from _part("known by", layer.grade + (f": {layer.version}" if layer.version else ""))
    for at, source in enumerate(layer.source):
        yield from _part("source" if at == 0 else "", source)


def looks(signature: Signature) -> str:
    """A signature in one line; its expressions are shown as they are."""
    parts = []
    if signature.status:
        answers = [str(status) for status in sorted(signature.status) if status]
        parts.append(f"HTTP {' or '.join(answers)}" if answers else "no answer")
    parts += [f"{name} ~ {one.pattern}" for name, one in signature.headers.items()]
    for part in ("body", "error", "exception"):
        one: re.Pattern[str] | None = getattr(signature, part)
        if one is not None:
            parts.append(f"{part} ~ {one.pattern}")
    return "; ".join(parts)


def found(
    layers: Sequence[Layer],
    *,
    name: str | None = None,
    text: str | None = None,
    status: int | None = None,
    layer_class: str | None = None,
) -> tuple[Layer, ...]:
    """Entries by id or product, a text anywhere in them, a status of theirs, a class; all that are given hold."""
    wanted = None if name is None else name.lower()
    return tuple(
        layer
        for layer in layers
        if (wanted is None or wanted in (layer.id, layer.product))
        and (text is None or text.lower() in _all_text(layer))
        and (status is None or any(status in signature.status for signature in layer.signatures))
        and (layer_class is None or layer.layer_class == layer_class)
    )


def plain(layer: Layer) -> dict[str, object]:
    """An entry as JSON: the fields of the file, expressions as text."""
    value: dict[str, object] = {
        ("class" if name == "layer_class" else name): getattr(layer, name) for name in layer.__dataclass_fields__
    }
    value["log"] = [one.pattern for one in layer.log]
    value["signatures"] = [_plain_signature(signature) for signature in layer.signatures]
    return value


def _plain_signature(signature: Signature) -> dict[str, object]:
    texts = {part: getattr(signature, part) for part in ("body", "error", "exception")}
    return {
        "status": sorted(signature.status),
        "headers": {name: one.pattern for name, one in signature.headers.items()},
        **{part: None if one is None else one.pattern for part, one in texts.items()},
    }


def _all_text(layer: Layer) -> str:
    return " ".join(map(str, plain(layer).values())).lower()


def _part(name: str, text: str) -> Iterator[str]:
    for at, line in enumerate(wrap(text, WIDTH - 18, break_long_words=False, break_on_hyphens=False) or [""]):
        yield f"  {name if at == 0 else '':<14}  {line}"
