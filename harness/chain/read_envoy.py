"""Envoy: routes with their timeouts, those of the connection manager around them, and those of their cluster."""

from __future__ import annotations

import re

from harness.chain.durations import PROTOBUF, seconds
from harness.chain.reading import Env, Found, Use
from harness.chain.sources import Source, Sources
from harness.chain.tree import Tree, load_yaml

APPLIES = (
    "route.timeout",
    "route.idle_timeout",
    "per_try_timeout",
    "stream_idle_timeout",
    "max_stream_duration",
    "request_timeout",
    "connect_timeout",
)
_TARGETS = ("cluster", "weighted_clusters", "cluster_header", "cluster_specifier_plugin")


def read(sources: Sources) -> list[Use]:
    """The routes of a bootstrap or of a piece of one; where there are none (they come from elsewhere), the clusters.

    Raises:
        UsageProblem: it is not YAML, or a timeout in it is no time.
    """
    source = sources.main
    root = load_yaml(source)
    _snake(root)
    clusters = _clusters(source, root)
    uses: list[Use] = []
    _walk(source, root, {}, clusters, uses)
    if not uses and clusters:
        sources.notes.append(f"{source.label}: no routes in this file; only what its clusters say is known")
        uses = [Use(source.at(line), env, ("connect_timeout",)) for env, line in clusters.values()]
    return uses


def _snake(root: Tree) -> None:
    """Envoy takes its fields in both spellings."""
    for one in root.every():
        one.fields = {
            re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: f"_{m[1].lower()}", k): v for k, v in one.fields.items()
        }


def _clusters(source: Source, root: Tree) -> dict[str, tuple[Env, int]]:
    found: dict[str, tuple[Env, int]] = {}
    for one in root.every():
        for cluster in one.fields["clusters"].items if "clusters" in one.fields else ():
            name = cluster.get("name")
            if name is None or cluster.get("weight") is not None:
                continue
            found[name.text or ""] = (_taken(source, cluster, {"connect_timeout": "connect_timeout"}), cluster.line)
    return found


def _walk(source: Source, here: Tree, outer: Env, clusters: dict[str, tuple[Env, int]], uses: list[Use]) -> None:
    env = outer | _taken(
        source, here, {"stream_idle_timeout": "stream_idle_timeout", "request_timeout": "request_timeout"}
    )
    common = here.get("common_http_protocol_options")
    if common is not None:
        env |= _taken(source, common, {"max_stream_duration": "max_stream_duration"})
    retry = here.get("retry_policy")
    if retry is not None and "routes" in here.fields:  # of a virtual host: for its routes that have none themselves
        env |= _taken(source, retry, {"per_try_timeout": "per_try_timeout"})
    action = here.get("route")
    if action is not None and any(name in action.fields for name in _TARGETS):
        uses.append(_use(source, action, env, clusters))
    for inner in (*here.fields.values(), *here.items):
        _walk(source, inner, env, clusters, uses)


def _use(source: Source, action: Tree, env: Env, clusters: dict[str, tuple[Env, int]]) -> Use:
    inside = env | _taken(source, action, {"timeout": "route.timeout", "idle_timeout": "route.idle_timeout"})
    retry = action.get("retry_policy")
    if retry is not None:
        inside.pop("per_try_timeout", None)
        inside |= _taken(source, retry, {"per_try_timeout": "per_try_timeout"})
    longest = action.get("max_stream_duration")
    if longest is not None:
        inside |= _taken(source, longest, {"max_stream_duration": "max_stream_duration"})
    if "route.idle_timeout" in inside:  # it stands in for the connection manager's
        inside.pop("stream_idle_timeout", None)
    cluster = action.get("cluster")
    named = clusters.get(cluster.text or "") if cluster is not None else None
    applies = tuple(name for name in APPLIES if not (name == "stream_idle_timeout" and "route.idle_timeout" in inside))
    return Use(source.at(action.line), inside | (named[0] if named else {}), applies)


def _taken(source: Source, here: Tree, names: dict[str, str]) -> Env:
    found: Env = {}
    for theirs, ours in names.items():
        value = here.fields.get(theirs)
        if value is None:
            continue
        try:
            took = _split(value) if value.fields else seconds(value.text or "", PROTOBUF)
        except ValueError:
            raise source.problem(value.line, f"{theirs}: the value is no time; write it like 15s") from None
        found[ours] = Found(took or None, source.at(value.line))
    return found


def _split(value: Tree) -> float:
    """``{seconds: 15, nanos: 0}``"""
    parts = {"seconds": 1.0, "nanos": 1e-9}
    if not set(value.fields) <= set(parts):
        raise ValueError("not a duration")
    return sum(seconds(f"{inner.text}s", {"s": parts[name]}) for name, inner in value.fields.items())
