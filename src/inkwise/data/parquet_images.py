"""Parquet files of images: Hugging Face's, with encoded pictures, and OpenML's, with pixels."""

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inkwise.data.idx import MAX_BYTES
from inkwise.data.pixel_tables import column_layout
from inkwise.data.stored_files import StoredFile
from inkwise.errors import DataError
from inkwise.system.extras import require_parquet
from inkwise.system.machine import available_cores

_MODES = ("L", "1")  # grey levels; anything else is not what the network expects


class ParquetImages(NamedTuple):
    """What a Parquet file holds.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W)
    labels : ndarray of int64, shape (N,), or None
        As they are written; None where no column has labels.
    class_names : tuple of str or None
        Names of the labels from 0, where the file says them, as Hugging Face's do.
    notices : list of str
        What was passed over.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...] | None
    notices: list[str]


def read_parquet_images(file: StoredFile) -> ParquetImages:
    """Read a Parquet file with an image in each row.

    The images are encoded pictures in a column ``image``, or grey levels in a column for each
    pixel, which are named as in CSV tables.

    Raises
    ------
    DataError
        The file is damaged, has no images, or images that differ in size or have colours.
    LibraryError
        PyArrow is not installed.
    StorageError
        The file cannot be read.
    """
    require_parquet(f"{file}, a Parquet file,")
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    with file.open() as content:
        try:
            stored = pyarrow.parquet.ParquetFile(pyarrow.PythonFile(content, mode="r"))
            groups = map(stored.metadata.row_group, range(stored.metadata.num_row_groups))
            if sum(group.total_byte_size for group in groups) > MAX_BYTES:
                raise DataError(f"{file} has more than {MAX_BYTES:,} bytes: take fewer of its rows")
            table = stored.read()
            names = table.column_names
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{file} is a damaged Parquet file: {reason}") from error
    pictures = [name for name in names if is_picture_column(pyarrow, table.schema.field(name).type)]
    if not pictures:
        return _read_pixels(file, table)
    if len(pictures) > 1:
        raise DataError(f"{file} has several columns of images: {', '.join(pictures)}")
    [picture] = pictures
    column = table.column(picture)
    if pyarrow.types.is_struct(column.type):
        column = pyarrow.compute.struct_field(column, "bytes")
    images = _decode(file, column.to_pylist())
    rest = [name for name in names if name != picture]
    labelled = [name for name in rest if name.lower() in ("label", "labels", "class", "target")]
    label = labelled[0] if labelled else None
    unused = [name for name in rest if name != label]
    notices = [f"{file}: the column {', '.join(unused)} is not used."] if unused else []
    labels = None if label is None else _whole_numbers(file, label, table.column(label))
    return ParquetImages(images, labels, _class_names(table.schema.metadata, label), notices)


def is_picture_column(pyarrow: Any, kind: Any) -> bool:
    """Tell whether a column holds encoded pictures: bytes, or Hugging Face's ``bytes, path``."""
    if pyarrow.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and (
            pyarrow.types.is_null(kind.field(place).type)  # paths alone: told by `_decode`
            or is_picture_column(pyarrow, kind.field(place).type)
        )
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _decode(file: StoredFile, cells: Sequence[bytes | None]) -> NDArray[np.uint8]:
    def decode(numbered: tuple[int, bytes | None]) -> NDArray[np.uint8]:
        row, content = numbered
        if not content:
            raise DataError(
                f"{file}, row {row:,}, has no picture but at most the path of one: put the "
                "pictures into folders"
            )
        try:
            with Image.open(io.BytesIO(content)) as picture:
                if picture.mode not in _MODES or picture.width * picture.height > 1 << 20:
                    raise DataError(
                        f"{file}, row {row:,}, has a picture of {picture.width}×{picture.height} "
                        f"pixels in mode {picture.mode}, not one in small and grey: put such "
                        "pictures into folders, a folder for each class"
                    )
                return np.asarray(picture.convert("L"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"{file}, row {row:,}, has a damaged picture ({error})") from error

    with ThreadPoolExecutor(available_cores()) as pool:
        try:
            images = list(pool.map(decode, enumerate(cells, 1)))
        finally:
            pool.shutdown(cancel_futures=True)
    sizes = {image.shape for image in images}
    if len(sizes) != 1:
        shown = ", ".join(sorted("×".join(map(str, size)) for size in sizes)[:3]) or "none"
        raise DataError(
            f"{file} has pictures of different sizes ({shown}): put them into folders, a folder "
            "for each class"
        )
    return np.stack(images)


def _read_pixels(file: StoredFile, table: Any) -> ParquetImages:
    layout = column_layout(table.column_names, file)
    if layout is None:
        raise DataError(
            f"{file} has no column of images: it should have image and label, or pixel0, pixel1 "
            f"and so on, and has {', '.join(table.column_names[:5]) or 'no columns'}"
        )
    if table.num_rows * len(layout.pixels) > MAX_BYTES:
        raise DataError(f"{file} has more than {MAX_BYTES:,} pixels: take fewer of its rows")
    images = np.empty((table.num_rows, len(layout.pixels)), np.uint8)
    for place, column in enumerate(layout.pixels):
        values = _whole_numbers(file, table.column_names[column], table.column(column))
        if values.size and (values.min() < 0 or values.max() > 255):
            raise DataError(
                f"{file}: the column {table.column_names[column]} has numbers that are no grey "
                "levels from 0 to 255"
            )
        images[:, place] = values
    labels = None
    if layout.label is not None:
        name = table.column_names[layout.label]
        labels = _whole_numbers(file, name, table.column(layout.label))
    return ParquetImages(images.reshape(-1, *layout.shape), labels, None, layout.notices)


def _whole_numbers(file: StoredFile, name: str, column: Any) -> NDArray[np.int64]:
    """Return a column as int64; its numbers may be written as 7.0 or as text."""
    try:
        if hasattr(column.type, "index_type"):  # a categorical column, as OpenML's labels are
            column = column.cast(column.type.value_type)
        values = np.asarray(column.to_numpy())
        if values.dtype == object:
            values = values.astype(str).astype(np.float64)
        with np.errstate(invalid="ignore"):  # such as NaN, which is told below
            whole = values.astype(np.int64)
        if (whole == values).all():
            return whole
    except (ValueError, TypeError, OverflowError):
        pass
    raise DataError(f"{file}: the column {name} has cells that are no whole numbers")


def _class_names(metadata: dict[bytes, bytes] | None, label: str | None) -> tuple[str, ...] | None:
    """Return the names of the classes that Hugging Face's ``datasets`` writes beside a schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    if not isinstance(names, list) or len({*map(str, names)}) != len(names):
        return None
    return tuple(map(str, names))
