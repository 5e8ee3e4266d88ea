"""Problems: error responses in the form of RFC 9457."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from inkwise.errors import ArgumentError, InkwiseError, TooManyPixelsError

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 1
"""Seconds after which a client should try again when the service was busy."""


class Problem(Exception):  # noqa: N818 - RFC 9457's word, and not always an error of ours
    """An error response to a request, raised as an exception.

    Parameters
    ----------
    status : int
        The HTTP status code.
    detail : str
        One line that says what is wrong, and what to do.
    headers : mapping of str to str
        Additional headers of the response.
    **extra
        Additional members of the document, beside those of RFC 9457; JSON values.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers = dict(headers or {})
        self.extra = extra

    def to_dict(self) -> dict[str, Any]:
        """Return the document; the type ``about:blank`` means that the status says the kind."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }


def too_busy() -> Problem:
    """Return the problem of a service whose queue is full."""
    return Problem(
        503,
        "the service is busy at the moment: try again a little later",
        {"Retry-After": str(RETRY_AFTER)},
    )


def too_slow(seconds: float, *, sending: bool) -> Problem:
    """Return the problem of a request that took too long to be sent, or to be answered."""
    if sending:
        return Problem(
            408,
            f"the request was not complete after {seconds:g} s: send less",
            {"Connection": "close"},
        )
    return Problem(
        503,
        f"there was no answer after {seconds:g} s: send less, or try again later",
        {"Retry-After": str(RETRY_AFTER)},
    )


def about_picture(error: InkwiseError) -> dict[str, Any]:
    """Return the document about one picture of several that cannot be classified."""
    return Problem(413 if isinstance(error, TooManyPixelsError) else 422, str(error)).to_dict()


def from_inkwise(error: InkwiseError) -> Problem:
    """Return the problem that tells a client of one of the library's errors."""
    return Problem(422 if isinstance(error, ArgumentError) else 500, str(error))


def respond(request: Request, problem: Problem) -> Response:
    """Return the response that reports a problem."""
    document = problem.to_dict()
    request_id = request.scope.get("state", {}).get("request_id")
    if request_id is not None:
        document["request_id"] = request_id
    if request.url.path.startswith(("/v1/models", "/v2")):
        document["error"] = problem.detail  # where clients of KServe and TensorFlow Serving look
    return Response(to_json(document), problem.status, problem.headers, MEDIA_TYPE)
