"""Training of the network that reads lines, on lines that are composed while it learns."""

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from inkwise.data.dataset import Split
from inkwise.reading.alphabet import SIGNS
from inkwise.reading.line_model import STEP
from inkwise.reading.text_lines import ROWS
from inkwise.system.machine import bfloat16_units
from inkwise.training.averaging import Average
from inkwise.training.line_composing import Composer
from inkwise.training.line_network import line_network

BATCH, CHUNK = 64, 512
"""Lines in a batch, and lines that are sorted by width before they are cut into batches."""

REPORTED = 20
"""Chunks between two reports."""

_AHEAD = 6
"""Chunks that are composed ahead of the one that the network learns from."""

_WIDTHS = 8
"""The width of a batch is a multiple of as many columns."""

Line = tuple[NDArray[np.uint8], str]
"""A line, uint8 (32, W), and what is written there."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Batch:
    """Lines of about the same width, and what is written there, one after another."""

    lines: NDArray[np.uint8]  # (N, 32, W)
    widths: NDArray[np.int64]
    signs: NDArray[np.int64]
    counts: NDArray[np.int64]


def _pad(lines: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Put lines of different widths into one array, with background at their right."""
    width = max(line.shape[1] for line in lines)
    batch = np.zeros((len(lines), ROWS, width + -width % _WIDTHS), np.uint8)
    for place, line in zip(batch, lines, strict=True):
        place[:, : line.shape[1]] = line
    return batch


def _batches(lines: Sequence[Line]) -> list[_Batch]:
    lines = sorted(lines, key=lambda one: one[0].shape[1])
    batches = []
    for start in range(0, len(lines), BATCH):
        some = lines[start : start + BATCH]
        batches.append(
            _Batch(
                _pad([line for line, _ in some]),
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


def _stream(digits: Split, seed: int, chunks: int, written: Sequence[Line]) -> Iterator[_Batch]:
    """Compose batches in another process while the network learns."""
    order = np.random.default_rng(seed)
    with ProcessPoolExecutor(1, get_context("spawn"), _start, (digits,)) as pool:
        waiting: deque[Future[list[_Batch]]] = deque()
        for chunk in range(chunks):
            while len(waiting) < min(_AHEAD, chunks - chunk):
                waiting.append(pool.submit(_compose, seed, chunk + len(waiting)))
            batches = waiting.popleft().result()
            if written:
                places = order.integers(len(written), size=CHUNK)
                batches = batches + _batches([written[place] for place in places.tolist()])
            for place in order.permutation(len(batches)):
                yield batches[place]


def _loss(network: nn.Module, batch: _Batch) -> Tensor:
    """Return the mean CTC loss of a batch of lines."""
    lines = torch.from_numpy(batch.lines).unsqueeze(1).float().div(255)
    lines = lines.contiguous(memory_format=torch.channels_last)
    # Without units for it, bfloat16 takes many times as long as single precision.
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_units() is not None):
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
    written: Sequence[Line] = (),
    start: nn.Sequential | None = None,
    rate: float = 3e-3,
    on_chunk: Callable[[int, float, nn.Module], None] = lambda *_: None,
) -> nn.Sequential:
    """Train a network on composed lines.

    Parameters
    ----------
    digits : Split
        Images of digits, uint8 (N, 28, 28), that the lines are composed of.
    chunks : int
        How many times `CHUNK` lines are composed.
    seed : int
        Of the initial weights, the order and the lines.
    written : sequence of (ndarray of uint8, str), optional
        Lines that were found in pictures, with what is written: as many of them join each chunk.
    start : torch.nn.Sequential, optional
        A network to go on from; by default one that is not trained.
    rate : float
        Greatest learning rate. It rises in the first twentieth of the steps, and falls as a cosine.
    on_chunk : callable, optional
        Gets the number of chunks, the mean loss of the last `REPORTED` of them, and the network.

    Returns
    -------
    torch.nn.Sequential
        The network with the average of its weights, in evaluation mode.
    """
    torch.manual_seed(seed)
    network = start or line_network()
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = Average(network, 0.998)
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.02)
    per_chunk = CHUNK // BATCH * (2 if written else 1)
    losses: list[float] = []
    for step, batch in enumerate(_stream(digits, seed, chunks, written)):
        for group in optimiser.param_groups:
            group["lr"] = rate * _share_of_rate(step / (chunks * per_chunk))
        loss = _loss(network, batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        average.update()
        losses.append(loss.item())
        if len(losses) == REPORTED * per_chunk:
            on_chunk((step + 1) // per_chunk, float(np.mean(losses)), average.module)
            losses.clear()
    return cast(nn.Sequential, average.module.eval())


def _share_of_rate(done: float) -> float:
    """Return the learning rate as a share of the greatest, from the share of steps done."""
    warm = 0.05
    if done < warm:
        return max(done / warm, 1e-3)
    return max((1 + math.cos(math.pi * (done - warm) / (1 - warm))) / 2, 1e-3)
