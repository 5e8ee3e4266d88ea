"""The predictions of an evaluation as a CSV table, from which the evaluation is read back."""

from pathlib import Path

import numpy as np

from inkwise.errors import DataError
from inkwise.evaluation.results import Evaluation
from inkwise.system.tables import parse_decimal, read_csv, write_csv

_ROUNDING = 1e-3  # by which a probability may exceed 1


def write_predictions(path: Path, evaluation: Evaluation) -> Path:
    """Write one row for each image: its labels, and the probabilities of all classes."""
    names = evaluation.class_names
    labels = {"true": evaluation.labels, "predicted": evaluation.predicted}
    if evaluation.corrected_labels is not None:
        labels["corrected"] = evaluation.corrected_labels
    return write_csv(
        path,
        ["index", *labels, *(f"probability_{name}" for name in names)],
        (
            # Nine significant digits restore exactly the same float32.
            [index, *(names[label] for label in row), *(f"{p:.9g}" for p in probabilities)]
            for index, (row, probabilities) in enumerate(
                zip(zip(*labels.values(), strict=True), evaluation.probabilities, strict=True)
            )
        ),
    )


def read_predictions(
    path: Path, dataset: str, class_names: tuple[str, ...], images: int
) -> Evaluation:
    """Read the predictions for a test split that `write_predictions` wrote.

    Parameters
    ----------
    path : Path
    dataset : str
        Name of the data set.
    class_names : tuple of str
        Names of the classes.
    images : int
        Number of images in the split, which the file must have.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError
        The file is damaged, or is about a different number of images or other classes.
    """
    index = {name: label for label, name in enumerate(class_names)}
    try:
        header, rows, _ = read_csv(path, ["index", "true", "predicted"], "a table of predictions")
        labels = np.array([index[row[1]] for row in rows], dtype=np.int64)
        corrected = header[3] == "corrected"
        corrected_labels = (
            np.array([index[row[3]] for row in rows], dtype=np.int64) if corrected else None
        )
        cells = [row[3 + corrected :] for row in rows]
        with np.errstate(over="ignore"):  # the numbers are checked below
            try:
                probabilities = np.array(cells, dtype=np.float32)
            except ValueError:  # a spreadsheet's decimal commas
                probabilities = np.array([[*map(parse_decimal, row)] for row in cells], np.float32)
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"{path} is damaged ({type(error).__name__}: {error})") from error
    if probabilities.shape != (images, len(class_names)):
        raise DataError(
            f"{path} is damaged: it does not have the predictions for {images:,} images"
        )
    if not ((probabilities >= 0) & (probabilities <= 1 + _ROUNDING)).all():  # or NaN
        raise DataError(f"{path} is damaged: it has probabilities that are not from 0 to 1")
    return Evaluation(dataset, "test", class_names, labels, probabilities, corrected_labels)
