"""The loop of `harness shrink`: the measuring half sends, the reading half judges, the book is kept in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from harness.cli.shrink_sends import Sender
from harness.events import JobEvent, to_line
from harness.plan import Job
from harness.run.probing import probe_scenario
from harness.run.session import Options
from harness.shrinking.book import Book, ending
from harness.shrinking.model import BACKEND_FILE, EVENTS_FILE, Trial


def drive(sender: Sender, book: Book, time_scale: float | None, say: Callable[[Trial], None]) -> None:
    """Send until the search is over, the budget is used up, or the user stops it. The book says which.

    Raises:
        UsageProblem: the embedded API cannot be started.
    """
    cancelled = False

    def decide(came: JobEvent | None) -> Job | None:
        nonlocal cancelled
        if came is not None:
            with (sender.run_dir / EVENTS_FILE).open("ab") as journal:
                journal.write(to_line(came))
            say(book.saw(sender.judged(came), came.cost_usd))
            cancelled = came.outcome == "cancelled"
            if cancelled:
                return None
        step = book.step()
        if step.shape is None:
            book.close(ending(step))
            return None
        price_usd = sender.price(step.shape)
        if book.refuses(price_usd) is not None:
            book.close("out_of_budget")
            return None
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        return sender.job(step.shape, book.sending(step.shape, step.purpose, price_usd, now).number)

    try:
        probe_scenario(sender.scenario, Options(time_scale=time_scale), decide, sender.run_dir / BACKEND_FILE)
    except KeyboardInterrupt:  # between two sends
        cancelled = True
    if cancelled:
        book.close("stopped")
