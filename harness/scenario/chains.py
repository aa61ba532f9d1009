"""``chain: [{from: nginx.conf}]``: layers out of a user's own configuration, put where the item stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from harness.chain.config import read_config
from harness.chain.model import DECLARABLE
from harness.errors import UsageProblem
from harness.scenario.findings import Findings, as_list, as_map
from harness.scenario.reader import Document
from harness.scenario.reader import Path as TreePath
from harness.scenario.words import show

LONGEST_S = 86_400
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def fill_chains(
    document: Document, tree: Mapping[str, object], folder: Path, findings: Findings, digest: hashlib._Hash
) -> None:
    """Replace each ``from`` item of a chain by the layers that its file declares. What was read is in the digest."""
    for name, route in as_map(tree.get("routes")).items():
        items = as_list(as_map(route).get("chain"))
        if not isinstance(route, dict) or not any("from" in as_map(item) for item in items):
            continue
        path: TreePath = ("routes", name, "chain")
        places = {at: place for at, place in document.places.items() if at[:3] == path and len(at) > 3}
        for at in places:
            del document.places[at]
        filled: list[object] = []
        for index, item in enumerate(items):
            line = places.get((*path, index), document.line(path))
            here = (*path, len(filled))
            if "from" not in as_map(item):
                moved = {at: place for at, place in places.items() if at[3] == index}
                document.places.update({(*here, *at[4:]): place for at, place in moved.items()})
                filled.append(item)
                continue
            document.places[here] = line
            layers = _layers(as_map(item), here, folder, findings)
            digest.update(repr(layers).encode())
            document.places.update({(*path, len(filled) + number): line for number in range(len(layers))})
            filled += layers
        route["chain"] = filled


def _layers(item: Mapping[str, object], here: TreePath, folder: Path, findings: Findings) -> list[object]:
    given, name = item["from"], item.get("layer")
    if set(item) - {"from", "layer"}:
        extra = next(iter(set(item) - {"from", "layer"}))
        findings.add(here, f"{show(extra)} does not stand beside `from`", "the file says it; keep `from` and `layer`")
        return []
    if not isinstance(given, str) or not given or not (name is None or _fits(name)):
        findings.add(here, "`from` or `layer` is not a name", "write `{from: nginx.conf, layer: edge}`")
        return []
    try:
        reading = read_config(given, folder, layer=name if isinstance(name, str) else None)
    except UsageProblem as error:
        findings.add(here, str(error), "mend it there, name the file by FORM=FILE, or declare the layer by hand")
        return []
    return [
        {"layer": cap.layer, "product": cap.product, "kind": cap.kind, "cap_s": cap.cap_s, "setting": cap.setting}
        for cap in reading.caps
        if cap.kind in DECLARABLE and (cap.cap_s is None or cap.cap_s <= LONGEST_S)
    ]


def _fits(name: object) -> bool:
    return isinstance(name, str) and _SLUG.fullmatch(name) is not None
