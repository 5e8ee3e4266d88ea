"""What a service is told: which model, where it listens, who may ask, and how much at once."""

import dataclasses
import re
from pathlib import Path

from inkwise.errors import ArgumentError

TOKEN_VARIABLE = "INKWISE_TOKEN"  # noqa: S105
"""The environment variable that holds the token, so that it need not be on the command line."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")  # RFC 6750, and long enough not to be guessed
_ORIGIN = re.compile(r"https?://[^/\s,*?#@]+")


@dataclasses.dataclass(frozen=True)
class Limits:
    """How much one request, and all of them together, may ask of one worker.

    Parameters
    ----------
    body_bytes : int
        In the body of a request.
    held_bytes : int
        In the bodies of all requests that are being read or answered.
    pictures : int
        Encoded pictures in a request.
    images : int
        Images in a request that brings arrays.
    pixels : int
        In a picture, counted before it is decoded.
    seconds : float
        From a request's first byte to its answer.
    waiting : int
        Images that wait to be computed. A picture, which must be decoded and searched for ink,
        counts as `inkwise.serving.batching.PICTURE` images.

    Raises
    ------
    ArgumentError
        One of them is not positive.
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
    """What a service is told when it starts.

    Parameters
    ----------
    model : Path or None
        A run or a model directory; None for the model that comes with the package.
    host : str
        The address to listen on.
    port : int
        From 0, where the system chooses one, to 65535.
    workers : int
        Processes that share the port.
    token : str or None
        What a caller must bring as ``Authorization: Bearer …``; None where anyone may ask.
    cors : tuple of str
        The origins whose pages may ask from a browser, or ``*`` for any.
    limits : Limits
    corrections : Path or None
        The folder in which corrected pictures are kept; None where nothing is.

    Raises
    ------
    ArgumentError
        A value makes no sense.
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
            raise ArgumentError(f"a port lies between 0 and 65535, not at {self.port}")
        if not 1 <= self.workers <= 64:
            raise ArgumentError(f"there can be from 1 to 64 workers, not {self.workers}")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ArgumentError(
                "a token has from 16 to 512 letters, digits or any of -._~+/ and is what callers "
                "send as a bearer token: make one with `openssl rand -hex 32`"
            )
        for origin in self.cors:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ArgumentError(
                    f"{origin} is no origin: name scheme and host, as https://example.com, or *"
                )
