"""Before and after: what a training has gained that went on from a model, and what it cost."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from inkwise.data.dataset import Split
from inkwise.errors import counted
from inkwise.evaluation.significance import LEVEL, format_p, mcnemar
from inkwise.model import Model


@dataclasses.dataclass(frozen=True)
class Gain:
    """The mistakes of a model on the same test images, before a training and after it.

    Parameters
    ----------
    name, title : str
        The data set that the images are of.
    images : int
        Number of images.
    wrong_before, wrong_after : sequence of int
        Indices of the images that the model to start from, and the new one, classified wrongly.
    """

    name: str
    title: str
    images: int
    wrong_before: Sequence[int]
    wrong_after: Sequence[int]

    @property
    def p_value(self) -> float:
        """Two-sided p value of McNemar's exact test."""
        before, after = set(self.wrong_before), set(self.wrong_after)
        return mcnemar(len(after - before), len(before - after))

    @property
    def verdict(self) -> str:
        """Whether it is better or worse, or may be luck."""
        before, after = len(self.wrong_before), len(self.wrong_after)
        p_value = self.p_value
        if before == after:
            return "as many as before"
        if p_value >= LEVEL:
            return f"{'better' if after < before else 'worse'}, but it may be luck"
        return "better, and more than luck" if after < before else "worse, and more than luck"

    def __str__(self) -> str:
        return (
            f"{self.name}, {counted(self.images, 'test image')}: "
            f"{len(self.wrong_before):,} wrong before, {len(self.wrong_after):,} after: "
            f"{self.verdict} (exact McNemar {format_p(self.p_value)})"
        )


def find_mistakes(model: Model, images: Split, class_names: Sequence[str]) -> list[int]:
    """Return the indices of images that a model gives another class than theirs, by its name."""
    known = {name: place for place, name in enumerate(model.class_names)}
    labels = np.array([known.get(name, -1) for name in class_names])[images.labels]
    return np.flatnonzero(model.predict(images.images) != labels).tolist()
