"""Models with weights drawn at random, for the tests of what a model is."""

import dataclasses
import functools
from typing import Any

import torch
from hypothesis import strategies as st

from inkwise.model import Model
from inkwise.model.calibration import Calibration
from inkwise.networks.as_torch import build
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool
from inkwise.networks.network import Network

DIGITS = tuple("0123456789")
SMALL = Network((6, 7), (Conv(2, 3, "relu"), MaxPool(2), Flatten(), Dropout(0.25), Dense(3)))
DESCRIBED = ("input", "network", "class_names", "calibration", "rotations")
ROTATIONS = st.sampled_from([(0.0,), (7,), (0.0, 12.5, -12.5)])
CALIBRATION = Calibration(temperature=1.5, lowest_score=-0.25, lowest_probability=0.6)
PROVENANCE = {
    "dataset": {"name": "Ziffern, größer", "sha256": "0" * 64},
    "seed": 4294967295,
    "metrics": {"accuracy": {"value": 0.9912, "low": 1e-7, "high": None}},
    "notices": [],
}


def make(network: Network | Ensemble, class_names: tuple[str, ...], **provenance: Any) -> Model:
    """Make a model with weights drawn at random, its biases too."""
    torch.manual_seed(0)
    module = build(network)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    weights = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    return Model(network, weights, class_names, provenance)


@functools.cache
def small() -> Model:
    made = make(SMALL, ("zero", "ein", "七"), **PROVENANCE)
    return dataclasses.replace(made, calibration=CALIBRATION)


def same(one: Model, other: Model) -> bool:
    return (
        (one.network, one.class_names, one.provenance, one.calibration, one.rotations)
        == (other.network, other.class_names, other.provenance, other.calibration, other.rotations)
        and one.weights.keys() == other.weights.keys()
        and all(one.weights[key].tobytes() == other.weights[key].tobytes() for key in one.weights)
    )
