import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inkwise.errors import ArgumentError, ModelError
from inkwise.networks.as_torch import Members, build, get_weights
from inkwise.networks.ensemble import Ensemble, from_json, require_single, to_json
from inkwise.networks.layers import Conv, Dense, Flatten, MaxPool
from inkwise.networks.named import NETWORKS
from inkwise.networks.network import Network
from tests.networks import ensembles, networks

SHALLOW = Network((8, 9), (Flatten(), Dense(4)))
DEEP = Network((8, 9), (Conv(3, 2, "relu"), MaxPool(2), Flatten(), Dense(4)))
BOTH = Ensemble((SHALLOW, DEEP))


def test_an_ensemble_adds_its_members_up() -> None:
    assert (BOTH.image_size, BOTH.classes) == ((8, 9), 4)
    assert BOTH.parameter_count == SHALLOW.parameter_count + DEEP.parameter_count
    assert BOTH.flops == SHALLOW.flops + DEEP.flops
    names = [line.name for line in BOTH.summary()]
    assert names[:3] == ["member1.flatten1", "member1.dense1", "member2.conv1"]
    parameters = [name for line in BOTH.summary() for name in line.parameters]
    assert parameters == [
        f"{layer}.{role}"
        for layer in ("member1.dense1", "member2.conv1", "member2.dense1")
        for role in ("weight", "bias")
    ]


@pytest.mark.parametrize(
    "members",
    [
        (),
        (DEEP,),
        (DEEP, Network((9, 8), (Flatten(), Dense(4, "relu")))),
        (DEEP, Network((8, 9), (Flatten(), Dense(5, "relu")))),
    ],
)
def test_networks_that_do_not_go_together_are_refused(members: tuple[Network, ...]) -> None:
    with pytest.raises(ArgumentError, match="ensemble"):
        Ensemble(members)


@given(network=networks() | ensembles())
def test_the_way_through_json_changes_nothing(network: Network | Ensemble) -> None:
    document = json.loads(json.dumps(to_json(network), allow_nan=False))
    assert from_json(network.image_size, document) == network


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"members": None},
        {"members": []},
        {"members": [DEEP.to_list()]},
        {"members": [DEEP.to_list(), 3]},
        {"members": [DEEP.to_list(), [{"layer": "conv"}]]},
        {"members": [DEEP.to_list(), Network((8, 9), (Flatten(), Dense(5, "relu"))).to_list()]},
    ],
)
def test_a_damaged_description_is_a_model_error(document: Any) -> None:
    with pytest.raises(ModelError, match="description is damaged"):
        from_json((8, 9), document)


@given(ensemble=ensembles(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_an_ensemble_gives_the_mean_probability_and_the_mean_score(
    ensemble: Ensemble, seed: int
) -> None:
    torch.manual_seed(seed)
    module = build(ensemble)
    inputs = torch.randn(3, 1, *ensemble.image_size)
    assert isinstance(module, Members)
    with torch.no_grad():
        each = [member.eval()(inputs) for member in module]
        logits = module.eval()(inputs)
    mean = torch.stack([answers.softmax(1) for answers in each]).mean(0)
    torch.testing.assert_close(logits.softmax(1), mean)
    score = torch.stack([answers.logsumexp(1) for answers in each]).mean(0)
    torch.testing.assert_close(logits.logsumexp(1), score)


def test_in_training_every_member_gives_its_own_answers() -> None:
    torch.manual_seed(0)
    module = build(BOTH, batch_norm=True)
    inputs = torch.rand(5, 1, 8, 9)
    answers = module.train()(inputs)
    assert answers.shape == (10, 4)
    with torch.no_grad():
        torch.testing.assert_close(answers[:5], module[0](inputs))
        assert not torch.allclose(answers[:5], answers[5:])


def test_the_weights_of_members_have_batch_normalisation_folded_in() -> None:
    torch.manual_seed(0)
    trained = build(BOTH, batch_norm=True)
    inputs = torch.rand(5, 1, 8, 9)
    trained.train()(inputs)  # moves the running means
    weights = get_weights(trained)
    assert [*weights] == [name for line in BOTH.summary() for name in line.parameters]
    folded = build(BOTH)
    folded.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    with torch.no_grad():
        torch.testing.assert_close(folded.eval()(inputs), trained.eval()(inputs))


def test_what_takes_a_single_network_says_so() -> None:
    assert require_single(DEEP, "this") is DEEP
    with pytest.raises(ArgumentError, match=r"^this takes a single network, and this is an ens"):
        require_single(BOTH, "this")


def test_the_named_ensemble_has_members_of_different_architecture() -> None:
    ensemble = NETWORKS["ensemble"]((28, 28), 10, 0.25)
    assert isinstance(ensemble, Ensemble)
    assert len({member.layers for member in ensemble.members}) == len(ensemble.members) >= 3
    kernels = {member.layers[0].kernel for member in ensemble.members}  # type: ignore[union-attr]
    assert kernels == {3, 5, 7}
    assert NETWORKS["precise"]((28, 28), 10, 0.25) in ensemble.members
    assert np.prod(build(ensemble).eval()(torch.zeros(2, 1, 28, 28)).shape) == 20
