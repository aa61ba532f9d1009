"""The sentences of a packet. Fixed words with closed words and figures set into them; never words from a run."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.model import VerdictName
from harness.packet.requests import LOOK_UP, asked
from harness.packet.schema import EscalationPacket, Size

VERDICTS: Mapping[VerdictName, str] = {
    "ok": "completed within its objective",
    "long_model_wait": "completed; most of the time passed before the first payload",
    "false_timeout": "a layer gave up while the upstream was still working or had finished",
    "retry_pressure": "rate limits or repeats make up the wait",
    "route_owner_delay": "the same shape is slow on this route only",
    "connect_delay": "most of the time went into the connection",
    "upload_bound": "most of the time went into the upload",
    "download_bound": "most of the time went into the download",
    "render_bound": "most of the time went into decoding",
    "stream_buffered": "partial images arrived together with the final one: something holds bytes back",
    "moderation_input": "refused by moderation before generation",
    "moderation_output": "refused by moderation after generation",
    "parameter_mismatch": "a parameter was refused",
    "model_not_found": "the model was not found or is not open to this account",
    "org_unverified": "the organization is not verified for this model",
    "auth": "the credential was refused",
    "quota": "a quota or spend limit is used up",
    "account_block": "the account or resource is blocked",
    "gateway_cooldown": "a gateway refused by itself after earlier failures",
    "hidden_retries": "a gateway tried again behind one answer",
    "task_failed": "a task was taken on and failed",
    "link_expired": "the link to the result could not be fetched",
    "poll_delay": "the pauses between polls make up much of the wait",
    "silent_downgrade": "the answer contradicts the quality or size that was asked for",
    "parameter_dropped": "a parameter was lost on the way",
    "incomplete_stream": "the stream ended without a final image",
    "empty_success": "a success without an image",
    "client_bound": "our own machine was too busy: distrust this measurement first",
    "undetermined": "this evidence does not show the cause",
}


def seconds(ms: float | None) -> str:
    """``60.012 s`` or ``-``"""
    return "-" if ms is None else f"{ms / 1000:.3f} s"


def figure(value: float | int | None, unit: str = "") -> str:
    """A number without needless zeros, or ``-``"""
    return "-" if value is None else f"{value:g}{unit}" if isinstance(value, float) else f"{value}{unit}"


def word(value: str | None) -> str:
    """A closed word, or ``-``"""
    return "-" if value is None else value


def size_word(size: Size | str | None) -> str:
    """``1024x1024``, a closed word, or ``-``"""
    return f"{size.width}x{size.height}" if isinstance(size, Size) else word(size)


def timeout_sentence(packet: EscalationPacket) -> str:
    """Which layer gave up, at which cap, on what evidence."""
    found = packet.timeout
    if found is None:
        return "No layer is shown to have given up."
    known = (word for word in (found.product, found.layer_class) if word not in (None, "other"))
    name = "our own cap" if found.ours else next(known, "a layer that the evidence does not name")
    where = f", layer {found.position_in_chain} of our chain" if found.position_in_chain else ""
    cap = f" at {found.cap_s:g} s" if found.cap_s is not None else ""
    kind = f" ({found.cap_kind})" if found.cap_kind else ""
    setting = f", setting {found.setting}" if found.setting not in (None, "other") else ""
    finished = {True: " The upstream finished the image anyway.", False: " The upstream did not finish it."}
    backend = "" if found.backend_finished is None else finished[found.backend_finished]
    return f"{name}{where} gave up{cap}{kind}{setting}; evidence: {found.grade}.{backend}"


def decision_sentence(packet: EscalationPacket) -> str:
    """The decision asked for in the words of whoever it is asked of, with its target and figures."""
    made = packet.decision
    parts = [asked(made.kind, made.asked_of)]
    if made.setting not in (None, "other"):
        parts.append(f"setting {made.setting}")
    if made.product not in (None, "other"):
        parts.append(f"on {made.product}")
    if made.from_s is not None:
        parts.append(f"from {made.from_s:g} s")
    if made.to_s is not None:
        parts.append(f"to {made.to_s:g} s")
    return f"{', '.join(parts)}. {LOOK_UP[made.asked_of]}"
