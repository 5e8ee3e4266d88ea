"""Files for browsers: the page, the API reference, and the static files of both."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from inkwise.browser.index import PAGE, page_html
from inkwise.serving.reference import render

FOLDERS = {"/page": PAGE, "/static": Path(__file__).with_name("static")}
"""Folders of static files, by their paths: the page's, and the reference's."""


class RevalidatedFiles(StaticFiles):
    """Serves files that a browser caches, and revalidates every time it loads the page."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Respond with a file, or with status 304 if the browser's copy is up to date."""
        response = super().file_response(*args, **kwargs)
        # Without this header a browser could combine a new page with an old script.
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_router(app: FastAPI) -> APIRouter:
    """Return the routes of the pages, which are not part of the API."""
    router = APIRouter(include_in_schema=False)
    first = page_html("served")

    @router.get("/", response_class=HTMLResponse)
    async def index() -> str:
        return first

    @router.get("/docs", response_class=HTMLResponse)
    async def docs(request: Request) -> str:
        return render(app.openapi(), str(request.base_url).rstrip("/"))

    return router
