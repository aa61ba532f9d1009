"""Kept images looked at: flags, lettering, what compression does, small pictures for the report.

Reads a run's folder, needs no network, and writes ``pictures.json``.
"""

from harness.gallery.look import is_current, kept_files, look
from harness.gallery.model import PICTURES_FILE, Picture, Pictures, read_pictures, write_pictures

__all__ = [
    "PICTURES_FILE", "Picture", "Pictures", "is_current", "kept_files", "look", "read_pictures", "write_pictures",
]  # fmt: skip
