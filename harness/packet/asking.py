"""The layer that gave up, what is asked for, and of whom."""

from __future__ import annotations

from harness.conditions import RouteConditions
from harness.diagnosis.model import JobVerdict
from harness.events import JobEvent
from harness.packet.inputs import RunInputs
from harness.packet.layers import layer_class_of, product_of, setting_of
from harness.packet.narrow import Narrower
from harness.packet.schema import DecisionAsked, Route, TimeoutLayer
from harness.packet.vocabulary import CAP_KIND_ALIASES, OwnerKind, Recipient

_BY_OWNER: dict[OwnerKind, Recipient] = {
    "openai": "provider",
    "azure": "azure",
    "gateway": "gateway_operator",
    "reverse": "reverse_operator",
    "task_provider": "task_provider",
    "client": "platform_team",
    "simulator": "platform_team",
    "other": "platform_team",
}
_OURS = frozenset(
    {"browser", "cdn_edge", "serverless", "load_balancer", "reverse_proxy", "app_server", "queue", "sdk_client"}
)
_OWN_WORK = frozenset({"connect_delay", "upload_bound", "download_bound", "render_bound", "client_bound"})


def timeout_layer(
    job: JobEvent, verdict: JobVerdict | None, declared: RouteConditions | None, narrow: Narrower
) -> TimeoutLayer | None:
    """The layer that the diagnosis names, else our own cap where it fired, else nothing."""
    own = (job.timeout_layer or "").startswith("client.")
    if verdict is not None and (verdict.layer or verdict.product or verdict.grade):
        product = narrow.counted(product_of(verdict.product or verdict.layer))
        chain = declared.chain if declared is not None else ()
        at = next((i for i, one in enumerate(chain, start=1) if verdict.layer and one.layer == verdict.layer), None)
        ours = product == "harness" or (own and verdict.layer in (None, job.timeout_layer, "client"))
        return TimeoutLayer(
            grade=verdict.grade or "undetermined",
            layer_class="sdk_client" if ours else layer_class_of(verdict.layer, product),
            product="harness" if ours else product,
            position_in_chain=narrow.whole(at, 1, 99),
            setting=narrow.counted(setting_of(verdict.setting)),
            cap_s=narrow.seconds(verdict.cap_s),
            cap_kind=narrow.word(verdict.cap_kind, CAP_KIND_ALIASES, "other"),
            backend_finished=verdict.backend_finished,
            ours=ours,
        )
    fired = next((attempt for attempt in reversed(job.attempts) if attempt.ended == "local_cap"), None)
    if fired is None:
        return None
    return TimeoutLayer(
        grade="proven",
        layer_class="sdk_client",
        product="harness",
        position_in_chain=None,
        setting=None,
        cap_s=None if fired.cap_ms is None else narrow.seconds(fired.cap_ms / 1000),
        cap_kind=narrow.word(fired.cap, CAP_KIND_ALIASES, "other"),
        backend_finished=verdict.backend_finished if verdict is not None else None,
        ours=True,
    )


def recipient(route: Route, verdict: JobVerdict | None, timeout: TimeoutLayer | None) -> Recipient:
    """Who can act. A layer of our own is ours, whoever owns the route behind it."""
    if verdict is not None and verdict.verdict in _OWN_WORK:
        return "platform_team"
    if verdict is not None and verdict.verdict == "false_timeout" and timeout is not None:
        if timeout.layer_class == "gateway":
            return "gateway_operator"
        if timeout.ours or timeout.position_in_chain is not None:
            return "platform_team" if timeout.layer_class in _OURS else _BY_OWNER[route.owner]
    return _BY_OWNER[route.owner]


def decision(
    job: JobEvent, inputs: RunInputs, route: Route, timeout: TimeoutLayer | None, narrow: Narrower
) -> DecisionAsked:
    """The run's decision when the job stands for its headline; else that its route's owner look this job up."""
    verdict = inputs.verdicts.get(job.job_id)
    of_run = verdict is not None and verdict.verdict == inputs.diagnosis.headline
    made = inputs.diagnosis.decision
    if not of_run:
        return DecisionAsked(
            kind="escalate_to_route_owner",
            asked_of=recipient(route, verdict, timeout),
            of_the_run=False,
            product=None,
            setting=None,
            from_s=None,
            to_s=None,
        )
    product = product_of(made.layer)
    if product in (None, "other") and timeout is not None:
        product = timeout.product
    return DecisionAsked(
        kind=made.kind,
        asked_of=recipient(route, verdict, timeout),
        of_the_run=True,
        product=product,
        setting=narrow.counted(setting_of(made.setting)) or (timeout.setting if timeout is not None else None),
        from_s=narrow.seconds(made.from_s),
        to_s=narrow.seconds(made.to_s),
    )
