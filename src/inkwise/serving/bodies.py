"""Request bodies: reading pictures and arrays from them, in memory and never on disk."""

import asyncio
import base64
import binascii
import dataclasses
import io
import math
import urllib.parse
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from inkwise.errors import DataError, InkwiseError
from inkwise.ink.image_files import Page, may_have_pages
from inkwise.ink.sources import find_sources_of
from inkwise.model.hands import HANDS
from inkwise.serving.problems import Problem
from inkwise.serving.schemas import ArrayRequest, PicturesRequest
from inkwise.serving.settings import Limits
from inkwise.system.files import to_utf8

JSON, NPY, OCTETS, FORM = (
    "application/json",
    "application/x-npy",
    "application/octet-stream",
    "multipart/form-data",
)

_STANDARD_ALPHABET = str.maketrans("-_", "+/")

LONG = 1 << 16
"""Number of bytes above which JSON is parsed in another thread than the event loop's."""

FIELDS = 8
"""Largest number of a form's fields that are not files."""

Document = TypeVar("Document", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class PostedPictures:
    """The pictures of a request, and its options.

    Parameters
    ----------
    contents : sequence of bytes, Page or InkwiseError
        The encoded file of each picture, or a page of it; or why it could not be read.
    names : sequence of (str or None)
        The file names that the client gave them, with the number of the page.
    with_image : bool
        Whether the response shall include the image that the network saw.
    hand : str
        Where the writers learned to write; see `inkwise.model.hands`.
    """

    contents: Sequence[bytes | Page | InkwiseError]
    names: Sequence[str | None]
    with_image: bool = False
    hand: str = "any"


def media_type(request: Request) -> str:
    """Return the media type of the body, in lower case and without parameters."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "compressed bodies are not supported: send the body uncompressed")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclasses.dataclass(frozen=True)
class Taken:
    """What an endpoint takes with pictures.

    Parameters
    ----------
    document : type of PicturesRequest
        The JSON document, whose fields are also those of a form; the options among them are in the
        query if the body is the picture itself.
    query : sequence of str
        The options that are in the query whatever the body is. The endpoint reads them.
    """

    document: type[PicturesRequest]
    query: Sequence[str] = ()

    @property
    def options(self) -> list[str]:
        """The names of the document's fields that are options."""
        return [name for name in self.document.model_fields if name != "pictures"]

    @property
    def told(self) -> str:
        """What to do about another field of the document or the form."""
        fields = f"use only {_listed(self.document.model_fields)}"
        return f"{fields}, and {_listed(self.query)} in the query" if self.query else fields


async def read_pictures(request: Request, limits: Limits, taken: Taken) -> PostedPictures:
    """Read the pictures of a request: from a form, from JSON, or one that is the whole body.

    Raises
    ------
    Problem
        The body is none of these, is damaged, or holds no picture or too many; or there are other
        options than the endpoint takes, or in another place.
    """
    kind = media_type(request)
    if kind in (FORM, JSON):
        in_body = f"with {kind}, options are fields of the body: {taken.told}"
        check_query(request, taken.query, in_body if taken.options else None)
    if kind == FORM:
        pictures = await _read_form(request, limits, taken)
    elif kind == JSON:
        body = await request.body()
        if len(body) > LONG:
            pictures = await asyncio.to_thread(_read_base64, body, taken)
        else:
            pictures = _read_base64(body, taken)
    elif kind.startswith("image/"):
        check_query(request, [*taken.options, *taken.query])
        given = {name: request.query_params.get(name) for name in taken.options}
        options = _read_options(given, "the query's")
        pictures = PostedPictures([await request.body()], [None], **options)
    else:
        raise Problem(
            415,
            f"send pictures as {FORM}, as {JSON} with base64, or as image/png or another image "
            f"type, not as {kind[:80] or 'a body without a type'}",
        )
    if not pictures.contents:
        raise Problem(422, "there is no picture in the request: send one as `pictures`")
    if any(isinstance(each, bytes) and may_have_pages(each) for each in pictures.contents):
        pictures = await asyncio.to_thread(_by_page, pictures)
    if len(pictures.contents) > limits.pictures:
        raise _too_many(limits.pictures, "pictures")
    return pictures


def _by_page(pictures: PostedPictures) -> PostedPictures:
    """Put the pages of every file in its place, named ``file#2`` and so on after the first."""
    contents: list[bytes | Page | InkwiseError] = []
    names: list[str | None] = []
    for name, content in zip(pictures.names, pictures.contents, strict=True):
        if isinstance(content, bytes) and len(pages := find_sources_of(content, name or "")) > 1:
            contents += [page.picture for page in pages]  # type: ignore[misc]
            names += [page.name for page in pages]
        else:
            contents.append(content)
            names.append(name)
    return dataclasses.replace(pictures, contents=contents, names=names)


def _read_base64(body: bytes, taken: Taken) -> PostedPictures:
    document = read_json(taken.document, body, taken.told)
    contents = [_decode(picture) for picture in document.pictures]
    options = document.model_dump(exclude={"pictures"})
    return PostedPictures(contents, [None] * len(contents), **options)


async def _read_form(request: Request, limits: Limits, taken: Taken) -> PostedPictures:
    form = MultiPartParser(
        request.headers, _whole(request), max_files=limits.pictures, max_fields=FIELDS
    )
    form.spool_max_size = limits.body_bytes + 1  # in memory, whatever its size
    try:
        items = (await form.parse()).multi_items()
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise _too_many(limits.pictures, "pictures") from error
        raise Problem(400, f"the form is damaged: {error.message}") from error
    except (LookupError, ValueError) as error:
        raise Problem(400, "the form is damaged: its parts cannot be separated") from error
    contents, names, given = [], [], {}
    for name, value in items:
        if name == "pictures" and isinstance(value, UploadFile):
            contents.append(value.file.read())
            # Some encodings that a form may name have halves of characters, which JSON has not.
            names.append(to_utf8(value.filename or "").decode())
        elif name in taken.options and isinstance(value, str):
            given[name] = value
        elif name == "pictures":
            raise Problem(422, "the form's `pictures` are not files: give each a filename")
        else:
            raise Problem(422, f"the form has a field {name[:80]!r}: {taken.told}")
    return PostedPictures(contents, names, **_read_options(given, "the form's"))


async def _whole(request: Request) -> AsyncGenerator[bytes, None]:
    # The parser is slow when the body comes in many pieces.
    yield await request.body()


def check_query(request: Request, known: Sequence[str], instead: str | None = None) -> None:
    """Raise `Problem`, which says what to do instead, if the query has a name that is not known."""
    for name in request.query_params:
        if name not in known:
            told = instead or f"use only {_listed(known)}"
            raise Problem(422, f"the query has {name[:80]!r}: {told}")


def _listed(names: Iterable[str]) -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _read_options(given: Mapping[str, str | None], whose: str) -> dict[str, Any]:
    """Read those options of `PostedPictures` that are given as text."""
    readers: dict[str, Callable[[str, str], Any]] = {"with_image": _flag, "hand": _hand}
    return {name: readers[name](value, whose) for name, value in given.items() if value is not None}


def _flag(value: str, whose: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise Problem(422, f"{whose} `with_image` must be true or false, not {value[:80]!r}")
    return value.lower() == "true"


def _hand(value: str, whose: str) -> str:
    if value not in HANDS:
        raise Problem(422, f"{whose} `hand` must be one of {', '.join(HANDS)}, not {value[:80]!r}")
    return value


def _decode(text: str) -> bytes | DataError:
    """Decode base64 (RFC 4648), in either alphabet, with line breaks, or a data URL (RFC 2397)."""
    if text[:5].lower() == "data:":
        kind, _, content = text.partition(",")
        if not kind.lower().endswith(";base64"):
            return DataError("the picture's data URL is not in base64: encode the file's bytes")
        text = urllib.parse.unquote(content)
    compact = "".join(text.split()).translate(_STANDARD_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return DataError("the picture is not base64: encode the file's bytes, or send a data URL")


def _too_many(limit: int, what: str) -> Problem:
    return Problem(413, f"a request may have at most {limit:,} {what}: send several requests")


def read_json(kind: type[Document], body: bytes, instead: str | None = None) -> Document:
    """Read a JSON document of a given kind; raises `Problem` if the body is not one.

    `instead` says what to do where there is a field that the kind has not.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)
        if first[0]["type"] == "json_invalid":
            raise Problem(400, f"the body is not JSON: {first[0]['msg']}") from error
        errors = [{"at": [*each["loc"]], "reason": each["msg"]} for each in first[:10]]
        place = ".".join(map(str, first[0]["loc"])) or "the body"
        told = f"{place[:80]}: {first[0]['msg']}"
        if instead is not None and first[0]["type"] == "extra_forbidden":
            told = f"{told}: {instead}"
        raise Problem(422, told, errors=errors) from error


async def read_images(request: Request, size: tuple[int, int], limits: Limits) -> NDArray[np.uint8]:
    """Read the images of a request: raw bytes, a .npy file, or nested lists.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)

    Raises
    ------
    Problem
        The body is none of these, or the images have another size than `size`.
    """
    kind = media_type(request)
    if kind not in (OCTETS, NPY, JSON):
        raise Problem(
            415,
            f"send arrays as {OCTETS} with a shape, as {NPY} or as {JSON}, not as "
            f"{kind[:80] or 'a body without a type'}",
        )
    body = await request.body()
    if kind == OCTETS:
        shape = request.query_params.get("shape") or request.headers.get("x-shape")
        return shaped(body, _parse_shape(shape, size), size, limits)
    if kind == NPY:
        return _read_npy(body, size, limits)
    if len(body) > LONG:
        return await asyncio.to_thread(_read_nested, body, size, limits)
    return _read_nested(body, size, limits)


def _read_nested(body: bytes, size: tuple[int, int], limits: Limits) -> NDArray[np.uint8]:
    return from_nested(read_json(ArrayRequest, body).images, size, limits)


def shaped(
    body: bytes | memoryview, shape: Sequence[int], size: tuple[int, int], limits: Limits
) -> NDArray[np.uint8]:
    """Return bytes as images, uint8 (N, H, W).

    The shape, (N, H, W) or (H, W), must be one that the model accepts, and fit the bytes.
    """
    _check_shape(shape, size, limits)
    if len(body) != math.prod(shape):
        raise Problem(
            422, f"there are {len(body):,} bytes, but shape {list(shape)} has {math.prod(shape):,}"
        )
    return np.frombuffer(body, np.uint8).reshape(-1, *size)


def from_nested(nested: Any, size: tuple[int, int], limits: Limits) -> NDArray[np.uint8]:
    """Return nested lists of whole numbers from 0 to 255 as images, uint8 (N, H, W)."""
    try:
        array = np.array(nested)
    except (ValueError, OverflowError) as error:
        raise Problem(422, "the rows of the images have different lengths") from error
    if array.size and array.dtype.kind not in "iu":
        raise Problem(422, "the images hold values that are not whole numbers")
    _check_shape(array.shape, size, limits)
    if array.size and not (array.min() >= 0 and array.max() <= 255):
        raise Problem(422, "the images hold numbers that are not from 0 to 255")
    return array.astype(np.uint8).reshape(-1, *size)


def _parse_shape(text: str | None, size: tuple[int, int]) -> list[int]:
    example = f"N,{size[0]},{size[1]}"
    if text is None:
        raise Problem(422, f"raw bytes need a shape: send ?shape={example} or the header X-Shape")
    sides = text.split(",")
    if not all(side.strip().isascii() and side.strip().isdigit() for side in sides[:4]):
        raise Problem(422, f"the shape must be numbers separated by commas, as {example}")
    if len(sides) > 3 or any(len(side) > 12 for side in sides):
        raise Problem(422, f"the shape must have the form {example}")
    return [int(side) for side in sides]


def _check_shape(shape: Sequence[int], size: tuple[int, int], limits: Limits) -> None:
    height, width = size
    if len(shape) not in (2, 3) or tuple(shape[-2:]) != size or (len(shape) == 3 and shape[0] < 1):
        raise Problem(
            422,
            f"the model takes images of shape (N, {height}, {width}), not {list(shape[:8])}",
        )
    if len(shape) == 3 and shape[0] > limits.images:
        raise _too_many(limits.images, "images")


def _read_npy(body: bytes, size: tuple[int, int], limits: Limits) -> NDArray[np.uint8]:
    file = io.BytesIO(body)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    # The header is a Python literal. The array is accepted only if it holds plain bytes, so that
    # nothing is unpickled, and no more memory is allocated than the body has.
    try:
        shape, in_columns, dtype = read[np.lib.format.read_magic(file)](file)
    except Exception as error:  # NumPy's reader raises many kinds of errors for a damaged header
        raise Problem(422, "the body is not a .npy file: write it with numpy.save") from error
    if dtype != np.uint8:
        raise Problem(422, f"the array holds {dtype.name[:80]}, not uint8")
    if in_columns:
        raise Problem(422, "the array is in Fortran order: apply numpy.ascontiguousarray first")
    return shaped(memoryview(body)[file.tell() :], shape, size, limits)
