"""Libraries that predicting does without, and a line for whoever lacks them."""

import importlib.util
from collections.abc import Mapping

from inkwise.errors import LibraryError

_TRAIN = {
    "cleanlab": "cleanlab",
    "matplotlib": "matplotlib",
    "onnx": "onnx",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
}
_GRADIENTS = {"captum": "Captum", "torch": "PyTorch"}

_SERVE = {
    "fastapi": "FastAPI",
    "httptools": "httptools",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "uvicorn": "uvicorn",
}


def require_training(purpose: str) -> None:
    """Make sure that the libraries of the extra ``train`` are installed; none is imported.

    Parameters
    ----------
    purpose : str
        What needs them, as the subject of the error's sentence.

    Raises
    ------
    LibraryError
        One of them is missing.
    """
    _require(_TRAIN, "train", purpose)


def require_gradients(purpose: str) -> None:
    """Make sure that PyTorch and Captum are installed; as `require_training` does."""
    _require(_GRADIENTS, "train", purpose)


def require_serving(purpose: str) -> None:
    """Make sure of the extra ``serve`` as `require_training` does of ``train``."""
    _require(_SERVE, "serve", purpose)


def _require(libraries: Mapping[str, str], extra: str, purpose: str) -> None:
    missing = [name for module, name in libraries.items() if not importlib.util.find_spec(module)]
    if missing:
        raise LibraryError(f"{purpose} needs {', '.join(missing)}: pip install 'inkwise[{extra}]'")
