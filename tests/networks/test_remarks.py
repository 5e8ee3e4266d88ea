import pytest

from inkwise.networks.layers import Activation, Conv, Dense, Flatten, GlobalPool, Layer, MaxPool
from inkwise.networks.named import NETWORKS
from inkwise.networks.network import Network
from inkwise.networks.remarks import remarks


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ((Conv(8, 21, "relu"), GlobalPool(), Dense(10)), []),
        (
            (Conv(8, 21, "relu"), Flatten(), Dense(64, "relu"), Dense(10)),
            ["dense1 has 89% of all parameters: pool before it, or put global_pool in place"],
        ),
        (
            (Conv(8, 5, "relu"), GlobalPool(), Dense(1)),
            ["conv1 sees 5×5 pixels, less than a digit of 20×20"],
        ),
        (
            (Conv(8, 21), Conv(8, 3, stride=4), GlobalPool(), Dense(2)),
            ["conv2 skips pixels: its stride 4 is larger than its side 3", "conv1 has no activa"],
        ),
        (
            (Conv(8, 21, "relu"), MaxPool(1, 2), GlobalPool(), Dense(10)),
            ["pool1 skips pixels: its stride 2 is larger than its side 1"],
        ),
        ((Conv(8, 21), Activation("relu"), Conv(8, 1), GlobalPool(), Dense(2)), []),
        ((Flatten(), Dense(8), Dense(2)), ["dense1 has no activation before dense2"]),
    ],
)
def test_what_looks_wrong_is_told(layers: tuple[Layer, ...], told: list[str]) -> None:
    found = remarks(Network((28, 28), layers))
    assert len(found) == len(told)
    for remark, beginning in zip(found, told, strict=True):
        assert remark.startswith(beginning)


def test_a_shortcut_may_stride() -> None:
    network = NETWORKS["small-resnet"]((28, 28), 10, 0.0)
    assert isinstance(network, Network)
    assert not any("shortcut" in remark for remark in remarks(network))
