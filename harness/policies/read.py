"""A policy file: YAML → `PolicyFile`, or every mistake at once with file, line and fix."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from harness.errors import Problem, ScenarioError
from harness.policies.model import Policy, PolicyFile, Retry
from harness.scenario.findings import Findings
from harness.scenario.reader import read_document
from harness.scenario.words import listing, nearest, show

EXAMPLE = "scenarios/policies/retry-storm.yaml"


def read_policies(path: Path | str) -> PolicyFile:
    """Read and check a policy file; ``-`` is standard input.

    Raises:
        ScenarioError: with every problem found.
    """
    stdin = str(path) == "-"
    file = "<stdin>" if stdin else str(path)
    try:
        raw = sys.stdin.buffer.read() if stdin else Path(path).read_bytes()
    except (OSError, ValueError) as error:
        what = "there is no such file" if isinstance(error, FileNotFoundError) else "the file cannot be read"
        raise ScenarioError([Problem(file, 1, what, f"check the path; {EXAMPLE} is a start")]) from None
    return parse_policies(raw, file)


def parse_policies(raw: bytes, file: str) -> PolicyFile:
    """The same of bytes in hand; `file` stands for them in messages.

    Raises:
        ScenarioError: with every problem found.
    """
    document = read_document(raw, file)
    if not isinstance(document.tree, dict):
        if not document.problems:
            document.problem(1, "a policy file is a mapping of fields", f"start from {EXAMPLE}")
        raise ScenarioError(document.problems)
    findings = Findings(document, PolicyFile)
    found: PolicyFile | None = None
    try:
        found = PolicyFile.model_validate(document.tree)
    except ValidationError as error:
        findings.add_errors(error.errors(include_url=False, include_input=False), document.tree)
    if found is not None:
        _check_file(found, findings)
    problems = findings.problems()
    if problems or found is None:
        raise ScenarioError(problems)
    return found


def _check_file(found: PolicyFile, findings: Findings) -> None:
    load = found.load
    if (load.rate is None) == (load.concurrency is None):
        findings.add(("load",), "the load is a rate or a concurrency, one of the two", "write `load: {rate: 6/1m}`")
    for name, route in found.routes.items():
        if route.same_as is not None and (route.same_as == name or route.same_as not in found.routes):
            near = nearest(route.same_as, [other for other in found.routes if other != name])
            findings.add(("routes", name, "same_as"), f"{show(route.same_as)} is no other route of this file",
                         f"write {near}" if near else "name it under `routes:` as well: `NAME: {}`")  # fmt: skip
        elif route.same_as is not None and found.routes[route.same_as].same_as is not None:
            findings.add(("routes", name, "same_as"), "same_as leads on to another same_as", "name the last one")
        last_s = None if load.rate is None else load.jobs / load.rate
        if route.down is not None and last_s is not None and route.down.after >= last_s:
            findings.add(("routes", name, "down", "after"), f"the last job begins at about {last_s:.0f} s, before that",
                         "let it begin earlier, or raise `load.jobs`")  # fmt: skip
    seen: dict[str, int] = {}
    for index, policy in enumerate(found.policies):
        if policy.name in seen:
            findings.add(("policies", index, "name"), f"{show(policy.name)} is given twice", "rename one of the two")
        seen[policy.name] = index
        _check_policy(policy, index, findings)


def _check_policy(policy: Policy, index: int, findings: Findings) -> None:
    at: tuple[str | int, ...] = ("policies", index)
    if policy.retry is not None:
        _check_retry(policy.retry, (*at, "retry"), findings)
    if policy.fallback is not None and policy.fallback.after is None and not policy.fallback.on:
        findings.add((*at, "fallback"), "a fallback that nothing leads to", "give `after: 30s`, or `on: [timeout]`")
    if policy.stream is not None and policy.async_ is not None:
        findings.add((*at, "async"), "stream and async are two ways to ask; a job goes one", "keep one of the two")
    stages = policy.two_stage
    if stages is not None and stages.first == type(stages.first)():
        findings.add((*at, "two_stage", "first"), "the first stage has no shape", "write `first: {quality: low}`")
    if policy.deadline is not None:
        for name, step in (("hedge", policy.hedge), ("fallback", policy.fallback)):
            after = getattr(step, "after", None)
            if after is not None and after >= policy.deadline:
                findings.add((*at, name, "after"), f"{name} begins after the deadline, so it never does",
                             "make it shorter than `deadline`")  # fmt: skip
    if policy.timeout is not None and policy.hedge is not None and policy.hedge.after >= policy.timeout:
        findings.add((*at, "hedge", "after"), "the copy would be sent after the timeout, so it never is",
                     "make it shorter than `timeout`")  # fmt: skip


def _check_retry(retry: Retry, at: tuple[str | int, ...], findings: Findings) -> None:
    if retry.pause is not None and retry.base is not None:
        findings.add((*at, "base"), "pause and base are two kinds of pause", f"keep {listing(['pause', 'base'])}")
