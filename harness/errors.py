"""The one error tree. Every class carries the exit code that the command ends with.

::

    HarnessError                1   our own failure
    ├── UsageProblem            2   an option, a file or an environment variable is wrong
    │   └── ScenarioError       2   a scenario file is wrong; holds every problem found, each with file:line
    ├── ThresholdFailed         3   an objective of the scenario was missed
    ├── Inconclusive            4   the evidence does not decide
    ├── LeakRefused             5   the leak scan found something; nothing was written
    └── Interrupted           130   stopped by the user; the journal is kept

A provider's failure is data (an event with an outcome), never one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

EXIT_CODES: dict[int, str] = {
    0: "ok",
    1: "our own failure",
    2: "usage or scenario error",
    3: "threshold failed",
    4: "inconclusive",
    5: "leak scan refused",
    130: "interrupted (journal kept)",
}


class HarnessError(Exception):
    """Our own failure. The message is for the person at the terminal: what is wrong and what to do."""

    exit_code = 1


class UsageProblem(HarnessError):
    """Something the caller gave cannot be used."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One mistake in a scenario: where it is, what is wrong, how to mend it."""

    file: str
    line: int
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}\n    fix: {self.fix}"


class ScenarioError(UsageProblem):
    """A scenario that cannot be run. Every problem is reported at once, so that one edit mends all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class ThresholdFailed(HarnessError):
    """An objective of the scenario was missed."""

    exit_code = 3


class Inconclusive(HarnessError):
    """The evidence at hand does not decide the question."""

    exit_code = 4


class LeakRefused(HarnessError):
    """The leak scan found something. The message names rule and member, never the value."""

    exit_code = 5


class Interrupted(HarnessError):
    """Stopped by the user. What was measured is in the journal."""

    exit_code = 130
