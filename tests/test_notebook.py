"""The teaching notebook runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest

from tests.shared_runs import NOTEBOOK


@pytest.mark.slow
def test_notebook_runs_on_mnist(taught: Path) -> None:
    notebook = nbformat.read(taught / NOTEBOOK.name, as_version=4)

    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5
    assert (taught / "runs" / "case-study-mnist-1" / "report.html").exists()
