"""What `harness watch` is put together from: conditions, consent, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from harness.errors import UsageProblem
from harness.scenario import Scenario

if TYPE_CHECKING:
    from harness.history.model import RoundRow, Standing, WatchConditions
    from harness.plan import Plan
    from harness.telling.otlp import Otlp
    from harness.telling.prometheus import Metrics
    from harness.telling.webhook import Webhook
    from harness.watching.rounds import Round


def conditions_of(
    scenario: Scenario, every_s: float, time_scale: float, false_alarm_s: float, links_live_s: float
) -> WatchConditions:
    """``watch.json`` of a scenario."""
    from harness.history.model import WatchConditions

    return WatchConditions(
        scenario=scenario.name,
        scenario_sha256=scenario.sha256,
        why=scenario.why,
        began_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        every_s=every_s,
        time_scale=time_scale,
        simulated=scenario.simulated or time_scale != 1,
        false_alarm_days=false_alarm_s / 86_400,
        links_live_s=links_live_s,
        objectives=scenario.objective_conditions(),
        cells=tuple(cell.id for cell in scenario.cells()),
    )


def row_of(one: Round, plan: Plan, time_scale: float) -> RoundRow:
    """A round of the measuring half as the history keeps it."""
    from harness.history.model import RoundRow

    status: Literal["complete", "partial", "interrupted", "failed"] = one.status
    return RoundRow(
        round_id=one.round_id,
        began_s=one.began_s,
        ended_s=one.ended_s,
        due_s=one.due_s,
        status=status,
        why=one.why,
        missed=one.missed,
        planned_jobs=len(plan.jobs),
        spent_usd=one.spent_usd,
        time_scale=time_scale,
        simulated=plan.simulated,
        run="/".join(one.run_dir.parts[-2:]) if one.run_dir.is_dir() else None,
    )


def weather(scenario: Scenario, round_id: str) -> Scenario:
    """The scenario with a seed of the embedded API that is the round's own: in that world the same job takes the same
    time in every run, and a watch would see one round for ever."""
    if scenario.simulator is None:
        return scenario
    seed = int(scenario.simulator.get("seed", 0)) + crc32(round_id.encode())
    return scenario.model_copy(update={"simulator": {**scenario.simulator, "seed": seed}})


class Tellers:
    """Who is told of each round."""

    def __init__(
        self, metrics: Metrics | None, address: tuple[str, int], webhook: Webhook | None, otlp: Otlp | None
    ) -> None:
        self.metrics, self.webhook, self.otlp = metrics, webhook, otlp
        self._address = address

    def open(self, stack: ExitStack, say: Callable[[str], None]) -> None:
        """Open what has to be open; closed with the stack."""
        if self.metrics is not None:
            host, wanted = self._address
            port, close = self.metrics.serve(host, wanted)
            stack.callback(close)
            say(f"metrics: http://{f'[{host}]' if ':' in host else host}:{port}/metrics")
        if self.otlp is not None:
            stack.callback(self.otlp.close)

    def tell(self, standing: Standing) -> list[str]:
        """Tell them all; what went wrong."""
        if self.metrics is not None:
            self.metrics.tell(standing)
        found = [one.tell(standing) for one in (self.webhook, self.otlp) if one is not None]
        return [problem for problem in found if problem is not None]


def open_tellers(
    scenario: str, metrics: str | None, webhook: str | None, token_env: str | None, otlp: str | None
) -> Tellers:
    """Everything that was asked for, each library loaded only then.

    Raises:
        UsageProblem: an address is none, a library or a variable is missing.
    """
    if token_env is not None and webhook is None:
        raise UsageProblem("--webhook-token-env goes with --webhook")
    made_metrics, address, made_webhook, made_otlp = None, ("", 0), None, None
    if metrics is not None:
        from harness.telling.prometheus import Metrics, address_of

        address = address_of(metrics)
        made_metrics = Metrics(scenario)
    if webhook is not None:
        from harness.telling.webhook import Webhook

        made_webhook = Webhook(webhook, token_env)
    if otlp is not None:
        from harness.telling.otlp import Otlp

        made_otlp = Otlp(otlp, scenario)
    return Tellers(made_metrics, address, made_webhook, made_otlp)
