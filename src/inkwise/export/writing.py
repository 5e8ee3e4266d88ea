"""Writing a model for other programs."""

import dataclasses
import os
from pathlib import Path

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, RunError
from inkwise.model import Model
from inkwise.runs.directory import Run
from inkwise.runs.models import find_model
from inkwise.runs.original_data import load_original_splits
from inkwise.system.extras import require_training
from inkwise.system.files import write_bytes
from inkwise.system.folders import file_name
from inkwise.training.calibrating import calibrate

SUFFIXES = {
    "onnx": ".onnx",
    "onnx-int8": ".int8.onnx",
    "keras": ".keras",
    "h5": ".h5",
    "torchscript": ".pt",
}
"""Formats by name, and how their files' names end."""

SINGLE_LOOK = 2.0
"""Angle of a single look, in degrees: turning softens edges, as it did those of training images.

An upright stroke with edges as sharp as pixels is foreign to a network that never saw one."""

_TURNING = ("onnx", "torchscript")
"""Formats that hold models which turn images before they look at them."""


def export_model(
    model: Model | str | os.PathLike[str],
    file_format: str,
    output: str | os.PathLike[str] | None = None,
    *,
    once: bool = False,
    dataset: Dataset | None = None,
) -> Path:
    """Write a model for another program, which gets the same probabilities within 1e-5.

    But for ``onnx-int8``, which is faster and rounds: see `inkwise.export.int8.int8_bytes`; and
    but for `once`.

    Parameters
    ----------
    model : Model or path-like
        A model, or a run or a model directory.
    file_format : {"onnx", "onnx-int8", "keras", "h5", "torchscript"}
        ``onnx``, ``onnx-int8`` and ``torchscript`` take grey levels, uint8 (N, H, W), light ink
        on a black ground, and hold the class names. ``onnx-int8`` needs a run,
        for its training images. ``keras`` and ``h5`` are a compiled
        ``keras.Sequential`` that takes float32 (N, H, W, 1) in [0, 1], and one-hot labels for
        ``evaluate``; they need Keras. All return probabilities, float32 (N, classes).
    output : path-like, optional
        The file, which is replaced if it exists; by default `default_name` here.
    once : bool
        Let a model that looks at an image at several angles look once, at `SINGLE_LOOK`, which
        is faster and a little less accurate; it is calibrated anew. This needs a run. Keras'
        formats and ``onnx-int8`` hold no model that turns images:
        there the single look is a straight one.
    dataset : Dataset, optional
        For a run on images of your own, where its images are needed: those it was trained on.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ArgumentError
        There is no such format, the file's name ends like another format's, or the format does
        not hold such a model.
    LibraryError
        A library that the format takes is not installed.
    ModelError, RunError
        There is no model, or it is damaged; for ``onnx-int8`` and `once`, there is no run, or
        what it was trained on is not to be had.
    DataError
        The same, of files that are missing or damaged.
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
            f"{output} is named like another format than {file_format}: let it end in {suffix}"
        )
    if file_format in ("onnx-int8", "torchscript"):
        require_training(f"exporting as {file_format}")
    source = model
    if not isinstance(model, Model):
        model = find_model(model)
    if once and any(model.rotations):
        run = _run(source, "looking once")
        angle = SINGLE_LOOK if file_format in _TURNING else 0.0
        model = dataclasses.replace(model, rotations=(angle,))
        if run.recipe.calibrate:
            model = calibrate(model, load_original_splits(run, dataset).validation)
    if any(model.rotations) and file_format not in _TURNING:
        raise ArgumentError(
            f"{file_format} holds no model that turns images: let it look once (--once), or write "
            "onnx or torchscript"
        )
    path = Path(default_name(model) + suffix if output is None else output)
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


def _run(source: Model | str | os.PathLike[str], what: str) -> Run:
    if isinstance(source, Model) or not (Path(source) / "run.json").is_file():
        raise RunError(
            f"{what} is calibrated on the run's own images: name the directory of a run that "
            f"`inkwise train` wrote{'' if isinstance(source, Model) else f', not {source}'}"
        )
    return Run(source)


def default_name(model: Model) -> str:
    """Return what to call a model's file, without its suffix.

    Named after data set and recipe, ``mnist_swift_model``; the case study's network is called
    ``cnn`` there, ``mnist_cnn_model``. An imported model keeps the name of its file.
    """
    provenance = model.provenance
    try:
        if "imported" in provenance:
            return file_name(Path(provenance["imported"]["file"]).stem)
        recipe, dataset = provenance["recipe"]["name"], provenance["dataset"]["name"]
        return file_name(f"{dataset}_{'cnn' if recipe == 'case-study' else recipe}_model")
    except (KeyError, TypeError):  # made in Python, where provenance is whatever one likes
        return "model"
