"""The published data sets that are known by name: MNIST and its kin, all stored as MNIST is."""

import dataclasses
import hashlib
import re
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Dataset, Split
from inkwise.data.formats import Contents, Find, Part, PartName, Role, idx_piece
from inkwise.data.idx import idx_bytes
from inkwise.errors import DataError
from inkwise.system.files import storage

SIDE = 28
"""Height and width of every image of these data sets."""


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file of a data set, and what is known of its content.

    Parameters
    ----------
    name : str
        Its usual name, without ``.gz``.
    sha256 : str or None
        SHA-256 of the file, decompressed, because mirrors compress differently. None if nobody has
        published it; then the file as it is published, compressed, is verified by `packed`.
    packed : str or None
        Algorithm and hash of the compressed file, as in ``md5:0058…``.
    """

    name: str
    sha256: str | None = None
    packed: str | None = None


@dataclasses.dataclass(frozen=True)
class Published:
    """A published data set.

    Parameters
    ----------
    name : str
        Its name in the catalogue.
    title : str
        Its name for people.
    what : str
        Kind of its images.
    class_names : tuple of str
    counts : (int, int)
        Number of its training and its test images.
    mirrors : tuple of str
        Addresses that it is downloaded from, in the order of preference, each ending in a slash.
    files : tuple of PublishedFile
        Training images, training labels, test images, test labels.
    called : str
        Pattern of its name in names of files and folders.
    archive : PublishedFile or None
        The archive that its files come in, where they are not published one by one.
    first_label : int
        What the first class is numbered.
    transposed : bool
        Whether rows and columns of the stored images are swapped.
    """

    name: str
    title: str
    what: str
    class_names: tuple[str, ...]
    counts: tuple[int, int]
    mirrors: tuple[str, ...]
    files: tuple[PublishedFile, PublishedFile, PublishedFile, PublishedFile]
    called: str
    archive: PublishedFile | None = None
    first_label: int = 0
    transposed: bool = False

    @property
    def hashes_known(self) -> bool:
        """Whether the content of every file can be verified, however it is stored."""
        return all(file.sha256 for file in self.files)

    @property
    def description(self) -> str:
        """What the data set is, for a list."""
        train, test = self.counts
        return (
            f"{train + test:,} {self.what}, {SIDE}×{SIDE}; {train:,} to train on, {test:,} to "
            "test on"
        )


_DIGITS = tuple(string.digits)
_BOTH_CASES = (*_DIGITS, *string.ascii_uppercase, *string.ascii_lowercase)
# Letters whose small form looks like the capital one are one class.
_MERGED = (*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt")


def _files(*hashes: str | None, packed: Sequence[str | None] = (None,) * 4) -> Any:
    """Return the four files under MNIST's names."""
    names = (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
    return tuple(map(PublishedFile, names, hashes or (None,) * 4, packed))


def _emnist(
    split: str, what: str, class_names: Sequence[str], train: int, test: int, first_label: int = 0
) -> Published:
    return Published(
        name=f"emnist-{split}",
        title=f"EMNIST {split}",
        what=what,
        class_names=tuple(class_names),
        counts=(train, test),
        mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/",),
        # Published for the archive only, and copied from TensorFlow Datasets: not confirmed here.
        files=(
            PublishedFile(f"emnist-{split}-train-images-idx3-ubyte"),
            PublishedFile(f"emnist-{split}-train-labels-idx1-ubyte"),
            PublishedFile(f"emnist-{split}-test-images-idx3-ubyte"),
            PublishedFile(f"emnist-{split}-test-labels-idx1-ubyte"),
        ),
        called=f"emnist[-_. ]?{split}",
        archive=PublishedFile(
            "gzip.zip",
            packed="sha256:fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        ),
        first_label=first_label,
        transposed=True,
    )


PUBLISHED = {
    published.name: published
    for published in (
        Published(
            name="mnist",
            title="MNIST",
            what="handwritten digits",
            class_names=_DIGITS,
            counts=(60_000, 10_000),
            mirrors=(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            files=_files(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            called=r"(?<![a-z])mnist(?![a-z])",
        ),
        Published(
            name="fashion-mnist",
            title="Fashion-MNIST",
            what="pictures of clothes, shoes and bags",
            class_names=(
                *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
                *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            ),
            counts=(60_000, 10_000),
            mirrors=(
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            ),
            # Of the files in Debian's package dataset-fashion-mnist.
            files=_files(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            called="fashion",
        ),
        Published(
            name="kmnist",
            title="KMNIST",
            what="cursive Japanese characters",
            class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            counts=(60_000, 10_000),
            mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            # Published for the compressed files only, and copied from TensorFlow Datasets: not
            # confirmed here.
            files=_files(
                packed=(
                    "sha256:51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                    "sha256:e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                    "sha256:edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                    "sha256:20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                )
            ),
            called="kmnist|kuzushiji[-_. ]?mnist",
        ),
        Published(
            name="qmnist",
            title="QMNIST",
            what="handwritten digits, MNIST made anew with all of its test images",
            class_names=_DIGITS,
            counts=(60_000, 60_000),
            mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
            # Published for the compressed files only, and copied from torchvision: not confirmed
            # here.
            files=(
                PublishedFile(
                    "qmnist-train-images-idx3-ubyte",
                    packed="md5:ed72d4157d28c017586c42bc6afe6370",
                ),
                PublishedFile(
                    "qmnist-train-labels-idx2-int",
                    packed="md5:0058f8dd561b90ffdd0f734c6a30e5e4",
                ),
                PublishedFile(
                    "qmnist-test-images-idx3-ubyte",
                    packed="md5:1394631089c404de565df7b7aeaf9412",
                ),
                PublishedFile(
                    "qmnist-test-labels-idx2-int",
                    packed="md5:5b5b05890a5e13444e108efe57b788aa",
                ),
            ),
            called="qmnist",
        ),
        _emnist("byclass", "handwritten digits and letters", _BOTH_CASES, 697_932, 116_323),
        _emnist(
            "bymerge",
            "handwritten digits and letters, alike cases merged",
            _MERGED,
            697_932,
            116_323,
        ),
        _emnist(
            "balanced",
            "handwritten digits and letters, alike cases merged, as many of each",
            _MERGED,
            112_800,
            18_800,
        ),
        _emnist(
            "letters",
            "handwritten letters, both cases merged",
            tuple(string.ascii_lowercase),
            124_800,
            20_800,
            first_label=1,
        ),
        _emnist("digits", "handwritten digits", _DIGITS, 240_000, 40_000),
        _emnist("mnist", "handwritten digits, as many as MNIST's", _DIGITS, 60_000, 10_000),
    )
}
"""The published data sets by their names."""

DATASET_NAMES = ("auto", *PUBLISHED, "optdigits")
"""The names of the catalogue."""

_PIECES: tuple[tuple[PartName, Role], ...] = (
    ("train", "images"),
    ("train", "labels"),
    ("test", "images"),
    ("test", "labels"),
)


def identify(find: Find) -> Published | None:
    """Say which published data set was found, by its labels, or else by what it is called."""
    return _by_content(find) or _by_name(find)


def choose(published: Published, finds: Sequence[Find]) -> list[Find]:
    """Return what was found of a data set.

    That is what has its labels, or else its name, or else no name of another. Where its content
    can be verified, one find is enough.
    """
    for fits in (
        [find for find in finds if _by_content(find) is published],
        [find for find in finds if identify(find) is published],
        [find for find in finds if identify(find) is None],
    ):
        if fits:
            return fits[:1] if published.hashes_known and _by_content(fits[0]) else fits
    return []


def _by_content(find: Find) -> Published | None:
    digests = {_sha256(labels) for labels in find.labels}
    for published in PUBLISHED.values():
        # All of them, because QMNIST's training labels are MNIST's.
        if digests and digests <= {published.files[1].sha256, published.files[3].sha256}:
            return published
    return None


def _by_name(find: Find) -> Published | None:
    for name in find.names:
        # EMNIST's mnist first, and MNIST last: its name is part of the others'.
        for published in reversed(PUBLISHED.values()):
            if re.search(published.called, name, re.IGNORECASE):
                return published
    return None


def is_called_mnist(find: Find) -> bool:
    """Tell whether what was found must be MNIST: by its labels, or by the names of IDX files."""
    published = identify(find)
    names = {file.name for files in find.files.values() for file in files}
    usual = {file.name.replace(".idx", "-idx") for file in PUBLISHED["mnist"].files}
    as_usual = {name.replace(".idx", "-idx") for name in names} <= usual
    if published is None:
        return as_usual
    return published.name == "mnist" and (as_usual or _by_content(find) is published)


def missing_files(published: Published, find: Find) -> list[PublishedFile]:
    """Return the files of a data set that are stored one by one and are not all there."""
    if all(role == "both" for _, role in find.files):
        return []
    return [
        file
        for piece, file in zip(_PIECES, published.files, strict=True)
        if piece not in find.files
    ]


def check_piece(published: Published, place: int, array: NDArray[Any], where: str) -> None:
    """Make sure that an array is one of a data set's four.

    Parameters
    ----------
    published : Published
    place : int
        Which file of the data set it is from.
    array : ndarray
        The array as it is stored; of labels, the classes.
    where : str
        The file that it was read from, for the message.

    Raises
    ------
    DataError
        The shape differs, or the SHA-256 or, where that is not known, the range of the labels.
    """
    file, (part, role) = published.files[place], _PIECES[place]
    told = f"{where} is not {published.title}'s {file.name}"
    count = published.counts[part == "test"]
    expected = (count, SIDE, SIDE) if role == "images" else (count,)
    if array.shape != expected:
        shown = ["×".join(f"{size:,}" for size in shape) for shape in (array.shape, expected)]
        raise DataError(f"{told}: it has {shown[0]} numbers and not {shown[1]}")
    if file.sha256 is not None:
        if _sha256(array) != file.sha256:
            raise DataError(f"{told}: its SHA-256 differs")
    elif role == "labels":
        low, high = int(array.min()), int(array.max())
        first, last = published.first_label, published.first_label + len(published.class_names) - 1
        if low < first or high > last:
            raise DataError(f"{told}: its labels are {low} to {high} and not {first} to {last}")


def check_packed(file: PublishedFile, path: Path) -> None:
    """Make sure that a file is as it was published, compressed, where its hash is known.

    Raises
    ------
    DataError
        The hash differs.
    StorageError
        The file cannot be read.
    """
    if file.packed is None:
        return
    algorithm, digest = file.packed.split(":")
    with storage(path, "read"), path.open("rb") as content:
        if hashlib.file_digest(content, algorithm).hexdigest() != digest:
            raise DataError(f"{path} is not as published: its {algorithm.upper()} differs")


def read_published(published: Published, find: Find) -> Dataset:
    """Read a data set that was found and should be a published one; see `as_published`.

    Raises
    ------
    DataError
        A file is missing, damaged, or not the data set's.
    LibraryError, StorageError
        It cannot be read.
    """
    if missing := missing_files(published, find):
        for files in find.files.values():  # what is damaged is told first
            idx_piece(files[0])
        raise DataError(
            f"{find.where} has no {missing[0].name} (nor {missing[0].name}.gz): add it to the "
            f"other {published.title} files"
        )
    return as_published(published, find, find.read())


def as_published(published: Published, find: Find, contents: Contents) -> Dataset:
    """Return a published data set, once its contents are verified.

    Parameters
    ----------
    published : Published
        The data set that it should be.
    find : Find
        What was found.
    contents : Contents
        What it holds.

    Returns
    -------
    Dataset
        Its notice says so where no hash is known by which it could be verified.

    Raises
    ------
    DataError
        The contents are not the data set's.
    """
    train, test = _two_parts(published, contents, find)
    arrays: list[tuple[NDArray[Any], str]] = []
    for part in (train, test):
        if part.labels is None:
            raise DataError(
                f"{part.images_from} has no labels, and so this is not {published.title} as "
                "published: --data reads what has labels as a data set of your own"
            )
        arrays += [(part.images, part.images_from), (part.labels, part.labels_from)]
    for place, (array, where) in enumerate(arrays):
        check_piece(published, place, array, where)
    notices = [*contents.notices, *_unverified(published, find)]
    return as_dataset(published, [array for array, _ in arrays], find.source, notices)


def as_dataset(
    published: Published,
    arrays: Sequence[NDArray[Any]],
    where: Path,
    notices: Sequence[str] = (),
) -> Dataset:
    """Return the data set whose four arrays are stored like this."""
    images, labels, test_images, test_labels = arrays
    return Dataset(
        name=published.name,
        title=f"{published.title}, {sum(published.counts):,} {published.what} of {SIDE}×{SIDE}",
        class_names=published.class_names,
        train=_set_right(published, Split(images, labels.astype(np.int64, copy=False))),
        test=_set_right(published, Split(test_images, test_labels.astype(np.int64, copy=False))),
        source=str(where.resolve()),
        notice=" ".join(notices) or None,
    )


def _set_right(published: Published, split: Split) -> Split:
    """Return stored images upright, and their labels from 0."""
    images = split.images
    if published.transposed:
        images = np.ascontiguousarray(images.swapaxes(1, 2))
    return Split(images, split.labels - published.first_label)


def _two_parts(published: Published, contents: Contents, find: Find) -> tuple[Part, Part]:
    """Return the two parts; images in one table are the training images and then the others."""
    parts = contents.parts
    if {"train", "test"} == {*parts}:
        return parts["train"], parts["test"]
    count = published.counts[0]
    whole = parts.get("whole")
    if whole is None or len(whole.images) != sum(published.counts):
        find.passed_over()  # says so if a part is missing because it is damaged
        found = sum(len(part.images) for part in parts.values())
        raise DataError(
            f"{find.where} is not {published.title} as published, which has "
            f"{sum(published.counts):,} images in two parts: it has {found:,}; --data reads it as "
            "a data set of your own"
        )
    labels = whole.labels
    halves = [
        whole._replace(images=whole.images[half], labels=None if labels is None else labels[half])
        for half in (slice(None, count), slice(count, None))
    ]
    return halves[0], halves[1]


def _unverified(published: Published, find: Find) -> list[str]:
    """Return a notice if the content's hash is not known and the files are not as published."""
    if published.hashes_known:
        return []
    told = (
        f"{published.title} from {find.where} is not verified: hashes are published for its "
        "compressed files only, and these are others. Their shapes and the range of the labels are "
        "right."
    )
    stored = [files[0] for files in find.files.values()]
    pairs = [
        (file, find.files[piece][0])
        for piece, file in zip(_PIECES, published.files, strict=True)
        if piece in find.files
    ]
    try:
        if published.archive and stored[0].member:
            check_packed(published.archive, stored[0].path)
            return []
        if not published.archive and pairs and not any(each.member for _, each in pairs):
            for file, each in pairs:
                check_packed(file, each.path)
            return []
    except DataError:
        pass  # the same content can be compressed in other ways
    return [told]


def _sha256(array: NDArray[Any]) -> str:
    """Return the SHA-256 of the IDX file of an array of images or of labels below 256."""
    if array.size and (array.min() < 0 or array.max() > 255):
        return ""
    # `read_idx` accepts no bytes after the array, so these are the bytes of the decompressed file.
    return hashlib.sha256(idx_bytes(array.astype(np.uint8, copy=False))).hexdigest()
