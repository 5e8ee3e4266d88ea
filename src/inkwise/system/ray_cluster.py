"""A cluster of Ray: connecting to it, or starting one on this machine."""

import contextlib
import importlib
import os
import socket
from collections.abc import Iterator
from typing import Any

from inkwise.errors import RunError


@contextlib.contextmanager
def open_ray(address: str | None) -> Iterator[Any]:
    """Yield Ray, connected to the cluster at an address, or to one of this machine's own.

    A connection that is there already is used, and left.

    Raises
    ------
    RunError
        There is no cluster at the address.
    """
    if address:
        _reach(address)
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # it would print while it works
    ray: Any = importlib.import_module("ray")
    own = not ray.is_initialized()
    if own:
        options = {} if address else {"include_dashboard": False}
        try:
            ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"there is no Ray at {address or 'this machine'}: {reason}") from error
    try:
        yield ray
    finally:
        if own:
            ray.shutdown()


def _reach(address: str) -> None:
    """Make sure that somebody answers at an address of the form HOST:PORT.

    Ray itself waits for more than a minute where nobody does, and prints a log of its own.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        return  # "auto", or what Ray will refuse
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise RunError(f"there is no Ray at {address}: {error}") from error
