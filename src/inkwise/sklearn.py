"""scikit-learn estimators: a classifier that trains by a recipe, and a transformer of pictures."""

import dataclasses
import math
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from inkwise.data.dataset import Dataset, Split
from inkwise.data.splits import Splits, choose_validation
from inkwise.errors import ArgumentError
from inkwise.ink import CANVAS, normalise_batch
from inkwise.study import fit
from inkwise.training.fit import Fit
from inkwise.training.named_recipes import get_recipe
from inkwise.training.recipe import Recipe


class DigitClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A convolutional network that is trained by a recipe, as an estimator of scikit-learn.

    `fit` trains as `inkwise.train` does: the recipe's share of the images is set apart for
    validation, and what is left is learned.

    Parameters
    ----------
    recipe : str or Recipe
        The recipe, or the name of one.
    epochs : int, optional
        Number of epochs; by default the recipe's, and eight times as many on small data if the
        recipe is given by name.
    levels : tuple of float, optional
        The values of X that are the background and full ink, in this order: ``(0, 1)``, or
        ``(255, 0)`` for dark ink on white. By default 0 and 255 for `uint8`, 0 and 1 for booleans,
        else the lowest and highest value that the first fit sees. In between, values are rounded to
        256 levels; beyond, they are the nearer of both, and a warning says how many are.
    image_size : tuple of int, optional
        Height and width of the images, if the rows of X are flat and no squares. Without it a row
        whose length is no square is an image of a single row, and a warning says so.
    device : str
        The device to train on: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    random_state : int, RandomState or None
        Seed of the training; by default the recipe's.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
        The labels, of the type that `y` had.
    model_ : Model
        The trained model, with everything that a model can do: save, calibrate, classify pictures.
    history_ : list of Epoch
        The epochs of `fit`, or of the last call of `partial_fit`.
    levels_, image_size_ : tuple
        The levels and the size of the images, as they were found.
    n_features_in_ : int
        Number of pixels.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from inkwise.sklearn import DigitClassifier
    >>> X, y = load_digits(return_X_y=True)  # 8×8 pixels, from 0 to 16
    >>> classifier = DigitClassifier("perceptron", epochs=20).fit(X[:1500], y[:1500])
    >>> classifier.image_size_, classifier.levels_
    ((8, 8), (0.0, 16.0))
    >>> classifier.score(X[1500:], y[1500:]) > 0.8
    True
    """

    def __init__(
        self,
        recipe: str | Recipe = "case-study",
        epochs: int | None = None,
        levels: tuple[float, float] | None = None,
        image_size: tuple[int, int] | None = None,
        device: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.recipe = recipe
        self.epochs = epochs
        self.levels = levels
        self.image_size = image_size
        self.device = device
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : array-like, shape (N, H·W), (N, H, W), (N, H, W, 1) or (N, 1, H, W)
            The images.
        y : array-like, shape (N,)
            The labels: numbers, text or booleans.
        sample_weight : array-like, shape (N,), optional
            Weights of the images, at least 0. As many images are trained on as without weights, but
            drawn in proportion to them: one of twice the mean weight is there twice. The images for
            validation are drawn from those with any weight.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            The arrays do not fit together, or hold what they must not.
        InkwiseError
            As from `inkwise.train`: the recipe is unknown, or the images are too small or too few.
        """
        images, y, weights = self._check(X, y, sample_weight, first=True)
        self.classes_, labels = np.unique(y, return_inverse=True)
        seen = weights > 0
        images, labels, weights = images[seen], labels[seen], weights[seen]
        if len(np.unique(labels)) < 2:
            raise ValueError("the images are of one class: a classifier needs at least two")
        recipe = self._recipe()
        everything = Split(images, labels)
        # A data set has a test part, which no training looks at.
        data = Dataset("X", "X", self._names(), everything, everything.take(_FIRST), "scikit-learn")
        kept, apart = choose_validation(data, recipe.holdout, recipe.seed)
        drawn = kept[_draw(weights[kept], recipe.seed)]
        data = dataclasses.replace(
            data, train=everything.take(drawn), validation=everything.take(apart)
        )
        changes: dict[str, Any] = {"seed": recipe.seed} | (
            {} if self.epochs is None else {"epochs": self.epochs}
        )
        training = fit(self.recipe, data, device=self.device, **changes)
        list(training)
        return self._keep(training)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on these images alone.

        All images are learned: none is set apart, so that nothing is calibrated, and no digits are
        drawn by pens. The learning rate is the optimiser's, without a schedule.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like, shape (K,)
            All labels there will be; needed in the first call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            The first call has no `classes`, or a label is none of them; or as from `fit`.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        images, y, weights = self._check(X, y, sample_weight, first=first)
        known = self.classes_ if classes is None or not first else np.unique(classes)
        if classes is not None and not np.array_equal(np.unique(classes), known):
            raise ValueError(f"classes are {classes}, but were {known} in an earlier call")
        if not np.isin(y, known).all():
            raise ValueError(f"some labels of y are not in classes: {np.setdiff1d(y, known)}")
        self.classes_ = known
        recipe = dataclasses.replace(
            self._recipe(),
            epochs=1,
            schedule=None,
            hardest=1.0,
            freeze_after=1.0,
            calibrate=False,
        )
        split = Split(images, np.searchsorted(known, y)).take(_draw(weights, recipe.seed))
        splits = Splits(split, split.take(_FIRST), split.take(_FIRST))
        training = Fit(recipe, splits, self._names(), {}, self.device)
        if not first:
            training.continue_from(self._state)
        list(training)
        return self._keep(training)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of every class, float32 (N, K), in the order of `classes_`.

        Parameters
        ----------
        X : array-like
            Images as for `fit`, of the same size.
        """
        check_is_fitted(self)
        return self.model_.predict_proba(self._images(X, first=False))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of every image, (N,); see `predict_proba`."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _recipe(self) -> Recipe:
        """Return the recipe with the seed that is asked for."""
        recipe = get_recipe(self.recipe)
        if recipe.positive:
            raise ValueError(
                f"the labels of y are the task: leave {recipe.positive!r} out of the recipe as the "
                "positive class"
            )
        if self.random_state is None:
            return recipe
        if isinstance(self.random_state, int | np.integer):
            return dataclasses.replace(recipe, seed=int(self.random_state))
        return dataclasses.replace(
            recipe, seed=int(check_random_state(self.random_state).randint(2**31))
        )

    def _names(self) -> tuple[str, ...]:
        return tuple(map(str, self.classes_))

    def _keep(self, training: Fit) -> Self:
        self.model_, self.history_, self._state = (
            training.model,
            training.history,
            training.state(),
        )
        return self

    def _check(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, first: bool
    ) -> tuple[NDArray[np.uint8], NDArray[Any], NDArray[np.float64]]:
        """Return images, uint8 (N, H, W), labels and weights, both (N,)."""
        if y is None:
            raise ValueError("DigitClassifier requires y to be passed, but the target y is None")
        images = self._images(X, first=first)
        labels = column_or_1d(y, warn=True)
        check_classification_targets(labels)
        if len(labels) != len(images):
            raise ValueError(f"there are {len(images):,} images but {len(labels):,} labels")
        weights = _check_sample_weight(
            sample_weight, images, dtype=np.float64, ensure_non_negative=True
        )
        return images, labels, weights

    def _images(self, X: ArrayLike, *, first: bool) -> NDArray[np.uint8]:
        """Return images, uint8 (N, H, W); find their size and levels if they are the first."""
        size = _checked_size(self.image_size)
        dimensions = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
        if dimensions > 2:
            stack = np.asarray(X)
            if stack.ndim == 4 and 1 in (stack.shape[3], stack.shape[1]):
                stack = stack[..., 0] if stack.shape[3] == 1 else stack[:, 0]
            if stack.ndim != 3:
                raise ValueError(
                    "Found array with wrong dim: images must have shape (N, H·W), (N, H, W), "
                    f"(N, H, W, 1) or (N, 1, H, W), not {stack.shape}"
                )
            if size not in (None, stack.shape[1:]):
                raise ArgumentError(
                    f"image_size is {size}, but images of X are of {stack.shape[1:]}: leave it out"
                )
            size, X = stack.shape[1:], stack.reshape(len(stack), -1)
        values = validate_data(self, X, reset=first)
        if first:
            self.image_size_ = size or _guess_size(values.shape[1])
            self.levels_ = _checked_levels(self.levels) or _find_levels(values)
        elif dimensions > 2 and size != self.image_size_:
            raise ValueError(
                f"images are of {'×'.join(map(str, size or ()))} pixels, and the classifier was "
                f"fitted to {'×'.join(map(str, self.image_size_))}: scale them to that"
            )
        height, width = self.image_size_
        if values.shape[1] != height * width:
            raise ArgumentError(
                f"image_size is {self.image_size_}, which {values.shape[1]} pixels do not fill"
            )
        _warn_beyond(values, self.levels_, found=self.levels is None)
        return _to_levels(values, self.levels_).reshape(-1, height, width)


class Inker(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer from pictures of one digit each to the arrays that networks expect.

    It is the preprocessing of `inkwise.Model.classify`: the ink is found, freed of its paper,
    scaled and centred as MNIST's digits are. It learns nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from inkwise.sklearn import Inker
    >>> photo = np.full((200, 300), 230, np.uint8)
    >>> photo[40:160, 140:155] = 30  # a stroke, dark on light paper
    >>> Inker().fit_transform([photo]).shape
    (1, 784)
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Do nothing, and return the transformer."""
        return self

    def transform(self, X: Any) -> NDArray[np.uint8]:
        """Return an array for each picture.

        Parameters
        ----------
        X : iterable
            Paths, bytes of files, PIL images, or arrays of any size.

        Returns
        -------
        ndarray of uint8, shape (N, 784)
            Grey levels of 28×28 pixels, light ink on black.

        Raises
        ------
        InkwiseError
            X is a single picture; or one cannot be read, or has no ink: the message names its
            index.
        """
        inks = normalise_batch(X)
        return np.array([ink.image for ink in inks], np.uint8).reshape(-1, CANVAS * CANVAS)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = tags.input_tags.string = True
        return tags


_FIRST = np.arange(1)


def _checked_size(size: Any) -> tuple[int, int] | None:
    """Return the parameter `image_size`, if it makes sense."""
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, list | tuple | np.ndarray) else ()
    if len(sides) != 2 or not all(
        isinstance(side, int | np.integer) and side > 0 for side in sides
    ):
        raise ArgumentError(f"image_size must be (height, width), such as (28, 28), not {size!r}")
    return int(sides[0]), int(sides[1])


def _guess_size(pixels: int) -> tuple[int, int]:
    """Return the size of images of so many pixels, if nobody says what it is."""
    side = math.isqrt(pixels)
    if side**2 == pixels:
        return side, side
    warnings.warn(
        f"rows of {pixels} pixels are no squares: each is taken for an image of 1×{pixels}, unless "
        "image_size=(height, width) says otherwise",
        UserWarning,
        stacklevel=5,
    )
    return 1, pixels


def _checked_levels(levels: Any) -> tuple[float, float] | None:
    """Return the parameter `levels`, if it makes sense."""
    if levels is None:
        return None
    both = tuple(levels) if isinstance(levels, list | tuple | np.ndarray) else ()
    numbers = all(isinstance(each, int | float | np.number) and np.isfinite(each) for each in both)
    if len(both) != 2 or not numbers or both[0] == both[1]:
        raise ArgumentError(
            "levels must be two different numbers, those of the background and of full ink, such "
            f"as (0, 255), not {levels!r}"
        )
    return float(both[0]), float(both[1])  # uint8 minus an integer would wrap around


def _warn_beyond(values: NDArray[Any], levels: tuple[float, float], *, found: bool) -> None:
    """Warn of values beyond the levels; those that were found in other images need some room."""
    low, high = sorted(map(float, levels))
    room = (high - low) * (0.5 if found else 1 / 512)
    beyond = np.count_nonzero((values < low - room) | (values > high + room))
    if beyond:
        warnings.warn(
            f"{beyond:,} of {values.size:,} values of X lie beyond the levels {low:g} and "
            f"{high:g}, and count as the nearer of both: scale X, or pass its own "
            "levels=(background, ink)",
            UserWarning,
            stacklevel=5,
        )


def _find_levels(values: NDArray[Any]) -> tuple[float, float]:
    """Return the values that are taken for the background and for full ink."""
    if values.dtype == np.uint8:
        return 0.0, 255.0
    if values.dtype == np.bool_:
        return 0.0, 1.0
    return float(values.min()), float(values.max())


def _to_levels(values: NDArray[Any], levels: tuple[float, float]) -> NDArray[np.uint8]:
    """Return values as grey levels, of which 0 is the background and 255 full ink."""
    low, high = levels
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return values
    span = high - low or 1.0
    return np.rint(((values - low) / span).clip(0, 1) * 255).astype(np.uint8)


def _draw(weights: NDArray[np.float64], seed: int) -> NDArray[np.intp]:
    """Draw as many indices as there are weights, in proportion to them, in ascending order.

    The draw is systematic: an index of weight w comes w / mean times, rounded up or down.
    """
    ends = np.cumsum(weights)
    start = np.random.default_rng(seed).random()
    marks = (np.arange(len(weights)) + start) * (ends[-1] / len(weights))
    return np.searchsorted(ends, marks, side="right").clip(0, len(weights) - 1)
