"""The public API over a run: what `harness.load_run` gives, and the words for its figures.

Everything here is also a name of `harness` itself, from where it is meant to be imported.
"""

from harness.api.load import load_run
from harness.api.many import query_runs
from harness.api.run import Run
from harness.api.words import told
from harness.stats import Curve, Proportion, Quantile
from harness.stats.beyond import Beyond
from harness.stats.compare import Effect, adjusted

__all__ = ["Beyond", "Curve", "Effect", "Proportion", "Quantile", "Run", "adjusted", "load_run", "query_runs", "told"]
