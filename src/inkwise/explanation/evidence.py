"""The explanation of a model's answer about one picture."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.splits import Splits
from inkwise.errors import (
    ArgumentError,
    DataError,
    InkwiseError,
    LibraryError,
    NoInkError,
    RunError,
)
from inkwise.explanation.neighbours import FILE, Neighbour, Neighbours, make_neighbours
from inkwise.explanation.occlusion import Occlusion
from inkwise.explanation.receptive_field import Field, last_field
from inkwise.ink import Ink
from inkwise.ink.decoding import describe
from inkwise.model import Model
from inkwise.model.answers import judge_each, preprocess, stack_readings
from inkwise.model.calibration import Verdict
from inkwise.networks.as_onnx import OUTPUTS
from inkwise.networks.layers import Conv
from inkwise.runs.directory import Run
from inkwise.runs.models import find_model, is_run
from inkwise.runs.original_data import load_original_splits
from inkwise.system.extras import require_gradients
from inkwise.system.progress import SILENT, Progress

if TYPE_CHECKING:
    from inkwise.explanation.gradients import Gradients
    from inkwise.ink import Picture

_THIRDS = (
    ("upper left", "top", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "bottom", "lower right"),
)


@dataclasses.dataclass(frozen=True, eq=False)
class Attribution:
    """The attribution maps of one method: which pixels the answer depends on.

    Parameters
    ----------
    method : {"occlusion", "integrated gradients", "Grad-CAM"}
        Name of the method.
    alone : ndarray of float32, shape (H, W)
        Map for the logit of the predicted class: positive where the ink speaks for the class.
    compared : ndarray of float32, shape (H, W)
        Map for the difference between that logit and the logit of the class compared with.
    """

    method: str
    alone: NDArray[np.float32]
    compared: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Filters:
    """The kernels of a network's first convolution, and their feature maps of an image.

    Parameters
    ----------
    kernels : ndarray of float32, shape (C, K, K)
        The weights of each filter.
    maps : ndarray of float32, shape (C, H', W')
        The feature map of each filter, after the ReLU and before any pooling.
    """

    kernels: NDArray[np.float32]
    maps: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """A model's answer about a picture, and what the answer depends on.

    Parameters
    ----------
    title : str
        The picture's name, or its split and index.
    image : ndarray of uint8, shape (H, W)
        The preprocessed image that the network saw.
    class_names : tuple of str
        The names of the model's classes.
    probabilities, logits : ndarray of float32, shape (classes,)
        The network's outputs for the image.
    verdict : {"digit", "unsure", "not a digit"}
        The verdict, as in `Answer`.
    label : int
        Index of the likeliest class.
    against : int
        Index of the class that it is compared with: the one that was asked for, or else the true
        class of a misclassified image, or else the second likeliest class.
    truth : int or None
        Index of the true class; None if it is not known.
    attributions : tuple of Attribution
        The maps of each method, occlusion first; only occlusion if PyTorch or Captum is missing.
    filters : Filters or None
        The first convolution's filters; None if the network has no convolution.
    field : Field or None
        The receptive fields of the last convolution; None as from `last_field`.
    neighbours : tuple of Neighbour
        The nearest training images; empty if the training images are not available.
    neighbours_from : tuple of int
        Number of training images that were searched, and number from which those were drawn.
    notices : tuple of str
        What is missing, and why, one line for each.
    """

    title: str
    image: NDArray[np.uint8]
    class_names: tuple[str, ...]
    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    verdict: Verdict
    label: int
    against: int
    truth: int | None
    attributions: tuple[Attribution, ...]
    filters: Filters | None
    field: Field | None
    neighbours: tuple[Neighbour, ...]
    neighbours_from: tuple[int, int]
    notices: tuple[str, ...]

    @property
    def lead(self) -> float:
        """Difference between the label's logit and that of the class it is compared with."""
        return float(self.logits[self.label] - self.logits[self.against])

    def __str__(self) -> str:
        """Return the answer, and what speaks for it, in a few lines."""
        label, other = self.class_names[self.label], self.class_names[self.against]
        sure = f"{label} ({self.probabilities[self.label]:.3f})"
        answer = f"{self.title}: {sure}"
        if self.verdict != "digit":
            answer += f", {self.verdict}"
        if self.truth is not None:
            right = self.truth == self.label
            answer += ", right" if right else f", a mistake: it is {self.class_names[self.truth]}"
        against = f"{other} ({self.probabilities[self.against]:.3f})"
        weights = self.attributions[0].compared
        lines = [answer, f"its logit is {self.lead:.1f} above that of {against}"]
        if weights.max() > 0:
            lines[-1] += (
                f"; the ink at the {where(weights)} speaks most for it: erasing it lowers the "
                f"lead by {weights.max():.1f}"
            )
        if -weights.min() > weights.max() / 10 and where(-weights) != where(weights):
            lines[-1] += f"; the ink at the {where(-weights)} speaks most for {other}"
        if self.neighbours:
            alike = sum(neighbour.label == self.label for neighbour in self.neighbours)
            lines.append(
                f"{alike} of the {len(self.neighbours)} nearest training images are {label}"
            )
        return "\n".join(lines)


def where(values: NDArray[np.float32]) -> str:
    """Say in words in which ninth of an image, as in a 3×3 grid, its largest value lies."""
    place = np.unravel_index(values.argmax(), values.shape)
    row, column = (3 * int(p) // length for p, length in zip(place, values.shape, strict=True))
    return _THIRDS[row][column]


def explain(
    model: "Model | Run | str | os.PathLike[str]",
    picture: "Picture | None" = None,
    *,
    index: int | None = None,
    split: str = "test",
    against: str | None = None,
    dataset: Dataset | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Progress = SILENT,
) -> Explanation:
    """Explain a model's answer about one picture.

    The explanation holds attributions by occlusion, integrated gradients and Grad-CAM, the filters
    of the first convolution with their feature maps, and the nearest training images. None of
    these proves why the model gives its answer; the page that `write_explanation` makes says what
    each of them shows.

    Parameters
    ----------
    model : Model, Run or path-like
        A model, a run, or the directory of either. Training images are shown only for a run, and
        are kept in its ``neighbours.npz``.
    picture : path-like, bytes, PIL image or ndarray, optional
        A picture of a digit, in any form that `inkwise.ink.normalise` takes.
    index : int, optional
        Instead of a picture, the index of an image in a split of the run's data set, from 0.
    split : {"test", "validation", "train"}
        The split that `index` refers to.
    against : str, optional
        Name of the class that the answer is compared with; by default the true class of an image
        that is known to be misclassified, or else the second likeliest class.
    dataset : Dataset, optional
        Your own data set, if the run was trained on one.
    data_dir : path-like, optional
        Where the data set's files are; by default the one that the run was trained from.
    progress : Progress, optional
        Receives notices and the progress of downloads.

    Returns
    -------
    Explanation

    Raises
    ------
    ArgumentError
        Both or neither of `picture` and `index` are given, or there is no such class, split or
        image.
    RunError
        An index is given without a run.
    NoInkError
        There is no ink in the picture.
    DataError
        The picture shows several things.
    InkwiseError
        As from `inkwise.ink.normalise`, `inkwise.runs.models.find_model` and
        `inkwise.runs.original_data.load_original_splits`.

    Examples
    --------
    >>> import inkwise
    >>> explanation = inkwise.explain("runs/small", index=4)
    >>> explanation.truth, explanation.image.shape
    (5, (28, 28))
    >>> [attribution.method for attribution in explanation.attributions]
    ['occlusion', 'integrated gradients', 'Grad-CAM']
    """
    model, run = _find(model)
    if model.network.classes < 2:
        raise ArgumentError("this model has only one class: there is no other to compare it with")
    image_size = model.network.image_size
    splits = functools.cache(lambda: _load_splits(run, dataset, data_dir, progress))
    truth: int | None = None
    if picture is not None and index is None:
        title = describe(picture)
        found = preprocess(picture, image_size, model.together)
        if isinstance(found, NoInkError):
            raise NoInkError(f"there is no ink in {title}: there is nothing to explain")
        if isinstance(found, InkwiseError):
            raise found
        ink = found
    elif index is not None and picture is None:
        part = splits()[split]
        if not 0 <= index < len(part):
            raise ArgumentError(f"there is no {split} image {index}: the last is {len(part) - 1}")
        title = f"{split} image {index}"
        ink = Ink(part.images[index], "light ink", (0, 0, *image_size), 1.0)
        truth = int(part.labels[index])
    else:
        raise ArgumentError(
            "name one picture to explain: either a file, or an image's index in a split"
        )

    # One pass gives every output, for each of the picture's readings (see `inkwise.model.answers`).
    all_probabilities, all_logits, scores = model.run(stack_readings([ink], image_size), *OUTPUTS)
    ((answer, row),) = judge_each(model, [ink], all_probabilities, scores)
    if isinstance(answer, InkwiseError) or answer.ink is None or row is None:
        raise AssertionError("ink was found above")
    if answer.verdict == "several":
        raise DataError(f"{title} shows several things: cut out the one to explain")
    image, probabilities, logits = answer.ink.image, all_probabilities[row], all_logits[row]
    label, other = _compare(model, probabilities, truth, against)  # raises before slow work

    notices: list[str] = []
    gradients: Gradients | None = None
    try:
        gradients = _open_gradients(model)
    except LibraryError as error:
        notices.append(f"Occlusion is the only method: {error}")
    near: Neighbours | None = None
    try:
        near = _find_neighbours(run, model, splits)
    except InkwiseError as error:
        notices.append(f"The nearest training images are left out: {error}")
    for notice in notices:
        progress.notice(notice)

    itself = index if split == "train" else None
    return Explanation(
        title,
        image,
        model.class_names,
        probabilities,
        logits,
        answer.verdict,
        label,
        other,
        truth,
        tuple(_attribute(model, gradients, image, label, other)),
        _filters(model, image),
        last_field(model.network),
        () if near is None else near.nearest(model, image, without=itself),
        (0, 0) if near is None else (len(near), near.drawn_from),
        tuple(notices),
    )


def _find(model: "Model | Run | str | os.PathLike[str]") -> tuple[Model, Run | None]:
    if isinstance(model, Model):
        return model, None
    if isinstance(model, Run):
        return find_model(model.path), model
    found = find_model(model)  # raises if the path is neither a run nor a model
    return found, Run(model) if is_run(model) else None


def _load_splits(
    run: Run | None,
    dataset: Dataset | None,
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Splits:
    if run is None:
        raise RunError("only a run knows its images: name one in place of the model")
    return load_original_splits(run, dataset, data_dir, progress)


def _open_gradients(model: Model) -> "Gradients":
    require_gradients("attribution by gradients")
    from inkwise.explanation.gradients import Gradients

    return Gradients(model)


def _find_neighbours(run: Run | None, model: Model, splits: Callable[[], Splits]) -> Neighbours:
    if run is not None and not run.trained:
        raise RunError(f"what {run.origin} was trained on is not known")
    if run is not None and (run.path / FILE).exists():
        near = Neighbours.load(run.path / FILE)
        if near.belong_to(model):
            return near
    near = make_neighbours(model, splits().train)
    if run is not None:
        near.save(run.path / FILE)
    return near


def _compare(
    model: Model, probabilities: NDArray[np.float32], truth: int | None, against: str | None
) -> tuple[int, int]:
    """Return the indices of the likeliest class, and of the class that it is compared with."""
    label, runner_up = (int(k) for k in (-probabilities).argsort(kind="stable")[:2])
    if against is None:
        return label, runner_up if truth in (None, label) else truth
    if against not in model.class_names:
        raise ArgumentError(f"there is no class {against!r}: use {', '.join(model.class_names)}")
    other = model.class_names.index(against)
    if other == label:
        raise ArgumentError(f"{against} is the answer itself: name a class to compare it with")
    return label, other


def _attribute(
    model: Model,
    gradients: "Gradients | None",
    image: NDArray[np.uint8],
    label: int,
    other: int,
) -> Iterator[Attribution]:
    occlusion = Occlusion(image, stride=1)
    without = model.logits(occlusion.copies)
    maps: dict[str, Callable[[int | None], NDArray[np.float32]]] = {
        "occlusion": functools.partial(occlusion.map, without, label)
    }
    if gradients is not None:
        maps["integrated gradients"] = functools.partial(
            gradients.integrated_gradients, image, label
        )
        if gradients.field is not None:
            maps["Grad-CAM"] = functools.partial(gradients.grad_cam, image, label)
    for method, follow in maps.items():
        yield Attribution(method, follow(None), follow(other))


def _filters(model: Model, image: NDArray[np.uint8]) -> Filters | None:
    first = next((line for line in model.network.summary() if isinstance(line.layer, Conv)), None)
    if first is None:
        return None
    kernels = model.weights[f"{first.name}.weight"][:, 0]
    return Filters(kernels, model.layer_outputs(image[None], first.name)[0])
