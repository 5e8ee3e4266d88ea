"""Import of other people's models: from which file, and what they take for black and white."""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from inkwise.data.dataset import Split
from inkwise.errors import ArgumentError, ModelError
from inkwise.export.assembling import Pixels
from inkwise.export.from_keras import read_keras
from inkwise.export.from_onnx import read_onnx
from inkwise.export.from_torch import read_torch
from inkwise.export.imported import Found, explained, make_model
from inkwise.model import Model
from inkwise.networks.as_onnx import read_metadata
from inkwise.system.extras import require_training
from inkwise.system.files import read_bytes
from inkwise.system.progress import SILENT, Progress
from inkwise.training.recipe import Recipe

USUAL_PIXELS: tuple[Pixels, ...] = (
    (0.0, 1.0),
    (0.0, 255.0),
    (-1.0, 1.0),
    (-0.5, 0.5),
    (-0.1307 / 0.3081, (1 - 0.1307) / 0.3081),  # MNIST's mean and deviation, as torchvision has it
    (1.0, 0.0),
    (255.0, 0.0),
    (1.0, -1.0),
)
"""What networks usually take for a black and for a white pixel; the last are of dark ink."""

_IMAGES = 1000
_LEAST = 0.7


def import_model(
    path: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    *,
    recipe: Recipe | None = None,
    pixels: Pixels | None = None,
    images: Split | None = None,
    progress: Progress = SILENT,
) -> Model:
    """Read a model that another program saved; no code from the file is run.

    Parameters
    ----------
    path : path-like
        The file: ``.keras`` or ``.h5`` as for `inkwise.import_keras`; ``.onnx``, one that inkwise
        exported, or another program's, if it is a chain of the same layers or has skips; or with
        a recipe, a state dictionary of PyTorch.
    class_names : sequence of str, optional
        The names of the classes, in the order of the outputs; by default 0, 1, 2 and so on, or
        those in a file of ours.
    recipe : Recipe, optional
        The recipe that describes the network, for the state dictionary of a PyTorch module. Which
        module of it belongs to which layer is told by their order and shapes.
    pixels : tuple of float, optional
        What the network takes for a black and for a white pixel: ``(0, 1)``, ``(0, 255)``,
        ``(-1, 1)``, or ``(1, 0)`` if it was trained on dark ink. The file does not say it.
    images : Split, optional
        Training images on which to find that out: the `USUAL_PIXELS` with the smallest loss on
        1,000 of them are taken.
    progress : Progress, optional
        Receives a notice of what was found out or assumed.

    Returns
    -------
    Model
        A model that takes images as all of ours do, and gives the probabilities that the other
        program gives, within rounding. Its provenance names the file, its hash, the program, and
        ``pixels``.

    Raises
    ------
    ArgumentError
        `pixels` are not two different numbers.
    ModelError
        The file is damaged, or has what is not supported; or the number of class names is not that
        of the outputs; or 70% of the images are right with none of the usual pixels.
    StorageError
        The file cannot be read.
    LibraryError
        The libraries of the extra ``train`` are not installed.

    Examples
    --------
    >>> import inkwise
    >>> path = inkwise.export_model("runs/small", "keras", "small.keras")
    >>> model = inkwise.import_model(path)
    >>> model.provenance["imported"]["pixels"]
    [0.0, 1.0]
    """
    require_training("importing a model")
    if pixels is not None and (not all(map(math.isfinite, pixels)) or pixels[0] == pixels[1]):
        raise ArgumentError(f"black and white must be two different numbers, not {pixels}")
    path = Path(path)
    raw = read_bytes(path)
    read, program = _choose_reader(path, recipe, images)
    if program == "ONNX" and _is_ours(raw):
        model = Model.from_onnx(raw)
        names = model.class_names if class_names is None else tuple(class_names)
        return dataclasses.replace(model, class_names=names)

    def make(taken: Pixels | None) -> Model:
        with explained(path, program):
            found = read(raw, taken)
        return make_model(path, raw, found, class_names)

    if recipe is not None:
        told = make(pixels).provenance["imported"]["torch"].items()
        matched = ", ".join(f"{layer} of {name}" for layer, name in told)
        progress.notice(f"By order and shapes, {matched.replace(' of', ' has the weights of', 1)}")
    if pixels is not None or images is None:
        model = make(pixels)
        black, white = model.provenance["imported"]["pixels"]
        if pixels is None:
            progress.notice(
                f"{path} does not say what it takes for a pixel: {black:g} for black and {white:g} "
                "for white are assumed, and light ink on black"
            )
        return model
    return _find_out(path, make, images, progress)


def _choose_reader(
    path: Path, recipe: Recipe | None, images: Split | None
) -> tuple[Callable[[bytes, Pixels | None], Found], str]:
    """Return what reads a file, and the program that it is from."""
    if recipe is not None:
        size = (28, 28) if images is None else (images.images.shape[1], images.images.shape[2])
        return lambda raw, pixels: read_torch(raw, recipe, size, pixels), "PyTorch"
    return (read_onnx, "ONNX") if path.suffix.lower() == ".onnx" else (read_keras, "Keras")


def _is_ours(raw: bytes) -> bool:
    try:
        return "inkwise_version" in read_metadata(raw)
    except ModelError:
        return False


def _find_out(
    path: Path, make: Callable[[Pixels | None], Model], images: Split, progress: Progress
) -> Model:
    """Return the model whose pixels give the smallest loss on some of the images."""
    places = np.random.default_rng(0).permutation(len(images))[:_IMAGES]
    labels = images.labels[places]
    best: tuple[float, float, Model] | None = None
    for pixels in USUAL_PIXELS:
        model = make(pixels)
        size = model.network.image_size
        if model.network.classes <= labels.max() or images.images.shape[1:] != size:
            raise ModelError(
                f"{path} tells {model.network.classes} classes apart on images of "
                f"{size[0]}×{size[1]}, which the images are not: say what it takes for pixels"
            )
        probabilities = model.predict_proba(images.images[places])
        right = float((probabilities.argmax(axis=1) == labels).mean())
        own = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
        loss = float(-np.log(own).mean())
        if best is None or loss < best[0]:
            best = loss, right, model
    if best is None or best[1] < _LEAST or not math.isfinite(best[0]):
        found = 0.0 if best is None else best[1]
        raise ModelError(
            f"{path} is right on no more than {found:.1%} of {len(labels):,} training images, "
            "whatever usual values it is given for black and white: say what it takes for pixels, "
            "or check the order of its classes"
        )
    _, right, model = best
    black, white = model.provenance["imported"]["pixels"]
    progress.notice(
        f"{path} takes {black:.4g} for a black and {white:.4g} for a white pixel: with these it is "
        f"right on {right:.1%} of {len(labels):,} training images, and has the smallest loss"
    )
    return model
