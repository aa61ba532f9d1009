"""Which shape to send next, from all that was sent: delta debugging over parameters, then down each one's ladder.

The search is replayed from the list of trials every time. So there is no state to lose: what a process that died had
found stands in ``shrink.json``, and the next one goes on from there.

First the job's own shape, as a control: a verdict that does not come back cannot be shrunk. Then the smallest set of
parameters that has to stay as it was (ddmin: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
input", IEEE TSE 28(2), 2002), then for each of those the lowest rung that still shows the verdict. The result is
1-minimal: no single parameter can be made any simpler. It is confirmed with fresh sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.shrinking.ladders import Ladders, ladders, shape_at
from harness.shrinking.model import Param, Purpose, Rule, Shape, Trial
from harness.shrinking.rule import decided, majority

MOST_VOID = 3  # sends in a row that say nothing, and the search stops

Levels = Mapping[Param, int]


@dataclass(frozen=True)
class Step:
    """What to send next, or, when `shape` is None, that the search is over."""

    shape: Shape | None
    purpose: Purpose
    best: Shape | None  # the smallest so far
    kept: tuple[Param, ...] = ()  # parameters of `shape` that are not at their simplest
    reproduced: bool = True
    disturbed: bool = False


class _Undecided(Exception):
    def __init__(self, levels: Levels, purpose: Purpose) -> None:
        self.levels, self.purpose = levels, purpose


class _NotReproduced(Exception):
    pass


class _Search:
    """One replay. `answer` says of a shape whether it shows the verdict; None when that is not known yet."""

    def __init__(self, original: Shape, answer: Callable[[Shape, bool], bool | None]) -> None:
        self.original = original
        self.ladders: Ladders = ladders(original)
        self.best: Levels | None = None
        self._answer = answer

    def shape(self, levels: Levels) -> Shape:
        return shape_at(self.original, self.ladders, levels)

    def shows(self, levels: Levels, purpose: Purpose = "shrink") -> bool:
        known = self._answer(self.shape(levels), purpose == "confirm")
        if known is None:
            raise _Undecided(levels, purpose)
        if known:
            self.best = dict(levels)
        return known

    def keeping(self, kept: Sequence[Param]) -> Levels:
        """These parameters as the job had them, all others at their simplest."""
        return {param: 0 if param in kept else len(rungs) - 1 for param, rungs in self.ladders.items()}

    def run(self) -> Levels:
        """The smallest shape's rungs.

        Raises:
            _Undecided: a shape has to be sent first.
            _NotReproduced: the job's own shape does not show the verdict.
        """
        own = self.keeping(tuple(self.ladders))
        if not self.shows(own, "control"):
            raise _NotReproduced
        if not self.ladders:
            return own
        levels = self._descend(dict(self.keeping(self._minimal())))
        if levels != own and not self.shows(levels, "confirm"):
            return own  # cannot be: a shape that fails its confirmation is not taken when the search is replayed
        return levels

    def _minimal(self) -> tuple[Param, ...]:
        if self.shows(self.keeping(())):
            return ()
        kept = tuple(self.ladders)
        parts = 2
        while len(kept) > 1:
            chunks = _chunks(kept, parts)
            smaller = next((chunk for chunk in chunks if self.shows(self.keeping(chunk))), None)
            if smaller is not None:
                kept, parts = smaller, 2
                continue
            rests = [tuple(one for one in kept if one not in chunk) for chunk in chunks] if parts > 2 else []
            rest = next((rest for rest in rests if self.shows(self.keeping(rest))), None)
            if rest is not None:
                kept, parts = rest, max(parts - 1, 2)
                continue
            if parts >= len(kept):
                break
            parts = min(len(kept), parts * 2)
        return kept

    def _descend(self, levels: dict[Param, int]) -> dict[Param, int]:
        """Each parameter to the lowest rung that still shows the verdict, until nothing moves any more."""
        moved = True
        while moved:
            moved = False
            for param, rungs in self.ladders.items():
                for level in range(len(rungs) - 1, levels[param], -1):
                    if self.shows({**levels, param: level}):
                        levels[param], moved = level, True
                        break
        return levels


def _chunks(kept: tuple[Param, ...], parts: int) -> list[tuple[Param, ...]]:
    edges = [round(i * len(kept) / parts) for i in range(parts + 1)]
    return [kept[a:b] for a, b in pairwise(edges) if a < b]


def next_step(original: Shape, trials: Sequence[Trial], rule: Rule) -> Step:
    """What to send next. Pure: the same trials, the same step."""
    if len(trials) >= MOST_VOID and all(trial.shows is None for trial in trials[-MOST_VOID:]):
        best = _replay(original, trials, rule).best
        return Step(None, "shrink", best, disturbed=True)
    return _replay(original, trials, rule)


def _replay(original: Shape, trials: Sequence[Trial], rule: Rule) -> Step:
    shown: dict[Shape, list[bool]] = {}
    for trial in trials:
        if trial.shows is not None:
            shown.setdefault(trial.shape, []).append(trial.shows)

    def answer(shape: Shape, confirm: bool) -> bool | None:
        sends = shown.get(shape, [])
        first, used = decided(sends, rule.repeats)
        if not first:
            return first
        second, _ = decided(sends[used:], rule.repeats)
        # A shape that failed its confirmation was lucky before: it does not show the verdict after all.
        return second if confirm else second is not False

    search = _Search(original, answer)
    try:
        levels = search.run()
    except _Undecided as step:
        best = None if search.best is None else search.shape(search.best)
        kept = tuple(param for param, level in step.levels.items() if level < len(search.ladders[param]) - 1)
        return Step(search.shape(step.levels), step.purpose, best, kept)
    except _NotReproduced:
        return Step(None, "control", None, reproduced=False)
    return Step(None, "confirm", search.shape(levels))


def parts_of(original: Shape, smallest: Shape) -> tuple[tuple[Param, ...], tuple[Param, ...]]:
    """Parameters of the job's shape that had to stay (in full or in part), and those that could go."""
    needed: list[Param] = []
    dropped: list[Param] = []
    for param, rungs in ladders(original).items():
        at_simplest = all(getattr(smallest, name) == value for name, value in rungs[-1].items())
        (dropped if at_simplest else needed).append(param)
    return tuple(needed), tuple(dropped)


def expected_sends(original: Shape, repeats: int) -> tuple[int, int]:
    """Fewest and most sends that the search takes when one parameter, or none, is to blame and no send errs."""
    found = ladders(original)
    counts = []
    for blamed in (None, *found):
        asked: set[Shape] = set()

        def answer(shape: Shape, confirm: bool, blamed: Param | None = blamed, asked: set[Shape] = asked) -> bool:
            if not confirm:
                asked.add(shape)
            return blamed is None or all(getattr(shape, name) == own for name, own in found[blamed][0].items())

        _Search(original, answer).run()
        # As many that show it as that do not: with an odd number of repeats both take the same number of sends.
        counts.append((len(asked) + (len(found) > 0)) * majority(repeats))
    return min(counts), max(counts)
