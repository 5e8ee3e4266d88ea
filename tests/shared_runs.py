"""Runs and data sets that the tests of several packages share; a pytest plugin."""

import contextlib
import dataclasses
import shutil
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

import inkwise
from inkwise import Dataset, Run, Split
from tests.telling import AtEachBatch

if TYPE_CHECKING:
    from inkwise.system.progress import Batch

NOTEBOOK = Path(__file__).parents[1] / "examples" / "case_study.ipynb"
TRAINING = 'inkwise.train("case-study", dataset,'

MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def trains() -> None:
    """Requested by every test and fixture that trains a run: ``make quick`` leaves those out."""


@contextlib.contextmanager
def without_report() -> Iterator[None]:
    """Let trainings end without their report, which takes longer than a small training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inkwise.study.report_on", lambda run, *_: run.report_path)
        patch.setattr("inkwise.study.SecondProcess", contextlib.nullcontext)
        yield


@pytest.fixture
def unreported(trains: None) -> Iterator[None]:
    """`without_report` for a whole test, which trains."""
    with without_report():
        yield


@contextlib.contextmanager
def without_figures() -> Iterator[None]:
    """Draw nothing, which takes seconds: what figures show is tested with the charts."""
    blank = {"svg": b'<svg width="1" height="1"></svg>', "png": b""}
    # Here, and not in `drawing`: a module first imported by the test would keep it for good.
    only = types.SimpleNamespace(to_bytes=lambda _, kind: blank[kind])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inkwise.report.figures.drawing", only)
        # A second process would draw.
        patch.setattr("inkwise.report.figures.available_cores", lambda: 1)
        yield


@pytest.fixture
def blank_figures() -> Iterator[None]:
    """`without_figures` for a whole test."""
    with without_figures():
        yield


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MakeOnce:
    """Let one of the processes that run the tests make a folder, and all of them have it."""
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent

    def get_or_make(name: str, make: Callable[[Path], object]) -> Path:
        path, made = root / name, root / f"{name}.made"
        with FileLock(root / f"{name}.lock"):
            if not made.exists():
                make(path)
                made.touch()
        return path

    return get_or_make


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
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few images of three classes, in a file. It is shared.

    A process that reads them starts sooner than with optdigits, which scikit-learn has.
    """
    from tests.data import forms

    folder = tmp_path_factory.mktemp("archive")
    forms.zipped_idx(folder, forms.draw(60, 0, classes=3), forms.draw(30, 1, classes=3))
    return folder / "archive.zip"


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
def finished(make_once: MakeOnce, trains: None, matplotlib_home: None) -> Path:
    """A complete run on optdigits, two epochs long. It is shared: read it, and `run` to change."""
    return make_once(
        "finished", lambda path: inkwise.train(dataset="optdigits", epochs=2, output=path)
    )


@pytest.fixture(scope="session")
def stopped(make_once: MakeOnce, trains: None) -> Path:
    """A run on optdigits that was interrupted in its second epoch. It is shared."""

    def press_ctrl_c(batch: "Batch") -> None:
        if batch.epoch == 2 and batch.seen > 300:
            raise KeyboardInterrupt

    return make_once(
        "stopped",
        lambda path: inkwise.train(
            dataset="optdigits", epochs=3, output=path, progress=AtEachBatch(press_ctrl_c)
        ),
    )


@pytest.fixture(scope="session")
def awkward_animals(animals: Dataset) -> Dataset:
    """The same with names full of HTML, and others far too long for a phone."""
    return dataclasses.replace(
        animals,
        name="my <i>scans</i>",
        title="Scans & <u>photos</u>",
        class_names=("<b>&amp;", "<script>alert('1')</script>", "donaudampfschifffahrt" * 3),
        source="/a/very/long/folder" * 8,
        notice="<img src=x onerror=alert(1)> " + "unbroken" * 15,
    )


@pytest.fixture(scope="session")
def awkward(
    awkward_animals: Dataset, make_once: MakeOnce, trains: None, matplotlib_home: None
) -> Run:
    """A run on data with awkward names. It is shared."""
    return Run(
        make_once(
            "awkward", lambda path: inkwise.train(dataset=awkward_animals, epochs=1, output=path)
        )
    )


@pytest.fixture(scope="session")
def zoo(animals: Dataset, make_once: MakeOnce, trains: None, matplotlib_home: None) -> Run:
    """A complete run on a user's own data. It is shared: read it, and `own_run` to change."""
    return Run(make_once("zoo", lambda path: inkwise.train(dataset=animals, epochs=4, output=path)))


@pytest.fixture(scope="session")
def taught(mnist_dir: Path, make_once: MakeOnce, trains: None, matplotlib_home: None) -> Path:
    """The folder where the teaching notebook was run, on the whole of MNIST. It is shared.

    The notebook as it came out is beside its run. One epoch of small batches must do here, where
    it has five.
    """

    def execute(path: Path) -> None:
        import nbformat
        from nbclient import NotebookClient

        notebook = nbformat.read(NOTEBOOK, as_version=4)
        (cell,) = (cell for cell in notebook.cells if TRAINING in cell.source)
        cell.source = cell.source.replace(TRAINING, f"{TRAINING} epochs=1, batch_size=32,")
        path.mkdir()
        NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": str(path)}},
        ).execute()
        nbformat.write(notebook, path / NOTEBOOK.name)

    return make_once("taught", execute)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Run:
    """The test's own copy of the complete run."""
    return Run(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def own_run(zoo: Run, tmp_path: Path) -> Run:
    """The test's own copy of the run on a user's own data."""
    return Run(shutil.copytree(zoo.path, tmp_path / "own"))


@pytest.fixture
def stopped_run(stopped: Path, tmp_path: Path) -> Run:
    """The test's own copy of the interrupted run."""
    return Run(shutil.copytree(stopped, tmp_path / "stopped"))
