"""Breaking a port while it runs, and mending it: one `Switch` for each port that speaks an image API.

``POST /sim/switch {"fault": "503", "drop": true}`` breaks, ``{"fault": null}`` mends. While it is broken every new
request through the port meets the fault, whatever the world's configuration plans. `drop` also closes the connections
of requests that are under way, without a reply, as a proxy that dies does; the work behind them goes on, which is how
orphans come about.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from harness.simulator import faults
from harness.simulator.clock import SimClock
from harness.simulator.delivery import Send, abort
from harness.simulator.mail import Mail
from harness.simulator.truth import Truth

MOST_CHARS = 200


class Switch:
    """Whether a port is broken, and how. `under_way` is kept by the entry: who waits for an answer."""

    def __init__(self) -> None:
        self.fault: str | None = None  # as `faults.parse` reads it
        self.under_way: dict[Mail, tuple[Send, Truth]] = {}

    def told(self, asked: object) -> MutableMapping[str, Any]:
        """Do as a request's body says. Gives what to answer.

        Raises:
            ValueError: the body is not one of those above; the message says what it has to be.
        """
        if not isinstance(asked, dict) or not set(asked) <= {"fault", "drop"} or "fault" not in asked:
            raise ValueError('fault (text, or null to mend), and drop (true or false): {"fault": "503", "drop": true}')
        fault, drop = asked["fault"], asked.get("drop", False)
        if fault is not None:
            if not isinstance(fault, str) or len(fault) > MOST_CHARS:
                raise ValueError(f"fault: text of at most {MOST_CHARS} characters, or null to mend")
            if faults.parse(fault)[0] not in faults.FAULTS:
                raise ValueError(f"fault: there is no fault {fault!r}; there are {', '.join(sorted(faults.FAULTS))}")
        if not isinstance(drop, bool):
            raise ValueError("drop: true or false")
        self.fault = fault
        return {"fault": fault, "dropped": self._drop() if drop else 0}

    def _drop(self) -> int:
        waiting = list(self.under_way.items())
        for mail, (send, truth) in waiting:
            truth.client_gone_ns = truth.client_gone_ns or SimClock.now_ns()
            truth.note = "the port was broken"
            mail.leave()
            abort(send)
        return len(waiting)
