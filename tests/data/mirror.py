"""A web server on this machine that behaves, or misbehaves, as mirrors do."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self


class Mirror:
    """Serve files from 127.0.0.1 while the ``with`` block lasts.

    Parameters
    ----------
    files : mapping of str to bytes
        Their names and contents.
    behaviour : callable
        Given the request's handler and the content, answers the request.
    """

    def __init__(self, files: Mapping[str, bytes], behaviour: "Behaviour | None" = None) -> None:
        self.requests: list[str] = []
        self.stopping = threading.Event()
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # A request for a full address comes from a client that takes us for its proxy.
                name = self.path.rpartition("/")[2]
                mirror.requests.append(self.path)
                # The client may leave first.
                with contextlib.suppress(OSError):
                    if name in files:
                        (behaviour or serve)(Answer(self, mirror.stopping), files[name])
                    else:
                        self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.address = f"http://{self.host}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class Answer:
    """What a behaviour answers with."""

    def __init__(
        self, handler: http.server.BaseHTTPRequestHandler, stopping: threading.Event
    ) -> None:
        self._handler = handler
        self._stopping = stopping

    def head(self, status: int = 200, length: int | str | None = None, **headers: str) -> None:
        """Send the status line and the headers."""
        self._handler.send_response(status)
        if length is not None:
            self._handler.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()

    def body(self, content: bytes) -> None:
        """Send a part of the body, or all of it."""
        self._handler.wfile.write(content)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait; return whether the server goes on."""
        return not self._stopping.wait(seconds)


Behaviour = Callable[[Answer, bytes], None]


def serve(answer: Answer, content: bytes) -> None:
    answer.head(length=len(content))
    answer.body(content)


def serve_without_length(answer: Answer, content: bytes) -> None:
    answer.head()
    answer.body(content)


def serve_with_senseless_length(answer: Answer, content: bytes) -> None:
    answer.head(length="many")
    answer.body(content)


def serve_encoded(answer: Answer, content: bytes) -> None:
    # As some servers do with a .gz file: the client is to unpack it.
    answer.head(length=len(content), Content_Encoding="gzip")
    answer.body(content)


def cut(answer: Answer, content: bytes) -> None:
    answer.head(length=len(content))
    answer.body(content[: len(content) // 2])


def cut_without_length(answer: Answer, content: bytes) -> None:
    answer.head()
    answer.body(content[: len(content) // 2])


def corrupt(answer: Answer, content: bytes) -> None:
    middle = len(content) // 2
    serve(answer, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def error_page(answer: Answer, content: bytes) -> None:
    page = b"<!DOCTYPE html><title>Sign in to the guest network</title>"
    answer.head(length=len(page), Content_Type="text/html")
    answer.body(page)


def undecodable(answer: Answer, content: bytes) -> None:
    answer.head(length=len(content), Content_Encoding="gzip")
    answer.body(b"not gzip" + content[8:])


def status(code: int) -> Behaviour:
    def behaviour(answer: Answer, content: bytes) -> None:
        answer.head(code, length=0)

    return behaviour


def silent(answer: Answer, content: bytes) -> None:
    answer.wait()


def silent_after_a_while(answer: Answer, content: bytes) -> None:
    cut(answer, content)
    answer.wait()


def trickle(answer: Answer, content: bytes) -> None:
    answer.head(length=len(content))
    for k in range(len(content)):
        answer.body(content[k : k + 1])
        if not answer.wait(0.02):
            break


def flood(answer: Answer, content: bytes) -> None:
    answer.head()
    while answer.wait(0):
        answer.body(content)


class Bar:
    """What draws a download, without the drawing."""

    def __init__(self) -> None:
        self.total: float = 0
        self.done = 0

    def update(self, n: int, /) -> None:
        self.done += n


def refusing_address() -> str:
    """Return an address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@contextlib.contextmanager
def unanswering_address() -> Iterator[str]:
    """Give an address whose packets go unanswered: its queue of connections is full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
