"""The page as a site of its own, which any host of files can serve: the browser answers."""

import base64
import hashlib
import json
import os
from importlib import resources
from pathlib import Path

from inkwise.browser.index import PAGE, page_html, words
from inkwise.browser.model_files import model_files
from inkwise.errors import ArgumentError
from inkwise.model import Model
from inkwise.system.extras import require_web
from inkwise.system.files import json_bytes, read_bytes, storage, to_utf8, write_together
from inkwise.version import __version__

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""The page's Content-Security-Policy: it loads only what its own site has."""

ENGINE = Path(__file__).with_name("engine")
"""The folder of the modules that answer in a browser."""

_SCRIPTS = ("alone", "canvas", "early", "frames", "local", "pen", "trouble", "words")
_SHOWN = ("canvas.css", "icon.svg", "icon-192.png", "icon-512.png")
_COLOURS = {"background_color": "#f3f0e8", "theme_color": "#f3f0e8"}
_NOT_KEPT = (".md", ".txt", ".d.ts", "LICENSE", "package.json")


def write_site(model: Model, folder: str | os.PathLike[str]) -> Path:
    """Write the page and a model as a site that needs no server but one of files.

    All its addresses are relative, so that it works in any folder of a host. ``package/`` in it
    is the module that answers, in the layout of npm's packages.

    Parameters
    ----------
    model : Model
        The model.
    folder : path-like
        The folder to write into. An earlier site in it is replaced; other files stay.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    ArgumentError
        The folder holds files, but no earlier site.
    LibraryError
        The package with the runtime for browsers is not installed.
    StorageError
        A file cannot be written.
    """
    require_web("the page with no server")
    folder = Path(folder)
    with storage(folder, "write to"):
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "offline.js").is_file():
            raise ArgumentError(
                f"{folder} holds files already, and no earlier page: choose another --output"
            )
    package = {f"package/{name}": content for name, content in package_files(model).items()}
    page = _page_files() | package
    page["offline.js"] = _offline(page)
    write_together({folder / name: content for name, content in page.items()})
    return folder


def package_files(model: Model) -> dict[str, bytes]:
    """Return the files of the module that answers, by their paths in a package of npm's layout."""
    files = {
        path.relative_to(ENGINE).as_posix(): read_bytes(path)
        for path in sorted(ENGINE.rglob("*"))
        if path.is_file()
    }
    files |= {f"model/{name}": content for name, content in model_files(model).items()}
    runtime = resources.files("inkwise_web")
    # Many a host does not know .mjs, and a browser runs no module of an unknown type.
    files["runtime/ort.wasm.bundle.min.js"] = (runtime / "ort.wasm.bundle.min.mjs").read_bytes()
    for name in ("ort-wasm-simd-threaded.wasm.gz", "LICENSE", "ThirdPartyNotices.txt"):
        files[f"runtime/{name}"] = (runtime / name).read_bytes()
    files["package.json"] = json_bytes(
        {
            "name": "inkwise",
            "version": __version__,
            "description": words()["description"],
            "license": "BSD-3-Clause",
            "type": "module",
            "exports": {".": {"types": "./inkwise.d.ts", "default": "./inkwise.js"}},
            "types": "./inkwise.d.ts",
        }
    )
    return files


def _page_files() -> dict[str, bytes]:
    names = (*(f"{name}.js" for name in _SCRIPTS), *_SHOWN)
    files = {f"page/{name}": read_bytes(PAGE / name) for name in names}
    files["index.html"] = to_utf8(page_html("alone", policy=POLICY))
    files["manifest.webmanifest"] = json_bytes(_manifest())
    files[".nojekyll"] = b""  # GitHub Pages shall serve the files as they are
    return files


def _manifest() -> dict[str, object]:
    """Return what a browser must know to install the page as an app."""
    sizes = ("192", "512")
    return {
        "name": words()["title"],
        "short_name": "inkwise",
        "description": words()["description"],
        "lang": "en",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        **_COLOURS,
        "icons": [
            {"src": "page/icon.svg", "type": "image/svg+xml", "sizes": "any"},
            *(
                {
                    "src": f"page/icon-{size}.png",
                    "type": "image/png",
                    "sizes": f"{size}x{size}",
                    "purpose": purpose,
                }
                for size in sizes
                for purpose in ("any", "maskable")
            ),
        ],
    }


def _offline(files: dict[str, bytes]) -> bytes:
    """Return the service worker, which knows the hashes of all files that it keeps."""
    kept = {
        "./" if name == "index.html" else name: base64.b64encode(
            hashlib.sha256(content).digest()
        ).decode()
        for name, content in sorted(files.items())
        if not name.endswith(_NOT_KEPT) and not name.startswith(".")
    }
    everything = hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:12]
    script = (PAGE / "offline.js").read_text(encoding="utf-8")
    return to_utf8(
        script.replace("const FILES = {};", f"const FILES = {json.dumps({'': everything} | kept)};")
    )
