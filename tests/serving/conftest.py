"""What the tests of the service share."""

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inkwise.serving.app import create_app
from inkwise.serving.service import Service
from inkwise.serving.settings import Settings
from tests.serving.processes import StartServer, servers
from tests.strokes import draw, strokes

TOKEN = "correct-horse-battery"  # noqa: S105


def png(kind: str, ink: int = 20) -> bytes:
    """Draw one of `tests.strokes.LINES`, and encode it."""
    file = io.BytesIO()
    draw(kind, ink).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of strokes; it is shared: read it."""
    return strokes().save(tmp_path_factory.mktemp("model") / "strokes")


MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(model_folder: Path) -> Iterator[MakeClient]:
    """Make a client of a service with the settings that are given."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> TestClient:
            service = Service(Settings(**{"model": model_folder, **settings}))
            client = TestClient(create_app(service), raise_server_exceptions=False)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()


@pytest.fixture
def start_server(tmp_path: Path, model_folder: Path) -> Iterator[StartServer]:
    with servers(tmp_path, model_folder) as start:
        yield start
