"""Tests of comparisons, and runs for them that are written without a training."""

import dataclasses
from pathlib import Path

import numpy as np

from inkwise import Dataset, Evaluation, Run, get_recipe
from inkwise.data.splits import split_dataset
from inkwise.runs.shown_images import ShownImages
from tests.runs import MACHINE


def write_run(
    path: Path,
    dataset: Dataset,
    wrong: list[int],
    seed: int = 0,
    recipe: str = "case-study",
    positive: str = "",
) -> Run:
    """Write a run that has these images of the test split wrong, all of them by one class."""
    described = get_recipe("case-study", seed=seed, positive=positive)
    described = dataclasses.replace(described, name=recipe)
    splits = split_dataset(dataset, described.holdout, seed)
    run = Run.create(path, described, dataset, splits, [], MACHINE, "torch")
    labels, classes = dataset.test.labels, len(dataset.class_names)
    answers = labels.copy()
    answers[wrong] = (answers[wrong] + 1) % classes
    probabilities = np.full((len(labels), classes), 0.01, np.float32)
    probabilities[np.arange(len(labels)), answers] = 1.01 - 0.01 * classes
    run.save_evaluation(
        Evaluation(dataset.name, "test", dataset.class_names, labels, probabilities)
    )
    kept = np.array(sorted(wrong), dtype=np.int64)
    run.save_pictures(ShownImages(kept, dataset.test.images[kept], kept[:1]))
    return run
