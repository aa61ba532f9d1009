"""Many comparisons at once: p-values after Holm.

Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979)
65-70. The chance of even one false alarm among all of them stays below the level, however they hang together.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values in the order given. A comparison without a p-value (null) is not counted as one.

    The k-th smallest of m becomes the largest of ``(m - j + 1) * p_(j)`` over j up to k, and at most 1.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    out: list[float | None] = [None] * len(p_values)
    so_far = 0.0
    for rank, (p, index) in enumerate(known):
        so_far = max(so_far, min(1.0, (len(known) - rank) * p))
        out[index] = so_far
    return out
