"""The service over a socket: servers in processes of their own."""

import contextlib
import dataclasses
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

COMMAND = """
import sys
for name in ("torch", "onnx", "sklearn", "scipy", "matplotlib"):
    sys.modules[name] = None  # serving does without
from inkwise.cli.main import main
if __name__ == "__main__":
    main()
"""
"""The command, as if the libraries of the extra ``train`` were not installed."""


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
        log = folder / f"log-{len(started)}"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, "serve", "--port=0", "--model", model, *arguments],
                stdout=out,
                stderr=subprocess.PIPE,
                env={**os.environ, **environment},
            )
        assert process.stderr is not None
        told = process.stderr.readline().decode()
        assert "inkwise serves on http://" in told, told
        running = Running(process, told.split()[3].rstrip(",;"), log)
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
