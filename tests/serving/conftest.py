"""Two ways to ask the service: in this process, which is quick, and over a socket."""

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inkwise.serving.app import create_app
from inkwise.serving.service import Service
from inkwise.serving.settings import Settings
from tests.strokes import draw, strokes

TOKEN = "correct-horse-battery"  # noqa: S105


COMMAND = """
import sys
for name in ("torch", "onnx", "sklearn", "scipy", "matplotlib"):
    sys.modules[name] = None  # serving does without
from inkwise.cli.app import main
if __name__ == "__main__":
    main()
"""
"""The command, as if the libraries of the extra ``train`` were not installed."""


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


@dataclasses.dataclass
class Running:
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def get(self, path: str) -> tuple[int, bytes]:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=30) as answer:
            return answer.status, answer.read()

    def lines(self) -> list[dict[str, Any]]:
        """Return the log; every line must be JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


StartServer = Callable[..., Running]


@contextlib.contextmanager
def servers(folder: Path, model_folder: Path) -> Iterator[StartServer]:
    """Give what runs the command, with logs in a folder, and waits until it answers."""
    started: list[Running] = []

    def start(*arguments: str | Path, model: Path = model_folder, **environment: str) -> Running:
        options = ["--port", "0", "--model", str(model), *map(str, arguments)]
        log = folder / f"log-{len(started)}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    COMMAND,
                    "serve",
                    "--port=0",
                    "--model",
                    str(model),
                    *options,
                ],
                stdout=out,
                stderr=subprocess.PIPE,
                env={**os.environ, **environment},
            )
        assert process.stderr is not None
        told = process.stderr.readline().decode()
        assert "inkwise serves on http://" in told, told
        running = Running(process, told.split()[3].rstrip(","), log)
        started.append(running)

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            with contextlib.suppress(OSError):
                return running.get("/v2/health/ready")[0] == 200
            return False

        running.wait_for(answers)
        return running

    try:
        yield start
    finally:
        for running in started:
            if running.process.poll() is None:
                running.process.kill()
            running.process.wait()
            assert running.process.stderr is not None
            running.process.stderr.close()


@pytest.fixture
def start_server(tmp_path: Path, model_folder: Path) -> Iterator[StartServer]:
    with servers(tmp_path, model_folder) as start:
        yield start
