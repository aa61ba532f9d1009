"""Statistics without I/O: quantiles that know their sample size, quantiles of cut clocks, intervals of shares."""

from harness.stats.censored import Curve, survival
from harness.stats.quantiles import Proportion, Quantile, proportion, quantile, sample_floor

__all__ = ["Curve", "Proportion", "Quantile", "proportion", "quantile", "sample_floor", "survival"]
