"""harness chain"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import emit_json, format_option


@click.command("chain")
@click.argument("what", metavar="[SCENARIO|RUN]", required=False)
@click.argument("route", required=False)
@click.option("--config", "configs", multiple=True, metavar="FILE[:LINE]", help="Take caps out of a configuration.")
@click.option("--from", "earlier", type=click.Path(path_type=Path), help="Expect what the cells of this RUN took.")
@click.option("--profile", help="Latency profile to expect by (default: the scenario's, else tuning-article).")
@click.option("--at", metavar="LAYER=SECONDS,…", help="Of a RUN: what would have been cut at these caps.")
@click.option("--times-of", metavar="ROUTE", help="Of a RUN: ask the times of this route, e.g. the direct one.")
@format_option
def command(
    what: str | None,
    route: str | None,
    configs: tuple[str, ...],
    earlier: Path | None,
    profile: str | None,
    at: str | None,
    times_of: str | None,
    form: str,
) -> None:
    """Look at the timeouts on a route: before paying (SCENARIO), or after (RUN).

    Of a SCENARIO: which caps will cut which cells, which are inverted, where work goes on for nobody, and one list of
    changes. --config takes the chain out of your own nginx, HAProxy, Caddy, Apache or Envoy configuration or
    vercel.json, outermost first (only timeouts are read); without a SCENARIO it shows what was found. FILE:LINE picks
    the place that passes requests on, FORM=FILE says what a file is.

    Of a RUN: the share of jobs that each layer cuts now, and would at other caps.
    """
    from harness.cli.chain_views import show_budget, show_chains, show_configs

    if what is not None and Path(what).is_dir():
        if configs or earlier or profile:
            raise click.UsageError("--config, --from and --profile are of a SCENARIO")
        result, lines = show_budget(Path(what), route, at, times_of)
    elif at or times_of:
        raise click.UsageError("--at and --times-of are of a RUN: the directory that `harness run` wrote")
    elif what is not None:
        result, lines = show_chains(what, route, configs, earlier, profile)
    elif configs:
        result, lines = show_configs(configs)
    else:
        raise click.UsageError("give a SCENARIO, a RUN, or --config FILE")
    if form == "json":
        emit_json(result)
    else:
        for line in lines:
            click.echo(line)
