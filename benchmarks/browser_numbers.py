"""Compare how numbers are read by the engine in a real Chromium and by the library.

The pictures are numbers composed of MNIST's test digits on papers of all kinds, and numbers drawn
with the pen strokes of pendigits as on the page. Prints the shares of the same texts and of the
same verdicts, and for how long a processor works for a number in the browser, on one thread. Needs
`inkwise[web]`, and Linux, which tells the time of a thread.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import psutil
from compose import KINDS, compose
from numpy.typing import NDArray
from record import write_record

import inkwise
from inkwise.data.catalogue import place_of_files
from inkwise.data.pendigits import PenDigit, load_pendigits
from tests.browser.engine import Engine, lay_out
from tests.browser.hosts import hosted
from tests.chromium import open_chrome

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SIDE = 400
"""Side of the picture of a drawn number, as the page sends it."""

READ = """
const { Inkwise } = await load("inkwise.js");
window.inkwise ??= new Inkwise();
const { height, width } = picture;
const pixels = new ImageData(width, height);
picture.data.forEach((level, place) => pixels.data.set([level, level, level, 255], 4 * place));
return (await window.inkwise.read(pixels)).numbers;
"""


def composed(count: int) -> Iterator[NDArray[np.uint8]]:
    """Compose numbers of MNIST's test digits, of all kinds in turn."""
    digits = inkwise.load_dataset("mnist").test
    kinds = list(KINDS.values())
    for place in range(count):
        generator = np.random.default_rng([29, place])
        yield compose(digits, kinds[place % len(kinds)], generator)[0]


def drawn(digits: list[PenDigit], count: int) -> Iterator[NDArray[np.uint8]]:
    """Draw numbers of two to six digits of one writer, dark on light."""
    for place in range(count):
        generator = np.random.default_rng([31, place])
        hand = [one for one in digits if one.writer == digits[place % len(digits)].writer]
        number = [hand[k] for k in generator.integers(len(hand), size=generator.integers(2, 7))]
        room = SIDE * 0.9 / len(number)
        sheet = np.full((SIDE, SIDE), 255, np.uint8)
        for column, digit in enumerate(number):
            points = np.concatenate(digit.strokes)
            low, high = points.min(0), points.max(0)
            scale = min(0.75 * room / max(1, high[0] - low[0]), 1.5 * room / (high[1] - low[1]))
            middle = (
                0.05 * SIDE + (column + 0.5) * room,
                SIDE / 2 + generator.normal(0, 0.03) * room,
            )
            for stroke in digit.strokes:
                placed = (stroke - (low + high) / 2) * scale + middle
                path = np.rint(placed * 16).astype(np.int32)
                cv2.polylines(sheet, [path], False, 0, round(0.03 * SIDE), cv2.LINE_AA, 4)
        yield sheet


def worker_ms(chrome: "Chrome") -> float:
    """Return how long a processor has worked for the browser's workers, in milliseconds."""
    driver = psutil.Process(chrome.service.process.pid)
    threads = [
        thread
        for process in driver.children(recursive=True)
        for thread in Path(f"/proc/{process.pid}/task").glob("*")
        if (thread / "comm").read_text().startswith("Dedicated")
    ]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6


def compare(
    chrome: "Chrome",
    engine: Engine,
    model: inkwise.Model,
    pictures: Iterator[NDArray[np.uint8]],
) -> dict[str, Any]:
    """Read pictures by both, and compare what they read."""
    texts, verdicts, off, times, different = [], [], [0.0], [], []
    for place, picture in enumerate(pictures):
        numbers = model.read(picture)
        before = worker_ms(chrome)
        found = engine(READ, picture=picture)
        times.append(worker_ms(chrome) - before)
        texts.append([one["text"] for one in found] == [one.text for one in numbers])
        verdicts.append([one["verdict"] for one in found] == [one.verdict for one in numbers])
        if texts[-1]:
            pairs = zip(found, numbers, strict=True)
            off += [abs(one["probability"] - other.probability) for one, other in pairs]
        if not (texts[-1] and verdicts[-1]):
            different.append(place)
    return {
        "pictures": len(texts),
        "same text": float(np.mean(texts)),
        "same verdict": float(np.mean(verdicts)),
        "probabilities within 1e-3": float(np.mean(np.array(off[1:]) < 1e-3)),
        "greatest difference of a probability": float(np.max(off)),
        "different": different,
        "processor ms": {
            f"{share:.0%}": float(np.quantile(times[1:], share)) for share in (0.5, 0.9)
        },
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--count", type=int, default=500, help="composed numbers; a fifth as many are drawn"
    )
    parser.add_argument("--data-dir", type=Path, help="where pendigits is")
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = inkwise.load_pretrained()
    digits = load_pendigits(place_of_files(arguments.data_dir))
    figures = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        root = lay_out(Path(scratch) / "engine", model)
        with hosted(root) as host, open_chrome(Path(scratch) / "profile") as chrome:
            engine = Engine(chrome, host.address)
            for name, pictures in (
                ("composed", composed(arguments.count)),
                ("drawn", drawn(digits, arguments.count // 5)),
            ):
                figures[name] = compare(chrome, engine, model, pictures)
                print(name, figures[name], flush=True)
    if not arguments.no_record:
        print(f"wrote {write_record('browser-numbers', figures)}")


if __name__ == "__main__":
    main()
