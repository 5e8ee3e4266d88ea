"""Probabilities of every image's classes from models that have not seen the image's label."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import DataError
from inkwise.system.progress import Progress
from inkwise.training.named_recipes import get_recipe, scale_epochs
from inkwise.training.recipe import Recipe

if TYPE_CHECKING:
    pass

FOLDS = 3
"""Parts of the training images: each is judged by models that were trained on the others."""

SEEDS = 2
"""Rounds of cross-validation: models a training image is judged by, averaged.

Folds, seeds and recipe were chosen on MNIST's training images with wrong labels planted among
them; see ``docs/benchmarks.md``.
"""


def audit_recipe(training_images: int) -> Recipe:
    """Return the recipe of the models that judge: `swift`, made patient with wrong labels.

    Its second half of the epochs goes to all images: the hardest ones are those with wrong labels.
    Smoothed labels would keep the models from being sure of another class than the label.
    """
    recipe = get_recipe("swift", hardest=1.0, label_smoothing=0.0, epochs=4, augment=True)
    return scale_epochs(recipe, training_images)[0]


def judge(
    dataset: Dataset,
    split: str,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return the probabilities of a split's images, from models that did not learn their labels.

    Training images are judged by cross-validation, test images by models that were trained on all
    training images: the test labels are looked at, and nothing learns from them.

    Parameters
    ----------
    dataset : Dataset
    split : {"train", "test"}
    progress : Progress
        Hears of every model that is trained, and of its batches.

    Returns
    -------
    ndarray of float32, shape (N, K)
        Rows sum to 1.

    Raises
    ------
    DataError
        A class has too few training images to be in every fold.
    """
    train = dataset.train
    images = train if split == "train" else dataset.test
    if split == "train":
        parts = [part for seed in range(SEEDS) for part in _folds(dataset, seed)]
    else:
        # As many trainings as the other split takes.
        parts = [(np.arange(len(train)), np.arange(len(images)))] * (FOLDS * SEEDS)
    probabilities = np.zeros((len(images), len(dataset.class_names)), dtype=np.float32)
    for number, (learnt, judged) in enumerate(parts):
        progress.step(f"Training model {number + 1} of {len(parts)} on {len(learnt):,} images")
        answers = _train_and_judge(
            dataset, train.take(learnt), images.take(judged), number, progress
        )
        probabilities[judged] += answers
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def _folds(dataset: Dataset, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    from sklearn.model_selection import StratifiedKFold

    labels = dataset.train.labels
    for name, count in zip(
        dataset.class_names, np.bincount(labels, minlength=len(dataset.class_names)), strict=True
    ):
        if 0 < count < FOLDS:
            raise DataError(
                f"the class {name} of {dataset.name} has only {count} of the {FOLDS} training "
                "images that an audit needs: add some, or leave the class out"
            )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return list(folds.split(labels, labels))


def _train_and_judge(
    dataset: Dataset,
    learnt: Split,
    judged: Split,
    seed: int,
    progress: Progress,
) -> NDArray[np.float32]:
    import torch

    from inkwise.networks.as_torch import build
    from inkwise.training.device import choose_device
    from inkwise.training.loop import Training, predict_logits

    recipe, device = audit_recipe(len(learnt)), choose_device("auto")
    torch.manual_seed(seed)
    network = recipe.describe_network(dataset.image_size, len(dataset.class_names))
    training = Training(build(network, recipe.batch_norm), learnt, judged, recipe, device)
    for _ in training.epochs(progress):
        pass
    logits = predict_logits(training.averaged, torch.from_numpy(judged.images).to(device))
    answers: NDArray[np.float32] = logits.softmax(1).cpu().numpy()
    return answers
