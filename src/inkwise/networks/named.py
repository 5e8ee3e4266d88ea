"""The networks that recipes refer to by name."""

from collections.abc import Callable

from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, Layer, MaxPool, Network


def case_study(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return the network of the classic MNIST case study.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels, each at least 18.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the last dense one, from 0 (none) to below 1.

    References
    ----------
    F. Chollet, "Deep Learning with Python", Manning, 2018, section 5.1.
    """
    return Network(
        image_size,
        (
            Conv(32, 3, "relu"),
            MaxPool(2),
            Conv(64, 3, "relu"),
            MaxPool(2),
            Conv(64, 3, "relu"),
            Flatten(),
            Dense(64, "relu"),
            *([Dropout(dropout)] if dropout else []),
            Dense(classes),
        ),
    )


def swift(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return a network that costs a tenth of the case study's operations.

    A first stride of 2 and a pooling make the feature maps small early; there is no second pooling.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels, each at least 16.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the dense one, from 0 (none) to below 1.
    """
    return Network(
        image_size,
        (
            Conv(16, 6, "relu", stride=2),
            MaxPool(2),
            Conv(64, 3, "relu"),
            Flatten(),
            *([Dropout(dropout)] if dropout else []),
            Dense(classes),
        ),
    )


def precise(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return a network large enough to learn other people's handwriting, and other devices.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels, each at least 24.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the dense one, from 0 (none) to below 1.
    """
    return Network(
        image_size,
        (
            Conv(32, 5, "relu"),
            MaxPool(2),
            Conv(64, 3, "relu"),
            Conv(128, 3, "relu"),
            MaxPool(2),
            Conv(224, 3, "relu"),
            Flatten(),
            *([Dropout(dropout)] if dropout else []),
            Dense(classes),
        ),
    )


def ensemble(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Ensemble:
    """Return four different networks, with first kernels from 3×3 to 7×7.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels, each at least 24.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before each dense one, from 0 (none) to below 1.
    """
    last: tuple[Layer, ...] = (
        Flatten(),
        *([Dropout(dropout)] if dropout else []),
        Dense(classes),
    )
    fronts = (
        (
            Conv(32, 3, "relu"),
            Conv(32, 3, "relu"),
            MaxPool(2),
            Conv(64, 3, "relu"),
            Conv(128, 3, "relu"),
            MaxPool(2),
            Conv(224, 3, "relu"),
        ),
        (
            Conv(32, 5, "relu"),
            MaxPool(2),
            Conv(64, 3, "relu"),
            Conv(96, 3, "relu"),
            Conv(96, 3, "relu"),
            Conv(128, 3, "relu"),
        ),
        (
            Conv(48, 7, "relu"),
            MaxPool(2),
            Conv(96, 3, "relu"),
            Conv(160, 3, "relu"),
            MaxPool(2),
            Conv(256, 3, "relu"),
        ),
    )
    return Ensemble(
        (
            precise(image_size, classes, dropout),
            *(Network(image_size, (*front, *last)) for front in fronts),
        )
    )


NETWORKS: dict[str, Callable[[tuple[int, int], int, float], Network | Ensemble]] = {
    "case-study": case_study,
    "swift": swift,
    "precise": precise,
    "ensemble": ensemble,
}
"""Networks by name: functions of image size, number of classes and dropout rate."""
