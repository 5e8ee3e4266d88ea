"""Runs of MLflow, in the store that MLflow is set to: a file, unless a server is named."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from inkwise.errors import InkwiseError, StorageError
from inkwise.runs.directory import COMPLETE, INTERRUPTED, UNFINISHED, Run
from inkwise.tracking.tracked_figures import epoch_figures, tested_figures
from inkwise.training.history import Epoch
from inkwise.training.recipe import Recipe
from inkwise.training.recipe_files import to_toml
from inkwise.version import __version__

EXPERIMENT = "inkwise"
"""The experiment, unless MLFLOW_EXPERIMENT_NAME names another."""

PLACE = "inkwise.run"
"""The tag with the folder of the run."""

LOADER = "inkwise.tracking.mlflow_model"
"""The module by which MLflow loads the model."""

_STATUS = {COMPLETE: "FINISHED", INTERRUPTED: "KILLED", UNFINISHED: "FAILED"}


@contextlib.contextmanager
def _errors_of_ours() -> Iterator[None]:
    """Raise whatever MLflow raises, from its store or on the way to it, as `StorageError`."""
    try:
        yield
    except InkwiseError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise StorageError(f"MLflow cannot keep the run: {reason}") from error


class MLflow:
    """A run of MLflow about a run of ours; of one that is resumed, the run that it had.

    Parameters
    ----------
    run : Run
        The run. Its data set is kept at once.
    recipe : Recipe
        The recipe that it is trained by, which is kept at once, too.

    Attributes
    ----------
    epochs : int
        How many epochs of the run MLflow has.

    Raises
    ------
    StorageError
        MLflow cannot keep it, here or later.
    """

    @_errors_of_ours()
    def __init__(self, run: Run, recipe: Recipe) -> None:
        # Without this, MLflow sends usage reports to its makers.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        for chatty in ("mlflow", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        self._client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        known = self._find(run, experiment)
        if known is None:
            self.epochs, self._id = 0, self._begin(run, recipe, experiment)
        else:
            self.epochs, self._id = len(run.history), known
            self._client.update_run(known, status="RUNNING")
        self._client.log_text(self._id, to_toml(recipe), "recipe.toml")

    def _begin(self, run: Run, recipe: Recipe, experiment: str) -> str:
        """Begin a run of MLflow, and return its id."""
        dataset = run.record["dataset"]
        begun: str = self._client.create_run(
            experiment,
            run_name=run.path.name,
            tags={
                PLACE: str(run.path.resolve()),
                "inkwise.version": __version__,
                "inkwise.dataset": dataset["name"],
                "inkwise.dataset.sha256": dataset["sha256"],
            },
        ).info.run_id
        for key, value in _flatten(recipe.to_dict()):
            self._client.log_param(begun, key, value)
        return begun

    def _find(self, run: Run, experiment: str) -> str | None:
        """Return the id of the run that has been told all epochs of a run so far, if there is one.

        The folder alone does not tell: another run may have been in it.
        """
        place, losses = str(run.path.resolve()), [epoch.train_loss for epoch in run.history]
        if not losses:
            return None
        for kept in self._client.search_runs([experiment]):
            if kept.data.tags.get(PLACE) != place:
                continue
            told = self._client.get_metric_history(kept.info.run_id, "loss/train")
            if [each.value for each in told] == losses:
                return str(kept.info.run_id)
        return None

    @_errors_of_ours()
    def epoch(self, epoch: Epoch) -> None:
        """Keep the losses and accuracies of an epoch."""
        self._metrics(epoch_figures(epoch), epoch.epoch)

    @_errors_of_ours()
    def finish(self, run: Run) -> None:
        """Keep metrics, figures, report and model of a complete run."""
        import mlflow
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        self._metrics(tested_figures(run), len(run.history))
        if run.figures_path.is_dir():
            self._client.log_artifacts(self._id, str(run.figures_path), "figures")
        if run.report_path.exists():
            self._client.log_artifact(self._id, str(run.report_path))
        network = run.model.network
        images = TensorSpec(np.dtype(np.uint8), (-1, *network.image_size))
        probabilities = TensorSpec(np.dtype(np.float32), (-1, network.classes))
        # Within a run that the caller may have begun.
        with warnings.catch_warnings(), mlflow.start_run(run_id=self._id, nested=True):
            warnings.filterwarnings("ignore", ".*input example was not provided")
            mlflow.pyfunc.log_model(
                name="model",
                loader_module=LOADER,
                data_path=str(run.path / "model"),
                signature=ModelSignature(Schema([images]), Schema([probabilities])),
                pip_requirements=[f"inkwise=={__version__}"],
            )

    @_errors_of_ours()
    def close(self, status: str) -> None:
        """End the run."""
        self._client.set_terminated(self._id, _STATUS[status])

    def _metrics(self, figures: dict[str, float], step: int) -> None:
        for name, value in figures.items():
            self._client.log_metric(self._id, name, value, step=step)


def _flatten(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of nested JSON values with its place, such as ``optimiser.momentum``."""
    match value:
        case dict():
            inner: Any = value.items()
        case list() | tuple():
            inner = enumerate(value)
        case _:
            yield place, value
            return
    for key, item in inner:
        yield from _flatten(item, f"{place}.{key}" if place else str(key))
