"""The recipes by name, and how to change some of their values."""

import dataclasses
from pathlib import Path
from typing import Any

from inkwise.data.splits import Holdout
from inkwise.errors import ArgumentError
from inkwise.training.augmentation import EFFECTS, Augmentation
from inkwise.training.recipe import OPTIMISERS, SGD, Adam, Muon, Optimiser, Recipe, look_up
from inkwise.training.schedules import OneCycle

_PRECISE = Recipe(
    name="precise",
    network="precise",
    augmentation=Augmentation(
        shift=2.0,
        rotation=20.0,
        zoom=0.2,
        shear=0.3,
        stretch=0.25,
        elastic=0.9,
        effects=dict.fromkeys(EFFECTS, 0.012)
        | {
            "serifs": 0.2,
            "thicker": 0.1,
            "thinner": 0.07,
            "low_resolution": 0.1,
            "form_reader": 0.15,
            "threshold": 0.06,
            "lines": 0.02,
            "zigzag": 0.025,
            "stripe": 0.03,
            "outline": 0.025,
            "move": 0.45,
            "invert": 0.035,
        },
    ),
    optimiser=Muon(
        learning_rate=0.1,
        momentum=0.6,
        adam=Adam(learning_rate=4e-3, beta1=0.9, beta2=0.99, epsilon=1e-8),
    ),
    schedule=OneCycle(start=0.05, peak=0.15, end=0.005),
    batch_norm=True,
    mixed_precision=True,
    averaging=0.998,
    outliers=0.1,
    pens=0.4,
    label_smoothing=0.05,
    epochs=100,
    batch_size=250,
    rotations=(0.0, 12.0, -12.0),
    calibrate=True,
    holdout=Holdout("stratified", 0.05),
)

# Its augmentation stays closer to MNIST than that of `precise`, for digits like MNIST's own.
_ENSEMBLE = dataclasses.replace(
    _PRECISE,
    name="ensemble",
    network="ensemble",
    pens=0.0,
    augmentation=Augmentation(
        shift=2.0,
        rotation=12.0,
        zoom=0.15,
        shear=0.2,
        stretch=0.15,
        elastic=0.9,
        effects=dict.fromkeys(EFFECTS, 0.012) | {"serifs": 0.2, "form_reader": 0.0, "move": 0.05},
    ),
    epochs=60,
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="case-study",
            network="case-study",
            optimiser=Adam(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-7),
            epochs=5,
            batch_size=64,
            holdout=Holdout("last", 0.2),
        ),
        Recipe(
            name="swift",
            network="swift",
            optimiser=Muon(),
            schedule=OneCycle(),
            label_smoothing=0.1,
            epochs=2,
            hardest=0.2,
            freeze_after=0.3,
            batch_size=256,
            holdout=Holdout("stratified", 0.05),
        ),
        _PRECISE,
        _ENSEMBLE,
        Recipe(name="perceptron", network="perceptron", epochs=10, holdout=Holdout("last", 0.2)),
        Recipe(name="lenet-5", network="lenet-5", epochs=10, holdout=Holdout("last", 0.2)),
        Recipe(
            name="small-vgg",
            network="small-vgg",
            schedule=OneCycle(start=0.1),
            epochs=10,
            batch_size=128,
        ),
        Recipe(
            name="small-resnet",
            network="small-resnet",
            optimiser=SGD(learning_rate=0.1, momentum=0.9),
            schedule=OneCycle(start=0.1),
            epochs=10,
            batch_size=128,
        ),
    )
}
"""Recipes by name."""

ABOUT = {
    "case-study": "the textbook network and training, to the letter",
    "swift": "99% in seconds on two CPU cores",
    "precise": "the most accurate single network, right on other people's handwriting",
    "ensemble": "four networks whose answers are averaged",
    "perceptron": "a network without convolutions, to compare with (LeCun et al. 1998)",
    "lenet-5": "the first convolutional network for digits (LeCun et al. 1998)",
    "small-vgg": "pairs of small convolutions (after Simonyan and Zisserman 2015)",
    "small-resnet": "residual blocks and batch normalisation (after He et al. 2016)",
}
"""What each recipe is for."""


class UsualEpochs(Recipe):
    """A named recipe with other values, but with its usual number of epochs; see `scale_epochs`."""


SMALL = 10_000
"""With fewer training images than this, a training has more epochs by default."""

SMALL_FACTOR = 8
"""Factor by which the number of epochs is then multiplied.

Chosen on validation images: ``benchmarks/small_epochs.py`` and, for what led to it,
``docs/notes/``.
"""


def get_recipe(
    recipe: str | Recipe,
    *,
    augment: bool = False,
    optimiser: str | Optimiser | None = None,
    learning_rate: float | None = None,
    **changes: Any,
) -> Recipe:
    """Return a recipe, with some of its values changed.

    Parameters
    ----------
    recipe : str or Recipe
        A name in `RECIPES`, or a recipe to start from.
    augment : bool
        Use data augmentation with the default limits of `Augmentation`.
    optimiser : str, Adam, SGD or Muon, optional
        A name in `OPTIMISERS` stands for the optimiser with its default values.
    learning_rate : float, optional
        New learning rate of the optimiser.
    **changes
        Fields of `Recipe` and their new values.

    Returns
    -------
    Recipe

    Raises
    ------
    ArgumentError
        A recipe, optimiser or field is unknown, or a value is out of range.

    Examples
    --------
    >>> import inkwise
    >>> recipe = inkwise.get_recipe("case-study", epochs=20, dropout=0.25, augment=True)
    >>> recipe.name, recipe.epochs, recipe.dropout
    ('case-study', 20, 0.25)
    """
    if not isinstance(recipe, Recipe):
        name = str(recipe)
        if Path(name).suffix:  # which no name has
            raise ArgumentError(f"{name} is no name of a recipe: inkwise.read_recipe reads files")
        recipe = look_up("recipe", name, RECIPES)
    if augment:
        changes["augmentation"] = Augmentation()
    if isinstance(optimiser, str):
        optimiser = look_up("optimiser", optimiser, OPTIMISERS)()
    optimiser = optimiser or recipe.optimiser
    if learning_rate is not None:
        optimiser = dataclasses.replace(optimiser, learning_rate=learning_rate)
    try:
        return dataclasses.replace(recipe, optimiser=optimiser, **changes)
    except TypeError as error:
        fields = ", ".join(field.name for field in dataclasses.fields(Recipe))
        raise ArgumentError(f"{error}: a recipe has {fields}") from error


def scale_epochs(recipe: Recipe, training_images: int) -> tuple[Recipe, str | None]:
    """Give a recipe more epochs if there are few training images.

    The recipes' numbers of epochs are meant for MNIST. With fewer than `SMALL` training images
    there are `SMALL_FACTOR` times as many, so that the network takes enough steps to learn. That is
    for recipes by name, and for `UsualEpochs`; others are trained for as long as they say.

    Parameters
    ----------
    recipe : Recipe
        The recipe with the number of epochs for MNIST.
    training_images : int
        Number of training images.

    Returns
    -------
    recipe : Recipe
        The recipe to use.
    notice : str or None
        A line for the user, if the number of epochs was changed.
    """
    if training_images >= SMALL:
        return recipe, None
    epochs = SMALL_FACTOR * recipe.epochs
    return dataclasses.replace(recipe, epochs=epochs), (
        f"{epochs} epochs rather than {recipe.epochs}, because there are only "
        f"{training_images:,} training images"
    )
