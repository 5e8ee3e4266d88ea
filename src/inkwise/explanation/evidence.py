"""Why a model says what it says about one picture."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.splits import Splits
from inkwise.errors import ArgumentError, InkwiseError, LibraryError, NoInkError, RunError
from inkwise.explanation.neighbours import FILE, Neighbour, Neighbours, make_neighbours
from inkwise.explanation.occlusion import Occlusion
from inkwise.explanation.receptive_field import Field, last_field
from inkwise.ink import Ink
from inkwise.ink.decoding import describe
from inkwise.model import Model
from inkwise.model.answers import choose_readings, preprocess, stack_readings
from inkwise.model.calibration import Verdict
from inkwise.networks.as_onnx import OUTPUTS
from inkwise.networks.layers import Conv
from inkwise.runs.directory import Run
from inkwise.runs.models import find_model
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
    """What one method says about where the evidence lies.

    Parameters
    ----------
    method : {"occlusion", "integrated gradients", "Grad-CAM"}
    alone : ndarray of float32, shape (H, W)
        For the logit of the predicted class: positive where the ink speaks for it.
    compared : ndarray of float32, shape (H, W)
        For the difference between that logit and the other class'.
    """

    method: str
    alone: NDArray[np.float32]
    compared: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Filters:
    """The kernels of a network's first convolution, and what they find in an image.

    Parameters
    ----------
    kernels : ndarray of float32, shape (C, K, K)
    maps : ndarray of float32, shape (C, H', W')
        After the ReLU, before any pooling.
    """

    kernels: NDArray[np.float32]
    maps: NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class Explanation:
    """What a model says about a picture, and what it hangs on.

    Parameters
    ----------
    title : str
        The picture's name, or its place in a split.
    image : ndarray of uint8, shape (H, W)
        What the network saw.
    class_names : tuple of str
    probabilities, logits : ndarray of float32, shape (classes,)
    verdict : {"digit", "unsure", "not a digit"}
        See `Answer`.
    label : int
        The likeliest class.
    against : int
        The class that it is compared with: the one asked for; else, of a mistake, the true one;
        else the runner-up.
    truth : int or None
        What the image is, where that is known.
    attributions : tuple of Attribution
        Occlusion first; it alone where PyTorch or Captum is missing.
    filters : Filters or None
        None where the network has no convolution.
    field : Field or None
        Where the places of the last convolution look; None where there is none.
    neighbours : tuple of Neighbour
        The training images most alike to the network; none where they are not to be had.
    neighbours_from : tuple of int
        Among how many training images they are the nearest, and of how many these were drawn.
    notices : tuple of str
        What is missing, and why, a line each.
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
        """By how much the label's logit is above that of the class it is compared with."""
        return float(self.logits[self.label] - self.logits[self.against])

    def __str__(self) -> str:
        """Tell the answer, and what speaks for it, in a few lines."""
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
        lines = [answer, f"against {against} it leads by {self.lead:.1f} logits"]
        if weights.max() > 0:
            lines[-1] += (
                f"; the ink at the {where(weights)} speaks most for it: blanked, it costs "
                f"{weights.max():.1f}"
            )
        if -weights.min() > weights.max() / 10 and where(-weights) != where(weights):
            lines[-1] += f"; that at the {where(-weights)} speaks most for {other}"
        if self.neighbours:
            alike = sum(neighbour.label == self.label for neighbour in self.neighbours)
            lines.append(
                f"{alike} of the {len(self.neighbours)} nearest training images are {label}"
            )
        return "\n".join(lines)


def where(values: NDArray[np.float32]) -> str:
    """Say in words in which ninth of an image its largest value lies."""
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
    """Show what a model's answer about one picture hangs on.

    Attributions by occlusion, integrated gradients and Grad-CAM, the filters of the first
    convolution and their maps, and the nearest training images. Nothing of this proves why the
    model answers so: see the caption of each on the page that `write_explanation` makes.

    Parameters
    ----------
    model : Model, Run or path-like
        Training images are shown for a run only, and kept in its ``neighbours.npz``.
    picture : path-like, bytes, PIL image or ndarray, optional
        A picture of a digit, see `inkwise.ink.normalise`.
    index : int, optional
        In place of a picture, an image's place in a split of the run's data set, from 0.
    split : {"test", "validation", "train"}
    against : str, optional
        The name of the class that the answer is compared with; by default the true one where the
        answer is known to be wrong, else the runner-up.
    dataset : Dataset, optional
        For a run on images of your own: those.
    data_dir : path-like, optional
        A folder with MNIST's four files; by default the one that the run was trained from.
    progress : Progress, optional
        Hears of notices and downloads.

    Returns
    -------
    Explanation

    Raises
    ------
    ArgumentError
        Not exactly one of `picture` and `index` is given, an index goes without a run, or there
        is no such class, split or image.
    NoInkError
        There is no ink in the picture.
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
        raise ArgumentError("this model knows one class only: there is nothing to tell it from")
    image_size = model.network.image_size
    splits = functools.cache(lambda: _load_splits(run, dataset, data_dir, progress))
    truth: int | None = None
    if picture is not None and index is None:
        title = describe(picture)
        found = preprocess(picture, image_size)
        if isinstance(found, NoInkError):
            raise NoInkError(f"there is no ink in {title}: nothing speaks for any class")
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
        raise ArgumentError("name one picture to explain: a file, or an image's place in a split")

    # One pass gives all there is to know, of each of the picture's readings.
    all_probabilities, all_logits, scores = model.run(stack_readings([ink], image_size), *OUTPUTS)
    ((ink, row),) = choose_readings([ink], scores)
    image, probabilities, logits = ink.image, all_probabilities[row], all_logits[row]
    label, other = _compare(model, probabilities, truth, against)  # refuses before the long work

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

    (verdict,) = model.calibration.verdicts(probabilities[[label]], scores[[row]])
    itself = index if split == "train" else None
    return Explanation(
        title,
        image,
        model.class_names,
        probabilities,
        logits,
        verdict,
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
    found = find_model(model)  # which says what is wrong where there is neither
    return found, Run(model) if (Path(model) / "run.json").is_file() else None


def _load_splits(
    run: Run | None,
    dataset: Dataset | None,
    data_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Splits:
    if run is None:
        raise RunError("they go with a run: name one in place of the model")
    return load_original_splits(run, dataset, data_dir, progress)


def _open_gradients(model: Model) -> "Gradients":
    require_gradients("attribution by gradients")
    from inkwise.explanation.gradients import Gradients

    return Gradients(model)


def _find_neighbours(run: Run | None, model: Model, splits: Callable[[], Splits]) -> Neighbours:
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
    """Return the likeliest class, and the one that it is compared with."""
    label, runner_up = (int(k) for k in (-probabilities).argsort(kind="stable")[:2])
    if against is None:
        return label, runner_up if truth in (None, label) else truth
    if against not in model.class_names:
        raise ArgumentError(f"no class {against!r}: use {', '.join(model.class_names)}")
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
