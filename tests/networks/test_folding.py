import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inkwise.networks.folding import fold
from inkwise.networks.layers import Activation, BatchNorm, Conv, Dense, Flatten, MaxPool, Residual
from inkwise.networks.network import Network
from tests.networks import draw_weights, networks
from tests.networks.test_as_onnx import answers_of_torch, draw_images


@given(network=networks(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_a_folded_network_gives_the_same_answers(network: Network, seed: int) -> None:
    weights, images = draw_weights(network, seed), draw_images(network, 3)
    folded, fewer = fold(network, weights)
    assert {name: array.shape for name, array in fewer.items()} == {
        name: shape for line in folded.summary() for name, shape in line.parameters.items()
    }
    np.testing.assert_allclose(
        answers_of_torch(folded, fewer, images),
        answers_of_torch(network, weights, images),
        atol=1e-5,
    )


def test_only_what_directly_follows_weights_is_folded() -> None:
    block = Residual((Conv(2, 3, padding="same"), BatchNorm(), Activation("relu")))
    network = Network(
        (12, 12),
        (
            *(BatchNorm(), Conv(2, 3), BatchNorm(), BatchNorm(), Activation("relu")),
            *(block, BatchNorm(), Conv(2, 3, "relu"), BatchNorm(), MaxPool(2), BatchNorm()),
            *(Flatten(), Dense(4), BatchNorm(), Dense(2)),
        ),
    )
    folded, _ = fold(network, draw_weights(network))
    assert folded.layers == (
        *(BatchNorm(), Conv(2, 3), Activation("relu")),
        Residual((Conv(2, 3, padding="same"), Activation("relu"))),
        *(BatchNorm(), Conv(2, 3, "relu"), BatchNorm(), MaxPool(2), BatchNorm()),
        *(Flatten(), Dense(4), Dense(2)),
    )
