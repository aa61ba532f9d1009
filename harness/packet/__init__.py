"""The escalation packet: enough for support to find and reproduce a slow or failed job, and nothing secret.

Wall 1 extracts into a closed schema (`extract`), wall 3 scans the final bytes and refuses (`leakscan`), and between
them the bundle is made of nothing but the schema's own values (`bundle`).
"""

from harness.packet.bundle import preview, write_packet
from harness.packet.extract import extract
from harness.packet.schema import EscalationPacket
from harness.packet.verify import VerifyResult, verify_packet

__all__ = ["EscalationPacket", "VerifyResult", "extract", "preview", "verify_packet", "write_packet"]
