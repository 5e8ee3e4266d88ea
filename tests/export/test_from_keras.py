"""Reading what Keras saved: the same answers, or one line that says why not."""

import io
import json
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import inkwise
from inkwise import Model, import_model
from inkwise.errors import ModelError, StorageError
from inkwise.networks.layers import Activation, Conv, Dense, Dropout, Flatten, Layer, MaxPool
from inkwise.networks.network import Network
from tests.export.conftest import randomise

Build = Callable[[Any], Any]
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 14, 12), np.uint8)
SUFFIXES = (".keras", ".h5")


def stack(keras: Any, *layers: Any, shape: tuple[int | None, ...] = (14, 12, 1)) -> Any:
    """Make a Sequential model that takes the images of these tests."""
    return randomise(keras.Sequential([keras.Input(shape), *layers]))


def layers_of(model: Model) -> tuple[Layer, ...]:
    assert isinstance(model.network, Network)
    return model.network.layers


def save(model: Any, path: Path) -> Path:
    model.save(path)
    return path


def case_study(keras: Any) -> Any:
    layers = keras.layers
    return stack(
        keras,
        layers.Conv2D(5, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(4, (2, 2), activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.25),
        layers.Dense(7, activation="relu"),
        layers.Dense(3, activation="softmax"),
    )


def separate_activations(keras: Any) -> Any:
    layers = keras.layers
    return stack(
        keras,
        layers.Conv2D(5, 3, strides=2),
        layers.ReLU(),
        layers.Conv2D(4, 2),
        layers.MaxPooling2D(2),
        layers.Activation("relu"),  # behind the pooling, with which it commutes
        layers.Flatten(),
        layers.Dense(7),
        layers.Activation("linear"),
        layers.Dense(3),
        layers.Softmax(),
    )


def normalised(keras: Any) -> Any:
    layers = keras.layers
    return stack(
        keras,
        layers.Conv2D(5, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(scale=False, axis=-1),
        layers.BatchNormalization(center=False, epsilon=0.1),
        layers.Flatten(),
        layers.Dense(7, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Dense(3, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("softmax"),
    )


def perceptron(keras: Any) -> Any:
    layers = keras.layers
    return stack(keras, layers.Flatten(), layers.Dense(3, activation="softmax"), shape=(14, 12))


def functional(keras: Any) -> Any:
    layers = keras.layers
    images = keras.Input((14, 12, 1))
    maps = layers.Rescaling(1 / 255)(images)
    maps = layers.Conv2D(5, 3, activation="relu", name="a.layer of my own")(maps)
    features = layers.Flatten()(layers.MaxPooling2D()(maps))
    probabilities = layers.Dense(3, activation="softmax")(features)
    return randomise(keras.Model(images, probabilities))


def without_input(keras: Any) -> Any:
    model = keras.Sequential(
        [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    )
    model(np.zeros((1, 14, 12, 1), np.float32))
    return randomise(model)


def finish(keras: Any, images: Any, maps: Any) -> Any:
    """Make a functional model with a plain end."""
    features = keras.layers.Flatten()(maps)
    return randomise(keras.Model(images, keras.layers.Dense(3, "softmax")(features)))


def answers(model: Any) -> NDArray[np.float32]:
    """What Keras answers on the images."""
    inputs = IMAGES.reshape(-1, *model.input_shape[1:]).astype(np.float32)
    rescales = any("rescaling" in layer.name for layer in model.layers)
    outputs: NDArray[np.float32] = model(inputs if rescales else inputs / 255).numpy()
    return outputs


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "build",
    [case_study, separate_activations, normalised, perceptron, functional, without_input],
    ids=lambda build: build.__name__,
)
def test_an_imported_model_gives_keras_answers(
    keras: Any, build: Build, suffix: str, tmp_path: Path
) -> None:
    model = build(keras)

    imported = import_model(save(model, tmp_path / f"model{suffix}"))

    np.testing.assert_allclose(imported.predict_proba(IMAGES), answers(model), atol=1e-6)
    assert imported.class_names == ("0", "1", "2")


def test_logits_get_the_softmax_that_keras_leaves_to_the_loss(keras: Any, tmp_path: Path) -> None:
    model = stack(keras, keras.layers.Flatten(), keras.layers.Dense(3))

    imported = import_model(save(model, tmp_path / "model.keras"))

    expected = np.exp(answers(model))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(imported.predict_proba(IMAGES), expected, atol=1e-6)


def test_an_imported_model_has_the_layers_of_the_file(keras: Any, tmp_path: Path) -> None:
    imported = import_model(save(separate_activations(keras), tmp_path / "model.keras"))

    assert imported.network.image_size == (14, 12)
    assert layers_of(imported) == (
        Conv(5, 3, "relu", stride=2),
        Conv(4, 2),
        MaxPool(2),
        Activation("relu"),
        Flatten(),
        Dense(7),
        Dense(3),
    )


def test_an_imported_model_is_a_model_like_any_other(keras: Any, tmp_path: Path) -> None:
    path = save(case_study(keras), tmp_path / "model.h5")

    imported = import_model(path, class_names=["ant", "bee", "cat"])
    again = inkwise.Model.load(imported.save(tmp_path / "model"))

    assert again.class_names == ("ant", "bee", "cat")
    assert layers_of(again)[4] == Dropout(0.25)
    assert again.provenance["imported"]["file"] == "model.h5"
    assert again.provenance["imported"]["keras"] == keras.__version__
    assert len(again.provenance["imported"]["sha256"]) == 64
    np.testing.assert_array_equal(again.predict_proba(IMAGES), imported.predict_proba(IMAGES))


def test_class_names_must_be_as_many_as_the_outputs(keras: Any, tmp_path: Path) -> None:
    path = save(perceptron(keras), tmp_path / "model.keras")

    with pytest.raises(ModelError, match="2 class names, but the network has 3 outputs"):
        import_model(path, class_names=["ant", "bee"])


def test_importing_takes_neither_keras_nor_torch(keras: Any, tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        save(case_study(keras), tmp_path / f"model{suffix}")
    program = """
import sys, inkwise
for suffix in (".keras", ".h5"):
    inkwise.import_model("model" + suffix)
print([name for name in ("keras", "tensorflow", "h5py", "torch") if name in sys.modules])
"""

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def old_file(config: Any, class_name: str) -> bytes:
    """Write an .h5 file as Keras 2 did: other names in the description, and for the variables."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["keras_version"] = b"2.2.4"
        description = {"class_name": class_name, "config": config}
        file.attrs["model_config"] = json.dumps(description).encode()
        group = file.create_group("model_weights/dense_1")
        group.attrs["weight_names"] = [b"dense_1/kernel:0", b"dense_1/bias:0"]
        group["dense_1/kernel:0"] = np.arange(504, dtype=np.float32).reshape(168, 3)
        group["dense_1/bias:0"] = np.array([1, 2, 3], np.float32)
    return buffer.getvalue()


OLD_LAYERS = [
    {
        "class_name": "InputLayer",
        "config": {"name": "input_1", "batch_input_shape": [None, 14, 12, 1]},
        "name": "input_1",
        "inbound_nodes": [],
    },
    {  # out of order on purpose
        "class_name": "Dense",
        "config": {"name": "dense_1", "units": 3, "activation": "softmax", "use_bias": True},
        "name": "dense_1",
        "inbound_nodes": [[["flatten_1", 0, 0, {}]]],
    },
    {
        "class_name": "Flatten",
        "config": {"name": "flatten_1", "data_format": "channels_last"},
        "name": "flatten_1",
        "inbound_nodes": [[["input_1", 0, 0, {}]]],
    },
]
OLD_SEQUENCE = [
    {
        "class_name": "Flatten",
        "config": {"name": "flatten_1", "batch_input_shape": [None, 14, 12, 1]},
    },
    {
        "class_name": "Dense",
        "config": {"name": "dense_1", "units": 3, "activation": "softmax", "use_bias": True},
    },
]


@pytest.mark.parametrize(
    ("config", "class_name"),
    [
        ({"layers": OLD_LAYERS, "output_layers": [["dense_1", 0, 0]]}, "Model"),
        ({"name": "sequential_1", "layers": OLD_SEQUENCE}, "Sequential"),
        (OLD_SEQUENCE, "Sequential"),
    ],
    ids=["functional", "sequential", "list"],
)
def test_files_of_keras_2_are_read(config: Any, class_name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes(old_file(config, class_name))

    imported = import_model(path)

    assert layers_of(imported) == (Flatten(), Dense(3))
    weight, bias = imported.weights["dense1.weight"], imported.weights["dense1.bias"]
    np.testing.assert_array_equal(weight.T.ravel(), np.arange(504))
    np.testing.assert_array_equal(bias, [1, 2, 3])
    assert imported.provenance["imported"]["keras"] == "2.2.4"


def any_size(keras: Any) -> Any:
    layers = keras.layers
    return stack(keras, layers.Conv2D(2, 3), layers.Dense(3), shape=(None, None, 1))


def branching(keras: Any) -> Any:
    images = keras.Input((14, 12, 1))
    one, other = (keras.layers.Flatten()(images) for _ in range(2))
    joined = keras.layers.Concatenate()([one, other])
    return keras.Model(images, keras.layers.Dense(3, "softmax")(joined))


def three_ways(keras: Any) -> Any:
    images = keras.Input((14, 12, 1))
    ways = [keras.layers.Conv2D(2, 3)(images) for _ in range(3)]
    return finish(keras, images, keras.layers.Add()(ways))


def sum_in_a_sum(keras: Any) -> Any:
    images = keras.Input((14, 12, 1))
    inner = keras.layers.Conv2D(1, 3, padding="same")(images)
    return finish(keras, images, keras.layers.Add(name="a")([images, inner + images]))


def two_outputs(keras: Any) -> Any:
    images = keras.Input((14, 12, 1))
    features = keras.layers.Flatten()(images)
    return keras.Model(images, [features, keras.layers.Dense(3, "softmax")(features)])


def applied_twice(keras: Any) -> Any:
    images = keras.Input((14, 12, 1))
    dense = keras.layers.Dense(3, name="d")
    features = keras.layers.Flatten()(images)
    return keras.Model(images, dense(dense(keras.layers.Dense(3)(features))))


def then(make: Callable[[Any], list[Any]], shape: tuple[int | None, ...] = (14, 12, 1)) -> Build:
    """Put layers in front of a plain end."""

    def build(keras: Any) -> Any:
        end = [keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
        return stack(keras, *make(keras.layers), *end, shape=shape)

    return build


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (then(lambda kl: [kl.Conv2D(2, (3, 2), name="c")]), "'c' (Conv2D) has kernel_size = 3×2"),
        (then(lambda kl: [kl.Conv2D(2, 3, (2, 1), name="c")]), "'c' (Conv2D) has strides = 2×1"),
        (then(lambda kl: [kl.Conv2D(2, 3, activation="softplus")]), "activation 'softplus'"),
        (then(lambda kl: [kl.Conv2D(2, 3, activation=abs)]), "activation"),
        (then(lambda kl: [kl.MaxPooling2D((2, 1), name="p")]), "'p' (MaxPooling2D) has pool_size"),
        (then(lambda kl: [kl.PReLU(name="p")]), "'p' (PReLU) is not supported"),
        (then(lambda kl: [kl.Reshape((14, 12)), kl.LSTM(3, return_sequences=True)]), "(LSTM)"),
        (then(lambda kl: [kl.Resizing(7, 6)]), "(Resizing) is not supported"),
        (then(lambda kl: [kl.Reshape((7, 24, 1), name="r")]), "'r' (Reshape) makes (7, 24, 1) of"),
        (then(lambda kl: [kl.Conv2D(2, 3), kl.ReLU(max_value=6)]), "has max_value = 6"),
        (then(lambda kl: [kl.ELU(0.5)]), "has alpha = 0.5"),
        (then(lambda kl: [kl.Softmax(axis=1)]), "has axis = 1"),
        (then(lambda kl: [kl.ZeroPadding2D(3), kl.Conv2D(2, 3)]), "3 above, 3 below, 3 left, 3"),
        (then(lambda kl: [kl.ZeroPadding2D(), kl.MaxPooling2D()]), "inkwise takes a Conv there"),
        (then(lambda kl: [kl.ZeroPadding2D()]), "inkwise takes a Conv there"),
        (
            then(lambda kl: [kl.Normalization((1, 2), IMAGES[0] + 1, IMAGES[1] + 1)]),
            "for each pixel",
        ),
        (then(lambda kl: [kl.Conv2D(2, 3), kl.BatchNormalization(axis=1)]), "axis = 1"),
        (then(lambda kl: [kl.Dropout(0.5, noise_shape=(1, 14, 12, 1))]), "noise_shape"),
        (then(lambda kl: [kl.Conv2D(2, 3), kl.Softmax()]), "follows the softmax"),
        (then(lambda kl: [], (14, 12, 3)), "inputs of shape (14, 12, 3)"),
        (then(lambda kl: [], (168,)), "168 numbers, which are no square image"),
        (lambda keras: stack(keras, keras.layers.Dense(3)), "takes a vector, and a feature map"),
        (lambda keras: stack(keras, keras.layers.Flatten()), "no convolution and no dense layer"),
        (
            lambda keras: stack(keras, keras.layers.Flatten(), keras.layers.Dense(3, "sigmoid")),
            "ends in a sigmoid",
        ),
        (any_size, "inputs of shape (None, None, 1)"),
        (branching, "(Concatenate) is not supported"),
        (three_ways, "joins what inkwise cannot"),
        (sum_in_a_sum, "'a' (Add) joins what inkwise cannot"),
        (two_outputs, "1 inputs and 2 outputs"),
        (applied_twice, "'d' (Dense) is applied more than once"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_supported_is_one_line_that_names_it(
    keras: Any, build: Build, reason: str, suffix: str, tmp_path: Path
) -> None:
    path = save(build(keras), tmp_path / f"model{suffix}")

    with pytest.raises(ModelError) as caught:
        import_model(path)

    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_in_a_circle_are_refused(keras: Any, tmp_path: Path) -> None:
    images = keras.Input((14, 12, 1))
    features = keras.layers.Flatten(name="before")(images)
    ends = keras.layers.Dense(3, name="after")(keras.layers.Dense(3, name="own")(features))
    path = save(keras.Model(images, ends), tmp_path / "model.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    history = b'"keras_history": ["%s", 0, 0]'
    assert members["config.json"].count(history % b"before") == 1
    members["config.json"] = members["config.json"].replace(history % b"before", history % b"own")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)

    with pytest.raises(ModelError, match="connected in a circle"):
        import_model(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_layer_that_is_code_is_refused_and_not_run(
    keras: Any, suffix: str, tmp_path: Path
) -> None:
    trap = str(tmp_path / "it ran")
    layers = keras.layers
    model = stack(
        keras,
        layers.Lambda(lambda maps: open(trap, "w") and maps, name="harmless"),  # noqa: PTH123, SIM115
        layers.Flatten(),
        layers.Dense(3, "softmax"),
    )
    path = save(model, tmp_path / f"model{suffix}")
    Path(trap).unlink()  # Keras has run it to build the model

    with pytest.raises(ModelError, match=r"'harmless' \(Lambda\) is not supported"):
        import_model(path)

    assert not Path(trap).exists()


def test_a_layer_that_only_bears_a_known_name_is_refused(keras: Any, tmp_path: Path) -> None:
    class Dense(keras.layers.Dense):  # type: ignore[misc]
        def call(self, features: Any) -> Any:
            return super().call(features) * 2

    model = stack(keras, keras.layers.Flatten(), Dense(3, "softmax", name="double"))

    with pytest.raises(ModelError, match=r"'double' \(Dense\) is a custom layer"):
        import_model(save(model, tmp_path / "model.keras"))


def test_a_model_of_a_class_of_its_own_is_refused(keras: Any, tmp_path: Path) -> None:
    class Mine(keras.Model):  # type: ignore[misc]
        def call(self, images: Any) -> Any:
            return images

    model = Mine()
    model(np.zeros((1, 14, 12, 1)))

    with pytest.raises(ModelError, match="of the class Mine"):
        import_model(save(model, tmp_path / "model.keras"))


@pytest.fixture(scope="session")
def files(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small model in both formats, as bytes to damage."""
    folder = tmp_path_factory.mktemp("files")
    model = case_study(keras)
    return {suffix: save(model, folder / f"model{suffix}").read_bytes() for suffix in SUFFIXES}


@given(data=st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_one_line_or_still_a_model(
    files: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(files[data.draw(st.sampled_from(SUFFIXES))])
    place = data.draw(st.integers(0, len(raw) - 1) | st.integers(0, 4_000))
    if data.draw(st.booleans()):
        del raw[place:]
    else:
        noise = data.draw(st.binary(min_size=1, max_size=16))
        raw[place : place + len(noise)] = noise
    path = tmp_path / "model.h5"
    path.write_bytes(raw)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(path)

    assert not message or str(path) in message
    assert "\n" not in message


def refusal(path: Path) -> str:
    """Return why a file is refused, nothing if it is not; any other exception fails the test."""
    try:
        import_model(path).predict_proba(IMAGES)
    except ModelError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused(
    files: dict[str, bytes], suffix: str, share: float, tmp_path: Path
) -> None:
    raw = files[suffix]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(raw[: int(share * len(raw))])

    with pytest.raises(ModelError, match=r"model\.(keras|h5)"):
        import_model(path)


def repack(raw: bytes, **members: bytes | None) -> bytes:
    """Replace or, with None, leave out members of a .keras file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            content = members.get(name.partition(".")[0], old.read(name))
            if content is not None:
                new.writestr(name, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"config": None}, "config.json"),
        ({"model": None}, "model.weights.h5"),
        ({"config": b"{"}, "JSONDecodeError"),
        ({"config": b"[" * 100_000}, "RecursionError"),
        ({"config": b"[1, 2]"}, "damaged, or not a model that Keras saved"),
        ({"config": b'{"class_name": "\\u001b[31m\\n", "config": []}'}, "of the class ?[31m?, "),
        ({"model": b"no HDF5 at all"}, "damaged, or not a model that Keras saved"),
    ],
    ids=str,
)
def test_a_foreign_archive_is_one_line(
    files: dict[str, bytes], members: dict[str, bytes | None], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(repack(files[".keras"], **members))

    with pytest.raises(ModelError) as caught:
        import_model(path)

    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_repacked_archive_is_read(files: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(repack(files[".keras"]))

    assert import_model(path).network.classes == 3


def test_an_archive_that_unpacks_to_all_of_the_memory_is_refused(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    raw = bytearray(repack(files[".keras"]))
    directory = raw.rindex(b"PK\x01\x02")  # of the last member, the weights
    raw[directory + 24 : directory + 28] = (3 << 30).to_bytes(4, "little")
    path = tmp_path / "model.keras"
    path.write_bytes(raw)

    with pytest.raises(ModelError, match=r"model\.weights\.h5 is larger than"):
        import_model(path)


def test_weights_that_are_not_finite_are_refused(keras: Any, tmp_path: Path) -> None:
    model = stack(keras, keras.layers.Flatten(), keras.layers.Dense(3, "softmax", name="d"))
    model.get_layer("d").bias.assign([0, float("nan"), 0])

    with pytest.raises(ModelError, match=r"'d' \(Dense\) has weights that are not finite"):
        import_model(save(model, tmp_path / "model.keras"))


def test_weights_of_other_shapes_than_described_are_refused(tmp_path: Path) -> None:
    layers = [OLD_SEQUENCE[0], {**OLD_SEQUENCE[1], "config": {"name": "dense_1", "units": 4}}]
    path = tmp_path / "model.h5"
    path.write_bytes(old_file(layers, "Sequential"))

    with pytest.raises(ModelError, match="weights of other shapes than its description says"):
        import_model(path)


def test_weights_without_their_model_are_refused(keras: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    case_study(keras).save_weights(path)

    with pytest.raises(ModelError, match="holds weights but no model"):
        import_model(path)


def test_the_first_form_of_keras_files_is_refused(files: dict[str, bytes], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_group("_layer_checkpoint_dependencies/conv2d/vars")
    path = tmp_path / "model.keras"
    path.write_bytes(repack(files[".keras"], model=buffer.getvalue()))

    with pytest.raises(ModelError, match=r"save the model as \.h5"):
        import_model(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot read"):
        import_model(tmp_path / "missing.h5")


def test_a_checkpoint_of_pytorch_is_told_as_one(tmp_path: Path) -> None:
    weights = {"weight": torch.zeros(3)}
    for name, zipped in (("new.pth", True), ("old.pt", False)):
        torch.save(weights, tmp_path / name, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ModelError, match=r"it is a pickle, as PyTorch's"):
            import_model(tmp_path / name)
