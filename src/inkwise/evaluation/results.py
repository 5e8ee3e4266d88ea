"""An evaluation: every metric of one model on one split, computed from its probabilities."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split, binary_names
from inkwise.errors import ArgumentError, DataError, ModelError
from inkwise.evaluation.binary import BinaryTask, binary_task
from inkwise.evaluation.confusion import (
    AGREEMENTS,
    AVERAGES,
    OneVersusRest,
    agreement_figures,
    average_figures,
    class_figures,
    confusion_matrix,
    normalise_rows,
    one_versus_rest,
)
from inkwise.evaluation.intervals import (
    Estimate,
    bootstrap_confusion,
    wilson,
    wilson_f1,
)
from inkwise.evaluation.probabilities import Probabilities
from inkwise.model import Model
from inkwise.system.arrays import as_array, as_labels
from inkwise.system.shown import Shade, html_table

SCHEMA = "inkwise-metrics/2"


@dataclasses.dataclass(frozen=True)
class ClassFigures:
    """The metrics of one class.

    Parameters
    ----------
    name : str
        Name of the class.
    support : int
        Number of images of the class in the split.
    predicted : int
        Number of images that were predicted as this class.
    accuracy : Estimate
        Class accuracy: the share of the images of this class that were classified correctly. It is
        another name for the recall, and differs from the accuracy of the one-versus-rest matrix.
    precision, recall : Estimate
        Precision and recall, with Wilson's intervals.
    f1 : Estimate
        F1, with a stratified bootstrap interval, or one derived from Wilson's if there are no true
        positives or no mistakes.
    one_versus_rest : OneVersusRest
        The 2×2 matrix of this class against all others.
    """

    name: str
    support: int
    predicted: int
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    one_versus_rest: OneVersusRest


@dataclasses.dataclass(frozen=True)
class AverageFigures:
    """Precision, recall and F1 averaged over the classes, with bootstrap intervals."""

    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """The predictions of a model on a split, and every metric that follows from them.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    split : str
        Name of the split.
    class_names : tuple of str
        Names of the K classes.
    labels : array-like, shape (N,), (N, 1) or (N, K)
        The true classes, in any form that `inkwise.Split` takes; kept as `int64` (N,).
    probabilities : array-like of float32, shape (N, K)
        The predicted probabilities.
    corrected_labels : array-like, optional
        The labels as people corrected them. All metrics use `labels`, except those of `corrected`.

    Raises
    ------
    DataError
        The labels are no indices, names or one-hot rows of the classes, or there is not one row of
        K probabilities for each.

    Examples
    --------
    >>> import inkwise
    >>> evaluation = inkwise.Run("runs/small").evaluation
    >>> evaluation.dataset, evaluation.split, len(evaluation)
    ('optdigits', 'test', 359)
    >>> evaluation.accuracy.low < evaluation.accuracy.value < evaluation.accuracy.high
    True
    >>> sevens = evaluation.binary("7").matrix
    >>> sevens.tp + sevens.fn  # images that are a seven
    36
    """

    dataset: str
    split: str
    class_names: tuple[str, ...]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    corrected_labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        classes = len(self.class_names)
        probabilities = as_array(self.probabilities, "probabilities")
        object.__setattr__(self, "probabilities", probabilities)
        for name in ("labels", "corrected_labels"):
            if getattr(self, name) is None:
                continue
            labels = as_labels(getattr(self, name), self.class_names)
            if probabilities.dtype.kind != "f" or probabilities.shape != (len(labels), classes):
                raise DataError(
                    f"an evaluation of {len(labels):,} {name.replace('_', ' ')} and {classes} "
                    f"classes needs probabilities of shape ({len(labels)}, {classes}), not "
                    f"{probabilities.dtype} of shape {probabilities.shape}"
                )
            if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
                raise DataError(
                    f"the {name.replace('_', ' ')} go from {labels.min()} to {labels.max()}, but "
                    f"the {classes} classes are numbered from 0 to {classes - 1}"
                )
            object.__setattr__(self, name, labels)

    @functools.cached_property
    def corrected(self) -> "Evaluation | None":
        """The same predictions evaluated with the corrected labels, or None if there are none."""
        if self.corrected_labels is None:
            return None
        return dataclasses.replace(self, labels=self.corrected_labels, corrected_labels=None)

    @functools.cached_property
    def relabelled(self) -> NDArray[np.intp]:
        """Indices of the images with a corrected label, ascending, intp (M,)."""
        if self.corrected_labels is None:
            return np.array([], dtype=np.intp)
        return np.flatnonzero(self.corrected_labels != self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    @functools.cached_property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of every image, int64 (N,)."""
        return self.probabilities.argmax(axis=1)

    @functools.cached_property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of the predicted class, float32 (N,)."""
        return self.probabilities.max(axis=1)

    @functools.cached_property
    def misclassified(self) -> NDArray[np.intp]:
        """Indices of the misclassified images, the most confident mistake first, intp (M,)."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    @functools.cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix, int64 (K, K): rows are true classes, columns predicted ones."""
        return confusion_matrix(self.labels, self.predicted, len(self.class_names))

    @functools.cached_property
    def correct(self) -> int:
        """Number of images that were classified correctly."""
        return int(np.trace(self.confusion))

    @functools.cached_property
    def accuracy(self) -> Estimate:
        """Share of the images that were classified correctly, with Wilson's interval."""
        return wilson(self.correct, len(self))

    @functools.cached_property
    def in_probabilities(self) -> Probabilities:
        """Metrics of the probabilities: Brier score, calibration, curves, top-k accuracy."""
        return Probabilities(self.labels, self.probabilities)

    @property
    def loss(self) -> Estimate:
        """Categorical cross-entropy, see `Probabilities.log_loss`."""
        return self.in_probabilities.log_loss

    @functools.cached_property
    def classes(self) -> tuple[ClassFigures, ...]:
        """The metrics of every class."""
        f1 = bootstrap_confusion(self.confusion, lambda matrices: class_figures(matrices)[..., 2])
        figures = []
        for name, matrix, f1_estimate in zip(
            self.class_names, one_versus_rest(self.confusion), f1, strict=True
        ):
            recall = wilson(matrix.tp, matrix.tp + matrix.fn)
            mistakes = matrix.fp + matrix.fn
            figures.append(
                ClassFigures(
                    name=name,
                    support=matrix.tp + matrix.fn,
                    predicted=matrix.tp + matrix.fp,
                    accuracy=recall,
                    precision=wilson(matrix.tp, matrix.tp + matrix.fp),
                    recall=recall,
                    f1=f1_estimate if matrix.tp and mistakes else wilson_f1(matrix.tp, mistakes),
                    one_versus_rest=matrix,
                )
            )
        return tuple(figures)

    @functools.cached_property
    def averages(self) -> dict[str, AverageFigures]:
        """Macro, micro and weighted averages over the classes."""
        estimates = bootstrap_confusion(
            self.confusion, lambda matrices: average_figures(matrices).reshape(len(matrices), -1)
        )
        averages = {
            kind: AverageFigures(*estimates[3 * row : 3 * row + 3])
            for row, kind in enumerate(AVERAGES)
        }
        # The micro averages equal the accuracy. Without a mistake all resamples are the same.
        pooled = AverageFigures(self.accuracy, self.accuracy, self.accuracy)
        return (
            averages | {"micro": pooled}
            if len(self.misclassified)
            else dict.fromkeys(AVERAGES, pooled)
        )

    @property
    def balanced_accuracy(self) -> Estimate:
        """The mean of the class accuracies: the macro average of the recall."""
        return self.averages["macro"].recall

    @functools.cached_property
    def agreement(self) -> dict[str, Estimate]:
        """Cohen's kappa and Matthews' correlation coefficient, with bootstrap intervals."""
        estimates = bootstrap_confusion(self.confusion, agreement_figures)
        if not len(self.misclassified) and all(estimate.defined for estimate in estimates):
            # Without a mistake all resamples are the same. The interval of the accuracy gives that
            # of kappa, and of Matthews' coefficient, which is equal to first order.
            chance = float(np.sum((np.bincount(self.labels) / len(self)) ** 2))
            low = (self.accuracy.low - chance) / (1 - chance)
            estimates = [Estimate(1.0, max(-1.0, low), 1.0)] * len(AGREEMENTS)
        return dict(zip(AGREEMENTS, estimates, strict=True))

    @functools.cached_property
    def classification_report(self) -> str:
        """Precision, recall and F1 as text, laid out as in scikit-learn's classification report."""
        names = [*self.class_names, "accuracy", "macro avg", "weighted avg"]
        width = max(map(len, names))

        def line(name: str, *cells: str) -> str:
            return f"{name:>{width}} " + "".join(f" {cell:>9}" for cell in cells) + "\n"

        def figures_line(name: str, figures: NDArray[np.float64], support: int) -> str:
            return line(name, *(f"{figure:.4f}" for figure in figures), str(support))

        macro, _, weighted = average_figures(self.confusion[None])[0]
        support = self.confusion.sum(axis=1)
        rows = zip(self.class_names, class_figures(self.confusion), support, strict=True)
        return "\n".join(
            [
                line("", "precision", "recall", "f1-score", "support"),
                "".join(figures_line(*row) for row in rows),
                line("accuracy", "", "", f"{self.accuracy.value:.4f}", str(len(self)))
                + figures_line("macro avg", macro, len(self))
                + figures_line("weighted avg", weighted, len(self)),
            ]
        )

    def binary(self, positive: str) -> BinaryTask:
        """Evaluate the binary task of one class.

        Parameters
        ----------
        positive : str
            Name of the positive class, one of `class_names`.

        Raises
        ------
        ArgumentError
            There is no such class.
        """
        return binary_task(self.labels, self.probabilities, self._index(positive), positive)

    def as_binary(self, positive: str) -> "Evaluation":
        """Read the answers as those of the binary task of one class.

        Parameters
        ----------
        positive : str
            Name of the positive class, one of `class_names`.

        Returns
        -------
        Evaluation
            Its second class is the positive one; the probability of the first is that of all
            others together.

        Raises
        ------
        ArgumentError
            There is no such class.
        """
        yes = self.probabilities[:, self._index(positive)]
        labels = (self.labels == self._index(positive)).astype(np.int64)
        names = binary_names(self.class_names, positive)
        return Evaluation(self.dataset, self.split, names, labels, np.stack([1 - yes, yes], axis=1))

    def _index(self, name: str) -> int:
        if name not in self.class_names:
            raise ArgumentError(
                f"there is no class {name!r}: use one of {', '.join(self.class_names)}"
            )
        return self.class_names.index(name)

    def headline(self) -> dict[str, Any]:
        """Return accuracy, loss and macro F1 with their intervals, as JSON values."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "images": len(self),
            "accuracy": _to_json(self.accuracy),
            "loss": _to_json(self.loss),
            "macro_f1": _to_json(self.averages["macro"].f1),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return every metric as JSON values; undefined ones are None."""
        return {
            "schema": SCHEMA,
            "dataset": self.dataset,
            "split": self.split,
            "images": len(self),
            "correct": self.correct,
            "accuracy": _to_json(self.accuracy),
            "loss": _to_json(self.loss),
            "averages": {kind: _to_json(average) for kind, average in self.averages.items()},
            "balanced_accuracy": _to_json(self.balanced_accuracy),
            **_to_json(self.agreement),
            "probabilities": self._probabilities_to_json(),
            "classes": [
                {
                    **_to_json(figures),
                    "binary_task": _to_json(self.binary(figures.name)),
                }
                for figures in self.classes
            ],
            "confusion": self.confusion.tolist(),
            "confusion_by_row": _to_json(normalise_rows(self.confusion).tolist()),
            "corrected": self.corrected
            and {
                **self.corrected.headline(),
                "correct": self.corrected.correct,
                "relabelled": [
                    {
                        "index": int(index),
                        "given": self.class_names[self.labels[index]],
                        "decided": self.class_names[self.corrected.labels[index]],
                    }
                    for index in self.relabelled
                ],
            },
        }

    def _repr_html_(self) -> str:
        figures = {
            "accuracy": (self.accuracy, ".2%"),
            "macro F1": (self.averages["macro"].f1, ".2%"),
            "loss": (self.loss, ".4f"),
        }
        rows = [
            (name, *(f"{number:{form}}" for number in estimate))
            for name, (estimate, form) in figures.items()
        ]
        wrong = len(self.misclassified)
        caption = f"{self.dataset}, {self.split}: {len(self):,} images, {wrong:,} misclassified"
        shares = normalise_rows(self.confusion)
        confusion = [
            (name, *map(Shade, map(str, counts), row))
            for name, counts, row in zip(self.class_names, self.confusion, shares, strict=True)
        ]
        return html_table(caption, rows, ("", "value", "95% from", "to")) + html_table(
            "Rows are true classes, columns predicted ones", confusion, ("", *self.class_names)
        )

    def _probabilities_to_json(self) -> dict[str, Any]:
        figures = self.in_probabilities
        errors = {
            "calibration_error": (figures.calibration_error, figures.bins),
            "adaptive_calibration_error": (
                figures.adaptive_calibration_error,
                figures.adaptive_bins,
            ),
        }
        return {
            "log_loss": _to_json(figures.log_loss),
            "brier": {**_to_json(figures.brier), **figures.brier_parts._asdict()},
            **{
                name: {
                    **_to_json(error),
                    "bins": [
                        dict(zip(bins._fields, values, strict=True))
                        for values in zip(*(array.tolist() for array in bins), strict=True)
                    ],
                }
                for name, (error, bins) in errors.items()
            },
            "top_k": [_to_json(top._asdict()) for top in figures.top],
        }


def evaluate_model(model: Model, dataset: Dataset, split: Split, split_name: str) -> Evaluation:
    """Evaluate a model on a split of a data set.

    Parameters
    ----------
    model : Model
    dataset : Dataset
        The data set of the split; its classes and image size must be the model's.
    split : Split
        The images and labels to evaluate on.
    split_name : str
        Name of the split.

    Returns
    -------
    Evaluation

    Raises
    ------
    ModelError
        The data set has other classes or another image size than the model.
    """
    require_fit(model, dataset)
    return Evaluation(
        dataset.name,
        split_name,
        model.class_names,
        split.labels,
        model.predict_proba(split.images),
    )


def require_fit(model: Model, dataset: Dataset) -> None:
    """Raise `ModelError` if a data set has other classes or another image size than a model."""
    require_image_size(model, dataset.image_size, dataset.name)
    if dataset.class_names != model.class_names:
        raise ModelError(
            f"{dataset.name} has the classes {', '.join(dataset.class_names)}, but the model knows "
            f"{', '.join(model.class_names)}: evaluate it on a data set like the one it was "
            "trained on"
        )


def require_image_size(model: Model, size: tuple[int, ...], name: str) -> None:
    """Raise `ModelError` if the images of a data set have another size than the model takes."""
    if size != model.network.image_size:
        raise ModelError(
            f"{name} has images of {_times(size)}, but the model takes "
            f"{_times(model.network.image_size)}: evaluate it on a data set like the one it was "
            "trained on"
        )


def _times(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))


def _to_json(value: Any) -> Any:
    match value:
        case Estimate():
            return _to_json(value._asdict())
        case OneVersusRest():
            derived = ("accuracy", "precision", "recall", "f1")
            figures = {figure: getattr(value, figure) for figure in derived}
            return _to_json({**vars(value), **figures})
        case float():
            return None if math.isnan(value) else value
        case dict():
            return {key: _to_json(item) for key, item in value.items()}
        case list():
            return [_to_json(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return _to_json(vars(value))
        case _:
            return value
