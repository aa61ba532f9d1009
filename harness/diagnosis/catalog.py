"""The catalog of layers that give up: signatures, settings, caps; from ``data/layers.yaml`` and users' own files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from harness.diagnosis.catalog_file import read_layers
from harness.diagnosis.layer import CHAIN, Layer, Signature
from harness.errors import HarnessError, Problem, UsageProblem

__all__ = ["Layer", "Signature", "load_catalog", "signed_by"]

SHIPPED = "data/layers.yaml"


@cache
def load_catalog(extra: tuple[Path, ...] = ()) -> tuple[Layer, ...]:
    """Every layer that is known, those of the caller's own files first.

    An entry of a user's file replaces the shipped one of the same id.

    Raises:
        UsageProblem: a file of `extra` cannot be used; the message names every mistake with file:line and its fix.
    """
    shipped, problems = read_layers(files("harness").joinpath(SHIPPED).read_bytes(), SHIPPED)
    if problems:
        raise HarnessError("\n".join(map(str, problems)))
    own: dict[str, Layer] = {}
    for path in extra:
        layers = _read_own(path, frozenset(layer.id for layer in shipped) | frozenset(own))
        own.update({layer.id: layer for layer in layers})
    return (*own.values(), *(layer for layer in shipped if layer.id not in own))


def _read_own(path: Path, known: frozenset[str]) -> tuple[Layer, ...]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        problem = Problem(str(path), 1, f"cannot be read ({error.strerror})", "give a file as in docs/layers.md")
        raise UsageProblem(str(problem)) from None
    layers, problems = read_layers(raw, str(path), known)
    if problems:
        raise UsageProblem("\n".join(map(str, problems)))
    return layers


def signed_by(
    status: int | None,
    headers: Mapping[str, str],
    body_head: str,
    error_text: str,
    failure: str | Sequence[str] = "",
    *,
    layers: Sequence[Layer] | None = None,
) -> tuple[Layer, ...]:
    """Every layer whose signature this reply or failure bears, in the catalog's order; empty when nobody known signed.

    `headers` have lower-case names, `failure` is an attempt's exception chain. A bare close has many possible authors:
    such entries say `names_the_layer: false`.
    """
    chain = failure if isinstance(failure, str) else CHAIN.join(failure)
    return tuple(
        layer
        for layer in (load_catalog() if layers is None else layers)
        if any(one.matches(status, headers, body_head, error_text, chain) for one in layer.signatures)
    )
