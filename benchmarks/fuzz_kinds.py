"""Kinds of files that are fuzzed: valid ones, how to damage them, and how commands read them."""

import contextlib
import dataclasses
import functools
import gzip
import hashlib
import io
import itertools
import json
import random
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pillow_heif
import pyarrow
import pyarrow.parquet
import safetensors.numpy
import torch
from damage import (
    Change,
    change_bytes,
    change_idx,
    change_json,
    change_npy,
    change_onnx,
    change_png,
    change_safetensors,
    change_text,
    change_tiff,
    within_gzip,
    within_zip,
)
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import inkwise
from inkwise.cli.info import info
from inkwise.data.idx import idx_bytes
from inkwise.data.label_corrections import Decision, LabelCorrections, hash_image, write_decisions
from inkwise.errors import InkwiseError
from inkwise.evaluation import intervals
from inkwise.explanation.neighbours import Neighbours
from inkwise.ink import image_files
from inkwise.ink.sources import find_sources_of
from inkwise.networks.as_torch import build
from inkwise.networks.layers import Activation, Conv, Dense, Flatten, MaxPool
from inkwise.report import html
from inkwise.report.notebook import write_notebook
from inkwise.runs.directory import Run
from inkwise.training.loop import Training
from inkwise.training.recipe_files import read_recipe, to_toml


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file: valid ones, how to damage them, and how commands read them.

    Parameters
    ----------
    seeds : callable
        Returns valid files from a folder that has a run.
    read : callable
        Reads a file as a command does; gets its path.
    changes : sequence of callables
        Changes that know the format.
    name : str
        The file's name, by which some readers tell its format.
    seldom : callable, optional
        What else reads it and takes long: done with each fiftieth file.
    """

    seeds: Callable[[Path], Sequence[bytes]]
    read: Callable[[Path], object]
    changes: Sequence[Change] = ()
    name: str = "file"
    seldom: Callable[[Path], object] | None = None


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


def read_pictures(path: Path) -> None:
    """Read each picture of a file as `inkwise predict` does before the network."""
    for source in find_sources_of(path, path.name)[:4]:
        if isinstance(source.picture, InkwiseError):
            continue
        with contextlib.suppress(inkwise.errors.NoInkError):
            inkwise.ink.normalise(source.picture)


def read_small_pages(path: Path) -> None:
    """Read the pages of a PDF, drawn a sixteenth as large as `inkwise predict` draws them.

    Nearly all time goes into the pixels of a page, and what is damaged is the PDF.
    """
    with mock.patch.object(image_files, "_PDF_SIDE", 400):
        read_pictures(path)


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


def read_data(path: Path) -> None:
    """Read a data set as the option ``--data`` does."""
    inkwise.load_data(path)


def read_idx_folder(path: Path) -> None:
    """Read a folder with this file of images, or of labels, beside three that are whole.

    Raises
    ------
    InkwiseError
        It is read neither as images nor as labels, neither as data of one's own nor as MNIST.
    """
    refused: list[InkwiseError] = []
    readers: tuple[Callable[[str], object], ...] = (inkwise.load_data, _load_mnist)
    for name, read in itertools.product(IDX, readers):
        with tempfile.TemporaryDirectory() as folder:
            for other, content in IDX.items():
                Path(folder, other).write_bytes(path.read_bytes() if other == name else content)
                Path(folder, other.replace("train", "t10k")).write_bytes(content)
            try:
                read(folder)
            except InkwiseError as error:
                refused.append(error)
    if len(refused) == 2 * len(IDX):
        raise refused[0]


def _load_mnist(folder: str) -> inkwise.Dataset:
    return inkwise.load_dataset("auto", folder)


def decisions(folder: Path) -> list[bytes]:
    """Return a file of label decisions about optdigits."""
    digits = _digits().train
    rows = [
        Decision("train", n, str(label), str((label + 1) % 10), decision, hash_image(image))
        for n, (image, label, decision) in enumerate(
            zip(digits.images, digits.labels, ("accept", "reject", "") * 3, strict=False)
        )
    ]
    return [write_decisions(folder / "decisions.csv", rows).read_bytes()]


@functools.cache
def _digits() -> inkwise.Dataset:
    return inkwise.load_dataset("optdigits")


def read_decisions(path: Path) -> None:
    """Read label decisions as the option ``--labels`` does."""
    LabelCorrections.read(path).apply(_digits())


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


def read_run(path: Path) -> None:
    """Read what `info` shows of a run, and all else."""
    with mock.patch.object(intervals, "RESAMPLES", 20):  # of figures, whose files are read before
        info(_run_around(path))
    read_rest(path)


def read_rest(path: Path) -> None:
    """Read a run's files, the way that `report` and `evaluate` do."""
    run = Run(_run_around(path))
    evaluation = run.evaluation
    _ = run.status, run.history, run.pictures, run.corrections, run.robustness, run.metrics
    _ = run.slices(evaluation), run.has_seen(IMAGES)


def _run_around(path: Path) -> Path:
    return next(parent for parent in path.parents if (parent / "recipe.json").exists())


def write_report(path: Path) -> None:
    """Write the report and the notebook of a run, whose figures are there already."""
    place = _run_around(path)
    with (
        mock.patch.object(html, "SecondProcess"),
        mock.patch.object(html, "draw_evaluation"),
    ):
        html.write_report(place)
        write_notebook(place)


def read_checkpoint(path: Path) -> None:
    """Restore a training from a checkpoint, as `inkwise resume` does."""
    run = Run(path.parent)
    state = run.load_checkpoint()
    few = _digits().train.take(np.arange(run.record["splits"]["train"]))
    network = run.recipe.describe_network(_digits().image_size, 10)
    training = Training(build(network), few, few, run.recipe)
    training.restore({name: torch.from_numpy(value) for name, value in state.items()})


def read_onnx(path: Path) -> None:
    """Read a model from an ONNX file alone, and predict."""
    inkwise.Model.from_onnx(path.read_bytes()).predict_proba(_digits().test.images[:2])


def read_model(path: Path) -> None:
    """Load the model of a folder, and predict."""
    inkwise.Model.load(path.parent).predict_proba(_digits().test.images[:2])


def sign(generator: random.Random, content: bytes) -> bytes:
    """Change a description of a model as `change_json` does; its hashes are made to agree."""
    return b"signed" + change_json(generator, content.removeprefix(b"signed"))


def read_signed(path: Path) -> None:
    """Load a model whose description a forger has changed."""
    content = path.read_bytes()
    if content.startswith(b"signed"):
        document = None
        with contextlib.suppress(ValueError):
            document = json.loads(content.removeprefix(b"signed"))
        if isinstance(document, dict):
            document.pop("weights_sha256", None)
            weights = path.with_name("weights.safetensors")
            old = weights.read_bytes()
            canonical = json.dumps(document, sort_keys=True, ensure_ascii=False).encode(
                "utf-8", "backslashreplace"
            )
            raw = safetensors.numpy.save(
                safetensors.numpy.load(old),
                {"model_json_sha256": hashlib.sha256(canonical).hexdigest()},
            )
            document["weights_sha256"] = hashlib.sha256(raw).hexdigest()
            path.write_text(json.dumps(document))
            weights.write_bytes(raw)
            try:
                read_model(path)
            finally:
                weights.write_bytes(old)
            return
    read_model(path)


def read_neighbours(path: Path) -> None:
    """Find the nearest images among those that a run keeps."""
    model, near = _model(path.parent), Neighbours.load(path)
    if near.belong_to(model):
        near.nearest(model, _digits().test.images[0])


@functools.cache
def _model(run: Path) -> inkwise.Model:
    return Run(run).model


def read_keras(path: Path) -> None:
    """Import a model of Keras, and predict."""
    inkwise.import_model(path).predict_proba(_digits().test.images[:2])


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


def read_their_onnx(path: Path) -> None:
    """Import an ONNX file of another program, and predict."""
    inkwise.import_model(path).predict_proba(_digits().test.images[:2])


def read_state_dictionary(path: Path) -> None:
    """Import a state dictionary for the network of a recipe, and predict."""
    recipe = inkwise.get_recipe("case-study", network=LAYERS)
    inkwise.import_model(path, recipe=recipe).predict_proba(_digits().test.images[:2])


def recipes(_: Path) -> list[bytes]:
    """Return recipes as `inkwise recipe` writes them, of a named network and of layers."""
    chosen = [inkwise.get_recipe(name) for name in ("case-study", "swift", "precise", "ensemble")]
    chosen.append(dataclasses.replace(chosen[0], network=LAYERS))
    return [to_toml(recipe).encode() for recipe in chosen]


def by_name(name: str) -> Sequence[Change]:
    """Return the changes of a member of an archive."""
    return {"npy": [change_npy, change_bytes], "json": [change_json], "csv": [change_text]}.get(
        name.rpartition(".")[2], [change_bytes]
    )


ARRAYS = (within_zip(by_name),)
SEVERAL = {"several": True}

KINDS: dict[str, Kind] = {
    "png": Kind(
        pictures("PNG", "1", "L", "LA", "P", "RGB", "RGBA", "I;16", several=True),
        read_pictures,
        (change_png,),
    ),
    "jpeg": Kind(pictures("JPEG", "L", "RGB", "CMYK"), read_pictures),
    "gif": Kind(pictures("GIF", "L", "RGB", "P", several=True), read_pictures),
    "bmp": Kind(pictures("BMP", "1", "L", "P", "RGB", "RGBA"), read_pictures),
    "tiff": Kind(compressed_tiffs, read_pictures, (change_tiff,)),
    "webp": Kind(pictures("WEBP", "RGB", "RGBA", several=True), read_pictures),
    "avif": Kind(pictures("AVIF", "RGB", "RGBA", several=True), read_pictures),
    "heic": Kind(pictures("HEIF", "L", "RGB", "RGBA", several=True), read_pictures),
    "pdf": Kind(
        pictures("PDF", "1", "L", "RGB", several=True),
        read_small_pages,
        (change_text,),
        seldom=read_pictures,
    ),
    "ppm": Kind(pictures("PPM", "1", "L", "RGB"), read_pictures),
    "jpeg2000": Kind(pictures("JPEG2000", "L", "RGB", "RGBA"), read_pictures),
    "ico": Kind(pictures("ICO", "L", "RGBA"), read_pictures),
    "icns": Kind(pictures("ICNS", "RGBA"), read_pictures),
    "dds": Kind(pictures("DDS", "L", "RGB", "RGBA"), read_pictures),
    "tga": Kind(pictures("TGA", "L", "RGB", "RGBA", "P"), read_pictures),
    "pcx": Kind(pictures("PCX", "1", "L", "P", "RGB"), read_pictures),
    "sgi": Kind(pictures("SGI", "L", "RGB", "RGBA"), read_pictures),
    "qoi": Kind(pictures("QOI", "RGB", "RGBA"), read_pictures),
    "xbm": Kind(pictures("XBM", "1"), read_pictures, (change_text,)),
    "xpm": Kind(lambda _: [XPM], read_pictures, (change_text,)),
    "sun": Kind(lambda _: [SUN], read_pictures),
    "onnx": Kind(of_run("model/model.onnx"), read_onnx),
    "model.json": Kind(of_run("model/model.json"), read_signed, (sign,), "run/model/model.json"),
    "weights": Kind(
        of_run("model/weights.safetensors"),
        read_model,
        (change_safetensors,),
        "run/model/weights.safetensors",
    ),
    "keras": Kind(
        lambda folder: [(folder / "model.keras").read_bytes()], read_keras, ARRAYS, "model.keras"
    ),
    "h5": Kind(lambda folder: [(folder / "model.h5").read_bytes()], read_keras, (), "model.h5"),
    "their.onnx": Kind(their_onnx, read_their_onnx, (change_onnx,), "their.onnx"),
    "pth": Kind(state_dictionaries, read_state_dictionary, ARRAYS, "model.pth"),
    "recipe.toml": Kind(recipes, read_recipe, (change_text,), "recipe.toml"),
    "run.json": Kind(
        of_run("run.json"), read_run, (change_json,), "run/run.json", seldom=write_report
    ),
    "recipe.json": Kind(
        of_run("recipe.json"), read_run, (change_json,), "run/recipe.json", seldom=write_report
    ),
    "metrics.json": Kind(
        of_run("metrics.json"), read_rest, (change_json,), "run/metrics.json", seldom=write_report
    ),
    "slices.json": Kind(
        of_run("slices.json"), read_rest, (change_json,), "run/slices.json", seldom=write_report
    ),
    "robustness.json": Kind(
        of_run("robustness.json"),
        read_rest,
        (change_json,),
        "run/robustness.json",
        seldom=write_report,
    ),
    "history.csv": Kind(
        of_run("history.csv"), read_run, (change_text,), "run/history.csv", seldom=write_report
    ),
    "predictions.csv": Kind(
        of_run("predictions.csv"),
        read_run,
        (change_text,),
        "run/predictions.csv",
        seldom=write_report,
    ),
    "pictures.npz": Kind(
        of_run("pictures.npz"), read_rest, ARRAYS, "run/pictures.npz", seldom=write_report
    ),
    "seen.npy": Kind(of_run("seen.npy"), read_rest, (change_npy,), "run/seen.npy"),
    "neighbours.npz": Kind(of_run("neighbours.npz"), read_neighbours, ARRAYS, "run/neighbours.npz"),
    "checkpoint": Kind(
        of_run("checkpoint.safetensors", "stopped"),
        read_checkpoint,
        (change_safetensors,),
        "stopped/checkpoint.safetensors",
    ),
    "labels": Kind(decisions, read_decisions, (change_text,), "labels.csv"),
    "csv": Kind(
        lambda _: [
            table().encode(),
            table(";").encode(),
            f"sep=;\n{table(';')}".encode("utf-16"),
        ],
        read_data,
        (change_text,),
        "small.csv",
    ),
    "csv.gz": Kind(
        lambda _: [gzip.compress(table().encode())],
        read_data,
        (within_gzip(change_text), within_gzip(change_bytes)),
        "small.csv.gz",
    ),
    "arff": Kind(arff, read_data, (change_text,), "small.arff"),
    "npz": Kind(npz, read_data, ARRAYS, "small.npz"),
    "parquet": Kind(parquet, read_data, (), "small.parquet"),
    "idx": Kind(lambda _: [*IDX.values()], read_idx_folder, (change_idx,)),
    "idx.gz": Kind(
        lambda _: [gzip.compress(each) for each in IDX.values()],
        read_idx_folder,
        (within_gzip(change_idx), within_gzip(change_bytes)),
    ),
    "zip": Kind(zipped, read_data, (within_zip(by_name),), "small.zip"),
}
