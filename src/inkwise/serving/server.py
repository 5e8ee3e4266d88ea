"""Running the service: the socket, the workers, and the signals that they handle."""

import asyncio
import contextlib
import ctypes
import errno
import functools
import multiprocessing
import os
import platform
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from inkwise.errors import ArgumentError, ServingError
from inkwise.serving.settings import TOKEN_VARIABLE, Settings
from inkwise.system.extras import require_serving

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

_M_MMAP_THRESHOLD = -3  # from glibc's malloc.h

BACKLOG = 2048
"""Largest number of connections that wait to be accepted."""

KEEP_ALIVE_SECONDS = 75
"""Time for which an idle connection stays open.

It is longer than that of common proxies. Otherwise a proxy could send a request into a connection
that the service is just closing.
"""

DRAIN_SECONDS = 30
"""Time that unfinished requests have after the service was told to end."""


def serve(
    model: str | os.PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    token: str | None = None,
    cors: Sequence[str] = (),
    keep_corrections: str | os.PathLike[str] | None = None,
    on_ready: Callable[[str], object] | None = None,
) -> None:
    """Answer requests over HTTP until SIGTERM or Ctrl-C; then finish the open requests.

    SIGHUP loads the model again. The log goes to standard output, one JSON object per line.

    Parameters
    ----------
    model : path-like, optional
        A run or a model directory; by default the model that comes with the package.
    host : str
        The address to listen on. The default can be reached from this machine only.
    port : int
        The port to listen on; 0 lets the system choose one.
    workers : int
        Number of processes that share the port; one for each core is fastest.
    token : str, optional
        The token that clients must send as ``Authorization: Bearer …``; by default the value of
        the environment variable INKWISE_TOKEN. Without either, no token is required.
    cors : sequence of str
        Origins whose pages may send requests from a browser.
    keep_corrections : path-like, optional
        A folder for pictures whose classes users of the page correct, in the form that
        `inkwise.load_folder` reads. By default nothing that is sent is kept.
    on_ready : callable, optional
        Called with the service's address once it listens.

    Raises
    ------
    ArgumentError
        A value is out of range or malformed.
    ServingError
        The address is in use, or does not belong to this machine.
    LibraryError
        The libraries of the extra ``serve`` are not installed.
    ModelError, RunError, StorageError
        There is no such model, or it is damaged.

    Examples
    --------
    >>> import os, signal, threading, urllib.request
    >>> import inkwise
    >>> def ask_and_end(address):
    ...     with urllib.request.urlopen(address + "/v2/health/ready") as response:
    ...         print("ready:", response.status)
    ...     os.kill(os.getpid(), signal.SIGTERM)
    >>> def on_ready(address):
    ...     threading.Thread(target=ask_and_end, args=[address]).start()
    >>> inkwise.serve("runs/small", port=0, on_ready=on_ready)
    ready: 200
    """
    require_serving("serving")
    if isinstance(cors, str):
        raise ArgumentError("cors is a list of origins: put a single one in brackets")
    settings = Settings(
        None if model is None else Path(model),
        host,
        port,
        workers,
        token or os.environ.get(TOKEN_VARIABLE) or None,
        tuple(cors),
        corrections=None if keep_corrections is None else Path(keep_corrections),
    )
    from inkwise.serving.service import load, open_kept_pictures

    open_kept_pictures(settings, load(settings))  # raises its errors before anything listens
    with _listen(settings) as listener:
        if on_ready is not None:
            on_ready(_address(listener))
        if settings.workers == 1:
            _run_here(settings, listener)
        else:
            _run_workers(settings, listener)


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    place = f"{settings.host}, port {settings.port}"
    try:
        family, *_ = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServingError(
                f"{place} is in use: end the program that listens there, or choose another --port"
            ) from error
        raise ServingError(f"cannot listen on {place}: {error.strerror or error}") from error
    except (UnicodeError, OverflowError) as error:
        raise ServingError(f"cannot listen on {place}: that is not an address") from error
    with listener:
        listener.set_inheritable(True)
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def return_freed_memory() -> None:
    """Make glibc's malloc return the memory of large pictures to the system once it is freed.

    By default malloc raises its threshold after the first large block, and then keeps such blocks
    in every thread: the service's memory would not shrink after one large picture. See mallopt(3).
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def end_with_parent() -> None:
    """Let this worker end as soon as its supervisor is gone, even if that was killed.

    Nobody else would end it, and it would keep the port and answer for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def make_application(settings: Settings) -> "ASGIApp":
    """Make the application of one worker, from within its event loop; see `serve`."""
    from inkwise.serving.app import create_app
    from inkwise.serving.service import Service

    return_freed_memory()
    if settings.workers > 1:
        end_with_parent()
    service = Service(settings)
    if hasattr(signal, "SIGHUP"):
        loop = asyncio.get_running_loop()
        reloading: set[asyncio.Task[None]] = set()  # the event loop holds only weak references

        def reload() -> None:
            task = loop.create_task(service.reload_or_log())
            reloading.add(task)
            task.add_done_callback(reloading.discard)

        loop.add_signal_handler(signal.SIGHUP, reload)
        if settings.workers > 1:
            service.tell_others = functools.partial(os.kill, os.getppid(), signal.SIGHUP)
    return create_app(service)


def _run_here(settings: Settings, listener: socket.socket) -> None:
    import uvicorn

    with _ends_quietly():
        uvicorn.Server(_configuration(settings)).run([listener])


def _run_workers(settings: Settings, listener: socket.socket) -> None:
    from inkwise.serving.metrics import SHARED
    from inkwise.serving.workers import Workers

    with tempfile.TemporaryDirectory(prefix="inkwise-metrics-") as folder:
        os.environ[SHARED] = folder
        try:
            workers = Workers(_configuration(settings), [listener])
            workers.run()
        finally:
            del os.environ[SHARED]
    if workers.failed:
        raise ServingError("a worker could not start: the log says why")


def _configuration(settings: Settings) -> "uvicorn.Config":
    import uvicorn

    from inkwise.serving.log import CONFIGURATION
    from inkwise.serving.protocol import BoundedProtocol

    return uvicorn.Config(
        functools.partial(make_application, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=CONFIGURATION,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


@contextlib.contextmanager
def _ends_quietly() -> Iterator[None]:
    """Ignore the signal that uvicorn raises again after its shutdown, so that the command ends."""

    def ignore(_signal: int, _frame: FrameType | None) -> None:
        pass

    before = {each: signal.signal(each, ignore) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
