"""The engine's modules in a real browser, called from Python with arrays."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inkwise.browser.site import package_files
from inkwise.model import Model
from inkwise.system.files import write_together
from tests.devtools import Browser

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
    browser : Chrome or Firefox
        The browser.
    address : str
        Where the folder of the modules is served.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self._browser = browser
        browser.get(f"{address}/raster.js")
        browser.set_script_timeout(300)

    def __call__(self, body: str, **values: Any) -> Any:
        """Run the body of an asynchronous function, in which `load` imports a module.

        Arrays of two or three dimensions become images of the engine, others typed arrays.
        """
        answer = self._browser.execute_async_script(
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


def lay_out(folder: Path, model: Model) -> Path:
    """Put the engine, a model and the runtime into a folder, as a site has them."""
    write_together({folder / name: content for name, content in package_files(model).items()})
    return folder
