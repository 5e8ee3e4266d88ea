"""The findings of an audit, and the label decisions that it suggests."""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inkwise.auditing.duplicates import Duplicate
from inkwise.data.dataset import Dataset, Split
from inkwise.data.label_corrections import OPEN, Decision, hash_image


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """The findings of an audit in one split of a data set.

    Parameters
    ----------
    path : Path
        The directory that the audit wrote.
    dataset : Dataset
        The data set.
    split : {"train", "test"}
        The split that was audited.
    probabilities : ndarray of float32, shape (N, K)
        Probabilities of the split's images, from models that were not trained on their labels.
    suspects : ndarray of intp, shape (M,)
        Indices of the images whose labels the models contradict, the most suspect first.
    wrong : int
        Number of the suspects, from the first, whose labels are probably wrong.
    duplicates : list of Duplicate
        Pairs of images that are the same, or nearly the same.
    outliers : ndarray of intp
        Indices of the images about which the models are least certain, the least typical first.
    """

    path: Path
    dataset: Dataset
    split: str
    probabilities: NDArray[np.float32]
    suspects: NDArray[np.intp]
    wrong: int
    duplicates: list[Duplicate]
    outliers: NDArray[np.intp]

    @property
    def images(self) -> Split:
        """The split's images and labels, as the data set gives them."""
        split: Split = getattr(self.dataset, self.split)
        return split

    @property
    def page_path(self) -> Path:
        """Path of the page on which a person decides about the suspects."""
        return self.path / "audit.html"

    @property
    def labels_path(self) -> Path:
        """Path of the file of suggested labels, in which nothing is decided yet."""
        return self.path / "labels.csv"

    @property
    def suggested(self) -> NDArray[np.int64]:
        """The most probable class of every image, int64 (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def margins(self) -> NDArray[np.float32]:
        """Probability of the label minus the largest of any other class, float32 (N,), −1 to 1."""
        rows, labels = np.arange(len(self.images)), self.images.labels
        others = self.probabilities.copy()
        others[rows, labels] = -1
        return self.probabilities[rows, labels] - others.max(axis=1)

    def decisions(self) -> list[Decision]:
        """Return the suspects, in order, as rows of a file of labels, suggested but not decided."""
        names, images = self.dataset.class_names, self.images
        return [
            Decision(
                self.split,
                int(index),
                names[images.labels[index]],
                names[self.suggested[index]],
                OPEN,
                hash_image(images.images[index]),
            )
            for index in self.suspects
        ]
