"""Time a training step of the case study, and each layer of it, forward and back."""

import time
from collections.abc import Callable

import torch
from record import write_record
from torch import nn
from torch.nn import functional

from inkwise.networks.module import build
from inkwise.networks.named import case_study
from inkwise.training.allocator import keep_freed_memory

BATCH = 64


def milliseconds(work: Callable[[], object], repeats: int = 200) -> float:
    """Return the mean duration of a call, after a warm-up."""
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
    module = build(case_study((28, 28), 10))
    optimiser = torch.optim.Adam(module.parameters(), fused=True)
    inputs, targets = torch.rand(BATCH, 1, 28, 28), torch.randint(0, 10, (BATCH,))

    def step() -> None:
        loss = functional.cross_entropy(module(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    figures = {"whole step": milliseconds(step), "optimiser": milliseconds(optimiser.step)}
    values = inputs
    for name, layer in module.named_children():
        values = values.detach().requires_grad_(values is not inputs)
        figures[name] = milliseconds(_there_and_back(layer, values))
        values = layer(values.clone())
    for name, duration in figures.items():
        print(f"{name:12} {duration:.2f} ms")
    print(f"wrote {write_record('step', {'batch': BATCH, 'milliseconds': figures})}")


def _there_and_back(layer: nn.Module, values: torch.Tensor) -> Callable[[], object]:
    # A ReLU works in place, which autograd refuses on a leaf.
    in_place = isinstance(layer, nn.ReLU)
    gradient = torch.rand_like(layer(values.clone()))

    def work() -> None:
        layer(values.clone() if in_place else values).backward(gradient)

    return work


if __name__ == "__main__":
    main()
