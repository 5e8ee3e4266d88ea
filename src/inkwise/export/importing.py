"""Import of other people's models: from which file, and what they take for black and white."""

import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from inkwise.data.catalogue import load_dataset
from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError, ModelError
from inkwise.export.assembling import Pixels
from inkwise.export.from_keras import ZIP_MAGIC, read_keras
from inkwise.export.from_onnx import read_onnx
from inkwise.export.from_torch import is_torch, read_torch
from inkwise.export.hdf5 import MAGIC
from inkwise.export.imported import Found, explained, make_model
from inkwise.model import Model
from inkwise.model.saving import DOCUMENT_FILE, is_ours
from inkwise.runs.models import is_run
from inkwise.system.extras import require_training
from inkwise.system.file_kinds import recognise
from inkwise.system.files import read_bytes, storage
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
_CLEARLY = 0.9  # of the loss with the pixels that the user gave


def import_model(
    path: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    *,
    recipe: Recipe | None = None,
    pixels: Pixels | None = None,
    dataset: str | Dataset | None = None,
    progress: Progress = SILENT,
) -> Model:
    """Read a model that another program saved; no code from the file is run.

    A model of Keras may be sequential or functional, a chain of layers or with skips (two ways that
    begin at the same layer and end in an Add), with models in it. The layers may be convolutions
    (plain, with groups, dilated, depthwise and separable; with square kernels and equal strides),
    pooling of windows and of whole maps, dense layers, batch normalisation, dropout of values and
    of channels, Rescaling, Normalization, Flatten, Reshape, ZeroPadding2D before a convolution, and
    what augments images or adds noise in training, which is left out. The activations are those of
    `inkwise.networks.layers`, a leaky ReLU with any slope below 1, and at the end softmax, or
    sigmoid for a single unit, which becomes two classes. Inputs may be grey images with or without
    an axis for the channel, or flat. The same holds for ONNX files of other programs.

    Parameters
    ----------
    path : path-like
        The file: what Keras saved as ``.keras`` or ``.h5``; ``.onnx``, of inkwise or another
        program; or with a recipe a state dictionary of PyTorch.
    class_names : sequence of str, optional
        The names of the classes, in the order of the outputs; by default those in a file of
        inkwise, or those of the data set, or 0, 1, 2 and so on.
    recipe : Recipe, optional
        The recipe that describes the network, for the state dictionary of a PyTorch module. Which
        module of it belongs to which layer is told by their order and shapes.
    pixels : tuple of float, optional
        What the network takes for a black and for a white pixel: ``(0, 1)``, ``(0, 255)``,
        ``(-1, 1)``, or ``(1, 0)`` if it was trained on dark ink. The file does not say it: by
        default 0 and 1 are assumed, or 0 and 255 if the network scales its input down.
    dataset : str or Dataset, optional
        The data set that the network was trained on, or the name of one, to find that out: the
        `USUAL_PIXELS` with the smallest loss on 1,000 of its training images are taken. Given
        `pixels` are checked on them.
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
        `pixels` are not two different numbers; or a recipe or pixels are given for a file that
        needs none.
    ModelError
        The file is damaged, or has what is not supported; or the number of class names is not that
        of the outputs; or the model is not right on 70% of the images with the pixels, or with any
        of the usual ones.
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
    _refuse_folder(path)
    raw = read_bytes(path)
    data = load_dataset(dataset, progress=progress) if isinstance(dataset, str) else dataset
    read, program = _choose_reader(path, raw, recipe, data)
    if program == "ONNX" and is_ours(raw):
        if pixels is not None:
            raise ArgumentError(f"{path} is a file of inkwise, which knows its pixels: give none")
        model = Model.from_onnx(raw)
        names = model.class_names if class_names is None else tuple(class_names)
        return dataclasses.replace(model, class_names=names)
    if data is not None and class_names is None:
        class_names = data.class_names

    def make(taken: Pixels | None) -> Model:
        with explained(path, program):
            found = read(raw, taken)
        return make_model(path, raw, found, class_names)

    if recipe is not None:
        told = make(pixels).provenance["imported"]["torch"].items()
        matched = ", ".join(f"{layer} of {name}" for layer, name in told)
        progress.notice(f"By order and shapes, {matched.replace(' of', ' has the weights of', 1)}")
    if data is None:
        model = make(pixels)
        black, white = model.provenance["imported"]["pixels"]
        if pixels is None:
            progress.notice(
                f"{path} does not say what it takes for a pixel: {black:g} for black and {white:g} "
                "for white are assumed, and light ink on black"
            )
        return model
    return _find_out(path, make, pixels, data.train, progress)


def _refuse_folder(path: Path) -> None:
    with storage(path, "read"):
        folder = path.is_dir()
    if folder and (is_run(path) or (path / DOCUMENT_FILE).is_file()):
        raise ModelError(
            f"{path} is inkwise's already: name it as it is wherever a model is asked for"
        )
    if folder:
        raise ModelError(
            f"{path} is a folder: name a model's file; one that TensorFlow saved as a folder is to "
            "be saved in Keras with model.save('model.keras')"
        )


def _choose_reader(
    path: Path, raw: bytes, recipe: Recipe | None, data: Dataset | None
) -> tuple[Callable[[bytes, Pixels | None], Found], str]:
    """Return what reads a file, and the program that it is from."""
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        read, program = read_onnx, "ONNX"
    elif suffix in (".pt", ".pth") or is_torch(raw):
        if recipe is None:
            raise ModelError(
                f"cannot import {path}: it is a pickle, as PyTorch's .pt and .pth files are, and "
                "has no network: save model.state_dict(), and name the recipe that describes the "
                "network (--recipe mine.toml)"
            )
        size = (28, 28) if data is None else data.image_size
        return lambda raw, pixels: read_torch(raw, recipe, size, pixels), "PyTorch"
    elif raw.startswith((ZIP_MAGIC, MAGIC)):
        read, program = read_keras, "Keras"
    else:
        kind = recognise(raw)
        raise ModelError(
            f"cannot import {path}: it is {f'{kind}, ' if kind else ''}no model: give what Keras "
            "saved (.keras, .h5), an ONNX file with a name that ends in .onnx, or PyTorch's "
            "weights (.pt, .pth) with the recipe of their network"
        )
    if recipe is not None:
        raise ArgumentError(
            f"{path} describes its network itself: a recipe is for PyTorch's weights, leave it out"
        )
    return read, program


def _find_out(
    path: Path,
    make: Callable[[Pixels | None], Model],
    given: Pixels | None,
    images: Split,
    progress: Progress,
) -> Model:
    """Return the model of the given pixels, or of the usual ones with the smallest loss."""
    places = np.random.default_rng(0).permutation(len(images))[:_IMAGES]
    labels, count = images.labels[places], f"{len(places):,} training images"
    tried: list[tuple[float, float, Model]] = []
    for pixels in USUAL_PIXELS if given is None else (given, *USUAL_PIXELS):
        model = make(pixels)
        taken, size = (
            "×".join(map(str, it)) for it in (model.network.image_size, images.images.shape[1:])
        )
        if taken != size or model.network.classes <= labels.max():
            raise ModelError(
                f"{path} tells {model.network.classes} classes apart on images of {taken}, and the "
                f"data have {labels.max() + 1} classes, of {size}: name the data that it was "
                "trained on, or none"
            )
        probabilities = model.predict_proba(images.images[places])
        right = float((probabilities.argmax(axis=1) == labels).mean())
        own = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
        tried.append((float(np.nan_to_num(-np.log(own).mean(), nan=np.inf)), right, model))
    best = min(tried, key=lambda each: each[0])
    loss, right, model = best if given is None else tried[0]
    if right < _LEAST:
        tells = (
            "whatever usual values it is given for black and white: say what it takes for pixels"
            if given is None
            else f"with {_told(model)}: leave the pixels out to find them out"
        )
        raise ModelError(
            f"{path} is right on no more than {right:.1%} of {count}, {tells}, or check the order "
            "of its classes"
        )
    progress.notice(
        f"{path} takes {_told(model)}: with these it is right on {right:.1%} of {count}"
        + (", and has the smallest loss" if given is None else "")
    )
    if best[0] < _CLEARLY * loss:
        progress.notice(
            f"With {_told(best[2])} it would be right on {best[1]:.1%} of them, and have a smaller "
            "loss: leave the pixels out to take these"
        )
    return model


def _told(model: Model) -> str:
    black, white = model.provenance["imported"]["pixels"]
    return f"{black:.4g} for a black and {white:.4g} for a white pixel"
