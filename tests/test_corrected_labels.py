"""Training and evaluating with corrected labels: what changes, what does not, what is kept."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Run, Split
from inkwise.data.label_corrections import ACCEPT, Decision, hash_image, write_decisions
from inkwise.data.splits import split_dataset
from inkwise.errors import DataError, RunError
from inkwise.system.progress import Batch
from tests.shared_runs import without_figures
from tests.telling import AtEachBatch

WRONG = {"train": np.arange(0, 300, 10), "test": np.array([4, 25])}


@pytest.fixture(scope="module")
def mislabelled(animals: Dataset) -> Dataset:
    parts = {}
    for name, places in WRONG.items():
        part: Split = getattr(animals, name)
        labels = part.labels.copy()
        labels[places] = (labels[places] + 1) % 3
        parts[name] = Split(part.images, labels)
    return dataclasses.replace(animals, **parts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def labels(
    animals: Dataset, mislabelled: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    names = animals.class_names
    decisions = [
        Decision(
            part,
            int(index),
            names[getattr(mislabelled, part).labels[index]],
            names[getattr(animals, part).labels[index]],
            ACCEPT,
            hash_image(getattr(animals, part).images[index]),
        )
        for part, places in WRONG.items()
        for index in places
    ]
    return write_decisions(tmp_path_factory.mktemp("labels") / "decided.csv", decisions)


@pytest.fixture(scope="module")
def trained(
    mislabelled: Dataset,
    labels: Path,
    tmp_path_factory: pytest.TempPathFactory,
    trains: None,
    matplotlib_home: None,
) -> Run:
    """A run on corrected labels. It is shared."""
    output = tmp_path_factory.mktemp("trained") / "run"
    with without_figures():
        return inkwise.train(dataset=mislabelled, epochs=6, labels=labels, output=output)


@pytest.mark.usefixtures("unreported")
def test_the_corrected_labels_are_learnt(trained: Run, animals: Dataset, tmp_path: Path) -> None:
    right = inkwise.train(dataset=animals, epochs=6, output=tmp_path / "right")

    for name, array in right.model.weights.items():
        np.testing.assert_array_equal(trained.model.weights[name], array)


def test_both_numbers_are_reported(trained: Run) -> None:
    evaluation = trained.evaluation
    corrected = evaluation.corrected

    assert corrected is not None
    assert evaluation.relabelled.tolist() == WRONG["test"].tolist()
    assert corrected.correct == 60
    assert evaluation.correct == 58
    assert (corrected.probabilities == evaluation.probabilities).all()
    page = trained.report_path.read_text()
    assert "With 2 corrected labels:" in page
    assert "58" in page


def test_the_run_says_which_corrections_were_used(trained: Run, labels: Path) -> None:
    record = trained.record["labels"]
    metrics = json.loads((trained.path / "metrics.json").read_text())["corrected"]

    assert (trained.path / "labels.csv").read_bytes() == labels.read_bytes()
    assert record["changed"] == {"train": 30, "test": 2}
    assert trained.corrections is not None
    assert record["sha256"] == trained.corrections.sha256
    assert metrics["correct"] == 60
    assert metrics["labels"]["sha256"] == record["sha256"]
    assert [entry["index"] for entry in metrics["relabelled"]] == WRONG["test"].tolist()
    assert trained.model.provenance["labels"] == record
    with (trained.path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    changed = [int(row["index"]) for row in rows if row["true"] != row["corrected"]]
    assert changed == WRONG["test"].tolist()


def test_evaluating_again_gives_both_again(trained: Run, mislabelled: Dataset) -> None:
    validation = inkwise.evaluate(trained, "validation", dataset=mislabelled)

    assert len(validation.relabelled) > 0
    assert validation.corrected is not None
    assert validation.corrected.accuracy.value > validation.accuracy.value


@pytest.mark.parametrize("method", ["last", "stratified"])
def test_corrections_move_no_image_into_another_part(
    method: str, mislabelled: Dataset, animals: Dataset
) -> None:
    holdout = dataclasses.replace(inkwise.get_recipe("swift").holdout, method=method)  # type: ignore[arg-type]

    given = split_dataset(mislabelled, holdout, seed=3)
    corrected = split_dataset(mislabelled, holdout, 3, animals)

    assert (given.validation.images == corrected.validation.images).all()
    assert (given.train.images == corrected.train.images).all()
    assert (given.train.labels != corrected.train.labels).any()


@pytest.mark.usefixtures("unreported")
def test_a_run_without_corrections_can_be_evaluated_with_them(
    mislabelled: Dataset, labels: Path, tmp_path: Path
) -> None:
    run = inkwise.train(dataset=mislabelled, epochs=1, output=tmp_path / "run")
    assert run.evaluation.corrected is None
    assert json.loads((run.path / "metrics.json").read_text())["corrected"] is None

    evaluation = inkwise.evaluate(run, dataset=mislabelled, labels=labels)

    assert evaluation.relabelled.tolist() == WRONG["test"].tolist()
    assert run.evaluation.relabelled.tolist() == WRONG["test"].tolist()
    assert run.record["labels"] is None


@pytest.mark.usefixtures("unreported")
def test_a_resumed_training_goes_on_with_the_corrected_labels(
    trained: Run, mislabelled: Dataset, labels: Path, tmp_path: Path
) -> None:
    def press_ctrl_c(batch: Batch) -> None:
        if batch.epoch == 3:
            raise KeyboardInterrupt

    run = inkwise.train(
        dataset=mislabelled,
        epochs=6,
        labels=labels,
        output=tmp_path / "r",
        progress=AtEachBatch(press_ctrl_c),
    )
    resumed = inkwise.resume(run, dataset=mislabelled)

    for name, array in trained.model.weights.items():
        np.testing.assert_array_equal(resumed.model.weights[name], array)
    assert resumed.evaluation.corrected is not None


def test_labels_of_other_data_are_refused_before_anything_is_written(
    animals: Dataset, labels: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="made for other labels"):
        inkwise.train(dataset=animals, labels=labels, output=tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_changed_corrections_in_a_run_are_noticed(
    trained: Run, mislabelled: Dataset, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(trained.path, tmp_path / "run"))
    with (run.path / "labels.csv").open("a") as file:
        file.write("train,1,ant,bee,accept,0\n")

    with pytest.raises(RunError, match="has changed since the run was trained"):
        inkwise.evaluate(run, dataset=mislabelled)
