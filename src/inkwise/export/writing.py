"""Export of a model for other programs."""

import dataclasses
import os
from pathlib import Path

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.export.from_keras import ZIP_MAGIC
from inkwise.export.from_torch import is_torch
from inkwise.export.hdf5 import MAGIC
from inkwise.model import Model
from inkwise.model.saving import is_ours
from inkwise.runs.directory import Run
from inkwise.runs.models import find_model, is_run
from inkwise.runs.original_data import load_original_splits, load_training_splits
from inkwise.system.extras import require_training
from inkwise.system.files import read_bytes, storage, write_bytes
from inkwise.system.folders import file_name
from inkwise.training.calibrating import calibrate

SUFFIXES = {
    "onnx": ".onnx",
    "onnx-int8": ".int8.onnx",
    "keras": ".keras",
    "h5": ".h5",
    "torchscript": ".pt",
    "web": "_page",
}
"""The name of each format, and the suffix of its files; a page is a folder."""

SINGLE_ROTATION = 2.0
"""Angle, in degrees, by which images are rotated if a model sees them at one angle only.

A rotation softens edges by interpolation. Data augmentation did so to the training images, and
edges as sharp as pixels would be out-of-distribution for the network.
"""

_ROTATING = ("onnx", "torchscript", "web")
"""Formats of models that may rotate images before the network sees them."""


def export_model(
    model: Model | str | os.PathLike[str],
    file_format: str,
    output: str | os.PathLike[str] | None = None,
    *,
    once: bool = False,
    dataset: Dataset | None = None,
) -> Path:
    """Write a model as a file for another program, which gets the same probabilities within 1e-5.

    Or write it with the page that one draws on as a site, which needs no server but one of files.

    Two exceptions give other probabilities: ``onnx-int8``, which is faster and less precise (see
    `inkwise.export.int8.int8_bytes`), and `once`.

    Parameters
    ----------
    model : Model or path-like
        A model, or the directory of a run or of a model; ``pretrained`` is the package's model.
    file_format : {"onnx", "onnx-int8", "keras", "h5", "torchscript", "web"}
        ``onnx``, ``onnx-int8`` and ``torchscript`` take grey levels, uint8 (N, H, W), with light
        ink on a black background, and hold the class names. ``onnx-int8`` needs a run, because it
        is calibrated on training images. ``keras`` and ``h5`` hold a compiled
        ``keras.Sequential``, which takes float32 (N, H, W, 1) in [0, 1], and one-hot labels in
        ``evaluate``; writing them needs Keras. All these formats return probabilities, float32
        (N, classes). ``web`` is a folder with the page, see `inkwise.browser.site.write_site`;
        writing it needs the package inkwise-web.
    output : path-like, optional
        The file, which is replaced if it exists and has this format; by default `default_name`
        with the format's suffix, in the current directory.
    once : bool
        Whether to leave out test-time augmentation (our word for it is looks): the network sees
        an image once, rotated by `SINGLE_ROTATION`, and not at several angles. The model is faster
        and a little less accurate. It is calibrated again if the run's recipe calibrates models,
        so this needs a run. Keras' formats and ``onnx-int8`` cannot rotate images: there the
        single look has no rotation.
    dataset : Dataset, optional
        Your own data set, if the run was trained on one and its images are needed.

    Returns
    -------
    Path
        The file, or the folder of the page.

    Raises
    ------
    ArgumentError
        There is no such format, the file's name has another format's suffix, or the format cannot
        hold such a model; or the file exists and is of another kind.
    LibraryError
        A library that the format needs is not installed.
    ModelError, RunError
        The model is missing or damaged; or, for ``onnx-int8`` and `once`, there is no run, or its
        images are not available.
    DataError
        The files of the run's images are missing or damaged.
    StorageError
        The file cannot be written.

    Examples
    --------
    >>> import inkwise
    >>> inkwise.export_model("runs/small", "onnx", "small.onnx").name
    'small.onnx'
    >>> model = inkwise.Model.from_onnx(open("small.onnx", "rb").read())
    >>> model.class_names[0]
    '0'
    """
    if file_format not in SUFFIXES:
        raise ArgumentError(f"unknown format {file_format!r}: use {', '.join(SUFFIXES)}")
    suffix = SUFFIXES[file_format]
    own = Path(f"model{suffix}").suffix
    if output is not None and Path(output).suffix in set(SUFFIXES.values()) - {own}:
        raise ArgumentError(
            f"{output} has the suffix of another format than {file_format}: let it end in {suffix}"
        )
    if file_format in ("onnx-int8", "torchscript"):
        require_training(f"exporting as {file_format}")
    source = model
    if not isinstance(model, Model):
        model = find_model(model)
    if once and any(model.rotations):
        run = _run(source, "a single look")
        angle = SINGLE_ROTATION if file_format in _ROTATING else 0.0
        model = dataclasses.replace(model, rotations=(angle,))
        if run.recipe.calibrate:
            model = calibrate(model, load_training_splits(run, dataset)[1].validation)
    if any(model.rotations) and file_format not in _ROTATING:
        raise ArgumentError(
            f"{file_format} cannot hold a model that rotates images (test-time augmentation): "
            "leave the rotations out with --once, or write onnx or torchscript"
        )
    path = Path(default_name(model) + suffix if output is None else output)
    if file_format == "web":
        from inkwise.browser.site import write_site

        return write_site(model, path)
    _check_replaced(path, file_format)
    match file_format:
        case "onnx":
            content = model.onnx
        case "onnx-int8":
            from inkwise.export.int8 import int8_bytes

            content = int8_bytes(
                model, load_original_splits(_run(source, file_format), dataset).train
            )
        case "torchscript":
            from inkwise.export.torchscript import torchscript_bytes

            content = torchscript_bytes(model)
        case _:
            from inkwise.export.to_keras import keras_bytes

            content = keras_bytes(model, suffix)
    return write_bytes(path, content)


def _check_replaced(path: Path, file_format: str) -> None:
    """Refuse to replace a file of another kind, such as a photo, or notes."""
    with storage(path, "read"):
        content = read_bytes(path) if path.is_file() else b""
    match file_format:
        case "keras":
            same = content.startswith(ZIP_MAGIC) and not is_torch(content)
        case "h5":
            same = content.startswith(MAGIC)
        case "torchscript":
            same = is_torch(content)
        case _:
            same = is_ours(content)
    if content and not same:
        raise ArgumentError(
            f"{path} exists and is no earlier export as {file_format}: remove it, or name another "
            "file"
        )


def _run(source: Model | str | os.PathLike[str], what: str) -> Run:
    if isinstance(source, Model) or not is_run(source):
        raise RunError(
            f"{what} is calibrated on the run's own images: name the directory of a run that "
            f"`inkwise train` wrote{'' if isinstance(source, Model) else f', not {source}'}"
        )
    return Run(source)


def default_name(model: Model) -> str:
    """Return the name of a model's file, without its suffix.

    The name is made of the data set and the recipe, as ``mnist_swift_model``; the recipe of the
    case study is called ``cnn``, as in ``mnist_cnn_model``. An imported model keeps the name of
    its file. A model of unknown origin is called ``model``.
    """
    provenance = model.provenance
    try:
        if "imported" in provenance:
            return file_name(Path(provenance["imported"]["file"]).stem)
        recipe, dataset = provenance["recipe"]["name"], provenance["dataset"]["name"]
        return file_name(f"{dataset}_{'cnn' if recipe == 'case-study' else recipe}_model")
    except (KeyError, TypeError):  # a model made in Python may have any provenance
        return "model"
