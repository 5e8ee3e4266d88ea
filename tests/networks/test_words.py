"""The words of other libraries, and of those who mistype ours."""

import pytest

from inkwise.errors import ArgumentError
from inkwise.networks.layer_documents import layers_from_list
from inkwise.networks.layers import ACTIVATIONS, LAYERS
from inkwise.networks.words import nearest, shown

KERAS = {
    "Conv2D": "conv",
    "MaxPooling2D": "pool",
    "AveragePooling2D": "average_pool",
    "GlobalAveragePooling2D": "global_pool",
    "BatchNormalization": "batch_norm",
    "SpatialDropout2D": "spatial_dropout",
    "Dropout": "dropout",
    "Flatten": "flatten",
    "Dense": "dense",
    "Activation": "activation",
}
PYTORCH = {
    "Conv2d": "conv",
    "MaxPool2d": "pool",
    "AvgPool2d": "average_pool",
    "AdaptiveAvgPool2d": "global_pool",
    "BatchNorm2d": "batch_norm",
    "Linear": "dense",
}


@pytest.mark.parametrize(("word", "meant"), [*KERAS.items(), *PYTORCH.items()])
def test_a_layer_of_another_library_is_known(word: str, meant: str) -> None:
    for written in (word, word.lower()):
        assert nearest(written, LAYERS) == f" (did you mean {meant!r}?)"


@pytest.mark.parametrize("word", ["Softmax", "Input", "Rescaling", "ZeroPadding2D", "Add"])
def test_what_stands_in_place_of_a_layer_is_told(word: str) -> None:
    with pytest.raises(ArgumentError, match=f"unknown layer '{word}': .*(leave it out|write)"):
        layers_from_list([{"layer": word}])


@pytest.mark.parametrize("word", [*ACTIVATIONS[1:], "ReLU", "GELU"])
def test_an_activation_is_no_layer(word: str) -> None:
    with pytest.raises(ArgumentError, match=f'write activation = "{word.lower()}" in the layer'):
        layers_from_list([{"layer": word}])


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ({"layer": "conv", "units": 3}, "'units' of conv .did you mean 'filters'"),
        ({"layer": "dense", "filters": 3}, "'filters' of dense .did you mean 'units'"),
        ({"layer": "conv", "kernel_size": 3}, "did you mean 'kernel'"),
        ({"layer": "conv", "filters": 3, "kernel": 3, "strides": 2}, "did you mean 'stride'"),
        ({"layer": "pool", "pool_size": 3}, "did you mean 'size'"),
        ({"layer": "dropout", "p": 0.5}, "did you mean 'rate'"),
        ({"layer": "dense", "activation": "swish"}, "did you mean 'silu'"),
        ({"layer": "dense", "activation": None}, "activation must be linear, .*'linear'"),
        ({"kind": "dense"}, 'a layer without a kind: begin it with layer = "…", one of conv,'),
        ({"layer": "dense", "units": True}, "not true"),
        ([], "and here stands \\[\\]"),
    ],
)
def test_a_key_or_value_of_another_library_is_known(layer: object, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        layers_from_list([layer])  # type: ignore[list-item]


def test_values_are_shown_as_they_stand_in_a_file() -> None:
    for value, told in ((True, "true"), ({}, "a table"), ((1, 2), "[1, 2]"), ("a", "'a'")):
        assert shown(value) == told
    assert shown([{}]) == "a list of tables or lists"
