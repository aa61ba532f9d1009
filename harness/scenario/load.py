"""``load_scenario``: a path, or ``-`` for standard input → a `Scenario`, or every mistake at once."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from harness.errors import Problem, ScenarioError
from harness.scenario import checks, family_checks
from harness.scenario.cells import ALIASES
from harness.scenario.chains import fill_chains
from harness.scenario.findings import Findings, as_list, as_map
from harness.scenario.load_checks import check_load
from harness.scenario.models import Scenario
from harness.scenario.reader import Document, read_document
from harness.scenario.reader import Path as TreePath
from harness.scenario.words import show

STDIN = "<stdin>"


def load_scenario(path: Path | str, *, env: Mapping[str, str] | None = None, check_env: bool = True) -> Scenario:
    """Read and check a scenario.

    Args:
        path: the file, or ``-`` for standard input.
        env: where environment variables are looked up; the process's own by default.
        check_env: whether every variable that the routes name must be set. Planning and checking need none.

    Raises:
        ScenarioError: with every problem found, each with file, line and fix. Nothing else escapes.
    """
    stdin = str(path) == "-"
    file = STDIN if stdin else str(path)
    folder = Path() if stdin else Path(path).parent
    try:
        raw = sys.stdin.buffer.read() if stdin else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ScenarioError([_unreadable(file, error)]) from None
    return _load(raw, file, folder, (os.environ if env is None else env) if check_env else None)


def load_text(text: str, *, source: str, env: Mapping[str, str] | None = None) -> Scenario:
    """The same from a text in hand; `source` stands for the file in messages.

    Raises:
        ScenarioError: as `load_scenario` does.
    """
    return _load(text.encode("utf-8", "surrogatepass"), source, Path(), os.environ if env is None else env)


def _load(raw: bytes, file: str, folder: Path, env: Mapping[str, str] | None) -> Scenario:
    document = read_document(raw, file)
    if not isinstance(document.tree, dict):
        if not document.problems:
            document.problem(1, "a scenario is a mapping of fields", "start from scenarios/demo.yaml")
        raise ScenarioError(document.problems)

    tree = document.tree
    _settle_aliases(document, tree)
    digest = hashlib.sha256(raw)
    findings = Findings(document)
    _join_prompts(document, tree, folder, findings, digest)
    _find_ca_files(tree, folder, findings)
    fill_chains(document, tree, folder, findings, digest)
    for data in family_checks.check_references(tree, folder, findings):
        digest.update(data)
    scenario: Scenario | None = None
    try:
        scenario = Scenario.model_validate(tree, context=checks.size_rules(tree))
    except ValidationError as error:
        findings.add_errors(error.errors(include_url=False, include_input=False), tree)
    checks.check_routes(tree, env, findings)
    family_checks.check_families(tree, findings)
    checks.check_secrets(tree, findings)
    checks.check_simulator(tree, findings)
    check_load(tree, findings)
    checks.check_prompts(tree, findings)
    checks.check_cells(tree, findings)

    problems = findings.problems()
    if problems or scenario is None:
        raise ScenarioError(problems)
    scenario._sha256 = digest.hexdigest()
    scenario._source = Path(file).name
    return scenario


def _unreadable(file: str, error: Exception) -> Problem:
    match error:
        case FileNotFoundError():
            return Problem(file, 1, "there is no such file", "check the path; scenarios/demo.yaml is a start")
        case IsADirectoryError():
            return Problem(file, 1, "this is a folder", "give the scenario file in it")
        case PermissionError():
            return Problem(file, 1, "the file may not be read", "check its permissions")
        case _:
            return Problem(file, 1, f"the file cannot be read ({type(error).__name__})", "check the path")


def _settle_aliases(document: Document, tree: dict[str, object]) -> None:
    """``format`` and ``compression`` become the API's own names; where both stand, that is a mistake."""
    matrix = as_map(tree.get("matrix"))
    where: list[tuple[TreePath, object]] = [(("defaults",), tree.get("defaults")), (("matrix",), matrix)]
    for part in ("include", "exclude"):
        where += [(("matrix", part, index), item) for index, item in enumerate(as_list(matrix.get(part)))]
    for path, fields in where:
        for alias, name in ALIASES.items():
            if not isinstance(fields, dict) or alias not in fields:
                continue
            if name in fields:
                line = document.line((*path, alias)).line
                document.problem(line, f"{alias} and {name} are the same field", f"keep {name}")
                del fields[alias]
                continue
            fields[name] = fields.pop(alias)
            _graft(document, document, (*path, alias), (*path, name))


def _graft(target: Document, source: Document, old: TreePath, new: TreePath) -> None:
    moved = {p: place for p, place in source.places.items() if p[: len(old)] == old}
    target.places.update({(*new, *p[len(old) :]): place for p, place in moved.items()})


def _join_prompts(
    document: Document, tree: dict[str, object], folder: Path, findings: Findings, digest: hashlib._Hash
) -> None:
    """Read the prompt file, if there is one, into ``prompts``. Its mistakes carry its own name and lines."""
    name = tree.get("prompts_file")
    if not isinstance(name, str) or not name or "prompts" in tree:
        return
    here: TreePath = ("prompts_file",)
    if Path(name).is_absolute():
        findings.add(here, "prompts_file must be relative to this file", "put the prompt file beside the scenario")
        return
    try:
        raw = (folder / name).read_bytes()
    except (OSError, ValueError) as error:
        findings.add(here, f"{show(name)}: {_unreadable(name, error).what}", "check the path, relative to this file")
        return
    digest.update(raw)
    prompts = read_document(raw, str(folder / name))
    if prompts.problems:
        findings.add(here, f"{show(name)} has mistakes of its own", "mend them there")
        findings.add_problems(prompts.problems)
        return
    inner: TreePath = ()
    if isinstance(prompts.tree, dict) and set(prompts.tree) == {"prompts"}:
        inner = ("prompts",)
    value = as_map(prompts.tree).get("prompts") if inner else prompts.tree
    if not isinstance(value, list) or not value:
        findings.add(here, f"{show(name)} is not a list of prompts", "write one prompt a line, each after `- `")
        return
    _graft(document, prompts, inner, ("prompts",))
    tree["prompts"] = value
    del tree["prompts_file"]


def _find_ca_files(tree: Mapping[str, object], folder: Path, findings: Findings) -> None:
    for name, route in as_map(tree.get("routes")).items():
        if not isinstance(route, dict) or not isinstance(route.get("ca_file"), str):
            continue
        try:
            there = (folder / str(route["ca_file"])).is_file()
        except (OSError, ValueError):
            there = False
        if there:
            route["ca_file"] = str((folder / str(route["ca_file"])).resolve())
        else:
            findings.add(
                ("routes", name, "ca_file"), "ca_file does not exist", "give a PEM file, relative to this file"
            )
