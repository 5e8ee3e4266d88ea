import json
from typing import Any

import pytest
from hypothesis import given

from inkwise.errors import ArgumentError, ModelError
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, Layer, MaxPool, Network
from tests.networks import networks

LAYERS = (Conv(2, 3), MaxPool(2), Flatten(), Dropout(0.5), Dense(4, relu=False))
LISTED = Network((8, 9), LAYERS).to_list()
ENDING: list[Layer] = [Flatten(), Dense(4)]


def test_a_summary_follows_the_shape_of_one_image() -> None:
    lines = Network((8, 9), LAYERS).summary()
    # 8×9 → 6×7 by the convolution → 3×3 by the pooling, which cuts the seventh column.
    assert [(line.name, line.output_shape) for line in lines] == [
        ("conv1", (6, 7, 2)),
        ("pool1", (3, 3, 2)),
        ("flatten1", (18,)),
        ("dropout1", (18,)),
        ("dense1", (4,)),
    ]
    assert [line.layer for line in lines] == list(LAYERS)
    assert [line.parameter_count for line in lines] == [2 * 9 + 2, 0, 0, 0, 18 * 4 + 4]
    assert [line.flops for line in lines] == [6 * 7 * 2 * (2 * 9 + 1), 0, 0, 0, 4 * (2 * 18 + 1)]


def test_a_stride_skips_what_it_does_not_reach() -> None:
    (line, *_) = Network((11, 12), (Conv(2, 4, stride=3), *ENDING)).summary()
    assert line.output_shape == (3, 3, 2)
    assert line.flops == 3 * 3 * 2 * (2 * 16 + 1)


def test_a_network_adds_its_layers_up() -> None:
    network = Network((8, 9), LAYERS)
    assert network.classes == 4
    assert network.parameter_count == 20 + 76
    assert network.flops == 1596 + 148


def test_a_second_layer_of_a_kind_has_a_name_of_its_own() -> None:
    network = Network((8, 8), (Conv(2, 3), Conv(5, 3), Flatten(), Dense(4), Dense(3)))
    names = [name for line in network.summary() for name in line.parameters]
    assert names == [
        f"{layer}.{role}"
        for layer in ("conv1", "conv2", "dense1", "dense2")
        for role in ("weight", "bias")
    ]
    assert network.summary()[1].parameters["conv2.weight"] == (5, 2, 3, 3)


@given(network=networks())
def test_the_way_through_json_changes_nothing(network: Network) -> None:
    document = json.loads(json.dumps(network.to_list(), allow_nan=False))
    assert Network.from_list(network.image_size, document) == network


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv(32, 3), "3×3 convolution, 32 filters, ReLU"),
        (Conv(16, 6, stride=2), "6×6 convolution, 16 filters, stride 2, ReLU"),
        (Conv(32, 3, relu=False), "3×3 convolution, 32 filters"),
        (MaxPool(2), "2×2 maximum pooling"),
        (Flatten(), "feature map to vector"),
        (Dropout(0.25), "dropout, 25% of the values in training"),
        (Dense(10, relu=False), "fully connected, 10 units"),
    ],
)
def test_a_layer_says_what_it_does(layer: Layer, text: str) -> None:
    assert str(layer) == text


@pytest.mark.parametrize("count", [0, -1, 65_537, 1.5, 2.0, True, "3", None])
def test_a_count_is_a_whole_number_of_reasonable_size(count: Any) -> None:
    for make in (
        Dense,
        MaxPool,
        lambda it: Conv(it, 3),
        lambda it: Conv(8, it),
        lambda it: Conv(8, 3, stride=it),
    ):
        with pytest.raises(ArgumentError, match="must be a whole number from 1 to 65536"):
            make(count)
    for image_size in ((count, 28), (28, count)):
        with pytest.raises(ArgumentError, match="height and width must be a whole number"):
            Network(image_size, tuple(ENDING))


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan"), float("inf")])
def test_a_dropout_rate_outside_of_its_range_is_refused(rate: float) -> None:
    with pytest.raises(ArgumentError, match=r"must lie in \[0, 1\)"):
        Dropout(rate)


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([], "must end in a dense layer"),
        ([Flatten()], "must end in a dense layer"),
        ([Flatten(), Dense(4), Dropout(0.5)], "must end in a dense layer"),
        ([Dense(4)], "dense1 cannot take an input"),
        ([Flatten(), Flatten(), Dense(4)], "flatten2 cannot take an input"),
        ([Flatten(), Conv(2, 3), Dense(4)], "conv1 cannot take an input"),
        ([Flatten(), MaxPool(2), Dense(4)], "pool1 cannot take an input"),
        ([Conv(2, 9), *ENDING], "conv1 needs at least 9×9 pixels"),
        ([MaxPool(2), Conv(2, 4), Conv(2, 2), *ENDING], "conv2 needs at least 2×2 pixels"),
        ([MaxPool(5), MaxPool(2), *ENDING], "pool2 has fewer than 2×2 pixels"),
    ],
)
def test_layers_that_do_not_fit_on_one_another_are_refused(layers: list[Layer], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        Network((8, 9), tuple(layers))


@pytest.mark.parametrize("image_size", [(), (8,), (8, 8, 1)])
def test_an_image_size_is_a_height_and_a_width(image_size: Any) -> None:
    with pytest.raises(ArgumentError):
        Network(image_size, tuple(ENDING))


def damaged(place: int, **values: Any) -> list[dict[str, Any]]:
    return [{**layer, **(values if i == place else {})} for i, layer in enumerate(LISTED)]


@pytest.mark.parametrize(
    "layers",
    [
        [],
        None,
        5,
        "dense",
        [None],
        ["dense"],
        [5],
        [{}],
        [{"units": 4}],
        LISTED[:-1],
        LISTED[1:-2] + LISTED[-1:] + LISTED[-1:] + [{"layer": "flatten"}],
        damaged(0, layer="convolution"),
        damaged(0, layer=["conv"]),
        damaged(0, layer=None),
        damaged(0, filters=0),
        damaged(0, filters=10**12),
        damaged(0, filters="2"),
        damaged(0, kernel=3.0),
        damaged(0, kernel=9),
        damaged(0, relu="no"),
        damaged(0, relu=0),
        damaged(0, stride=0),
        damaged(0, stride="1"),
        damaged(0, dilation=1),
        damaged(1, size=None),
        damaged(2, size=2),
        damaged(3, rate="half"),
        damaged(3, rate=None),
        damaged(3, rate=1.0),
        damaged(4, units=[4]),
        damaged(4, relu=None),
        [{"layer": "flatten"}, {"layer": "dense"}],
    ],
)
def test_a_damaged_description_is_a_model_error(layers: Any) -> None:
    with pytest.raises(ModelError, match="the network's description"):
        Network.from_list((8, 9), layers)


@pytest.mark.parametrize("image_size", [(0, 9), (8.0, 9.0), ("8", "9"), (10**30, 9), (8,), (2, 2)])
def test_a_damaged_image_size_is_a_model_error(image_size: Any) -> None:
    with pytest.raises(ModelError, match="the network's description"):
        Network.from_list(image_size, LISTED)
