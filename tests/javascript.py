"""Calling the browser's engine, which is in JavaScript, in a real browser; a pytest plugin."""

import base64
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_SCRIPT = """
const [root, given, done] = arguments;
const types = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array };
const made = ({ dtype, bytes, shape }) => {
  const data = new types[dtype](Uint8Array.from(atob(bytes), (sign) => sign.charCodeAt(0)).buffer);
  const [height, width] = shape;
  return dtype === "uint8" && width ? { height, width, data } : data;
};
const read = (_, value) => (value?.bytes === undefined ? value : made(value));
const write = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const load = (module) => import(`${root}/${module}`);
(async () => {
  const asked = await (async () => {
    BODY
  })();
  const answers = [];
  for (const values of JSON.parse(given, read)) answers.push(await asked(...values));
  return JSON.stringify(answers, write);
})().then((text) => done({ text }), (error) => done({ error: `${error.name}: ${error.message}` }));
"""


class Engine:
    """The modules of the engine, in a browser."""

    def __init__(self, chrome: "Chrome", root: str) -> None:
        self._chrome, self._root = chrome, root

    def each(self, body: str, calls: list[list[Any]]) -> list[Any]:
        """Call a function many times; `body` imports modules by `load` and returns the function.

        Arrays of two dimensions of bytes are handed over as images, others as typed arrays.
        """
        self._chrome.set_script_timeout(120)
        self._chrome.get(self._root)
        script = _SCRIPT.replace("BODY", body)
        given = json.dumps(calls, default=_written)
        done: dict[str, str] = self._chrome.execute_async_script(script, self._root, given)  # type: ignore[no-untyped-call]
        assert "error" not in done, done["error"]
        answers: list[Any] = json.loads(done["text"])
        return answers


def _written(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        encoded = base64.b64encode(np.ascontiguousarray(value)).decode()
        return {"dtype": str(value.dtype), "shape": value.shape, "bytes": encoded}
    raise TypeError(type(value))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def engine(chrome: "Chrome") -> Iterator[Engine]:
    with resources.as_file(resources.files("inkwise.browser") / "engine") as folder:
        handler = functools.partial(_Quiet, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield Engine(chrome, f"http://127.0.0.1:{server.server_port}")
            server.shutdown()
