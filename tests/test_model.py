import copy
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.numpy
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import inkwise
from inkwise.calibration import Calibration
from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, DataError, InkwiseError, ModelError, StorageError
from inkwise.model import (
    BATCH,
    CHUNK,
    DOCUMENT_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    Answer,
    Model,
)
from inkwise.networks.layers import Conv, Dense, Dropout, Flatten, MaxPool, Network
from inkwise.networks.module import build
from inkwise.networks.named import case_study
from inkwise.networks.onnx import to_onnx
from inkwise.provenance import available_cores, describe_machine, library_versions
from inkwise.recipes import Recipe, get_recipe
from tests.networks import networks
from tests.strokes import draw, strokes

DIGITS = tuple("0123456789")
SMALL = Network((6, 7), (Conv(2, 3), MaxPool(2), Flatten(), Dropout(0.25), Dense(3, relu=False)))
DESCRIBED = ("input", "network", "class_names", "calibration")
CALIBRATION = Calibration(temperature=1.5, lowest_score=-0.25, lowest_probability=0.6)
PROVENANCE = {
    "dataset": {"name": "Ziffern, größer", "sha256": "0" * 64},
    "seed": 4294967295,
    "metrics": {"accuracy": {"value": 0.9912, "low": 1e-7, "high": None}},
    "notices": [],
}


def make(network: Network, class_names: tuple[str, ...], **provenance: Any) -> Model:
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


@pytest.fixture(scope="module")
def model() -> Model:
    return make(case_study((28, 28), 10), DIGITS, **PROVENANCE)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return small().save(tmp_path / "model")


def same(one: Model, other: Model) -> bool:
    return (
        (one.network, one.class_names, one.provenance, one.calibration)
        == (other.network, other.class_names, other.provenance, other.calibration)
        and one.weights.keys() == other.weights.keys()
        and all(one.weights[key].tobytes() == other.weights[key].tobytes() for key in one.weights)
    )


# --- prediction ---


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
    assert (model.layer_outputs(images, last.name) == model.logits(images)).all()

    module = build(network).eval()
    module.load_state_dict({name: torch.tensor(array) for name, array in model.weights.items()})
    *before, _ = (child for name, child in module.named_children() if name != f"{last.name}_relu")
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
    with pytest.raises(ArgumentError, match="takes uint8 images"):
        small().features(images[:, 1:])


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
        np.zeros((2, 28, 28), np.float32),
        np.zeros((2, 28, 28), np.int64),
        np.zeros((2, 28, 28), np.bool_),
        np.zeros((28, 28), np.uint8),
        np.zeros((2, 28, 28, 1), np.uint8),
        np.zeros((2, 1, 28, 28), np.uint8),
        np.zeros((2, 28, 27), np.uint8),
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((0, 8, 8), np.uint8),
        np.zeros(0, np.uint8),
    ],
)
def test_other_arrays_than_images_of_the_right_size_are_refused(
    images: NDArray[Any], model: Model
) -> None:
    for answer in (model.predict, model.predict_proba, model.logits):
        with pytest.raises(ArgumentError, match=r"uint8 images of shape \(N, 28, 28\), not") as e:
            answer(images)
        assert f"{images.dtype} of shape {images.shape}" in str(e.value)


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


# --- answers about pictures ---

VERDICTS = {
    "upright": ("digit", "upright"),
    "flat": ("digit", "flat"),
    "plus": ("unsure", "upright"),
    "cross": ("not a digit", None),
    "blank": ("not a digit", None),
}


def told(answers: list[Answer]) -> list[tuple[str, str | None]]:
    return [(answer.verdict, answer.label) for answer in answers]


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_of_every_kind_get_their_verdicts(tmp_path: Path) -> None:
    model = strokes()
    for kind, verdict in VERDICTS.items():
        dark, light = draw(kind), draw(kind, ink=230, paper=20)
        path = tmp_path / f"{kind}.png"
        dark.save(path)
        pictures: list[Any] = [dark, light, np.asarray(dark), encoded(light), path, str(path)]
        assert told(model.classify(pictures)) == [verdict] * len(pictures)


def test_an_answer_is_what_the_network_says_about_what_it_saw() -> None:
    model = strokes()
    for answer in model.classify([draw(kind) for kind in VERDICTS if kind != "blank"]):
        assert answer.ink is not None
        images = answer.ink.image[None]
        (probabilities,), (logits,) = model.predict_proba(images), model.logits(images)
        places = (-probabilities).argsort(kind="stable")
        assert answer.top == tuple(
            (model.class_names[place], float(probabilities[place])) for place in places
        )
        assert answer.probability == answer.top[0][1]
        assert answer.score == pytest.approx(np.logaddexp.reduce(logits.astype(np.float64)))


def test_a_picture_without_ink_is_an_answer() -> None:
    (answer,) = strokes().classify([draw("blank")])
    assert (answer.verdict, answer.label, answer.probability) == ("not a digit", None, 0)
    assert (answer.top, answer.score, answer.ink) == ((), -np.inf, None)


def test_a_verdict_turns_below_its_threshold_and_not_at_it() -> None:
    model = strokes()
    (answer,) = model.classify([draw("plus")])
    at = Calibration(2.0, answer.score, answer.probability)
    above_score = Calibration(2.0, float(np.nextafter(answer.score, np.inf)), 0)
    above_probability = Calibration(2.0, lowest_probability=answer.probability + 1e-12)
    verdicts = {at: "digit", above_score: "not a digit", above_probability: "unsure"}
    for calibration, verdict in verdicts.items():
        (answer,) = dataclasses.replace(model, calibration=calibration).classify([draw("plus")])
        assert answer.verdict == verdict


def test_no_more_than_three_classes_are_named(model: Model, mnist: Dataset) -> None:
    (answer,) = model.classify(mnist.train.images[:1])
    probabilities = model.predict_proba(mnist.train.images[:1])[0]
    assert [name for name, _ in answer.top] == [str(i) for i in (-probabilities).argsort()[:3]]


def test_digits_of_mnist_are_answered_as_they_are(model: Model, mnist: Dataset) -> None:
    images = mnist.train.images[:100]
    answers = model.classify(images)
    predicted = model.predict_proba(images).max(axis=1)
    as_they_are = [
        answer.ink is not None and bool((answer.ink.image == image).all())
        for answer, image in zip(answers, images, strict=True)
    ]
    assert sum(as_they_are) > 90
    for place in np.flatnonzero(as_they_are):
        assert answers[place].probability == pytest.approx(predicted[place], abs=1e-6)


def test_an_array_is_as_many_pictures_as_its_first_axis_has() -> None:
    model, kinds = strokes(), list(VERDICTS)
    grey = np.stack([np.asarray(draw(kind)) for kind in kinds])
    colour = np.stack([grey] * 3, axis=-1)
    expected = [VERDICTS[kind] for kind in kinds]
    assert told(model.classify(grey)) == told(model.classify(colour)) == expected
    assert told(model.classify(iter(grey))) == expected
    assert model.classify([]) == model.classify(grey[:0]) == []


@pytest.mark.parametrize(
    "picture",
    [
        "seven.png",
        Path("seven.png"),
        encoded(draw("plus")),
        draw("plus"),
        np.asarray(draw("plus")),
        np.asarray(draw("plus").convert("RGB")),
        np.asarray(draw("plus").convert("RGBA")),
        7,
        None,
    ],
)
def test_a_single_picture_is_refused_and_goes_into_a_list(picture: Any) -> None:
    with pytest.raises(ArgumentError, match="a list of pictures: put a single one in brackets"):
        strokes().classify(picture)


def test_a_damaged_picture_is_told_by_its_place(tmp_path: Path) -> None:
    good, cut = draw("flat"), encoded(draw("plus"))[:100]
    with pytest.raises(DataError, match=r"^pictures\[2\]: .*damaged"):
        strokes().classify([good, good, cut, good])
    with pytest.raises(StorageError, match=rf"^pictures\[0\]: .*{tmp_path / 'nowhere.png'}"):
        strokes().classify([tmp_path / "nowhere.png"])
    odd: list[Any] = [good, object()]
    with pytest.raises(ArgumentError, match=r"^pictures\[1\]: "):
        strokes().classify(odd)


def test_one_after_another_a_damaged_picture_does_not_stop_the_others() -> None:
    earlier = DataError("told before")
    cut = encoded(draw("plus"))[:100]
    pictures: list[Any] = [draw("flat"), earlier, cut, draw("blank"), draw("upright")]
    first, second, third, *others = strokes().classify_each(pictures)
    assert second is earlier
    assert isinstance(third, DataError)
    answers = [answer for answer in (first, *others) if isinstance(answer, Answer)]
    assert told(answers) == [VERDICTS["flat"], VERDICTS["blank"], VERDICTS["upright"]]


def test_many_pictures_are_answered_in_order_and_as_if_alone() -> None:
    model = strokes()
    kinds = [kind for kind in VERDICTS for _ in range(3)] * 20
    answers = model.classify([draw(kind, ink=place % 60) for place, kind in enumerate(kinds)])
    assert told(answers) == [VERDICTS[kind] for kind in kinds]
    for place in (0, 7, 150, 299):
        (alone,) = model.classify([draw(kinds[place], ink=place % 60)])
        assert answers[place].probability == pytest.approx(alone.probability, abs=1e-6)


def test_pictures_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[Image.Image]:
        nonlocal taken
        while True:
            taken += 1
            yield draw("flat")

    answers = [*itertools.islice(strokes().classify_each(endless()), 20)]
    assert len(answers) == 20
    assert taken < 20 + CHUNK * (available_cores() + 3)


def test_a_model_of_another_size_takes_pictures_of_that_size_alone() -> None:
    fitting = np.zeros((6, 7), np.uint8)
    fitting[2, 3] = 255
    (answer,) = small().classify([fitting])
    np.testing.assert_array_equal(answer.ink.image if answer.ink else None, fitting)
    assert answer.probability == small().predict_proba(fitting[None]).max()
    for other in (fitting[:5], 255 - fitting, draw("flat")):
        with pytest.raises(DataError, match=r"bring it to 7×6 pixels, light ink") as caught:
            small().classify([fitting, other])
        assert str(caught.value).startswith("pictures[1]: ")
        assert "\n" not in str(caught.value)


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
    ],
)
def test_weights_must_be_those_of_the_network(
    change: Callable[[dict[str, Any]], object], told: str
) -> None:
    weights = dict(small().weights)
    change(weights)
    with pytest.raises(ModelError, match=told):
        Model(SMALL, weights, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a", "b"), "2 class names do not go with the network's 3 outputs"),
        (("a", "b", "c", "d"), "4 class names"),
        (("a", "b", "a"), "two classes have one name"),
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


# --- save and load ---


def test_a_loaded_model_gives_the_same_probabilities_to_the_bit(
    model: Model, mnist: Dataset, tmp_path: Path
) -> None:
    images = mnist.test.images[:2000]
    before = model.predict_proba(images)
    assert model.save(tmp_path / "new" / "model") == tmp_path / "new" / "model"
    loaded = Model.load(str(tmp_path / "new" / "model"))
    assert same(loaded, model)
    assert loaded.predict_proba(images).tobytes() == before.tobytes()


@given(network=networks(), data=st.data())
@settings(max_examples=25)
def test_any_model_survives_the_way_through_its_files(
    network: Network, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-model"
    names = st.lists(
        st.text(st.characters(exclude_categories=["Cs"])),
        min_size=network.classes,
        max_size=network.classes,
        unique=True,
    )
    drawn = make(network, tuple(data.draw(names)))
    drawn.save(folder)  # in the place of the one before
    loaded = Model.load(folder)
    assert same(loaded, drawn)
    images = np.arange(2 * 14 * 14, dtype=np.uint8).reshape(2, 14, 14)
    images = images[:, : network.image_size[0], : network.image_size[1]]
    assert loaded.predict_proba(images).tobytes() == drawn.predict_proba(images).tobytes()


def test_a_saved_model_is_three_files_and_says_what_it_takes(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE}
    document = json.loads((saved / DOCUMENT_FILE).read_text("utf-8"))
    assert document["schema"] == "inkwise-model/3"
    assert document["input"]["shape"] == ["N", 6, 7]
    assert document["class_names"] == ["zero", "ein", "七"]
    assert document["calibration"] == CALIBRATION.to_dict()
    assert document["provenance"] == PROVENANCE
    # Other programs read the weights without ours.
    weights = safetensors.numpy.load_file(saved / WEIGHTS_FILE)
    assert weights.keys() == small().weights.keys()
    for file, key in ((WEIGHTS_FILE, "weights_sha256"), (ONNX_FILE, "onnx_sha256")):
        assert document[key] == hashlib.sha256((saved / file).read_bytes()).hexdigest()


def test_the_onnx_file_serves_other_programs(saved: Path) -> None:
    images = np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)
    session = onnxruntime.InferenceSession(saved / ONNX_FILE)
    (probabilities,) = session.run(["probabilities"], {"images": images})
    np.testing.assert_array_equal(probabilities, small().predict_proba(images))
    (logits,) = session.run(["logits"], {"images": images})
    np.testing.assert_array_equal(logits, small().logits(images))
    metadata = session.get_modelmeta().custom_metadata_map
    assert Calibration.from_dict(json.loads(metadata["calibration"])) == CALIBRATION
    assert json.loads(metadata["class_names"]) == ["zero", "ein", "七"]
    assert json.loads(metadata["input"]) == edit(saved)["input"]
    assert metadata["dataset_sha256"] == "0" * 64
    assert metadata["inkwise_version"] == inkwise.__version__
    assert "recipe" not in metadata  # this model's provenance tells none
    recipe = get_recipe("case-study").to_dict()
    session = onnxruntime.InferenceSession(small().with_provenance(recipe=recipe).onnx)
    metadata = session.get_modelmeta().custom_metadata_map
    assert Recipe.from_dict(json.loads(metadata["recipe"])) == get_recipe("case-study")


@pytest.mark.parametrize("dataset", [None, "mnist", {}, {"sha256": None}, ["sha256"]])
def test_a_provenance_without_a_hash_of_the_data_does_no_harm(dataset: Any) -> None:
    session = onnxruntime.InferenceSession(small().with_provenance(dataset=dataset).onnx)
    assert "dataset_sha256" not in session.get_modelmeta().custom_metadata_map


def test_a_model_carries_where_it_was_made(tmp_path: Path) -> None:
    made = small().with_provenance(machine={**describe_machine(), "versions": library_versions()})
    machine = Model.load(made.save(tmp_path)).provenance["machine"]
    assert machine == made.provenance["machine"]
    assert machine["processor"]
    assert machine["system"]
    assert machine["cores"] >= 1
    assert machine["versions"]["torch"] == torch.__version__
    assert machine["versions"]["onnxruntime"] == onnxruntime.__version__
    assert machine["versions"]["numpy"] == np.__version__
    assert machine["versions"]["scikit-learn"] == sklearn.__version__
    assert {"python", "inkwise"} <= machine["versions"].keys()


def test_a_description_that_is_no_json_is_not_saved_over_a_good_model(saved: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        small().with_provenance(loss=float("nan")).save(saved)
    assert same(Model.load(saved), small())


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        small().save(tmp_path / "file" / "model")


# --- the ONNX file alone ---


@given(network=networks(), temperature=st.floats(0.1, 10))
@settings(max_examples=25)
def test_any_model_is_read_back_from_its_onnx_file(network: Network, temperature: float) -> None:
    names = tuple(f"Größe {place}" for place in range(network.classes))
    made = make(network, names)
    made = dataclasses.replace(made, calibration=Calibration(temperature, -1.5, 0.5))
    again = Model.from_onnx(made.onnx)
    assert same(again, made)
    assert again.onnx == made.onnx
    images = np.arange(2 * 14 * 14, dtype=np.uint8).reshape(2, 14, 14)
    images = images[:, : network.image_size[0], : network.image_size[1]]
    assert again.predict_proba(images).tobytes() == made.predict_proba(images).tobytes()


def test_of_its_provenance_an_onnx_file_tells_recipe_and_data(tmp_path: Path) -> None:
    recipe = get_recipe("case-study").to_dict()
    again = Model.from_onnx(small().with_provenance(recipe=recipe).onnx)
    assert again.provenance == {"recipe": recipe, "dataset": {"sha256": "0" * 64}}
    assert Model.from_onnx(make(SMALL, ("a", "b", "c")).onnx).provenance == {}
    assert same(Model.load(again.save(tmp_path)), again)


def with_metadata(content: bytes, **entries: str) -> bytes:
    model = onnx.load_from_string(content)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**metadata, **entries})
    return model.SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        to_onnx(SMALL, small().weights, {}),
        with_metadata(small().onnx, network="[]"),
        with_metadata(small().onnx, network="[" * 100_000),
        with_metadata(small().onnx, network="7"),
        with_metadata(small().onnx, class_names='["a"]'),
        with_metadata(small().onnx, class_names="nonsense"),
        with_metadata(small().onnx, input="{}"),
        with_metadata(small().onnx, calibration="{}"),
        with_metadata(small().onnx, network=json.dumps(SMALL.to_list()[2:])),
        with_metadata(small().onnx, network=json.dumps([{"layer": "flatten"}])),
    ],
)
def test_an_onnx_file_that_inkwise_did_not_write_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="the ONNX file is not one that inkwise wrote") as caught:
        Model.from_onnx(content)
    assert "\n" not in str(caught.value)


@given(data=st.data())
@settings(max_examples=200)
def test_a_damaged_onnx_file_is_refused_or_works(data: st.DataObject) -> None:
    content = bytearray(small().onnx)
    place = data.draw(st.integers(0, len(content) - 1), label="place")
    if data.draw(st.booleans(), label="cut"):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    try:
        answer = Model.from_onnx(bytes(content)).predict_proba(np.zeros((2, 6, 7), np.uint8))
    except ModelError as error:
        assert "\n" not in str(error)  # noqa: PT017 - an error is one of two right outcomes
    else:
        assert answer.shape == (2, 3)


# --- damage ---


def refused(folder: Path, file: str, told: str | None = None) -> None:
    with pytest.raises(ModelError, match=told) as caught:
        Model.load(folder)
    assert file in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def sealed(
    folder: Path,
    document: Mapping[str, Any] | None = None,
    weights: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a model's files anew, with hashes that agree, as a forger or another version would.

    The ONNX file stays what it is.
    """
    old = json.loads((folder / DOCUMENT_FILE).read_text("utf-8"))
    document = {**(old if document is None else document)}
    document.pop("weights_sha256", None)
    document["onnx_sha256"] = hashlib.sha256((folder / ONNX_FILE).read_bytes()).hexdigest()
    if weights is None:
        weights = safetensors.numpy.load_file(folder / WEIGHTS_FILE)
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False).encode()
    raw = safetensors.numpy.save(
        dict(weights), {"model_json_sha256": hashlib.sha256(canonical).hexdigest()}
    )
    (folder / WEIGHTS_FILE).write_bytes(raw)
    document["weights_sha256"] = hashlib.sha256(raw).hexdigest()
    (folder / DOCUMENT_FILE).write_text(json.dumps(document), "utf-8")


def edit(folder: Path, **entries: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / DOCUMENT_FILE).read_text("utf-8"))
    return {**document, **entries}


@pytest.mark.parametrize("file", [DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_noticed(file: str, saved: Path) -> None:
    (saved / file).unlink()
    refused(saved, file, "there is no model in")
    (saved / file).mkdir()
    refused(saved, file, "there is no model in")


@pytest.mark.parametrize("folder", ["nowhere", "file", "file/model"])
def test_a_folder_without_a_model_is_noticed(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(tmp_path / folder, DOCUMENT_FILE, "there is no model in")


def test_a_folder_that_cannot_be_looked_into_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        Model.load(tmp_path / ("x" * 300))


@pytest.mark.parametrize("file", [DOCUMENT_FILE, ONNX_FILE, WEIGHTS_FILE])
def test_a_truncated_file_is_noticed(file: str, saved: Path) -> None:
    content = (saved / file).read_bytes()
    for length in (0, 1, 7, 8, 9, len(content) // 2, len(content) - 2):
        (saved / file).write_bytes(content[:length])
        refused(saved, file)


@pytest.mark.parametrize("file", [ONNX_FILE, WEIGHTS_FILE])
def test_a_flipped_bit_is_noticed(file: str, saved: Path) -> None:
    content = bytearray((saved / file).read_bytes())
    # In a weight, so that the file is well-formed still.
    place = content.index(small().weights["dense1.bias"].tobytes())
    content[place] ^= 1
    (saved / file).write_bytes(content)
    refused(saved, file, "is not the file that model.json was written with")


@pytest.mark.parametrize(
    "change",
    [
        {"class_names": ["ein", "zero", "七"]},
        {"class_names": ["zero", "ein", "sieben"]},
        {"network": Network((6, 7), (*SMALL.layers[:3], SMALL.layers[-1])).to_list()},
        {"input": {"dtype": "uint8", "shape": ["N", 7, 6]}},
        {"provenance": {**PROVENANCE, "metrics": {"accuracy": {"value": 0.9999}}}},
        {"provenance": {}},
        {"calibration": Calibration().to_dict()},
        {"comment": "added"},
    ],
)
def test_a_changed_description_is_noticed(change: dict[str, Any], saved: Path) -> None:
    (saved / DOCUMENT_FILE).write_text(json.dumps(edit(saved, **change)), "utf-8")
    refused(saved, DOCUMENT_FILE, "was changed after the model was saved")


def test_files_of_two_models_are_noticed(saved: Path, tmp_path: Path) -> None:
    weights = {key: array * np.float32(2) for key, array in small().weights.items()}
    other = dataclasses.replace(small(), weights=weights).save(tmp_path / "other")
    for file in (ONNX_FILE, WEIGHTS_FILE):
        good = (saved / file).read_bytes()
        (saved / file).write_bytes((other / file).read_bytes())
        refused(saved, file, "mixed up")
        (saved / file).write_bytes(good)
    (saved / WEIGHTS_FILE).write_bytes((other / WEIGHTS_FILE).read_bytes())
    # With the hash of the right weights, and the description of the other model.
    right = small().with_provenance(seed=1).save(tmp_path / "right")
    right_hash = edit(right)["weights_sha256"]
    document = edit(saved, weights_sha256=right_hash)
    (right / DOCUMENT_FILE).write_text(json.dumps(document), "utf-8")
    refused(right, DOCUMENT_FILE, "was changed after the model was saved")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"weights",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"schema": "inkwise-model/3", "n": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_description_that_is_not_json_is_noticed(content: bytes, saved: Path) -> None:
    (saved / DOCUMENT_FILE).write_bytes(content)
    refused(saved, DOCUMENT_FILE, "is truncated or not JSON")


@pytest.mark.parametrize(
    "document",
    ["null", "[]", '"model"', "7", "{}", '{"schema": "inkwise-model/2"}', '{"schema": ["a"]}'],
)
def test_json_of_another_schema_is_noticed(document: str, saved: Path) -> None:
    (saved / DOCUMENT_FILE).write_text(document)
    refused(saved, DOCUMENT_FILE, "does not describe an inkwise model")


@pytest.mark.parametrize("provenance", ["NaN", "1e999", "-Infinity", r'"\ud800"'])
def test_json_that_no_model_holds_is_noticed(provenance: str, saved: Path) -> None:
    text = json.dumps(edit(saved, provenance="HERE")).replace('"HERE"', provenance)
    (saved / DOCUMENT_FILE).write_text(text)
    refused(saved, DOCUMENT_FILE)


@pytest.mark.parametrize("depth", [900, 980, 5_000, 100_000])
def test_json_nested_too_deep_is_noticed(depth: int, saved: Path) -> None:
    # Where Python gives up, in reading it or in hashing what was read, depends on its version.
    text = json.dumps(edit(saved, provenance="HERE"))
    (saved / DOCUMENT_FILE).write_text(text.replace('"HERE"', "[" * depth + "]" * depth))
    refused(saved, DOCUMENT_FILE)


class Harmful:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_a_pickle_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    for content in (pickle.dumps(Harmful(mark)), pickle.dumps(Harmful(mark), protocol=0)):
        (saved / WEIGHTS_FILE).write_bytes(content)
        refused(saved, WEIGHTS_FILE, "is not the file that")
        document = edit(saved, weights_sha256=hashlib.sha256(content).hexdigest())
        (saved / DOCUMENT_FILE).write_text(json.dumps(document))
        refused(saved, WEIGHTS_FILE, "is not a safetensors file")
        assert not mark.exists()
    pickle.loads(content)  # noqa: S301 - the trap does work
    assert mark.exists()


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {**small().weights, "extra": np.zeros(3, np.float32)},
        {key: array.astype(np.float16) for key, array in small().weights.items()},
        {key: array[None] for key, array in small().weights.items()},
        make(dataclasses.replace(SMALL, image_size=(8, 9)), ("a", "b", "c")).weights,
        make(case_study((28, 28), 10), DIGITS).weights,
    ],
)
def test_weights_of_another_network_are_noticed_even_when_the_hashes_agree(
    weights: dict[str, NDArray[Any]], saved: Path
) -> None:
    sealed(saved, weights=weights)
    refused(saved, DOCUMENT_FILE, "the weights do not fit the network|the weights must be float32")


def layers_with(place: int, **values: Any) -> list[dict[str, Any]]:
    layers = SMALL.to_list()
    layers[place].update(values)
    return layers


@pytest.mark.parametrize(
    "change",
    [
        {"network": layers_with(-1, units=10**9)},
        {"network": layers_with(-1, units=65_536)},
        {"network": layers_with(0, filters=10**30)},
        {"network": layers_with(0, kernel=10**30)},
        {"network": layers_with(1, size=10**30)},
        {"network": layers_with(0, filters=1e300)},
        {"network": [*SMALL.to_list()[:3], *[{"layer": "dense", "units": 65_536}] * 50]},
        {"input": {"shape": ["N", 10**30, 10**30]}},
        {"input": {"shape": ["N", 65_536, 65_536]}},
        {"input": {"shape": ["N", 6.0, 7.0]}},
        {"input": {"shape": [6, 7]}},
        {"input": None},
        {"network": None},
        {"network": layers_with(0, relu="yes")},
        {"class_names": "abc"[:2]},
        {"class_names": None},
        {"class_names": ["a", "b", ["c"]]},
        {"class_names": ["a", "b", "b"]},
        {"provenance": None},
        {"provenance": 7},
        {"calibration": None},
        {"calibration": {"temperature": 1}},
        {"calibration": {**CALIBRATION.to_dict(), "temperature": 0}},
        {"calibration": {**CALIBRATION.to_dict(), "lowest_score": "low"}},
    ],
)
def test_an_impossible_description_is_noticed_even_when_the_hashes_agree_and_costs_no_memory(
    change: dict[str, Any], saved: Path
) -> None:
    sealed(saved, edit(saved, **change))
    tracemalloc.start()
    try:
        refused(saved, DOCUMENT_FILE, "does not describe a whole model")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("missing", [*DESCRIBED, "provenance"])
def test_a_lacking_entry_is_noticed_even_when_the_hashes_agree(missing: str, saved: Path) -> None:
    document = edit(saved)
    del document[missing]
    sealed(saved, document)
    refused(saved, DOCUMENT_FILE, missing)


def test_the_forger_of_these_tests_writes_models_that_load(saved: Path) -> None:
    sealed(saved, edit(saved, class_names=["a", "b", "c"]))
    assert Model.load(saved).class_names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no ONNX model"),
        (b"garbage", "is no ONNX model"),
        (make(SMALL, ("a", "b", "c")).onnx[:-1], "is no ONNX model"),
        (
            make(dataclasses.replace(SMALL, image_size=(7, 6)), ("a", "b", "c")).onnx,
            "do not describe the same model",
        ),
        (
            make(Network((6, 7), (Flatten(), Dense(4, relu=False))), ("a", "b", "c", "d")).onnx,
            "do not describe the same model",
        ),
    ],
)
def test_a_foreign_onnx_file_is_noticed_even_when_the_hashes_agree(
    content: bytes, told: str, saved: Path
) -> None:
    (saved / ONNX_FILE).write_bytes(content)
    sealed(saved)
    with pytest.raises(ModelError, match=f"{ONNX_FILE}.* {told}") as caught:
        Model.load(saved).predict(np.zeros((1, 6, 7), np.uint8))
    assert "\n" not in str(caught.value)


@functools.cache
def original(folder: Path) -> dict[str, bytes]:
    small().save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(data=st.data())
@settings(max_examples=400)
def test_no_damage_is_ever_read_as_another_model(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged-model"
    files = original(folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    file = data.draw(st.sampled_from(sorted(files)))
    damaged = bytearray(files[file])
    place = data.draw(st.integers(0, len(damaged) - 1), label="place")
    match data.draw(st.sampled_from(["change", "insert", "delete", "cut"])):
        case "change":
            damaged[place] ^= data.draw(st.integers(1, 255))
        case "insert":
            damaged.insert(place, data.draw(st.integers(0, 255)))
        case "delete":
            del damaged[place]
        case "cut":
            del damaged[place:]
    (folder / file).write_bytes(damaged)
    try:
        loaded = Model.load(folder)
    except InkwiseError as error:
        told = str(error)
    else:
        # White space, the spelling of a number: the same model in other words.
        assert file == DOCUMENT_FILE
        assert same(loaded, small())
        return
    assert file in told


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, 2, 3, 6, 7, 65_536, 10**30])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(["conv", "pool", "flatten", "dropout", "dense"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["layer", "shape", "units", "filters", "kernel", "size", "rate", "relu"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


def holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON document: what holds it, and its key or index there."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from holders(value[key])


@given(data=st.data())
@settings(max_examples=200)
def test_whatever_a_description_says_the_model_is_refused_or_works(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "described-model"
    document = json.loads(original(folder)[DOCUMENT_FILE])
    document = copy.deepcopy({key: document[key] for key in DESCRIBED})
    holder, key = data.draw(st.sampled_from(list(holders(document))))
    if data.draw(st.booleans(), label="delete"):
        del holder[key]
    else:
        holder[key] = data.draw(JSON_VALUES)
    sealed(folder, {"schema": "inkwise-model/3", "provenance": {}, **document}, small().weights)
    try:
        loaded = Model.load(folder)
        answer = loaded.predict_proba(np.zeros((2, *loaded.network.image_size), np.uint8))
    except ModelError as error:
        assert DOCUMENT_FILE in str(error)  # noqa: PT017 - an error is one of two right outcomes
    else:
        assert answer.shape == (2, len(loaded.class_names))
