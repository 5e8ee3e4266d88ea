"""The audit of a data set's labels, from training the models that judge to the page for people."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.auditing.decision_page import write_page
from inkwise.auditing.duplicates import NEAR, Duplicate, find_duplicates
from inkwise.auditing.judges import FOLDS, SEEDS, audit_recipe, judge
from inkwise.auditing.suspects import find_outliers, find_suspects
from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset, Split
from inkwise.data.download import ProgressBar
from inkwise.data.label_corrections import OPEN, Decision, hash_image, write_decisions
from inkwise.errors import ArgumentError
from inkwise.system.extras import require_training
from inkwise.system.files import write_csv, write_json
from inkwise.system.folders import claim_folder, claim_next, file_name
from inkwise.system.machine import describe_machine, library_versions

if TYPE_CHECKING:
    from inkwise.training.loop import Batch

SCHEMA = "inkwise-audit/1"
DEFAULT_PARENT = Path("audits")


@dataclasses.dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found in one split of a data set.

    Parameters
    ----------
    path : Path
        The directory that it wrote.
    dataset : Dataset
    split : {"train", "test"}
    probabilities : ndarray of float32, shape (N, K)
        Of the split's images, from models that did not learn their labels.
    suspects : ndarray of intp, shape (M,)
        Indices of the images whose label the models contradict, the most probably wrong first.
    wrong : int
        How many of the suspects, from the first, are probably wrong.
    duplicates : list of Duplicate
    outliers : ndarray of intp
        Indices of the images that the models can make least of, the least typical first.
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
        """Where the page stands on which a person decides."""
        return self.path / "audit.html"

    @property
    def labels_path(self) -> Path:
        """Where the file of labels stands, with nothing decided yet."""
        return self.path / "labels.csv"

    @property
    def suggested(self) -> NDArray[np.int64]:
        """The most probable class of every image, int64 (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def margins(self) -> NDArray[np.float32]:
        """Probability of the label less the largest of another class, float32 (N,), −1 to 1."""
        rows, labels = np.arange(len(self.images)), self.images.labels
        others = self.probabilities.copy()
        others[rows, labels] = -1
        return self.probabilities[rows, labels] - others.max(axis=1)

    def decisions(self) -> list[Decision]:
        """Return the suspects, in order, as lines of a file of labels: suggested, not decided."""
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


def audit(
    dataset: str | Dataset = "auto",
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    on_notice: Callable[[str], object] | None = None,
    on_download: Callable[[str], ProgressBar] | None = None,
    on_step: Callable[[str], object] | None = None,
    on_batch: Callable[["Batch"], object] | None = None,
) -> Audit:
    """Find labels that are probably wrong, near-duplicates and outliers, and make a page of them.

    Several quick models are trained. The audit of the test split looks at its labels, which is
    its purpose: let nothing that it finds choose anything of a model that is tested on them.

    Parameters
    ----------
    dataset : str or Dataset
        A name in the catalogue, or images of your own.
    split : {"train", "test"}
        Validation images are training images.
    data_dir : path-like, optional
        A folder with MNIST's four files.
    output : path-like, optional
        The directory, new or empty; by default the next free one under ``audits/``.
    on_notice : callable, optional
        Told in a line that a data set stands in for MNIST.
    on_download : callable, optional
        Given a file's name, returns what draws its download.
    on_step : callable, optional
        Told in a line what is being done.
    on_batch : callable, optional
        Told of the progress of a training.

    Returns
    -------
    Audit

    Raises
    ------
    InkwiseError
        See its subclasses: an unknown name, data that is not to be had or too little, a directory
        that is in use or cannot be written, a library that is not installed.

    Examples
    --------
    >>> import dataclasses
    >>> import numpy as np
    >>> import inkwise
    >>> digits = inkwise.load_dataset("optdigits")
    >>> few = dataclasses.replace(digits, train=digits.train.take(np.arange(200)))
    >>> audit = inkwise.audit(few, "test", output="audits/few")
    >>> audit.probabilities.shape
    (359, 10)
    >>> audit.page_path.name
    'audit.html'
    """
    require_training("an audit")
    if split not in ("train", "test"):
        raise ArgumentError(f"unknown split {split!r}: an audit takes train or test")
    data = load_dataset(dataset, data_dir, on_download) if isinstance(dataset, str) else dataset
    if data.notice and on_notice is not None:
        on_notice(data.notice)
    tell = on_step or (lambda _: None)
    recipe = audit_recipe(len(data.train))
    recipe.describe_network(data.image_size, len(data.class_names))  # refuses what does not fit
    name = f"{file_name(data.name)}-{split}"
    path = claim_next(DEFAULT_PARENT, name) if output is None else claim_folder(output)
    try:
        probabilities = judge(data, split, tell, on_batch)
        tell("Looking for images that there are twice")
        suspects, wrong = find_suspects(getattr(data, split).labels, probabilities)
        found = Audit(
            path,
            data,
            split,
            probabilities,
            suspects,
            wrong,
            find_duplicates(data, split),
            find_outliers(probabilities),
        )
        _write(found, recipe.to_dict())
    except BaseException:  # Ctrl-C, too
        with contextlib.suppress(OSError):  # where something was written, it stays
            path.rmdir()
        raise
    return found


def _write(audit: Audit, recipe: dict[str, Any]) -> None:
    names, labels, suggested = audit.dataset.class_names, audit.images.labels, audit.suggested
    own = audit.probabilities[np.arange(len(labels)), labels]
    largest, margins = audit.probabilities.max(axis=1), audit.margins
    write_decisions(
        audit.labels_path,
        audit.decisions(),
        ("verdict", "probability_given", "probability_suggested", "margin"),
        (
            (
                "probably wrong" if rank < audit.wrong else "doubtful",
                *(f"{figures[index]:.6f}" for figures in (own, largest, margins)),
            )
            for rank, index in enumerate(audit.suspects)
        ),
    )
    write_csv(
        audit.path / "duplicates.csv",
        [
            "split",
            "index",
            "label",
            "other_split",
            "other_index",
            "other_label",
            "kind",
            "distance",
        ],
        (
            [
                audit.split,
                pair.index,
                names[pair.label],
                pair.other_split,
                pair.other_index,
                names[pair.other_label],
                "exact" if pair.exact else "near",
                f"{pair.distance:.6f}",
            ]
            for pair in audit.duplicates
        ),
    )
    write_csv(
        audit.path / "outliers.csv",
        ["split", "index", "label", "suggested", "probability_suggested"],
        (
            [
                audit.split,
                index,
                names[labels[index]],
                names[suggested[index]],
                f"{largest[index]:.6f}",
            ]
            for index in audit.outliers
        ),
    )
    document = {
        "schema": SCHEMA,
        "dataset": {
            "name": audit.dataset.name,
            "title": audit.dataset.title,
            "source": audit.dataset.source,
            "sha256": audit.dataset.sha256,
            "class_names": list(names),
        },
        "split": audit.split,
        "images": len(labels),
        "suspects": len(audit.suspects),
        "probably_wrong": audit.wrong,
        "duplicates": len(audit.duplicates),
        "near": NEAR,
        "recipe": recipe,
        "folds": FOLDS if audit.split == "train" else None,
        "models": FOLDS * SEEDS,
        "machine": {**describe_machine(), "versions": library_versions()},
    }
    write_json(audit.path / "audit.json", document)
    write_page(audit, document)
