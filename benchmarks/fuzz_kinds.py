"""Kinds of files that are fuzzed: valid ones, how to damage them, and how commands read them."""

import dataclasses
import gzip
import random
from collections.abc import Callable, Sequence
from pathlib import Path

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
from fuzz_readers import (
    read_checkpoint,
    read_data,
    read_decisions,
    read_idx_folder,
    read_keras,
    read_model,
    read_neighbours,
    read_onnx,
    read_pictures,
    read_rest,
    read_run,
    read_signed,
    read_small_pages,
    read_state_dictionary,
    read_their_onnx,
    write_report,
)
from fuzz_seeds import (
    IDX,
    SUN,
    XPM,
    arff,
    compressed_tiffs,
    decisions,
    npz,
    of_run,
    parquet,
    pictures,
    recipes,
    state_dictionaries,
    table,
    their_onnx,
    zipped,
)

from inkwise.training.recipe_files import read_recipe


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


def sign(generator: random.Random, content: bytes) -> bytes:
    """Change a description of a model as `change_json` does; its hashes are made to agree."""
    return b"signed" + change_json(generator, content.removeprefix(b"signed"))


def by_name(name: str) -> Sequence[Change]:
    """Return the changes of a member of an archive."""
    return {"npy": [change_npy, change_bytes], "json": [change_json], "csv": [change_text]}.get(
        name.rpartition(".")[2], [change_bytes]
    )


ARRAYS = (within_zip(by_name),)

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
