import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from inkwise.data.dataset import Dataset, Split
from inkwise.errors import ArgumentError, ModelError
from inkwise.evaluation.intervals import wilson
from inkwise.evaluation.results import SCHEMA, Evaluation, evaluate_model
from inkwise.model import Model
from inkwise.networks.as_torch import build
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from tests.evaluation import Answers, answers

NAMES = ("zero", "one", "two", "three", "four", "five")


def evaluation_of(answers: Answers, seed: int = 0) -> Evaluation:
    """Give the drawn answers probabilities: each most for what was predicted."""
    count = len(answers.labels)
    raw = np.random.default_rng(seed).dirichlet(np.ones(answers.classes), size=count)
    raw[np.arange(count), answers.predicted] += 1
    probabilities = (raw / raw.sum(1, keepdims=True)).astype(np.float32)
    names = NAMES[: answers.classes]
    return Evaluation("toy", "test", names, answers.labels, probabilities)


# Four classes: one right and wrong, one never predicted, one absent, one neither.
HOLED = Answers(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 0, 2]), 4)


@given(answers=answers(), seed=st.integers(0, 1000))
@settings(max_examples=30)
def test_figures_are_those_of_scikit_learn(answers: Answers, seed: int) -> None:
    labels, predicted, classes = answers
    evaluation = evaluation_of(answers, seed)
    np.testing.assert_array_equal(evaluation.predicted, predicted)
    accuracy = metrics.accuracy_score(labels, predicted)
    assert evaluation.accuracy == wilson(evaluation.correct, len(labels))
    assert evaluation.accuracy.value == accuracy

    expected = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(classes), zero_division=np.nan
    )
    found = [
        (it.precision.value, it.recall.value, it.f1.value, it.support) for it in evaluation.classes
    ]
    np.testing.assert_allclose(found, np.transpose(expected), rtol=1e-12)
    for kind, average in evaluation.averages.items():
        expected = metrics.precision_recall_fscore_support(
            labels, predicted, labels=range(classes), average=kind, zero_division=np.nan
        )
        values = [average.precision.value, average.recall.value, average.f1.value]
        np.testing.assert_allclose(values, expected[:3], rtol=1e-12)

    expected_loss = metrics.log_loss(labels, evaluation.probabilities, labels=range(classes))
    assert evaluation.loss.value == pytest.approx(expected_loss, rel=1e-5)


def test_a_class_figure_stands_on_its_own_images() -> None:
    first, second, third, fourth = evaluation_of(HOLED).classes
    assert (first.name, first.support, first.predicted) == ("zero", 3, 3)
    assert first.precision == wilson(2, 3)
    assert first.recall == first.accuracy == wilson(2, 3)
    # Class accuracy is not the accuracy of the 2×2 matrix, which the other classes' images raise.
    assert first.one_versus_rest.accuracy == 3 / 5

    assert (second.support, second.predicted) == (2, 0)
    assert [it.defined for it in (second.precision, second.recall, second.f1)] == [
        False,
        True,
        True,
    ]
    assert (third.support, third.predicted) == (0, 2)
    assert [it.defined for it in (third.precision, third.recall, third.f1)] == [True, False, True]
    assert (fourth.support, fourth.predicted) == (0, 0)
    assert not any(it.defined for it in (fourth.precision, fourth.recall, fourth.f1))


def test_the_surest_mistake_comes_first() -> None:
    probabilities = np.array(
        [[0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.8, 0.2], [0.7, 0.3], [0.9, 0.1], [0.3, 0.7]],
        dtype=np.float32,
    )
    labels = np.array([0, 0, 0, 1, 0, 1, 0])
    evaluation = Evaluation("toy", "test", ("a", "b"), labels, probabilities)
    # 2 and 5 are equally sure, and stay in the order of the split.
    assert evaluation.misclassified.tolist() == [2, 5, 3, 6, 1]
    assert evaluation.correct == 2
    np.testing.assert_array_equal(evaluation.confidence, probabilities.max(1))


@given(answers=answers(), seed=st.integers(0, 1000))
def test_every_mistake_is_listed_once_by_falling_confidence(answers: Answers, seed: int) -> None:
    evaluation = evaluation_of(answers, seed)
    wrong = np.flatnonzero(answers.labels != answers.predicted)
    assert sorted(evaluation.misclassified.tolist()) == wrong.tolist()
    assert (np.diff(evaluation.confidence[evaluation.misclassified]) <= 0).all()


def test_a_true_class_of_no_probability_costs_sixteen_nats() -> None:
    probabilities = np.array([[1, 0], [1, 0]], dtype=np.float32)
    evaluation = Evaluation("toy", "test", ("a", "b"), np.array([0, 1]), probabilities)
    assert evaluation.loss.value == pytest.approx(-np.log(2.0**-23) / 2)
    assert evaluation.loss.value == pytest.approx(metrics.log_loss([0, 1], probabilities), rel=1e-5)


@given(answers=answers())
@example(answers=HOLED)
@example(answers=Answers(HOLED.labels, HOLED.labels, 2))
def test_the_report_is_scikit_learns(answers: Answers) -> None:
    # Without a single right answer, scikit-learn counts images in decimals: 1.0.
    assume((answers.labels == answers.predicted).any())
    expected = metrics.classification_report(
        answers.labels,
        answers.predicted,
        labels=list(range(answers.classes)),
        target_names=list(NAMES[: answers.classes]),
        digits=4,
        zero_division=np.nan,
    )
    assert evaluation_of(answers).classification_report == expected


def test_a_binary_task_goes_by_its_class_name() -> None:
    evaluation = evaluation_of(HOLED)
    task = evaluation.binary("one")
    assert task.positive == "one"
    assert task.matrix.tp + task.matrix.fn == 2
    with pytest.raises(ArgumentError, match="no class '1': use one of zero, one, two, three"):
        evaluation.binary("1")


def strict(document: Any) -> Any:
    """Return a document's way through strict JSON, without NaN or infinity."""
    return json.loads(json.dumps(document, allow_nan=False))


ESTIMATE = {"value", "low", "high"}


def test_figures_on_file_have_every_key_and_null_where_undefined() -> None:
    evaluation = evaluation_of(HOLED)
    document = evaluation.to_dict()
    assert strict(document) == document
    assert document["schema"] == SCHEMA
    assert (document["dataset"], document["split"]) == ("toy", "test")
    assert (document["images"], document["correct"]) == (5, 2)
    assert document["accuracy"].keys() == document["loss"].keys() == ESTIMATE
    assert document["averages"].keys() == {"macro", "micro", "weighted"}
    for average in document["averages"].values():
        assert average.keys() == {"precision", "recall", "f1"}
        assert all(estimate.keys() == ESTIMATE for estimate in average.values())
    for entry, name in zip(document["classes"], NAMES, strict=False):
        assert entry["name"] == name
        assert entry.keys() == {
            "name",
            "support",
            "predicted",
            "accuracy",
            "precision",
            "recall",
            "f1",
            "one_versus_rest",
            "binary_task",
        }
        counts = {"tp", "fp", "fn", "tn", "accuracy", "precision", "recall", "f1"}
        assert entry["one_versus_rest"].keys() == counts
        assert entry["binary_task"].keys() == {
            "positive",
            "matrix",
            "accuracy",
            "always_no",
            "roc_auc",
            "average_precision",
        }
        assert entry["binary_task"]["matrix"].keys() == counts
    assert document["confusion"] == [[2, 0, 1, 0], [1, 0, 1, 0], [0] * 4, [0] * 4]
    assert document["confusion_by_row"] == [
        pytest.approx([2 / 3, 0, 1 / 3, 0]),
        [0.5, 0, 0.5, 0],
        [None] * 4,
        [None] * 4,
    ]

    undefined = {"value": None, "low": None, "high": None}
    _, second, third, fourth = document["classes"]
    assert second["precision"] == undefined
    assert third["recall"] == third["accuracy"] == undefined
    assert fourth["precision"] == fourth["recall"] == fourth["f1"] == undefined
    assert fourth["one_versus_rest"]["f1"] is None
    assert fourth["binary_task"]["roc_auc"] == undefined
    assert fourth["binary_task"]["average_precision"] is None


@given(answers=answers(), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_figures_on_file_are_strict_json(answers: Answers, seed: int) -> None:
    evaluation = evaluation_of(answers, seed)
    assert strict(evaluation.to_dict()) == evaluation.to_dict()
    assert strict(evaluation.headline()) == evaluation.headline()


def test_the_headline_is_part_of_the_figures() -> None:
    evaluation = evaluation_of(HOLED)
    document = evaluation.to_dict()
    assert evaluation.headline() == {
        **{key: document[key] for key in ("dataset", "split", "images", "accuracy", "loss")},
        "macro_f1": document["averages"]["macro"]["f1"],
    }


def test_a_split_of_one_image_has_an_evaluation() -> None:
    one = Answers(np.array([1]), np.array([1]), 2)
    document = evaluation_of(one).to_dict()
    assert strict(document)["accuracy"]["value"] == 1
    # One right answer says little, and a bootstrap of it would not show that.
    assert document["averages"]["macro"]["f1"] == document["accuracy"]
    assert document["accuracy"]["low"] < 0.5
    assert document["classes"][1]["f1"]["low"] < 0.5


def test_agreement_without_a_mistake_is_as_sure_as_the_accuracy() -> None:
    labels = np.array([0] * 30 + [1] * 20)
    evaluation = evaluation_of(Answers(labels, labels, 2))
    chance = 0.6**2 + 0.4**2  # how often guesses in the classes' shares would be right
    least = (wilson(50, 50).low - chance) / (1 - chance)
    for estimate in evaluation.agreement.values():
        assert estimate == pytest.approx((1, least, 1))
    # A split of few images might as well have been answered by guesses that are worse than luck.
    few = evaluation_of(Answers(np.array([0, 1]), np.array([0, 1]), 2))
    assert [estimate.low for estimate in few.agreement.values()] == pytest.approx(
        [-0.315, -0.315], abs=0.01
    )
    # With one class alone there is nothing to agree about.
    alone = evaluation_of(Answers(labels[:30], labels[:30], 2))
    assert not any(estimate.defined for estimate in alone.agreement.values())


def test_corrected_labels_have_figures_of_their_own() -> None:
    given = evaluation_of(HOLED)
    assert given.corrected is None
    assert given.relabelled.tolist() == []
    assert given.to_dict()["corrected"] is None

    corrected = np.array([0, 0, 2, 1, 2])
    evaluation = dataclasses.replace(given, corrected_labels=corrected)
    assert evaluation.relabelled.tolist() == [2, 4]
    assert evaluation.correct == given.correct == 2
    assert evaluation.corrected is not None
    assert evaluation.corrected.correct == 4
    document = evaluation.to_dict()
    assert strict(document) == document
    assert document["accuracy"] == given.to_dict()["accuracy"]
    assert document["corrected"]["correct"] == 4
    assert document["corrected"]["accuracy"]["value"] == 0.8
    assert document["corrected"]["relabelled"] == [
        {"index": 2, "given": "zero", "decided": "two"},
        {"index": 4, "given": "one", "decided": "two"},
    ]


# --- a model on a data set ---


def untrained(image_size: tuple[int, int], names: tuple[str, ...]) -> Model:
    torch.manual_seed(0)
    network = Network(image_size, (Flatten(), Dense(len(names))))
    weights = {name: array.numpy() for name, array in build(network).state_dict().items()}
    return Model(network, weights, names)


def toy(images: NDArray[np.uint8], names: tuple[str, ...]) -> Dataset:
    split = Split(images, np.arange(len(images)) % len(names))
    return Dataset("toy", "Toy", names, split, split, "memory")


def test_a_model_is_evaluated_on_a_split(mnist: Dataset) -> None:
    model = untrained((28, 28), mnist.class_names)
    split = mnist.test.take(np.arange(700))
    evaluation = evaluate_model(model, mnist, split, "test")
    assert (evaluation.dataset, evaluation.split) == ("mnist", "test")
    assert evaluation.class_names == mnist.class_names
    assert len(evaluation) == 700
    np.testing.assert_array_equal(evaluation.labels, split.labels)
    np.testing.assert_array_equal(evaluation.probabilities, model.predict_proba(split.images))
    assert evaluation.accuracy.value == np.mean(model.predict(split.images) == split.labels)


def test_a_data_set_of_another_image_size_is_refused() -> None:
    dataset = toy(np.zeros((4, 8, 9), np.uint8), ("a", "b"))
    with pytest.raises(ModelError, match="toy has images of 8×9, but the model takes 28×28"):
        evaluate_model(untrained((28, 28), ("a", "b")), dataset, dataset.test, "test")


@pytest.mark.parametrize("names", [("b", "a"), ("a", "c"), ("a", "b", "c")])
def test_a_data_set_of_other_classes_is_refused(names: tuple[str, ...]) -> None:
    dataset = toy(np.zeros((6, 8, 9), np.uint8), names)
    told = f"toy has the classes {', '.join(names)}, but the model knows a, b:"
    with pytest.raises(ModelError, match=told):
        evaluate_model(untrained((8, 9), ("a", "b")), dataset, dataset.test, "test")
