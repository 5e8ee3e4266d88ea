import dataclasses
from pathlib import Path

import pytest

from inkwise.data.cache import cache_folder
from inkwise.data.catalogue import DATA_DIR_VARIABLE, describe_datasets, load_dataset
from inkwise.data.dataset import Dataset
from inkwise.data.published import DATASET_NAMES, PUBLISHED
from inkwise.errors import ArgumentError, DataError, DownloadError
from tests.data.mirror import refusing_address


@pytest.fixture
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    mirrors = (refusing_address(),)
    for name, published in PUBLISHED.items():
        monkeypatch.setitem(PUBLISHED, name, dataclasses.replace(published, mirrors=mirrors))


@pytest.mark.parametrize("name", ["auto", "mnist"])
def test_mnist_is_loaded_where_it_is_at_hand(
    name: str, mnist_dir: Path, mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_dataset(name, data_dir=mnist_dir).sha256 == mnist.sha256
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(mnist_dir))
    dataset = load_dataset(name)
    assert dataset.sha256 == mnist.sha256
    assert dataset.notice is None


@pytest.mark.usefixtures("nothing_at_hand")
def test_without_files_and_network_auto_stands_in_and_says_so(optdigits: Dataset) -> None:
    dataset = load_dataset("auto")
    assert dataset.sha256 == optdigits.sha256
    assert dataset.name == "optdigits"
    assert dataset.notice is not None
    assert dataset.notice.startswith("This is not MNIST: ")
    for word in ("optdigits", "no network", "--data-dir"):
        assert word in dataset.notice
    assert "\n" not in dataset.notice


@pytest.mark.usefixtures("nothing_at_hand")
def test_without_files_and_network_mnist_is_refused() -> None:
    with pytest.raises(DownloadError, match="there is no network"):
        load_dataset("mnist")


@pytest.mark.usefixtures("nothing_at_hand")
def test_optdigits_needs_nothing_and_comes_without_a_notice(optdigits: Dataset) -> None:
    dataset = load_dataset("optdigits")
    assert dataset.sha256 == optdigits.sha256
    assert dataset.notice is None


@pytest.mark.usefixtures("nothing_at_hand")
def test_auto_never_passes_over_files_that_are_missing_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no MNIST files"):
        load_dataset("auto", data_dir=tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"damaged")
    with pytest.raises(DataError, match="train-images-idx3-ubyte is not an IDX file"):
        load_dataset("auto", data_dir=tmp_path)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ArgumentError, match=r"'cifar': use auto, mnist, .*, optdigits"):
        load_dataset("cifar")


@pytest.mark.usefixtures("nothing_at_hand")
def test_the_description_says_where_each_data_set_would_come_from(tmp_path: Path) -> None:
    described = {entry.name: entry for entry in describe_datasets()}
    assert set(described) == {*DATASET_NAMES, "pendigits"}
    assert not described["mnist"].at_hand
    assert PUBLISHED["mnist"].mirrors[0] in described["mnist"].source
    assert str(cache_folder(PUBLISHED["mnist"])) in described["mnist"].source
    assert described["optdigits"].at_hand
    assert "optdigits" in described["auto"].source

    for file in PUBLISHED["mnist"].files:
        assert not described["mnist"].at_hand  # as long as a file is missing
        (tmp_path / f"{file.name}.gz").touch()  # described without being opened
        described = {entry.name: entry for entry in describe_datasets(tmp_path)}
    assert described["mnist"].at_hand
    assert described["mnist"].source == str(tmp_path)
    assert described["auto"].source == "mnist"
    with pytest.raises(DataError, match="has no MNIST files"):
        describe_datasets(tmp_path / "nowhere")
