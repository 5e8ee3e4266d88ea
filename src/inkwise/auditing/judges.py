"""The judges: models that predict the classes of images on whose labels they were not trained."""

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import DataError
from inkwise.system.progress import Progress
from inkwise.training.named_recipes import get_recipe, scale_epochs
from inkwise.training.recipe import Recipe

FOLDS = 3
"""Number of folds of the training images; models that were trained on the others judge each."""

SEEDS = 2
"""Number of rounds of cross-validation, each with another seed.

It is the number of models whose probabilities are averaged for a training image. Folds, seeds and
recipe were chosen on MNIST's training images, some of which had been given wrong labels; see
``docs/notes/2026-11-22-wrong-labels.md``.
"""


def audit_recipe(training_images: int) -> Recipe:
    """Return the recipe (the training configuration) of the judges.

    It is `swift`, changed in two points so that the models do not learn wrong labels. The second
    half of the epochs uses all images, not only the hardest ones, which are those with wrong
    labels. There is no label smoothing, which would keep the models from being confident of
    another class than the label. Nor does a training end early: the images that it is validated on
    are those that it judges, whose labels may decide nothing.
    """
    recipe = get_recipe(
        "swift",
        hardest=1.0,
        label_smoothing=0.0,
        patience=0,
        best_epoch=False,
        epochs=4,
        augment=True,
    )
    return scale_epochs(recipe, training_images)[0]


def judge(
    dataset: Dataset,
    split: str,
    progress: Progress,
) -> NDArray[np.float32]:
    """Return probabilities for a split's images from models not trained on these images' labels.

    Training images are judged by cross-validation, and test images by models that were trained on
    all training images. No model is trained on test labels.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    split : {"train", "test"}
        The split whose images are judged.
    progress : Progress
        Receives the training of every model as a step, and its batches.

    Returns
    -------
    ndarray of float32, shape (N, K)
        Averaged probabilities; each row sums to 1.

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
        # As many models as are trained for the training split.
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
                f"the class {name} of {dataset.name} has only {count} training images, and an "
                f"audit needs {FOLDS}: add some, or leave the class out"
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
