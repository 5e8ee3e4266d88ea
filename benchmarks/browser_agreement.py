"""Compare the answers of the engine in a real Chromium with those of the library.

MNIST's test images are compared as arrays; pictures of digits, drawn on paper of all kinds from
images that MNIST trains with, as lossless files. Prints how many answers are the same, and how long
one takes in the browser, from the file to the answer.
"""

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ink import photograph
from numpy.typing import NDArray
from PIL import Image
from record import write_record
from surroundings import draw_pictures, list_kinds

import inkwise
from inkwise.data.dataset import Split
from inkwise.model import Answer
from tests.browser.engine import Engine, lay_out
from tests.browser.hosts import hosted
from tests.chromium import open_chrome
from tests.ink.pictures import EMPTY, KINDS

Levels = NDArray[np.uint8]
Many = Callable[[Split, int, int], list[Levels]]
"""Draws a number of pictures of digits, from a seed."""

BATCH = 50
"""Pictures that the page is asked for at a time."""

RUN = """
const { Network, fetchFile } = await load("network.js");
const { Classifier } = await load("answers.js");
window.classifier ??= Promise.all([
  fetch("/model/model.json").then((answer) => answer.json()),
  fetchFile("/model/model.onnx.gz").then((content) =>
    Network.open(content, `${location.origin}/runtime/`),
  ),
]).then(([description, network]) => new Classifier(description, network));
return (await (await window.classifier).run(images.data)).probabilities;
"""

CLASSIFY = """
const { Inkwise } = await load("inkwise.js");
if (!window.inkwise) {
  window.inkwise = new Inkwise();
  window.long = [];
  await window.inkwise.model();
  const note = (list) => window.long.push(...list.getEntries().map(({ duration }) => duration));
  new PerformanceObserver(note).observe({ entryTypes: ["longtask"] });
}
const answers = [];
for (const name of names) {
  const file = await (await fetch(`/pictures/${name}`, { cache: "no-store" })).blob();
  const start = performance.now();
  const answer = await window.inkwise.classify(file);
  answers.push({ ...answer, ms: performance.now() - start });
}
return { answers, long: window.long.splice(0) };
"""


def kinds_of_pictures() -> dict[str, Many]:
    """Return the kinds of pictures by name."""

    def each(draw: Callable[..., Levels | bytes], digits: Split, count: int, seed: int) -> Any:
        generator = np.random.default_rng(seed)
        some = digits.images[generator.integers(len(digits), size=count)]
        return [levels_of(draw(digit, generator)) for digit in some]

    def empty(draw: Callable[..., Levels | bytes], _: Split, count: int, seed: int) -> Any:
        generator = np.random.default_rng(seed)
        return [levels_of(draw(generator)) for _ in range(count)]

    kinds: dict[str, Many] = {name_of(draw): partial(each, draw) for draw in KINDS}
    kinds |= {name_of(draw): partial(empty, draw) for draw in EMPTY}
    kinds["drawing"] = partial(each, drawing)
    for name, kind in list_kinds().items():
        kinds[name] = lambda digits, count, seed, kind=kind: draw_pictures(  # type: ignore[misc]
            kind, digits, count, [seed]
        )[0]
    return kinds


def name_of(draw: Callable[..., Any]) -> str:
    """Return the name of a kind from that of the function that draws it."""
    return draw.__name__.replace("_", " ")


def levels_of(picture: Levels | bytes) -> Levels:
    """Return a picture's pixels, those of a file decoded."""
    return np.asarray(Image.open(io.BytesIO(picture))) if isinstance(picture, bytes) else picture


def drawing(digit: Levels, generator: np.random.Generator) -> Levels:
    """Draw a digit dark on a light canvas, as on the page."""
    side = int(generator.choice([280, 400]))
    return 255 - cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)


def same(answer: dict[str, Any], expected: Answer) -> dict[str, bool]:
    """Tell in what an answer of the browser and one of the library are the same."""
    ink = expected.ink
    image = answer["image"]
    return {
        "label": answer["label"] == expected.label,
        "verdict": answer["verdict"] == expected.verdict,
        "box": answer["box"] == (None if ink is None else list(ink.box)),
        "image": image is None if ink is None else np.array_equal(image or [], ink.image),
    }


def compare_arrays(engine: Engine, model: inkwise.Model, images: Levels) -> float:
    """Return the greatest difference of a probability."""
    difference = 0.0
    for first in range(0, len(images), BATCH):
        some = images[first : first + BATCH]
        found = engine(RUN, images=np.ascontiguousarray(some.reshape(len(some), -1)))
        expected = model.predict_proba(some)
        difference = max(difference, float(np.abs(found - expected.ravel()).max()))
    return difference


def classify(engine: Engine, folder: Path, pictures: list[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the browser's answers about files, each with its time; then those of long tasks."""
    for first in range(0, len(pictures), BATCH):
        names = []
        for place, content in enumerate(pictures[first : first + BATCH], first):
            (folder / f"{place}").write_bytes(content)
            names.append(f"{place}")
        found = engine(CLASSIFY, names=names)
        for name in names:
            (folder / name).unlink()
        yield from found["answers"]
        if found["long"]:
            print(f"the page's own thread was busy for {found['long']} ms", flush=True)


def encode(picture: Levels, file_format: str = "PNG", **options: Any) -> bytes:
    """Encode a picture as a file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, file_format, **options)
    return file.getvalue()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000, help="arrays, and pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    model = inkwise.load_pretrained()
    mnist = inkwise.load_dataset("mnist")
    digits = mnist.train.take(np.arange(57_000, 60_000))
    kinds = kinds_of_pictures()
    figures: dict[str, Any] = {"count": arguments.count, "seed": arguments.seed}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        root = lay_out(Path(scratch) / "engine", model)
        (root / "pictures").mkdir()
        with hosted(root) as host, open_chrome(Path(scratch) / "profile") as chrome:
            engine = Engine(chrome, host.address)
            images = mnist.test.images[: arguments.count]
            figures["greatest_difference"] = compare_arrays(engine, model, images)
            print(f"arrays: {figures['greatest_difference']:.2g}", flush=True)
            rows, times = [], {}
            for place, (name, draw) in enumerate(kinds.items()):
                share = arguments.count * (place + 1) // len(kinds)
                wanted = share - arguments.count * place // len(kinds)
                pictures = draw(digits, wanted, arguments.seed + place)
                files = list(map(encode, pictures))
                found = list(classify(engine, root / "pictures", files))
                rows += list(map(same, found, model.classify(files)))
                times[name] = float(np.median([one["ms"] for one in found]))
                agreeing = np.mean([list(row.values()) for row in rows], axis=0).round(5)
                print(f"{name}: {times[name]:.0f} ms; so far {agreeing.tolist()}", flush=True)
            figures["pictures"] = len(rows)
            figures["same"] = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
            figures["median_ms"] = times
            photo = photograph(digits.images[0], 12)
            large = [encode(photo), encode(photo, "JPEG", quality=85)]
            found = list(classify(engine, root / "pictures", large))
            expected = model.classify(large)
            figures["photo_of_12_megapixels"] = {
                name: {"ms": one["ms"], **same(one, answer)}
                for name, one, answer in zip(("png", "jpeg"), found, expected, strict=True)
            }
    print({name: value for name, value in figures.items() if name != "median_ms"})
    if not arguments.no_record:
        print(f"wrote {write_record('browser-agreement', figures)}")


if __name__ == "__main__":
    main()
