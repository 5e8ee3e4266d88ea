"""A plain file server, as any host of static pages is one."""

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path


class Host:
    """A file server that can be stopped.

    Parameters
    ----------
    folder : Path
        What it serves.
    headers : mapping of str to str, optional
        Headers that it adds to its responses.

    Attributes
    ----------
    address : str
        Its address, without a slash at the end.
    sent : list of str
        The paths of what it has sent, without a slash at either end.
    """

    def __init__(self, folder: Path, headers: Mapping[str, str] | None = None) -> None:
        self.sent: list[str] = []
        handler = functools.partial(
            _Handler, directory=str(folder), headers=headers or {}, sent=self.sent
        )
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._running = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._running:
            self._server.shutdown()
            self._server.server_close()
        self._running = False


class _Handler(http.server.SimpleHTTPRequestHandler):
    # What the system knows of endings is not the same on every machine.
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
    }

    def __init__(
        self,
        *arguments: object,
        headers: Mapping[str, str],
        sent: list[str],
        **named: object,
    ) -> None:
        self._more = headers
        self._sent = sent
        super().__init__(*arguments, **named)  # type: ignore[arg-type]

    def end_headers(self) -> None:
        for name, value in self._more.items():
            self.send_header(name, value)
        super().end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if code == 200:
            self._sent.append(self.path.split("?")[0].strip("/"))

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def hosted(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[Host]:
    """Serve a folder."""
    host = Host(folder, headers)
    try:
        yield host
    finally:
        host.stop()
