"""Reading lettering with tesseract, through pytesseract (extra ``ocr``).

Tesseract is made for pages. In a picture, one way of reading finds what another misses, so up to four are tried and
the one that agrees best counts; what none of them can read counts as wrong. The figures are therefore for comparing
cells, which are all read alike, and are no verdict on one image.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from harness.errors import UsageProblem
from harness.gallery.agreement import char_accuracy, is_latin, plain, word_accuracy
from harness.gallery.model import Reading

if TYPE_CHECKING:
    from PIL import Image

INSTALL_EXTRA = "pip install -e '.[ocr]'"
INSTALL_PROGRAM = "the program tesseract (Debian: apt install tesseract-ocr)"
LEAST_CONFIDENCE = 30  # of 100: below it tesseract guesses at texture
_TIMEOUT_S = 60

# Reduce by, and how: sparse text; the same at half size and with adaptive Otsu (large letters escape the full size);
# Sauvola's local threshold (lettering on a gradient); one block of text.
_WAYS = (
    (1, "--psm 11"),
    (2, "--psm 11 -c thresholding_method=1"),
    (1, "--psm 3 -c thresholding_method=2"),
    (1, "--psm 6"),
)


class Reader:
    """Tesseract, or the reason why it cannot be asked. May be used by several threads."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.version: str | None = None
        self.why: str | None = None
        self._module: Any = None
        try:
            import pytesseract  # type: ignore[import-untyped]
        except ImportError:
            self.why = f"pytesseract is not installed: {INSTALL_EXTRA}"
            return
        if shutil.which("tesseract") is None:
            self.why = f"tesseract is not on the path: install {INSTALL_PROGRAM}"
            return
        # Two images are read at a time: a process of tesseract must not take all cores for itself.
        os.environ.setdefault("OMP_THREAD_LIMIT", "1")
        self._module = pytesseract
        self.version = str(pytesseract.get_tesseract_version())
        there = set(pytesseract.get_languages(config=""))
        missing = [one for one in language.split("+") if one not in there]
        if missing:
            raise UsageProblem(
                f"--language {language}: tesseract has no {', '.join(missing)}; it has {', '.join(sorted(there))} "
                f"(Debian: apt install tesseract-ocr-{missing[0].replace('_', '-')})"
            )

    def can_read(self, expected: str) -> bool:
        """Whether this language has the letters: a figure for others would be confidently wrong."""
        return self._module is not None and (self.language != "eng" or is_latin(expected))

    def read(self, image: Image.Image, expected: str) -> Reading | None:
        """Read an image whose lettering is known; None when tesseract failed at it every time."""
        from PIL import Image as Pil

        backed = image.convert("RGBA")
        grey = Pil.alpha_composite(Pil.new("RGBA", backed.size, "white"), backed).convert("L")
        best: Reading | None = None
        for reduce, config in _WAYS:
            found = self._once(grey.reduce(reduce) if reduce > 1 else grey, config, expected)
            if found is not None and (best is None or found.char_accuracy > best.char_accuracy):
                best = found
            if best is not None and best.char_accuracy == 1:
                break
        return best

    def _once(self, grey: Image.Image, config: str, expected: str) -> Reading | None:
        module = self._module
        try:
            data = module.image_to_data(
                grey, lang=self.language, config=config, output_type=module.Output.DICT, timeout=_TIMEOUT_S
            )
        except (module.TesseractError, RuntimeError):  # RuntimeError is pytesseract's word for its timeout
            return None
        words = [
            (text.strip(), float(confidence))
            for text, confidence in zip(data["text"], data["conf"], strict=True)
            if text.strip() and float(confidence) >= LEAST_CONFIDENCE
        ]
        read = " ".join(text for text, _ in words)
        return Reading(
            expected_chars=len(plain(expected)),
            read_chars=len(plain(read)),
            char_accuracy=round(char_accuracy(expected, read), 4),
            word_accuracy=round(word_accuracy(expected, read), 4),
            confidence=round(sum(confidence for _, confidence in words) / len(words), 1) if words else None,
        )
