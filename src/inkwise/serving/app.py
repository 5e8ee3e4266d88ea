"""The ASGI application: all routes, wrapped in the middleware."""

import contextlib
import functools
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from inkwise.errors import InkwiseError
from inkwise.serving import kserve_v1, numbers_api, page_api, static_files, v1, v2
from inkwise.serving.gate import Gate
from inkwise.serving.metrics import MEDIA_TYPE
from inkwise.serving.problems import Problem, from_inkwise, respond
from inkwise.serving.reference import complete
from inkwise.serving.security import TokenRequired
from inkwise.serving.service import Service
from inkwise.version import __version__

DESCRIPTION = """\
Classifies pictures of handwritten digits, or abstains, and reads numbers. The content of requests
is {kept}. Errors have the form of RFC 9457. Every response has an `X-Request-ID`, which is that of
the request if it has one.
"""

KEPT = {
    False: "neither stored nor logged",
    True: "not logged, and not stored, except for corrections",
}
"""What happens to the content of requests, by whether corrections are kept."""


def create_app(service: Service) -> ASGIApp:
    """Make the ASGI application of a service.

    Parameters
    ----------
    service : Service
        The service. It is opened when the application starts, and closed when it ends.

    Returns
    -------
    ASGI application
        The routes, wrapped in the middleware.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.open()
        try:
            yield
        finally:
            service.close()

    app = FastAPI(
        title="inkwise",
        version=__version__,
        description=DESCRIPTION.format(kept=KEPT[service.kept_pictures is not None]),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(v1.make_router(service))
    app.include_router(numbers_api.make_router(service))
    app.include_router(page_api.make_router(service))
    app.include_router(kserve_v1.make_router(service))
    app.include_router(v2.make_router(service))
    app.include_router(static_files.make_router(app))
    for path, folder in static_files.FOLDERS.items():
        app.mount(path, static_files.RevalidatedFiles(directory=folder), name=path.strip("/"))

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        tags=["Operation"],
        response_class=PlainTextResponse,
    )
    async def metrics() -> Response:
        """Count requests, latencies, batch sizes, queued work and verdicts; name the model."""
        return Response(service.metrics.show(), media_type=MEDIA_TYPE)

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return respond(request, error)

    @app.exception_handler(InkwiseError)
    async def refused(request: Request, error: InkwiseError) -> Response:
        return respond(request, from_inkwise(error))

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        told = {
            404: "there is nothing at this path: /docs lists the paths",
            405: "this path does not accept this method: /docs lists those that it accepts",
        }
        return respond(
            request,
            Problem(error.status_code, told.get(error.status_code, error.detail), error.headers),
        )

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _: ClientDisconnect) -> Response:
        return respond(request, Problem(400, "the client closed the connection within its request"))

    @app.exception_handler(Exception)
    async def mistake(request: Request, _: Exception) -> Response:
        return respond(request, Problem(500, "the service failed: its log says why"))

    complete(app, service.settings)
    inner: ASGIApp = app
    if service.settings.token is not None:
        inner = TokenRequired(inner, service.settings.token)
    if not service.settings.cors:
        return Gate(inner, service)
    share = functools.partial(
        CORSMiddleware,
        allow_origins=service.settings.cors,
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID", "X-Shape"],
        expose_headers=["X-Request-ID", "Retry-After"],
    )
    return Gate(inner, service, share)
