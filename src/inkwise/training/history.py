"""The history of a training: loss and accuracy after every epoch."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError, RunError
from inkwise.system.shown import html_table
from inkwise.system.tables import parse_decimal, read_csv, write_csv


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One line of a training's history.

    Parameters
    ----------
    epoch : int
        Number of the epoch, from 1.
    train_loss, train_accuracy : float
        Means over the images of the epoch, taken while the weights changed, with dropout and data
        augmentation, as Keras reports them; without label smoothing.
    validation_loss, validation_accuracy : float
        Means over the validation images, with the weights at the end of the epoch.
    seconds : float
        Training time of the epoch without validation, in seconds.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}: "
            f"loss {self.train_loss:.4f}, accuracy {self.train_accuracy:.2%}; "
            f"validation loss {self.validation_loss:.4f}, "
            f"accuracy {self.validation_accuracy:.2%}; {self.seconds:.1f} s"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training at the end of an epoch, on either engine.

    Parameters
    ----------
    epoch : Epoch
        Loss and accuracy of the epoch.
    weights : mapping of str to ndarray of float32
        A copy of the weights, with the names and shapes that ``Network.summary`` states.
    state : mapping of str to ndarray, optional
        Everything needed to resume the training from here; None if the engine cannot resume.
    """

    epoch: Epoch
    weights: Mapping[str, NDArray[np.float32]]
    state: Mapping[str, NDArray[Any]] | None = None


def validation_losses(history: Iterable[Epoch]) -> list[float]:
    """Return the validation loss of each epoch."""
    return [epoch.validation_loss for epoch in history]


_HEADER = [field.name for field in dataclasses.fields(Epoch)]


def write_history(path: str | os.PathLike[str], history: Iterable[Epoch]) -> Path:
    """Write a history as CSV: one line for each epoch, with the fields of `Epoch` as columns."""
    return write_csv(path, _HEADER, (dataclasses.astuple(epoch) for epoch in history))


def read_history(path: str | os.PathLike[str]) -> list[Epoch]:
    """Read what `write_history` wrote.

    Raises
    ------
    RunError
        The file is not a history.
    StorageError
        The file cannot be read.
    """
    try:
        table = read_csv(path, _HEADER, "a training history")
        history = [
            Epoch(int(epoch), *map(parse_decimal, figures)) for epoch, *figures in table.rows
        ]
    except DataError as error:
        raise RunError(str(error)) from error
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is not a training history: {error}") from error
    if table.header != _HEADER:
        raise RunError(f"{path} is not a training history: its columns are {table.header}")
    return history


def show_history(caption: str, history: Iterable[Epoch]) -> str:
    """Return finished epochs as a table in HTML."""
    header = ("epoch", "loss", "accuracy", "validation loss", "validation accuracy", "seconds")
    rows = (
        (
            epoch.epoch,
            f"{epoch.train_loss:.4f}",
            f"{epoch.train_accuracy:.2%}",
            f"{epoch.validation_loss:.4f}",
            f"{epoch.validation_accuracy:.2%}",
            f"{epoch.seconds:.1f}",
        )
        for epoch in history
    )
    return html_table(caption, rows, header)
