"""Every audit, in order: a job gets the verdict of the first one that holds for it.

Refusals first (the API said why), then rate limits, then our own machine, then layers that gave up, then images that
are not there or not right, then slow ones. What nothing explains is undetermined; what needs no explanation is ok.
"""

from __future__ import annotations

from harness.diagnosis import contradictions, gateways, no_image, own_host, pressure, refusals, slow, tasks, timeouts
from harness.diagnosis.audit import Audit

AUDITS: tuple[Audit, ...] = (
    *refusals.AUDITS,
    *gateways.REFUSAL_AUDITS,
    *pressure.AUDITS,
    *own_host.AUDITS,
    *timeouts.AUDITS,
    *tasks.FAILED_AUDITS,
    *refusals.LEFTOVER_AUDITS,
    *no_image.AUDITS,
    *contradictions.AUDITS,
    *gateways.RETRY_AUDITS,
    *tasks.POLL_AUDITS,
    *slow.AUDITS,
    *timeouts.LAST_AUDITS,
)
