"""Members to the bytes of a zip and back. Stored, fixed time, fixed mode, sorted: the same members, the same bytes.

Nothing is compressed: the whole is some tens of kilobytes, zlib's output differs between versions, and stored bytes can
be scanned as they are. On the way back every name, size and byte is checked, so that nothing rides along in a gap.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime

from harness.errors import UsageProblem

MAX_MEMBER_BYTES = 2_000_000
MAX_ARCHIVE_BYTES = 8_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR, _EXECUTABLE = 0o100644, 0o100755


def stamp(moment: datetime | None) -> tuple[int, int, int, int, int, int]:
    """A zip time (UTC, even seconds) of the packet's own moment; 1980 when there is none that zip can hold."""
    if moment is None:
        return _EPOCH
    utc = moment.astimezone(UTC)
    if not 1980 <= utc.year <= 2107:
        return _EPOCH
    return (utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second // 2 * 2)


def pack(files: Mapping[str, bytes], moment: datetime | None) -> bytes:
    """The archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, stamp(moment))
            info.create_system = 3
            info.external_attr = (_EXECUTABLE if name.endswith(".sh") else _REGULAR) << 16
            archive.writestr(info, files[name])
    return out.getvalue()


def unpack(data: bytes, names: tuple[str, ...]) -> dict[str, bytes]:
    """The members of an archive that holds exactly `names`.

    Raises:
        UsageProblem: it is no zip, or a member is missing, added, doubled, compressed, or too large.
    """
    if len(data) > MAX_ARCHIVE_BYTES:
        raise UsageProblem(f"larger than {MAX_ARCHIVE_BYTES} bytes: not a packet of ours")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            found = [info.filename for info in infos]
            _check_names(found, names)
            for info in infos:
                if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
                    raise UsageProblem(f"{info.filename} is compressed or encrypted: ours never are")
                if info.file_size > MAX_MEMBER_BYTES or info.compress_size > MAX_MEMBER_BYTES:
                    raise UsageProblem(f"{info.filename} is larger than {MAX_MEMBER_BYTES} bytes")
            return {name: archive.read(name) for name in found}
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError, RuntimeError) as error:
        raise UsageProblem(f"not a zip that can be read ({type(error).__name__}): damaged or tampered with") from None


def _check_names(found: list[str], names: tuple[str, ...]) -> None:
    """Foreign names are counted, not repeated: they may hold anything."""
    doubled = [name for name in names if found.count(name) > 1]
    missing = [name for name in names if name not in found]
    strange = sum(name not in names for name in found)
    for problem, what in ((doubled, "there twice"), (missing, "missing")):
        if problem:
            raise UsageProblem(f"{', '.join(problem)} {what}: the packet was changed after it was written")
    if strange:
        raise UsageProblem(f"{strange} member(s) that no packet has: the packet was changed after it was written")
