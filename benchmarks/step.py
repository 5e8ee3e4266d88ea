"""Time a training step of the case study and its parts: the layers and the optimiser."""

import time
from collections.abc import Callable

import torch
from record import write_record
from torch import nn

from inkwise.networks.as_torch import build
from inkwise.training.allocator import keep_freed_memory
from inkwise.training.named_recipes import get_recipe
from inkwise.training.optimisers import make_optimisers
from inkwise.training.step import Step, to_inputs


def milliseconds(work: Callable[[], object], repeats: int = 200) -> float:
    """Return the mean duration of a call after a warm-up, in milliseconds."""
    for _ in range(repeats // 5):
        work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats * 1000


def main() -> None:
    """Run the benchmark."""
    keep_freed_memory()
    torch.manual_seed(0)
    recipe = get_recipe("case-study")
    module = build(recipe.describe_network((28, 28), 10))
    batch = torch.arange(recipe.batch_size)
    images = torch.randint(0, 256, (len(batch), 28, 28), dtype=torch.uint8)
    step = Step(module, images, torch.randint(0, 10, batch.shape), recipe)
    figures = {"whole step": milliseconds(lambda: step(batch))}
    (optimiser,) = make_optimisers(module, recipe)
    figures["optimiser"] = milliseconds(optimiser.step)
    values = inputs = to_inputs(images)
    for name, layer in module.named_children():
        values = values.detach().requires_grad_(values is not inputs)
        figures[name] = milliseconds(_there_and_back(layer, values))
        values = layer(values.clone())
    for name, duration in figures.items():
        print(f"{name:12} {duration:.2f} ms")
    print(f"wrote {write_record('step', {'batch': len(batch), 'milliseconds': figures})}")


def _there_and_back(layer: nn.Module, values: torch.Tensor) -> Callable[[], object]:
    # A ReLU works in place, which autograd does not allow on a leaf.
    in_place = isinstance(layer, nn.ReLU)
    gradient = torch.rand_like(layer(values.clone()))

    def work() -> None:
        layer(values.clone() if in_place else values).backward(gradient)

    return work


if __name__ == "__main__":
    main()
