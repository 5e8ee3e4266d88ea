"""Tests of the networks, and networks drawn at random for them."""

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from inkwise.errors import ArgumentError
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import (
    ACTIVATIONS,
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
    SpatialDropout,
)
from inkwise.networks.network import Network

COUNTS = st.integers(1, 3)
RATES = st.floats(0, 0.9)
STRIDES = st.none() | st.integers(1, 3)
FUNCTIONS = st.sampled_from(ACTIVATIONS)
DENSES = st.builds(Dense, st.integers(1, 5), FUNCTIONS)
PLAIN_DENSES = st.builds(Dense, st.integers(1, 5), st.sampled_from(["linear", "relu"]))
PADDINGS = st.sampled_from(["valid", "same"])
UNCHANGED: st.SearchStrategy[Layer] = st.one_of(
    st.builds(BatchNorm),
    st.builds(Activation, FUNCTIONS),
    st.builds(Activation, st.just("leaky_relu"), st.sampled_from([0.0, 0.2, 0.3])),
    st.builds(Dropout, RATES),
)
POOLS: st.SearchStrategy[Layer] = st.builds(MaxPool, COUNTS, STRIDES, PADDINGS) | st.builds(
    AveragePool, COUNTS, STRIDES, PADDINGS
)


@st.composite
def convolutions(draw: st.DrawFn, channels: int) -> Conv:
    """Draw a convolution that takes this many channels."""
    groups = draw(st.sampled_from([each for each in range(1, channels + 1) if not channels % each]))
    stride = draw(st.integers(1, 2))
    return Conv(
        groups * draw(COUNTS),
        draw(st.integers(1, 4)),
        draw(FUNCTIONS),
        stride,
        draw(PADDINGS),
        draw(st.integers(1, 2)) if stride == 1 else 1,
        groups,
    )


@st.composite
def residuals(draw: st.DrawFn, channels: int) -> Residual:
    """Draw a residual block that takes feature maps of this many channels."""
    unchanged = st.lists(UNCHANGED, max_size=2)
    filters, stride = draw(COUNTS), draw(st.integers(1, 2))
    first = Conv(filters, draw(COUNTS), draw(FUNCTIONS), stride, "same")
    second = Conv(filters, draw(COUNTS), draw(FUNCTIONS), padding="same")
    layers: list[Layer] = [*draw(unchanged), first, *draw(unchanged), second, *draw(unchanged)]
    shortcut: list[Layer] = []
    if stride > 1 or filters != channels or draw(st.booleans()):
        shortcut = [Conv(filters, draw(COUNTS), "linear", stride, "same"), *draw(unchanged)]
    return Residual(tuple(layers), tuple(shortcut))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw small networks of every layer in every order that is allowed."""
    image_size = draw(st.tuples(st.integers(4, 14), st.integers(4, 14)))
    maps: list[Layer] = []
    channels = 1
    for _ in range(draw(st.integers(0, 4))):
        layer: Layer = draw(
            convolutions(channels)
            | residuals(channels)
            | POOLS
            | UNCHANGED
            | st.builds(SpatialDropout, RATES)
        )
        maps.append(layer)
        match layer:
            case Conv(filters):
                channels = filters
            case Residual(layers):
                channels = next(each.filters for each in layers if isinstance(each, Conv))
    ending: Layer = draw(
        st.builds(Flatten) | st.builds(GlobalPool, st.sampled_from(["average", "max"]))
    )
    vectors = draw(st.lists(DENSES | UNCHANGED | vector_residuals(), max_size=3))
    return _fitting(image_size, (*maps, ending, *vectors, draw(PLAIN_DENSES)))


@st.composite
def vector_residuals(draw: st.DrawFn) -> Residual:
    """Draw a residual block that takes vectors of any length."""
    units = draw(st.integers(1, 4))
    layers = (Dense(draw(st.integers(1, 4)), draw(FUNCTIONS)), draw(UNCHANGED), Dense(units))
    return Residual(layers, (Dense(units),))


def _fitting(image_size: tuple[int, int], layers: tuple[Layer, ...]) -> Network:
    try:
        return Network(image_size, layers)
    except ArgumentError:  # the maps have shrunk away
        reject()


@st.composite
def ensembles(draw: st.DrawFn) -> Ensemble:
    """Draw ensembles of two or three small networks."""
    image_size = draw(st.tuples(st.integers(6, 14), st.integers(6, 14)))
    ending = (Flatten(), draw(PLAIN_DENSES))
    fronts: list[list[Layer]] = draw(
        st.lists(
            st.lists(st.builds(Conv, COUNTS, COUNTS, FUNCTIONS), max_size=2),
            min_size=2,
            max_size=3,
        )
    )
    return Ensemble(tuple(Network(image_size, (*front, *ending)) for front in fronts))


def draw_weights(network: Network | Ensemble, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Draw weights for a network, its biases too; variances are above 0."""
    generator = np.random.default_rng(seed)
    weights = {}
    for line in network.summary():
        for name, shape in line.parameters.items():
            array = generator.normal(0, 0.3, shape).astype(np.float32)
            weights[name] = abs(array) + np.float32(0.1) if name.endswith("_var") else array
    return weights
