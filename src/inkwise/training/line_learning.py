"""Training of the network that reads lines, on lines that are composed while it learns."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inkwise.data.dataset import Split
from inkwise.reading.alphabet import SIGNS
from inkwise.training.line_composing import Composer
from inkwise.reading.line_model import STEP
from inkwise.training.line_network import line_network
from inkwise.reading.lines import ROWS
from inkwise.training.averaging import Average

BATCH, CHUNK = 64, 512
"""Lines in a batch, and lines that are sorted by width before they are cut into batches."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Batch:
    lines: NDArray[np.uint8]  # (N, 32, W)
    widths: NDArray[np.int64]
    signs: NDArray[np.int64]
    counts: NDArray[np.int64]


def pad_lines(lines: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Put lines of different widths into one array, with background at their right."""
    width = max(line.shape[1] for line in lines)
    width += -width % (4 * STEP)
    batch = np.zeros((len(lines), ROWS, width), np.uint8)
    for place, line in zip(batch, lines, strict=True):
        place[:, : line.shape[1]] = line
    return batch


def _batches(lines: list[tuple[NDArray[np.uint8], str]]) -> list[_Batch]:
    lines = sorted(lines, key=lambda one: one[0].shape[1])
    batches = []
    for start in range(0, len(lines), BATCH):
        some = lines[start : start + BATCH]
        batches.append(
            _Batch(
                pad_lines([line for line, _ in some]),
                np.array([-(-line.shape[1] // STEP) for line, _ in some]),
                np.array([SIGNS.index(sign) for _, text in some for sign in text]),
                np.array([len(text) for _, text in some]),
            )
        )
    return batches


_composer: Composer


def _start(digits: Split) -> None:
    global _composer  # noqa: PLW0603 - each worker process has its own
    cv2.setNumThreads(1)
    _composer = Composer(digits)


def _compose(seed: int, chunk: int) -> list[_Batch]:
    generator = np.random.default_rng([seed, chunk])
    return _batches([_composer.compose(generator) for _ in range(CHUNK)])


def composed(digits: Split, seed: int, chunks: int, written: list[list[_Batch]]) -> Iterator[_Batch]:
    """Compose batches in another process while the network learns."""
    with ProcessPoolExecutor(1, get_context("spawn"), _start, (digits,)) as pool:
        waiting: list[Future[list[_Batch]]] = []
        order = np.random.default_rng(seed)
        asked = 0
        for chunk in range(chunks):
            while asked < min(chunks, chunk + 6):
                waiting.append(pool.submit(_compose, seed, asked))
                asked += 1
            batches = waiting.pop(0).result()
            if written:
                batches = batches + written[chunk % len(written)]
            for place in order.permutation(len(batches)):
                yield batches[place]


def loss_of(network: nn.Module, batch: _Batch) -> Tensor:
    """Return the mean CTC loss of a batch of lines."""
    lines = torch.from_numpy(batch.lines).unsqueeze(1).float().div(255)
    lines = lines.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(lines)
    log_probabilities = scores.float().squeeze(2).permute(2, 0, 1).log_softmax(-1)  # (W/2, N, 17)
    loss = functional.ctc_loss(
        log_probabilities,
        torch.from_numpy(batch.signs),
        torch.from_numpy(batch.widths),
        torch.from_numpy(batch.counts),
        blank=len(SIGNS),
        reduction="none",
        zero_infinity=True,
    )
    return loss.mean()


def train(
    digits: Split,
    *,
    chunks: int,
    seed: int,
    written: list[list[_Batch]] | None = None,
    rate: float = 3e-3,
    start: nn.Module | None = None,
    on_chunk: Callable[[int, float, nn.Module], None] = lambda *_: None,
) -> nn.Module:
    """Train a network on composed lines."""
    torch.manual_seed(seed)
    network = (start or line_network()).to(memory_format=torch.channels_last).train()
    average = Average(network, 0.998)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02)
    losses: list[float] = []
    done = 0
    per_chunk = CHUNK // BATCH + (len(written[0]) if written else 0)
    steps = chunks * per_chunk
    for batch in composed(digits, seed, chunks, written or []):
        share = done / steps
        warm = 0.05
        factor = share / warm if share < warm else (1 + math.cos(math.pi * (share - warm) / (1 - warm))) / 2
        for group in optimiser.param_groups:
            group["lr"] = rate * max(factor, 1e-3)
        loss = loss_of(network, batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update()
        losses.append(float(loss))
        done += 1
        if done % (20 * per_chunk) == 0:
            on_chunk(done // per_chunk, float(np.mean(losses)), average.module)
            losses.clear()
    return average.module.eval()
