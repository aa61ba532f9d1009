"""harness ping"""

from __future__ import annotations

import sys

import click

from harness.cli.common import emit_json, format_option, load, time_scale_option


@click.command("ping")
@click.argument("scenario", required=False, type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--route", help="Route of the scenario (default: the first cell's).")
@click.option("--simulated", is_flag=True, help="Ask the embedded API: no key, no bill.")
@click.option("--base-url", default="https://api.openai.com/v1", show_default=True, help="Without a scenario: where.")
@click.option("--api-key-env", default="OPENAI_API_KEY", show_default=True, help="Variable that holds the key.")
@click.option("--model", default="gpt-image-2", show_default=True)
@click.option("--quality", default="low", show_default=True)
@click.option("--size", default="1024x1024", show_default=True)
@click.option("--stream", is_flag=True, help="Stream with two partial images.")
@time_scale_option
@format_option
def command(
    scenario: str | None,
    route: str | None,
    simulated: bool,
    base_url: str,
    api_key_env: str,
    model: str,
    quality: str,
    size: str,
    stream: bool,
    time_scale: float | None,
    form: str,
) -> None:
    """Send one job and draw its waterfall. Says first what it costs."""
    from harness.cli.waterfall import draw
    from harness.errors import Interrupted, UsageProblem
    from harness.plan import make_plan
    from harness.run.session import Options, ping_scenario
    from harness.scenario import load_text

    if scenario is not None:
        loaded = load(scenario)
    else:
        loaded = load_text(
            _ping_scenario(simulated, base_url, api_key_env, model, quality, size, stream), source="ping options"
        )
    jobs = [job for job in make_plan(loaded).jobs if route in (None, job.cell.route)]
    if not jobs:
        raise UsageProblem(f"--route {route}: no cell of {loaded.source} is on that route")
    job = jobs[0]
    price = "unknown" if job.estimate_usd is None else f"about {job.estimate_usd:.3f} USD"
    billed = "nothing, the embedded API answers" if loaded.routes[job.cell.route].simulated else price
    print(f"one job, {job.cell.id}: costs {billed}", file=sys.stderr)
    event = ping_scenario(loaded, job, Options(time_scale=time_scale))
    if form == "json":
        emit_json(event)
    else:
        draw(event)
    if event.outcome == "cancelled":
        raise Interrupted("interrupted; the image may have been made and billed all the same")


def _ping_scenario(
    simulated: bool, base_url: str, api_key_env: str, model: str, quality: str, size: str, stream: bool
) -> str:
    import json

    # JSON is YAML: the one scenario loader checks what came from the options as well.
    target = {"base_url": "simulator://", "owner": "simulator"} if simulated else {
        "base_url": base_url, "owner": "openai", "api_key_env": api_key_env,
    }  # fmt: skip
    cell: dict[str, object] = {"quality": quality, "size": size, "output_format": "png"}
    if stream:
        cell["partial_images"] = 2
    scenario: dict[str, object] = {
        "name": "ping",
        "why": "One job, one waterfall.",
        "model": model,
        "prompts": ["A red apple on a plain white table"],
        "routes": {"ping": target},
        "defaults": cell,
    }
    if simulated:
        scenario["simulator"] = {"time_scale": 10}
    return json.dumps(scenario)
