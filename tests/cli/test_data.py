"""data: what is at hand, and what is not."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.data import forms


def test_data_with_mnist_at_hand(call: Call, mnist_dir: Path) -> None:
    result = call("data", "--data-dir", mnist_dir)

    rows = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    assert str(mnist_dir) in rows["mnist"]
    assert all(rows[name].rstrip().endswith("yes") for name in ("mnist", "optdigits", "auto"))


def test_data_without_mnist(call: Call, monkeypatch: pytest.MonkeyPatch, cache_home: Path) -> None:
    monkeypatch.delenv("INKWISE_DATA_DIR", raising=False)

    result = call("data")

    rows = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    assert rows["mnist"].rstrip().endswith("no")
    assert str(cache_home) in rows["mnist"]  # where it would go
    assert rows["optdigits"].rstrip().endswith("yes")


def test_data_in_other_formats(call: Call, tmp_path: Path) -> None:
    forms.hugging_face(tmp_path, forms.draw(20), forms.draw(10))
    (tmp_path / "own.csv").write_text(forms.table(forms.draw(20)))

    result = call("data", "--data-dir", tmp_path)

    rows = {line.split()[0]: line for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    assert re.search(rf"Parquet +{tmp_path / 'mnist'} +yes", rows["mnist"])
    assert re.search(rf"CSV +{tmp_path / 'own.csv'} +yes", rows["own"])


def test_data_in_a_folder_without_files(call: Call, tmp_path: Path) -> None:
    result = call("data", "--data-dir", tmp_path)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {tmp_path} has no MNIST files")
    assert result.err.count("\n") == 1
