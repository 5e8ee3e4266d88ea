"""Valid files of all kinds that are fuzzed, and the runs that they come from."""

import dataclasses
import functools
import gzip
import io
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pyarrow
import pyarrow.parquet
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import inkwise
from inkwise.data.idx import idx_bytes
from inkwise.data.label_corrections import Decision, hash_image, write_decisions
from inkwise.networks.layers import Activation, Conv, Dense, Flatten, MaxPool
from inkwise.training.recipe_files import to_toml


def draw(seed: int, side: int = 28) -> NDArray[np.uint8]:
    """Draw a ring, or a bar: something like a 0, or a 1."""
    rows, columns = np.mgrid[:side, :side] - side / 2 + 0.5
    radius = np.hypot(rows, columns * 1.3) if seed % 2 else np.abs(columns) + side / 4
    ink = np.abs(radius - side / 4 - seed % 3) < side / 14
    if not seed % 2:
        ink &= np.abs(rows) < side / 3
    return np.where(ink, np.uint8(255), np.uint8(0))


def pictures(format_: str, *modes: str, several: bool = False, **options: Any) -> Any:
    """Return a maker of pictures in a format, in some modes, also of several frames."""

    def seeds(_: Path) -> list[bytes]:
        if format_ == "HEIF":
            pillow_heif.register_heif_opener()
        made = []
        for place, mode in enumerate(modes):
            frames = [Image.fromarray(255 - draw(n + place, 40)).convert(mode) for n in range(3)]
            more = {"save_all": True, "append_images": frames[1:]}
            for choice in ({}, more) if several else ({},):
                stream = io.BytesIO()
                frames[0].save(stream, format_, **{**options, **choice})
                made.append(stream.getvalue())
        return made

    return seeds


def compressed_tiffs(folder: Path) -> list[bytes]:
    """Return TIFFs of each compression."""
    made = pictures("TIFF", "1", "L", "RGB", "RGBA", "P", "I;16", "F", several=True)(folder)
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg", "tiff_adobe_deflate"):
        made += pictures("TIFF", "L", "RGB", compression=compression)(folder)
    return [*made, *pictures("TIFF", "1", compression="group4")(folder)]


XPM = b"""/* XPM */
static char *a[] = {
"6 4 2 1",
"  c #FFFFFF",
". c #000000",
"  ..  ",
" .  . ",
" .  . ",
"  ..  "};
"""
SUN = b"\x59\xa6\x6a\x95" + np.array([8, 8, 8, 64, 1, 0, 0], ">u4").tobytes() + bytes(range(64))
LABELS = np.arange(24) % 3
IMAGES = np.stack([draw(n, 8) for n in range(24)])


def table(delimiter: str = ",") -> str:
    """Return a table of pixels with labels."""
    head = ["label", *(f"pixel{n}" for n in range(64))]
    rows = [
        [str(label), *map(str, image.ravel())] for label, image in zip(LABELS, IMAGES, strict=True)
    ]
    return "".join(delimiter.join(row) + "\n" for row in [head, *rows])


def arff(_: Path) -> list[bytes]:
    """Return ARFF tables."""
    head = ["% a comment", "@RELATION small", *(f"@ATTRIBUTE pixel{n} real" for n in range(64))]
    head += ["@ATTRIBUTE class {0,1,2}", "@DATA"]
    rows = [
        ",".join([*map(str, image.ravel()), str(label)])
        for label, image in zip(LABELS, IMAGES, strict=True)
    ]
    return ["\n".join([*head, *rows]).encode()]


def npz(_: Path) -> list[bytes]:
    """Return archives of arrays as Keras has them."""
    made = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:6], y_test=LABELS[:6])
        made.append(stream.getvalue())
    return made


def parquet(_: Path) -> list[bytes]:
    """Return Parquet files, of pixels and of pictures."""
    pixels = {f"pixel{n}": column for n, column in enumerate(IMAGES.reshape(24, -1).T)}
    cells = []
    for image in IMAGES:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "PNG")
        cells.append({"bytes": stream.getvalue(), "path": "a.png"})
    features = json.dumps({"info": {"features": {"label": {"names": ["a", "b", "c"]}}}})
    made = []
    for columns in ({**pixels, "label": LABELS}, {"image": cells, "label": LABELS}):
        rows = pyarrow.table(columns).replace_schema_metadata({"huggingface": features})
        for compression in ("snappy", "gzip", "zstd", "none"):
            sink = pyarrow.BufferOutputStream()
            pyarrow.parquet.write_table(rows, sink, compression=compression)
            made.append(sink.getvalue().to_pybytes())
    return made


IDX = {
    "train-images-idx3-ubyte": idx_bytes(IMAGES),
    "train-labels-idx1-ubyte": idx_bytes(LABELS.astype(np.uint8)),
}


def zipped(_: Path) -> list[bytes]:
    """Return ZIP archives with IDX files, compressed or not, and with a table."""
    packed = {f"a/{name}.gz": gzip.compress(content) for name, content in IDX.items()}
    made = []
    for members in (IDX, packed, {"small.csv": table().encode()}):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        made.append(stream.getvalue())
    return made


def decisions(folder: Path) -> list[bytes]:
    """Return a file of label decisions about optdigits."""
    train = digits().train
    rows = [
        Decision("train", n, str(label), str((label + 1) % 10), decision, hash_image(image))
        for n, (image, label, decision) in enumerate(
            zip(train.images, train.labels, ("accept", "reject", "") * 3, strict=False)
        )
    ]
    return [write_decisions(folder / "decisions.csv", rows).read_bytes()]


@functools.cache
def digits() -> inkwise.Dataset:
    """Return optdigits, the data of the runs."""
    return inkwise.load_dataset("optdigits")


def make_run(folder: Path) -> None:
    """Train small runs, and write all that commands read of them."""
    run = inkwise.train("case-study", dataset="optdigits", epochs=2, output=folder / "run")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    inkwise.train(
        "case-study", dataset="optdigits", epochs=2, output=folder / "stopped", on_epoch=stop
    )
    inkwise.measure_robustness(run, images=30)
    inkwise.explain(run, draw(1))
    Image.fromarray(255 - draw(1)).save(folder / "digit.png")
    for format_ in ("keras", "h5"):
        inkwise.export_model(run.path, format_, folder / f"model.{format_}")


def prepare(scratch: Path, folder: Path) -> None:
    """Copy the runs into the folder of a worker."""
    for name in ("run", "stopped"):
        shutil.copytree(folder / name, scratch / name)


def of_run(name: str, run: str = "run") -> Callable[[Path], Sequence[bytes]]:
    """Return a maker of a file of a run."""
    return lambda folder: [(folder / run / name).read_bytes()]


class Skipping(nn.Module):
    """A network of another program, with a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 3, 3, 2, 1), nn.BatchNorm2d(3), nn.SiLU())
        self.block = nn.Conv2d(3, 3, 3, padding=1)
        self.end = nn.Linear(3 * 14 * 14, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        stem = self.stem(images)
        logits: torch.Tensor = self.end(torch.relu(stem + self.block(stem)).flatten(1))
        return logits


LAYERS = Conv(3, 3), Activation("relu"), MaxPool(2), Flatten(), Dense()
"""The network that the state dictionaries are for."""


def their_modules() -> tuple[nn.Module, nn.Module]:
    """Return a network that is a chain of `LAYERS`, and one with a skip."""
    torch.manual_seed(0)
    chain = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3 * 13 * 13, 10)
    )
    return chain.eval(), Skipping().eval()


def their_onnx(_: Path) -> list[bytes]:
    """Return ONNX files as PyTorch writes them."""
    made = []
    for module in their_modules():
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
            path = Path(folder, "their.onnx")
            torch.onnx.export(module, (torch.zeros(1, 1, 28, 28),), path, dynamo=False)
            made.append(path.read_bytes())
    return made


def state_dictionaries(_: Path) -> list[bytes]:
    """Return state dictionaries in both formats of PyTorch, alone and within a checkpoint."""
    state = their_modules()[0].state_dict()
    made = []
    for content in (state, {"epoch": 3, "state_dict": state}):
        for as_zip in (True, False):
            stream = io.BytesIO()
            torch.save(content, stream, _use_new_zipfile_serialization=as_zip)
            made.append(stream.getvalue())
    return made


def recipes(_: Path) -> list[bytes]:
    """Return recipes as `inkwise recipe` writes them, of a named network and of layers."""
    chosen = [inkwise.get_recipe(name) for name in ("case-study", "swift", "precise", "ensemble")]
    chosen.append(dataclasses.replace(chosen[0], network=LAYERS))
    return [to_toml(recipe).encode() for recipe in chosen]
