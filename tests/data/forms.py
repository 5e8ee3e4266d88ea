"""Images and labels, written in every form that people have them in."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray
from PIL import Image

from inkwise.data.idx import idx_bytes, write_idx

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]
Part = tuple[Images, Labels]
Write = Callable[[Path, Part, Part], object]

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def draw(count: int, seed: int = 0, classes: int = 10, side: int = 28) -> Part:
    """Draw noise in the middle of images whose border is black, and labels of all classes."""
    random = np.random.default_rng(seed)
    images = np.zeros((count, side, side), np.uint8)
    inner = (count, side - 2, side - 2)
    images[:, 1:-1, 1:-1] = random.integers(0, 256, inner, dtype=np.uint8)
    labels = random.permutation(np.arange(count) % classes)
    return images, labels.astype(np.uint8)


def idx(folder: Path, train: Part, test: Part, names: Sequence[str] = NAMES) -> None:
    for name, array in zip(names, (*train, *test), strict=True):
        write_idx(folder / name, array)


def zipped_idx(folder: Path, train: Part, test: Part) -> None:
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for name, array in zip(NAMES, (*train, *test), strict=True):
            archive.writestr(f"gzip/{name}.gz", gzip.compress(idx_bytes(array)))
        archive.writestr("__MACOSX/._train-images-idx3-ubyte", b"nothing")


def npz(folder: Path, train: Part, test: Part) -> None:
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test), strict=True))
    np.savez_compressed(folder / "mnist.npz", **arrays)  # type: ignore[arg-type]


def numbered(count: int) -> list[str]:
    return [f"pixel{place}" for place in range(count)]


def by_place(count: int) -> list[str]:
    side = int(count**0.5)
    return [f"{row}x{column}" for row in range(1, side + 1) for column in range(1, side + 1)]


def table(
    part: Part,
    *,
    names: Callable[[int], list[str]] | None = numbered,
    label_at: int | None = 0,
    delimiter: str = ",",
) -> str:
    """Write a table, with the labels' column at a place, or without labels."""
    images, labels = part
    columns = list(images.reshape(len(images), -1).T.astype(str))
    header = (names or numbered)(len(columns))
    if label_at is not None:
        place = len(columns) if label_at < 0 else label_at
        columns.insert(place, labels.astype(str))
        header.insert(place, "label")
    rows = [delimiter.join(row) for row in zip(*columns, strict=True)]
    return "\n".join([delimiter.join(header)] * (names is not None) + rows) + "\n"


def kaggle(folder: Path, train: Part, test: Part) -> None:
    (folder / "train.csv").write_text(table(train))
    (folder / "test.csv").write_text(table(test))


def pjreddie(folder: Path, train: Part, test: Part) -> None:
    (folder / "mnist_train.csv").write_text(table(train, names=None))
    (folder / "mnist_test.csv").write_text(table(test, names=None))


def zipped_each(folder: Path, train: Part, test: Part) -> None:
    for name, part in (("mnist_train.csv", train), ("mnist_test.csv", test)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, table(part, names=by_place))


def spreadsheet(folder: Path, train: Part, test: Part) -> None:
    for name, part in (("train.csv", train), ("test.csv", test)):
        text = "sep=;\n" + table(part, delimiter=";", label_at=300)
        (folder / name).write_text(text, encoding="utf-16", newline="\r\n")


def tabs(folder: Path, train: Part, test: Part) -> None:
    for name, part in (("train.tsv.gz", train), ("test.tsv.gz", test)):
        text = table(part, names=None, delimiter="\t", label_at=-1)
        (folder / name).write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))


def joined(train: Part, test: Part) -> Part:
    return np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])


def arff(folder: Path, train: Part, test: Part) -> None:
    count = train[0][0].size
    classes = ",".join(map(str, np.unique(train[1])))
    head = [
        "% OpenML's MNIST",
        "@RELATION mnist_784",
        "",
        *(f"@ATTRIBUTE pixel{place + 1} real" for place in range(count)),
        f"@ATTRIBUTE class {{{classes}}}",
        "@DATA",
    ]
    rows = table(joined(train, test), names=None, label_at=-1)
    (folder / "mnist_784.arff").write_text("\n".join([*head, rows]))


def openml(folder: Path, train: Part, test: Part) -> None:
    images, labels = joined(train, test)
    columns: dict[str, object] = {
        f"pixel{place + 1}": column
        for place, column in enumerate(images.reshape(len(images), -1).T)
    }
    columns["class"] = pyarrow.array(labels.astype(str)).dictionary_encode()
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "dataset_554.pq")


def png(image: Images) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def pictures(part: Part, names: Sequence[str] | None = None) -> "pyarrow.Table":
    """Return a table as Hugging Face's ``datasets`` writes it."""
    images, labels = part
    cells = [{"bytes": png(image), "path": f"{place}.png"} for place, image in enumerate(images)]
    rows = pyarrow.table({"image": cells, "label": pyarrow.array(labels, pyarrow.int64())})
    if names is None:
        return rows
    features = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    return rows.replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )


def hugging_face(folder: Path, train: Part, test: Part) -> None:
    inner = folder / "mnist"
    inner.mkdir()
    (images, labels), half = train, len(train[0]) // 2
    for shard, part in enumerate(((images[:half], labels[:half]), (images[half:], labels[half:]))):
        path = inner / f"train-0000{shard}-of-00002.parquet"
        pyarrow.parquet.write_table(pictures(part), path)
    pyarrow.parquet.write_table(pictures(test), inner / "test-00000-of-00001.parquet")


def torchvision(folder: Path, train: Part, test: Part) -> None:
    for suffix in ("", ".gz"):  # it keeps what it has unpacked
        idx(folder / "MNIST" / "raw", train, test, [f"{name}{suffix}" for name in NAMES])


FORMS: dict[str, Write] = {
    "IDX": idx,
    "IDX, the other spelling": lambda folder, train, test: idx(
        folder, train, test, [name.replace("-idx", ".idx") for name in NAMES]
    ),
    "IDX in gzip, with a prefix": lambda folder, train, test: idx(
        folder, train, test, [f"mnist-{name.replace('t10k', 'test')}.gz" for name in NAMES]
    ),
    "torchvision": torchvision,
    "IDX in a ZIP archive": zipped_idx,
    "npz": npz,
    "Kaggle": kaggle,
    "pjreddie": pjreddie,
    "a ZIP archive each": zipped_each,
    "a spreadsheet's": spreadsheet,
    "tabs": tabs,
    "ARFF": arff,
    "Parquet by pixels": openml,
    "Parquet of pictures": hugging_face,
}
"""Ways to write a data set into a folder."""
