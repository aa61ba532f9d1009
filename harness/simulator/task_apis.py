"""The task APIs that a port may speak, by the word for it in a world."""

from __future__ import annotations

from harness.simulator.task_evolink import EvoLink
from harness.simulator.task_fal import Fal
from harness.simulator.task_generic import Generic
from harness.simulator.task_kie import Kie
from harness.simulator.task_replicate import Replicate
from harness.simulator.tasks import TaskApi

TASK_APIS: dict[str, TaskApi] = {
    "evolink": EvoLink(),
    "fal": Fal(),
    "kie": Kie(),
    "replicate": Replicate(),
    "task": Generic(),
}
