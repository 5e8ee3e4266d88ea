"""The command in a process of its own: its socket, its workers, its signals."""

import contextlib
import dataclasses
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from inkwise.errors import ArgumentError
from inkwise.model.calibration import Calibration
from inkwise.serving import server
from tests.cli.conftest import Call, call  # noqa: F401 - a fixture
from tests.serving.conftest import TOKEN, png
from tests.serving.processes import Running, StartServer
from tests.strokes import strokes

BODY = png("flat")


def connect(running: Running) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(running.address.removeprefix("http://"), timeout=60)


def ask(connection: http.client.HTTPConnection) -> tuple[int, Any]:
    connection.request("POST", "/v1/predict", BODY, {"Content-Type": "image/png"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


# --- beginning ---


@pytest.mark.usefixtures("interruptible")
@pytest.mark.slow
def test_it_answers_logs_json_and_ends(start_server: StartServer) -> None:
    running = start_server()
    connection = connect(running)
    status, answer = ask(connection)
    assert (status, answer["pictures"][0]["label"]) == (200, "flat")
    assert running.end(signal.SIGINT) == 0  # as Ctrl-C does
    lines = running.lines()
    assert all({"time", "level", "event"} <= {*line} for line in lines)
    assert ("/v1/predict", 200) in [(line.get("path"), line.get("status")) for line in lines]


@pytest.mark.slow
def test_the_token_may_be_in_the_environment(start_server: StartServer) -> None:
    running = start_server(INKWISE_TOKEN=TOKEN)
    assert ask(connect(running))[0] == 401
    connection = connect(running)
    connection.request("GET", "/v2", headers={"Authorization": f"Bearer {TOKEN}"})
    assert connection.getresponse().status == 200
    assert TOKEN not in running.log.read_text()


def test_a_port_in_use_is_a_line(call: Call) -> None:  # noqa: F811
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = call("serve", "--port", port)
    todo = "end the program that listens there, or choose another --port"
    told = f"127.0.0.1, port {port} is in use: {todo}"
    assert (result.code, result.out, result.err) == (1, "", f"error: {told}\n")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--token", "short"], 2, "the token must have 16"),
        (["--cors", "example.com"], 2, "is not an origin"),
        (["--workers", "0"], 2, "must be 1 to 64 workers"),
        (["--port", "70000"], 2, "the port must lie between"),
        (["--host", "203.0.113.7"], 1, "cannot listen on 203.0.113.7, port 8000: "),
        (["--host", "no such host"], 1, "cannot listen on no such host, port 8000: "),
        (["--host", "a" * 70], 1, "that is not an address"),
        (["--model", "nowhere"], 1, "neither a run nor a model at nowhere"),
    ],
)
def test_what_makes_no_sense_is_a_line(
    call: Call,  # noqa: F811
    arguments: list[str],
    code: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("serve", *arguments)
    assert (result.code, result.out) == (code, "")
    assert told in result.err
    assert result.err.count("\n") == 1


def test_one_origin_alone_is_no_list() -> None:
    with pytest.raises(ArgumentError, match="put a single one in brackets"):
        server.serve(cors="https://example.com")


def test_without_its_libraries_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules.update(dict.fromkeys(['fastapi', 'uvicorn']))\n"
        "from inkwise.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "serve"], capture_output=True, text=True, check=False
    )
    told = "error: serving needs FastAPI, uvicorn: pip install 'inkwise[serve]'\n"
    assert (done.returncode, done.stderr) == (1, told)


# --- ending ---


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.slow
def test_what_was_begun_is_finished(start_server: StartServer, workers: str) -> None:
    running = start_server("--workers", workers)
    host, port = running.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as caller:
        head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"
        head += f"Content-Length: {len(BODY)}\r\nExpect: 100-continue\r\n\r\n"
        caller.sendall(head.encode())
        # As soon as the body is wanted, it is being read.
        assert caller.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.sendall(BODY[:50])
        running.process.send_signal(signal.SIGTERM)

        def listens() -> bool:
            try:
                socket.create_connection((host, int(port)), timeout=60).close()
            except OSError:
                return False
            return True

        running.wait_for(lambda: not listens())
        assert running.process.poll() is None
        caller.sendall(BODY[50:])
        answer = b""
        while chunk := caller.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"label":"flat"' in answer
    assert running.process.wait(60) == 0


# --- another model, and another worker ---


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_the_model_is_swapped_without_a_failed_request(
    start_server: StartServer, tmp_path: Path, workers: int
) -> None:
    models = [
        dataclasses.replace(strokes(), calibration=Calibration(temperature=temperature))
        for temperature in (1.0, 2.0, 3.0, 4.0)
    ]
    folder = models[0].save(tmp_path / "swapped")
    running = start_server("--workers", str(workers), model=folder)
    outcomes: list[tuple[int, str]] = []
    ending = threading.Event()

    def keep_asking() -> None:
        connection = connect(running)
        while not ending.is_set():
            status, answer = ask(connection)
            outcomes.append((status, answer["model"]["version"]))

    callers = [threading.Thread(target=keep_asking) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for count, model in enumerate(models[1:], 1):
            asked = len(outcomes)
            running.wait_for(lambda asked=asked: len(outcomes) > asked + 8)  # type: ignore[misc]
            model.save(folder)
            running.process.send_signal(signal.SIGHUP)
            running.wait_for(
                lambda count=count: (
                    sum(  # type: ignore[misc]
                        line["event"] == "model loaded" for line in running.lines()
                    )
                    == count * workers
                )
            )
        asked = len(outcomes)
        running.wait_for(lambda: len(outcomes) > asked + 20)
    finally:
        ending.set()
        for caller in callers:
            caller.join(60)
    assert {status for status, _ in outcomes} == {200}
    assert len({version for _, version in outcomes}) == len(models)
    # Once every worker has told that it has loaded it, none answers with an older one.
    assert len({version for _, version in outcomes[asked + 8 :]}) == 1


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_leaves_the_old_one(
    start_server: StartServer, tmp_path: Path
) -> None:
    folder = strokes().save(tmp_path / "damaged")
    running = start_server(model=folder)
    (folder / "model.json").write_text("{}")
    running.process.send_signal(signal.SIGHUP)
    running.wait_for(lambda: "model not loaded" in running.log.read_text())
    assert ask(connect(running))[0] == 200
    (line,) = (line for line in running.lines() if line["event"] == "model not loaded")
    assert line["level"] == "error"
    assert "does not describe an inkwise model" in line["reason"]


def workers_of(running: Running) -> list[int]:
    pid = running.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers as Linux does")
def test_workers_count_together_and_a_dead_one_is_replaced(start_server: StartServer) -> None:
    running = start_server("--workers", "2")

    def answered() -> float:
        lines = running.get("/metrics")[1].decode().splitlines()
        return sum(
            float(line.split()[-1])
            for line in lines
            if line.startswith('inkwise_requests_total{endpoint="/v1/predict"')
        )

    for _ in range(20):  # connections of their own, for either worker
        connection = connect(running)
        assert ask(connection)[0] == 200
        connection.close()
    running.wait_for(lambda: answered() == 20)
    before = workers_of(running)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    running.wait_for(lambda: len({*workers_of(running)} - {*before}) == 1)
    for _ in range(10):
        assert ask(connect(running))[0] == 200
    assert answered() == 30
    assert running.end() == 0


@pytest.mark.slow
def test_workers_end_with_a_service_that_is_killed(start_server: StartServer) -> None:
    running = start_server("--workers", "2")
    assert ask(connect(running))[0] == 200
    running.end(signal.SIGKILL)

    def refused() -> bool:
        try:
            connect(running).connect()
        except ConnectionRefusedError:
            return True
        return False

    running.wait_for(refused)


# --- HTTP itself ---


def send_until_closed(running: Running, head: bytes, more: bytes) -> None:
    """Send something again and again, until the server closes the connection."""
    host, port = running.address.removeprefix("http://").split(":")
    caller = socket.create_connection((host, int(port)), timeout=60)
    with caller, contextlib.suppress(ConnectionError):
        caller.sendall(head)
        for _ in range(10_000):
            caller.sendall(more)
        raise AssertionError("it took tens of megabytes")


@pytest.mark.slow
def test_what_is_no_http_or_never_ends_is_cut_off(start_server: StartServer) -> None:
    running = start_server()
    for more in (b"a" * 4096 + b"\r\nX-More: ", b"a" * 4096):
        send_until_closed(running, b"GET / HTTP/1.1\r\nHost: a\r\nX-First: ", more)
    for odd in (b"\x16\x03\x01\x02\x00\x01", b"seven\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        host, port = running.address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as caller:
            caller.sendall(odd)
            assert caller.recv(100).startswith(b"HTTP/1.1 400")
    assert ask(connect(running))[0] == 200
