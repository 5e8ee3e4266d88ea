"""MNIST's kin: found by name, set right, verified as far as hashes are known, and downloaded."""

import dataclasses
import gzip
import hashlib
import io
import string
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inkwise import Dataset, describe_datasets, load_data, load_dataset
from inkwise.data.cache import cache_folder
from inkwise.data.catalogue import DATA_DIR_VARIABLE
from inkwise.data.idx import idx_bytes
from inkwise.data.published import PUBLISHED, Published
from inkwise.errors import DataError, DownloadError
from tests.data import forms, mirror
from tests.data.forms import draw
from tests.data.mirror import Mirror, refusing_address

COUNTS = (124, 62)
EMNIST = [name for name in PUBLISHED if name.startswith("emnist")]


def seed_of(name: str, part: int) -> int:
    """Return a seed: no two data sets have the same labels."""
    return 2 * list(PUBLISHED).index(name) + part


def contents(published: Published) -> dict[str, bytes]:
    """Return files as they are published, and their content small."""
    classes = len(published.class_names)
    files: list[NDArray[Any]] = []
    for part, count in enumerate(COUNTS):
        images, labels = draw(count, seed_of(published.name, part), classes)
        stored = labels + np.uint8(published.first_label)
        if published.name == "qmnist":
            rows = np.zeros((count, 8), np.int32)
            rows[:, 0], rows[:, 1:] = stored, 70_000  # a writer, a place in NIST's files
            files += [images, rows]
        else:
            files += [images, stored]
    return {
        file.name: gzip.compress(idx_bytes(array), mtime=0)
        for file, array in zip(published.files, files, strict=True)
    }


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"gzip/{name}.gz", content)
    return stream.getvalue()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, bytes]]:
    """All published data sets as if they were smaller; their files by name."""
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    everything = {name: contents(published) for name, published in PUBLISHED.items()}
    emnist = packed({name: file for each in EMNIST for name, file in everything[each].items()})
    everything["emnist"] = {"gzip.zip": emnist}
    for name, published in list(PUBLISHED.items()):
        files = [
            dataclasses.replace(
                file,
                sha256=file.sha256 and hashlib.sha256(gzip.decompress(content)).hexdigest(),
                packed=file.packed and f"md5:{hashlib.md5(content).hexdigest()}",  # noqa: S324
            )
            for file, content in zip(published.files, everything[name].values(), strict=True)
        ]
        archive = published.archive and dataclasses.replace(
            published.archive, packed=f"sha256:{hashlib.sha256(emnist).hexdigest()}"
        )
        changed = dataclasses.replace(
            published,
            files=tuple(files),  # type: ignore[arg-type]
            counts=COUNTS,
            archive=archive,
            mirrors=(refusing_address(),),
        )
        monkeypatch.setitem(PUBLISHED, name, changed)
    return everything


def write(folder: Path, files: dict[str, bytes], *, plain: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if plain:
            (folder / name).write_bytes(gzip.decompress(content))
        else:
            (folder / f"{name}{'' if name.endswith('.zip') else '.gz'}").write_bytes(content)
    return folder


def is_right(dataset: Dataset, name: str) -> bool:
    published = PUBLISHED[name]
    assert dataset.name == name
    assert dataset.class_names == published.class_names
    for part, split in enumerate((dataset.train, dataset.test)):
        images, labels = draw(COUNTS[part], seed_of(name, part), len(published.class_names))
        upright = images.swapaxes(1, 2) if name.startswith("emnist") else images
        if not (np.array_equal(split.images, upright) and np.array_equal(split.labels, labels)):
            return False
    return True


def test_the_table_says_of_each_how_many_classes_and_which() -> None:
    classes = {name: len(published.class_names) for name, published in PUBLISHED.items()}
    assert classes == {
        **dict.fromkeys(("mnist", "fashion-mnist", "kmnist", "qmnist"), 10),
        "emnist-byclass": 62,
        "emnist-bymerge": 47,
        "emnist-balanced": 47,
        "emnist-letters": 26,
        "emnist-digits": 10,
        "emnist-mnist": 10,
    }
    assert all(len(set(each.class_names)) == len(each.class_names) for each in PUBLISHED.values())
    # The ASCII codes of NIST's own mapping files ascend.
    for name in ("byclass", "bymerge", "balanced"):
        names = PUBLISHED[f"emnist-{name}"].class_names
        assert names == tuple(sorted(names))
        assert names[:36] == tuple(string.digits + string.ascii_uppercase)
    assert PUBLISHED["emnist-balanced"].class_names[36:] == tuple("abdefghnqrt")
    for published in PUBLISHED.values():
        assert all(address.startswith("https://") for address in published.mirrors)
        assert all(address.endswith("/") for address in published.mirrors)
        hashed = [published.archive] if published.archive else published.files
        assert all(file and (file.sha256 or file.packed) for file in hashed)


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_is_found_by_its_name_and_verified(
    name: str, small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    files = small["emnist" if name in EMNIST else name]
    folder = write(tmp_path / name / "raw", files)
    for dataset in (load_dataset(name, tmp_path), load_dataset(name, folder)):
        assert is_right(dataset, name)
        assert dataset.notice is None


@pytest.mark.parametrize("name", PUBLISHED)
def test_unpacked_it_says_whether_it_could_be_verified(
    name: str, small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    folder = write(tmp_path / name, small[name], plain=True)
    for dataset in (load_dataset(name, folder), load_data(folder)):
        assert is_right(dataset, name)
        told = str(dataset.notice)
        assert ("is not verified: hashes are published for its" in told) == (
            name not in {"mnist", "fashion-mnist"}
        )


def test_what_torchvision_keeps_in_one_folder_is_told_apart(
    small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    folders = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist", "KMNIST": "kmnist"}
    folders |= {"QMNIST": "qmnist", "EMNIST": "emnist-letters"}
    for folder, name in folders.items():
        write(tmp_path / folder / "raw", small[name], plain=True)
    write(tmp_path / "EMNIST" / "raw", small["emnist-mnist"], plain=True)
    for name in [*folders.values(), "emnist-mnist"]:
        assert is_right(load_dataset(name, tmp_path), name)
    assert is_right(load_dataset("auto", tmp_path), "mnist")
    with pytest.raises(DataError, match="has no EMNIST digits files: it has"):
        load_dataset("emnist-digits", tmp_path)
    with pytest.raises(
        DataError, match=r"has different data sets, .*: name the folder or the file"
    ):
        load_data(tmp_path)


def test_content_counts_more_than_a_name(
    small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    folder = write(tmp_path / "kmnist", small["fashion-mnist"])
    assert is_right(load_dataset("fashion-mnist", folder), "fashion-mnist")
    assert is_right(load_data(folder), "fashion-mnist")
    with pytest.raises(DataError, match="has no KMNIST files: it has Fashion-MNIST as IDX in"):
        load_dataset("kmnist", folder)
    with pytest.raises(DataError, match="has no MNIST files: it has Fashion-MNIST as IDX in"):
        load_dataset("mnist", folder)
    auto = load_dataset("auto", folder)
    assert is_right(auto, "fashion-mnist")
    assert str(auto.notice).startswith("This is not MNIST but what ")


def test_wrong_labels_and_too_few_images_are_noticed_without_a_hash(
    small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    folder = write(tmp_path / "kmnist", small["kmnist"], plain=True)
    images, labels = draw(COUNTS[1], 1)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(labels + np.uint8(5)))
    with pytest.raises(DataError, match="its labels are 5 to 14 and not 0 to 9"):
        load_dataset("kmnist", folder)
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images[1:]))
    with pytest.raises(DataError, match="it has 61×28×28 numbers and not 62×28×28"):
        load_dataset("kmnist", folder)


def test_a_selection_from_emnist_is_set_upright_and_keeps_its_names(
    small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    images, labels = draw(40, 3, 4)
    path = tmp_path / "emnist-letters-train.csv"
    path.write_text(forms.table((images, labels + np.uint8(2)), names=None))
    dataset = load_data(path)
    assert dataset.class_names == ("b", "c", "d", "e")
    assert "are set upright" in str(dataset.notice)
    read = {image.tobytes() for split in (dataset.train, dataset.test) for image in split.images}
    assert read == {image.T.tobytes() for image in images}


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist", "qmnist", "emnist-letters"])
def test_each_is_downloaded_once_and_verified(
    name: str, small: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = PUBLISHED[name]
    stored = small["emnist" if name in EMNIST else name]
    files = {f"{file}{'' if file.endswith('.zip') else '.gz'}": stored[file] for file in stored}
    with Mirror(files, mirror.corrupt) as bad, Mirror(files) as good:
        both = dataclasses.replace(published, mirrors=(bad.address, good.address))
        monkeypatch.setitem(PUBLISHED, name, both)
        dataset = load_dataset(name)
    assert is_right(dataset, name)
    assert dataset.notice is None
    assert good.requests == [f"/{file}" for file in files]
    assert {path.name for path in cache_folder(published).iterdir()} == set(files)
    assert is_right(load_dataset(name), name)  # the servers are gone
    row = {entry.name: entry for entry in describe_datasets()}[name]
    assert (row.at_hand, row.found_as) == (True, "IDX")
    assert row.source == str(cache_folder(published))


@pytest.mark.usefixtures("small")
def test_without_a_network_the_advice_names_the_files() -> None:
    with pytest.raises(DownloadError, match=r"there is no network: fetch its archive gzip\.zip"):
        load_dataset("emnist-letters")
    with pytest.raises(
        DownloadError, match=r"QMNIST is not in the cache .*qmnist-train-labels-idx2"
    ):
        load_dataset("qmnist")


def test_the_description_says_in_what_format_each_was_found(
    small: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    write(tmp_path / "kmnist", small["kmnist"])
    forms.npz(tmp_path, draw(60), draw(20, 1))
    (tmp_path / "mnist.npz").rename(tmp_path / "mine.npz")
    rows = {entry.name: entry for entry in describe_datasets(tmp_path)}
    assert (rows["kmnist"].found_as, rows["kmnist"].at_hand) == ("IDX", True)
    assert rows["kmnist"].source == str(tmp_path / "kmnist")
    assert (rows["mine"].found_as, rows["mine"].source) == ("npz", str(tmp_path / "mine.npz"))
    assert (rows["qmnist"].found_as, rows["qmnist"].at_hand) == (None, False)
