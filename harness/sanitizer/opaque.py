"""Opaque tokens: long runs that are no words. Guilty unless they are an id in an id's place or a hash in a hash's."""

from __future__ import annotations

import base64
import binascii
import functools
import re

from harness.sanitizer.words import words

MIN_CHARS = 16

# Pairs of letters that make up nine tenths of English and of technical words. A random run holds few of them.
_PAIRS = words(
    """th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic
    ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un lo
    wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry
    mp fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi
    da yo cr cl du ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg
    ib tl ny ki rk ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr hr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz
    ok nl my gl aw ju oa eq sy sl ps jo lf nv je nk kn gs dy hy ze ks xt bs ik dd pt rp sk xi oe oy ws lv dl rf eu dg wr
    xa yi nm eb rw lk eh gp ug kb js px ux ix nx db ax tp ct ml ck nc fs ps cs ds ls rs ns ms ts bs gs ks xx op ng ht
    """
)
_SPLIT = re.compile(r"[-_/+=.~:%]+")
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HEX = re.compile(r"[0-9a-fA-F]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DATE = re.compile(
    r"(?:19|20)\d{2}-?[01]\d-?[0-3]\d(?:[T_-]?[0-2]\d[:-]?[0-5]\d(?:[:-]?[0-5]\d(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
)

# Shapes that belong to request ids alone and identify an exchange, wherever they stand.
SELF_EVIDENT = re.compile(
    r"req_[0-9a-zA-Z]{8,40}|[0-9a-f]{16}-[A-Z]{3}|Root=1-[0-9a-f]{8}-[0-9a-f]{24}(?:;[A-Za-z0-9=:;.-]{0,80})?"
    r"|(?:Self=)?1-[0-9a-f]{8}-[0-9a-f]{24}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
    r"|(?:harness|hns)-(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-z][0-9a-z.-]{5,60})"
    r"|(?:chatcmpl|resp|cmpl|imggen|gen|ig|msg|call|batch|run|step|evt|task|job|pred|img|trace|modr)[-_][0-9A-Za-z]{8,64}(?:-[0-9A-Za-z]{4,40})?"
    r"|sha(?:1|256|384|512)[:=-][0-9A-Za-z+/=]{27,128}"
    r"|[a-z]{3}1::(?:[a-z]{3}1::)?[0-9a-z]{4,8}-\d{13}-[0-9a-f]{12}"
)
# What an id may look like where a name says that it is one.
ID_SHAPES = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?:[-.:_/][0-9A-Za-z.]{1,12})?|[0-9a-fA-F]{12,40}|[0-9]{1,24}"
    r"|[0-7][0-9A-HJKMNP-TV-Z]{25}(?:-[a-z]{3})?|[A-Z0-9]{16}|[a-z0-9]{20,28}"
    r"|[a-z]{2,12}[-_][0-9A-Za-z-]{4,48}|20\d{12,20}[A-Za-z0-9]{0,24}"
)
# In the header of a request id anything short without a blank may stand: other software's ids have all forms.
REQUEST_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_=.:;/+@-]{2,120}")
HASHES = re.compile(
    r"(?:(?:sha(?:1|224|256|384|512)|md5|crc32c?|blake[23][bs]?|xxh(?:64|3))[:=-])?"
    r"(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{12}|[0-9a-fA-F]{16}|[0-9a-fA-F]{24}|[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{56}|[0-9a-fA-F]{64}|[0-9a-fA-F]{96}"
    r"|[0-9a-fA-F]{128}|[A-Za-z0-9+/_-]{22}(?:==)?|[A-Za-z0-9+/_-]{27}=?|[A-Za-z0-9+/_-]{43}=?|(?:W/)?\"?[0-9a-f-]{4,66}\"?)"
)  # fmt: skip


def _wordy(letters: str) -> bool:
    """Whether letters could be a word: short, or made of common pairs with vowels among them."""
    size = len(letters)
    if size <= 3:
        return True
    folded = letters.lower()
    common = sum(folded[i : i + 2] in _PAIRS for i in range(size - 1)) / (size - 1)
    return common >= (0.5 if size <= 6 else 0.64 if size <= 14 else 0.7) and not (size > 28)


def is_opaque(token: str) -> bool:
    """Whether a run of token characters is none that a person or a program wrote as words and figures."""
    return _is_opaque(token if len(token) <= 400 else token[:400])  # a long one shows itself at its start


@functools.lru_cache(maxsize=100_000)
def _is_opaque(token: str) -> bool:
    if len(token) < MIN_CHARS or _DATE.fullmatch(token):
        return False
    if _UUID.search(token):
        return True
    strange = known = 0
    for part in _SPLIT.split(token):
        size = len(part)
        if not size:
            continue
        if part.rstrip("eE").isdigit():
            known += size if size <= 6 else 0
            continue
        if size >= 8 and _HEX.fullmatch(part) and not part.isalpha():
            strange += size
            continue
        humps = _HUMP.findall(part)
        odd = sum(len(hump) for hump in humps if hump.isalpha() and not _wordy(hump))
        named = part.isalpha() and not odd and size >= 3.3 * len(humps)  # EdgeTimeToFirstByteMs
        if size >= 6 and len(humps) > max(2, size / 3.6) and not named:
            strange += size  # changes between cases and digits more often than words do
        elif odd >= size / 2 and size >= 6:
            strange += size
        else:
            known += size
    return strange >= 12 and strange > known * 0.5 if known else strange >= 10


def printable(data: bytes) -> str | None:
    """Bytes as text when they are text."""
    if len(data) < 6:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    good = sum(character.isprintable() or character in "\r\n\t" for character in text)
    return text if good >= 0.97 * len(text) else None


def decoded(token: str) -> str | None:
    """The text inside base64, base64url or hex, also when gzip lies between; null when there is none."""
    body = token.rstrip("=")
    data: bytes | None = None
    if len(body) % 2 == 0 and _HEX.fullmatch(body) and len(body) >= 12:
        data = bytes.fromhex(body)
        text = printable(data)
        if text is not None and text.isascii():
            return text
    if len(body) % 4 == 1 or not re.fullmatch(r"[A-Za-z0-9+/_-]+", body):
        return None
    try:
        data = base64.b64decode(body.replace("-", "+").replace("_", "/") + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return None
    if data[:2] == b"\x1f\x8b":
        return _inflated(data)
    return printable(data)


def _inflated(data: bytes, cap: int = 1_000_000) -> str | None:
    import zlib

    try:
        return zlib.decompressobj(31).decompress(data, cap).decode("utf-8", "replace")
    except zlib.error:
        return None
