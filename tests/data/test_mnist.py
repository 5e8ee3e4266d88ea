import dataclasses
import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from inkwise import Progress, describe_datasets, load_dataset
from inkwise.data.cache import cache_folder
from inkwise.data.catalogue import DATA_DIR_VARIABLE
from inkwise.data.dataset import Dataset
from inkwise.data.download import PROBE_SECONDS
from inkwise.data.idx import read_idx, write_idx
from inkwise.data.published import PUBLISHED
from inkwise.errors import DataError, DownloadError, StorageError
from tests.data import mirror
from tests.data.mirror import Bar, Behaviour, Mirror, refusing_address, unanswering_address

MNIST = PUBLISHED["mnist"]
NAMES = [file.name for file in MNIST.files]


@pytest.fixture
def folder(mnist_dir: Path, tmp_path: Path) -> Path:
    """A folder with links to the four files, to take away from and add to."""
    for name in NAMES:
        (tmp_path / f"{name}.gz").symlink_to(mnist_dir / f"{name}.gz")
    return tmp_path


@pytest.fixture
def files(mnist_dir: Path) -> dict[str, bytes]:
    """What a mirror serves."""
    return {f"{name}.gz": (mnist_dir / f"{name}.gz").read_bytes() for name in NAMES}


@pytest.fixture
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a folder nor a network."""
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    use_mirrors(monkeypatch, (refusing_address(),))


def use_mirrors(monkeypatch: pytest.MonkeyPatch, mirrors: tuple[str, ...]) -> None:
    monkeypatch.setitem(PUBLISHED, "mnist", dataclasses.replace(MNIST, mirrors=mirrors))


def load_mnist(data_dir: Path | str | None = None, progress: Progress | None = None) -> Dataset:
    return load_dataset("mnist", data_dir, progress or Progress())


def same(one: Dataset, other: Dataset) -> bool:
    return one.sha256 == other.sha256


def test_mnist_is_what_it_is_known_to_be(mnist: Dataset, mnist_dir: Path) -> None:
    assert mnist.name == "mnist"
    assert "MNIST" in mnist.title
    assert mnist.class_names == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert mnist.train.images.shape == (60_000, 28, 28)
    assert mnist.test.images.shape == (10_000, 28, 28)
    assert mnist.image_size == (28, 28)
    assert mnist.source == str(mnist_dir)
    assert mnist.notice is None
    np.testing.assert_array_equal(
        np.bincount(mnist.train.labels),
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    )
    np.testing.assert_array_equal(mnist.test.labels[:8], [7, 2, 1, 0, 4, 1, 4, 9])
    assert mnist.train.images.max() == 255
    assert mnist.train.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)


def test_plain_files_and_either_spelling_load(folder: Path, mnist: Dataset) -> None:
    for name in ("t10k-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (folder / name).write_bytes(gzip.decompress((folder / f"{name}.gz").read_bytes()))
        (folder / f"{name}.gz").unlink()
    (folder / "t10k-images-idx3-ubyte").rename(folder / "t10k-images.idx3-ubyte")
    (folder / "train-images-idx3-ubyte.gz").rename(folder / "train-images.idx3-ubyte.gz")
    assert same(load_mnist(folder), mnist)


def test_a_folder_that_lacks_one_file_is_told_which(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="has no train-labels-idx1-ubyte") as caught:
        load_mnist(folder)
    assert str(folder) in str(caught.value)


def test_swapped_files_are_noticed(folder: Path) -> None:
    train, test = folder / "train-labels-idx1-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz"
    train.rename(folder / "aside")
    test.rename(train)
    (folder / "aside").rename(test)
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz is not MNIST's .* 10,000"):
        load_mnist(folder)


def test_a_single_changed_label_is_noticed(folder: Path) -> None:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    labels = read_idx(path)
    labels[5000] += 1
    path.unlink()
    write_idx(path, labels)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz is not MNIST's .* SHA-256"):
        load_mnist(folder)


@pytest.mark.slow
def test_a_damaged_file_in_a_given_folder_is_neither_mended_nor_passed_over(
    folder: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.unlink()
    path.write_bytes(files[path.name][:-100])
    with Mirror(files) as server:
        use_mirrors(monkeypatch, (server.address,))
        for data_dir in (folder, None):
            monkeypatch.setenv(DATA_DIR_VARIABLE, str(folder))
            with pytest.raises(DataError, match="damaged gzip file"):
                load_mnist(data_dir)
    assert server.requests == []


def test_a_folder_without_any_of_the_files_is_refused(
    tmp_path: Path, mnist_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(mnist_dir))  # the argument has the last word
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="has no MNIST files") as caught:
            load_mnist(folder)
        assert str(folder) in str(caught.value)


def test_a_folder_that_cannot_be_looked_into_is_a_storage_error() -> None:
    with pytest.raises(StorageError, match="File name too long"):
        load_mnist("x" * 300)


def test_the_variable_goes_before_the_cache_and_the_cache_before_the_network(
    folder: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    found = {entry.name: entry for entry in describe_datasets()}["mnist"]
    assert not found.at_hand
    assert cache_folder(MNIST) == cache_home / "inkwise" / "mnist"
    cache_folder(MNIST).mkdir(parents=True)
    for path in folder.iterdir():
        (cache_folder(MNIST) / path.name).symlink_to(path)
    assert load_mnist().source == str(cache_folder(MNIST))
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(folder))
    assert load_mnist().source == str(folder)
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(folder / "nowhere"))
    assert load_mnist().source == str(cache_folder(MNIST))


@pytest.mark.usefixtures("nothing_at_hand")
@pytest.mark.slow
def test_mnist_is_downloaded_once_and_then_comes_from_the_cache(
    mnist: Dataset, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    bars: dict[str, Bar] = {}

    class Downloading(Progress):
        def download(self, file_name: str) -> Bar:
            return bars.setdefault(file_name, Bar())

    with Mirror(files, mirror.corrupt) as bad, Mirror(files) as good:
        use_mirrors(monkeypatch, (bad.address, good.address))
        downloaded = load_mnist(progress=Downloading())
    assert same(downloaded, mnist)
    assert downloaded.source == str(cache_folder(MNIST))
    assert good.requests == bad.requests == [f"/{name}.gz" for name in NAMES]
    sizes = {name: len(content) for name, content in files.items()}
    assert {name: bar.total for name, bar in bars.items()} == sizes
    assert {name: bar.done for name, bar in bars.items()} == sizes
    assert {path.name: path.read_bytes() for path in cache_folder(MNIST).iterdir()} == files
    # The servers are gone by now.
    assert same(load_mnist(), mnist)


@pytest.mark.usefixtures("nothing_at_hand")
@pytest.mark.parametrize("spelling", ["t10k-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte"])
@pytest.mark.slow
def test_a_damaged_file_in_the_cache_is_fetched_again(
    spelling: str,
    mnist: Dataset,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache_folder(MNIST).mkdir(parents=True)
    for name, content in files.items():
        (cache_folder(MNIST) / name).write_bytes(content)
    (cache_folder(MNIST) / spelling).write_bytes(files["t10k-labels-idx1-ubyte.gz"][:-100])
    (cache_folder(MNIST) / "t10k-images-idx3-ubyte.gz").unlink()
    with Mirror(files) as server:
        use_mirrors(monkeypatch, (server.address,))
        assert same(load_mnist(), mnist)
    assert server.requests == ["/t10k-images-idx3-ubyte.gz", "/t10k-labels-idx1-ubyte.gz"]
    assert same(load_mnist(), mnist)


@pytest.fixture
def absent_networks(nothing_at_hand: None) -> Iterator[list[tuple[str, ...]]]:
    """Mirrors as a machine without a network sees them: refused, silent, unknown, none."""
    with unanswering_address() as unanswering:
        yield [
            (refusing_address(),),
            (unanswering, "https://mirror.invalid/mnist/"),
            ("https://mirror.invalid/mnist/",),
        ]


@pytest.mark.slow
def test_without_a_network_the_advice_comes_once_nobody_answers(
    absent_networks: list[tuple[str, ...]], cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mirrors in absent_networks:
        use_mirrors(monkeypatch, mirrors)
        start = time.monotonic()
        with pytest.raises(DownloadError, match="there is no network") as caught:
            load_mnist()
        assert time.monotonic() - start < 2 * PROBE_SECONDS
        message = str(caught.value)
        assert "\n" not in message
        for advice in ("--data-dir", DATA_DIR_VARIABLE, "--dataset optdigits"):
            assert advice in message
    assert list(cache_home.iterdir()) == []


@pytest.mark.usefixtures("nothing_at_hand")
@pytest.mark.parametrize("behaviour", [mirror.error_page, mirror.status(503)])
def test_mirrors_that_do_not_deliver_are_told_with_the_same_advice(
    behaviour: Behaviour, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mirror(files, behaviour) as bad:
        use_mirrors(monkeypatch, (bad.address,))
        with pytest.raises(DownloadError, match="could not fetch train-images") as caught:
            load_mnist()
    message = str(caught.value)
    assert "\n" not in message
    assert f"{bad.host} " in message
    assert "--data-dir" in message
    assert list(cache_folder(MNIST).iterdir()) == []
