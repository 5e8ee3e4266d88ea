"""Problems: what a request gets in place of an answer, as RFC 9457 has it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from inkwise.errors import ArgumentError, InkwiseError, TooManyPixelsError

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 1
"""Seconds after which it is worth asking again, when there was too much to do."""


class Problem(Exception):  # noqa: N818 - RFC 9457's word, and not always an error of ours
    """A request that is refused, and why.

    Parameters
    ----------
    status : int
        Of HTTP.
    detail : str
        One line: what is wrong, and what to do.
    headers : mapping of str to str
        That the answer has besides.
    **extra
        Members of the document besides those of RFC 9457; JSON values.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = dict(headers or {})
        self.extra = extra

    def to_dict(self) -> dict[str, Any]:
        """Return the document; its type is that of a problem which its status says all about."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


def too_busy() -> Problem:
    """Return the problem of a service that has too much to do."""
    return Problem(
        503,
        "there is too much to do at the moment: ask again a little later",
        {"Retry-After": str(RETRY_AFTER)},
    )


def too_slow(seconds: float, *, sending: bool) -> Problem:
    """Return the problem of a request that took too long to send, or to answer."""
    if sending:
        return Problem(
            408,
            f"the request was not there after {seconds:g} s: send less",
            {"Connection": "close"},
        )
    return Problem(
        503,
        f"there was no answer after {seconds:g} s: send less, or ask again later",
        {"Retry-After": str(RETRY_AFTER)},
    )


def about_picture(error: InkwiseError) -> dict[str, Any]:
    """Return the document about a picture that cannot be answered, beside others that can."""
    return Problem(413 if isinstance(error, TooManyPixelsError) else 422, str(error)).to_dict()


def from_inkwise(error: InkwiseError) -> Problem:
    """Return the problem that one of the library's errors is to a caller."""
    return Problem(422 if isinstance(error, ArgumentError) else 500, str(error))


def respond(request: Request, problem: Problem) -> Response:
    """Return the answer to a request that is refused."""
    document = problem.to_dict()
    request_id = request.scope.get("state", {}).get("request_id")
    if request_id is not None:
        document["request_id"] = request_id
    if request.url.path.startswith("/v2"):
        document["error"] = problem.detail  # where the Open Inference Protocol's clients look
    return Response(to_json(document), problem.status, problem.headers, MEDIA_TYPE)
