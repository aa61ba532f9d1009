"""Checks of what a route family can carry: options of the right family, edits, streams, hops, reference files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from harness.scenario.cells import Placed
from harness.scenario.families import FAMILIES, FamilyOptions
from harness.scenario.findings import Findings, as_list, as_map
from harness.scenario.reader import Path
from harness.scenario.words import listing, nearest, show

MAX_REFERENCE_BYTES = 50 * 1024 * 1024
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def kind_of(route: object) -> str:
    """The kind that a route of the file has; the default where it says none, or nonsense."""
    kind = as_map(route).get("kind", "images")
    return kind if isinstance(kind, str) and kind in FAMILIES else "images"


def check_families(tree: Mapping[str, object], findings: Findings) -> None:
    """Every route has the options of its own family, and only those; hops are other routes of the file."""
    routes = as_map(tree.get("routes"))
    for name, raw in routes.items():
        route, kind = as_map(raw), kind_of(raw)
        if route.get("kind", kind) != kind:
            continue  # no such kind: that has been said
        for field in FamilyOptions.model_fields:
            if field in route and field != kind:
                findings.add(
                    ("routes", name, field),
                    f"route {show(name)} is of kind {kind}, which has no {field} options",
                    f"write `kind: {field}`, or take it out",
                )
        if kind == "task" and "task" not in route:
            fix = "add `task: {preset: generic}`, or evolink, fal, replicate, kie, or a mapping"
            findings.add(("routes", name), f"route {show(name)} has no task mapping", fix)
        for index, hop in enumerate(as_list(route.get("hops"))):
            if isinstance(hop, str) and (hop not in routes or hop == name):
                near = nearest(hop, [other for other in routes if other != name])
                fix = f"write {near}" if near else "name other routes of this file, outermost first"
                findings.add(("routes", name, "hops", index), f"there is no other route {show(hop)}", fix)


def check_family_cell(placed: Placed, tree: Mapping[str, object], findings: Findings) -> None:
    """Whether the route's family can carry this cell."""
    cell, declared = placed.cell, placed.declared

    def at(field: str) -> Path:
        return (*placed.origin, field) if field in declared else ("defaults", field)

    kind = kind_of(as_map(tree.get("routes")).get(cell.route))
    family = FAMILIES[kind]
    if cell.edits and not family.edits:
        able = listing([name for name, one in FAMILIES.items() if one.edits])
        fix = f"use a route of kind {able}, or exclude these cells"
        findings.add(at("reference_images"), f"routes of kind {kind} carry no reference images", fix)
    if cell.stream and not family.streams:
        where = "partial_images" if "partial_images" in declared else "stream"
        findings.add(at(where), f"routes of kind {kind} have no streams", "exclude these cells")
    if not cell.edits and (cell.mask or cell.edit_form is not None):
        where = "mask" if cell.mask else "edit_form"
        fix = "set reference_images, or exclude the cells without"
        findings.add(at(where), f"{where} needs reference images, and there are none here", fix)
    if kind == "azure" and cell.edit_form == "json":
        findings.add(at("edit_form"), "Azure takes edits as multipart only", "use multipart, or exclude these cells")
    if kind == "responses" and cell.n != 1:
        findings.add(at("n"), "the image tool makes one image a call", "leave n out, or exclude these cells")


def check_references(tree: dict[str, object], folder: FilePath, findings: Findings) -> list[bytes]:
    """Resolve the files that the scenario names relative to itself (references, mask, layers); give their bytes."""
    found: list[bytes] = []
    names = [(("references", index), name) for index, name in enumerate(as_list(tree.get("references")))]
    resolved: list[object] = []
    for path, name in names:
        resolved.append(_resolve(path, name, folder, SUFFIXES, findings, found))
    if names:
        tree["references"] = resolved
        most = max(_asked_references(tree), default=0)
        if most > len(names):
            findings.add(
                ("references",),
                f"{most} reference images are asked for, and {len(names)} files are named",
                f"name {most} files, or leave `references` out to have pictures made up",
            )
    if isinstance(tree.get("layers"), list):
        tree["layers"] = [
            _resolve(("layers", index), name, folder, (".yaml", ".yml"), findings, found)
            for index, name in enumerate(as_list(tree["layers"]))
        ]
    if "mask_file" in tree:
        tree["mask_file"] = _resolve(("mask_file",), tree["mask_file"], folder, (".png",), findings, found)
    return found


def _asked_references(tree: Mapping[str, object]) -> list[int]:
    matrix = as_map(tree.get("matrix"))
    places = [as_map(tree.get("defaults")), matrix, *map(as_map, as_list(matrix.get("include")))]
    asked = [place.get("reference_images") for place in places]
    flat = [one for value in asked for one in (value if isinstance(value, list) else [value])]
    return [one for one in flat if isinstance(one, int) and not isinstance(one, bool)]


def _resolve(
    path: Path, name: object, folder: FilePath, suffixes: tuple[str, ...], findings: Findings, found: list[bytes]
) -> object:
    if not isinstance(name, str):
        return name  # its type is reported with the field
    if not name.lower().endswith(suffixes):
        findings.add(path, f"{show(name)} is not a {listing([s[1:] for s in suffixes])} file", "name another file")
        return name
    try:
        file = folder / name
        if file.stat().st_size > MAX_REFERENCE_BYTES:
            findings.add(path, f"{show(name)} is larger than 50 MB, which the API refuses", "make it smaller")
            return name
        found.append(file.read_bytes())
    except (OSError, ValueError):
        findings.add(path, f"{show(name)} cannot be read", "check the path, relative to this file")
        return name
    return str(file.resolve())
