"""Checks that span several fields, made on the raw tree so that one mistake elsewhere does not hide them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.scenario.cells import FIELDS, Placed, expand, where_text
from harness.scenario.early_stop_checks import check_early_stop
from harness.scenario.estimates import profiles
from harness.scenario.family_checks import check_family_cell
from harness.scenario.fields import check_model
from harness.scenario.findings import SECRET_FIX, Findings, as_list, as_map
from harness.scenario.hypothesis_checks import check_hypotheses
from harness.scenario.models import ENV_REFERENCE, Matrix, RequestFields
from harness.scenario.objectives import parse_objective
from harness.scenario.reader import Path
from harness.scenario.use_checks import check_uses
from harness.scenario.words import Mistake, known_secret, listing, looks_secret, nearest, secret_name, show

MAX_JOBS = 200_000
MAX_SCALE = 10_000
Env = Mapping[str, str] | None  # None: variables are not checked
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding"}


def size_rules(tree: Mapping[str, object]) -> dict[str, object]:
    """Validation context: the model whose size rules hold. A wrong name most likely meant the default."""
    model = tree.get("model", "gpt-image-2")
    try:
        return {"model": check_model(model) if isinstance(model, str) else "gpt-image-2"}
    except Mistake:
        return {"model": "gpt-image-2"}


def check_secrets(tree: object, findings: Findings, path: Path = ()) -> None:
    """No value anywhere in the file may look like a key of a well-known shape."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            check_secrets(value, findings, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            check_secrets(value, findings, (*path, index))
    elif isinstance(tree, str) and known_secret(tree) and not findings.reported(path):
        findings.add(path, "this value looks like a key or token", SECRET_FIX)


def check_prompts(tree: Mapping[str, object], findings: Findings) -> None:
    """Exactly one source of prompts, and at least one prompt."""
    if findings.under("prompts", "prompts_file"):
        return
    if "prompts" in tree and "prompts_file" in tree:
        findings.add(("prompts_file",), "prompts and prompts_file are both given", "keep one of the two")
    elif "prompts" not in tree and "prompts_file" not in tree:
        findings.add((), "`prompts` is missing", "add `prompts:` with at least one, or `prompts_file:`")
    elif tree.get("prompts") == []:
        findings.add(("prompts",), "prompts is empty", "give at least one prompt")


def check_routes(tree: Mapping[str, object], env: Env, findings: Findings) -> None:
    """Secrets stay outside, at most one route is the direct one, and (with `env`) every variable is set."""
    direct: list[str] = []
    for name, raw in as_map(tree.get("routes")).items():
        route = as_map(raw)
        if route.get("direct") is True:
            direct.append(name)
            if len(direct) == 2:
                findings.add(
                    ("routes", name, "direct"),
                    f"{direct[0]} is the direct route already",
                    "set direct: true on one route",
                )
        _check_headers(("routes", name, "headers"), as_map(route.get("headers")), env, findings)
        variable, url = route.get("api_key_env"), route.get("base_url")
        if isinstance(variable, str):
            _check_env(("routes", name, "api_key_env"), variable, env, findings)
        elif isinstance(url, str) and "api.openai.com" in url and "api_key_env" not in route:
            findings.add(("routes", name), f"route {show(name)} has no key", "add `api_key_env: OPENAI_API_KEY`")


def _check_headers(path: Path, headers: Mapping[str, object], env: Env, findings: Findings) -> None:
    for name, value in headers.items():
        here = (*path, name)
        if not _HEADER_NAME.fullmatch(name):
            findings.add(here, f"{show(name)} cannot be a header's name", "use letters, digits and hyphens")
        elif name.lower() in _OURS:
            findings.add(here, f"the client itself sets {name.lower()}", "leave it out")
        if not isinstance(value, str):
            continue
        literal = ENV_REFERENCE.sub("", value)
        if "${" in literal:
            findings.add(here, f"the reference in header {show(name)} is not closed or not a name", "write ${ENV_NAME}")
        elif not value.isprintable():
            findings.add(here, f"header {show(name)} holds a line break or control character", "write one line")
        elif looks_secret(literal) or (secret_name(name) and not ENV_REFERENCE.search(value)):
            findings.add(here, f"header {show(name)} holds a secret", "export the value and refer to it: ${ENV_NAME}")
        for variable in ENV_REFERENCE.findall(value):
            _check_env(here, variable, env, findings)


def _check_env(path: Path, variable: str, env: Env, findings: Findings) -> None:
    if env is None or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable) or looks_secret(variable):
        return
    if not env.get(variable):
        findings.add(path, f"the environment variable {variable} is not set", f"export {variable}=…")


def check_simulator(tree: Mapping[str, object], findings: Findings) -> None:
    """The embedded API's own section is open; only what the routes need of it is checked."""
    simulator = as_map(tree.get("simulator"))
    layers = simulator.get("layers", {})
    if not isinstance(layers, dict):
        findings.add(("simulator", "layers"), "layers must be a mapping of name to layer", "write `edge: {…}` lines")
        layers = {}
    for name, layer in layers.items():
        if not isinstance(layer, dict):
            findings.add(("simulator", "layers", name), f"layer {show(name)} must be a mapping", "write {cap_s: 60}")
    scale = simulator.get("time_scale", 1)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 1 <= scale <= MAX_SCALE:
        fix = f"write a number from 1 to {MAX_SCALE}"
        findings.add(("simulator", "time_scale"), f"time_scale cannot be {show(scale)}", fix)
        scale = 1
    profile = simulator.get("profile")
    if profile is not None and (not isinstance(profile, str) or profile not in profiles()):
        near = nearest(profile, profiles()) if isinstance(profile, str) else None
        fix = f"write {near or listing(sorted(profiles()))}"
        findings.add(("simulator", "profile"), f"there is no latency profile {show(profile)}", fix)
    for name, raw in as_map(tree.get("routes")).items():
        url = as_map(raw).get("base_url")
        path = ("routes", name, "base_url")
        if not isinstance(url, str) or findings.known(path):
            continue
        layer = url.removeprefix("simulator://") if url.startswith("simulator://") else None
        if layer and layer not in layers:
            near = nearest(layer, layers)
            fix = (
                f"write simulator://{near}" if near else f"add `{layer}:` under simulator.layers, or write simulator://"
            )
            findings.add(path, f"simulator.layers has no {show(layer)}", fix)
        if layer is None and scale != 1:
            findings.add(
                path,
                f"time_scale is {scale:g}, but route {show(name)} leads to the real world",
                "a scaled and an unscaled world do not mix: set time_scale: 1, or use simulator:// on every route",
            )


def check_cells(tree: Mapping[str, object], findings: Findings) -> None:
    """What only shows once the axes are crossed. Needs `matrix`, `defaults` and `routes` to be right by themselves."""
    if findings.under("matrix", "defaults", "model") or not as_map(tree.get("routes")):
        return
    context = size_rules(tree)
    matrix = Matrix.model_validate(tree.get("matrix", {}), context=context)
    defaults = RequestFields.model_validate(tree.get("defaults", {}), context=context)
    routes = tuple(as_map(tree.get("routes")))
    given = {name: getattr(defaults, name) for name in FIELDS}
    include = [item.given() for item in matrix.include]
    result = expand(matrix.given(), include, [item.given() for item in matrix.exclude], given, routes)
    if result.too_many:
        findings.add(("matrix",), "the axes cross into more than 2000 cells", "drop an axis, or use include")
        return
    for origin in result.homeless:
        findings.add(origin, "no route is named for these cells", f"add `route: [{', '.join(routes)}]`")
    for index in result.idle_excludes:
        findings.add(("matrix", "exclude", index), "this exclude drops nothing", "correct its values, or take it out")
    if not result.cells and not result.homeless:
        findings.add(
            ("matrix",), "every cell is excluded: nothing is left to run", "drop an exclude, or add an include"
        )
    seen: dict[str, Placed] = {}
    for placed in result.cells:
        _check_cell(placed, routes, findings)
        check_family_cell(placed, tree, findings)
        if placed.cell.id in seen and not findings.known(placed.origin):
            findings.add(
                placed.origin, f"the cell {placed.cell.id} is there already", "drop it here, or make it differ"
            )
        seen.setdefault(placed.cell.id, placed)
    repeats = tree.get("repeats", 1)
    if isinstance(repeats, int) and len(seen) * repeats > MAX_JOBS:
        findings.add(
            ("repeats",), f"{len(seen)} cells × {repeats} repeats is too many", f"keep it under {MAX_JOBS} jobs"
        )
    if seen:
        _check_objectives(tree, list(seen.values()), findings)
        check_hypotheses(tree, [placed.cell for placed in seen.values()], findings)
        check_early_stop(tree, [placed.cell for placed in seen.values()], findings)
        check_uses(tree, [placed.cell for placed in seen.values()], findings)


def _check_cell(placed: Placed, routes: tuple[str, ...], findings: Findings) -> None:
    cell, declared = placed.cell, placed.declared

    def at(field: str) -> Path:
        return (*placed.origin, field) if field in declared else ("defaults", field)

    if cell.route not in routes:
        near = nearest(cell.route, routes)
        findings.add(at("route"), f"there is no route {show(cell.route)}", f"write {near or listing(routes)}")
    if cell.output_compression is not None and cell.output_format in (None, "png"):
        word = "png" if cell.output_format else "png (the default format)"
        findings.add(
            at("output_compression"),
            f"output_compression does not apply to {word}",
            "set output_format jpeg or webp, use null for png, or exclude these cells",
        )
    if cell.background == "transparent" and cell.output_format == "jpeg":
        findings.add(at("background"), "jpeg has no transparent background", "use png or webp, or exclude these cells")
    if cell.partial_images is not None and declared.get("stream") is False:
        findings.add(
            at("stream"),
            "partial_images needs a stream, and stream is false here",
            "drop stream, use partial_images: null where it is false, or exclude these cells",
        )


def _check_objectives(tree: Mapping[str, object], cells: list[Placed], findings: Findings) -> None:
    """An objective that can never apply would pass for ever: refuse it."""
    classes = [as_map(prompt).get("complexity") for prompt in as_list(tree.get("prompts"))]
    for index, text in enumerate(as_list(tree.get("objectives"))):
        try:
            objective = parse_objective(text) if isinstance(text, str) else None
        except Mistake:
            continue  # reported with the field
        where = dict(objective.where) if objective else {}
        complexity = where.pop("prompt_complexity", None)
        hit = [placed for placed in cells if all(where_text(placed.cell, key) == value for key, value in where.items())]
        if not hit or (complexity is not None and complexity not in classes):
            findings.add(
                ("objectives", index), f"no cell matches the braces of {show(text)}", "use values that the matrix has"
            )
            continue
        repeats = tree.get("repeats", 1)
        most = sum(placed.cell.n for placed in hit) * (repeats if isinstance(repeats, int) else MAX_JOBS)
        if objective and objective.images and objective.images > most:
            fix = f"ask for {most} or fewer, or raise repeats"
            findings.add(("objectives", index), f"{show(text)}: the run makes {most} such images at most", fix)
