"""Measure how forms are read: cells assigned, digits and numbers right, wrong among sure.

Every other form is written with test digits of MNIST, the others by the pens. Of both, half are
read with their rows and columns given, half with `auto`. Prints a Markdown table with a row for
each kind of form. A cell is assigned if the grid has it where it is, and if it is rightly found to
be empty or not.
"""

import argparse
import collections
import time
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from record import write_record
from sheets import KINDS, Form, draw_form

import inkwise
from inkwise.data.dataset import Split
from inkwise.errors import InkwiseError
from inkwise.model import Model
from inkwise.training.forms import FORMS
from inkwise.training.pens import draw, trace, vary

SURE = ("digit", "number")
"""The verdicts on what is read for sure."""

COLUMNS = ("grids", "cells assigned", "digits right", "numbers right", "printed right")


def by_pens(count: int, seed: int) -> Split:
    """Return digits in the forms of `inkwise.training.forms`, drawn by pens."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    images = []
    for label in labels.tolist():
        forms = FORMS[str(label)]
        shares = np.array([form.share for form in forms])
        form = forms[int(generator.choice(len(forms), p=shares / shares.sum()))]
        images.append(draw(vary(trace(form, generator), generator), generator))
    return Split(np.stack(images), labels)


Mistake = tuple[str, bool, NDArray[np.uint8]]
"""What is written and what was read instead, whether that was sure, and the cell's picture."""


def measure_form(
    model: Model, form: Form, mistakes: list[Mistake], *, auto: bool
) -> collections.Counter[str]:
    """Read a form, count what is right, and add what is not to the mistakes."""
    counts: collections.Counter[str] = collections.Counter(
        {"grids of": 1, "cells assigned of": form.rows * form.columns}
    )
    flat = [
        (text, printed, corners)
        for row in zip(form.texts, form.printed, form.corners, strict=True)
        for text, printed, corners in zip(*row, strict=True)
    ]
    for text, printed, _ in flat:
        if text:
            counts[_kind(text, printed) + " of"] += 1
    grid = "auto" if auto else f"{form.rows}x{form.columns}"
    try:
        read = inkwise.read_form(form.picture, grid=grid, model=model)
    except InkwiseError:
        return counts
    if (read.rows, read.columns) != (form.rows, form.columns):
        return counts
    for cell, (text, printed, corners) in zip(read.cells, flat, strict=True):
        top, left, bottom, right = cell.box
        middle = (left + right) / 2, (top + bottom) / 2
        away = cv2.pointPolygonTest(corners.astype(np.float32), middle, measureDist=True)
        side = min(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0]))
        if away < 0.3 * side:
            continue
        counts["cells assigned"] += (cell.verdict == "empty") == (text == "")
        counts["there"] += 1
        if cell.text != text or (cell.verdict == "empty") != (text == ""):
            mistakes.append((_told(text, cell.text), cell.verdict in SURE, cell.picture))
        if text:
            counts[_kind(text, printed)] += cell.text == text
        if cell.verdict in SURE:
            counts["sure"] += 1
            counts["wrong among sure"] += cell.text != text
        if text and any(map(any, form.printed)) and cell.printed is not None:
            counts["told apart"] += (cell.printed >= 0.5) == printed
            counts["told apart of"] += 1
    counts["grids"] += counts["there"] == len(flat)
    return counts


def _told(written: str, read: str) -> str:
    return f"{written or 'empty'} read as {read or 'nothing'}"


def draw_mistakes(mistakes: list[Mistake], file: Path) -> None:
    """Draw 32 cells that are misread: those that were sure first, and in red."""
    shuffled = [mistakes[place] for place in np.random.default_rng(0).permutation(len(mistakes))]
    figure = Figure((12, 7))
    for place, one in enumerate(sorted(shuffled, key=lambda one: not one[1])[:32], 1):
        told, sure, picture = one
        axes = figure.add_subplot(4, 8, place)
        axes.imshow(picture, "gray", vmin=0, vmax=255)
        axes.axis("off")
        axes.set_title(told, fontsize=8, color="firebrick" if sure else "black")
    figure.tight_layout()
    figure.savefig(file)


def _kind(text: str, printed: bool) -> str:
    return "printed right" if printed else "digits right" if len(text) == 1 else "numbers right"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="forms of all kinds together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lost", type=Path, help="write pictures of forms with mistakes here")
    parser.add_argument("--picture", type=Path, help="draw cells that are misread")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = inkwise.load_pretrained()
    sources = inkwise.load_dataset("mnist").test, by_pens(2000, arguments.seed)
    figures = {kind: collections.Counter[str]() for kind in KINDS}
    spent = []
    mistakes: list[Mistake] = []
    for place in range(arguments.count):
        kind = KINDS[place % len(KINDS)]
        turn = place // len(KINDS)
        generator = np.random.default_rng([arguments.seed, place])
        form = draw_form(kind, sources[turn % 2], generator)
        started = time.process_time()
        counts = measure_form(model, form, mistakes, auto=turn // 2 % 2 == 1)
        spent.append(time.process_time() - started)
        figures[kind] += counts
        if arguments.lost and counts["grids"] == 0:
            arguments.lost.mkdir(parents=True, exist_ok=True)
            file = arguments.lost / f"{place} {kind} {form.rows}x{form.columns}.png"
            cv2.imwrite(str(file), form.picture[..., ::-1])
    if arguments.picture:
        draw_mistakes(mistakes, arguments.picture)
    total = sum(figures.values(), collections.Counter[str]())
    print(f"| | {' | '.join(COLUMNS)} |\n|---{'|---:' * len(COLUMNS)}|")
    for name, one in [*figures.items(), ("all", total)]:
        shares = (
            f"{one[column] / one[of]:.1%}" if one[of := f"{column} of"] else "–"
            for column in COLUMNS
        )
        print(f"| {name} | {' | '.join(shares)} |")
    print(f"wrong among sure: {total['wrong among sure']} of {total['sure']}")
    print(f"print told from handwriting: {total['told apart']} of {total['told apart of']}")
    print(f"seconds of one core for a form, median: {np.median(spent):.2f}")
    record = {
        "count": arguments.count,
        "seed": arguments.seed,
        "seconds": float(np.median(spent)),
        "kinds": {kind: dict(sorted(one.items())) for kind, one in figures.items()},
    }
    print(f"wrote {write_record('forms', record)}")


if __name__ == "__main__":
    main()
