"""The gate: the middleware that every request passes through.

It gives the request an id, enforces the limits of size and time, adds security headers to the
response, and counts and logs the request. It is plain ASGI, without a framework's overhead, because
it runs a thousand times a second.
"""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkwise.serving.problems import Problem, respond, too_busy, too_slow
from inkwise.serving.service import Service

_SANE_ID = re.compile(rb"[A-Za-z0-9._~:/+=-]{1,128}")

_PATH = 200  # how many characters of a path are logged

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
"""Headers of every response: a page may load only what this service serves."""

_access = logging.getLogger("inkwise.serving.access")
_log = logging.getLogger(__name__)


class Gate:
    """Middleware around the application; see the module.

    Parameters
    ----------
    app : ASGI application
        The application that answers the requests.
    service : Service
        The service, whose limits and metrics are used.
    share : callable
        Middleware around the application and around the gate's own refusals, which pages of other
        origins shall be able to read, too.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        share: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    ) -> None:
        self._app = share(app)
        self._service = service
        self._share = share
        self._held = 0  # bytes in the bodies of all requests that are being read or answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; events that are not requests pass through unchanged."""
        if scope["type"] == "http":
            await _Passage(self, scope, receive, send).pass_through()
        else:
            await self._app(scope, receive, send)


class _Passage:
    """One request on its way through the gate."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self._gate = gate
        self._limits = gate._service.limits
        self._scope = scope
        self._receive_next = receive
        self._send_next = send
        self._start = time.perf_counter()
        self._received = self._sent = 0
        self._complete = False  # whether the whole request has been received
        self._status = 0  # of the response, once it has begun
        self._id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = self._id

    async def pass_through(self) -> None:
        try:
            async with asyncio.timeout(self._limits.seconds):
                if _announced(self._scope) > self._limits.body_bytes:
                    await self._refuse(self._too_large())
                else:
                    await self._gate._app(self._scope, self._receive, self._send)
        except TimeoutError:
            await self._refuse(too_slow(self._limits.seconds, sending=not self._complete))
        except Exception:
            # Starlette's handler has sent a response, and raised the error again to be logged.
            _log.exception("failed", extra={"fields": {"request_id": self._id}})
            await self._refuse(Problem(500, "the service failed: its log says why"))
        finally:
            self._gate._held -= self._received
            self._record_request()

    def _too_large(self) -> Problem:
        return Problem(
            413,
            f"a request body may have at most {self._limits.body_bytes:,} bytes: send less",
            {"Connection": "close"},
        )

    async def _refuse(self, problem: Problem) -> None:
        if not self._status:
            answer = self._gate._share(respond(Request(self._scope), problem))
            await answer(self._scope, self._receive_next, self._send)

    async def _receive(self) -> Message:
        message = await self._receive_next()
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self._received += size
            self._gate._held += size
            if self._received > self._limits.body_bytes:
                raise self._too_large()
            if self._gate._held > self._limits.held_bytes:
                raise too_busy()
            self._complete = not message.get("more_body", False)
        return message

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                *HEADERS,
                (b"x-request-id", self._id.encode()),
            ]
        else:
            self._sent += len(message.get("body", b""))
        await self._send_next(message)

    def _record_request(self) -> None:
        seconds = time.perf_counter() - self._start
        scope = self._scope
        route = getattr(scope.get("route"), "path", None) or "other"
        self._gate._service.metrics.request(route, scope["method"], self._status, seconds)
        if not _access.isEnabledFor(logging.INFO):
            return
        client = scope.get("client")
        fields: dict[str, Any] = {
            "request_id": self._id,
            "client": client[0] if client else None,
            "method": scope["method"][:16],
            "path": scope["path"][:_PATH],
            "status": self._status,
            "milliseconds": round(seconds * 1000, 2),
            "bytes_in": self._received,
            "bytes_out": self._sent,
        }
        _access.info("request", extra={"fields": fields})


def _request_id(scope: Scope) -> str:
    """Return the id that the client gave a request, if it is safe to log; else a new one."""
    for value in _values(scope, b"x-request-id"):
        if _SANE_ID.fullmatch(value):
            return value.decode()
    return secrets.token_hex(16)


def _announced(scope: Scope) -> int:
    """Return the announced length of the body in bytes; 0 if it is sent in chunks."""
    for value in _values(scope, b"content-length"):
        if value.isdigit() and len(value) < 20:
            return int(value)
    return 0


def _values(scope: Scope, wanted: bytes) -> Iterator[bytes]:
    return (value for name, value in scope["headers"] if name == wanted)
