"""Policies as experiments: what retrying, hedging, falling back, streaming … would do, in virtual time.

`model` and `read` are the policy file, `world` what a run or a profile tells, `simulate` the simulation, `results` and
`text` what comes of it. Pure but for reading a run's journal; no network library.
"""

from __future__ import annotations

from harness.policies.model import Policy, PolicyFile
from harness.policies.read import read_policies

__all__ = ["Policy", "PolicyFile", "read_policies"]
