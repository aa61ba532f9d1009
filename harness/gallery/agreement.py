"""How well what was read agrees with what was to be read. Pure.

Both are compared after Unicode's NFKC, without regard to case, and with every run of blanks as one: capitals are a
matter of type, and line breaks of layout.

Sources
-------
* Edit distance with free ends in the longer text: P. H. Sellers, "The theory and computation of evolutionary
  distances: pattern recognition", Journal of Algorithms 1 (1980) 359-373. An image may hold other lettering beside the
  expected; only the stretch that fits best is judged.
"""

from __future__ import annotations

import unicodedata
from collections import Counter


def plain(text: str) -> str:
    """The form in which texts are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fewest_edits(expected: str, read: str) -> int:
    """Insertions, deletions and substitutions that make `expected` out of the best stretch of `read`.

    At most ``len(expected)``: the empty stretch is one as well. Time grows with the product of both lengths.
    """
    above = [0] * (len(read) + 1)  # a stretch may begin anywhere
    for row, wanted in enumerate(expected, start=1):
        line = [row]
        for column, found in enumerate(read, start=1):
            line.append(min(above[column] + 1, line[column - 1] + 1, above[column - 1] + (wanted != found)))
        above = line
    return min(above)  # and end anywhere


def char_accuracy(expected: str, read: str) -> float:
    """1 - fewest edits / characters expected, between 0 and 1."""
    wanted = plain(expected)
    return 1.0 if not wanted else 1 - fewest_edits(wanted, plain(read)) / len(wanted)


def word_accuracy(expected: str, read: str) -> float:
    """The share of the expected words that were read, each as often as it is expected; punctuation around them is not.

    Where no word is left of what was expected (lettering that is punctuation alone), it is `char_accuracy`.
    """
    wanted = _words(expected)
    if not wanted:
        return char_accuracy(expected, read)
    return (wanted & _words(read)).total() / wanted.total()


def is_latin(text: str) -> bool:
    """Whether all of its letters are Latin ones: tesseract's English reads no others."""
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in plain(text) if letter.isalpha())


def _words(text: str) -> Counter[str]:
    stripped = (word.strip(".,;:!?\"'“”‘’„«»()[]{}-–—") for word in plain(text).split())
    return Counter(word for word in stripped if word)
