"""What a worker is given of a run: the scenario and its side files. Names of environment variables, never a key.

The scenario travels as it was checked here, so that a worker needs none of the files it was read from. It holds the
prompts: whoever can read the scheduler's traffic can read them.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness import __version__
from harness.errors import UsageProblem
from harness.scenario import Scenario

MOST_BYTES = 64 * 1024 * 1024


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """As it goes over the wire."""

    harness: str  # version of the side that packed it
    run_id: str
    scenario: bytes
    files: dict[str, bytes]  # by the path that the scenario names them by
    time_scale: float
    keep_images: bool


def pack(scenario: Scenario, run_id: str, time_scale: float, *, keep_images: bool) -> bytes:
    """The parcel of a run.

    Raises:
        UsageProblem: a side file cannot be read, or they are too large together.
    """
    files: dict[str, bytes] = {}
    for name in _side_files(scenario):
        try:
            files[name] = Path(name).read_bytes()
        except OSError as error:
            raise UsageProblem(f"{scenario.source}: {name} cannot be read any more ({error.strerror})") from None
    if sum(map(len, files.values())) > MOST_BYTES:
        raise UsageProblem(
            f"{scenario.source}: its side files are larger than {MOST_BYTES // 1024**2} MB together, which is too much "
            "to carry to every worker: use smaller reference images"
        )
    return msgspec.msgpack.encode(
        Parcel(
            harness=__version__,
            run_id=run_id,
            scenario=pickle.dumps(scenario),
            files=files,
            time_scale=time_scale,
            keep_images=keep_images,
        )
    )


def unpack(raw: bytes, folder: Path, env: Mapping[str, str]) -> tuple[Parcel, Scenario]:
    """The parcel, and its scenario with the side files in `folder`.

    Raises:
        UsageProblem: it was packed by another version, or this machine lacks a variable that a route needs.
    """
    parcel = msgspec.msgpack.decode(raw, type=Parcel)
    if parcel.harness != __version__:
        raise UsageProblem(
            f"harness {__version__} is installed there, and the run was begun by {parcel.harness}: install the same"
        )
    # From our own client; whoever may speak to a Dask worker may run code there anyway.
    scenario: Scenario = pickle.loads(parcel.scenario)
    missing = [
        f"route {route.name} needs {name}"
        for route in scenario.routes.values()
        if not route.simulated
        for name in route.secret_env_names()
        if not env.get(name)
    ]
    if missing:
        raise UsageProblem(f"{'; '.join(missing)} in the environment that the worker is started with: it is not set")
    places = {}
    for number, (name, data) in enumerate(parcel.files.items()):
        place = folder / f"{number}{Path(name).suffix.lower()}"
        place.write_bytes(data)
        places[name] = str(place)
    return parcel, _with_files(scenario, places)


def _side_files(scenario: Scenario) -> list[str]:
    named = [*scenario.references, scenario.mask_file, *(route.ca_file for route in scenario.routes.values())]
    return list(dict.fromkeys(name for name in named if name is not None))


def _with_files(scenario: Scenario, places: Mapping[str, str]) -> Scenario:
    def at(name: str | None) -> str | None:
        return None if name is None else places[name]

    return scenario.model_copy(
        update={
            "references": tuple(places[name] for name in scenario.references),
            "mask_file": at(scenario.mask_file),
            "routes": {
                name: route.model_copy(update={"ca_file": at(route.ca_file)}) for name, route in scenario.routes.items()
            },
        }
    )
