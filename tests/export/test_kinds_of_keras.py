"""The kinds of Keras models that people have for MNIST: each gives the answers that Keras gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from inkwise import import_model
from inkwise.errors import ModelError
from tests.export.conftest import randomise

IMAGES = np.random.default_rng(0).integers(0, 256, (16, 28, 28), np.uint8)
RAW, UNIT = 1.0, 1 / 255


def chain(*names: str, shape: tuple[int, ...] = (28, 28, 1)) -> Callable[[Any], Any]:
    """Return a function that builds a Sequential model of layers as one writes them in Python."""

    def build(keras: Any) -> Any:
        scope = {name: getattr(keras.layers, name) for name in dir(keras.layers)} | {"k": keras}
        made = [eval(name, scope) for name in names]  # noqa: S307 - the lines below
        return keras.Sequential([keras.Input(shape), *made])

    return build


def functional(keras: Any) -> Any:
    kl = keras.layers
    images = keras.Input((28, 28, 1))
    maps = kl.Conv2D(4, 3, padding="same")(images)
    for strides in (1, 2):
        block = kl.Activation("relu")(kl.BatchNormalization()(maps))
        block = kl.Conv2D(4 * strides, 3, strides, padding="same", activation="relu")(block)
        block = kl.BatchNormalization()(kl.Conv2D(4 * strides, 3, padding="same")(block))
        skip = maps if strides == 1 else kl.Conv2D(8, 1, 2, use_bias=False)(maps)
        maps = kl.ReLU()(kl.Add()([skip, block]))
    features = kl.GlobalAveragePooling2D()(maps)
    hidden = kl.Dense(8, activation="relu")(features)
    features = features + kl.Dense(8)(kl.Dropout(0.1)(hidden))  # an operator, not a layer
    return keras.Model(images, kl.Dense(10, activation="softmax")(features))


def augmented(keras: Any) -> Any:
    kl = keras.layers
    augmentation = keras.Sequential(
        [kl.RandomRotation(0.1), kl.RandomZoom(0.1), kl.RandomTranslation(0.1, 0.1)]
    )
    images = keras.Input((28, 28, 1))
    maps = kl.Rescaling(1 / 255)(augmentation(images))
    maps = kl.Conv2D(4, 5, activation="relu")(kl.GaussianNoise(0.1)(maps))
    features = kl.Flatten()(kl.MaxPooling2D()(maps))
    return keras.Model(images, kl.Dense(10, activation="softmax")(features))


def nested(keras: Any) -> Any:
    front = chain("Conv2D(4, 3, activation='relu')", "BatchNormalization()")(keras)
    features = chain("Flatten()", "Dense(5)", "BatchNormalization()", shape=(26, 26, 4))(keras)
    kl = keras.layers
    return keras.Sequential([keras.Input((28, 28, 1)), front, features, kl.Dense(10, "softmax")])


END = ("Flatten()", "Dense(10, activation='softmax')")
NORM = "BatchNormalization()"

KINDS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "textbook": (
        chain("Conv2D(4, 3, activation='relu')", "MaxPooling2D((2, 2))", *END),
        UNIT,
    ),
    "keras.io's example": (
        chain(
            "Conv2D(4, kernel_size=(3, 3), activation='relu')",
            "MaxPooling2D(pool_size=(2, 2))",
            "Conv2D(5, kernel_size=(3, 3), activation='relu')",
            "MaxPooling2D(pool_size=(2, 2))",
            "Flatten()",
            "Dropout(0.5)",
            "Dense(10, activation='softmax')",
        ),
        UNIT,
    ),
    "logits": (chain("Conv2D(4, 3, activation='relu')", "Flatten()", "Dense(10)"), UNIT),
    "perceptron on (28, 28)": (
        chain("Flatten()", "Dense(16, activation='relu')", "Dense(10)", shape=(28, 28)),
        UNIT,
    ),
    "perceptron on (784,)": (
        chain("Dense(16, activation='relu')", "Dropout(0.2)", END[1], shape=(784,)),
        UNIT,
    ),
    "perceptron of sigmoids": (
        chain("Dense(16, activation='sigmoid')", "Dense(9, 'tanh')", END[1], shape=(784,)),
        UNIT,
    ),
    "softmax regression": (chain("Dense(10)", "Activation('softmax')", shape=(784,)), UNIT),
    "raw pixels in a flat table": (
        chain("Rescaling(1 / 255)", "Dense(16, 'relu')", END[1], shape=(784,)),
        RAW,
    ),
    "convolutions on (784,)": (
        chain("Reshape((28, 28, 1))", "Conv2D(4, 3, activation='relu')", *END, shape=(784,)),
        UNIT,
    ),
    "convolutions on (28, 28)": (
        chain("Reshape((28, 28, 1))", "Conv2D(4, 3)", "Reshape((-1,))", END[1], shape=(28, 28)),
        UNIT,
    ),
    "LeNet-5": (
        chain(
            "Conv2D(6, 5, padding='same', activation='tanh')",
            "AveragePooling2D(2)",
            "Conv2D(16, 5, activation='tanh')",
            "AveragePooling2D(2, strides=2)",
            "Flatten()",
            "Dense(20, activation='tanh')",
            "Dense(10, activation='softmax')",
        ),
        UNIT,
    ),
    "VGG": (
        chain(
            "Conv2D(4, 3, activation='relu', padding='same')",
            "Conv2D(4, 3, activation='relu', padding='same')",
            "MaxPooling2D((2, 2), strides=(2, 2))",
            "Dropout(0.25)",
            "Conv2D(5, 3, activation='relu', padding='same')",
            "MaxPooling2D((2, 2), strides=(2, 2))",
            "Flatten()",
            "Dense(9, activation='relu')",
            "Dense(10, activation='softmax')",
        ),
        UNIT,
    ),
    "normalised before the activation": (
        chain("Conv2D(4, 3, use_bias=False)", NORM, "Activation('relu')", *END),
        UNIT,
    ),
    "normalised after the activation": (
        chain("Conv2D(4, 3, activation='relu')", NORM, "MaxPooling2D()", "Flatten()", NORM, END[1]),
        UNIT,
    ),
    "a strided convolution for a pooling": (
        chain("Conv2D(4, 5, strides=2, padding='same', activation='relu')", NORM, *END),
        UNIT,
    ),
    "leaky": (
        chain(
            "Conv2D(4, 3, padding='same')",
            "LeakyReLU(0.1)",
            "MaxPooling2D((2, 2), padding='same')",
            "Conv2D(5, 3, padding='same', activation='leaky_relu')",
            "MaxPooling2D((2, 2), padding='same')",
            "Conv2D(5, 3, padding='same', activation=LeakyReLU())",
            "AveragePooling2D((2, 2), padding='same')",
            *END,
        ),
        UNIT,
    ),
    "newer activations": (
        chain("Conv2D(4, 3, activation='gelu')", "ELU()", "Conv2D(4, 3, activation='swish')", *END),
        UNIT,
    ),
    "separable": (
        chain(
            "SeparableConv2D(5, 3, activation='relu', depth_multiplier=2)",
            "DepthwiseConv2D(3, padding='same', depth_multiplier=2)",
            "SeparableConv2D(5, 3, strides=2, padding='same', use_bias=False)",
            "GlobalAveragePooling2D()",
            "Dense(10, activation='softmax')",
        ),
        UNIT,
    ),
    "dilated and grouped": (
        chain("Conv2D(4, 3, dilation_rate=2)", "Conv2D(6, 3, groups=2, padding='same')", *END),
        UNIT,
    ),
    "global pooling at the end": (
        chain("Conv2D(10, 3)", "ReLU()", "GlobalAveragePooling2D()", "Activation('softmax')"),
        UNIT,
    ),
    "all convolutions": (
        chain(
            "Conv2D(4, 5, 4, 'valid', activation='relu')", "Conv2D(10, 6)", "Flatten()", "Softmax()"
        ),
        UNIT,
    ),
    "spatial dropout and noise": (
        chain(
            "GaussianNoise(0.1)",
            "Conv2D(4, 3)",
            "SpatialDropout2D(0.2)",
            "GlobalMaxPooling2D()",
            "GaussianDropout(0.2)",
            "Dense(10, 'softmax')",
        ),
        UNIT,
    ),
    "padded by hand": (
        chain("ZeroPadding2D(2)", "Conv2D(4, 5)", "ZeroPadding2D(1)", "Conv2D(5, 3, 2)", *END),
        UNIT,
    ),
    "from -1 to 1": (
        chain("Rescaling(1 / 127.5, offset=-1)", "Conv2D(4, 3, padding='same')", *END),
        RAW,
    ),
    "mean and deviation": (
        chain("Normalization(mean=33.3, variance=78.6**2)", "Conv2D(4, 3, padding='same')", *END),
        RAW,
    ),
    "mean and deviation of shares": (
        chain("Normalization(mean=0.13, variance=0.1)", "Dense(10, 'softmax')", shape=(784,)),
        UNIT,
    ),
    "augmentation within": (augmented, RAW),
    "functional with skips": (functional, UNIT),
    "models in a model": (nested, UNIT),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_the_answers_of_keras(keras: Any, kind: str, tmp_path: Path) -> None:
    build, scale = KINDS[kind]
    model = randomise(build(keras))
    inputs = IMAGES.reshape(-1, *model.input_shape[1:]).astype(np.float32)
    expected = model(inputs * np.float32(scale), training=False).numpy()
    if not np.allclose(expected.sum(axis=1), 1, atol=1e-4):  # logits
        expected = np.exp(expected - expected.max(axis=1, keepdims=True))
        expected /= expected.sum(axis=1, keepdims=True)

    for suffix in (".keras", ".h5")[: 1 if kind == "models in a model" else 2]:
        path = tmp_path / f"model{suffix}"
        model.save(path)
        imported = import_model(path)

        np.testing.assert_allclose(imported.predict_proba(IMAGES), expected, atol=1e-5)
        again = type(imported).load(imported.save(tmp_path / "saved"))
        assert again.network == imported.network


def test_what_only_augments_is_left_out_and_named(keras: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    augmented(keras).save(path)

    left_out = import_model(path).provenance["imported"]["left_out"]

    assert [name.rstrip("_0123456789") for name in left_out] == [
        "random_rotation",
        "random_zoom",
        "random_translation",
        "gaussian_noise",
    ]


def test_a_single_sigmoid_becomes_two_classes(keras: Any, tmp_path: Path) -> None:
    model = randomise(chain("Flatten()", "Dense(1, activation='sigmoid')")(keras))
    path = tmp_path / "model.keras"
    model.save(path)

    probabilities = import_model(path, ["other", "seven"]).predict_proba(IMAGES)

    expected = model(IMAGES[..., None] / np.float32(255)).numpy()
    np.testing.assert_allclose(probabilities[:, 1:], expected, atol=1e-5)


def test_weights_in_a_model_within_an_h5_file_are_refused_by_name(
    keras: Any, tmp_path: Path
) -> None:
    path = tmp_path / "model.h5"
    nested(keras).save(path)

    with pytest.raises(ModelError, match=r"within the model has weights: save it as \.keras"):
        import_model(path)


@given(
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    zeros=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    side=st.integers(8, 13),
)
@example(kernel=2, stride=2, zeros=(2, 0), side=9)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_zeros_around_a_map_are_those_of_keras_or_refused(
    keras: Any, tmp_path: Path, kernel: int, stride: int, zeros: tuple[int, int], side: int
) -> None:
    layers = f"ZeroPadding2D(({zeros}, {zeros}))", f"Conv2D(2, {kernel}, {stride})"
    model = randomise(chain(*layers, *END, shape=(side, side, 1))(keras))
    path = tmp_path / "model.keras"
    model.save(path)
    if any(zeros) and (side + sum(zeros) - kernel) // stride + 1 != -(-side // stride):
        with pytest.raises(ModelError, match="zeros around the map"):
            import_model(path)
        return

    images = IMAGES[:, :side, :side]
    expected = model(images[..., None] / np.float32(255)).numpy()
    np.testing.assert_allclose(import_model(path).predict_proba(images), expected, atol=1e-5)
