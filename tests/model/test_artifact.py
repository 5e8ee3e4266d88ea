import dataclasses
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, ModelError
from inkwise.model import Model
from inkwise.model.calibration import Calibration
from inkwise.networks.as_torch import build
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from inkwise.networks.sessions import BATCH
from tests.models import PROVENANCE, SMALL, make, small
from tests.networks import networks

# --- prediction ---


def test_several_angles_give_the_mean_probability_and_the_mean_score() -> None:
    each = [dataclasses.replace(small(), rotations=(angle,)) for angle in (0.0, 20.0, -7.5)]
    together = dataclasses.replace(small(), rotations=(0.0, 20.0, -7.5))
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 7), np.uint8)

    def answers(model: Model) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        uncalibrated = dataclasses.replace(model, calibration=Calibration())
        return uncalibrated.predict_proba(images), logsumexp(model.logits(images), axis=1)

    probabilities, scores = zip(*map(answers, each), strict=True)
    assert not np.allclose(probabilities[0], probabilities[1])
    mean, score = answers(together)
    np.testing.assert_allclose(mean, np.mean(probabilities, axis=0), atol=1e-6)
    np.testing.assert_allclose(score, np.mean(scores, axis=0), atol=1e-5)


def test_impossible_angles_are_refused() -> None:
    with pytest.raises(ArgumentError, match="rotations must be"):
        dataclasses.replace(small(), rotations=())


def test_probabilities_are_those_of_the_module(model: Model, mnist: Dataset) -> None:
    images = mnist.test.images[:100]
    module = build(model.network).eval()
    module.load_state_dict({key: torch.from_numpy(array) for key, array in model.weights.items()})
    with torch.no_grad():
        expected = module(torch.from_numpy(images).unsqueeze(1) / 255).softmax(1)
    probabilities = model.predict_proba(images)
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-6)
    np.testing.assert_array_equal(model.predict(images), expected.argmax(1).numpy())


def test_logits_are_those_of_the_module_and_the_temperature_divides_them(
    model: Model, mnist: Dataset
) -> None:
    images = mnist.test.images[:100]
    module = build(model.network).eval()
    module.load_state_dict({key: torch.from_numpy(array) for key, array in model.weights.items()})
    with torch.no_grad():
        expected = module(torch.from_numpy(images).unsqueeze(1) / 255)
    logits = model.logits(images)
    assert (logits.shape, logits.dtype.name) == ((100, 10), "float32")
    np.testing.assert_allclose(logits, expected.numpy(), rtol=1e-4, atol=1e-4)
    warm = dataclasses.replace(model, calibration=Calibration(temperature=2.5))
    np.testing.assert_array_equal(warm.logits(images), logits)
    np.testing.assert_allclose(
        warm.predict_proba(images), (expected / 2.5).softmax(1).numpy(), atol=1e-6
    )


@settings(max_examples=25)
@given(network=networks(), seed=st.integers(0, 9))
def test_every_layer_of_any_network_tells_what_it_gives(network: Network, seed: int) -> None:
    model = make(network, tuple(map(str, range(network.classes))))
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (3, *network.image_size), dtype=np.uint8)

    *inner, last = network.summary()
    for line in inner:
        shape = line.output_shape
        expected = shape if len(shape) == 1 else (shape[2], *shape[:2])
        assert model.layer_outputs(images, line.name).shape == (3, *expected)
    logits = model.logits(images)
    np.testing.assert_allclose(model.layer_outputs(images, last.name), logits, atol=1e-5)

    module = build(network).eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in model.weights.items()})
    *before, _ = (child for name, child in module.named_children() if f"{last.name}_" not in name)
    values = torch.from_numpy(images).float()[:, None] / 255
    for child in before:
        values = child(values)
    # Maps become a vector in another order in the file.
    expected_features = np.sort(values.numpy(force=True), axis=1)
    np.testing.assert_allclose(
        np.sort(model.features(images), axis=1), expected_features, rtol=1e-4, atol=1e-4
    )


def test_only_layers_that_are_there_tell_anything() -> None:
    images = np.zeros((1, 6, 7), np.uint8)
    with pytest.raises(
        ArgumentError, match="there is no layer 'conv2': use conv1, pool1, flatten1"
    ):
        small().layer_outputs(images, "conv2")
    with pytest.raises(ArgumentError, match="takes images of shape"):
        small().features(images[:, 1:])


def test_what_layers_give_at_several_angles_is_that_of_the_first() -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 6, 7), dtype=np.uint8)
    several = dataclasses.replace(small(), rotations=(0.0, 30.0, -30.0))
    for line in small().network.summary():
        expected = small().layer_outputs(images, line.name)
        np.testing.assert_allclose(several.layer_outputs(images, line.name), expected, atol=1e-5)


def test_an_ensembles_features_are_those_of_its_members() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
    other = Network((6, 7), (Flatten(), Dense(4, "relu"), Dense(3)))
    both = make(Ensemble((SMALL, other)), ("a", "b", "c"))
    features = both.features(images)
    assert features.shape == (5, 8 + 4)
    expected = both.layer_outputs(images, "member2.dense1")
    np.testing.assert_array_equal(features[:, 8:], expected)
    last = both.layer_outputs(images, "member2.dense2")
    weight, bias = (both.weights[f"member2.dense2.{role}"] for role in ("weight", "bias"))
    np.testing.assert_allclose(last, expected @ weight.T + bias, atol=1e-4)


def test_what_layers_give_changes_no_answer(saved: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)
    model = Model.load(saved)
    before, content = model.predict_proba(images), model.onnx

    assert model.features(images).shape == (5, 8)
    assert (model.predict_proba(images) == before).all()
    assert model.onnx == content


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 1234])
def test_any_number_of_images_is_answered(count: int, model: Model, mnist: Dataset) -> None:
    images = mnist.test.images[:count]
    probabilities, predicted = model.predict_proba(images), model.predict(images)
    assert (probabilities.shape, probabilities.dtype.name) == ((count, 10), "float32")
    assert (predicted.shape, predicted.dtype.name) == ((count,), "int64")
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(predicted, probabilities.argmax(1))
    # The batch that an image is in does not matter to its answer.
    alone = [model.predict_proba(images[place : place + 1])[0] for place in range(0, count, 250)]
    np.testing.assert_allclose(probabilities[::250], np.reshape(alone, (-1, 10)), atol=1e-6)


@pytest.mark.parametrize("view", ["mirrored", "transposed", "every third", "read-only"])
def test_images_may_lie_in_memory_in_any_way(view: str, model: Model, mnist: Dataset) -> None:
    images = mnist.test.images[:9]
    match view:
        case "mirrored":
            images = images[::-1, ::-1]
        case "transposed":
            images = images.transpose(0, 2, 1)
        case "every third":
            images = images[::3]
        case "read-only":
            images = np.frombuffer(images.tobytes(), np.uint8).reshape(images.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probabilities = model.predict_proba(images)
    np.testing.assert_array_equal(probabilities, model.predict_proba(images.copy()))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((28, 28), np.uint8),
        np.zeros((2, 28, 28, 3), np.uint8),
        np.zeros((2, 783), np.uint8),
        np.zeros((2, 28, 28), np.complex64),
        np.zeros((2, 28, 27), np.uint8),
        np.zeros((2, 29, 28), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((0, 8, 8), np.uint8),
        np.zeros(0, np.uint8),
    ],
)
def test_other_arrays_than_images_of_the_right_size_are_refused(
    images: NDArray[Any], model: Model
) -> None:
    for answer in (model.predict, model.predict_proba, model.logits):
        with pytest.raises(ArgumentError, match=r"images .* not ") as error:
            answer(images)
        told = str(images.dtype if images.dtype == np.complex64 else images.shape)
        assert str(error.value).count(told) == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are chosen on Linux only")
def test_the_number_of_cores_does_not_change_a_bit(model: Model, mnist: Dataset) -> None:
    images = mnist.test.images[:1000]
    on_all = model.predict_proba(images)
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        on_one = model.predict_proba(images)
    finally:
        os.sched_setaffinity(0, cores)
    assert on_one.tobytes() == on_all.tobytes()


@pytest.mark.parametrize("count", [1, 5 * BATCH])
def test_loading_and_predicting_import_neither_torch_nor_onnx(count: int, saved: Path) -> None:
    script = f"""
import sys
import numpy as np
import inkwise
model = inkwise.Model.load({str(saved)!r})
assert model.predict(np.zeros(({count}, 6, 7), np.uint8)).shape == ({count},)
print([name for name in sys.argv[1:] if name in sys.modules])
"""
    heavy = ["torch", "onnx", "matplotlib", "sklearn", "scipy", "PIL", "jinja2", "requests"]
    found = subprocess.check_output([sys.executable, "-c", script, *heavy], text=True, timeout=120)
    assert found == "[]\n"


def test_prediction_draws_no_random_numbers(saved: Path) -> None:
    # Otherwise an evaluation between two epochs would change the training.
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Model.load(saved).predict(np.zeros((1, 6, 7), np.uint8))
    assert torch.equal(torch.get_rng_state(), before)


# --- what a model is ---


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights.pop("conv1.bias"), "do not fit the network: conv1.bias"),
        (lambda weights: weights.update(extra=weights["conv1.bias"]), "network: extra"),
        (
            lambda weights: weights.update({"dense1.weight": weights["dense1.weight"].T}),
            "do not fit the network: dense1.weight",
        ),
        (
            lambda weights: weights.update(
                {"dense1.bias": weights["dense1.bias"].astype(np.float64)}
            ),
            "must be float32",
        ),
        (
            lambda weights: weights.update({"dense1.bias": weights["dense1.bias"] * np.nan}),
            r"infinite, or are not numbers \(NaN\)",
        ),
    ],
)
def test_weights_must_be_those_of_the_network(
    change: Callable[[dict[str, Any]], object], told: str
) -> None:
    weights = dict(small().weights)
    change(weights)
    with pytest.raises(ModelError, match=told):
        Model(SMALL, weights, ("a", "b", "c"))


def test_an_answer_that_is_no_number_is_refused() -> None:
    weights = {name: np.full_like(array, 1e38) for name, array in small().weights.items()}
    overflowing = Model(SMALL, weights, ("a", "b", "c"))
    for count in (1, 100):
        with pytest.raises(ModelError, match="infinite or NaN"):
            overflowing.predict(np.full((count, 6, 7), 255, np.uint8))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a", "b"), "2 class names, but the network has 3 outputs"),
        (("a", "b", "c", "d"), "4 class names"),
        (("a", "b", "a"), "two classes have the same name: a, b, a"),
        (("a", "b", 3), "class names must be text"),
    ],
)
def test_every_output_has_a_name_of_its_own(names: Any, told: str) -> None:
    with pytest.raises(ModelError, match=told):
        Model(SMALL, small().weights, names)


def test_provenance_is_added_to_and_not_replaced() -> None:
    with_metrics = small().with_provenance(seed=1, colour="blue")
    assert with_metrics.provenance == {**PROVENANCE, "seed": 1, "colour": "blue"}
    assert small().provenance == PROVENANCE
