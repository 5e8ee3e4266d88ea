"""Authorisation: a bearer token that clients send, compared in constant time."""

import hmac

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from inkwise.serving.problems import Problem, respond

OPEN = ("/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
"""Paths that need no token: pages without secrets, and the health checks."""

OPEN_FOLDERS = ("/page/", "/static/")
"""Prefixes of the static files' paths, which need no token, either."""


class TokenRequired:
    """Middleware that refuses requests without the token.

    Parameters
    ----------
    app : ASGI application
        The application that answers the requests with it.
    token : str
        The token that clients must send.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 401."""
        if scope["type"] == "http" and not self._may_pass(scope):
            problem = Problem(
                401,
                "this service requires a token: send it as `Authorization: Bearer …`",
                {"WWW-Authenticate": 'Bearer realm="inkwise"'},
            )
            await respond(Request(scope), problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in OPEN or path.startswith(OPEN_FOLDERS):
            return True
        given = next((v for name, v in scope["headers"] if name == b"authorization"), b"")
        # The scheme is case-insensitive, the token is not.
        scheme, _, rest = given.partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + rest.strip(), self._expected)
