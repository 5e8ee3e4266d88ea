"""Sweeps: what they train and judge by, what they leave closed, and that a kill costs nothing."""

import csv
import dataclasses
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inkwise import Dataset, Run, sweep
from inkwise.errors import ArgumentError, RunError, StorageError
from inkwise.trials.outcome import Sweep, Trial
from tests.telling import Heard
from tests.trials import TINY

VARY = {"optimiser.learning_rate": "log:1e-3..1e-1", "network.0.filters": "2,4"}


def do(data: Dataset, output: Path, **options: Any) -> Sweep:
    """Sweep in this process; without test images, if not asked otherwise."""
    options = {"vary": VARY, "trials": 6, "best": 0, "at_once": 1, **options}
    return sweep(TINY, data, output=output, **options)


def outcome(swept: Sweep) -> list[Trial]:
    """Return the trials without their place."""
    return [dataclasses.replace(trial, path=Path()) for trial in swept.trials]


@pytest.fixture(scope="module")
def whole(animals: Dataset, tmp_path_factory: pytest.TempPathFactory, trains: None) -> Sweep:
    """A sweep that was never interrupted. It is shared: do not change it."""
    return do(animals, tmp_path_factory.mktemp("whole") / "sweep", best=1, seeds=2)


def test_every_trial_is_a_run_with_its_own_values(whole: Sweep) -> None:
    assert [trial.number for trial in whole.trials] == [*range(6)]
    for trial in whole.trials:
        run = Run(trial.path)
        document = run.recipe.to_dict()
        assert document["optimiser"]["learning_rate"] == trial.values["optimiser.learning_rate"]
        assert document["network"][0]["filters"] == trial.values["network.0.filters"]
        assert [epoch.validation_accuracy for epoch in run.history] == [*trial.curve]
        assert run.status == {"complete": "complete", "pruned": "interrupted"}[trial.state]
        assert trial.value is None or trial.value == trial.curve[-1]
    assert len({trial.values["optimiser.learning_rate"] for trial in whole.trials}) == 6
    values = [trial.value or 0.0 for trial in whole.ranked]
    assert values == sorted(values, reverse=True)
    with (whole.path / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["state"] for row in rows] == [trial.state for trial in whole.trials]


def test_only_the_best_are_evaluated_on_the_test_images_on_fresh_seeds(whole: Sweep) -> None:
    assert not [*(whole.path / "trials").rglob("predictions*.csv")]
    assert not [*(whole.path / "trials").rglob("metrics*.json")]
    (design,) = whole.designs
    assert design.trial == whole.ranked[0]
    assert [run.recipe.seed for run in design.runs] == [1, 2]
    for run in design.runs:
        assert dataclasses.replace(run.recipe, seed=0) == Run(design.trial.path).recipe
        assert len(run.evaluation) == 60
    assert design.accuracy.mean.value == pytest.approx(
        sum(run.evaluation.accuracy.value for run in design.runs) / 2
    )
    assert any("opened for 2 trainings alone" in line for line in whole.conclusions)
    assert any("best of many is partly lucky" in line for line in whole.conclusions)


def test_a_sweep_that_retrains_nothing_does_not_look_at_the_test_images(
    animals: Dataset, tmp_path: Path, trains: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the test images were opened")

    monkeypatch.setattr("inkwise.study.evaluate", refuse)
    swept = do(animals, tmp_path / "sweep", trials=2, metric="validation.loss")
    assert swept.conclusions[-1] == "The test images were not opened."
    first, second = swept.ranked
    assert first.value is not None
    assert second.value is not None
    assert first.value < second.value  # the smaller loss is better


def test_the_page_shows_trials_curves_and_networks(whole: Sweep) -> None:
    page = whole.page_path.read_text()
    assert page.count("<svg") == 3
    assert page.count('class="trial"') == 2 * len(whole.trials)
    for text in (*whole.conclusions, "optimiser.learning_rate", "best/trial-"):
        assert text.replace("'", "&#39;") in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


class Killed(BaseException):
    """As if the process were no more."""


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Die when so many files, or lines of the journal, have been brought to the disk."""
    left = [10**9]
    flush = os.fsync

    def die(file: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        flush(file)

    monkeypatch.setattr("os.fsync", die)
    yield left
    assert left[0] != 10**9


@pytest.mark.parametrize("written", [(1, 3, 14, 24, 26, 37), (47, 76)])
def test_a_sweep_that_was_killed_goes_on_as_if_it_had_not_been(
    written: tuple[int, ...], kill_at: list[int], whole: Sweep, animals: Dataset, tmp_path: Path
) -> None:
    for files in written:  # since it went on
        kill_at[0] = files
        with pytest.raises(Killed):
            do(animals, tmp_path / "sweep", best=1, seeds=2)
    kill_at[0] = 10**8
    again = do(animals, tmp_path / "sweep", best=1, seeds=2)

    assert outcome(again) == outcome(whole)
    assert again.conclusions == whole.conclusions
    assert len([*(tmp_path / "sweep" / "trials").iterdir()]) == 6


def test_a_line_of_the_journal_that_is_cut_off_costs_nothing(
    whole: Sweep, animals: Dataset, tmp_path: Path, trains: None
) -> None:
    do(animals, tmp_path / "sweep", trials=3)
    journal = tmp_path / "sweep" / "journal.log"
    content = journal.read_bytes()
    for cut in (1, 10, content.rfind(b"\n", 0, -1) - len(content) + 3):
        journal.write_bytes(content[: -abs(cut)])
        assert outcome(do(animals, tmp_path / "sweep", trials=3)) == outcome(whole)[:3]


def test_more_trials_add_to_a_sweep_and_train_none_again(
    whole: Sweep, animals: Dataset, tmp_path: Path, trains: None
) -> None:
    heard: list[Trial] = []
    for count in (2, 2, 6):
        swept = do(animals, tmp_path / "sweep", trials=count, on_trial=heard.append)
        assert outcome(swept) == outcome(whole)[:count]
    assert [trial.number for trial in heard] == [*range(6)]


def test_several_at_a_time_train_what_one_after_another_do(
    animals: Dataset, tmp_path: Path, trains: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkwise.trials.running_jobs.available_cores", lambda: 2)
    options: dict[str, Any] = {"sampler": "random", "pruning": False, "trials": 4}
    one = do(animals, tmp_path / "one", **options)
    two = do(animals, tmp_path / "two", **options, at_once=2)
    assert outcome(one) == outcome(two)
    assert one.conclusions == two.conclusions


def test_a_grid_tries_every_combination_once(
    animals: Dataset, tmp_path: Path, trains: None
) -> None:
    vary = {"network.0.filters": "1,2", "batch_size": "int:60..61"}
    swept = do(animals, tmp_path / "sweep", vary=vary, sampler="grid", trials=None)
    assert sorted(tuple(trial.values.values()) for trial in swept.trials) == [
        (1, 60),
        (1, 61),
        (2, 60),
        (2, 61),
    ]
    fewer = do(animals, tmp_path / "fewer", vary=vary, sampler="grid", trials=3)
    assert outcome(fewer) == outcome(swept)[:3]


def test_a_design_that_does_not_fit_fails_alone(
    animals: Dataset, tmp_path: Path, trains: None
) -> None:
    vary = {"network.0.kernel": [3, 19], "network.1.size": [2, 9]}
    swept = do(animals, tmp_path / "sweep", vary=vary, sampler="grid", trials=None)
    (failed,) = [trial for trial in swept.trials if trial.state == "failed"]
    assert [*failed.values.values()] == [19, 9]
    assert "network.1" in failed.error or "pool" in failed.error
    assert "3 trained to the end, 1 failed" in swept.conclusions[0]
    assert failed.error.split(":")[0] in swept.page_path.read_text()
    # It is not tried again.
    assert outcome(do(animals, tmp_path / "sweep", vary=vary, sampler="grid")) == outcome(swept)


def test_trials_that_are_behind_are_ended_early_unless_told_not_to(
    animals: Dataset, tmp_path: Path, trains: None
) -> None:
    vary = {"optimiser.learning_rate": [0.01, 0.011, 0.012, 0.013, 1e-5, 2e-5, 3e-5, 4e-5]}
    options: dict[str, Any] = {"vary": vary, "sampler": "grid", "trials": None, "seed": 2}
    swept = do(animals, tmp_path / "sweep", **options)
    assert {trial.state for trial in swept.trials[:4]} == {"complete"}
    early = [trial for trial in swept.trials if trial.state == "pruned"]
    assert early
    assert all(0 < len(trial.curve) < TINY.epochs for trial in early)
    without = do(animals, tmp_path / "without", **options, pruning=False)
    assert {trial.state for trial in without.trials} == {"complete"}


def test_an_accuracy_of_100_percent_is_not_free_of_noise(whole: Sweep) -> None:
    def noise(value: float) -> float:
        trial = dataclasses.replace(whole.ranked[0], value=value)
        swept = dataclasses.replace(whole, trials=(trial,), designs=(), fixed=True)
        assert swept.noise is not None
        return swept.noise

    images = whole.validation_images
    assert 0.5 * noise(1 - 1 / images) < noise(1.0) < noise(1 - 1 / images)


@pytest.mark.usefixtures("trains")
def test_a_folder_belongs_to_one_sweep_and_one_process(
    whole: Sweep, animals: Dataset, tmp_path: Path
) -> None:
    path = whole.path
    with pytest.raises(ArgumentError, match=r"differs in vary.network.0.filters"):
        do(animals, path, vary={**VARY, "network.0.filters": "2,8"})
    with pytest.raises(ArgumentError, match=r"metric \(\"validation.accuracy\" there, "):
        do(animals, path, metric="validation.loss")
    part = dataclasses.replace(animals, train=animals.test)
    with pytest.raises(ArgumentError, match=r"differs in dataset\.sha256"):
        do(part, path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(ArgumentError, match="holds files already"):
        do(animals, tmp_path / "full")

    def at_the_same_time(_: Trial) -> None:
        with pytest.raises(RunError, match="another process is at work in"):
            do(animals, tmp_path / "sweep", trials=1)

    do(animals, tmp_path / "sweep", trials=1, on_trial=at_the_same_time)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"metric": "test.accuracy"}, "use validation.accuracy or validation.loss; a sweep does"),
        ({"metric": "validation.acuracy"}, r"did you mean 'validation.accuracy'\?"),
        ({"sampler": "tpee"}, r"unknown sampler 'tpee' \(did you mean 'tpe'\?\)"),
        ({"trials": 0}, "from one to 10,000 trials, not 0"),
        ({"trials": 10**40}, "from one to 10,000 trials, not 10,000"),
        ({"best": -1}, "use 0 or more designs"),
        ({"seeds": 0}, "from one to 100 seeds"),
        ({"seeds": 10**40}, "from one to 100 seeds"),
        ({"seed": -1}, "the seed of the sampler must be a whole number from 0"),
        ({"at_once": 0}, "at least one training at a time"),
        ({"engine": "rya"}, r"unknown engine 'rya' \(did you mean 'ray'\?\): use here or ray"),
        ({"address": "auto"}, "the address auto is one of Ray's: add --engine ray"),
        ({"vary": {}}, "a sweep varies something"),
        ({"vary": {"epohcs": "1,2"}}, r"did you mean 'epochs'\?"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    options: dict[str, Any], told: str, animals: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=told):
        do(animals, tmp_path / "sweep", **options)
    assert not (tmp_path / "sweep").exists()


def test_a_full_disk_is_one_line_and_costs_nothing(
    whole: Sweep,
    animals: Dataset,
    tmp_path: Path,
    trains: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flush, left = os.fsync, [40]

    def fail(file: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(file)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(StorageError, match="No space left on device"):
            do(animals, tmp_path / "sweep")
    assert outcome(do(animals, tmp_path / "sweep")) == outcome(whole)


def test_progress_counts_the_trials_and_tells_of_each(
    animals: Dataset, tmp_path: Path, trains: None
) -> None:
    heard, told = Heard(), list[Trial]()
    do(animals, tmp_path / "sweep", trials=2, progress=heard, on_trial=told.append)
    assert heard.steps == [("trials", 1, 2), ("trials", 2, 2)]
    assert [trial.state for trial in told] == ["complete", "complete"]
    assert str(told[0]).startswith("trial 0: optimiser.learning_rate 0.")
