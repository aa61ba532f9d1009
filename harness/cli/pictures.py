"""harness pictures"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.common import emit_json, format_option, run_argument


@click.command("pictures")
@run_argument
@click.option(
    "--language",
    default="eng",
    show_default=True,
    help="What tesseract is to read, as it names languages: eng, deu, eng+fra, chi_sim.",
)
@click.option(
    "--recode-images",
    type=click.IntRange(min=0, max=1000),
    default=12,
    show_default=True,
    help="Encode so many images again at each compression level (about 1.5 s each); 0: none.",
)
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@format_option
def command(run_dir: Path, language: str, recode_images: int, quiet: bool, form: str) -> None:
    """Look at the images that `harness run --keep-images` kept, and write RUN/pictures.json.

    Blank, tiny and wrong-size images are flagged. Where prompts have expect_text, tesseract reads the lettering (extra
    ocr). Some images are encoded again at each compression level and held against the original (extra ssim).
    `harness report` does this by itself when it was not done yet. Neither prompts nor what was read are written.
    """
    from harness.gallery import look, write_pictures
    from harness.report.contact import part_of
    from harness.report.contact_text import rendered

    found = look(
        run_dir,
        language=language,
        recoded_images=recode_images,
        progress=lambda line: None if quiet else print(line, file=sys.stderr),
    )
    path = write_pictures(run_dir, found)
    if form == "json":
        emit_json(found)
    else:
        print(rendered(part_of(found, {}, None)))
        print(f"\npictures: {path}")
