"""Who may ask: a token that callers bring, compared in constant time."""

import hmac

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from inkwise.serving.problems import Problem, respond

OPEN = ("/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
"""What anyone may see: pages without secrets, and whether the service is there."""

OPEN_FOLDER = "/static/"


class TokenRequired:
    """Refuses who does not bring the token.

    Parameters
    ----------
    app : ASGI application
    token : str
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 401."""
        if scope["type"] == "http" and not self._may_pass(scope):
            problem = Problem(
                401,
                "this service asks for a token: send it as `Authorization: Bearer …`",
                {"WWW-Authenticate": 'Bearer realm="inkwise"'},
            )
            await respond(Request(scope), problem)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_pass(self, scope: Scope) -> bool:
        path = scope["path"]
        if path in OPEN or path.startswith(OPEN_FOLDER):
            return True
        given = next((v for name, v in scope["headers"] if name == b"authorization"), b"")
        # The scheme's case does not matter, the token's does.
        scheme, _, rest = given.partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + rest.strip(), self._expected)
