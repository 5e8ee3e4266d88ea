"""Count the operations of one `swift` training, time it, and profile where its time goes."""

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

import torch
from record import write_record
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from inkwise import get_recipe, load_dataset
from inkwise.data.splits import split_dataset
from inkwise.networks.as_torch import build
from inkwise.training.loop import Training

PARTS = {
    "convolutions, forward": ("aten::mkldnn_convolution",),
    "convolutions, back": ("aten::convolution_backward",),
    "matrix products": ("aten::mm", "aten::addmm"),
    "pooling, there and back": (
        "aten::max_pool2d_with_indices",
        "aten::max_pool2d_with_indices_backward",
    ),
    "ReLU, there and back": ("aten::clamp_min_", "aten::relu_", "aten::threshold_backward"),
    "reading images": ("aten::index_select", "aten::div"),
}
"""Operations of PyTorch by purpose; the rest is overhead."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    recipe, dataset = get_recipe("swift"), load_dataset("mnist")
    splits = split_dataset(dataset, recipe.holdout, recipe.seed)
    network = recipe.describe_network(dataset.image_size, len(dataset.class_names))

    def train() -> float:
        torch.manual_seed(recipe.seed)
        training = Training(build(network), splits.train, splits.validation, recipe)
        return sum(epoch.seconds for epoch in training.epochs())

    with FlopCounterMode(display=False) as counter:
        train()
    # The validation after each epoch is counted in the operations, but not in the seconds.
    validation = recipe.epochs * len(splits.validation) * network.flops
    operations = counter.get_total_flops() - validation

    rounds = []
    for _ in range(arguments.rounds):
        rounds.append({"seconds": train(), **_rates()})
        print({name: f"{value:.3g}" for name, value in rounds[-1].items()})
    medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    achieved = operations / medians["seconds"]
    shares = {
        name.replace("rate", "share"): achieved / medians[name]
        for name in medians
        if name != "seconds"
    }
    parts = _profile(train)
    print({name: f"{value:.1%}" for name, value in {**shares, **parts}.items()})
    path = write_record(
        "roofline",
        {
            "what": "floating-point operations of a swift training, beside the machine's rates",
            "recipe": recipe.to_dict(),
            "operations": operations,
            "operations_per_second": achieved,
            **shares,
            "medians": medians,
            "rounds": rounds,
            "shares_of_time": parts,
        },
    )
    print(f"wrote {path}")


def _rates() -> dict[str, float]:
    """Return operations per second of a large matrix product and of a convolution."""
    matrix = torch.randn(2048, 2048)
    images = torch.randn(256, 16, 6, 6).to(memory_format=torch.channels_last)
    kernel = torch.randn(64, 16, 3, 3).to(memory_format=torch.channels_last)
    product = _seconds(lambda: matrix @ matrix, 5)
    convolution = _seconds(lambda: functional.conv2d(images, kernel), 200)
    return {
        "matrix_product_rate": 2 * 2048**3 / product,
        "convolution_rate": 256 * 16 * 64 * 2 * 16 * 9 / convolution,
    }


def _seconds(work: Callable[[], object], repeats: int) -> float:
    work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def _profile(train: Callable[[], object]) -> dict[str, float]:
    """Return the shares of the time of a training by purpose."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        train()
    parts: dict[str, float] = defaultdict(float)
    kinds = {name: part for part, names in PARTS.items() for name in names}
    for event in profiler.key_averages():
        parts[kinds.get(event.key, "the rest")] += event.self_cpu_time_total
    total = sum(parts.values())
    return {part: value / total for part, value in sorted(parts.items(), key=lambda it: -it[1])}


if __name__ == "__main__":
    main()
