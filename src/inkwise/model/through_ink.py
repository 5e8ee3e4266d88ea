"""Images on the road that a user's pictures take."""

import dataclasses
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import NoInkError
from inkwise.ink import CANVAS, Ink, normalise
from inkwise.model import Model
from inkwise.model.answers import choose_readings
from inkwise.system.machine import available_cores


@dataclasses.dataclass(frozen=True, eq=False)
class Inks:
    """What `inkwise.ink.normalise` found in images.

    Parameters
    ----------
    inks : tuple of Ink, length N
        Blank where it found nothing.
    found : ndarray of bool, shape (N,)
    """

    inks: tuple[Ink, ...]
    found: NDArray[np.bool_]


def find_inks(images: Iterable[NDArray[np.uint8]]) -> Inks:
    """Find the ink in images, uint8 (H, W) each."""

    def find(image: NDArray[np.uint8]) -> Ink | None:
        try:
            return normalise(image)
        except NoInkError:
            return None

    with ThreadPoolExecutor(available_cores()) as pool:
        found = list(pool.map(find, images))
    blank = Ink(np.zeros((CANVAS, CANVAS), np.uint8), "light ink", (0, 0, CANVAS, CANVAS), 1.0)
    return Inks(
        tuple(ink or blank for ink in found), np.array([ink is not None for ink in found], bool)
    )


def logits_through_ink(model: Model, inks: Inks) -> NDArray[np.float32]:
    """Return a model's logits (N, classes) of the readings that it would choose."""
    logits = model.logits(np.stack([reading for ink in inks.inks for reading in ink.readings]))
    scores = np.logaddexp.reduce(logits, axis=1)
    return logits[[row for _, row in choose_readings(inks.inks, scores)]]
