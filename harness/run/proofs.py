"""The last self-test of this machine, kept beside the salt, so that a run can say what its clocks are worth."""

from __future__ import annotations

import msgspec

from harness.conditions import ClockProof
from harness.errors import HarnessError
from harness.salt import salt_path

PROOF_FILE = "selftest.json"


def keep_proof(proof: ClockProof) -> None:
    """Write it where the next run finds it.

    Raises:
        HarnessError: the state directory cannot be written.
    """
    target = salt_path().with_name(PROOF_FILE)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n")
    except OSError as error:
        told = f"{target}: cannot be written ({error.strerror}); give --no-keep, or set XDG_STATE_HOME"
        raise HarnessError(told) from None


def last_proof() -> ClockProof | None:
    """What was kept; None when there is nothing, or nothing of this version."""
    try:
        return msgspec.json.decode(salt_path().with_name(PROOF_FILE).read_bytes(), type=ClockProof)
    except (OSError, msgspec.MsgspecError):
        return None
