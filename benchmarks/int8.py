"""Compare a run's model in float32 with its export as onnx-int8: speed, accuracy and loss."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from record import write_record

import inkwise
from inkwise.data.splits import split_dataset
from inkwise.networks.sessions import BATCH
from inkwise.system.machine import available_cores

SPEED_IMAGES = 30_000

Images = NDArray[np.uint8]
Answer = Callable[[Images], NDArray[np.float32]]


def open_session(path: Path) -> Answer:
    """Return a function that predicts on one thread, with default options of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})[0]


def answer_all(answer: Answer, images: Images) -> NDArray[np.float32]:
    """Predict in batches of `BATCH`, as the package does, one on each core at a time."""
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    with ThreadPoolExecutor(available_cores()) as pool:
        return np.concatenate(list(pool.map(answer, batches)))


def microseconds(work: Callable[[], object], repeats: int = 500) -> float:
    """Return the median duration of a call."""
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations) * 1e6


def describe(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    """Return the accuracy, and the loss in nats per image."""
    of_label = probabilities[np.arange(len(labels)), labels].clip(1e-12)
    return {
        "accuracy": float((probabilities.argmax(1) == labels).mean()),
        "loss": float(-np.log(of_label).mean()),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run of `inkwise train`")
    parser.add_argument("--rounds", type=int, default=25, help="number of rounds, of both in turn")
    arguments = parser.parse_args()

    run = inkwise.Run(arguments.run)
    dataset = inkwise.load_dataset(run.record["dataset"]["name"])
    splits = split_dataset(dataset, run.recipe.holdout, run.recipe.seed)
    with tempfile.TemporaryDirectory() as folder:
        files = {
            name: inkwise.export_model(run.path, file_format, Path(folder) / f"{name}.onnx")
            for name, file_format in (("float32", "onnx"), ("int8", "onnx-int8"))
        }
        answers = {name: open_session(path) for name, path in files.items()}
        sizes = {name: path.stat().st_size for name, path in files.items()}

    images = np.resize(splits.train.images, (SPEED_IMAGES, *dataset.image_size))
    speeds: dict[str, list[float]] = {name: [] for name in answers}
    latencies: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(arguments.rounds):
        for name, answer in answers.items():
            start = time.perf_counter()
            answer_all(answer, images)
            speeds[name].append(len(images) / (time.perf_counter() - start))
            latencies[name].append(microseconds(partial(answer, images[:1])))

    figures: dict[str, dict[str, Any]] = {}
    for name, answer in answers.items():
        scores = {
            part: describe(answer_all(answer, splits[part].images), splits[part].labels)
            for part in ("validation", "test")
        }
        figures[name] = {
            "images_per_second": [round(speed) for speed in speeds[name]],
            "single_image_microseconds": [round(latency, 1) for latency in latencies[name]],
            "bytes": sizes[name],
            **scores,
        }
        print(
            f"{name:8} {statistics.median(speeds[name]):9,.0f} images/s; "
            f"one image {statistics.median(latencies[name]):.1f} µs; {sizes[name]:,} bytes; "
            + "; ".join(
                f"{part} {score['accuracy']:.2%}, loss {score['loss']:.4f}"
                for part, score in scores.items()
            )
        )
    ratios = [a / b for a, b in zip(speeds["int8"], speeds["float32"], strict=True)]
    single = [a / b for a, b in zip(latencies["float32"], latencies["int8"], strict=True)]
    validation = [answer_all(answer, splits.validation.images) for answer in answers.values()]
    labels = [probabilities.argmax(1) for probabilities in validation]
    figures["int8"] |= {
        "times_float32": [round(ratio, 3) for ratio in ratios],
        "single_image_times_float32": [round(ratio, 3) for ratio in single],
        "validation_labels_changed": int((labels[0] != labels[1]).sum()),
        "largest_difference": float(np.abs(validation[0] - validation[1]).max()),
    }
    for what, rounds in (("images/s", ratios), ("one image", single)):
        median = statistics.median(rounds)
        print(f"int8 / float32, {what}: {median:.2f} ({min(rounds):.2f} to {max(rounds):.2f})")
    print(
        f"{figures['int8']['validation_labels_changed']} of {len(splits.validation):,} validation "
        f"labels change, no probability by more than {figures['int8']['largest_difference']:.3f}"
    )
    path = write_record(
        f"int8-{run.recipe.name}",
        {"recipe": run.recipe.to_dict(), "batch": BATCH, "variants": figures},
    )
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
