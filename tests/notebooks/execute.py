"""Executes notebooks in processes of their own and prints what they found, as JSON.

``python -m tests.notebooks.execute kernel RUN`` runs each as a reader does, in a kernel; RUN ``-`` leaves it to the
notebook's own default. ``plain RUN…`` runs the code of each over several runs, without a kernel, which is quicker.
A warning is an error in a cell; those of the kernel's own machinery are none of ours.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"

# What each notebook leaves in its variables, for a test to hold against the truth.
FOUND = {
    "tier-selection": {
        "cells": "cells.to_json(orient='records')",
        "states": "states.to_json()",
        "effects": "effects.to_json(orient='records')",
        "chosen": "json.dumps(chosen)",
        "answer": "json.dumps(answer)",
    },
    "timing-audit": {
        "gave_up": "gave_up.to_json(orient='records')",
        "cut_ids": "json.dumps(sorted(cut['client_request_id']))",
        "gaps": "gaps.to_json(orient='records')",
        "outside": "outside.reset_index().to_json(orient='records')",
        "answer": "json.dumps(answer)",
    },
    "timeout-budget": {
        "needs": "needs.to_json(orient='records')",
        "cut_by": "json.dumps({name: {s: one.share for s, one in row.items()} for name, row in cut_by.items()})",
        "budget": "budget.to_json(orient='records')",
        "answer": "json.dumps(answer)",
    },
}
STRICT = "import warnings\nwarnings.simplefilter('error')"


def probe(name: str) -> str:
    """Code that prints what is found, and how many figures were drawn."""
    parts = ", ".join(f"{key!r}: json.loads({code})" for key, code in FOUND[name].items())
    return f"import json\nprint('FOUND ' + json.dumps({{{parts}}}))"


async def in_kernel(name: str) -> dict[str, Any]:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    notebook.cells.append(nbformat.v4.new_code_cell(probe(name)))
    client = NotebookClient(
        notebook,
        timeout=120,
        startup_timeout=120,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
    )
    done = await client.async_execute()
    printed = done.cells[-1].outputs[0]["text"]
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    return {
        **json.loads(printed.removeprefix("FOUND ")),
        "figures": sum("image/png" in output.get("data", {}) for output in outputs),
        "errors": [output.get("text") for output in outputs if output.get("name") == "stderr"],
    }


async def all_in_kernels() -> dict[str, dict[str, Any]]:
    done = await asyncio.gather(*map(in_kernel, FOUND))
    return dict(zip(FOUND, done, strict=True))


def plainly(name: str) -> dict[str, Any]:
    import contextlib
    import io

    namespace: dict[str, Any] = {}
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"{name}:{cell['id']}", "exec"), namespace)
        exec(probe(name), namespace)
    import matplotlib.pyplot as plt

    plt.close("all")
    found: dict[str, Any] = json.loads(printed.getvalue().rpartition("FOUND ")[2])
    return {**found, "printed": printed.getvalue().rpartition("FOUND ")[0]}


def main(how: str, *runs: str) -> None:
    if how == "kernel":
        if runs[0] != "-":
            os.environ["HARNESS_RUN"] = runs[0]
        print(json.dumps(asyncio.run(all_in_kernels())))
        return
    found = []
    for run in runs:
        os.environ["HARNESS_RUN"] = run
        found.append({name: plainly(name) for name in FOUND})
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
