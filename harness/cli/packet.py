"""harness packet"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("packet")
@click.argument("run_dir", metavar="RUN", type=click.Path(exists=True, path_type=Path))
@click.option("--job", "job_id", help="The job that the packet is about (default: the most telling one).")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The zip (default: RUN/packet.zip).")
@click.option("--preview", "show", is_flag=True, help="Print exactly the bytes that would leave, and write nothing.")
@click.option("--verify", "check", is_flag=True, help="RUN is a packet that was received: verify it.")
def command(run_dir: Path, job_id: str | None, out: Path | None, show: bool, check: bool) -> None:
    """Write a sanitized escalation packet of a diagnosed RUN. It sends nothing.

    A leak scan over the final bytes refuses with exit code 5 and writes nothing when anything secret is left.
    """
    from harness.packet import preview, verify_packet, write_packet

    if check:
        result = verify_packet(run_dir)
        print(f"verified: {result}")
    elif show:
        print(preview(run_dir, job_id))
    else:
        print(f"packet: {write_packet(run_dir, out, job_id)}")
