"""The HTTP protocol of uvicorn and httptools, with a limit on the size of a request's head."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = 1 << 16
"""Largest number of bytes of a request before its body; httptools has no limit."""


class BoundedProtocol(HttpToolsProtocol):
    """A protocol that closes a connection on which no request begins, or a head does not end."""

    _head = 0
    _in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the wait for the first request to the keep-alive time between two requests."""
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def on_message_begin(self) -> None:
        """Begin to count the bytes of a head."""
        super().on_message_begin()
        self._head, self._in_head = 0, True

    def on_headers_complete(self) -> None:
        """Stop counting."""
        super().on_headers_complete()
        self._in_head = False

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head, and refuse one that is too long."""
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD and not self.transport.is_closing():
                self.send_400_response("The request's head is too long.")
