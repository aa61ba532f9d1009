"""What was seen of one layer in one situation, and what really happened; as files, so that it can be judged again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Truth:
    """From the record of the embedded API, of every call that reached it for this job."""

    calls: int  # 0: nothing got there
    finished: bool | None  # an image was made; null where nothing got there
    left_after_s: float | None  # when the layer (or the client) left it before its answer was over


@dataclass(frozen=True)
class Observation:
    """One job."""

    situation: str
    event: Mapping[str, Any]  # the journal's line, without what is null or empty
    backend: Sequence[Mapping[str, Any]]  # what a backend's log would say of it
    truth: Truth


@dataclass(frozen=True)
class Recording:
    """Everything seen of one layer in one go."""

    layer: str
    product: str
    side: str  # server: measured through; client: it measured itself
    version: str
    chain: Sequence[Mapping[str, Any]]
    observations: Sequence[Observation] = field(default_factory=list)
    log: Sequence[str] = ()  # lines of its own log

    def of(self, situation: str) -> Observation | None:
        """What was seen in this situation."""
        return next((one for one in self.observations if one.situation == situation), None)


def lean(value: Any) -> Any:
    """The same JSON value without members that are null, empty or false: readers take those as the default."""
    if isinstance(value, dict):
        cleaned = {name: lean(member) for name, member in value.items()}
        return {
            name: member for name, member in cleaned.items() if member not in (None, [], {}) and member is not False
        }
    if isinstance(value, list):
        return [lean(member) for member in value]
    return value


def write(recordings: Iterable[Recording], folder: Path = RECORDED) -> None:
    """One file a layer."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in recordings:
        text = json.dumps(asdict(one), indent=1, ensure_ascii=False, sort_keys=False)
        (folder / f"{one.layer}.json").write_text(text + "\n", encoding="utf-8")


def read(folder: Path = RECORDED) -> list[Recording]:
    """Every recording there is, by name."""
    found = []
    for file in sorted(folder.glob("*.json")):
        value = json.loads(file.read_text(encoding="utf-8"))
        value["observations"] = [
            Observation(**{**one, "truth": Truth(**one["truth"])}) for one in value["observations"]
        ]
        found.append(Recording(**value))
    return found
