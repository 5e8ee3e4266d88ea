"""Time the predictions of a trained model: throughput, latency, memory and a cold start."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from record import write_record

import inkwise
from inkwise.networks.as_torch import build
from inkwise.training.loop import predict_logits

SIZES = (1, 10, 32, 100, 1000, 10_000)
LATENCIES = 5000

ACCURATE: dict[str, Any] = {
    "recipe": "swift",
    "name": "accurate",
    "network": "case-study",
    "epochs": 16,
    "augment": True,
    "hardest": 1.0,
    "freeze_after": 1.0,
}
"""The case study's network, trained as ``swift`` is, with data augmentation."""

FRESH = """
import sys
import numpy as np
import inkwise
model = inkwise.Model.load(sys.argv[1])
model.predict(np.load(sys.argv[2]))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "run",
        type=Path,
        nargs="?",
        help="a run of `inkwise train`; by default an accurate model is trained, in two minutes",
    )
    parser.add_argument(
        "--rounds", type=int, default=15, help="number of rounds of all measurements"
    )
    arguments = parser.parse_args()

    if arguments.run is not None:
        measure(inkwise.Run(arguments.run), arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as folder:
        run = inkwise.train(**ACCURATE, output=Path(folder) / "run", on_epoch=print)
        measure(run, arguments.rounds)


def measure(run: inkwise.Run, rounds: int) -> None:
    """Time everything, and write the record."""
    model = run.model
    print(f"test accuracy {run.evaluation.accuracy.value:.2%}")
    images = inkwise.load_dataset(run.record["dataset"]["name"]).train.images
    images = np.resize(images, (max(SIZES), *images.shape[1:]))  # repeated if there are too few
    module = build(model.network)
    module.load_state_dict({key: torch.from_numpy(array) for key, array in model.weights.items()})
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def answer_in_torch(part: NDArray[np.uint8]) -> NDArray[np.float32]:
        return predict_logits(module, torch.from_numpy(part)).softmax(1).numpy()

    differences = np.abs(model.predict_proba(images) - answer_in_torch(images))
    print(f"largest difference of a probability from PyTorch's: {differences.max():.1e}")

    speeds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for size in SIZES:
            speed = images_per_second(model.predict_proba, images[:size])
            speeds.setdefault(str(size), []).append(speed)
        speeds.setdefault("pytorch", []).append(images_per_second(answer_in_torch, images))
    for name, measured in speeds.items():
        what = f"{images.shape[0]:,} in PyTorch" if name == "pytorch" else f"{int(name):,} at once"
        print(f"{what:18} {statistics.median(measured):9,.0f} images/s, best {max(measured):,.0f}")

    latencies = []
    for _ in range(LATENCIES):
        start = time.perf_counter()
        model.predict(images[:1])
        latencies.append((time.perf_counter() - start) * 1e6)
    p50, p99 = np.percentile(latencies, [50, 99])
    print(f"one image: p50 {p50:.0f} µs, p99 {p99:.0f} µs")

    with tempfile.TemporaryDirectory() as folder:
        all_images, picture = Path(folder) / "images.npy", Path(folder) / "picture.png"
        np.save(all_images, images)
        Image.fromarray(images[0]).save(picture)
        fresh = [sys.executable, "-c", FRESH, str(run.path / "model"), str(all_images)]
        peak = int(subprocess.check_output(fresh)) / 1024
        print(f"peak memory of a fresh process that predicts {len(images):,}: {peak:.0f} MiB")
        script = Path(sys.executable).with_name("inkwise")
        command = [str(script), "predict", str(picture), "--model", str(run.path)]
        starts = []
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.check_output(command)
            starts.append(time.perf_counter() - start)
    print(f"`inkwise predict` of one picture: {statistics.median(starts):.2f} s")

    path = write_record(
        f"inference-{run.recipe.name}",
        {
            "recipe": run.recipe.to_dict(),
            "test_accuracy": run.evaluation.accuracy.value,
            "largest_difference_from_pytorch": float(differences.max()),
            "images_per_second": {
                name: [round(speed) for speed in measured] for name, measured in speeds.items()
            },
            "single_image_microseconds": {"p50": round(p50, 1), "p99": round(p99, 1)},
            "peak_memory_mebibytes": round(peak, 1),
            "command_seconds": [round(seconds, 3) for seconds in starts],
        },
    )
    print(f"wrote {path}")


def images_per_second(
    answer: Callable[[NDArray[np.uint8]], NDArray[np.float32]], images: NDArray[np.uint8]
) -> float:
    """Return the mean speed over a tenth of a second, or over one call if that is longer."""
    start, calls = time.perf_counter(), 0
    while calls == 0 or time.perf_counter() < start + 0.1:
        answer(images)
        calls += 1
    return calls * len(images) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
