"""The engine's modules in a real browser, called from Python with arrays."""

import base64
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import inkwise.browser
from inkwise.browser.model_files import write_model_files
from inkwise.model import Model

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FOLDER = Path(inkwise.browser.__file__).parent / "engine"

_CALL = """
const [body, values, done] = arguments;
const TYPES = {
  uint8: Uint8Array, int32: Int32Array, uint32: Uint32Array,
  float32: Float32Array, float64: Float64Array,
};
const open = (value) => {
  if (Array.isArray(value)) return value.map(open);
  if (!value?.bytes) return value;
  const bytes = Uint8Array.from(atob(value.bytes), (letter) => letter.charCodeAt(0));
  const data = new TYPES[value.type](bytes.buffer);
  const [height, width, channels] = value.shape;
  return width ? { height, width, ...(channels && { channels }), data } : data;
};
const close = (value) => {
  const type = Object.keys(TYPES).find((name) => value instanceof TYPES[name]);
  if (type) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    let text = "";
    for (let at = 0; at < bytes.length; at += 8192) {
      text += String.fromCharCode(...bytes.subarray(at, at + 8192));
    }
    return { bytes: btoa(text), type };
  }
  if (Array.isArray(value)) return value.map(close);
  if (value === Infinity || value === -Infinity) return String(value);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, close(one)]));
  }
  return value;
};
const names = Object.keys(values);
const run = new (async () => {}).constructor("load", ...names, body);
run((name) => import(`/${name}`), ...names.map((name) => open(values[name]))).then(
  (value) => done({ value: close(value) }),
  (error) => done({ error: `${error.stack ?? error}` }),
);
"""


class Engine:
    """A page that can import the engine's modules.

    Parameters
    ----------
    chrome : Chrome
        The browser.
    address : str
        Where the folder of the modules is served.
    """

    def __init__(self, chrome: "Chrome", address: str) -> None:
        self._chrome = chrome
        chrome.get(f"{address}/raster.js")
        chrome.set_script_timeout(300)

    def __call__(self, body: str, **values: Any) -> Any:
        """Run the body of an asynchronous function, in which `load` imports a module.

        Arrays of two or three dimensions become images of the engine, others typed arrays.
        """
        answer = self._chrome.execute_async_script(
            _CALL, body, {name: _closed(value) for name, value in values.items()}
        )
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return _opened(answer["value"])


def _closed(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_closed(one) for one in value]
    if not isinstance(value, np.ndarray):
        return value
    return {
        "bytes": base64.b64encode(value.tobytes()).decode(),
        "type": value.dtype.name,
        "shape": value.shape,
    }


def _opened(value: Any) -> Any:
    match value:
        case {"bytes": str(text), "type": str(kind)}:
            return np.frombuffer(base64.b64decode(text), kind)
        case {"height": height, "width": width, "data": data, **others} if not others:
            return _opened(data).reshape(height, width, -1).squeeze(-1)
        case Mapping():
            return {name: _opened(one) for name, one in value.items()}
        case list():
            return [_opened(one) for one in value]
    return value


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def serve_folder(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; yield the address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def lay_out(folder: Path, model: Model) -> Path:
    """Put the engine, a model and the runtime into a folder, as a package of the page has them."""
    shutil.copytree(FOLDER, folder)
    write_model_files(model, folder / "model")
    with resources.as_file(resources.files("inkwise_web")) as runtime:
        shutil.copytree(runtime, folder / "runtime")
    return folder
