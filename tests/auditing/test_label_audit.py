"""The audit: planted errors, planted copies, a user's own classes, and what is refused."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Split
from inkwise.auditing.duplicates import find_duplicates
from inkwise.auditing.findings import Audit
from inkwise.auditing.judges import audit_recipe
from inkwise.data.label_corrections import LabelCorrections
from inkwise.errors import ArgumentError, DataError
from inkwise.training.named_recipes import RECIPES, SMALL_FACTOR
from tests.telling import AtEachBatch, Heard

PLANTED = np.arange(7, 1_500, 50)
EXACT, NEAR = (11, 5), (13, 21)  # training images, and the test images that become their copies
HEARD = Heard()


@pytest.fixture(scope="session")
def flawed(mnist: Dataset) -> Dataset:
    """1,500 training images, 30 of them with wrong labels, and two copies in the test split."""
    labels = mnist.train.labels[:1_500].copy()
    labels[PLANTED] = (labels[PLANTED] + 1 + PLANTED % 9) % 10
    tests = mnist.test.images[:300].copy()
    tests[EXACT[1]] = mnist.train.images[EXACT[0]]
    tests[NEAR[1]] = (0.8 * mnist.train.images[NEAR[0]]).astype(np.uint8)
    return dataclasses.replace(
        mnist,
        name="flawed",
        train=Split(mnist.train.images[:1_500], labels),
        test=Split(tests, mnist.test.labels[:300]),
    )


@pytest.fixture(scope="session")
def found(flawed: Dataset, tmp_path_factory: pytest.TempPathFactory, trains: None) -> Audit:
    path = tmp_path_factory.mktemp("audit") / "flawed"
    with pytest.MonkeyPatch.context() as patch:
        # Half as many epochs as so few images get find the errors as well.
        patch.setattr("inkwise.training.named_recipes.SMALL_FACTOR", SMALL_FACTOR // 2)
        return inkwise.audit(flawed, output=path, progress=HEARD)


@pytest.fixture
def few_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train half as many models, where the images are so easy that each of them is sure."""
    for module in ("judges", "label_audit"):
        monkeypatch.setattr(f"inkwise.auditing.{module}.SEEDS", 1)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_planted_errors_come_first(found: Audit) -> None:
    first = found.suspects[: len(PLANTED)]

    assert np.isin(first, PLANTED).mean() >= 0.8
    assert np.isin(PLANTED, found.suspects).mean() >= 0.95
    assert len(PLANTED) / 2 <= found.wrong <= 2 * len(PLANTED)


def test_suggestions_are_the_labels_before(found: Audit, mnist: Dataset) -> None:
    planted = found.suspects[np.isin(found.suspects, PLANTED)]

    right = found.suggested[planted] == mnist.train.labels[planted]

    assert right.mean() >= 0.95


def test_suspects_are_ranked_and_contradicted(found: Audit, flawed: Dataset) -> None:
    labels = flawed.train.labels
    own = found.probabilities[np.arange(len(labels)), labels]

    assert (found.suggested[found.suspects] != labels[found.suspects]).all()
    assert (np.diff(own[found.suspects]) >= 0).all()
    assert (found.margins[found.suspects] < 0).all()
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)


def test_copies_across_the_splits_are_found(found: Audit) -> None:
    pairs = {(pair.index, pair.other_index): pair for pair in found.duplicates if pair.across}

    assert set(pairs) == {EXACT, NEAR}
    assert pairs[EXACT].exact
    assert pairs[EXACT].distance == 0
    assert not pairs[NEAR].exact
    assert all(pair.other_split == "test" for pair in pairs.values())
    assert found.duplicates[0].conflict  # the first test images have other labels


def test_outliers_are_ranked_by_how_little_the_models_know(found: Audit) -> None:
    chosen = found.probabilities[found.outliers].max(1)

    assert len(set(found.outliers.tolist())) == 100
    assert chosen.max() < np.median(found.probabilities.max(1))


def test_the_tables_say_what_was_found(found: Audit, flawed: Dataset) -> None:
    labels = rows(found.labels_path)
    document = json.loads((found.path / "audit.json").read_text())

    assert [int(row["index"]) for row in labels] == found.suspects.tolist()
    assert [row["verdict"] for row in labels].count("probably wrong") == found.wrong
    assert {row["decision"] for row in labels} == {""}
    assert float(labels[0]["margin"]) == pytest.approx(found.margins[found.suspects[0]], abs=1e-6)
    assert len(rows(found.path / "duplicates.csv")) == len(found.duplicates)
    assert len(rows(found.path / "outliers.csv")) == 100
    assert document["probably_wrong"] == found.wrong
    assert document["dataset"]["sha256"] == flawed.sha256


def test_undecided_labels_change_nothing(found: Audit, flawed: Dataset) -> None:
    corrected = LabelCorrections.read(found.labels_path).apply(flawed)

    assert (corrected.train.labels == flawed.train.labels).all()


def test_it_says_what_it_does(found: Audit) -> None:
    assert HEARD.steps[0][0] == "Training model 1 of 6 on 1,000 images"
    assert HEARD.steps[-1][0] == "Looking for duplicates"


@pytest.mark.usefixtures("trains", "few_judges")
def test_test_labels_teach_nobody(animals: Dataset, tmp_path: Path) -> None:
    others = dataclasses.replace(
        animals, test=Split(animals.test.images, (animals.test.labels + 1) % 3)
    )

    one = inkwise.audit(animals, "test", output=tmp_path / "one")
    other = inkwise.audit(others, "test", output=tmp_path / "other")

    assert (one.probabilities == other.probabilities).all()
    assert len(one.suspects) == 0
    assert len(other.suspects) == len(animals.test)


def test_copies_are_found_from_the_other_side(flawed: Dataset) -> None:
    pairs = find_duplicates(flawed, "test")

    assert {(pair.other_index, pair.index) for pair in pairs if pair.across} == {EXACT, NEAR}
    assert {pair.other_split for pair in pairs if pair.across} == {"train"}


@pytest.mark.usefixtures("trains", "few_judges")
def test_a_users_own_classes(animals: Dataset, tmp_path: Path) -> None:
    labels = animals.train.labels.copy()
    labels[[3, 100]] = 2 - labels[[3, 100]] // 2  # ant → cat, bee → cat
    data = dataclasses.replace(animals, train=Split(animals.train.images, labels))

    audit = inkwise.audit(data, output=tmp_path / "audit")

    assert set(audit.suspects[:2].tolist()) == {3, 100}
    assert {d.given for d in audit.decisions()[:2]} == {"cat"}
    assert {d.decided for d in audit.decisions()[:2]} == {"ant", "bee"}


@pytest.mark.usefixtures("trains", "few_judges")
def test_a_class_may_be_missing(animals: Dataset, tmp_path: Path) -> None:
    data = dataclasses.replace(animals, class_names=(*animals.class_names, "dog"))

    audit = inkwise.audit(data, output=tmp_path / "audit")

    assert len(audit.suspects) == 0
    assert audit.wrong == 0


def test_a_class_with_too_few_images_is_refused(animals: Dataset, tmp_path: Path) -> None:
    keep = np.concatenate([np.flatnonzero(animals.train.labels != 2), [2, 5]])
    data = dataclasses.replace(animals, train=animals.train.take(keep))

    with pytest.raises(
        DataError, match="the class cat of animals has only 2 training images, and an audit needs 3"
    ):
        inkwise.audit(data, output=tmp_path / "audit")


def test_an_interruption_leaves_nothing_empty_behind(animals: Dataset, tmp_path: Path) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inkwise.audit(animals, output=tmp_path / "audit", progress=AtEachBatch(interrupt))
    assert not (tmp_path / "audit").exists()


def test_unknown_split_is_refused(animals: Dataset) -> None:
    with pytest.raises(ArgumentError, match="unknown split 'validation'"):
        inkwise.audit(animals, "validation")


def test_a_directory_in_use_is_refused(animals: Dataset, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(ArgumentError, match="holds files already"):
        inkwise.audit(animals, output=tmp_path)


def test_judges_never_end_early_or_choose_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    # They are validated on the images that they judge.
    patient = inkwise.get_recipe("swift", patience=1, best_epoch=True)
    monkeypatch.setitem(RECIPES, "swift", patient)
    recipe = audit_recipe(60_000)
    assert (recipe.patience, recipe.best_epoch) == (0, False)
