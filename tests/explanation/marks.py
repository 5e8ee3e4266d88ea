"""A task whose evidence lies in one known place: a mark among strokes that mean nothing."""

import functools

import numpy as np
import torch
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.model import Model
from inkwise.networks.as_torch import build, get_weights
from inkwise.networks.layers import Conv, Dense, Flatten, MaxPool
from inkwise.networks.network import Network
from inkwise.training.loop import Training
from inkwise.training.named_recipes import get_recipe

SIDE = 30
CLASS_NAMES = ("plus", "cross", "ring")
NETWORK = Network(
    (SIDE, SIDE), (Conv(12, 5, "relu"), MaxPool(2), Conv(24, 3, "relu"), Flatten(), Dense(3))
)
MARKS = np.zeros((3, 5, 5), np.uint8)
MARKS[0, 2] = MARKS[0, :, 2] = 255
MARKS[1] = 255 * (np.eye(5) + np.eye(5)[::-1]).clip(0, 1)
MARKS[2] = 255
MARKS[2, 1:4, 1:4] = 0

Places = NDArray[np.int64]
"""Where the marks' upper left corners are: rows and columns, (N, 2)."""


def draw_marks(count: int, seed: int) -> tuple[Split, Places]:
    """Draw a mark of one class anywhere, and bars, flat or upright, that do not touch it."""
    generator = np.random.default_rng(seed)
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    labels = np.arange(count, dtype=np.int64) % len(MARKS)
    corners = generator.integers(1, SIDE - 6, size=(count, 2))
    for image, label, (row, column) in zip(images, labels, corners, strict=True):
        for _ in range(8):
            height, width = ((1, 6), (6, 1))[generator.integers(2)]
            top, left = generator.integers(0, SIDE - 6, size=2)
            image[top : top + height, left : left + width] = 255
        image[row - 1 : row + 6, column - 1 : column + 6] = 0
        image[row : row + 5, column : column + 5] = MARKS[label]
    return Split(images, labels), corners


@functools.cache
def trained() -> Model:
    """Train a model to tell the marks apart."""
    recipe = get_recipe("case-study", epochs=6, batch_size=50, learning_rate=0.004)
    torch.manual_seed(0)
    module = build(NETWORK)
    training = Training(module, draw_marks(3_000, 1)[0], draw_marks(300, 2)[0], recipe)
    *_, last = training.epochs()
    assert last.validation_accuracy > 0.95
    return Model(NETWORK, get_weights(training.averaged), CLASS_NAMES)


@functools.cache
def untrained() -> Model:
    """Return the same network with random weights."""
    torch.manual_seed(1)
    return Model(NETWORK, get_weights(build(NETWORK)), CLASS_NAMES)
