"""The route that reads numbers."""

import dataclasses
import logging
from typing import Any

from fastapi import APIRouter, Request, Response

from inkwise.errors import ArgumentError, DataError, InkwiseError
from inkwise.ink.image_files import Page
from inkwise.model import Model
from inkwise.reading.alphabet import DIGITS
from inkwise.reading.checks import make_check
from inkwise.reading.numbers import Numbers
from inkwise.serving.bodies import Taken, read_pictures
from inkwise.serving.problems import Problem, about_picture
from inkwise.serving.reference import curl, problem_responses
from inkwise.serving.schemas import NumbersRequest, PictureNumbers
from inkwise.serving.service import Service
from inkwise.serving.v1 import answer_json, describe_taken, name_of

COST = 16
"""Cost of reading a picture, counted in images that are ready for the network."""

_OPTIONS: list[dict[str, Any]] = [
    {
        "name": "digits",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1},
        "description": "How many digits each number has.",
    },
    {
        "name": "pattern",
        "in": "query",
        "schema": {"type": "string"},
        "description": "What each number looks like: `#` is a digit, anything else itself.",
    },
    {
        "name": "check",
        "in": "query",
        "schema": {"type": "string"},
        "description": "The rule of each number's check digit: `luhn`, `isbn`, `mod11`, or "
        "`iban:DE` with the account's country.",
    },
    {
        "name": "marks",
        "in": "query",
        "schema": {"type": "boolean", "default": True},
        "description": "Whether points, commas, apostrophes, dashes and `=` are read, or left out.",
    },
]

_TAKEN = Taken(NumbersRequest, [option["name"] for option in _OPTIONS])

_log = logging.getLogger(__name__)


def make_router(service: Service) -> APIRouter:
    """Return the route under ``/v1``."""
    router = APIRouter(prefix="/v1", tags=["Pictures and arrays"])

    @router.post(
        "/read",
        summary="Read the numbers in pictures",
        responses={
            200: {"model": PictureNumbers},
            **problem_responses(400, 408, 413, 415, 422, 503),
        },
        openapi_extra={
            **describe_taken(_TAKEN),
            "parameters": _OPTIONS,
            **curl(
                "curl -F pictures=@amount.jpg '{url}/v1/read?pattern=%23%23.%23%23'",
                "curl -H 'Content-Type: image/png' --data-binary @number.png {url}/v1/read",
            ),
        },
    )
    async def read(request: Request) -> Response:
        """Read all numbers in each picture, line by line, digit by digit.

        What is known of the numbers chooses among their readings, and never invents one. A picture
        that cannot be read has an `error` in its entry; the others are answered.
        """
        service.batcher.make_sure_of_room()
        known = _options(request)
        pictures = await read_pictures(request, service.limits, _TAKEN)
        served = service.served
        if served.model.class_names != tuple(DIGITS):
            raise Problem(
                422, "the service's model has other classes than the digits 0 to 9: use /v1/predict"
            )
        entries = []
        for name, picture in zip(pictures.names, pictures.contents, strict=True):
            numbers = (
                picture
                if isinstance(picture, InkwiseError)
                else await service.batcher.call(COST, _read, served.model, picture, known)
            )
            entries.append(_describe(name, numbers))
        return answer_json({"model": name_of(served), "pictures": entries})

    return router


def _options(request: Request) -> dict[str, Any]:
    """Return the keyword arguments of `Model.read` that the query asks for."""
    query = request.query_params
    digits, marks = query.get("digits"), query.get("marks", "true").lower()
    if digits is not None and not (digits.isascii() and digits.isdigit() and len(digits) < 4):
        raise Problem(422, f"`digits` must be a whole number from 1, not {digits[:80]!r}")
    if marks not in ("true", "false"):
        raise Problem(422, f"`marks` must be true or false, not {marks[:80]!r}")
    known = {
        "digits": None if digits is None else int(digits),
        "pattern": query.get("pattern"),
        "check": query.get("check"),
    }
    try:
        make_check(**known)  # type: ignore[arg-type]
    except ArgumentError as error:
        raise Problem(422, str(error)[:500]) from error
    return {**known, "marks": marks == "true"}


def _read(model: Model, picture: bytes | Page, known: dict[str, Any]) -> Numbers | InkwiseError:
    try:
        return model.read(picture, **known)
    except InkwiseError as error:
        return error
    except Exception:  # one odd picture must not fail the others of its request
        _log.exception("a picture could not be read")
        return DataError("the picture cannot be read: save it as PNG or JPEG")


def _describe(name: str | None, numbers: Numbers | InkwiseError) -> dict[str, Any]:
    """Return the entry about a picture, with the same keys as `inkwise read --json`."""
    if isinstance(numbers, InkwiseError):
        return {"file": name, "error": about_picture(numbers)}
    return {
        "file": name,
        "numbers": [dataclasses.asdict(number) for number in numbers],
        "dropped": numbers.dropped,
    }
