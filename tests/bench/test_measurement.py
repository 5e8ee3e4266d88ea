"""Running a contender in a process of its own: its figures, and every way to fail."""

import math
import os
import time
from pathlib import Path

import pytest

from inkwise import Dataset
from inkwise.bench.contenders import Contender
from inkwise.bench.measurement import Failure, Measurement, measure
from inkwise.bench.programs.task import write_data
from tests.bench import fake, measurement

pytest_plugins = ["tests.bench.fixtures"]
pytestmark = pytest.mark.usefixtures("programs")


@pytest.fixture
def data(few_digits: Dataset, tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", few_digits.train, few_digits.test)


def run(contender: Contender, data: Path, number: int = 1, limit: float = 60) -> object:
    return measure(contender, number, data, data, limit)


@pytest.mark.slow
def test_a_contender_answers_with_its_figures(data: Path) -> None:
    before = time.monotonic()

    outcome = run(fake("good"), data, number=3)

    assert isinstance(outcome, Measurement)
    assert (outcome.contender, outcome.round) == ("good", 3)
    assert (outcome.training_images, outcome.test_images) == (400, 50)
    assert outcome.test_accuracy == pytest.approx(0.7)  # the seed goes with the round
    assert outcome.model_bytes == 7
    assert outcome.prediction_memory is None
    assert 0 < outcome.startup_seconds < time.monotonic() - before
    assert 0 <= outcome.training_seconds < outcome.whole_seconds
    assert outcome.images_per_second > 0
    # An interpreter with NumPy, and not the process that started it.
    assert outcome.training_memory is not None
    assert 10_000_000 < outcome.training_memory < 100_000_000


def test_programs_run_one_after_the_other_and_complete_each_other(data: Path) -> None:
    program = fake("good").programs[0]
    predictor = "inkwise.bench.programs.ours_predict"

    # No model was left, so that the second program must fail where the first did not.
    outcome = run(Contender("good", "good", (program, predictor)), data)

    assert isinstance(outcome, Failure)
    assert "there is no model" in outcome.reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crashing", "ValueError: the lion ate it"),
        ("failing in round 2", "exit code 3"),
        ("silent", "without a line of results"),
        ("killed", "signal 9"),
    ],
)
def test_failure_has_its_reason_in_a_line(data: Path, name: str, reason: str) -> None:
    outcome = run(fake(name), data, number=2)

    assert isinstance(outcome, Failure)
    assert (outcome.contender, outcome.round) == (name, 2)
    assert reason in outcome.reason
    assert "\n" not in outcome.reason


@pytest.mark.slow
def test_program_that_takes_too_long_is_ended(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PID_FILE", str(tmp_path / "pid"))

    outcome = run(fake("sleeping"), data, limit=5)

    assert isinstance(outcome, Failure)
    assert "longer than 5 seconds" in outcome.reason
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_time_to_an_accuracy_is_that_of_the_first_epoch_that_reached_it() -> None:
    m = measurement(history=((1.0, 0.98), (2.0, 0.99), (3.0, 0.985), (4.0, 0.995)))

    assert m.seconds_to(0.98) == 1
    assert m.seconds_to(0.99) == 2
    assert m.seconds_to(0.991) == 4
    assert m.seconds_to(0.996) == math.inf
