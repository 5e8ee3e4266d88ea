"""The tensors of the Open Inference Protocol: in the JSON document, or as bytes after it."""

import math
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from inkwise.networks.as_onnx import INPUT, LOGITS, PROBABILITIES, SCORE
from inkwise.serving.batching import Outputs
from inkwise.serving.bodies import JSON, OCTETS, from_nested, read_json, shaped
from inkwise.serving.problems import Problem
from inkwise.serving.schemas import InferenceRequest, Tensor, WantedTensor
from inkwise.serving.service import NAME
from inkwise.serving.settings import Limits

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header with the number of a body's bytes that are JSON; the rest are tensors."""

_BINARY, _BINARY_SIZE, _ALL_BINARY = "binary_data", "binary_data_size", "binary_data_output"

_GIVEN = (PROBABILITIES, LOGITS, SCORE)  # in the order of `Outputs`


def header_length(request: Request, whole: int) -> int:
    """Return the number of bytes that are JSON, of a body of `whole` bytes."""
    given = request.headers.get(HEADER_LENGTH)
    if given is None:
        return whole
    if not (given.isascii() and given.isdigit() and len(given) < 12 and int(given) <= whole):
        _refuse(
            f"{HEADER_LENGTH} must be a number of bytes, at most the body's {whole:,}, not "
            f"{given[:80]!r}"
        )
    return int(given)


def read_request(
    body: bytes, length: int, size: tuple[int, int], limits: Limits
) -> tuple[InferenceRequest, NDArray[np.uint8]]:
    """Read a request and the images in it.

    Parameters
    ----------
    body : bytes
        The request body.
    length : int
        Number of its bytes that are JSON.
    size : tuple of int
        Height and width of the model's images.
    limits : Limits
        The limits of requests.

    Returns
    -------
    InferenceRequest
        The JSON document.
    ndarray of uint8, shape (N, H, W)
        The images.

    Raises
    ------
    Problem
        The request is not valid; the protocol has one status for all such errors, 400.
    """
    try:
        document = read_json(InferenceRequest, body[:length])
        if len(document.inputs) != 1:
            _refuse(
                f"the model has one input, {INPUT!r}, but the request has {len(document.inputs)}"
            )
        for each in document.outputs or ():
            if each.name not in _GIVEN:
                _refuse(f"the model has no output {each.name[:80]!r}: it has {', '.join(_GIVEN)}")
        return document, _images(document.inputs[0], memoryview(body)[length:], size, limits)
    except Problem as problem:
        if problem.status == 422:
            raise Problem(400, problem.detail, **problem.extra) from problem
        raise


def _images(
    tensor: Tensor, rest: memoryview, size: tuple[int, int], limits: Limits
) -> NDArray[np.uint8]:
    if tensor.name != INPUT:
        _refuse(f"the model has no input {tensor.name[:80]!r}: it has {INPUT!r}")
    if tensor.datatype != "UINT8":
        _refuse(f"{INPUT} must be UINT8, not {tensor.datatype[:80]}")
    if len(tensor.shape) != 3:
        _refuse(f"{INPUT} must have shape [N, {size[0]}, {size[1]}], not {tensor.shape[:8]}")
    binary = tensor.parameters.get(_BINARY_SIZE)
    if binary is not None:
        if type(binary) is not int or binary != len(rest):
            _refuse(f"{_BINARY_SIZE} is {str(binary)[:80]}, but there are {len(rest):,} bytes")
        return shaped(rest, tensor.shape, size, limits)
    if tensor.data is None:
        _refuse(f"{INPUT} has neither data nor {_BINARY_SIZE}")
    if rest:
        _refuse(f"there are {len(rest):,} bytes after the JSON that belong to no input")
    data: Any = tensor.data
    if data and isinstance(data[0], list):
        images = from_nested(data, size, limits)
        if list(images.shape) != tensor.shape:
            _refuse(f"{INPUT} has shape {tensor.shape[:8]}, but its data have {list(images.shape)}")
        return images
    # Flat data, in row-major order. They are not reshaped here, so that `shaped` checks the shape.
    if len(data) != math.prod(tensor.shape):
        _refuse(f"{INPUT} has {len(data):,} numbers, which do not fit shape {tensor.shape[:8]}")
    levels = from_nested([data], (1, len(data)), limits).tobytes() if data else b""
    return shaped(levels, tensor.shape, size, limits)


def _refuse(detail: str) -> NoReturn:
    raise Problem(400, detail)


def respond(document: InferenceRequest, outputs: Outputs, version: str) -> Response:
    """Return the response with the requested outputs, or all: in JSON, or as bytes after it."""
    arrays = dict(zip(_GIVEN, outputs, strict=True))
    wanted = document.outputs or [WantedTensor(name=name) for name in _GIVEN]
    all_binary = document.parameters.get(_ALL_BINARY) is True
    tensors: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for each in wanted:
        array = arrays[each.name]
        tensor: dict[str, Any] = {"name": each.name, "datatype": "FP32", "shape": array.shape}
        if each.parameters.get(_BINARY, all_binary) is True:
            blobs.append(array.astype("<f4", copy=False).tobytes())
            tensor["parameters"] = {_BINARY_SIZE: len(blobs[-1])}
        else:
            tensor["data"] = array.ravel().tolist()
        tensors.append(tensor)
    answer: dict[str, Any] = {"model_name": NAME, "model_version": version, "outputs": tensors}
    if document.id is not None:
        answer["id"] = document.id
    header = to_json(answer)
    if not blobs:
        return Response(header, media_type=JSON)
    return Response(
        b"".join([header, *blobs]),
        media_type=OCTETS,
        headers={HEADER_LENGTH: str(len(header))},
    )
