"""Running a contender in processes of its own, and reading its measurements."""

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
    """The measurements of one contender in one round.

    Parameters
    ----------
    contender : str
        Name of the contender.
    round : int
        Number of the round, from 1.
    training_images : int
        Number of images that it was trained on, without those that it held out for validation.
    startup_seconds : float
        Time from the start of the process until the training began: imports and loading.
    history : tuple of (float, float)
        One entry for each epoch, or a single one for a contender without epochs: the training time
        so far, including the contender's own validation, and the accuracy on the test images. The
        clock is stopped while this accuracy is computed, and nothing is chosen by it.
    evaluation_seconds : float
        Time from the end of the training until the last metric on the test images.
    batch_seconds, single_seconds : float
        Time to predict all test images in one call, and a single image; medians after a warm-up.
    test_images : int
        Number of test images.
    training_memory, prediction_memory : int or None
        Peak memory of the process, in bytes, until the end of the training, and of a fresh process
        that loads the model and predicts; None if it was not measured.
    model_bytes : int
        Size of the model's file, in bytes.
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
        """Total training time."""
        return self.history[-1][0]

    @property
    def whole_seconds(self) -> float:
        """Time from the start of the process until the last metric."""
        return self.startup_seconds + self.training_seconds + self.evaluation_seconds

    @property
    def test_accuracy(self) -> float:
        """Accuracy on the test images after the last epoch."""
        return self.history[-1][1]

    @property
    def images_per_second(self) -> float:
        """Number of test images that are predicted per second, all in one call."""
        return self.test_images / self.batch_seconds

    def seconds_to(self, accuracy: float) -> float:
        """Return the training time until an epoch reached an accuracy; infinite if none did."""
        return next((seconds for seconds, reached in self.history if reached >= accuracy), math.inf)


@dataclasses.dataclass(frozen=True)
class Failure:
    """A contender that crashed or ran out of time.

    Parameters
    ----------
    contender : str
        Name of the contender; or ``growth``, if the growth of time could not be measured.
    round : int
        Number of the round, from 1.
    reason : str
        The reason, in one line.
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
        The contender to run.
    number : int
        Number of the round, from 1, which determines the seed.
    data : path
        A folder that `write_data` filled.
    work : path
        A folder in which the programs leave files for one another.
    time_limit : float
        Time that each program may take, in seconds.

    Returns
    -------
    Measurement or Failure
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
    """Run one program in a fresh process and return its values; see `measure`.

    Raises
    ------
    BenchError
        The program crashed or ran out of time.
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
        raise BenchError("it ended without a line of results") from error
    return figures
