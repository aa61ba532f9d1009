"""What is told has bounded labels: a scenario that grows for a year must not grow a monitor's index with it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from harness.errors import UsageProblem
from harness.history.model import AlertState, State

MOST_LABELS = 50
OTHER = "other"
# Upper limits of the buckets of the final image, in seconds: 1 s to 10 min, close where caps are (30, 60, 100 … s).
BUCKETS_S = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0)
STATES: tuple[State, ...] = ("not_enough", "inactive", "pending", "firing")


class Labels:
    """The first so many values keep their name, all later ones share one."""

    def __init__(self, most: int = MOST_LABELS) -> None:
        self._most = most
        self._known: set[str] = set()

    def of(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


def by_subject(alerts: Iterable[AlertState], labels: Labels) -> dict[tuple[str, str], State]:
    """The state under each name and subject. Where several share the one that stands for all others, the gravest: one
    that is quiet does not hide one that fires."""
    found: dict[tuple[str, str], State] = {}
    for alert in alerts:
        key = (alert.name, labels.of(alert.subject))
        found[key] = max(found.get(key, alert.state), alert.state, key=STATES.index)
    return found


def parts_of(option: str, url: str, example: str) -> SplitResult:
    """An address in its parts.

    Raises:
        UsageProblem: it is none.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # its words may hold a password that was taken for a port
        raise UsageProblem(f"{option}: that is no address; write {example}") from None
    return parts


def missing(extra: str, option: str, error: ImportError) -> UsageProblem:
    return UsageProblem(f"{option} needs {error.name}: pip install -e '.[{extra}]'")
