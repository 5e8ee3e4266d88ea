"""Cross-validation: how images are divided, what is trained, and what is concluded."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from inkwise import Dataset, Run, Split, cross_validate
from inkwise.data.idx import write_idx
from inkwise.errors import ArgumentError, DataError
from inkwise.trials.fold_results import CAUTION, CrossValidation
from inkwise.trials.folds import divide
from tests.telling import Heard
from tests.trials import TINY

QUICK = dataclasses.replace(TINY, epochs=1)
OTHER = dataclasses.replace(QUICK, name="other", batch_size=30)


def blank(labels: list[int]) -> Dataset:
    """Return images of these classes, without any ink."""
    split = Split(np.zeros((len(labels), 4, 4), np.uint8), np.array(labels))
    return Dataset("blank", "blank", tuple("abcdef"), split, split, "here")


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    strategies.lists(strategies.integers(4, 15), min_size=2, max_size=6),
    strategies.integers(2, 4),
    strategies.integers(0, 5),
)
def test_every_image_is_tested_once_and_every_class_keeps_its_share(
    counts: list[int], folds: int, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    division = divide(blank(labels.tolist()), None, folds, seed)
    assert len(division) == folds
    tested = np.concatenate([test for _, test in division])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(labels)))
    for train, test in division:
        np.testing.assert_array_equal(
            np.sort(np.concatenate([train, test])), np.arange(len(labels))
        )
        found = np.bincount(labels[test], minlength=len(counts))
        assert np.all(np.abs(found - np.array(counts) / folds) < 1.01)
    again = divide(blank(labels.tolist()), None, folds, seed)
    for (_, one), (_, other) in zip(division, again, strict=True):
        np.testing.assert_array_equal(one, other)


@hypothesis.settings(max_examples=30)
@hypothesis.given(strategies.integers(4, 12), strategies.integers(2, 4), strategies.integers(0, 5))
def test_no_writer_is_in_two_folds(writers: int, folds: int, seed: int) -> None:
    labels = np.tile(np.arange(6), 2 * writers)
    by_whom = np.repeat(np.arange(writers), 12)
    tested = [by_whom[test] for _, test in divide(blank(labels.tolist()), by_whom, folds, seed)]
    assert sum(len(np.unique(each)) for each in tested) == writers
    assert all(len(each) for each in tested)


def test_repeats_divide_anew() -> None:
    labels = np.tile(np.arange(6), 10).tolist()
    one, other = (divide(blank(labels), None, 3, seed)[0][1].tolist() for seed in (0, 1))
    assert one != other


def do(data: Dataset, output: Path, *recipes: Any, **options: Any) -> CrossValidation:
    """Cross-validate in this process."""
    options = {"folds": 3, "at_once": 1, **options}
    return cross_validate(*(recipes or (QUICK,)), dataset=data, output=output, **options)


@pytest.fixture(scope="module")
def checked(
    animals: Dataset, tmp_path_factory: pytest.TempPathFactory, trains: None
) -> CrossValidation:
    """Two recipes on the same folds. It is shared: do not change it."""
    return do(animals, tmp_path_factory.mktemp("checked") / "folds", QUICK, OTHER)


def test_every_fold_is_a_run_that_was_tested_on_it_alone(
    checked: CrossValidation, animals: Dataset
) -> None:
    assert [result.name for result in checked.results] == ["tiny", "other"]
    for result in checked.results:
        assert [(fold.repeat, fold.fold) for fold in result.folds] == [(1, 1), (1, 2), (1, 3)]
        assert len({fold.run.recipe.seed for fold in result.folds}) == 3
        for fold in result.folds:
            record = fold.run.record
            assert record["splits"]["test"] == 100
            assert record["splits"]["train"] + record["splits"]["validation"] == 200
            assert record["dataset"]["test_sha256"] != animals.test.sha256
            assert fold.accuracy == fold.run.evaluation.accuracy.value
            assert fold.run.status == "complete"
    one, other = checked.results
    for mine, yours in zip(one.folds, other.folds, strict=True):
        np.testing.assert_array_equal(mine.run.evaluation.labels, yours.run.evaluation.labels)
    with (checked.path / "folds.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["recipe"] for row in rows] == ["tiny"] * 3 + ["other"] * 3
    for row in rows:
        assert Run(checked.path / row["run"]).evaluation.correct == 100 - int(row["errors"])


def test_it_says_what_may_be_concluded(checked: CrossValidation) -> None:
    one, other = checked.results
    (pair,) = checked.pairs
    difference = one.accuracy.value - other.accuracy.value
    assert pair.difference.value == pytest.approx(abs(difference))
    assert "corrected resampled t-test p" in pair.conclusion
    assert checked.conclusions[-1] == CAUTION
    assert "is not known" in checked.conclusions[-2]
    assert checked.conclusions[0].startswith(f"tiny: mean accuracy {one.accuracy.value:.2%} over 3")


class Killed(BaseException):
    """As if the process were no more."""


@pytest.mark.parametrize("finished", [1, 4])
def test_what_was_killed_goes_on_and_trains_no_fold_twice(
    finished: int,
    checked: CrossValidation,
    animals: Dataset,
    tmp_path: Path,
    trains: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = Heard()
    with monkeypatch.context() as patch:
        save, saved = Run.save_checkpoint, [0]

        def save_or_die(run: Run, state: Any) -> None:
            save(run, state)
            saved[0] += 1
            if saved[0] > finished:
                raise Killed

        patch.setattr(Run, "save_checkpoint", save_or_die)
        with pytest.raises(Killed):
            do(animals, tmp_path / "folds", QUICK, OTHER)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("history.csv")}
    assert len(before) == finished + 1
    again = do(animals, tmp_path / "folds", QUICK, OTHER, progress=heard)

    assert again.conclusions == checked.conclusions
    assert heard.steps[-1] == ("folds", 6, 6)
    for path, time in before.items():
        assert path.stat().st_mtime_ns == time


def test_recipes_and_repeats_add_to_what_is_there(
    checked: CrossValidation, animals: Dataset, tmp_path: Path, trains: None
) -> None:
    do(animals, tmp_path / "folds")
    more = do(animals, tmp_path / "folds", QUICK, OTHER)
    assert more.conclusions == checked.conclusions
    twice = do(animals, tmp_path / "folds", repeats=2)
    assert [fold.accuracy for fold in twice.results[0].folds[:3]] == [
        fold.accuracy for fold in checked.results[0].folds
    ]
    assert len(twice.results[0].folds) == 6
    with pytest.raises(ArgumentError, match="was trained by another recipe tiny: rename one"):
        do(animals, tmp_path / "folds", dataclasses.replace(QUICK, epochs=2))
    with pytest.raises(ArgumentError, match="another cross validation, which differs in folds"):
        do(animals, tmp_path / "folds", folds=4)


def test_writers_come_from_a_table_and_of_qmnist_from_its_labels(
    animals: Dataset, tmp_path: Path, trains: None
) -> None:
    writers = np.arange(300) // 50
    (tmp_path / "writers.csv").write_text(
        "writer\n" + "".join(f"w{writer}\n" for writer in writers)
    )
    listed = do(animals, tmp_path / "listed", writers=tmp_path / "writers.csv")
    assert listed.writers == 6
    assert "each of the 6 writers are in one fold" in listed.conclusions[-2]
    # The same question finds its folds, which it would refuse with other writers.
    assert do(animals, tmp_path / "listed", writers=writers).conclusions == listed.conclusions
    columns = np.zeros((300, 8), np.int32)
    columns[:, 0], columns[:, 2] = animals.train.labels, writers
    write_idx(tmp_path / "qmnist" / "qmnist-train-labels-idx2-int", columns)
    qmnist = dataclasses.replace(animals, name="qmnist", source=str(tmp_path / "qmnist"))
    known = do(qmnist, tmp_path / "known")
    assert known.conclusions == listed.conclusions


def test_validation_images_of_its_own_are_among_the_folds(
    animals: Dataset, tmp_path: Path, trains: None
) -> None:
    divided = dataclasses.replace(
        animals,
        train=animals.train.take(np.arange(240)),
        validation=animals.train.take(np.arange(240, 300)),
    )
    checked = do(divided, tmp_path / "folds")
    assert sum(len(fold.run.evaluation) for fold in checked.results[0].folds) == 300


@pytest.mark.parametrize(
    ("recipes", "options", "told"),
    [
        ((QUICK,), {"folds": 1}, "1 fold, 1 time: there are at least two folds"),
        ((QUICK,), {"repeats": 10**40}, "000 times: there are at least two folds, once to 100"),
        ((QUICK,), {"repeats": 0}, "once to 100 times"),
        ((QUICK,), {"seed": -1}, "the seed of the division must be a whole number from 0"),
        ((QUICK,), {"seed": 2**32}, "the seed of the division must be a whole number from 0"),
        ((QUICK,), {"folds": 101}, "101 folds are too many: there are 100 images of ant"),
        ((QUICK,), {"writers": [0, 1]}, r"300 training images, and writers of shape \(2,\)"),
        ((QUICK,), {"writers": [0, 1] * 150}, "2 writers, and each fold needs one"),
        ((QUICK, QUICK), {}, "two recipes are called tiny: rename one"),
        (
            (QUICK, dataclasses.replace(OTHER, positive="bee")),
            {},
            "different tasks, by their positive class",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    recipes: Any, options: dict[str, Any], told: str, animals: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=told):
        do(animals, tmp_path / "folds", *recipes, **options)
    assert not (tmp_path / "folds").exists()


def test_a_table_without_writers_is_refused(animals: Dataset, tmp_path: Path) -> None:
    (tmp_path / "writers.csv").write_text("author\nme\n")
    with pytest.raises(DataError, match="is not a list of writers"):
        do(animals, tmp_path / "folds", writers=tmp_path / "writers.csv")
    with pytest.raises(ArgumentError, match="takes at least one recipe"):
        cross_validate(dataset=animals)
