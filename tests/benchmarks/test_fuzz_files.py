"""Damaged files of each kind: each is read or refused in one line, as the long fuzz says."""

import shutil
from pathlib import Path

import pytest
from fuzz_files import attempt, make
from fuzz_kinds import KINDS

from inkwise.export.writing import export_model
from tests.shared_runs import MakeOnce

FROM_A_RUN = {
    *("onnx", "model.json", "weights", "keras", "h5", "run.json", "recipe.json", "metrics.json"),
    *("slices.json", "history.csv", "predictions.csv", "pictures.npz", "seen.npy", "checkpoint"),
}
SLOW = {"heic", "avif", "pdf", "keras", "h5", "onnx", "predictions.csv", "their.onnx", "pth"}


@pytest.fixture(scope="module")
def seeds(finished: Path, stopped: Path, make_once: MakeOnce) -> Path:
    """A folder with the runs, as the long fuzz makes it."""

    def copy(folder: Path) -> None:
        shutil.copytree(finished, folder / "run")
        shutil.copytree(stopped, folder / "stopped")
        for form in ("keras", "h5"):
            export_model(finished, form, folder / f"model.{form}")

    return make_once("fuzz-seeds", copy)


def fuzz(kind: str, folder: Path, scratch: Path, files: int) -> None:
    for content in KINDS[kind].seeds(folder):
        assert attempt(KINDS[kind], scratch, content) == {"outcome": "read"}
    for number in range(files):
        content = make(kind, folder, 1, number)
        told = attempt(KINDS[kind], scratch, content)
        assert "finding" not in told, (number, told)


WITHOUT_A_RUN = KINDS.keys() - FROM_A_RUN - {"neighbours.npz", "robustness.json"}


@pytest.mark.parametrize("kind", sorted(WITHOUT_A_RUN))
def test_a_damaged_file_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    fuzz(kind, tmp_path, tmp_path, 12 if kind in SLOW else 50)


@pytest.mark.parametrize("kind", sorted(FROM_A_RUN))
def test_a_damaged_file_of_a_run_is_read_or_refused(kind: str, seeds: Path, tmp_path: Path) -> None:
    for name in ("run", "stopped"):
        shutil.copytree(seeds / name, tmp_path / name)
    fuzz(kind, seeds, tmp_path, 12)
