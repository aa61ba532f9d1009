"""harness links"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import emit_json, format_option, run_argument


@click.command("links")
@run_argument
@format_option
def command(run_dir: Path, form: str) -> None:
    """Fetch result links of RUN again where the scenario's `link_check` says that they are due. Made for cron.

    What came is added to RUN/events.jsonl. The links themselves are kept in the user's state directory alone, and
    forgotten after their last check. Costs nothing: a download is not a generation.
    """
    from harness.journal_lines import read_link_checks
    from harness.run.linkcheck import check_links

    checked = check_links(run_dir)
    if form == "json":
        emit_json({"done": checked.done, "left": checked.left, "next_in_s": checked.next_in_s})
        return
    for check in checked.done:
        state = "gone" if not check.alive else "alive" if check.same is not False else "alive, but another file"
        status = "no answer" if check.http_status is None else f"HTTP {check.http_status}"
        print(f"{check.job_id} link {check.link + 1} on {check.route}: {state} at {_age(check.age_s)} ({status})")
    everything = read_link_checks(run_dir / "events.jsonl")
    if everything:
        alive = sum(check.alive for check in everything)
        print(f"{alive} of {len(everything)} checks so far found their link alive")
    if checked.next_in_s is not None:
        print(f"{checked.left} checks to come, the next in {_age(max(checked.next_in_s, 0))}")
    elif not checked.done:
        print("nothing to check: the scenario has no link_check, or no result came as a link, or all is done")


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
