"""Runs side by side: what may be concluded, and which cannot be compared."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Run
from inkwise.comparison.compared_runs import (
    CAUTION,
    SEEDS_CAUTION,
    Comparison,
    Pair,
    RecipePair,
    compare,
)
from inkwise.comparison.runs_page import write_comparison
from inkwise.comparison.statistics import Paired
from inkwise.errors import ArgumentError, RunError
from inkwise.evaluation.intervals import Estimate
from tests.comparison import write_run

Make = Callable[..., Run]


def change_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def make(tmp_path: Path, optdigits: Dataset) -> Make:
    """Make a run of this name on optdigits, see `write_run`."""

    def write(name: str, wrong: list[int], **options: Any) -> Run:
        return write_run(tmp_path / name, optdigits, wrong, **options)

    return write


def test_two_runs_are_paired_image_by_image(make: Make) -> None:
    first, second = make("first", list(range(20))), make("second", [18, 19, 20, 21], seed=1)
    comparison = compare(first, second.path)
    [pair] = comparison.pairs
    # The one with fewer errors comes first.
    assert (pair.first, pair.second) == ("second", "first")
    assert (pair.paired.only_first_wrong, pair.paired.only_second_wrong) == (2, 18)
    assert pair.paired.both_wrong == 2
    assert comparison.disagreements.tolist() == [*range(18), 20, 21]
    assert pair.conclusion.startswith("second makes 16 fewer errors than first on these 359 images")
    assert "exact McNemar p = 0.0004)." in pair.conclusion
    assert "chance" not in pair.conclusion
    assert CAUTION in comparison.conclusions


def test_what_may_be_luck_is_called_so(make: Make) -> None:
    [pair] = compare(make("a", [0, 1, 2]), make("b", [3, 4])).pairs
    assert pair.conclusion.startswith("b makes 1 fewer error than a on these 359 images (95%: ")
    assert " more to " in pair.conclusion
    assert pair.conclusion.endswith("these images do not show which of the two is better.")
    [pair] = compare(make("c", [0, 1, 2, 6, 7, 8]), make("d", [3, 4, 5, 6, 7, 8])).pairs
    assert pair.conclusion.startswith("c and d make equally many errors, 6, on these 359 images")


def test_several_comparisons_are_corrected_after_holm(make: Make) -> None:
    runs = [make("a", list(range(9))), make("b", [40]), make("c", [])]
    comparison = compare(*runs)
    assert [(pair.first, pair.second) for pair in comparison.pairs] == [
        ("b", "a"),
        ("c", "a"),
        ("c", "b"),
    ]
    p = [pair.paired.p_value for pair in comparison.pairs]
    assert [pair.p_holm for pair in comparison.pairs] == pytest.approx([2 * p[0], 3 * p[1], 1.0])
    assert "with Holm's correction for 3 comparisons" in comparison.pairs[0].conclusion


def paired(difference: Estimate, p_value: float) -> Paired:
    return Paired(100, 30, 130, 1740, difference, p_value)


def numbers(sentence: str) -> list[str]:
    return re.findall(r"[+-]?\d[\d,.]*\d|\d", sentence)


def test_a_conclusion_says_how_many_errors_fewer_and_how_sure_that_is() -> None:
    clear = Pair("a", "b", paired(Estimate(0.05, 0.03, 0.07), 0.01), 0.02, 3).conclusion
    assert clear.startswith("a makes 100 fewer errors than b on these 2,000 images (95%: 60 to 140")
    assert numbers(clear)[-3:] == ["0.01", "0.02", "3"]  # both p values, and of how many
    assert "chance" not in clear
    unsure = Pair("a", "b", paired(Estimate(0.05, -0.0005, 0.07), 0.05), 0.05, 1).conclusion
    assert "(95%: 1 more to 140 fewer; " in unsure
    assert numbers(unsure)[-1] == "0.05"
    assert "chance" in unsure
    none = Pair("a", "b", paired(Estimate(0.05, 0.0, 0.07), 0.01), 0.049, 2).conclusion
    assert "(95%: 0 to 140; " in none
    assert "chance" not in none


@pytest.mark.parametrize(("p_value", "by_chance"), [(0.05, True), (0.049, False)])
def test_a_conclusion_on_recipes_is_in_percentage_points(p_value: float, by_chance: bool) -> None:
    pair = RecipePair("a", "b", Estimate(0.01, -0.0025, 0.0225), p_value)
    assert numbers(pair.conclusion) == ["1.00", "95", "-0.25", "+2.25", f"{p_value:g}"]
    assert ("chance" in pair.conclusion) == by_chance


def test_runs_of_one_recipe_are_summed_up_over_their_seeds(make: Make) -> None:
    runs = [make(f"a{seed}", list(range(10 + seed)), seed=seed) for seed in range(3)]
    runs += [make(f"b{seed}", list(range(seed)), seed=seed, recipe="mine") for seed in range(2)]
    comparison = compare(*runs, make("again", [5, 6], seed=2))
    ours, mine = comparison.groups
    # The same seed again is no further luck.
    assert ours.members == ("a0", "a1", "a2")
    assert ours.accuracy.values == pytest.approx([349 / 359, 348 / 359, 347 / 359])
    assert (ours.name, mine.name) == ("case-study", "mine")
    [pair] = comparison.recipe_pairs
    assert (pair.first, pair.second) == ("mine", "case-study")
    assert pair.difference.value == pytest.approx((11 - 0.5) / 359)
    assert comparison.conclusions[-1] == SEEDS_CAUTION
    assert numbers(ours.conclusion)[:5] == ["3", "96.94", "0.28", "96.66", "97.21"]
    assert numbers(pair.conclusion)[0] == "2.92"
    assert "chance" not in pair.conclusion


def test_trainings_that_differ_in_more_than_the_seed_are_no_group(make: Make) -> None:
    first, second = make("first", [0]), make("second", [1], seed=1)
    change_json(second.path / "recipe.json", epochs=7)
    assert compare(first, second).groups == ()
    change_json(second.path / "recipe.json", epochs=first.recipe.epochs)
    assert len(compare(first, second).groups) == 1
    record = json.loads((second.path / "run.json").read_text())
    start = {
        "model": "mine",
        "sha256": "5a",
        "class_names": ["0"],
        "own_images": 9,
        "earlier": None,
    }
    for changes in (
        {"engine": "keras"},
        {"dataset": {**record["dataset"], "sha256": "5a"}},
        {"labels": {"file": "a.csv", "sha256": "5a", "changed": {"train": 1, "test": 0}}},
        {"drawn": {"train": 9, "validation": 1, "sha256": "5a"}},
        {"start": start},
    ):
        change_json(second.path / "run.json", **{**record, **changes})
        assert compare(first, second).groups == ()


@pytest.mark.parametrize("key", ["test_sha256", "class_names"])
def test_runs_on_other_images_are_refused(make: Make, key: str) -> None:
    first, second = make("first", [0]), make("second", [1])
    dataset = second.record["dataset"]
    other = list("abcdefghij") if key == "class_names" else "0" * 64
    change_json(second.path / "run.json", dataset={**dataset, "name": "mine", key: other})
    if key == "class_names":
        predictions = second.path / "predictions.csv"
        lines = predictions.read_text().splitlines()
        table = [line.split(",") for line in lines]
        for row in table[1:]:
            row[1] = other[int(row[1])]
        predictions.write_text("\n".join(",".join(row) for row in table) + "\n")
    with pytest.raises(
        RunError, match="second was evaluated on mine, and not on the images of opt"
    ):
        compare(first, second)


def test_a_run_of_an_earlier_version_goes_by_its_whole_data(make: Make) -> None:
    first, second = make("first", [0]), make("second", [1])
    dataset = {k: v for k, v in second.record["dataset"].items() if k != "test_sha256"}
    change_json(second.path / "run.json", dataset=dataset)
    assert isinstance(compare(first, second), Comparison)
    change_json(second.path / "run.json", dataset={**dataset, "sha256": "0" * 64})
    with pytest.raises(RunError, match="compare runs on the same data"):
        compare(first, second)


def test_changed_labels_are_refused(make: Make) -> None:
    first, second = make("first", [0]), make("second", [1])
    predictions = second.path / "predictions.csv"
    header, line, *rest = predictions.read_text().splitlines(keepends=True)
    index, true, *answer = line.split(",")
    other = str((int(true) + 1) % 10)
    predictions.write_text(header + ",".join([index, other, *answer]) + "".join(rest))
    with pytest.raises(RunError, match=r"true labels in .*second.* differ from those of .*first"):
        compare(first, second)


def test_a_comparison_takes_two_different_runs(make: Make) -> None:
    run = make("run", [0])
    with pytest.raises(ArgumentError, match="at least two runs, not 1"):
        compare(run)
    with pytest.raises(ArgumentError, match="named twice"):
        compare(run, run.path / ".")


def test_runs_of_one_name_go_by_their_paths(make: Make, tmp_path: Path) -> None:
    first = make("run", [0])
    second = Run(shutil.copytree(first.path, tmp_path / "other" / "run"))
    [pair] = inkwise.compare(first, second).pairs
    assert (pair.first, pair.second) == (str(first.path), str(second.path))


def test_a_binary_run_is_compared_by_its_task_alone(
    make: Make, optdigits: Dataset, tmp_path: Path
) -> None:
    sevens = optdigits.test.labels == 7
    of_all = make(
        "of-all", [*np.flatnonzero(sevens)[:3], *np.flatnonzero(optdigits.test.labels < 5)]
    )
    task = optdigits.against_the_rest("7")
    binary = write_run(tmp_path / "binary", task, [], positive="7")
    comparison = compare(of_all, binary)
    assert [compared.errors for compared in comparison.runs] == [3, 0]
    assert comparison.conclusions[0].startswith("All answers are read as those to a binary quest")
    assert comparison.disagreements.tolist() == np.flatnonzero(sevens)[:3].tolist()
    assert "is it 7" in write_comparison(comparison, tmp_path / "page.html").read_text("utf-8")
    assert compare(of_all, make("other", [1])).task == ""

    third = write_run(tmp_path / "third", optdigits.against_the_rest("3"), [], positive="3")
    with pytest.raises(ArgumentError, match="different binary tasks, 3 and 7"):
        compare(binary, third)
    shuffled = dataclasses.replace(task, test=task.test.take(np.arange(359)[::-1]))
    with pytest.raises(RunError, match="compare runs on the same data"):
        compare(of_all, write_run(tmp_path / "shuffled", shuffled, [], positive="7"))
    record = {k: v for k, v in of_all.record["dataset"].items() if k != "test_images_sha256"}
    change_json(of_all.path / "run.json", dataset=record)
    with pytest.raises(RunError, match="of-all was trained by an earlier version"):
        compare(of_all, binary)
