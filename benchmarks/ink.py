"""Measure the time and memory of finding the ink, the foreground, in a picture.

Pictures are made from MNIST's last 10,000 training images, and one thread is used. Each kind is
measured in a process of its own, because its memory is the peak memory of the process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from record import write_record

import inkwise
from inkwise.ink import normalise

Levels = NDArray[np.uint8]
DIGITS = 200


def load_digits() -> Levels:
    """Return MNIST digits on which no model was trained."""
    images = inkwise.load_dataset("mnist").train.images
    return images[-10_000 :: 10_000 // DIGITS]


def photograph(digit: Levels, megapixels: float) -> Levels:
    """Return a digit in blue ink on yellowish paper, with uneven light and camera noise."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = width * 3 // 4
    size = height // 2
    sheet = np.zeros((height, width), np.uint8)
    large = cv2.resize(digit, (size, size), interpolation=cv2.INTER_CUBIC)
    top, left = (height - size) // 2, (width - size) // 2
    sheet[top : top + size, left : left + size] = large
    light = np.linspace(1, 0.6, width, dtype=np.float32)
    generator = np.random.default_rng(0)
    levels = np.empty((height, width, 3), np.uint8)
    for channel, (ink, paper) in enumerate(zip((50, 50, 110), (228, 224, 208), strict=True)):
        lit = (paper + sheet * np.float32((ink - paper) / 255)) * light
        lit += cv2.blur(generator.standard_normal(lit.shape, np.float32) * 8, (2, 2))
        levels[..., channel] = np.clip(lit, 0, 255)
    return levels


def prepare(folder: Path) -> dict[str, list[Path]]:
    """Write the pictures of every kind."""
    digits = load_digits()
    generator = np.random.default_rng(0)
    small: dict[str, Callable[[Levels], NDArray[Any]]] = {
        "28×28, in MNIST's geometry": lambda digit: digit,
        "28×28, moved": lambda digit: np.roll(digit, generator.choice([-4, 4], 2), (0, 1)),
        "28×28, noise": lambda digit: np.clip(
            digit + generator.normal(0, 30, digit.shape), 0, 255
        ).astype(np.uint8),
        "8×8": lambda digit: cv2.resize(digit[4:24, 4:24], (8, 8), interpolation=cv2.INTER_AREA),
        "drawing, 280×280": lambda digit: 255 - cv2.resize(digit, (280, 280)),
    }
    paths: dict[str, list[Path]] = {}
    for kind, change in small.items():
        paths[kind] = [folder / f"{len(paths)}.npy"]
        np.save(paths[kind][0], np.stack([change(digit) for digit in digits]))
    for megapixels, suffixes in ((12, ("jpg", "png")), (50, ("jpg", "png", "tiff"))):
        photo = Image.fromarray(photograph(digits[0], megapixels))
        for suffix in suffixes:
            path = folder / f"{megapixels}.{suffix}"
            photo.save(path, quality=85, compress_level=1)
            paths[f"photo, {megapixels} megapixels, {suffix.upper()}"] = [path]
    path = folder / "50-opacity.png"
    photo.putalpha(255)
    photo.save(path, compress_level=1)
    paths["photo, 50 megapixels, PNG with opacity"] = [path]
    return paths


def measure(path: Path, repeats: int) -> dict[str, Any]:
    """Return the time per picture, in ms, and the peak memory of this process, in MB."""
    pictures: list[Any] = [path]
    if path.suffix == ".npy":
        pictures = list(np.load(path))
    cv2.setNumThreads(1)
    for picture in pictures[:20]:  # warm-up: loads every library and fills caches
        normalise(picture)
    milliseconds = []
    for _ in range(repeats if len(pictures) == 1 else 1):
        for picture in pictures:
            start = time.perf_counter()
            normalise(picture)
            milliseconds.append(1000 * (time.perf_counter() - start))
    status = Path("/proc/self/status").read_text()
    return {
        "milliseconds": [round(duration, 4) for duration in milliseconds],
        "peak_megabytes": round(int(status.split("VmHWM:")[1].split()[0]) / 1000),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=7, help="number of repeats for each large picture"
    )
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.repeats)))
        return

    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, (path,) in prepare(Path(folder)).items():
            command = [sys.executable, __file__, "--one", path, "--repeats", arguments.repeats]
            output = subprocess.check_output(
                [str(word) for word in command], env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
            figures[kind] = json.loads(output)
            times = figures[kind]["milliseconds"]
            print(
                f"{kind:40} {statistics.median(times):9.3f} ms "
                f"({min(times):.3f} to {max(times):.3f}); {figures[kind]['peak_megabytes']} MB"
            )
    print(f"wrote {write_record('ink', {'digits': DIGITS, 'kinds': figures})}")


if __name__ == "__main__":
    main()
