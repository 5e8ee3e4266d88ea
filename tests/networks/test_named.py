import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from inkwise.errors import ArgumentError
from inkwise.networks.as_torch import build
from inkwise.networks.ensemble import members
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool
from inkwise.networks.named import NETWORKS, case_study, ensemble, precise, swift


def test_the_case_study_is_the_textbook_network() -> None:
    assert case_study((28, 28), 10).layers == (
        Conv(32, 3, "relu"),
        MaxPool(2),
        Conv(64, 3, "relu"),
        MaxPool(2),
        Conv(64, 3, "relu"),
        Flatten(),
        Dense(64, "relu"),
        Dense(10),
    )


def test_the_case_study_has_the_textbook_shapes() -> None:
    shapes = [line.output_shape for line in case_study((28, 28), 10).summary()]
    assert shapes == [
        (26, 26, 32),
        (13, 13, 32),
        (11, 11, 64),
        (5, 5, 64),
        (3, 3, 64),
        (576,),
        (64,),
        (10,),
    ]


def test_the_case_study_has_the_textbook_number_of_parameters() -> None:
    network = case_study((28, 28), 10)
    counts = [line.parameter_count for line in network.summary() if line.parameters]
    assert counts == [320, 18_496, 36_928, 36_928, 650]
    assert network.parameter_count == 93_322
    assert sum(parameter.numel() for parameter in build(network).parameters()) == 93_322


def test_the_case_study_costs_as_many_operations_as_pytorch_counts() -> None:
    network = case_study((28, 28), 10)
    with FlopCounterMode(display=False) as counter:
        build(network)(torch.zeros(1, 1, 28, 28))
    # PyTorch counts the multiply-adds; one addition of a bias goes with every output.
    biases = 26 * 26 * 32 + 11 * 11 * 64 + 3 * 3 * 64 + 64 + 10
    assert network.flops == counter.get_total_flops() + biases


def test_dropout_stands_before_the_last_layer_and_costs_nothing() -> None:
    with_dropout, plain = case_study((28, 28), 10, 0.25), case_study((28, 28), 10)
    assert with_dropout.layers == (*plain.layers[:-1], Dropout(0.25), plain.layers[-1])
    assert with_dropout.parameter_count == plain.parameter_count
    assert with_dropout.flops == plain.flops


@pytest.mark.parametrize("image_size", [(17, 28), (28, 17), (17, 17), (1, 1)])
def test_images_too_small_for_the_case_study_are_refused(image_size: tuple[int, int]) -> None:
    with pytest.raises(ArgumentError, match=r"needs at least|less than"):
        case_study(image_size, 10)


@pytest.mark.parametrize(
    ("image_size", "classes"), [((18, 18), 10), ((18, 40), 2), ((32, 24), 26), ((64, 64), 1)]
)
def test_the_case_study_takes_other_images_and_classes(
    image_size: tuple[int, int], classes: int
) -> None:
    network = case_study(image_size, classes)
    assert (network.image_size, network.classes) == (image_size, classes)
    assert build(network)(torch.zeros(3, 1, *image_size)).shape == (3, classes)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_an_impossible_dropout_is_refused(dropout: float) -> None:
    with pytest.raises(ArgumentError, match="dropout rate"):
        case_study((28, 28), 10, dropout)


def test_recipes_find_the_case_study_by_its_name() -> None:
    assert NETWORKS["case-study"]((28, 28), 10, 0.5) == case_study((28, 28), 10, 0.5)


def test_swift_costs_a_tenth_of_the_case_study() -> None:
    network = swift((28, 28), 10)
    assert [line.output_shape for line in network.summary()] == [
        (12, 12, 16),
        (6, 6, 16),
        (4, 4, 64),
        (1024,),
        (10,),
    ]
    assert 10 * network.flops < case_study((28, 28), 10).flops
    assert swift((28, 28), 10, 0.5).layers[-2] == Dropout(0.5)
    with FlopCounterMode(display=False) as counter:
        build(network)(torch.zeros(1, 1, 28, 28))
    assert network.flops == counter.get_total_flops() + 12 * 12 * 16 + 4 * 4 * 64 + 10


def test_a_named_network_has_no_dropout_by_default() -> None:
    for network in (case_study, swift, precise, ensemble):
        assert network((28, 28), 10) == network((28, 28), 10, 0.0)


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [
        ("case-study", 93_322, 5_618_506),
        ("swift", 20_122, 484_618),
        ("precise", 360_426, 16_161_418),
        ("ensemble", 1_572_392, 87_027_560),
        ("perceptron", 238_510, 476_710),
        # As everybody counts LeNet-5 without the paper's connection table.
        ("lenet-5", 61_706, 839_558),
        ("small-vgg", 467_818, 37_459_082),
        ("small-resnet", 78_090, 18_757_706),
    ],
)
def test_the_named_networks_are_as_large_as_ever(name: str, parameters: int, flops: int) -> None:
    network = NETWORKS[name]((28, 28), 10, 0.0)
    assert (network.parameter_count, network.flops) == (parameters, flops)
    with_dropout = NETWORKS[name]((28, 28), 10, 0.3)
    assert (with_dropout.parameter_count, with_dropout.flops) == (parameters, flops)
    for (_, plain), (_, dropping) in zip(members(network), members(with_dropout), strict=True):
        assert dropping.layers == (*plain.layers[:-1], Dropout(0.3), plain.layers[-1])
