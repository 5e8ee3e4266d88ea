"""The networks that recipes refer to by name."""

from collections.abc import Callable

from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    MaxPool,
    Residual,
)
from inkwise.networks.network import Network, complete


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


def perceptron(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return a perceptron with one hidden layer of 300 units, which knows no neighbouring pixels.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the last dense one, from 0 (none) to below 1.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86 (1998) 2278–2324, section III.C.5.
    """
    return complete(image_size, (Flatten(), Dense(300, "tanh"), Dense()), classes, dropout)


def lenet5(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return LeNet-5 as it is built today.

    The paper's second convolution leaves out some connections, its poolings have a trained factor
    and bias, and its last layer measures distances to drawn characters. Its images are padded to
    32×32 pixels, which the padding of the first convolution does here.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels, each at least 28.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the last dense one, from 0 (none) to below 1.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86 (1998) 2278–2324, section II.B.
    """
    layers = (
        Conv(6, 5, "tanh", padding="same"),
        AveragePool(2),
        Conv(16, 5, "tanh"),
        AveragePool(2),
        Conv(120, 5, "tanh"),
        Flatten(),
        Dense(84, "tanh"),
        Dense(),
    )
    return complete(image_size, layers, classes, dropout)


def small_vgg(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return a small network in the manner of VGG: pairs of 3×3 convolutions between poolings.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels, each at least 4.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the last dense one, from 0 (none) to below 1.

    References
    ----------
    K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition",
    ICLR 2015, arXiv:1409.1556.
    """
    layers: tuple[Layer, ...] = (
        *(Conv(32, 3, "relu", padding="same", init="he_normal") for _ in range(2)),
        MaxPool(2),
        *(Conv(64, 3, "relu", padding="same", init="he_normal") for _ in range(2)),
        MaxPool(2),
        Flatten(),
        Dropout(0.5),
        Dense(128, "relu", init="he_normal"),
        Dropout(0.5),
        Dense(),
    )
    return complete(image_size, layers, classes, dropout)


def small_resnet(image_size: tuple[int, int], classes: int, dropout: float = 0.0) -> Network:
    """Return a small residual network: one block each of 16, 32 and 64 filters.

    Parameters
    ----------
    image_size : tuple of int
        Height and width in pixels.
    classes : int
        Number of classes.
    dropout : float
        Rate of a dropout layer before the dense one, from 0 (none) to below 1.

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016,
    section 4.2, with a projection where the shape changes.
    """

    def convolution(filters: int, kernel: int = 3, stride: int = 1) -> tuple[Layer, Layer]:
        conv = Conv(filters, kernel, stride=stride, padding="same", init="he_normal", l2=5e-5)
        return conv, BatchNorm()

    relu = Activation("relu")
    blocks: list[Layer] = []
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        layers: tuple[Layer, ...] = (
            *convolution(filters, stride=stride),
            relu,
            *convolution(filters),
        )
        shortcut = convolution(filters, 1, stride) if stride > 1 else ()
        blocks += [Residual(layers, shortcut), relu]
    return complete(
        image_size, (*convolution(16), relu, *blocks, GlobalPool(), Dense()), classes, dropout
    )


NETWORKS: dict[str, Callable[[tuple[int, int], int, float], Network | Ensemble]] = {
    "case-study": case_study,
    "swift": swift,
    "precise": precise,
    "ensemble": ensemble,
    "perceptron": perceptron,
    "lenet-5": lenet5,
    "small-vgg": small_vgg,
    "small-resnet": small_resnet,
}
"""Networks by name: functions of image size, number of classes and dropout rate."""
