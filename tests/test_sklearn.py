"""The estimators, with scikit-learn's own tools."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import check_estimator

import inkwise
from inkwise import Dataset
from inkwise.errors import ArgumentError, InkwiseError
from inkwise.sklearn import DigitClassifier, Inker

pytestmark = pytest.mark.usefixtures("trains")

Digits = tuple[NDArray[Any], NDArray[Any]]

NOT_KEPT = {
    "check_sample_weight_equivalence_on_dense_data": (
        "the order of images decides the weights of a network, and repeated images have another"
    )
}


@pytest.fixture(scope="module")
def digits() -> Digits:
    x, y = load_digits(return_X_y=True)
    return x[:600], y[:600]


def quick(**parameters: Any) -> DigitClassifier:
    return DigitClassifier(**{"recipe": "perceptron", "epochs": 8, **parameters})


# --- scikit-learn's contract ---


@pytest.mark.slow
def test_the_contract_of_scikit_learn_is_kept() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some checks are there to provoke warnings
        results = check_estimator(
            quick(epochs=30), expected_failed_checks=NOT_KEPT, on_skip=None, on_fail="raise"
        )
    by_status: dict[str, list[str]] = {status: [] for status in ("passed", "xfail", "skipped")}
    for result in results:
        by_status[result["status"]].append(result["check_name"])
    assert by_status["xfail"] == [*NOT_KEPT]
    assert by_status["skipped"] == ["check_array_api_input"]
    assert len(by_status["passed"]) > 50


def test_parameters_are_kept_as_given() -> None:
    recipe = inkwise.get_recipe("swift", epochs=2)
    classifier = DigitClassifier(recipe, levels=(255, 0))
    assert classifier.get_params()["recipe"] is recipe
    assert clone(classifier).get_params() == classifier.get_params()
    assert classifier.set_params(recipe="swift", epochs=3).epochs == 3
    with pytest.raises(ArgumentError, match="unknown recipe 'swfit'"):
        DigitClassifier("swfit").fit(np.eye(4), [0, 1, 0, 1])


# --- images and labels of every form ---


def test_it_trains_what_a_loop_trains(animals: Dataset) -> None:
    fit = inkwise.fit("case-study", animals, epochs=2, seed=3)
    list(fit)

    names = np.array(animals.class_names)
    classifier = DigitClassifier(epochs=2, random_state=3)
    classifier.fit(animals.train.images, names[animals.train.labels])

    expected = fit.model.predict_proba(animals.test.images)
    np.testing.assert_array_equal(classifier.predict_proba(animals.test.images), expected)
    assert list(classifier.classes_) == list(animals.class_names)
    assert classifier.model_.class_names == animals.class_names
    right = names[animals.test.labels] == classifier.predict(animals.test.images)
    assert classifier.score(animals.test.images, names[animals.test.labels]) == right.mean()


@pytest.mark.parametrize("shape", [(-1, 64), (-1, 8, 8), (-1, 8, 8, 1), (-1, 1, 8, 8)])
@pytest.mark.parametrize(
    "convert", [lambda x: x, lambda x: x.astype(np.float32) / 16, lambda x: x.astype(np.int64)]
)
def test_every_form_of_the_images_trains_the_same(
    shape: tuple[int, ...], convert: Any, digits: Digits
) -> None:
    x, y = digits
    expected = quick(epochs=1).fit(x, y).predict_proba(x)

    classifier = quick(epochs=1).fit(convert(x).reshape(shape), y)

    assert classifier.image_size_ == (8, 8)
    assert classifier.n_features_in_ == 64
    for other in (x.reshape(-1, 64), x.reshape(-1, 8, 8)):
        np.testing.assert_array_equal(classifier.predict_proba(convert(other)), expected)


def test_images_of_another_shape_are_not_guessed_at(digits: Digits) -> None:
    x, y = digits
    classifier = quick(epochs=1).fit(x, y)
    with pytest.raises(ValueError, match="of 16×4 pixels, and the classifier was fitted to 8×8"):
        classifier.predict(x.reshape(-1, 16, 4))


def test_tables_and_lists_are_images_too(digits: Digits) -> None:
    pandas = pytest.importorskip("pandas")
    x, y = digits
    expected = quick(epochs=1).fit(x, y).predict(x)
    table = pandas.DataFrame(x, columns=[f"p{number}" for number in range(64)])

    classifier = quick(epochs=1).fit(table, pandas.Series(y))

    assert list(classifier.feature_names_in_) == list(table.columns)
    np.testing.assert_array_equal(classifier.predict(table), expected)
    lists = quick(epochs=1).fit(x.reshape(-1, 8, 8).tolist(), y.tolist())
    np.testing.assert_array_equal(lists.predict(x.tolist()), expected)


@pytest.mark.parametrize(
    "name",
    [
        lambda y: y - 5,
        lambda y: y.astype(float),
        lambda y: np.array([f"digit {n}" for n in y]),
        lambda y: np.array([f"digit {n}" for n in y], object),
        lambda y: y > 4,
        lambda y: (10 * y).astype(np.uint8),
    ],
)
def test_labels_come_back_as_what_they_were(name: Any, digits: Digits) -> None:
    x, y = digits
    named = name(y)

    classifier = quick().fit(x, named)

    assert classifier.predict(x).dtype == named.dtype
    assert set(classifier.predict(x)) <= set(named)
    assert classifier.score(x, named) > 0.6
    assert classifier.predict_proba(x).shape == (len(x), len(classifier.classes_))


def test_levels_say_what_is_ink(digits: Digits) -> None:
    x, y = digits
    expected = quick(epochs=1).fit(x, y).predict_proba(x)

    dark = quick(epochs=1, levels=(16, 0)).fit(16 - x, y)
    np.testing.assert_array_equal(dark.predict_proba(16 - x), expected)
    inverted = DigitClassifier("perceptron", epochs=1, levels=(255, 0))
    expected_of = inverted.fit(255 - 15.0 * x, y).predict_proba(255 - 15.0 * x)
    grey = (255 - 15 * x).astype(np.uint8)  # of 8 bits, in which differences may wrap around
    np.testing.assert_array_equal(inverted.fit(grey, y).predict_proba(grey), expected_of)
    # What is beyond the levels is the nearer of them.
    beyond = quick(epochs=1, levels=(0, 16))
    with pytest.warns(
        UserWarning, match=r"of 38,400 values of X lie beyond the levels 0 and 16, an"
    ):
        beyond.fit(np.where(x == 16, 99, x), y)
    np.testing.assert_array_equal(beyond.predict_proba(x), expected)
    # Grey levels of 8 bits are what they are, however dark the images.
    assert quick(epochs=1).fit(x.astype(np.uint8), y).levels_ == (0, 255)


def test_images_of_other_sizes() -> None:
    images = np.random.default_rng(0).random((40, 12))
    labels = np.arange(40) % 2
    with pytest.warns(
        UserWarning, match="rows of 12 pixels are no squares: each is taken for an i"
    ):
        assert quick(epochs=1).fit(images, labels).image_size_ == (1, 12)
    assert quick(epochs=1, image_size=(3, 4)).fit(images, labels).image_size_ == (3, 4)
    with pytest.raises(ArgumentError, match=r"image_size is \(3, 5\), which 12 pixels do not fill"):
        quick(image_size=(3, 5)).fit(images, labels)
    with pytest.raises(InkwiseError, match="do not fit the network case-study"):
        DigitClassifier("case-study", image_size=(1, 12)).fit(images, labels)
    with pytest.raises(ArgumentError, match=r"image_size is \(3, 4\), but images of X are of"):
        quick(image_size=(3, 4)).fit(images.reshape(40, 4, 3), labels)
    with pytest.raises(ValueError, match="must have shape"):
        quick().fit(np.zeros((40, 2, 3, 4)), labels)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        *(
            ({"image_size": size}, r"image_size must be \(height, width\), such as \(28, 28\), not")
            for size in (28, (28,), (3, 4, 1), (0, 64), (-8, -8), "8x8", (8.0, 8.0), {8})
        ),
        *(
            (
                {"levels": levels},
                "levels must be two different numbers, those of the background and",
            )
            for levels in (1, (1,), (0, 0), (0, 1, 2), "01", (0, np.nan), (0, np.inf), ("0", "1"))
        ),
        ({"recipe": "mine.toml"}, r"mine\.toml is no name of a recipe: inkwise\.read_recipe reads"),
    ],
)
def test_parameters_that_make_no_sense(
    parameters: dict[str, Any], told: str, digits: Digits
) -> None:
    classifier = quick(**parameters)
    with pytest.raises(ArgumentError, match=told):
        classifier.fit(*digits)
    with pytest.raises(ArgumentError, match=told):
        classifier.partial_fit(*digits, classes=range(10))


def test_values_of_another_scale_are_told(digits: Digits) -> None:
    x, y = digits
    classifier = quick(epochs=1).fit(x / 16, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.predict(x / 15)  # what was seen first need not be the extremes
    with pytest.warns(UserWarning, match="lie beyond the levels 0 and 1"):
        classifier.predict(x)


# --- weights of images ---


def test_weights_decide_what_is_learned(digits: Digits) -> None:
    x, y = digits
    flipped = np.where(np.arange(len(y)) % 2, y, 9 - y)  # every other label is wrong
    classifier = quick(epochs=20).fit(x, flipped, sample_weight=np.arange(len(y)) % 2)
    assert classifier.score(x, y) > 0.8

    # Weights are relative, and equal ones are none.
    expected = quick(epochs=1).fit(x, y).predict_proba(x)
    for weight in (1, 0.3, 7):
        weighted = quick(epochs=1).fit(x, y, sample_weight=np.full(len(y), weight))
        np.testing.assert_array_equal(weighted.predict_proba(x), expected)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ([1.0] * 599, "inconsistent|shape"),
        ([-1.0] * 600, "[Nn]egative"),
        ([0.0] * 600, "class|zero"),
    ],
)
def test_weights_that_make_no_sense(weights: list[float], told: str, digits: Digits) -> None:
    with pytest.raises(ValueError, match=told):
        quick().fit(*digits, sample_weight=weights)


# --- learning in parts ---


@pytest.mark.parametrize("recipe", ["perceptron", "swift"])
def test_parts_are_learned_one_after_another(recipe: str, digits: Digits) -> None:
    x, y = digits
    x = x.reshape(-1, 8, 8).repeat(3, axis=1).repeat(3, axis=2)
    classifier = DigitClassifier(recipe, levels=(0, 16))
    scores = []
    for _ in range(12):
        for part in np.array_split(np.arange(len(y)), 3):
            classifier.partial_fit(x[part], y[part], classes=np.arange(10))
        scores.append(classifier.score(x, y))
    assert scores[-1] > max(0.8, scores[0])

    again = pickle.loads(pickle.dumps(classifier))  # noqa: S301 - what this test has written
    for each in (classifier, again):
        each.partial_fit(x[:50], y[:50])
    np.testing.assert_array_equal(again.predict_proba(x), classifier.predict_proba(x))


def test_partial_fit_continues_after_fit(digits: Digits) -> None:
    x, y = digits
    classifier = quick(epochs=20).fit(x, y)
    before = classifier.score(x, y)
    classifier.partial_fit(x[:100], y[:100])  # too little to start from
    assert classifier.score(x, y) > before - 0.05


def test_partial_fit_wants_all_classes_at_first(digits: Digits) -> None:
    x, y = digits
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        quick().partial_fit(x, y)
    with pytest.raises(ValueError, match="not in classes"):
        quick().partial_fit(x, y, classes=[0, 1])
    classifier = quick().partial_fit(x[:20], y[:20], classes=range(10))
    with pytest.raises(ValueError, match="earlier call"):
        classifier.partial_fit(x, y, classes=range(11))


# --- scikit-learn's tools ---


def test_the_tools_of_scikit_learn_work(digits: Digits) -> None:
    x, y = digits
    pipeline = make_pipeline(StandardScaler(with_std=False), quick())
    assert cross_val_score(pipeline, x, y, cv=2).mean() > 0.6

    search = GridSearchCV(quick(), {"epochs": [1, 10], "random_state": [0]}, cv=2).fit(x, y)
    assert search.best_params_["epochs"] == 10
    assert search.score(x, y) > 0.6

    calibrated = CalibratedClassifierCV(quick(), cv=2).fit(x, y, sample_weight=np.ones(len(y)))
    np.testing.assert_allclose(calibrated.predict_proba(x).sum(axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_several_processes(digits: Digits) -> None:
    x, y = digits
    alone = cross_val_score(quick(), x, y, cv=2)
    np.testing.assert_array_equal(cross_val_score(quick(), x, y, cv=2, n_jobs=2), alone)

    classifier = quick().fit(x, y)
    classifier.predict(x)  # opens a session, which cannot go to another process
    importance = permutation_importance(classifier, x, y, n_repeats=1, n_jobs=2, random_state=0)
    assert importance.importances_mean.argmax() not in (0, 32)  # corners are always empty


# --- pictures ---


def test_pictures_become_arrays(digits: Digits) -> None:
    # A stranger's pictures: dark on light paper, of any size.
    pictures = [
        np.pad(230 - 12 * image.reshape(8, 8).repeat(9, 0).repeat(9, 1), 7, constant_values=230)
        for image in digits[0][:40]
    ]
    arrays = Inker().fit_transform(pictures)
    assert (arrays.shape, arrays.dtype) == ((40, 784), np.uint8)
    np.testing.assert_array_equal(
        arrays[3].reshape(28, 28), inkwise.ink.normalise(pictures[3]).image
    )
    labels = digits[1][:40]
    network = make_pipeline(Inker(), quick(epochs=30))
    assert network.fit(pictures, labels).score(pictures, labels) > 0.7
    scaled = make_pipeline(Inker(), FunctionTransformer(lambda x: x / 255), LinearSVC())
    assert scaled.fit(pictures, labels).score(pictures, labels) > 0.9

    with pytest.raises(InkwiseError, match=r"pictures\[1\]"):
        Inker().transform([pictures[0], np.full((90, 90), 255, np.uint8)])
    for single in ("7.png", Path("7.png"), b"PNG", pictures[0], np.zeros((30, 30, 3), np.uint8), 7):
        with pytest.raises(ArgumentError, match="takes a list of pictures: put a single one in"):
            Inker().transform(single)


def test_an_array_of_paths_is_a_list_of_pictures(digits: Digits, tmp_path: Path) -> None:
    names = [str(tmp_path / f"{place}.png") for place in range(3)]
    for name, image in zip(names, digits[0], strict=False):
        Image.fromarray((15 * image.reshape(8, 8).repeat(9, 0).repeat(9, 1)).astype("u1")).save(
            name
        )
    expected = Inker().transform(names)
    np.testing.assert_array_equal(Inker().transform(np.array(names)), expected)
    np.testing.assert_array_equal(Inker().transform(np.array(names, object)), expected)
