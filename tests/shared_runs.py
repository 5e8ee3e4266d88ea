"""Runs and data sets that the tests of several rooms share; a pytest plugin."""

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import inkwise
from inkwise import Dataset, Run, Split
from tests.telling import AtEachBatch

if TYPE_CHECKING:
    from inkwise.system.progress import Batch


@pytest.fixture(scope="session")
def animals() -> Dataset:
    """A user's own data: three classes, 20×24 pixels, a bar at the top, the middle or the foot."""
    generator = np.random.default_rng(7)

    def part(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % 3
        images = generator.integers(0, 60, size=(count, 20, 24), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            top = 7 * label + generator.integers(3)
            image[top : top + 3, 4:20] = generator.integers(180, 256)
        return Split(images, labels)

    return Dataset(
        name="animals",
        title="Animals, drawn as bars",
        class_names=("ant", "bee", "cat"),
        train=part(300),
        test=part(60),
        source="drawn for the tests",
    )


@pytest.fixture(scope="session")
def small_mnist(mnist: Dataset) -> Dataset:
    """A tenth of MNIST, under a name of its own."""
    return Dataset(
        name="mnist-tenth",
        title="a tenth of MNIST",
        class_names=mnist.class_names,
        train=mnist.train.take(np.arange(6_000)),
        test=mnist.test.take(np.arange(1_000)),
        source=mnist.source,
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, matplotlib_home: None) -> Path:
    """A complete run on optdigits, two epochs long. It is shared: read it, and `run` to change."""
    path = tmp_path_factory.mktemp("finished") / "run"
    return inkwise.train(dataset="optdigits", epochs=2, output=path).path


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on optdigits that was interrupted in its second epoch. It is shared."""
    path = tmp_path_factory.mktemp("stopped") / "run"

    def press_ctrl_c(batch: "Batch") -> None:
        if batch.epoch == 2 and batch.seen > 300:
            raise KeyboardInterrupt

    return inkwise.train(
        dataset="optdigits", epochs=3, output=path, progress=AtEachBatch(press_ctrl_c)
    ).path


@pytest.fixture(scope="session")
def awkward(
    animals: Dataset, tmp_path_factory: pytest.TempPathFactory, matplotlib_home: None
) -> Run:
    """A run with names full of HTML, and others far too long for a phone. It is shared."""
    dataset = dataclasses.replace(
        animals,
        name="my <i>scans</i>",
        title="Scans & <u>photos</u>",
        class_names=("<b>&amp;", "<script>alert('1')</script>", "donaudampfschifffahrt" * 3),
        source="/a/very/long/folder" * 8,
        notice="<img src=x onerror=alert(1)> " + "unbroken" * 15,
    )
    path = tmp_path_factory.mktemp("awkward") / "run"
    return inkwise.train(dataset=dataset, epochs=1, output=path)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Run:
    """The test's own copy of the complete run."""
    return Run(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def stopped_run(stopped: Path, tmp_path: Path) -> Run:
    """The test's own copy of the interrupted run."""
    return Run(shutil.copytree(stopped, tmp_path / "stopped"))
