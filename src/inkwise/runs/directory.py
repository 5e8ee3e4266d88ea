"""The run directory: the files that one training writes, and reading them back."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.several_pieces import keeps_together
from inkwise.data.splits import Holdout, Splits, split_dataset
from inkwise.errors import DataError, InkwiseError, RunError
from inkwise.evaluation.results import SCHEMA as METRICS_SCHEMA
from inkwise.evaluation.results import Evaluation
from inkwise.evaluation.slices import SCHEMA as SLICES_SCHEMA
from inkwise.evaluation.slices import Findings
from inkwise.model import Model
from inkwise.model.saving import DOCUMENT_FILE
from inkwise.runs.documents import (
    FORMS,
    GAINS_SCHEMA,
    ROBUSTNESS_SCHEMA,
    RUN_SCHEMA,
    has_form,
)
from inkwise.runs.gains import Gain
from inkwise.runs.predictions import read_predictions, write_predictions
from inkwise.runs.seen_images import hash_images, read_seen, write_seen
from inkwise.runs.shown_images import ShownImages
from inkwise.system.files import read_bytes, storage, write_bytes, write_json
from inkwise.system.folders import claim_folder, claim_next, file_name
from inkwise.system.shown import html_table
from inkwise.training.history import Epoch, read_history, show_history, write_history
from inkwise.training.recipe import Recipe

RECIPE_SCHEMA = "inkwise-recipe/1"
DEFAULT_PARENT = Path("runs")
CHECKPOINT_FILE = "checkpoint.safetensors"
LABELS_FILE = "labels.csv"
SEEN_FILE = "seen.npy"

_ABOUT_THE_MODEL = (
    *(f"{name}*.json" for name in ("metrics", "slices", "gains", "robustness")),
    *("predictions*.csv", "pictures.npz", "report.html"),
    *("figures/*.png", "figures/*.svg"),
)
"""Patterns of the files that hold evaluations of the model."""

UNFINISHED, INTERRUPTED, COMPLETE = "unfinished", "interrupted", "complete"

NO_ENGINE = "none"
"""The engine of a run that no training wrote."""


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Describe, as JSON values, a data set so that it can be found again."""
    return {
        "name": dataset.name,
        "title": dataset.title,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "class_names": list(dataset.class_names),
        **({"together": True} if keeps_together(dataset) else {}),
    }


def describe_drawn(splits: Splits, enlarged: Splits) -> dict[str, Any] | None:
    """Describe, as JSON values, the digits drawn by pens in enlarged splits; None if none were."""
    if len(enlarged.train) == len(splits.train):
        return None
    return {
        "train": len(enlarged.train) - len(splits.train),
        "validation": len(enlarged.validation) - len(splits.validation),
        "sha256": enlarged.train.sha256,
    }


class Run:
    """The directory of one training, or of the evaluation of a model that came from elsewhere.

    Parameters
    ----------
    path : path-like
        Directory of an existing run.

    Raises
    ------
    RunError
        There is no run at `path`.

    Examples
    --------
    >>> import inkwise
    >>> run = inkwise.Run("runs/small")
    >>> run.recipe.name, run.status, len(run.history)
    ('case-study', 'complete', 1)
    >>> run.model.class_names
    ('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        # The evaluation that was read or written last, and the file that it is in.
        self._evaluated: tuple[tuple[int, ...], Evaluation] | None = None
        with storage(self.path, "read"):
            found = (self.path / "run.json").is_file()
        if not found:
            if self.path.is_file() or (self.path / DOCUMENT_FILE).is_file():
                raise RunError(
                    f"{self.path} is a model and no run, which knows its data: make one by "
                    f"`inkwise evaluate {self.path} --dataset NAME` (or --data PATH), and name that"
                )
            raise RunError(
                f"there is no run at {self.path}: name a directory that `inkwise train` wrote"
            )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        record, history = self.record, self.history
        rows = [
            ("status", record["status"]),
            ("recipe", self.recipe.name) if self.trained else ("model", self.origin),
            ("data set", record["dataset"]["title"]),
            ("notices", *record["notices"]) if record["notices"] else (),
            ("report", self.report_path) if self.report_path.exists() else (),
        ]
        shown = html_table(str(self.path), filter(None, rows)) + show_history("History", history)
        evaluated = (self.path / "predictions.csv").exists()
        return shown + self.evaluation._repr_html_() if evaluated else shown

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str] | None,
        recipe: Recipe,
        dataset: Dataset,
        splits: Splits,
        notices: list[str],
        machine: Mapping[str, Any],
        engine: str,
        corrections: LabelCorrections | None = None,
        enlarged: Splits | None = None,
        start: Mapping[str, Any] | None = None,
        seen: NDArray[np.uint64] | None = None,
    ) -> "Run":
        """Start a run directory.

        Parameters
        ----------
        path : path-like or None
            A directory that does not exist yet or is empty; None takes the next free name under
            ``runs/``.
        recipe : Recipe
            The recipe to train by.
        dataset : Dataset
            The data set to train on.
        splits : Splits
            Its splits.
        notices : list of str
            Notices that the user got about the choice of data or epochs.
        machine : mapping
            The machine and the versions of the libraries, as JSON values.
        engine : str
            The library that trains: ``torch`` or ``keras``.
        corrections : LabelCorrections, optional
            The label corrections that were applied to `splits`; the run keeps a copy.
        enlarged : Splits, optional
            `splits` with the digits that were drawn by pens, if any were.
        start : mapping, optional
            What the training goes on from, as JSON values; see `inkwise.runs.starts`.
        seen : ndarray of uint64, optional
            Hashes of the images that the model to start from has learned from.

        Returns
        -------
        Run

        Raises
        ------
        ArgumentError
            The directory is not empty.
        StorageError
            The directory cannot be written.
        """
        folder = _claim(path, recipe.name, dataset)
        if corrections is not None:
            write_bytes(folder / LABELS_FILE, corrections.content)
        write_seen(folder / SEEN_FILE, splits, seen)
        _write_recipe(folder, recipe)
        described = {
            "drawn": enlarged and describe_drawn(splits, enlarged),
            "labels": corrections and corrections.describe(),
            "start": start,
            "engine": engine,
        }
        _write_record(folder, UNFINISHED, dataset, splits, notices, machine, described)
        return cls(folder)

    @classmethod
    def of_model(
        cls,
        path: str | os.PathLike[str] | None,
        model: Model,
        origin: str,
        dataset: Dataset,
        notices: list[str],
        machine: Mapping[str, Any],
    ) -> "Run":
        """Start the directory of a model that no training wrote here, to be evaluated.

        It has neither recipe nor history.

        Parameters
        ----------
        path, machine
            As for `create`.
        model : Model
        origin : str
            Name of the model.
        dataset : Dataset
            The data set to evaluate it on.
        notices : list of str
            What the user should know about the model or the data.

        Returns
        -------
        Run

        Raises
        ------
        ArgumentError, StorageError
            As from `create`.
        DataError
            There are too few images to set some apart for validation.
        """
        splits = split_dataset(dataset, *_USUAL_DIVISION)
        folder = _claim(path, origin, dataset)
        described = {"labels": None, "engine": NO_ENGINE, "model": origin}
        _write_record(folder, COMPLETE, dataset, splits, notices, machine, described)
        run = cls(folder)
        run.save_model(model)
        return run

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``run.json``: status, data set, split sizes, notices, engine, machine."""
        return self._read_own("run.json", RUN_SCHEMA)

    @property
    def start(self) -> dict[str, Any] | None:
        """What ``run.json`` says of the model that the training went on from, if it did."""
        return self.record.get("start")

    @property
    def status(self) -> str:
        """``complete``, ``interrupted`` by the user, or ``unfinished``: running or crashed."""
        return str(self.record["status"])

    def set_status(self, status: str) -> None:
        """Record the status of the run."""
        write_json(self.path / "run.json", {**self.record, "status": status})

    @property
    def trained(self) -> bool:
        """Whether a training wrote the run; otherwise it has neither recipe nor history."""
        return bool(self.record["engine"] != NO_ENGINE)

    @property
    def origin(self) -> str:
        """Name of the recipe or, if no training wrote the run, of the model that it is about."""
        return self.recipe.name if self.trained else str(self.record.get("model", "model"))

    @property
    def positive(self) -> str:
        """The positive class, if the run was trained for a binary task; else empty."""
        return self.recipe.positive if self.trained else ""

    def task(self, dataset: Dataset) -> Dataset:
        """Return a data set as the task of the run, as `Recipe.task` does, also for the errors."""
        return self.recipe.task(dataset) if self.trained else dataset

    @property
    def division(self) -> tuple[Holdout, int]:
        """How validation images are set apart from the data set, and the seed of the draw."""
        return (self.recipe.holdout, self.recipe.seed) if self.trained else _USUAL_DIVISION

    @property
    def recipe(self) -> Recipe:
        """The recipe that the run was trained by.

        Raises
        ------
        RunError
            It is missing or damaged, or no training wrote the run.
        """
        if not self.trained:
            raise RunError(
                f"{self.path} is about a model from elsewhere, which was evaluated here and not "
                "trained: it has no recipe"
            )
        document = self._read_own("recipe.json", RECIPE_SCHEMA)
        return Recipe.from_dict({key: document[key] for key in document if key != "schema"})

    def save_recipe(self, recipe: Recipe) -> None:
        """Replace the recipe by one with more epochs."""
        _write_recipe(self.path, recipe)

    @property
    def corrections(self) -> LabelCorrections | None:
        """The label corrections that the run was trained with, or None if there are none.

        Raises
        ------
        RunError
            Their file is missing or has changed.
        """
        record = self.record.get("labels")
        if record is None:
            return None
        path = self.path / LABELS_FILE
        if not path.exists():
            raise RunError(
                f"{path}, with the labels that the run was trained on, is missing: train again"
            )
        corrections = LabelCorrections.read(path)
        if corrections.sha256 != record["sha256"]:
            raise RunError(f"{path} has changed since the run was trained on it: train again")
        return corrections

    def has_seen(self, images: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """Return which images, uint8 (N, H, W), the run was trained or validated on.

        Returns
        -------
        ndarray of bool, shape (N,), or None
            None if an earlier version trained the run, which did not record its images.

        Raises
        ------
        RunError
            The record is damaged.
        """
        path = self.path / SEEN_FILE
        return np.isin(hash_images(images), read_seen(path)) if path.exists() else None

    @property
    def history(self) -> list[Epoch]:
        """The finished epochs, in order."""
        path = self.path / "history.csv"
        return read_history(path) if path.exists() else []

    @property
    def model(self) -> Model:
        """The model as of the last finished epoch; every access reads it from its files."""
        return Model.load(self.path / "model")

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of ``metrics.json``, or None before the test split was evaluated."""
        advice = f"run `inkwise evaluate {self.path}` again"
        return self.read_document("metrics.json", METRICS_SCHEMA, advice)

    @property
    def report_path(self) -> Path:
        """Path of the report, which need not exist yet."""
        return self.path / "report.html"

    @property
    def figures_path(self) -> Path:
        """The directory of the figures."""
        return self.path / "figures"

    def save_model(self, model: Model) -> None:
        """Write the model, replacing an earlier one."""
        model.save(self.path / "model")

    def discard_evaluations(self) -> None:
        """Remove all that was found out about the model: it is about to be another one."""
        with storage(self.path, "write to"):
            for pattern in _ABOUT_THE_MODEL:
                for path in self.path.glob(pattern):
                    path.unlink(missing_ok=True)

    def save_history(self, history: list[Epoch]) -> None:
        """Write the finished epochs."""
        write_history(self.path / "history.csv", history)

    def save_checkpoint(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Write the state that is needed to resume the training."""
        import safetensors.numpy

        arrays = {name: np.asarray(array, order="C") for name, array in state.items()}
        write_bytes(self.path / CHECKPOINT_FILE, safetensors.numpy.save(arrays))

    def load_checkpoint(self) -> dict[str, NDArray[Any]]:
        """Read what `save_checkpoint` wrote.

        Raises
        ------
        RunError
            There is no checkpoint, or it is damaged.
        """
        import safetensors.numpy

        path = self.path / CHECKPOINT_FILE
        if not path.exists():
            raise RunError(
                f"{self.path} has no checkpoint to resume from: train again, or go on from its "
                f"model with `inkwise train --from {self.path}`"
            )
        try:
            return safetensors.numpy.load(read_bytes(path))
        except (
            Exception
        ) as error:  # safetensors raises its own errors, and KeyError for an unknown dtype
            if isinstance(error, InkwiseError):
                raise
            raise RunError(f"{path} is damaged: train again ({error})") from error

    def owns(self, evaluation: Evaluation) -> bool:
        """Return whether this is the evaluation of the run's own test split."""
        own = (self.record["dataset"]["name"], "test")
        return (evaluation.dataset, evaluation.split) == own

    def save_evaluation(
        self, evaluation: Evaluation, corrections: LabelCorrections | None = None
    ) -> Path:
        """Write the metrics and predictions of an evaluation; return the path of the metrics.

        Those of the run's own test split are written to ``metrics.json`` and ``predictions.csv``,
        those of any other to files with the data set and the split in their names. If labels were
        corrected, the metrics record which file the corrections came from.
        """
        suffix = self._suffix(evaluation)
        predictions = write_predictions(self.path / f"predictions{suffix}.csv", evaluation)
        if self.owns(evaluation):
            self._evaluated = _identity(predictions), evaluation
        document = evaluation.to_dict()
        if corrections is not None:
            document["corrected"] = {**document["corrected"], "labels": corrections.describe()}
        return write_json(self.path / f"metrics{suffix}.json", document)

    def save_slices(self, findings: Findings, evaluation: Evaluation) -> Path:
        """Write what the mistakes of an evaluation have in common, and return the path.

        The file is named as in `save_evaluation`.
        """
        return write_json(self.slices_path(evaluation), findings.to_dict())

    def slices(self, evaluation: Evaluation) -> dict[str, Any] | None:
        """Return what `save_slices` wrote, or None if there is no such file."""
        advice = f"run `inkwise evaluate {self.path}` again"
        return self.read_document(self.slices_path(evaluation).name, SLICES_SCHEMA, advice)

    def slices_path(self, evaluation: Evaluation) -> Path:
        """Return the path of the file that `save_slices` writes for an evaluation."""
        return self.path / f"slices{self._suffix(evaluation)}.json"

    def _suffix(self, evaluation: Evaluation) -> str:
        if self.owns(evaluation):
            return ""
        return f"-{file_name(evaluation.dataset)}-{evaluation.split}"

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation of the run's own test split, read back from ``predictions.csv``.

        Raises
        ------
        RunError
            The test split has not been evaluated yet, or the file is damaged.
        """
        path, record = self.path / "predictions.csv", self.record
        if not path.exists():
            raise RunError(
                f"{self.path} has no predictions yet: run `inkwise evaluate {self.path}`"
            )
        identity = _identity(path)
        if self._evaluated is None or self._evaluated[0] != identity:
            try:
                evaluation = read_predictions(
                    path,
                    record["dataset"]["name"],
                    tuple(record["dataset"]["class_names"]),
                    record["splits"]["test"],
                )
            except DataError as error:
                raise RunError(
                    f"{path} is damaged: run `inkwise evaluate {self.path}` again"
                ) from error
            self._evaluated = identity, evaluation
        return self._evaluated[1]

    def save_gains(self, gains: Sequence[Gain]) -> Path:
        """Write the mistakes before and after a training that went on from a model."""
        tests = [dataclasses.asdict(gain) for gain in gains]
        return write_json(self.path / "gains.json", {"schema": GAINS_SCHEMA, "tests": tests})

    @property
    def gains(self) -> list[Gain]:
        """The mistakes before and after a training that went on from a model; else none.

        Raises
        ------
        RunError
            The file is damaged.
        """
        document = self.read_document("gains.json", GAINS_SCHEMA)
        keys = [field.name for field in dataclasses.fields(Gain)]
        tests = [] if document is None else document["tests"]
        return [Gain(**{key: test[key] for key in keys}) for test in tests]

    @property
    def robustness(self) -> dict[str, Any] | None:
        """The content of ``robustness.json``, or None if robustness was not measured."""
        advice = f"run `inkwise robustness {self.path}` again"
        return self.read_document("robustness.json", ROBUSTNESS_SCHEMA, advice)

    def save_pictures(self, pictures: ShownImages) -> None:
        """Store the images that the report shows, so that it does not need the data set."""
        pictures.save(self.path / "pictures.npz")

    @property
    def pictures(self) -> ShownImages:
        """The images that the report shows.

        Raises
        ------
        RunError
            The file of images is missing or damaged.
        """
        path = self.path / "pictures.npz"
        advice = f"run `inkwise evaluate {self.path}` again"
        if not path.exists():
            raise RunError(f"{path} is missing: {advice}")
        try:
            return ShownImages.load(path)
        except DataError as error:
            raise RunError(f"{path} is damaged: {advice}") from error

    def read_document(
        self, name: str, schema: str, advice: str = "train again"
    ) -> dict[str, Any] | None:
        """Read a JSON document of the run.

        Parameters
        ----------
        name : str
            Name of the file.
        schema : str
            Schema that the document must have, and by which its form is known; see
            `inkwise.runs.documents`.
        advice : str
            What to do if the file is damaged, as the end of the error message.

        Returns
        -------
        dict or None
            The document, or None if the run has no such file.

        Raises
        ------
        RunError
            The file is damaged, or has another schema or form.
        """
        path = self.path / name
        if not path.exists():
            return None
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(read_bytes(path))
            if (
                has_form(document, {"schema": str})
                and document["schema"] == schema
                and has_form(document, FORMS.get(schema, {}))
            ):
                return document
        raise RunError(f"{path} is damaged or from another version: {advice}")

    def _read_own(self, name: str, schema: str) -> dict[str, Any]:
        """Read a document that every run has."""
        document = self.read_document(name, schema)
        if document is None:
            raise RunError(f"{self.path / name} is missing: train again")
        return document


_USUAL_DIVISION = Holdout(), 0


def _claim(path: str | os.PathLike[str] | None, name: str, dataset: Dataset) -> Path:
    """Return a new directory, by default under ``runs/``."""
    if path is not None:
        return claim_folder(path)
    return claim_next(DEFAULT_PARENT, f"{file_name(name)}-{file_name(dataset.name)}")


def _write_record(
    folder: Path,
    status: str,
    dataset: Dataset,
    splits: Splits,
    notices: list[str],
    machine: Mapping[str, Any],
    described: Mapping[str, Any],
) -> None:
    write_json(
        folder / "run.json",
        {
            "schema": RUN_SCHEMA,
            "status": status,
            "dataset": {
                **describe_dataset(dataset),
                "test_sha256": splits.test.sha256,
                "test_images_sha256": splits.test.images_sha256,
            },
            "splits": {
                "train": len(splits.train),
                "validation": len(splits.validation),
                "test": len(splits.test),
            },
            "notices": notices,
            "machine": dict(machine),
            **described,
        },
    )


def _write_recipe(folder: Path, recipe: Recipe) -> None:
    write_json(folder / "recipe.json", {"schema": RECIPE_SCHEMA, **recipe.to_dict()})


def _identity(path: Path) -> tuple[int, ...]:
    """Return what is different once a file has been written again."""
    with storage(path, "read"):
        found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
