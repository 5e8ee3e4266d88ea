"""How commands read the files that are fuzzed."""

import contextlib
import functools
import hashlib
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import safetensors.numpy
import torch
from fuzz_seeds import IDX, IMAGES, LAYERS, digits

import inkwise
from inkwise.cli.info import info
from inkwise.data.label_corrections import LabelCorrections
from inkwise.errors import InkwiseError
from inkwise.evaluation import intervals
from inkwise.explanation.neighbours import Neighbours
from inkwise.ink import image_files
from inkwise.ink.sources import find_sources_of
from inkwise.networks.as_torch import build
from inkwise.report import html
from inkwise.report.notebook import write_notebook
from inkwise.runs.directory import Run
from inkwise.training.loop import Training


def read_pictures(path: Path) -> None:
    """Read each picture of a file as `inkwise predict` does before the network."""
    for source in find_sources_of(path, path.name)[:4]:
        if isinstance(source.picture, InkwiseError):
            continue
        with contextlib.suppress(inkwise.errors.NoInkError):
            inkwise.ink.normalise(source.picture)


def read_small_pages(path: Path) -> None:
    """Read the pages of a PDF, drawn a sixteenth as large as `inkwise predict` draws them.

    Nearly all time goes into the pixels of a page, and what is damaged is the PDF.
    """
    with mock.patch.object(image_files, "_PDF_SIDE", 400):
        read_pictures(path)


def read_data(path: Path) -> None:
    """Read a data set as the option ``--data`` does."""
    inkwise.load_data(path)


def read_idx_folder(path: Path) -> None:
    """Read a folder with this file of images, or of labels, beside three that are whole.

    Raises
    ------
    InkwiseError
        It is read neither as images nor as labels, neither as data of one's own nor as MNIST.
    """
    refused: list[InkwiseError] = []
    readers: tuple[Callable[[str], object], ...] = (inkwise.load_data, _load_mnist)
    for name, read in itertools.product(IDX, readers):
        with tempfile.TemporaryDirectory() as folder:
            for other, content in IDX.items():
                Path(folder, other).write_bytes(path.read_bytes() if other == name else content)
                Path(folder, other.replace("train", "t10k")).write_bytes(content)
            try:
                read(folder)
            except InkwiseError as error:
                refused.append(error)
    if len(refused) == 2 * len(IDX):
        raise refused[0]


def _load_mnist(folder: str) -> inkwise.Dataset:
    return inkwise.load_dataset("auto", folder)


def read_decisions(path: Path) -> None:
    """Read label decisions as the option ``--labels`` does."""
    LabelCorrections.read(path).apply(digits())


def read_run(path: Path) -> None:
    """Read what `info` shows of a run, and all else."""
    with mock.patch.object(intervals, "RESAMPLES", 20):  # of figures, whose files are read before
        info(_run_around(path))
    read_rest(path)


def read_rest(path: Path) -> None:
    """Read a run's files, the way that `report` and `evaluate` do."""
    run = Run(_run_around(path))
    evaluation = run.evaluation
    _ = run.status, run.history, run.pictures, run.corrections, run.robustness, run.metrics
    _ = run.slices(evaluation), run.has_seen(IMAGES)


def _run_around(path: Path) -> Path:
    return next(parent for parent in path.parents if (parent / "recipe.json").exists())


def write_report(path: Path) -> None:
    """Write the report and the notebook of a run, whose figures are there already."""
    place = _run_around(path)
    with (
        mock.patch.object(html, "SecondProcess"),
        mock.patch.object(html, "draw_evaluation"),
    ):
        html.write_report(place)
        write_notebook(place)


def read_checkpoint(path: Path) -> None:
    """Restore a training from a checkpoint, as `inkwise resume` does."""
    run = Run(path.parent)
    state = run.load_checkpoint()
    few = digits().train.take(np.arange(run.record["splits"]["train"]))
    network = run.recipe.describe_network(digits().image_size, 10)
    training = Training(build(network), few, few, run.recipe)
    training.restore({name: torch.from_numpy(value) for name, value in state.items()})


def read_onnx(path: Path) -> None:
    """Read a model from an ONNX file alone, and predict."""
    inkwise.Model.from_onnx(path.read_bytes()).predict_proba(digits().test.images[:2])


def read_model(path: Path) -> None:
    """Load the model of a folder, and predict."""
    inkwise.Model.load(path.parent).predict_proba(digits().test.images[:2])


def read_signed(path: Path) -> None:
    """Load a model whose description a forger has changed."""
    content = path.read_bytes()
    if content.startswith(b"signed"):
        document = None
        with contextlib.suppress(ValueError):
            document = json.loads(content.removeprefix(b"signed"))
        if isinstance(document, dict):
            document.pop("weights_sha256", None)
            weights = path.with_name("weights.safetensors")
            old = weights.read_bytes()
            canonical = json.dumps(document, sort_keys=True, ensure_ascii=False).encode(
                "utf-8", "backslashreplace"
            )
            raw = safetensors.numpy.save(
                safetensors.numpy.load(old),
                {"model_json_sha256": hashlib.sha256(canonical).hexdigest()},
            )
            document["weights_sha256"] = hashlib.sha256(raw).hexdigest()
            path.write_text(json.dumps(document))
            weights.write_bytes(raw)
            try:
                read_model(path)
            finally:
                weights.write_bytes(old)
            return
    read_model(path)


def read_neighbours(path: Path) -> None:
    """Find the nearest images among those that a run keeps."""
    model, near = _model(path.parent), Neighbours.load(path)
    if near.belong_to(model):
        near.nearest(model, digits().test.images[0])


@functools.cache
def _model(run: Path) -> inkwise.Model:
    return Run(run).model


def read_keras(path: Path) -> None:
    """Import a model of Keras, and predict."""
    inkwise.import_model(path).predict_proba(digits().test.images[:2])


def read_their_onnx(path: Path) -> None:
    """Import an ONNX file of another program, and predict."""
    inkwise.import_model(path).predict_proba(digits().test.images[:2])


def read_state_dictionary(path: Path) -> None:
    """Import a state dictionary for the network of a recipe, and predict."""
    recipe = inkwise.get_recipe("case-study", network=LAYERS)
    inkwise.import_model(path, recipe=recipe).predict_proba(digits().test.images[:2])
