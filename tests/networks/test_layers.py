import itertools
import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from inkwise.errors import ArgumentError, ModelError
from inkwise.networks.layer_documents import layers_from_list
from inkwise.networks.layers import (
    Activation,
    AveragePool,
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
from inkwise.networks.network import Network, complete
from tests.networks import networks

LAYERS = (Conv(2, 3, "relu"), MaxPool(2), Flatten(), Dropout(0.5), Dense(4))
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
    (line, *_) = Network((11, 12), (Conv(2, 4, "relu", stride=3), *ENDING)).summary()
    assert line.output_shape == (3, 3, 2)
    assert line.flops == 3 * 3 * 2 * (2 * 16 + 1)


def test_a_network_adds_its_layers_up() -> None:
    network = Network((8, 9), LAYERS)
    assert network.classes == 4
    assert network.parameter_count == 20 + 76
    assert network.flops == 1596 + 148


def test_a_second_layer_of_a_kind_has_a_name_of_its_own() -> None:
    network = Network(
        (8, 8),
        (Conv(2, 3, "relu"), Conv(5, 3, "relu"), Flatten(), Dense(4, "relu"), Dense(3, "relu")),
    )
    names = [name for line in network.summary() for name in line.parameters]
    assert names == [
        f"{layer}.{role}"
        for layer in ("conv1", "conv2", "dense1", "dense2")
        for role in ("weight", "bias")
    ]
    assert network.summary()[1].parameters["conv2.weight"] == (5, 2, 3, 3)


@given(network=networks())
def test_a_summary_in_print_is_a_table_of_its_lines(network: Network) -> None:
    summary = network.summary()
    head, rule, *rows, again, sums = str(summary).splitlines()
    assert rule == again == "─" * len(head)
    assert len(rows) == len(summary)
    for line, row in zip(summary, rows, strict=True):
        assert row.startswith(f"{line.name} ")
        cells = re.split(" {2,}", row)
        assert cells[1:3] == [str(line.layer), "×".join(map(str, line.output_shape))]
        assert cells[3:5] == [f"{line.parameter_count:,}", f"{line.multiply_adds:,}"]
        side = int(cells[-1].partition("×")[0])
        assert side == min(line.field.side, max(network.image_size))
    assert sums.split()[:2] == ["all", f"{network.parameter_count:,}"]
    for place in (head.index("output") + 6, head.index("parameters") + 10, len(head)):
        assert all(row[place - 1] != " " and row[place:][:1] in ("", " ") for row in rows)


@given(network=networks())
def test_the_way_through_json_changes_nothing(network: Network) -> None:
    document = json.loads(json.dumps(network.to_list(), allow_nan=False))
    assert Network.from_list(network.image_size, document) == network


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv(32, 3, "relu"), "3×3 convolution, 32 filters, ReLU"),
        (Conv(16, 6, "relu", stride=2), "6×6 convolution, 16 filters, stride 2, ReLU"),
        (Conv(32, 3), "3×3 convolution, 32 filters"),
        (MaxPool(2), "2×2 maximum pooling"),
        (AveragePool(3, 2, "same"), "3×3 average pooling, stride 2, padded"),
        (Activation("leaky_relu"), "activation leaky ReLU"),
        (Activation("leaky_relu", 0.3), "activation leaky ReLU, slope 0.3"),
        (Flatten(), "feature map to vector"),
        (Dropout(0.25), "dropout, 25% of the values in training"),
        (Dense(10), "fully connected, 10 units"),
    ],
)
def test_a_layer_says_what_it_does(layer: Layer, text: str) -> None:
    assert str(layer) == text


@pytest.mark.parametrize("count", [0, -1, 65_537, 1.5, 2.0, True, "3", None])
def test_a_count_is_a_whole_number_of_reasonable_size(count: Any) -> None:
    for make in (
        lambda it: Dense(it or 0),
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
        ([Flatten(), Dense(4, "relu"), Dropout(0.5)], "must end in a dense layer"),
        (
            [Dense(4)],
            (
                "dense1, layer 0 of the network, takes a vector, and a feature map of 8×9×1 "
                "comes to it: put flatten or global_pool before it"
            ),
        ),
        (
            [Flatten(), Flatten(), Dense(4)],
            "flatten2, layer 1 .* takes a feature map, and a vector of 72 numbers comes to it",
        ),
        ([Flatten(), Conv(2, 3), Dense(4)], "conv1, layer 1 .* takes a feature map"),
        ([Flatten(), MaxPool(2), Dense(4)], "pool1, layer 1 .* takes a feature map"),
        ([GlobalPool(), SpatialDropout(0.1), Dense(4)], "spatial_dropout1, layer 1 .* takes a"),
        (
            [Conv(2, 9), *ENDING],
            "needs at least 9×9 pixels, and 8×9×1 comes to it: use a kernel of at most 8, padding",
        ),
        ([Conv(2, 5, dilation=2), *ENDING], "at least 9×9 pixels, .* a kernel of at most 4, pad"),
        (
            [MaxPool(2), Conv(2, 4), Conv(2, 2), *ENDING],
            "conv2, layer 2 .* needs at least 2×2 pixels, and 1×1×2 comes to it",
        ),
        (
            [MaxPool(5), AveragePool(2), *ENDING],
            "average_pool1, .* needs at least 2×2 pixels, and 1×1×1 .* a size of at most 1",
        ),
        (
            [Conv(6, 3), Conv(8, 3, groups=4), *ENDING],
            "conv2, .* shares 6 channels among 4 groups: use a number of groups that divides 6",
        ),
        (
            [Conv(6, 3), Residual((Conv(6, 3), Conv(7, 7))), *ENDING],
            r"residual1.layers.conv2, layer 1.layers.1 of the network, needs at least 7×7 pixels",
        ),
        (
            [Residual((Conv(6, 3, stride=2, padding="same"),)), *ENDING],
            (
                "residual1 adds 4×5×6 of its layers to 8×9×1 of its input: give it the "
                "shortcut of a convolution with 6 filters, kernel 1 and stride 2, or layers "
                "with padding 'same' that end in 1 filter"
            ),
        ),
        (
            [Residual((Conv(6, 1),), (Conv(5, 1),)), *ENDING],
            "adds 8×9×6 of its layers to 8×9×5 of its shortcut: give both the same shape",
        ),
        ([Flatten(), Dense(4, "tanh")], "the last layer has the activation tanh: leave it out"),
        ([Flatten(), Dense(), Dense(4)], "dense1, .* has no units: only the last layer"),
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
        damaged(0, dilation=0),
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


@pytest.mark.parametrize(
    ("make", "place", "told"),
    [
        (lambda: Conv(4, 3, "rely"), ("activation",), r"did you mean 'relu'\?"),
        (
            lambda: Conv(4, 3, "softmax"),
            ("activation",),
            "softmax follows the last layer by itself",
        ),
        (lambda: Conv(4, 3, padding="none"), ("padding",), "padding must be valid, same"),
        (lambda: Conv(4, 3, groups=3), ("groups",), "4 filters cannot be shared among 3 groups"),
        (lambda: Conv(4, 3, stride=2, dilation=2), ("dilation",), "cannot both be above 1"),
        (lambda: Dense(4, init="he"), ("init",), "init must be glorot_uniform"),
        (lambda: Dense(4, l2=-1), ("l2",), "l2 must be 0 or above"),
        (lambda: GlobalPool("mean"), ("kind",), "kind must be average, max"),
        (lambda: Activation("swish"), ("function",), "function must be linear"),
        (lambda: MaxPool(2, 0), ("stride",), "stride must be a whole number"),
        (lambda: MaxPool(2, 2, "full"), ("padding",), "padding must be valid, same"),
        (lambda: Activation("leaky_relu", 1.5), ("slope",), r"slope must lie in \[0, 1\)"),
        (lambda: Activation("relu", 0.3), ("slope",), "only leaky_relu has a slope, not relu"),
        (lambda: Residual(()), ("layers",), "needs at least one layer"),
        (
            lambda: Residual((Residual((Conv(1, 1),)),)),
            ("layers", 0),
            "a residual block takes layers, not Residual",
        ),
    ],
)
def test_a_wrong_value_is_refused_and_says_where(
    make: Callable[[], Layer], place: tuple[int | str, ...], told: str
) -> None:
    with pytest.raises(ArgumentError, match=told) as refused:
        make()
    assert refused.value.place == place


def test_descriptions_of_version_0_1_are_read() -> None:
    listed: list[dict[str, Any]] = [
        {"layer": "conv", "filters": 2, "kernel": 3, "relu": True, "stride": 1},
        {"layer": "pool", "size": 2},
        {"layer": "flatten"},
        {"layer": "dropout", "rate": 0.5},
        {"layer": "dense", "units": 4, "relu": False},
    ]
    assert Network.from_list((8, 9), listed) == Network((8, 9), LAYERS)


def test_a_place_leads_to_the_layer_that_is_wrong() -> None:
    inner = [{"layer": "conv", "filters": 2, "kernel": 3}, {"layer": "conv", "filter": 2}]
    with pytest.raises(ArgumentError, match=r"'filter' of conv \(did you mean 'filters'\?\)") as it:
        layers_from_list([{"layer": "flatten"}, {"layer": "residual", "layers": inner}])
    assert it.value.place == (1, "layers", 1, "filter")


def test_padding_keeps_the_size_and_a_stride_divides_it() -> None:
    for side, kernel, stride in itertools.product((5, 8, 9), (1, 2, 3, 5), (1, 2, 3)):
        conv = Conv(1, kernel, stride=stride, padding="same")
        line = Network((side, side), (conv, *ENDING)).summary()[0]
        assert line.output_shape == (math.ceil(side / stride), math.ceil(side / stride), 1)


def test_a_layer_sees_what_those_before_it_see() -> None:
    block = Residual((Conv(2, 3, padding="same"), Conv(2, 3, padding="same")))
    layers = (Conv(2, 3), MaxPool(2), block, AveragePool(2), GlobalPool(), Dense(3))
    sides = {line.name: line.field.side for line in Network((16, 16), layers).summary()}
    # By hand: 3; 3 + 1; then 2 · 2 pixels more for each of the block's; 2 for the pooling of steps
    # of 2; and all of its 3 places, 4 pixels apart, for the last.
    assert sides == {
        "conv1": 3,
        "pool1": 4,
        "residual1.layers.conv1": 8,
        "residual1.layers.conv2": 12,
        "residual1": 12,
        "average_pool1": 14,
        "global_pool1": 14 + 2 * 4,
        "dense1": 14 + 2 * 4,
    }


def test_the_last_layer_of_a_recipe_gets_the_units_of_the_classes() -> None:
    network = complete((8, 9), (Flatten(), Dense()), 3, dropout=0.5)
    assert network.layers == (Flatten(), Dropout(0.5), Dense(3))
    assert complete((8, 9), (Flatten(), Dense(3)), 3).layers == (Flatten(), Dense(3))
    with pytest.raises(ArgumentError, match="has the activation relu: leave it out"):
        complete((8, 9), (Flatten(), Dense(3, "relu")), 3)
    with pytest.raises(ArgumentError, match="has 4 units, and there are 3 classes"):
        complete((8, 9), (Flatten(), Dense(4)), 3)
