"""Arrays of other libraries, brought to inkwise's own dtypes and shapes: exactly, or not at all."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError

_ROUNDING = 1e-3  # of a grey level, which single precision keeps to a thousandth of this


def as_array(values: Any, what: str) -> NDArray[Any]:
    """Return the values of any array, tensor, table or nested list as an array.

    Parameters
    ----------
    values : array-like
        Whatever NumPy can read. Rows of a table count by their position, not by an index.
    what : str
        What the values are, for the error message.

    Raises
    ------
    DataError
        NumPy cannot read the values, or some of them are masked.
    """
    if np.ma.is_masked(values):
        raise DataError(f"some {what} are masked: fill them in or leave them out")
    try:
        if hasattr(values, "detach"):  # a tensor of PyTorch may be on a GPU, or need gradients
            values = values.detach().cpu()
        array = np.asarray(values)
        # A column of a table may hold an array in each cell.
        return np.array(array.tolist()) if array.dtype == object else array
    except Exception as error:  # each library raises its own
        reason = str(error).partition("\n")[0].rstrip(".")
        raise DataError(f"the {what} cannot be made a NumPy array: {reason}") from error


def as_images(values: Any, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return images as grey levels.

    Parameters
    ----------
    values : array-like, shape (N, H, W), (N, H, W, 1), (N, 1, H, W) or (N, H·W)
        Whole numbers from 0 to 255 of any dtype, floats that are such numbers divided by 255, or
        booleans, of which True is 255.
    size : tuple of int, optional
        Height and width of flat images. By default they are squares.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)
        A contiguous array; `values` itself if it is such an array.

    Raises
    ------
    DataError
        The values are others, or have another shape.
    """
    if type(values) is np.ndarray and values.dtype == np.uint8 and values.ndim == 3:
        return np.ascontiguousarray(values)
    array = as_array(values, "images")
    return np.ascontiguousarray(_grey_levels(_as_stack(array, size)))


def as_labels(values: Any, class_names: Sequence[str] | None = None) -> NDArray[np.int64]:
    """Return labels as class indices.

    Parameters
    ----------
    values : array-like, shape (N,), (N, 1) or (N, classes)
        Class indices of any dtype; names of classes; or one-hot rows.
    class_names : sequence of str, optional
        Names of the classes, by which names are turned into indices.

    Returns
    -------
    ndarray of int64, shape (N,)
        A contiguous array; `values` itself if it is such an array.

    Raises
    ------
    DataError
        The values are others, or have another shape; a name is unknown, or there are names but no
        `class_names`; the columns of a one-hot table are not the classes in their order.
    """
    array = as_array(values, "labels")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        columns = [str(name) for name in getattr(values, "columns", ())]
        return _from_one_hot(_whole(array, "one-hot labels"), columns, class_names)
    if array.ndim != 1:
        raise DataError(
            f"labels must have shape (N,) or be one-hot (N, classes), not {array.shape}"
        )
    if array.dtype.kind in "UST":
        return _from_names(array, class_names)
    return np.ascontiguousarray(_whole(array, "labels"))


def _as_stack(array: NDArray[Any], size: tuple[int, int] | None) -> NDArray[Any]:
    """Return images of any usual shape as (N, H, W)."""
    shape = array.shape
    if array.ndim == 4 and shape[3] == 1:
        return array[..., 0]
    if array.ndim == 4 and shape[1] == 1:
        return array[:, 0]
    if array.ndim == 2:
        side = math.isqrt(shape[1])
        height, width = size or (side, side)
        if height * width == shape[1]:
            return array.reshape(shape[0], height, width)
    if array.ndim != 3:
        raise DataError(
            "images must have shape (N, H, W), (N, H, W, 1), (N, 1, H, W) or (N, H·W), without "
            f"other columns, not {array.dtype} of shape {shape}; put a single one in brackets"
        )
    return array


def _grey_levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    kind = array.dtype.kind
    if kind not in "buif":
        raise DataError(f"images must hold numbers, not {array.dtype}")
    if array.size == 0:
        return array.astype(np.uint8)
    if kind == "b":
        return np.where(array, np.uint8(255), np.uint8(0))
    low, high = array.min(), array.max()
    told = (
        "images must hold whole numbers from 0 to 255, or floats that are such numbers divided by "
        f"255, but these are {array.dtype} from {low:g} to {high:g}"
    )
    if not (low >= 0 and high <= 255):  # NaN fails this test, too
        raise DataError(told)
    if kind != "f":
        if high == 1:
            raise DataError(f"{told}: if 1 is full ink, multiply them by 255")
        return array.astype(np.uint8)
    exact = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    if high <= 1:
        exact = exact * 255
    levels = np.rint(exact)
    rounding = max(_ROUNDING, 255 * float(np.finfo(array.dtype).eps)) if high <= 1 else 0
    if np.abs(exact - levels).max() > rounding:
        raise DataError(f"{told}, with values between two levels: round them yourself")
    return levels.astype(np.uint8)


def _whole(array: NDArray[Any], what: str) -> NDArray[np.int64]:
    kind = array.dtype.kind
    if kind not in "buif":
        raise DataError(f"{what} must be whole numbers or names, not {array.dtype}")
    if kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise DataError(f"{what} must be whole numbers, but some are not (NaN or a fraction)")
    if array.size and not -(2**63) <= int(array.min()) <= int(array.max()) < 2**63:
        raise DataError(f"{what} must be class indices, not numbers such as {array.max()}")
    return array.astype(np.int64, copy=False)


def _from_one_hot(
    numbers: NDArray[np.int64], columns: Sequence[str], class_names: Sequence[str] | None
) -> NDArray[np.int64]:
    if not (np.isin(numbers, (0, 1)).all() and (numbers.sum(axis=1) == 1).all()):
        raise DataError(
            f"labels of shape {numbers.shape} must be one-hot, with a single 1 in every row"
        )
    if class_names is not None:
        if numbers.shape[1] != len(class_names):
            raise DataError(
                f"one-hot labels have {numbers.shape[1]} columns, but there are "
                f"{len(class_names)} classes"
            )
        if sorted(columns) == sorted(class_names) and columns != [*class_names]:
            raise DataError(
                f"the columns of the one-hot labels are {', '.join(columns)}, but the classes are "
                f"{', '.join(class_names)}: put them in the same order"
            )
    return numbers.argmax(axis=1)


def _from_names(array: NDArray[Any], class_names: Sequence[str] | None) -> NDArray[np.int64]:
    names = np.char.decode(array) if array.dtype.kind == "S" else array
    found, places = np.unique(names, return_inverse=True)
    if class_names is None:
        raise DataError(
            f"labels are names such as {str(found[0])!r}: say which classes there are and in which "
            "order, with Split(images, labels, class_names)"
        )
    numbers = {name: number for number, name in enumerate(class_names)}
    unknown = [str(name) for name in found if name not in numbers]
    if unknown:
        raise DataError(
            f"there is no class {unknown[0]!r} among {', '.join(class_names)}: "
            "labels must be their names or indices"
        )
    return np.array([numbers[str(name)] for name in found], np.int64)[places]
