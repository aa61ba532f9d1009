"""A harmless prompt of the same length class and the same complexity: what a reproduction sends instead of the text.

The words are letters, spaces, commas and full stops only, so that no shell, JSON or Python quoting can go wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.packet.vocabulary import Complexity, PromptBucket

LENGTHS: Mapping[PromptBucket, int] = {
    "0": 0,
    "1-50": 40,
    "51-200": 120,
    "201-1000": 600,
    "1001-4000": 2400,
    "4001-16000": 9000,
    "16001-32000": 24000,
    "32001+": 32000,
}
SENTENCES: Mapping[Complexity, str] = {
    "low": "A plain white cup on a grey table. ",
    "medium": "A small harbour town at dusk with three boats, a stone quay and lamps in the windows. ",
    "high": "A crowded night market with forty stalls, readable signs, wet paving, crossing reflections, hanging "
    "lanterns, steam, fruit in crates and many different faces. ",
    "other": "A wooden chair beside an open window with a view of hills. ",
}


def sentence(complexity: Complexity | None) -> str:
    """The sentence that is repeated."""
    return SENTENCES[complexity or "other"]


def length(bucket: PromptBucket) -> int:
    """How many characters the synthetic prompt has."""
    return LENGTHS[bucket]


def synthetic(bucket: PromptBucket, complexity: Complexity | None) -> str:
    """The prompt itself. It ends in a letter: a server may trim spaces."""
    text, chars = sentence(complexity), length(bucket)
    padded = (text * (chars // len(text) + 1))[:chars]
    return padded if not padded.endswith(" ") else padded[:-1] + "."
