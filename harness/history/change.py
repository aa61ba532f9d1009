"""Each cell's rounds as one sequence, and where its level changed (`harness.stats.cusum`).

One value a round: the Kaplan-Meier median of the cell's jobs in it. Jobs of one round share its weather, so they are
one observation and not several; and a chart over medians does not care how many jobs a round had. A round in which no
job of the cell brought an image or was cut (refusals only) says nothing of its speed and is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.history.model import RoundRow, WatchConditions
from harness.stats.cusum import Design, Followed, Value, follow, limit_for, median_of, run_length

CLOCK = "final_image_ms"
DAY_S = 86_400.0
MOST_ROUNDS, DROPPED_AT_ONCE = 2000, 500


@dataclass(frozen=True)
class CellChart:
    """`values` and `at_s` (when the round began) are of equal length; `followed` says what the chart found."""

    cell: str
    route: str
    quality: str
    rounds: tuple[str, ...]
    at_s: tuple[float, ...]
    values: tuple[Value, ...]
    followed: Followed
    design: Design

    def level_ms(self, first: int, last: int) -> float | None:
        """The median of the rounds from `first` to before `last`; null where too many were cut to tell."""
        found = median_of(self.values[first:last])
        return None if found is None or found[1] else found[0]


def design_for(watch: WatchConditions) -> Design:
    """The limit with which all charts together raise one false alarm in `false_alarm_days`; a day of rounds settles."""
    rounds_a_day = DAY_S / watch.every_s
    between = watch.false_alarm_days * rounds_a_day * max(1, len(watch.cells))
    return Design(h=limit_for(between), settle=int(min(300, max(48, rounds_a_day))))


def false_alarm_words(watch: WatchConditions) -> str:
    """What the chart is worth at this cadence, in one sentence."""
    design, rounds_a_day = design_for(watch), DAY_S / watch.every_s
    days = run_length(design.h, design.k) / rounds_a_day / max(1, len(watch.cells))
    seen = [f"{run_length(design.h, design.k, shift):.0f} rounds for a shift of {shift:g} SD" for shift in (1.0, 2.0)]
    return (
        f"change: CUSUM with h {design.h:g}, one false alarm in about {_count(days)} days over {len(watch.cells)} "
        f"cells while rounds are independent; seen after about {' and '.join(seen)}"
    )


def first_round(rounds: Sequence[RoundRow]) -> float | None:
    """Where the look back begins: it moves by whole blocks, so that from round to round the same past is seen."""
    dropped = max(0, len(rounds) - MOST_ROUNDS + DROPPED_AT_ONCE - 1) // DROPPED_AT_ONCE * DROPPED_AT_ONCE
    return rounds[dropped].began_s if rounds else None


def charts(jobs: pd.DataFrame, rounds: Sequence[RoundRow], watch: WatchConditions) -> list[CellChart]:
    """A chart for each cell, in the order in which the cells first came."""
    design = design_for(watch)
    order = {one.round_id: place for place, one in enumerate(rounds)}
    seen = jobs[jobs[CLOCK].notna() & jobs["round_id"].isin(list(order))]
    found = []
    for cell, mine in seen.groupby("cell", sort=False):
        members = mine.assign(place=mine["round_id"].map(order)).sort_values(["place", "at_s"])
        places = members["place"].to_numpy(dtype=np.int64)
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        times = members[CLOCK].to_numpy(dtype=np.float64).tolist()
        cuts = members[f"{CLOCK}_cut"].to_numpy(dtype=bool).tolist()
        hours = members["hour"].to_numpy(dtype=np.int64)[starts].tolist()
        values = []
        for first, last in zip(starts.tolist(), [*starts.tolist()[1:], len(times)], strict=True):
            median = median_of(list(zip(times[first:last], cuts[first:last], strict=True)))
            assert median is not None
            values.append(median)
        here = [rounds[places[start]] for start in starts]
        found.append(
            CellChart(
                cell=str(cell),
                route=str(mine["route"].iloc[0]),
                quality=str(mine["quality"].iloc[0] or ""),
                rounds=tuple(one.round_id for one in here),
                at_s=tuple(one.began_s for one in here),
                values=tuple(values),
                # The hours of a world with a clock of its own are not those of our day.
                followed=follow(values, hours if watch.time_scale == 1 else None, design),
                design=design,
            )
        )
    return found


def _count(number: float) -> str:
    return f"{number:.0f}" if number < 1e5 else "100 000 or more"
