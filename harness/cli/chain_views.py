"""What `harness chain` joins: a scenario or a run with the chain's pure analysis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.chain.analysis import look_at
from harness.chain.changes import changes
from harness.chain.config import Reading, read_config
from harness.chain.model import Cap, Wait, declared
from harness.chain.text import lines
from harness.cli.common import load
from harness.errors import UsageProblem


def show_configs(configs: Sequence[str]) -> tuple[Any, Iterator[str]]:
    """What the files say, without a scenario to hold it against."""
    readings = _readings(configs)
    caps = [cap for reading in readings for cap in reading.caps]
    view = look_at(caps, ())
    result = {"configs": readings, "lowest": view.lowest, "inversions": view.inversions}

    def told() -> Iterator[str]:
        yield from _read_lines(readings)
        yield from lines(view, ())

    return result, told()


def show_chains(
    source: str, route: str | None, configs: Sequence[str], earlier: Path | None, profile: str | None
) -> tuple[Any, Iterator[str]]:
    """Every route with a chain, or the one that was asked for."""
    from harness.scenario.waits import expected_waits, profile_of

    scenario = load(source, check_env=False)
    readings = _readings(configs)
    if route is not None and route not in scenario.routes:
        raise UsageProblem(f"the scenario has no route {route}; it has {', '.join(scenario.routes)}")
    names = [route] if route else [name for name, one in scenario.routes.items() if one.chain]
    if readings and route is None:
        if len(scenario.routes) > 1:
            raise UsageProblem("say which ROUTE the configuration is of")
        names = list(scenario.routes)
    if not names:
        raise UsageProblem("no route of this scenario declares a chain; add `chain:`, or give --config FILE")
    measured = _measured(earlier) if earlier is not None else {}
    found: dict[str, Any] = {}
    told: list[str] = []
    for name in names:
        own = declared(scenario.routes[name].conditions().chain, scenario.timeouts.caps())
        caps: list[Cap] = [*own, *(cap for reading in readings for cap in reading.caps)]
        waits = expected_waits(scenario, name, profile_of(scenario, profile))
        waits = tuple(_joined(wait, measured.get(wait.cell)) for wait in waits)
        view = look_at(caps, waits)
        steps = changes(view)
        found[name] = {"view": view, "changes": steps}
        told += [f"route {name}", *lines(view, steps), ""]
    return {"scenario": scenario.name, "configs": readings, "routes": found}, iter([*_read_lines(readings), *told])


def show_budget(run_dir: Path, route: str | None, at: str | None, times_of: str | None) -> tuple[Any, Iterator[str]]:
    """The timeout budget of a run."""
    from harness.diagnosis.cap_shares import share_lines, shares_of_run

    found = shares_of_run(run_dir, route, at, times_of)
    return found, share_lines(found)


def _joined(wait: Wait, measured: Wait | None) -> Wait:
    """What was measured, with what only a profile can say of a stream that was not sent."""
    if measured is None or wait.polls:
        return wait
    return replace(measured, streamed_silence_s=wait.streamed_silence_s)


def _measured(run_dir: Path) -> dict[str, Wait]:
    from harness.diagnosis.waits import measured_waits

    return measured_waits(run_dir)


def _readings(configs: Sequence[str]) -> tuple[Reading, ...]:
    readings: list[Reading] = []
    names: list[str] = []
    for given in configs:
        one = read_config(given)
        names.append(one.product)
        number = names.count(one.product)
        readings.append(one if number == 1 else read_config(given, layer=f"{one.product}-{number}"))
    return tuple(readings)


def _read_lines(readings: Sequence[Reading]) -> Iterator[str]:
    for one in readings:
        places = f"{one.places} places pass requests on" if one.places != 1 else "one place passes requests on"
        yield f"{one.file}: {one.form}, recognised {one.recognised_by}; {places}"
        for note in one.notes:
            yield f"  note: {note}"
