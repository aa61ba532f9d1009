"""harness layers"""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import emit_json, format_option
from harness.errors import UsageProblem


@click.command("layers")
@click.argument("name", required=False)
@click.option("--search", "text", metavar="TEXT", help="Only entries with TEXT anywhere in them.")
@click.option("--status", type=click.IntRange(100, 599), help="Only entries that sign with this HTTP status.")
@click.option("--class", "layer_class", metavar="CLASS", help="Only entries of a class: reverse_proxy, cdn, gateway, …")
@click.option(
    "--layers",
    "own",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A YAML file of your own layers on top; may be given again. docs/layers.md says what goes into it.",
)
@format_option
def command(
    name: str | None, text: str | None, status: int | None, layer_class: str | None, own: tuple[Path, ...], form: str
) -> None:
    """List the layers that are known to give up, or explain NAME: an entry's id, or a product such as nginx.

    For each: setting, cap, what it looks like, whether bytes reset it, whether the work behind it goes on, its
    look-alikes and how to tell them apart, the first move, and how all this is known.
    """
    from difflib import get_close_matches

    from harness.diagnosis.catalog import load_catalog
    from harness.diagnosis.catalog_text import explain, found, plain, rows
    from harness.diagnosis.layer import CLASSES

    if layer_class is not None and layer_class not in CLASSES:
        raise UsageProblem(f"--class {layer_class}: there is no such class; use one of {', '.join(CLASSES)}")
    catalog = load_catalog(own)
    layers = found(catalog, name=name, text=text, status=status, layer_class=layer_class)
    if name is not None and not found(catalog, name=name):
        known = sorted({layer.id for layer in catalog} | {layer.product for layer in catalog})
        close = get_close_matches(name.lower(), known, 3)
        hint = f"did you mean {', '.join(close)}?" if close else f"try `harness layers --search {name}`"
        raise UsageProblem(f"no layer is called {name!r}; {hint}")
    if form == "json":
        emit_json([plain(layer) for layer in layers])
    elif name is None:
        for line in rows(layers):
            print(line)
    else:
        for at, layer in enumerate(layers):
            for line in ("", *explain(layer)) if at else explain(layer):
                print(line)
