"""Fuzz the service: send it damaged pictures, request bodies and requests.

It must answer or reject every request, without failing, hanging or using more and more memory.
"""

import argparse
import contextlib
import http.client
import io
import random
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from record import write_record
from serving import FORM, PORT, as_json, form, memory, running, tensor_head

import inkwise

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000")

SECONDS = 35
"""Longest time that an answer may take, in seconds; the service gives up after 30."""

OCTETS = "application/octet-stream"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--model", type=Path, help="a run; by default the model in the package")
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)  # noqa: S311 - nothing is secret
    goods = make_goods()
    statuses: Counter[str] = Counter()
    slowest, failures = 0.0, 0
    with running(arguments) as pid:
        connection = connect()
        start_memory = [0.0]
        for number in range(arguments.requests):
            if number == arguments.requests // 10:  # every library is loaded by then
                start_memory = memory(pid)
            began = time.perf_counter()
            if number % 20 == 0:
                status = send_raw(damage(generator, RAW))
                failures += status.startswith("raw 5")
            else:
                path, kind, good, more = generator.choice(goods)
                body = damage(generator, good)
                try:
                    headers = {"Content-Type": kind, **more}
                    connection.request("POST", path, body, headers)
                    response = connection.getresponse()
                    content = response.read()
                    status = str(response.status)
                    if status.startswith("5"):
                        print(f"{number}: {path} {kind} {content[:300]!r}\n  {body[:200]!r}")
                        failures += 1
                except (OSError, http.client.HTTPException) as error:
                    status = type(error).__name__
                    failures += 1
                    print(f"{number}: {path} {kind} {status}\n  {body[:200]!r}")
                    connection.close()
                    connection = connect()
            slowest = max(slowest, time.perf_counter() - began)
            statuses[status] += 1
            if number % 5000 == 4999:
                print(f"{number + 1:,} requests: {dict(statuses)}", flush=True)
        end_memory = memory(pid)
    figures = {
        "requests": arguments.requests,
        "seed": arguments.seed,
        "statuses": dict(sorted(statuses.items())),
        "failures": failures,
        "slowest_seconds": round(slowest, 2),
        "mebibytes_after_a_tenth": start_memory,
        "mebibytes_at_the_end": end_memory,
    }
    print(figures)
    if not arguments.no_record:
        print(f"wrote {write_record('fuzz-serving', figures)}")
    sys.exit(failures > 0)


RAW = (
    b"POST /v1/predict/array?shape=1,28,28 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    b"Content-Type: application/octet-stream\r\nX-Request-ID: abc\r\nAuthorization: Bearer a\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n310\r\n" + bytes(784) + b"\r\n0\r\n\r\n"
)

Good = tuple[str, str, bytes, dict[str, str]]


def make_goods() -> list[Good]:
    """Return valid requests: path, media type, body, further headers."""
    digits = inkwise.load_dataset("mnist").train.images[-40:]
    pictures = []
    for format_, digit in zip(FORMATS * 4, digits, strict=False):
        for mode, scale in (("L", 1), ("RGB", 3), ("P", 2)):
            file = io.BytesIO()
            large = Image.fromarray(np.kron(digit, np.ones((scale, scale), np.uint8)))
            with contextlib.suppress(OSError):  # the format does not support the mode
                large.convert(mode).save(file, format_)
                pictures.append(file.getvalue())
    v2 = tensor_head(2)
    array = io.BytesIO()
    np.save(array, digits[:3])
    instances = repr({"instances": digits[:1].tolist()}).replace("'", '"').encode()
    nested = repr({"images": digits[:1].tolist()}).replace("'", '"').encode()
    goods: list[Good] = [("/v1/predict", "image/png", picture, {}) for picture in pictures]
    for first in range(0, len(pictures) - 3, 3):
        few = pictures[first : first + 3]
        goods += [("/v1/predict", FORM, form(few), {})]
        goods += [("/v1/predict", "application/json", as_json(few), {})]
    goods += 6 * [
        ("/v1/predict/array?shape=3,28,28", OCTETS, digits[:3].tobytes(), {}),
        ("/v1/predict/array", "application/x-npy", array.getvalue(), {}),
        ("/v1/predict/array", "application/json", nested, {}),
        ("/v1/models/inkwise:predict", "application/json", instances, {}),
        (
            "/v2/models/inkwise/infer",
            OCTETS,
            v2 + digits[:2].tobytes(),
            {"Inference-Header-Content-Length": str(len(v2))},
        ),
        ("/v2/repository/models/inkwise/load", "application/json", b"{}", {}),
    ]
    return goods


def damage(generator: random.Random, good: bytes) -> bytes:
    """Change, remove, repeat or insert a few bytes, mostly near the beginning."""
    body = bytearray(good)
    for _ in range(generator.choice((0, 1, 1, 2, 4, 16))):
        reach = len(body) if generator.random() < 0.5 else min(len(body), 64)
        place = generator.randrange(max(1, reach))
        match generator.randrange(6):
            case 0:
                body[place : place + 1] = bytes([generator.randrange(256)])
            case 1:
                body[place : place + 1] = bytes([generator.choice((0, 1, 127, 128, 255))])
            case 2:
                del body[place : place + generator.randrange(1, 40)]
            case 3:
                body[place:place] = generator.randbytes(generator.randrange(1, 9))
            case 4:
                body[place:place] = body[place : place + generator.randrange(1, 200)]
            case _:
                del body[place + len(body) // 2 :]
    return bytes(body)


def connect() -> http.client.HTTPConnection:
    """Return a connection with a timeout of `SECONDS`."""
    return http.client.HTTPConnection("127.0.0.1", PORT, timeout=SECONDS)


def send_raw(request: bytes) -> str:
    """Send bytes that need not be valid HTTP, and return the status of the response, if any."""
    caller = socket.create_connection(("127.0.0.1", PORT), timeout=SECONDS)
    with caller, contextlib.suppress(ConnectionError):
        caller.sendall(request)
        caller.shutdown(socket.SHUT_WR)
        answer = caller.recv(64)
        if answer.startswith(b"HTTP/1.1 "):
            return f"raw {answer[9:12].decode()}"
    return "raw closed"


if __name__ == "__main__":
    main()
