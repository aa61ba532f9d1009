"""harness simulate"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import Number


@click.command("simulate")
@click.argument("world", required=False, type=click.Path(allow_dash=True))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option("--port", type=click.IntRange(0, 65000), default=8900, show_default=True,
              help="Port of the API; the layers in front of it get the ones behind it. 0 takes free ones.")  # fmt: skip
@click.option("--time-scale", type=Number(1, 10_000), help="Run the world so many times faster.")
@click.option("--profile", help="Latency profile of data/profiles.yaml.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Append the truth of every request here.")
@click.option("--until-stdin-closes", is_flag=True, help="Stop when standard input ends.")
def command(
    world: str | None,
    host: str,
    port: int,
    time_scale: float | None,
    profile: str | None,
    log: Path | None,
    until_stdin_closes: bool,
) -> None:
    """Serve the embedded image API, with the layers of WORLD (a scenario, or its simulator section) in front of it.

    Any key that begins with sk-sim- is good. Addresses are printed as one JSON line; Ctrl-C stops it.
    """
    import asyncio

    from harness.errors import UsageProblem
    from harness.simulator.__main__ import BadWorld, load_world
    from harness.simulator.profiles import Profile, UnknownProfile
    from harness.simulator.server import serve
    from harness.simulator.world import World

    try:
        text = "{}" if world is None else sys.stdin.read() if world == "-" else Path(world).read_text(encoding="utf-8")
        found: World = load_world(text, section="simulator")
    except OSError as error:
        raise UsageProblem(f"{world}: {error.strerror}") from None
    except (BadWorld, UnicodeDecodeError) as error:
        raise UsageProblem(f"{world}: {error}") from None
    try:
        Profile(profile or found.profile)
    except UnknownProfile as error:
        raise UsageProblem(f"--profile: {error}") from None
    changes = {"time_scale": time_scale, "profile": profile}
    chosen = found.model_copy(update={name: value for name, value in changes.items() if value is not None})
    try:
        if log is not None:
            log.open("ab").close()
    except OSError as error:
        raise UsageProblem(f"--log {log}: cannot be written ({error.strerror})") from None
    try:
        asyncio.run(serve(chosen, host=host, port=port, log_path=log, until_stdin_closes=until_stdin_closes))
    except OSError as error:
        raise UsageProblem(f"cannot listen on {host}:{port} ({error.strerror}); give another --port") from None
