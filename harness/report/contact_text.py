"""The words of the report on kept images: shared by page, Markdown and `harness pictures`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote

from harness.estimate import Estimate
from harness.gallery.recode import SSIM_WORDS
from harness.kept import IMAGES_DIR
from harness.report import format as fmt
from harness.report.contact_model import CellPictures, LevelRow, PicturePart, SheetImage

_Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

FORMAT_NAMES = {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"}
FLAGS = {
    "unreadable": "cannot be decoded",
    "blank": "blank",
    "near_blank": "nearly blank",
    "small": "small",
    "few_bytes": "few bytes",
    "wrong_size": "wrong size",
}
ACCURACY = (
    "Accuracy of characters: 1 − edits ÷ characters expected, with the fewest insertions, deletions and substitutions "
    "that make the expected lettering out of any stretch of what was read; capitals and line breaks do not count. "
    "Of words: the share of the expected words that were read as they are. “All right”: not one edit."
)
OCR_LIMITS = (
    "What tesseract cannot read counts as wrong, so compare cells and do not take the figures for what people can "
    "read. Its best of up to four ways of reading counts."
)
# Where it was published is said in docs/pictures.md.
PUBLISHED = "A parameter-tuning article says of JPEG 85: 60–70 % smaller than PNG, 30–40 % smaller than JPEG 100."


_LEVELS_HEAD = ("level", "than the original", "than level 100", "SSIM, median", "SSIM, worst", "n")


def format_name(form: str | None) -> str:
    return FORMAT_NAMES.get(form or "", form or "unknown format")


def href(file: str) -> str:
    """The link from the report to a kept file."""
    return f"{IMAGES_DIR}/{quote(file)}"


def size_of(image_bytes: int) -> str:
    return f"{fmt.number(image_bytes / 1000)}\u00a0kB"


def share(value: float | None) -> str:
    """A share as a whole percent; never 100 % for what is less."""
    if value is None:
        return fmt.NOTHING
    percent = 100 * value
    return f"{percent:.0f}\u00a0%" if percent in (0, 100) or percent < 99.5 else f"{percent:.1f}\u00a0%"


def smaller(of: float | None) -> str:
    """How much smaller a file is that has this share of another's bytes."""
    if of is None:
        return fmt.NOTHING
    change = round(100 * (1 - of))
    return f"{change}\u00a0% smaller" if change > 0 else f"{-change}\u00a0% larger" if change < 0 else "as large"


def smaller_range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    least, most = round(100 * (1 - high)), round(100 * (1 - low))
    if least == most:
        return ""
    if least > 0:
        return f"{least} – {most}\u00a0% smaller"
    if most < 0:
        return f"{-most} – {-least}\u00a0% larger"
    return f"{smaller(high)} to {smaller(low)}"


def flags(found: CellPictures) -> str:
    """ "2 blank, 1 small"."""
    return ", ".join(f"{fmt.count(count)} {FLAGS.get(flag, flag)}" for flag, count in found.flags.items())


def alt(route: str, shape: str, block: int) -> str:
    """What a thumbnail is called: cell and block, and never the prompt."""
    return f"Image of {' '.join(filter(None, (route, shape)))}, block {block}"


def under(image: SheetImage) -> list[str]:
    """What stands under a thumbnail besides its link, worst first."""
    words = [FLAGS.get(flag, flag) for flag in image.flags]
    return [*words, *(problem for problem in image.problems if not _said(problem, image.flags))]


def _said(problem: str, found: tuple[str, ...]) -> bool:
    return ("blank" in found and problem.startswith("blank")) or ("wrong_size" in found and problem.startswith("size:"))


def has_lettering(part: PicturePart) -> bool:
    return any(row.lettering_expected for row in part.cells)


def levels_sentence(part: PicturePart) -> str:
    """What the table of levels rests on."""
    return (
        f"{fmt.of(part.level_images, part.level_originals)} kept {format_name(part.original_format)} images, encoded "
        f"again on this machine with Pillow and held against the image as it came: {SSIM_WORDS}. 1 is the same image."
    )


def claim_sentence(part: PicturePart) -> str:
    """The published claim beside what was measured; empty without JPEG 85 of PNGs."""
    row = next((row for row in part.levels if (row.format, row.level) == ("jpeg", 85)), None)
    if row is None or part.original_format != "png":
        return ""
    images = "1 image" if row.n == 1 else f"the median of {fmt.count(row.n)} images"
    return f"{PUBLISHED} Here: {smaller(row.of_original)} and {smaller(row.of_100)}, {images}."


def rendered(part: PicturePart) -> str:
    """The part alone, for a terminal."""
    from harness.report.text import _table

    return "\n\n".join(picture_lines(part, _table)).replace("\u202f", " ").replace("\u00a0", " ")


def picture_lines(part: PicturePart, table: _Table) -> list[str]:
    """The part as Markdown, without the images."""
    lettering = has_lettering(part)
    head = ["route", "request", "images", "flagged", "median size"]
    head += ["lettering all right", "characters", "words"] if lettering else []
    rows = [
        [
            row.route or fmt.NOTHING,
            row.shape,
            fmt.count(row.images),
            flags(row) or fmt.NOTHING,
            fmt.estimate(row.image_kb_p50, "kB"),
            *([_estimate(row.lettering_right), _estimate(row.char_accuracy), _estimate(row.word_accuracy)] * lettering),
        ]
        for row in part.cells
    ]
    parts = ["## Picture quality", table(head, rows)]
    if lettering:
        parts.append(f"{ACCURACY} {OCR_LIMITS}")
    if part.lettering_why:
        parts.append(f"Lettering: {part.lettering_why}; then run `harness pictures` again.")
    if part.flagged:
        named = "\n".join(
            f"- {href(one.file)}: {', '.join(FLAGS.get(flag, flag) for flag in one.flags)}" for one in part.flagged
        )
        parts.append(f"Flagged images:\n\n{named}")
    if part.levels:
        parts += [
            "### What a compression level does to the same image",
            table(_LEVELS_HEAD, _level_rows(part)),
            " ".join(filter(None, (levels_sentence(part), claim_sentence(part)))),
        ]
    elif part.levels_why:
        parts.append(f"Compression levels were not compared: {part.levels_why}.")
    if part.sheet is not None:
        parts.append("The contact sheet is in report.html, the images in images/.")
    return parts


def level_name(row: LevelRow) -> str:
    return f"{format_name(row.format)} {row.level}"


def _level_rows(part: PicturePart) -> list[list[str]]:
    return [
        [
            level_name(row) + (" (asked)" if row.asked else ""),
            _with_range(row.of_original, row.of_original_low, row.of_original_high),
            _with_range(row.of_100, row.of_100_low, row.of_100_high),
            f"{row.ssim:.3f}",
            f"{row.ssim_low:.3f}",
            fmt.count(row.n),
        ]
        for row in part.levels
    ]


def _with_range(middle: float | None, low: float | None, high: float | None) -> str:
    between = smaller_range(low, high)
    return smaller(middle) + (f" ({between})" if between else "")


def _estimate(found: Estimate) -> str:
    between = share_interval(found)
    return share(found.value) + (f" ({between})" if between else "") + ("*" if found.thin else "")


def share_interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return ""
    return f"{share(found.low)} – {share(found.high)}"
