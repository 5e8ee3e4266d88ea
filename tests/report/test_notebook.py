"""The report as a notebook: valid, and its cells run where the run was moved to."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import inkwise
from inkwise import Run
from inkwise.errors import RunError


def test_cells_run_in_a_run_that_was_moved(run: Run, tmp_path: Path) -> None:
    written = inkwise.write_notebook(run)
    moved = tmp_path / "else where"
    shutil.move(run.path, moved)
    evaluation = Run(moved).evaluation

    notebook = nbformat.read(moved / written.name, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(moved)}},
    ).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.get("text", "") for output in outputs)
    assert f"{len(evaluation.misclassified):,} mistakes in {len(evaluation):,} test images" in text
    assert f"{evaluation.accuracy.value:8.4f}" in text
    assert evaluation.classification_report in text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 11
    assert not [output for output in outputs if output.output_type == "error"]


def test_a_run_that_was_not_evaluated_is_refused(stopped: Path) -> None:
    with pytest.raises(RunError, match="run `inkwise evaluate"):
        inkwise.write_notebook(stopped)
    assert not (stopped / "report.ipynb").exists()
