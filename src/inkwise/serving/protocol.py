"""The HTTP protocol of uvicorn and httptools, with limits on the size and time of heads."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inkwise.serving.settings import Limits

HEAD = 1 << 16
"""Largest number of bytes of a request before its body; httptools has no limit."""


class BoundedProtocol(HttpToolsProtocol):
    """A protocol that closes a connection on which no request begins, or a head does not end."""

    seconds = Limits.seconds
    """Longest time from the first byte of a request to the end of its head."""

    _head = 0
    _in_head = False
    _begun = False  # whether something of a request has come, and not yet all of it
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the wait for the first request to the keep-alive time between two requests."""
        super().connection_made(transport)
        self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Limit no time any more."""
        super().connection_lost(exc)
        self._lift_deadline()

    def on_message_begin(self) -> None:
        """Begin to count the bytes of a head."""
        super().on_message_begin()
        self._head, self._in_head, self._begun = 0, True, True

    def on_headers_complete(self) -> None:
        """Stop counting; from here on, `inkwise.serving.gate` limits the time."""
        super().on_headers_complete()
        self._in_head = False
        self._lift_deadline()

    def on_message_complete(self) -> None:
        """Lift the limit on the rest of a body that was answered before it had come."""
        super().on_message_complete()
        self._begun = False
        self._lift_deadline()

    def data_received(self, data: bytes) -> None:
        """Count the bytes and the time of a head, and refuse one that is too long."""
        self._begun = True  # by blank lines, too, of which the parser tells nothing
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD:
                self.send_400_response("The request's head is too long.")
                return
        if self.cycle is None or self.cycle.response_complete:
            # uvicorn has stopped its timer, and nothing else limits the time.
            if not self._begun:
                self._wait_for_request()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(self.seconds, self.transport.close)

    def _wait_for_request(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _lift_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
