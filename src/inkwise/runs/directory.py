"""The run directory: what one training wrote, where it stands, and reading it back."""

import contextlib
import csv
import dataclasses
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.label_corrections import LabelCorrections
from inkwise.data.dataset import Dataset
from inkwise.data.splits import Splits, split_dataset
from inkwise.errors import DataError, InkwiseError, ModelError, RunError, StorageError
from inkwise.evaluation.results import SCHEMA as METRICS_SCHEMA
from inkwise.evaluation.results import Evaluation
from inkwise.robustness.curves import SCHEMA as ROBUSTNESS_SCHEMA
from inkwise.robustness.curves import Robustness
from inkwise.evaluation.slices import SCHEMA as SLICES_SCHEMA
from inkwise.evaluation.slices import Findings
from inkwise.system.files import read_bytes, storage, write_bytes, write_csv, write_json
from inkwise.system.folders import claim_folder, claim_next, file_name
from inkwise.model import Model
from inkwise.model.saving import DOCUMENT_FILE
from inkwise.training.recipe import Recipe
from inkwise.training.history import Epoch, read_history, write_history

if TYPE_CHECKING:
    from inkwise.data.download import ProgressBar

SCHEMA = "inkwise-run/1"
RECIPE_SCHEMA = "inkwise-recipe/1"
DEFAULT_PARENT = Path("runs")
CHECKPOINT_FILE = "checkpoint.safetensors"
LABELS_FILE = "labels.csv"

UNFINISHED, INTERRUPTED, COMPLETE = "unfinished", "interrupted", "complete"


@dataclasses.dataclass(frozen=True, eq=False)
class ShownImages:
    """The images of a split that the report shows.

    Parameters
    ----------
    indices : ndarray of int64, shape (M,)
        Their places in the split, ascending.
    images : ndarray of uint8, shape (M, H, W)
    samples : ndarray of int64, shape (S,)
        Places of the random sample, in the order to show them.
    """

    indices: NDArray[np.int64]
    images: NDArray[np.uint8]
    samples: NDArray[np.int64]

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return the image at a place in the split; KeyError where it was not kept."""
        place = int(np.searchsorted(self.indices, index))
        if place == len(self.indices) or self.indices[place] != index:
            raise KeyError(index)
        return self.images[place]


class Run:
    """One training's directory.

    Parameters
    ----------
    path : path-like
        An existing run.

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
        with storage(self.path, "read"):
            found = (self.path / "run.json").is_file()
        if not found:
            raise RunError(
                f"there is no run at {self.path}: name a directory that `inkwise train` wrote"
            )

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

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
    ) -> "Run":
        """Start a run directory.

        Parameters
        ----------
        path : path-like or None
            A directory that does not exist yet or is empty; None takes the next free name under
            ``runs/``.
        recipe, dataset, splits
            What will be trained on what.
        notices : list of str
            What the user was told about the choice of data or epochs.
        machine : mapping
            Where, and with which libraries, as JSON values.
        engine : str
            What trains it.
        corrections : LabelCorrections, optional
            Those that `splits` went through; the run keeps a copy.

        Raises
        ------
        ArgumentError
            The directory holds something already.
        StorageError
            It cannot be written.
        """
        if path is None:
            name = f"{file_name(recipe.name)}-{file_name(dataset.name)}"
            folder = claim_next(DEFAULT_PARENT, name)
        else:
            folder = claim_folder(path)
        if corrections is not None:
            write_bytes(folder / LABELS_FILE, corrections.content)
        write_json(folder / "recipe.json", {"schema": RECIPE_SCHEMA, **recipe.to_dict()})
        write_json(
            folder / "run.json",
            {
                "schema": SCHEMA,
                "status": UNFINISHED,
                "dataset": {
                    "name": dataset.name,
                    "title": dataset.title,
                    "source": dataset.source,
                    "sha256": dataset.sha256,
                    "test_sha256": splits.test.sha256,
                    "class_names": list(dataset.class_names),
                },
                "splits": {
                    "train": len(splits.train),
                    "validation": len(splits.validation),
                    "test": len(splits.test),
                },
                "labels": corrections and corrections.describe(),
                "notices": notices,
                "engine": engine,
                "machine": dict(machine),
            },
        )
        return cls(folder)

    @property
    def record(self) -> dict[str, Any]:
        """The content of ``run.json``: status, data set, split sizes, notices, engine, machine."""
        return self._read_json("run.json", SCHEMA)

    @property
    def status(self) -> str:
        """``complete``, ``interrupted`` (by the user) or ``unfinished`` (under way, or died)."""
        return str(self.record["status"])

    def set_status(self, status: str) -> None:
        """Write down how far the run has come."""
        write_json(self.path / "run.json", {**self.record, "status": status})

    @property
    def recipe(self) -> Recipe:
        """The recipe that was followed."""
        document = self._read_json("recipe.json", RECIPE_SCHEMA)
        return Recipe.from_dict({key: document[key] for key in document if key != "schema"})

    @property
    def corrections(self) -> LabelCorrections | None:
        """The corrected labels that it was trained on, or None if on the labels as given.

        Raises
        ------
        RunError
            They are missing or are not those any more.
        """
        record = self.record.get("labels")
        if record is None:
            return None
        path = self.path / LABELS_FILE
        if not path.exists():
            raise RunError(f"{path} is missing, whose labels the run was trained on: train again")
        corrections = LabelCorrections.read(path)
        if corrections.sha256 != record["sha256"]:
            raise RunError(f"{path} has changed since the run was trained on it: train again")
        return corrections

    @property
    def history(self) -> list[Epoch]:
        """The epochs that were finished, in order."""
        path = self.path / "history.csv"
        return read_history(path) if path.exists() else []

    @property
    def model(self) -> Model:
        """The model as of the last finished epoch; reads it anew each time."""
        return Model.load(self.path / "model")

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of ``metrics.json``, or None before the test split was evaluated."""
        if not (self.path / "metrics.json").exists():
            return None
        advice = f"run `inkwise evaluate {self.path}` again"
        return self._read_json("metrics.json", METRICS_SCHEMA, advice)

    @property
    def report_path(self) -> Path:
        """Where the report stands or will stand."""
        return self.path / "report.html"

    @property
    def figures_path(self) -> Path:
        """The directory of the figures."""
        return self.path / "figures"

    def load_dataset(
        self,
        advice: str,
        data_dir: str | os.PathLike[str] | None = None,
        on_download: Callable[[str], "ProgressBar"] | None = None,
    ) -> Dataset:
        """Load the data set that the run was trained on; a folder of pictures from where it was.

        Parameters
        ----------
        advice : str
            What to do where it is not to be had; ends the message.
        data_dir : path-like, optional
            A folder with MNIST's four files; by default the one that the run was trained from.
        on_download : callable, optional
            Given a file's name, returns what draws its download.

        Raises
        ------
        RunError
            It is a user's own and no folder, or what is found has other content.
        DataError, StorageError
            The images are not to be had.
        """
        from inkwise.data.catalogue import DATASET_NAMES, load_dataset
        from inkwise.data.picture_folder import load_folder

        record = self.record["dataset"]
        if record["name"] in DATASET_NAMES:
            if data_dir is None:
                data_dir = _remembered_folder(record)
            dataset = load_dataset(record["name"], data_dir, on_download)
        else:
            own = f"{self.path} was trained on a data set of your own, {record['name']}: {advice}"
            if not Path(record["source"]).is_absolute():
                raise RunError(own)
            try:
                dataset = load_folder(record["source"])
            except (DataError, StorageError) as error:  # it is gone, or never was one
                raise RunError(own) from error
        self.check_dataset(dataset, advice)
        return dataset

    def load_splits(
        self,
        advice: str,
        dataset: Dataset | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        on_download: Callable[[str], "ProgressBar"] | None = None,
    ) -> Splits:
        """Load the data set that the run was trained on, or check a given one, and split it.

        Arguments and errors are those of `load_dataset`; `dataset` is a user's own.
        """
        if dataset is None:
            dataset = self.load_dataset(advice, data_dir, on_download)
        else:
            self.check_dataset(dataset, advice)
        recipe = self.recipe
        return split_dataset(dataset, recipe.holdout, recipe.seed)

    def check_dataset(self, dataset: Dataset, advice: str) -> None:
        """Raise `RunError`, ending in `advice`, if this is not what the run was trained on."""
        if dataset.sha256 != self.record["dataset"]["sha256"]:
            raise RunError(
                f"{dataset.name} from {dataset.source} is not the data that {self.path} was "
                f"trained on (its SHA-256 is another): {advice}"
            )

    def save_model(self, model: Model) -> None:
        """Write the model, in the place of an earlier one."""
        model.save(self.path / "model")

    def save_history(self, history: list[Epoch]) -> None:
        """Write the finished epochs."""
        write_history(self.path / "history.csv", history)

    def save_checkpoint(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Write what it takes to go on with the training."""
        import safetensors.numpy

        arrays = {name: np.asarray(array, order="C") for name, array in state.items()}
        write_bytes(self.path / CHECKPOINT_FILE, safetensors.numpy.save(arrays))

    def load_checkpoint(self) -> dict[str, NDArray[Any]]:
        """Read what `save_checkpoint` wrote.

        Raises
        ------
        RunError
            There is none, or it is damaged.
        """
        import safetensors.numpy

        path = self.path / CHECKPOINT_FILE
        if not path.exists():
            raise RunError(f"{self.path} has no checkpoint to go on from: train again")
        try:
            return safetensors.numpy.load(read_bytes(path))
        except Exception as error:  # its own kind for a damaged file, KeyError for an odd dtype
            if isinstance(error, InkwiseError):
                raise
            raise RunError(f"{path} is damaged: train again ({error})") from error

    def drop_checkpoint(self) -> None:
        """Remove what it would take to go on: the training is complete."""
        with storage(self.path, "write to"):
            (self.path / CHECKPOINT_FILE).unlink(missing_ok=True)

    def owns(self, evaluation: Evaluation) -> bool:
        """Tell whether this is the evaluation of the run's own test split."""
        own = (self.record["dataset"]["name"], "test")
        return (evaluation.dataset, evaluation.split) == own

    def save_evaluation(
        self, evaluation: Evaluation, corrections: LabelCorrections | None = None
    ) -> Path:
        """Write an evaluation's figures and predictions; return the path of the figures.

        The run's own test split goes to ``metrics.json`` and ``predictions.csv``, any other to
        files with the data set and the split in their names. With the corrected labels goes which
        file they came from.
        """
        suffix = self._suffix(evaluation)
        names = evaluation.class_names
        labels = {"true": evaluation.labels, "predicted": evaluation.predicted}
        if evaluation.corrected_labels is not None:
            labels["corrected"] = evaluation.corrected_labels
        write_csv(
            self.path / f"predictions{suffix}.csv",
            ["index", *labels, *(f"probability_{name}" for name in names)],
            (
                [index, *(names[label] for label in row), *(f"{p:.9g}" for p in probabilities)]
                for index, (row, probabilities) in enumerate(
                    zip(zip(*labels.values(), strict=True), evaluation.probabilities, strict=True)
                )
            ),
        )
        document = evaluation.to_dict()
        if corrections is not None:
            document["corrected"] = {**document["corrected"], "labels": corrections.describe()}
        return write_json(self.path / f"metrics{suffix}.json", document)

    def save_slices(self, findings: Findings, evaluation: Evaluation) -> Path:
        """Write on which handwriting an evaluation's answers are wrong, and return the path.

        The names of the files are as with `save_evaluation`.
        """
        return write_json(self.slices_path(evaluation), findings.to_dict())

    def slices(self, evaluation: Evaluation) -> dict[str, Any] | None:
        """Return what `save_slices` wrote, or None where it did not."""
        path = self.slices_path(evaluation)
        if not path.exists():
            return None
        advice = f"run `inkwise evaluate {self.path}` again"
        return self._read_json(path.name, SLICES_SCHEMA, advice)

    def slices_path(self, evaluation: Evaluation) -> Path:
        """Return where what an evaluation's mistakes have in common stands."""
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
            The test split was not evaluated yet, or the file is damaged.
        """
        path = self.path / "predictions.csv"
        if not path.exists():
            raise RunError(
                f"{self.path} has no predictions yet: run `inkwise evaluate {self.path}`"
            )
        record = self.record
        names = tuple(record["dataset"]["class_names"])
        index = {name: label for label, name in enumerate(names)}
        try:
            header, *rows = csv.reader(io.StringIO(read_bytes(path).decode("utf-8")))
            labels = np.array([index[row[1]] for row in rows], dtype=np.int64)
            corrected = header[3] == "corrected"
            corrected_labels = (
                np.array([index[row[3]] for row in rows], dtype=np.int64) if corrected else None
            )
            probabilities = np.array([row[3 + corrected :] for row in rows], dtype=np.float32)
        except (KeyError, ValueError, IndexError, csv.Error) as error:
            raise RunError(
                f"{path} is damaged: run `inkwise evaluate {self.path}` again"
            ) from error
        if probabilities.shape != (record["splits"]["test"], len(names)):
            raise RunError(f"{path} is damaged: run `inkwise evaluate {self.path}` again")
        return Evaluation(
            record["dataset"]["name"], "test", names, labels, probabilities, corrected_labels
        )

    def save_robustness(self, result: Robustness, baseline: Robustness | None = None) -> Path:
        """Write how robust the model is; return the path.

        The test split as it is goes to ``robustness.json``; what is measured on another split or
        through ink goes to files that say so in their names.
        """
        suffix = "" if result.split == "test" else f"-{result.split}"
        suffix += "-through-ink" if result.through_ink else ""
        return write_json(self.path / f"robustness{suffix}.json", result.to_dict(baseline))

    @property
    def robustness(self) -> dict[str, Any] | None:
        """The content of ``robustness.json``, or None where it was not measured."""
        if not (self.path / "robustness.json").exists():
            return None
        advice = f"run `inkwise robustness {self.path}` again"
        return self._read_json("robustness.json", ROBUSTNESS_SCHEMA, advice)

    def save_pictures(self, pictures: ShownImages) -> None:
        """Keep the images that the report shows, so that it can be made again without the data."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **vars(pictures))
        write_bytes(self.path / "pictures.npz", buffer.getvalue())

    @property
    def pictures(self) -> ShownImages:
        """The images that the report shows.

        Raises
        ------
        RunError
            They are missing or damaged.
        """
        path = self.path / "pictures.npz"
        advice = f"run `inkwise evaluate {self.path}` again"
        if not path.exists():
            raise RunError(f"{path} is missing: {advice}")
        try:
            with np.load(io.BytesIO(read_bytes(path)), allow_pickle=False) as arrays:
                pictures = ShownImages(arrays["indices"], arrays["images"], arrays["samples"])
        except Exception as error:  # zipfile, zlib and NumPy have a dozen kinds of "damaged"
            raise RunError(f"{path} is damaged: {advice}") from error
        if len(pictures.indices) != len(pictures.images):
            raise RunError(f"{path} is damaged: {advice}")
        return pictures

    def _read_json(self, name: str, schema: str, advice: str = "train again") -> dict[str, Any]:
        path = self.path / name
        with contextlib.suppress(ValueError, RecursionError):
            document = json.loads(read_bytes(path))
            if isinstance(document, dict) and document.get("schema") == schema:
                return document
        raise RunError(f"{path} is damaged or from another version: {advice}")


def _remembered_folder(record: Mapping[str, Any]) -> str | None:
    """Return the folder that a run's data came from, if the files are still there."""
    from inkwise.data.mnist import find_mnist

    try:
        return record["source"] if find_mnist(record["source"]) else None
    except InkwiseError:
        return None


def find_model(path: str | os.PathLike[str]) -> Model:
    """Load the model of a run directory, or of a model directory.

    Parameters
    ----------
    path : path-like
        What `inkwise train` wrote, or its ``model/``, or a copy of that.

    Returns
    -------
    Model
        Of a run, as of its last finished epoch.

    Raises
    ------
    RunError
        The run has no model yet.
    ModelError
        There is neither a run nor a model at `path`, or the model is damaged.
    StorageError
        A file cannot be read.
    """
    folder = Path(path)
    with storage(folder, "read"):
        if (folder / "run.json").is_file():
            folder = folder / "model"
            if not folder.exists():
                raise RunError(
                    f"{path} has no model: its training ended before the first epoch did"
                )
        elif not (folder / DOCUMENT_FILE).is_file():
            raise ModelError(
                f"there is neither a run nor a model at {path}: name a directory that `inkwise "
                "train` wrote, or its model/"
            )
    return Model.load(folder)
