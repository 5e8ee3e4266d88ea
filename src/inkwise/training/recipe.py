"""The recipe, which is a training configuration: one readable description of a whole training."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset
from inkwise.data.splits import Holdout
from inkwise.errors import ArgumentError, RunError
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layer_documents import layers_from_list, layers_to_list
from inkwise.networks.layers import BatchNorm, Layer, Residual
from inkwise.networks.named import NETWORKS
from inkwise.networks.network import Network, check_layers, complete
from inkwise.networks.rotations import check_rotations
from inkwise.networks.words import nearest
from inkwise.training.augmentation import Augmentation
from inkwise.training.dataclass_documents import read, refuse_unknown
from inkwise.training.schedules import SCHEDULES, Schedule
from inkwise.training.value_checks import (
    MOST,
    check,
    check_above_0,
    check_count,
    check_seed,
    check_share,
)

T = TypeVar("T")


def look_up(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return the value of a name; raise `ArgumentError` with all known names if it is unknown."""
    if name not in known:
        near = nearest(name, known)
        raise ArgumentError(f"unknown {kind} {name!r}{near}: use {', '.join(known)}")
    return known[name]


def lowest(losses: Sequence[float]) -> int:
    """Return the epoch, from 1, after which no validation loss was lower; 0 if there is none."""
    return min(range(len(losses)), key=losses.__getitem__, default=-1) + 1


@dataclasses.dataclass(frozen=True)
class Adam:
    """The optimiser Adam.

    Parameters
    ----------
    learning_rate : float
        The learning rate, above 0.
    beta1, beta2 : float
        Decay rates of the running averages of the gradient and of its square, in [0, 1).
    epsilon : float
        Number added to the denominator for numerical stability, above 0.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        check_above_0("learning rate", self.learning_rate)
        check_share("beta1 of Adam", self.beta1)
        check_share("beta2 of Adam", self.beta2)
        check_above_0("epsilon of Adam", self.epsilon)


@dataclasses.dataclass(frozen=True)
class SGD:
    """The optimiser SGD: stochastic gradient descent with momentum.

    Parameters
    ----------
    learning_rate : float
        The learning rate, above 0.
    momentum : float
        Share of the last update that is added to the next one, in [0, 1).
    """

    learning_rate: float = 0.05
    momentum: float = 0.9

    def __post_init__(self) -> None:
        check_above_0("learning rate", self.learning_rate)
        check_share("momentum", self.momentum)


@dataclasses.dataclass(frozen=True)
class Muon:
    """The optimiser Muon for the kernels of convolutions, and Adam for all other parameters.

    Parameters
    ----------
    learning_rate : float
        The learning rate of Muon, above 0.
    momentum : float
        The momentum of Muon, in [0, 1).
    adam : Adam
        The values of Adam.

    References
    ----------
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    """

    learning_rate: float = 0.1
    momentum: float = 0.6
    adam: Adam = Adam(learning_rate=0.01, beta1=0.7, beta2=0.9, epsilon=1e-8)

    def __post_init__(self) -> None:
        check_above_0("learning rate", self.learning_rate)
        check_share("momentum", self.momentum)
        if not isinstance(self.adam, Adam):
            raise ArgumentError(f"the adam of Muon must be an Adam, not {self.adam!r}")


Optimiser = Adam | SGD | Muon

OPTIMISERS: dict[str, type[Optimiser]] = {"adam": Adam, "sgd": SGD, "muon": Muon}
"""Optimisers by name; constructed without arguments, each has its default values."""


TAGGED: dict[str, type] = {**OPTIMISERS, **SCHEDULES}
"""Classes of a recipe's parts by the word that stands for them in a document."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A training configuration: everything that decides a training, given its data.

    Parameters
    ----------
    name : str
        The recipe's name; a changed recipe keeps the name it started from.
    network : str or tuple of Layer
        A name in `inkwise.networks.named.NETWORKS`, or the layers of a network of your own, from
        `inkwise.networks.layers`. The last is a `Dense` without units: it gets one for each class.
    dropout : float
        Rate of dropout before the last layer, in [0, 1); 0 means no dropout.
    augmentation : Augmentation or None
        Data augmentation of the training images.
    optimiser : Adam, SGD or Muon
        The optimiser; the loss is the cross-entropy, categorical or, of a binary task, binary.
    schedule : OneCycle, Cosine, Plateau or None
        Learning-rate schedule; None keeps the learning rate constant.
    clip_norm : float
        Greatest norm of the gradients of all parameters together, from 0 to 1,000,000: longer ones
        are scaled down to it. 0 means no clipping. Each member of an ensemble is clipped by itself.
    batch_norm : bool
        Whether batch normalisation follows every convolution in training. The trained model has it
        folded into the weights of the convolutions.
    mixed_precision : bool
        Whether a step computes the network in bfloat16 if the processor has units for it.
        Weights, losses and optimisers stay in single precision, and so does the trained model.
    averaging : float
        Decay of the exponential moving average of the weights, in [0, 1). The average is validated
        and kept in place of the last weights; 0 means no averaging.
    outliers : float
        Number of pictures of no class that are added to a batch, as a share of its images, in
        [0, 1). The network learns a low score for them, see `inkwise.training.outliers`.
    positive : str
        Name of the positive class, for a binary task: all other classes together are the other one.
        Without a name the task has all classes.
    class_weights : {"none", "balanced"} or mapping of str to float
        By how much the loss of an image counts, by its class. ``balanced`` lets every class count
        the same in all, however many training images it has; a table has weights above 0 by class,
        and 1 for classes that it leaves out.
    pens : float
        Number of digits drawn by pens, see `inkwise.training.pens`, that are added to the training
        and validation images, as a share of them, from 0 to 10. Only data sets of digits of 28×28
        pixels have any.
    label_smoothing : float
        Share of the target that is spread over all classes, in [0, 1).
    epochs : int
        Number of passes over the training images, each in a new random order.
    patience : int
        Number of epochs in a row without a lower validation loss after which the training ends
        before its last epoch (early stopping); 0 means never.
    best_epoch : bool
        Whether the weights of the epoch with the lowest validation loss are kept, and not those of
        the last.
    hardest : float
        Share of the training images that the second half of the epochs sees, in (0, 1]: those with
        the largest loss when the network last saw them. 1 means all of them.
    freeze_after : float
        Share of the steps after which the first layer is frozen, in (0, 1]; 1 means never.
    batch_size : int
        Number of images in a batch.
    rotations : tuple of float
        Angles of the test-time augmentation, in degrees counter-clockwise, from -90 to 90. The
        trained model sees every image at each angle, and its answer is the mean over them.
    calibrate : bool
        Whether temperature scaling, and the limits below which the model abstains, are chosen on
        the validation images after the training.
    holdout : Holdout
        How validation images are set apart.
    seed : int
        Seed of the weights, the order of images, dropout, data augmentation and a stratified
        holdout, from 0 to 2³² − 1.

    Raises
    ------
    ArgumentError
        A value is out of range or unknown.

    Examples
    --------
    >>> import inkwise
    >>> recipe = inkwise.get_recipe("case-study")
    >>> recipe.epochs, recipe.batch_size, recipe.optimiser.learning_rate
    (5, 64, 0.001)
    >>> recipe.describe_network((28, 28), 10).parameter_count
    93322
    >>> inkwise.Recipe.from_dict(recipe.to_dict()) == recipe
    True
    """

    name: str
    network: str | tuple[Layer, ...]
    dropout: float = 0.0
    augmentation: Augmentation | None = None
    optimiser: Optimiser = dataclasses.field(default_factory=Adam)
    schedule: Schedule | None = None
    clip_norm: float = 0.0
    batch_norm: bool = False
    mixed_precision: bool = False
    averaging: float = 0.0
    outliers: float = 0.0
    positive: str = ""
    class_weights: Literal["none", "balanced"] | Mapping[str, float] = "none"
    pens: float = 0.0
    label_smoothing: float = 0.0
    epochs: int = 5
    patience: int = 0
    best_epoch: bool = False
    hardest: float = 1.0
    freeze_after: float = 1.0
    batch_size: int = 64
    rotations: tuple[float, ...] = (0.0,)
    calibrate: bool = False
    holdout: Holdout = dataclasses.field(default_factory=Holdout)
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_network()
        check_share("dropout rate", self.dropout)
        check_share("label smoothing", self.label_smoothing)
        check_share("share of outliers", self.outliers)
        check(
            "share of drawn digits",
            self.pens,
            int | float,
            lambda share: 0 <= share <= 10,
            "lie in [0, 10]",
        )
        check(
            "norm of clipping",
            self.clip_norm,
            int | float,
            lambda norm: 0 <= norm <= MOST,
            f"lie in [0, {MOST:,}]",
        )
        check_share("decay of the averaged weights", self.averaging)
        check_rotations(self.rotations)
        if not isinstance(self.positive, str):
            raise ArgumentError(f"positive must be the name of a class, not {self.positive!r}")
        if not isinstance(self.class_weights, Mapping):
            if self.class_weights not in ("none", "balanced"):
                raise ArgumentError(
                    "class_weights must be none or balanced, or a table of weights by class, not "
                    f"{self.class_weights!r}"
                )
        else:
            for name, weight in self.class_weights.items():
                check_above_0(f"weight of the class {name}", weight)
        for what in ("batch_norm", "mixed_precision", "best_epoch", "calibrate"):
            flag = getattr(self, what)
            if not isinstance(flag, bool):
                raise ArgumentError(f"{what} must be true or false, not {flag!r}")
        for what, value in (
            ("share of hardest images", self.hardest),
            ("share of steps before freezing", self.freeze_after),
        ):
            check(what, value, int | float, lambda share: 0 < share <= 1, "lie in (0, 1]")
        for what, value in (("epochs", self.epochs), ("batch size", self.batch_size)):
            check_count(what, value)
        check(
            "patience",
            self.patience,
            int,
            lambda count: 0 <= count <= MOST,
            f"be a whole number from 0 to {MOST:,}",
        )
        check_seed("seed", self.seed)
        for what, part, kinds in (
            ("augmentation", self.augmentation, Augmentation | None),
            ("optimiser", self.optimiser, Optimiser),
            ("schedule", self.schedule, Schedule | None),
            ("holdout", self.holdout, Holdout),
        ):
            if not isinstance(part, kinds):
                raise ArgumentError(f"the {what} must be of type {kinds}, not {part!r}")

    def _check_network(self) -> None:
        try:
            if isinstance(self.network, str):
                look_up("network", self.network, NETWORKS)
                return
            check_layers(self.network)
        except ArgumentError as error:
            raise ArgumentError(str(error), ("network", *error.place)) from error
        inner = [*self.network]
        for layer in self.network:
            inner += (*layer.layers, *layer.shortcut) if isinstance(layer, Residual) else ()
        if self.batch_norm and any(isinstance(layer, BatchNorm) for layer in inner):
            raise ArgumentError(
                "batch_norm puts batch normalisation behind every convolution, and the network has "
                "some of its own: leave one of them out"
            )

    def stops_after(self, losses: Sequence[float]) -> bool:
        """Return whether a training ends early after epochs with these validation losses."""
        return 0 < self.patience <= len(losses) - lowest(losses)

    def keeps(self, losses: Sequence[float]) -> int:
        """Return the epoch, from 1, whose weights are kept of epochs with these losses."""
        return lowest(losses) if self.best_epoch else len(losses)

    def describe_network(self, image_size: tuple[int, int], classes: int) -> Network | Ensemble:
        """Return the network or ensemble for images of this height and width and these classes.

        Raises
        ------
        ArgumentError
            The images are too small for the network, or its layers do not fit on one another.
        """
        try:
            if not isinstance(self.network, str):
                return complete(image_size, self.network, classes, self.dropout)
        except ArgumentError as error:
            raise ArgumentError(str(error), ("network", *error.place)) from error
        try:
            return NETWORKS[self.network](image_size, classes, self.dropout)
        except ArgumentError as error:
            size = "×".join(map(str, image_size))
            raise ArgumentError(
                f"images of {size} do not fit the network {self.network}: {error}; enlarge them"
            ) from error

    def task(self, data: Dataset) -> Dataset:
        """Return a data set as the task of this recipe: of all classes, or binary.

        Raises
        ------
        ArgumentError
            The data set has no such class.
        """
        if not self.positive:
            return data
        try:
            return data.against_the_rest(self.positive)
        except ArgumentError as error:
            raise ArgumentError(str(error), ("positive",)) from error

    def weigh_classes(
        self, labels: NDArray[np.int64], class_names: Sequence[str]
    ) -> NDArray[np.float32] | None:
        """Return by how much the loss of an image counts, by its class.

        Parameters
        ----------
        labels : ndarray of int64, shape (N,)
            Labels of all training images.
        class_names : sequence of str
            Names of the K classes.

        Returns
        -------
        ndarray of float32, shape (K,), or None
            None if all classes weigh the same. Balanced weights have a mean of 1 over the images.

        Raises
        ------
        ArgumentError
            The recipe has a weight for a class that does not exist.
        """
        if isinstance(self.class_weights, Mapping):
            for name in self.class_weights:
                if name not in class_names:
                    raise ArgumentError(
                        f"there is no class {name!r}{nearest(name, class_names)}: use "
                        f"{', '.join(class_names)}",
                        ("class_weights", name),
                    )
            weights = [self.class_weights.get(name, 1.0) for name in class_names]
            return np.array(weights, dtype=np.float32)
        if self.class_weights == "none":
            return None
        counts = np.bincount(labels, minlength=len(class_names))
        balanced = len(labels) / (np.count_nonzero(counts) * counts.clip(min=1))
        return balanced.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as JSON values, which `from_dict` reads."""
        document = dataclasses.asdict(self)
        kinds = {cls: kind for kind, cls in TAGGED.items()}
        if not isinstance(self.network, str):
            document["network"] = layers_to_list(self.network)
        document["rotations"] = list(self.rotations)
        document["optimiser"] = {"kind": kinds[type(self.optimiser)], **document["optimiser"]}
        if self.schedule is not None:
            document["schedule"] = {"kind": kinds[type(self.schedule)], **document["schedule"]}
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Recipe":
        """Make a recipe from what `to_dict` returned.

        Raises
        ------
        RunError
            The document is not a recipe.
        """
        try:
            return recipe_of(document)
        except ArgumentError as error:
            raise RunError(
                f"the recipe is damaged: {'.'.join(map(str, error.place))} {error}"
            ) from error


def recipe_of(document: object) -> Recipe:
    """Make a recipe from a document, such as `Recipe.to_dict` returns or a TOML file holds.

    Values that are not there are as by default.

    Raises
    ------
    ArgumentError
        The document is not a recipe; with the place of what is wrong in it.
    """
    if isinstance(document, Mapping):
        _refuse_misplaced(document)
        if "network" not in document:
            raise ArgumentError(
                'network is missing: write network = "case-study", or a list of layers; `inkwise '
                "recipes show case-study` prints a whole recipe"
            )
    if isinstance(document, Mapping) and not isinstance(document["network"], str):
        try:
            layers = layers_from_list(document["network"])
        except ArgumentError as error:
            raise ArgumentError(str(error), ("network", *error.place)) from error
        document = {**document, "network": layers}
    schedule = document.get("schedule") if isinstance(document, Mapping) else None
    if isinstance(document, Mapping) and isinstance(schedule, Mapping):
        if schedule.keys() == {"start", "peak", "end"}:  # as earlier versions wrote it
            schedule = {"kind": "one_cycle", **schedule}
        document = {**document, "schedule": schedule}
    return read(Recipe, document, TAGGED)


_PARTS: dict[str, tuple[type, ...]] = {
    "augmentation": (Augmentation,),
    "optimiser": tuple(OPTIMISERS.values()),
    "schedule": tuple(SCHEDULES.values()),
    "holdout": (Holdout,),
}


def _refuse_misplaced(document: Mapping[str, Any]) -> None:
    """Refuse a key that is unknown or that another part of a recipe has, and say which one."""
    own = [field.name for field in dataclasses.fields(Recipe)]
    keys = {
        part: [field.name for cls in classes for field in dataclasses.fields(cls)]
        for part, classes in _PARTS.items()
    }
    for key in document:
        for part in _PARTS if key not in own else ():
            if key in keys[part]:
                told = f"{key} belongs to {part}: write {part}.{key}, or it below a line [{part}]"
                raise ArgumentError(told, (key,))
            if not nearest(key, own) and (near := nearest(key, keys[part], 0.8)):
                raise ArgumentError(f"unknown key {key!r}{near}, which belongs to {part}", (key,))
        refuse_unknown(key, own, ())
    for part in _PARTS:
        values = document.get(part)
        for key in values if isinstance(values, Mapping) else ():
            if key in own and key not in keys[part]:
                told = f"{key} belongs to no part: write it above the first line in brackets"
                raise ArgumentError(told, (part, key))
