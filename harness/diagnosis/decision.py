"""Every diagnosis ends with one decision, or says that none is justified."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from harness.diagnosis.audit import Rows
from harness.diagnosis.case import Case
from harness.diagnosis.culprit import Culprit
from harness.diagnosis.layer import NOT_CONFIGURABLE, Layer
from harness.diagnosis.model import Decision, DecisionKind, VerdictName
from harness.diagnosis.verdicts import Verdicts, plain

HEADROOM = 1.25  # above the slowest completed job of the same shapes
STEP_S = 30  # caps are set in round numbers
PUBLISHED_MAX_S = (
    280  # slowest of 200 high-quality samples in the parameter-tuning article: a claim, used with its name
)

_PLAIN: dict[VerdictName, tuple[DecisionKind, str]] = {
    "ok": ("nothing", "Nothing needs to be changed."),
    "undetermined": ("none_justified", "No change is justified by this evidence; get what the jobs name first."),
    "retry_pressure": ("adjust_retry_backoff", "Send fewer at a time and honour the reset headers."),
    "long_model_wait": ("turn_on_streaming", "Turn on streaming or hand back a job id: this time is the model's own."),
    "stream_buffered": ("escalate_to_route_owner", "Have response buffering turned off on this route."),
    "incomplete_stream": ("escalate_to_route_owner", "Escalate to the route's owner: streams end without their image."),
    "empty_success": ("escalate_to_route_owner", "Escalate to the route's owner: successes hold no image."),
    "silent_downgrade": ("escalate_to_route_owner", "Escalate to the route's owner: another shape reached the model."),
    "parameter_dropped": ("escalate_to_route_owner", "Escalate to the route's owner: a parameter is dropped."),
    "moderation_input": ("fix_request", "Change the prompts; the same ones are rejected again."),
    "moderation_output": ("fix_request", "Change the scene; repeating it costs the whole generation again."),
    "parameter_mismatch": ("fix_request", "Fix the parameter that the route names."),
    "model_not_found": ("fix_request", "Fix the model or deployment name."),
    "auth": ("fix_account", "Give this route a key that it accepts."),
    "quota": ("fix_account", "Raise the limit or add credit."),
    "org_unverified": ("fix_account", "Verify the organisation for this model."),
    "account_block": ("fix_account", "Have the block lifted by the provider."),
    "gateway_cooldown": ("adjust_retry_backoff", "Wait for the gateway's cooldown and mend what caused it."),
    "hidden_retries": ("adjust_retry_backoff", "Have one side retry, not two: turn the gateway's own retries off."),
    "task_failed": ("escalate_to_route_owner", "Escalate to the route's owner: tasks that it took on fail."),
    "link_expired": ("escalate_to_route_owner", "Escalate to the route's owner: its result links are dead at once."),
    "poll_delay": ("none_justified", "Poll more often or take callbacks; the model is not what takes this time."),
    "download_bound": ("change_output_format", "Use a lighter output format."),
    "render_bound": ("change_output_format", "Use a lighter output format or a smaller image."),
    "upload_bound": ("fix_request", "Send smaller reference images."),
    "connect_delay": ("none_justified", "Mend the path (DNS, addresses, TLS) before judging the model."),
    "client_bound": ("none_justified", "Measure again on a machine that keeps up; nothing else is justified."),
}  # fmt: skip


def decide(name: VerdictName, case: Case, verdicts: Verdicts, most: Culprit | None) -> Decision:
    """The decision that goes with the headline. `most`: the cap that cut most, where one did."""
    if name == "false_timeout" and most is not None:
        return _widen(case, verdicts, most)
    if name == "route_owner_delay":
        route = next((route for route, gap in case.gaps.items() if gap.slower), None)
        return Decision(
            kind="escalate_to_route_owner",
            route=route,
            sentence=f"Escalate route {route} to its owner with the packet: the delay is not the model's.",
        )
    if name == "upload_bound" and not case.number("reference_images")[verdicts.table["verdict"] == name].any():
        return Decision(
            kind="none_justified",
            sentence="Requests without pictures took long to go out: mend the path or this machine first.",
        )
    kind, sentence = _PLAIN[name]
    return Decision(kind=kind, sentence=sentence)


def _widen(case: Case, verdicts: Verdicts, most: Culprit) -> Decision:
    """Widen the one layer that cut most, to what the jobs that it cut would have needed."""
    table = verdicts.table
    layer, setting, cap_s, route, rows = most.layer, most.setting, most.cap_s, most.route, most.rows
    to_s, ground = _needed_s(case, rows, plain(table["cap_kind"].iloc[rows[0]]))
    if setting is None:
        sought = f"the timeout of {layer} on route {route}"
        if cap_s:
            sought = f"the layer on route {route} whose cap is {cap_s:g} s"
        return Decision(
            kind="widen_timeout",
            route=route,
            layer=layer,
            from_s=cap_s,
            sentence=f"Find {sought}, and widen it alone.",
        )
    entries = _entries(case, plain(table["product"].iloc[rows[0]]), setting)
    before_work = {kind for one in entries for kind in one.kinds} or {plain(table["cap_kind"].iloc[rows[0]])}
    if before_work <= {"connect", "request_read"}:
        what = "reach what lies behind it" if "connect" in before_work else "get the whole request"
        return Decision(
            kind="none_justified",
            route=route,
            layer=layer,
            sentence=f"Widen nothing: {layer} on route {route} could not {what} in time, and no image was begun. "
            "Find out why first.",
        )
    if cap_s and to_s <= cap_s:
        return Decision(
            kind="none_justified",
            route=route,
            layer=layer,
            sentence=f"Widen nothing yet: {layer} waits {cap_s:g} s, and that is more than these shapes are known to "
            f"take ({ground}). Look the cut jobs up behind it first.",
        )
    most_s = min((one.max_s for one in entries if one.max_s is not None), default=None)
    fixed = bool(entries) and all(one.set_by is None or one.setting == NOT_CONFIGURABLE for one in entries)
    if fixed or (most_s is not None and most_s < to_s):
        return _around(case, rows, entries, Decision(
            kind="move_to_async", route=route, layer=layer, setting=None if setting == NOT_CONFIGURABLE else setting,
            sentence=f"{layer} on route {route} gives up{'' if cap_s is None else f' at {cap_s:g} s'}, and "
            + ("nobody can change that" if fixed else f"{most_s:g} s is the most that {setting} can be set to"),
        ))  # fmt: skip
    value = f"{'' if cap_s is None else f'from {cap_s:g} s '}to at least {to_s:g} s ({ground})"
    return Decision(
        kind="widen_timeout",
        route=route,
        layer=layer,
        setting=setting,
        from_s=cap_s,
        to_s=to_s,
        sentence=f"Widen {setting} of {layer} on route {route}, alone, {value}.",
    )


def _entries(case: Case, product: str | None, setting: str) -> list[Layer]:
    """What the catalog knows of a cap; several where nothing tells its settings apart."""
    named = setting.split(" or ")
    return [one for one in case.catalog if one.product == product and one.setting in named and one.is_cap]


def _around(case: Case, rows: Rows, entries: Sequence[Layer], found: Decision) -> Decision:
    """What helps where a cap cannot be widened: bytes where they reset it, else a job id."""
    silence = all(one.bytes_reset_it == "yes" and "total" not in one.kinds for one in entries)
    if silence and not case.jobs["stream"].iloc[rows].any():
        step = "stream with partial images, so that bytes flow"
        return msgspec.structs.replace(found, kind="turn_on_streaming", sentence=f"{found.sentence}: {step}.")
    step = "hand back a job id and poll, or go around this layer"
    return msgspec.structs.replace(found, sentence=f"{found.sentence}: {step}.")


def _needed_s(case: Case, rows: Rows, kind: str | None) -> tuple[float, str]:
    """What the shapes that were cut take where they were not cut, with headroom, in round numbers. Of a stream an idle
    cap has to outlast the longest silence alone."""
    streams = case.jobs["stream"].to_numpy(dtype=bool)
    silence = kind == "idle" and bool(streams[rows].all())
    shapes = case.jobs.groupby(["quality", "size", "n"], observed=True, dropna=False, sort=False).ngroup().to_numpy()
    same = case.answered & np.isin(shapes, shapes[rows]) & (streams | (not silence))
    direct = same & case.is_in("route", *(route.name for route in case.conditions.routes if route.direct))
    if direct.any():
        same = direct  # a slow gateway's delay is no reason to wait longer elsewhere
    times = case.number("longest_silence_ms" if silence else "final_image_ms")[same]
    times = times[~np.isnan(times)] / 1000
    if len(times):
        what = "longest silence" if silence else "slowest"
        slowest = f"{what} of {len(times)} completed jobs of the same shapes: {times.max():.0f} s"
        ground = f"{slowest}, with a quarter of headroom"
        return float(math.ceil(times.max() * HEADROOM / STEP_S) * STEP_S), ground
    wanted = float(math.ceil(PUBLISHED_MAX_S * HEADROOM / STEP_S) * STEP_S)
    slowest = f"no job of these shapes completed here; {PUBLISHED_MAX_S} s is the slowest published"
    return wanted, f"{slowest}, with a quarter of headroom"
