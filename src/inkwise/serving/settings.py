"""The service's settings: the model, the address, authorisation, and the limits of requests."""

import dataclasses
import re
from pathlib import Path

from inkwise.errors import ArgumentError

TOKEN_VARIABLE = "INKWISE_TOKEN"  # noqa: S105
"""The environment variable that holds the token, which would be visible on the command line."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")  # RFC 6750, and long enough not to be guessed
_ORIGIN = re.compile(r"https?://[^/\s,*?#@]+")


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of one request, and of all requests of one worker together.

    Parameters
    ----------
    body_bytes : int
        Largest number of bytes in a request body.
    held_bytes : int
        Largest number of bytes in the bodies of all requests that are being read or answered.
    pictures : int
        Largest number of encoded pictures in a request.
    images : int
        Largest number of images in a request that sends arrays.
    pixels : int
        Largest number of pixels in a picture, checked before it is decoded.
    seconds : float
        Longest time from the end of a request's head to the end of its response. The head has a
        limit of its own; see `inkwise.serving.protocol`.
    waiting : int
        Largest amount of queued work, in images. A picture, which must be decoded and
        preprocessed, counts as `inkwise.serving.batching.PICTURE` images.

    Raises
    ------
    ArgumentError
        A limit is not positive.
    """

    body_bytes: int = 16 << 20
    held_bytes: int = 64 << 20
    pictures: int = 128
    images: int = 4096
    pixels: int = 25_000_000
    seconds: float = 30.0
    waiting: int = 4096

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not value > 0:
                raise ArgumentError(f"the limit of {name} must be more than 0, not {value}")


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a service.

    Parameters
    ----------
    model : Path or None
        A run or a model directory; None is the model that comes with the package.
    host : str
        The address to listen on.
    port : int
        The port to listen on, up to 65535; 0 lets the system choose one.
    workers : int
        Number of processes that share the port, 1 to 64.
    token : str or None
        The token that clients must send as ``Authorization: Bearer …``; None requires none.
    cors : tuple of str
        Origins whose pages may send requests from a browser, or ``*`` for any origin.
    limits : Limits
        The limits of requests.
    corrections : Path or None
        The folder in which corrected pictures are kept; None keeps nothing.

    Raises
    ------
    ArgumentError
        A value is out of range or malformed.
    """

    model: Path | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    token: str | None = dataclasses.field(default=None, repr=False)
    cors: tuple[str, ...] = ()
    limits: Limits = dataclasses.field(default_factory=Limits)
    corrections: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ArgumentError(f"the port must lie between 0 and 65535, not at {self.port}")
        if not 1 <= self.workers <= 64:
            raise ArgumentError(f"there must be 1 to 64 workers, not {self.workers}")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ArgumentError(
                "the token must have 16 to 512 characters, which are letters, digits or any of "
                "-._~+/: make one with `openssl rand -hex 32`"
            )
        for origin in self.cors:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ArgumentError(
                    f"{origin} is not an origin: name scheme and host, as https://example.com, or *"
                )
