"""Going on from a trained model: the recipe that changes it a little, and the weights it starts."""

import dataclasses
from typing import Any

import numpy as np

from inkwise.data.dataset import Split
from inkwise.data.splits import Holdout
from inkwise.model import Model
from inkwise.networks.ensemble import Ensemble, members, require_single
from inkwise.networks.folding import Weights
from inkwise.networks.network import Network, check_ending
from inkwise.training.augmentation import Augmentation
from inkwise.training.recipe import Adam, Recipe
from inkwise.training.schedules import OneCycle

FINE_TUNING = Recipe(
    name="own-hand",
    network="precise",
    augmentation=Augmentation(),
    optimiser=Adam(learning_rate=3e-4, beta1=0.9, beta2=0.99, epsilon=1e-8),
    schedule=OneCycle(start=0.1, peak=0.2, end=0.01),
    averaging=0.9,
    label_smoothing=0.05,
    epochs=4,
    batch_size=64,
    calibrate=True,
    holdout=Holdout("stratified", 0.1),
)
"""The values that a training which goes on from a model has by default: few and small steps.

They were chosen on pens of other people than those that ``benchmarks/own_hand.py`` measures on.
"""

_NEW = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the new weights in the mean of old and new ones that becomes the model."""

_ASKED = 1_000  # images that the share is chosen by, at most

_SURE = 5.0
"""The logit that a new class gets at the mean of its images, before any training."""


def keep_some(network: Network | Ensemble, old: Weights, new: Weights, own: Split) -> Weights:
    """Return a mean of a model's old and new weights, which forgets less than the new ones.

    Parameters
    ----------
    network : Network or Ensemble
        The network that both are for.
    old, new : dict of str to ndarray of float32
        Its weights before and after a training.
    own : Split
        Images of the user's own that it was trained on.

    Returns
    -------
    dict of str to ndarray of float32
        No more of the new weights than it takes to read as many of the own images as possible.

    References
    ----------
    M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022: weights between two
    models have the accuracy of the old on the old data, and nearly that of the new on the new.
    """
    asked = own.take(np.arange(min(len(own), _ASKED)))
    names = tuple(map(str, range(network.classes)))
    tried = []
    for share in _NEW:
        kept = np.float32(1 - share)
        weights = {name: kept * old[name] + (1 - kept) * array for name, array in new.items()}
        predicted = Model(network, weights, names).predict(asked.images)
        tried.append((int((predicted != asked.labels).sum()), share, weights))
    return min(tried, key=lambda each: each[:2])[2]


def trained_by(model: Model) -> Recipe | None:
    """Return the recipe that a model was trained by; None if it was not trained by inkwise."""
    document = model.provenance.get("recipe")
    return None if document is None else Recipe.from_dict(document)


def describe_going_on(model: Model, chosen: Recipe | None = None) -> Recipe:
    """Return the recipe of a training that goes on from a model.

    Parameters
    ----------
    model : Model
        The model to start from.
    chosen : Recipe, optional
        The recipe to train by; by default `FINE_TUNING`, with the data augmentation, the share of
        drawn digits and the seed of the training that made the model.

    Returns
    -------
    Recipe
        Its network, holdout and rotations are the model's. It has no batch normalisation beside
        the model's own layers: that of the training that made the model is folded into its
        convolutions, and a few hundred images of one hand would shift a new one.

    Raises
    ------
    ArgumentError
        The model is an ensemble that no recipe describes.
    """
    before = trained_by(model)
    recipe = chosen or FINE_TUNING
    kept: dict[str, Any] = {}
    if before is not None:
        kept["holdout"] = before.holdout
        if chosen is None:
            augmentation = before.augmentation or recipe.augmentation
            kept |= {"augmentation": augmentation, "pens": before.pens, "seed": before.seed}
    size, classes = model.network.image_size, model.network.classes
    if before is not None and before.describe_network(size, classes) == model.network:
        kept |= {"network": before.network, "dropout": before.dropout}
    else:
        layers = require_single(model.network, "going on from a model").layers
        layers = (*layers[:-1], dataclasses.replace(check_ending(layers), units=None))
        kept |= {"network": layers, "dropout": 0.0}
    return dataclasses.replace(recipe, batch_norm=False, rotations=model.rotations, **kept)


def start_weights(
    model: Model, network: Network | Ensemble, class_names: tuple[str, ...], train: Split
) -> Weights:
    """Return a model's weights for a network that may have other classes.

    Parameters
    ----------
    model : Model
        The model to start from.
    network : Network or Ensemble
        The network to train, which differs from the model's in the number of classes only.
    class_names : tuple of str
        The classes to learn, in the order of the network's outputs.
    train : Split
        The images to train on.

    Returns
    -------
    dict of str to ndarray of float32
        Classes that the model knows keep their weights in the last layer. Each other class starts
        as the prototype of its images: it gets a positive logit for a feature vector that is nearer
        to their mean than to the mean of all images.

    References
    ----------
    H. Qi, M. Brown, D. G. Lowe, "Low-shot learning with imprinted weights", CVPR 2018.
    """
    weights = {name: np.array(array) for name, array in model.weights.items()}
    if class_names == model.class_names:
        return weights
    import torch

    from inkwise.networks.as_torch import Members, build
    from inkwise.training.loop import predict_logits

    known = {name: place for place, name in enumerate(model.class_names)}
    module = build(model.network)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    modules = [*module] if isinstance(module, Members) else [module]
    images = torch.from_numpy(train.images.copy())
    for (prefix, member), each in zip(members(network), modules, strict=True):
        last = f"{prefix}{member.summary()[-1].name}"
        old, old_bias = weights[f"{last}.weight"], weights[f"{last}.bias"]
        own = predict_logits(each[:-1], images).numpy().astype(np.float64)  # (N, features)
        middle = own.mean(0)
        rows, biases = [], []
        for label, name in enumerate(class_names):
            if name in known:
                rows.append(old[known[name]])
                biases.append(old_bias[known[name]])
                continue
            mean = own[train.labels == label].mean(0)
            factor = 2 * _SURE / max(((mean - middle) ** 2).sum(), 1e-12)
            rows.append(factor * (mean - middle))
            biases.append(factor * (middle @ middle - mean @ mean) / 2)
        weights[f"{last}.weight"] = np.array(rows, np.float32)
        weights[f"{last}.bias"] = np.array(biases, np.float32)
    return weights
