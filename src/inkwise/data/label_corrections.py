"""Label corrections: people's decisions about labels that are probably wrong, as a CSV table."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import DataError
from inkwise.system.files import read_bytes
from inkwise.system.tables import read_csv, write_csv

COLUMNS = ("split", "index", "given", "decided", "decision", "image_sha256")
"""The columns that a file of label decisions needs; further columns are ignored."""

ACCEPT, REJECT, OPEN = "accept", "reject", ""
_PARTS = ("train", "test")


@dataclasses.dataclass(frozen=True)
class Decision:
    """A decision about the label of one image.

    Parameters
    ----------
    split : {"train", "test"}
        The part of the data set that the image is in. Validation images are training images.
    index : int
        Index of the image in that part, from 0.
    given, decided : str
        Name of the class that the data set gives, and name of the class proposed instead.
    decision : {"accept", "reject", ""}
        Whether `decided` replaces `given`; empty if nobody has decided yet.
    image_sha256 : str
        Hash of the image, see `hash_image`.
    """

    split: str
    index: int
    given: str
    decided: str
    decision: str
    image_sha256: str

    @property
    def changes(self) -> bool:
        """Whether the image gets another label."""
        return self.decision == ACCEPT and self.decided != self.given


@dataclasses.dataclass(frozen=True)
class LabelCorrections:
    """Decisions about the labels of a data set.

    Parameters
    ----------
    decisions : tuple of Decision
    source : str
        Path of the file that the decisions were read from.
    content : bytes
        Content of that file.
    """

    decisions: tuple[Decision, ...]
    source: str
    content: bytes = dataclasses.field(repr=False)

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "LabelCorrections":
        """Read a file of label decisions, as the page of an audit and `write_decisions` write it.

        A spreadsheet may have saved it in between; see `inkwise.system.tables.read_csv`.

        Raises
        ------
        DataError
            The file is not such a table, has an invalid cell, or decides twice about an image.
        StorageError
            The file cannot be read.
        """
        content = read_bytes(path)
        what = "a file of label decisions, which `inkwise audit` or its page wrote"
        header, rows, lines = read_csv(path, COLUMNS, what)
        decisions = tuple(
            _parse(path, line, dict(zip(header, row, strict=True)))
            for line, row in zip(lines, rows, strict=True)
        )
        seen: set[tuple[str, int]] = set()
        for decision in decisions:
            place = decision.split, decision.index
            if place in seen:
                raise DataError(
                    f"{path} decides twice about image {place[1]} of {place[0]}: keep one line"
                )
            seen.add(place)
        return cls(decisions, str(path), content)

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the data set with the accepted labels in place of the given ones.

        Raises
        ------
        DataError
            The decisions were made about other images or labels, or name an unknown class.
        """
        labels = {part: getattr(dataset, part).labels.copy() for part in _PARTS}
        numbers = {name: label for label, name in enumerate(dataset.class_names)}
        for name in ("true", "false"):  # a spreadsheet writes them in capitals
            for label in [numbers[each] for each in numbers if each.lower() == name]:
                numbers.setdefault(name.upper(), label)
        for decision in self.decisions:
            split: Split = getattr(dataset, decision.split)
            where = f"image {decision.index} of {decision.split}"
            for name in (decision.given, decision.decided):
                if name not in numbers:
                    raise DataError(
                        f"{self.source} has {where} as {name!r}, but the classes of {dataset.name} "
                        f"are {', '.join(dataset.class_names)}"
                    )
            fits = decision.index < len(split)
            if not fits or hash_image(split.images[decision.index]) != decision.image_sha256:
                raise DataError(
                    f"{self.source} was made for other data: {where} is not the same image in "
                    f"{dataset.name}; audit {dataset.name} itself"
                )
            if split.labels[decision.index] != numbers[decision.given]:
                raise DataError(
                    f"{self.source} was made for other labels: {dataset.name} has {where} as "
                    f"{dataset.class_names[split.labels[decision.index]]!r}, not "
                    f"{decision.given!r}"
                )
            if decision.changes:
                labels[decision.split][decision.index] = numbers[decision.decided]
        train, test = (Split(getattr(dataset, part).images, labels[part]) for part in _PARTS)
        return dataclasses.replace(dataset, train=train, test=test)

    def describe(self) -> dict[str, Any]:
        """Return the file, its hash and the number of changed labels by part, as JSON values."""
        return {
            "file": self.source,
            "sha256": self.sha256,
            "changed": {
                part: sum(d.changes for d in self.decisions if d.split == part) for part in _PARTS
            },
        }


def write_decisions(
    path: str | os.PathLike[str],
    decisions: Iterable[Decision],
    more: Sequence[str] = (),
    figures: Iterable[Sequence[object]] | None = None,
) -> Path:
    """Write a file of label decisions, which `LabelCorrections.read` reads.

    Parameters
    ----------
    path : path-like
        The file to write.
    decisions : iterable of Decision
        The decisions, one for each row of the table.
    more : sequence of str
        Names of further columns, which only people read.
    figures : iterable of sequences, optional
        Values of the further columns, one sequence for each decision.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    rows: list[list[object]] = [list(dataclasses.astuple(decision)) for decision in decisions]
    if figures is not None:
        rows = [[*row, *cells] for row, cells in zip(rows, figures, strict=True)]
    return write_csv(path, [*COLUMNS, *more], rows)


def hash_image(image: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of an image's height, width and pixels."""
    digest = hashlib.sha256(repr(image.shape).encode())
    digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _parse(path: str | os.PathLike[str], number: int, row: dict[str, str]) -> Decision:
    cells = {name: row[name].strip() for name in COLUMNS}
    for name in ("split", "decision"):
        cells[name] = cells[name].lower()
    if cells["split"] not in _PARTS:
        raise DataError(
            f"{path}, line {number}: the split must be train or test, not {cells['split']!r}"
        )
    if not re.fullmatch("[0-9]{1,18}", cells["index"]):
        raise DataError(
            f"{path}, line {number}: the index must be a whole number from 0, not "
            f"{cells['index']!r}"
        )
    if cells["decision"] not in (ACCEPT, REJECT, OPEN):
        raise DataError(
            f"{path}, line {number}: the decision must be accept, reject or empty, not "
            f"{cells['decision']!r}"
        )
    return Decision(**{**cells, "index": int(cells["index"])})  # type: ignore[arg-type]
