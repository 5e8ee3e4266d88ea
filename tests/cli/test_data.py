"""data: what is at hand, and what is not."""

import hashlib
import re
from pathlib import Path

import pytest

from inkwise.data import pendigits
from tests.cli.conftest import Call
from tests.data import forms
from tests.data.mirror import Mirror
from tests.data.test_pendigits import CONTENT, archive


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


def test_a_data_set_is_fetched_to_the_cache(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_home: Path
) -> None:
    monkeypatch.delenv("INKWISE_DATA_DIR", raising=False)
    monkeypatch.setattr(pendigits, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(pendigits, "MIRRORS", ("http://127.0.0.1:9/",))
    failed = call("data", "--fetch", "pendigits")
    assert failed.code == 1
    assert "no network" in failed.err

    with Mirror({pendigits.ARCHIVE: archive(tmp_path / "made.zip")}) as mirror:
        monkeypatch.setattr(pendigits, "MIRRORS", (mirror.address,))
        fetched = call("data", "--fetch", "pendigits")
    rows = {line.split()[0]: line for line in fetched.out.splitlines() if line.strip()}
    assert fetched.code == 0
    assert rows["pendigits"].rstrip().endswith("yes")
    assert str(cache_home) in rows["pendigits"]

    unknown = call("data", "--fetch", "pendigit")
    assert unknown.code == 2
    assert "unknown data set 'pendigit': use auto, mnist" in unknown.err


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
