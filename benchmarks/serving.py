"""Measure the service under load: requests and images per second, latency, memory, overload.

The load generator, wrk, runs on the same machine and cores. Do not use the machine for anything
else meanwhile.
"""

import argparse
import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from record import write_record

import inkwise

WRK = shutil.which("wrk") or "wrk"

BATCH = 256
"""Number of images in a request that sends arrays."""

PICTURES = 64
"""Number of pictures in a request that sends several."""

PORT = 8765

ADDRESS = f"http://127.0.0.1:{PORT}"

# Every connection sends the bodies in turn. Failures are counted by their status.
SCRIPT = """
local bodies = {{}}
for number = 1, {count} do
  local file = io.open("{folder}/" .. number, "rb")
  bodies[number] = file:read("*a")
  file:close()
end
local headers = {{["Content-Type"] = "{kind}"{more}}}
local turn = 0
local requests = {{}}
function init(arguments)
  for number = 1, {count} do
    requests[number] = wrk.format("POST", "{path}", headers, bodies[number])
  end
end
function request()
  turn = turn % {count} + 1
  return requests[turn]
end
local statuses = {{}}
function setup(thread) table.insert(statuses, thread) end
counts = {{}}
function response(status) counts[status] = (counts[status] or 0) + 1 end
function done(summary, latency)
  local all = {{}}
  for _, thread in ipairs(statuses) do
    for status, count in pairs(thread:get("counts")) do
      all[status] = (all[status] or 0) + count
    end
  end
  io.write("RESULT {{")
  for status, count in pairs(all) do io.write('"', status, '": ', count, ", ") end
  io.write('"seconds": ', summary.duration / 1e6)
  for _, name in ipairs({{"connect", "read", "write", "timeout"}}) do
    io.write(', "', name, '": ', summary.errors[name])
  end
  for _, share in ipairs({{50, 99, 99.9}}) do
    io.write(', "p', share, '": ', latency:percentile(share) / 1000)
  end
  io.write("}}\\n")
end
"""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a run; by default the model in the package")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=60, help="duration of every load")
    parser.add_argument(
        "--memory-seconds", type=int, default=600, help="duration of the load that measures memory"
    )
    parser.add_argument(
        "--no-record", action="store_true", help="show the results without recording them"
    )
    arguments = parser.parse_args()
    if not Path(WRK).is_file():
        sys.exit("the load comes from wrk: apt-get install wrk")
    mnist = inkwise.load_dataset("mnist")
    images = mnist.train.images[-1024:]  # no part of the test split is needed
    pictures = [encode(image) for image in images]
    seconds = arguments.seconds
    figures: dict[str, Any] = {"workers": arguments.workers, "seconds": seconds}
    with tempfile.TemporaryDirectory() as name, running(arguments) as pid:
        loads = Loads(Path(name))
        blocks = images.reshape(-1, BATCH, 28, 28)
        groups = [pictures[first : first + PICTURES] for first in range(0, 1024, PICTURES)]
        octets = "application/octet-stream"
        single = loads.make("/v1/predict", "image/png", pictures)
        as_form = loads.make("/v1/predict", FORM, [form([each]) for each in pictures])
        raw = loads.make(
            f"/v1/predict/array?shape={BATCH},28,28", octets, [each.tobytes() for each in blocks]
        )
        v2_head = tensor_head(BATCH)
        v2 = loads.make(
            "/v2/models/inkwise/infer",
            octets,
            [v2_head + each.tobytes() for each in blocks],
            {"Inference-Header-Content-Length": len(v2_head)},
        )
        forms = loads.make("/v1/predict", FORM, [form(group) for group in groups])
        in_json = loads.make("/v1/predict", "application/json", [as_json(each) for each in groups])

        load(pid, single, 16, min(5, seconds))  # warm-up: the first answers take longest
        figures["memory_mebibytes_before"] = memory(pid)
        for label, script, connections, count in (
            ("single_pictures", single, 16, 1),
            ("single_pictures_in_forms", as_form, 16, 1),
            ("raw_arrays", raw, 8, BATCH),
            ("v2_binary_tensors", v2, 8, BATCH),
            ("pictures_in_forms", forms, 8, PICTURES),
            ("pictures_in_json", in_json, 8, PICTURES),
        ):
            figures[label] = load(pid, script, connections, seconds, count)
            show(label, figures[label])
        # wrk waits for each answer before it sends again: an overload needs many connections.
        figures["overload"] = load(pid, single, 2048, seconds)
        show("overload", figures["overload"])
        figures["recovery_seconds"] = recover(pictures[0])
        figures["memory"] = watch_memory(pid, single, arguments.memory_seconds)
        show("memory", figures["memory"])
        print(f"it answered again after {figures['recovery_seconds']:.2f} s")
    if not arguments.no_record:
        print(f"wrote {write_record('serving', figures)}")


# --- the requests ---

FORM = "multipart/form-data; boundary=inkwise"


def encode(image: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Return an image as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def form(pictures: list[bytes]) -> bytes:
    """Return pictures as a multipart form."""
    head = b'--inkwise\r\nContent-Disposition: form-data; name="pictures"; filename="a.png"\r\n\r\n'
    return b"".join(head + picture + b"\r\n" for picture in pictures) + b"--inkwise--\r\n"


def as_json(pictures: list[bytes]) -> bytes:
    """Return pictures as JSON with base64 strings."""
    return json.dumps({"pictures": [base64.b64encode(each).decode() for each in pictures]}).encode()


def tensor_head(count: int) -> bytes:
    """Return the JSON header that precedes the image bytes in the Open Inference Protocol."""
    size = {"binary_data_size": count * 784}
    images = {"name": "images", "datatype": "UINT8", "shape": [count, 28, 28], "parameters": size}
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    return json.dumps({"inputs": [images], "outputs": outputs}).encode()


class Loads:
    """Scripts for wrk, with the bodies that they send.

    Parameters
    ----------
    folder : Path
        Where they are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def make(
        self, path: str, kind: str, bodies: list[bytes], headers: dict[str, int] | None = None
    ) -> Path:
        """Write a script that sends the bodies in turn, and return its path."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        for number, body in enumerate(bodies, 1):
            (folder / str(number)).write_bytes(body)
        more = "".join(f', ["{name}"] = "{value}"' for name, value in (headers or {}).items())
        script = folder / "load.lua"
        script.write_text(
            SCRIPT.format(count=len(bodies), folder=folder, path=path, kind=kind, more=more)
        )
        return script


# --- the service and the load ---


@contextlib.contextmanager
def running(arguments: argparse.Namespace) -> Iterator[int]:
    """Run the service, and yield its process ID."""
    command = [sys.executable, "-m", "inkwise", "serve", "--port", str(PORT)]
    command += ["--workers", str(arguments.workers)]
    if arguments.model is not None:
        command += ["--model", str(arguments.model)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), ask("/v2/health/ready"):
                    break
                if process.poll() is not None:
                    sys.exit(f"the service did not start: is port {PORT} in use?")
                time.sleep(0.1)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def ask(path: str, body: bytes | None = None) -> Any:
    """Send one request."""
    request = urllib.request.Request(ADDRESS + path, body, {"Content-Type": "image/png"})  # noqa: S310
    return urllib.request.urlopen(request, timeout=30)  # noqa: S310


def load(pid: int, script: Path, connections: int, seconds: int, count: int = 1) -> dict[str, Any]:
    """Load the service for some seconds; return rates, and latencies in milliseconds."""
    before = cpu_seconds(pid)
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "-s", str(script)]
    done = subprocess.run([WRK, *options, ADDRESS], capture_output=True, text=True, check=True)
    spent = cpu_seconds(pid) - before
    found = re.search(r"RESULT (.*)", done.stdout)
    if found is None:
        sys.exit(f"wrk gave no figures: {done.stdout}{done.stderr}")
    result = json.loads(found[1])
    elapsed = result.pop("seconds")
    statuses = {name: result.pop(name) for name in [*result] if name.isdigit()}
    answered = statuses.get("200", 0) / elapsed
    errors = {name: result.pop(name) for name in ("connect", "read", "write", "timeout")}
    return {
        "connections": connections,
        "answered_per_second": round(answered, 1),
        "images_per_second": round(answered * count),
        "statuses": statuses,
        "errors": errors,
        # CPU time does not depend on other load on the machine.
        "cpu_microseconds_per_request": round(1e6 * spent / max(1, sum(statuses.values()))),
        "milliseconds": {name: round(value, 2) for name, value in result.items()},
    }


def recover(picture: bytes) -> float:
    """Return the time until ten requests in a row are answered, in seconds."""
    start = time.perf_counter()
    good, since = 0, start
    while good < 10 and time.perf_counter() < start + 60:
        try:
            with ask("/v1/predict", picture):
                good += 1
        except OSError:
            good, since = 0, time.perf_counter()
    return since - start


def watch_memory(pid: int, script: Path, seconds: int) -> dict[str, Any]:
    """Return the workers' memory under load, from a tenth of the duration to its end."""
    command = [WRK, "-t1", "-c16", f"-d{seconds}s", "-s", str(script), ADDRESS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    start, seen = time.monotonic(), []
    while process.poll() is None:
        time.sleep(min(5, seconds / 20))
        if time.monotonic() - start > seconds / 10:
            seen.append(max(memory(pid)))
    return {
        "seconds": seconds,
        "mebibytes_first": seen[0],
        "mebibytes_last": seen[-1],
        "mebibytes_most": max(seen),
        "growth": round(seen[-1] / seen[0] - 1, 4),
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of the process and its children, in seconds."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    stats = [Path(f"/proc/{each}/stat").read_text().split() for each in (str(pid), *children)]
    return sum(int(stat[13]) + int(stat[14]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> list[float]:
    """Return the resident memory of the process and its children, in mebibytes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = []
    for each in (str(pid), *children):
        status = Path(f"/proc/{each}/status").read_text()
        found.append(round(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024, 1))
    return found


def show(label: str, figures: dict[str, Any]) -> None:
    """Print a line of results."""
    print(f"{label:26}", json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
