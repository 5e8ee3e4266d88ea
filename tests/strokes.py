"""A model that tells upright from flat strokes, and pictures for it."""

import numpy as np
from PIL import Image, ImageDraw

from inkwise.model import Model
from inkwise.model.calibration import Calibration
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network

LINES = {
    "upright": [(50, 10, 50, 90)],
    "flat": [(10, 50, 90, 50)],
    "plus": [(50, 10, 50, 90), (10, 50, 90, 50)],
    "cross": [(22, 10, 78, 90), (22, 90, 78, 10)],
    "blank": [],
    "pair": [(25, 15, 25, 85), (75, 15, 75, 85)],
}
"""What `draw` draws: a plus is as upright as it is flat, a cross is neither, a pair is two."""


def draw(kind: str, ink: int = 20, paper: int = 230) -> Image.Image:
    """Draw one of `LINES`, 100×100 pixels of grey levels."""
    picture = Image.new("L", (100, 100), paper)
    for line in LINES[kind]:
        ImageDraw.Draw(picture).line(line, ink, width=12)
    return picture


def strokes() -> Model:
    """Make a model whose verdicts about `LINES` are known.

    A plus is unsure, a cross is no stroke, and nothing is ever a dot.
    """
    weight = np.zeros((3, 28, 28), np.float32)
    weight[0, :9, 11:18] = weight[0, 19:, 11:18] = 0.4
    weight[1] = weight[0].T
    return Model(
        Network((28, 28), (Flatten(), Dense(3))),
        {"dense1.weight": weight.reshape(3, -1), "dense1.bias": np.array([0, 0, -9], np.float32)},
        ("upright", "flat", "dot"),
        calibration=Calibration(temperature=2.0, lowest_score=4.0, lowest_probability=0.8),
    )
