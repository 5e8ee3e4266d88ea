"""What a browser loads: the page, the reference, and the static files that they bring."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from inkwise.serving.reference import render

STATIC = Path(__file__).with_name("static")
"""The files that pages bring: style sheets, scripts, pictures."""


class RevalidatedFiles(StaticFiles):
    """Serves files that browsers keep, and of which they ask every time whether they changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Answer with a file, or with 304 to who has it."""
        response = super().file_response(*args, **kwargs)
        # Without this a browser guesses, and pairs a new page with an old script.
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_router(app: FastAPI) -> APIRouter:
    """Return the routes of the pages; they are not part of the interface for programs."""
    router = APIRouter(include_in_schema=False)
    first = (STATIC / "index.html").read_text(encoding="utf-8")

    @router.get("/", response_class=HTMLResponse)
    async def index() -> str:
        return first

    @router.get("/docs", response_class=HTMLResponse)
    async def docs(request: Request) -> str:
        return render(app.openapi(), str(request.base_url).rstrip("/"))

    return router
