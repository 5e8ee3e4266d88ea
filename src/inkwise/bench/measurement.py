"""Running a contender in processes of its own, and reading what it measured."""

import dataclasses
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from inkwise.bench.contenders import Contender
from inkwise.bench.programs.task import Task
from inkwise.errors import BenchError


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What one contender did in one round.

    Parameters
    ----------
    contender : str
    round : int
        From 1.
    training_images : int
        How many it learned from; what it set apart for validation is not counted.
    startup_seconds : float
        From the start of the process until the training began: imports and loading.
    history : tuple of (float, float)
        One entry an epoch, or one in all where there are none: training time so far, with the
        validation that the contender does itself, and accuracy on the test images, which is looked
        at while the clock stands still and chooses nothing.
    evaluation_seconds : float
        From the end of the training until the last figure about the test images.
    batch_seconds, single_seconds : float
        Predicting all test images in one call, and one image; medians, once all is warm.
    test_images : int
    training_memory, prediction_memory : int or None
        Most memory that the process held, in bytes, until the training had ended and in a fresh
        process that loads the model and predicts; None where that was not measured.
    model_bytes : int
        The model on the disk.
    """

    contender: str
    round: int
    training_images: int
    startup_seconds: float
    history: tuple[tuple[float, float], ...]
    evaluation_seconds: float
    batch_seconds: float
    single_seconds: float
    test_images: int
    training_memory: int | None
    prediction_memory: int | None
    model_bytes: int

    @property
    def training_seconds(self) -> float:
        """Training time."""
        return self.history[-1][0]

    @property
    def whole_seconds(self) -> float:
        """From the start of the process until the last figure."""
        return self.startup_seconds + self.training_seconds + self.evaluation_seconds

    @property
    def test_accuracy(self) -> float:
        """Accuracy on the test images after the last epoch."""
        return self.history[-1][1]

    @property
    def images_per_second(self) -> float:
        """How many test images are predicted in a second, all in one call."""
        return self.test_images / self.batch_seconds

    def seconds_to(self, accuracy: float) -> float:
        """Training time until the end of the first epoch that reached it; infinite if none did."""
        return next((seconds for seconds, reached in self.history if reached >= accuracy), math.inf)


@dataclasses.dataclass(frozen=True)
class Failure:
    """A contender that crashed or ran out of time.

    Parameters
    ----------
    contender : str
        Its name; or ``growth``, where its cost's growth could not be measured.
    round : int
    reason : str
        In a line.
    """

    contender: str
    round: int
    reason: str


def measure(
    contender: Contender, number: int, data: Path, work: Path, time_limit: float
) -> Measurement | Failure:
    """Run a contender's programs one after the other, each in a fresh process.

    Parameters
    ----------
    contender : Contender
    number : int
        The round, from 1; it decides the seed.
    data : path
        A folder that `write_data` filled.
    work : path
        A folder for what the programs leave to each other.
    time_limit : float
        Seconds that each program may take.
    """
    answers: dict[str, Any] = {"prediction_memory": None}
    try:
        for program in contender.programs:
            answers |= run_program(program, contender.name, number, data, work, time_limit)
        answers["history"] = tuple((seconds, accuracy) for seconds, accuracy in answers["history"])
        return Measurement(contender.name, number, **answers)
    except BenchError as error:
        return Failure(contender.name, number, str(error))


def run_program(
    program: str, name: str, number: int, data: Path, work: Path, time_limit: float
) -> dict[str, Any]:
    """Run one program in a fresh process and return its figures; see `measure`.

    Raises
    ------
    BenchError
        It crashed or ran out of time.
    """
    task = Task(name, str(data), str(work), seed=number - 1, asked=time.monotonic())
    command = [sys.executable, "-m", program, json.dumps(dataclasses.asdict(task))]
    with subprocess.Popen(  # noqa: S603 - our own programs
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            printed, said = process.communicate(timeout=time_limit)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"it took longer than {time_limit:,.0f} seconds") from error
        finally:  # also after Ctrl-C
            process.kill()
            process.wait()
    if process.returncode < 0:
        raise BenchError(f"it was ended by signal {-process.returncode}: is there enough memory?")
    if process.returncode:
        reason = said.strip().rpartition("\n")[2]
        raise BenchError(reason or f"it ended with exit code {process.returncode}")
    try:
        figures: dict[str, Any] = json.loads(printed.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise BenchError("it ended without a line of figures") from error
    return figures
