"""Pieces: whether classes are made of several pieces of ink, as i, ÷, : and ä are."""

import contextlib
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.errors import NoInkError
from inkwise.ink import CANVAS

SEVERAL = 0.5
"""Least share of the pictures of a class made of pieces that have several."""

LOST = 0.1
"""Least share of them that would not be read whole, if they were read as digits are."""

_LOOKED_AT = 30  # training images of each class, from which it is told
_FAINT = 64  # least level of their ink


class InPieces(Protocol):
    """What is known of the pieces in a picture; see `inkwise.ink.Ink`."""

    @property
    def pieces(self) -> int:
        """In how many pieces the ink is."""

    @property
    def lost(self) -> int:
        """How many of them are left out."""

    @property
    def apart(self) -> bool:
        """Whether they are told to be several things."""


def in_pieces(
    inks: Sequence[InPieces], labels: NDArray[np.int64], known: Collection[int] = ()
) -> list[int]:
    """Tell which classes are made of pieces that would be left out or called several things.

    Parameters
    ----------
    inks : sequence of InPieces
        Pictures that were read as digits are, of one piece.
    labels : ndarray of int64, shape (N,)
        Their classes.
    known : collection of int
        Classes of which it is known that they are not.
    """
    several = np.array([ink.pieces > 1 for ink in inks])
    lost = np.array([ink.lost > 0 or ink.apart for ink in inks])
    return [
        label
        for label in np.unique(labels).tolist()
        if label not in known
        and several[labels == label].mean() >= SEVERAL
        and lost[labels == label].mean() >= LOST
    ]


def keeps_together(dataset: Dataset) -> bool:
    """Tell whether a model of these classes must keep all ink of a picture together.

    It is what the data set says or, where it does not, what some of its training images show.
    """
    if dataset.together is not None or dataset.image_size != (CANVAS, CANVAS):
        return bool(dataset.together)
    from inkwise.ink.components import Components
    from inkwise.ink.finding import find_ink

    train, found, labels = dataset.train, [], []
    for label in range(len(dataset.class_names)):
        images = train.images[np.flatnonzero(train.labels == label)[:_LOOKED_AT]]
        counts = [len(Components.of((image >= _FAINT).astype(np.uint8))) - 1 for image in images]
        if np.sum(np.array(counts) > 1) < SEVERAL * len(images):  # a quick look
            continue
        for image in images:
            with contextlib.suppress(NoInkError):
                found.append(find_ink(image))
                labels.append(label)
    return bool(in_pieces(found, np.array(labels)))
