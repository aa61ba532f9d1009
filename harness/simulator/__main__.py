"""``python -m harness.simulator --world FILE``: the embedded API as a process of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from harness.simulator import task_faults
from harness.simulator.faults import FAULTS, parse
from harness.simulator.loop import run
from harness.simulator.profiles import Profile, UnknownProfile
from harness.simulator.server import serve
from harness.simulator.world import World


class BadWorld(ValueError):
    """The world's description cannot be used; the message says where and why."""


def load_world(text: str, section: str | None = None) -> World:
    """Parse YAML or JSON. Where the text is a whole scenario, `section` names the part that describes the world.

    Raises:
        BadWorld: what is wrong, a line for every mistake.
    """
    try:
        value = yaml.safe_load(text) or {}
        if section is not None and isinstance(value, dict) and "routes" in value:
            value = value.get(section) or {}
        world = World.model_validate(value)
        Profile(world.profile)
        for fault in world.faults:
            if parse(fault.fault)[0] not in (there_are := {*FAULTS, *task_faults.NAMES}):
                raise BadWorld(f"faults: there is no fault {fault.fault!r}; there are {', '.join(sorted(there_are))}")
    except yaml.YAMLError as error:
        raise BadWorld(f"not YAML: {error}") from None
    except ValidationError as error:
        lines = (f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors(include_url=False))
        raise BadWorld("\n".join(lines)) from None
    except UnknownProfile as error:
        raise BadWorld(f"profile: {error}") from None
    return world


def main() -> int:
    """Parse arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m harness.simulator", description=__doc__)
    parser.add_argument("--world", default=None, help="YAML or JSON file, - for standard input; default: a plain API")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="port of the API; layers get the ones behind it")
    parser.add_argument("--log", type=Path, default=None, help="append the truth of every request to this file")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    try:
        if options.world is None:
            world = World()
        else:
            text = sys.stdin.readline() if options.world == "-" else Path(options.world).read_text(encoding="utf-8")
            world = load_world(text)
    except (BadWorld, OSError, UnicodeDecodeError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 2
    try:
        run(
            serve(
                world,
                host=options.host,
                port=options.port,
                log_path=options.log,
                until_stdin_closes=options.until_stdin_closes,
            )
        )
    except (OSError, OverflowError) as error:  # OverflowError: a port above 65535
        if isinstance(error, OSError) and error.filename is not None:  # the log, not a port
            print(f"simulator: {error}", file=sys.stderr)
        else:
            why = (error.strerror if isinstance(error, OSError) else None) or error
            print(f"simulator: cannot listen on {options.host}:{options.port}: {why}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
