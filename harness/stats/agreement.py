"""Do several people see the same? Krippendorff's alpha for names without an order.

Source: K. Krippendorff, "Computing Krippendorff's alpha-reliability", 2011 (University of Pennsylvania, Annenberg
School): alpha = 1 - observed disagreement / disagreement by chance. 1 is full agreement, 0 that of chance. Whoever did
not see a unit is simply missing from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence


def alpha(units: Iterable[Sequence[Hashable]]) -> tuple[float | None, int]:
    """Krippendorff's alpha, and from how many units that at least two people judged.

    Null without such units, and where all said one and the same of everything: chance would agree as well.
    """
    total: Counter[Hashable] = Counter()
    disagreed, count = 0.0, 0
    for unit in units:
        if len(unit) < 2:
            continue
        count += 1
        seen = Counter(unit)
        total += seen
        disagreed += sum(k * (len(unit) - k) for k in seen.values()) / (len(unit) - 1)
    n = sum(total.values())
    by_chance = sum(k * (n - k) for k in total.values()) / (n - 1) if n > 1 else 0.0
    return (1 - disagreed / by_chance if by_chance else None), count
