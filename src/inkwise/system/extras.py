"""Optional libraries: which ones each extra installs, and the error where one is missing."""

import importlib.util
from collections.abc import Mapping

from inkwise.errors import LibraryError

_TRAIN = {
    "cleanlab": "cleanlab",
    "matplotlib": "matplotlib",
    "onnx": "onnx",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "unlzw3": "unlzw3",
}
_GRADIENTS = {"captum": "Captum", "torch": "PyTorch"}

_SERVE = {
    "fastapi": "FastAPI",
    "httptools": "httptools",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "uvicorn": "uvicorn",
}

_PARQUET = {"pyarrow": "PyArrow"}

_SCALE = {"fsspec": "fsspec", **_PARQUET}

_RAY = {"ray": "Ray", **_PARQUET}

_MLFLOW = {"mlflow": "MLflow"}

_TENSORBOARD = {"tensorboard": "TensorBoard"}

_WEB = {"inkwise_web": "inkwise-web"}

_SWEEP = {"optuna": "Optuna"}

_FORMATS = {"pillow_heif": "pillow-heif", "pypdfium2": "pypdfium2"}


def require_training(purpose: str) -> None:
    """Make sure that the libraries of the extra ``train`` are installed, without importing any.

    Parameters
    ----------
    purpose : str
        What needs the libraries; it becomes the subject of the error's sentence.

    Raises
    ------
    LibraryError
        At least one of the libraries is missing.
    """
    _require(_TRAIN, "train", purpose)


def require_gradients(purpose: str) -> None:
    """Make sure that PyTorch and Captum are installed; see `require_training`."""
    _require(_GRADIENTS, "train", purpose)


def require_serving(purpose: str) -> None:
    """Make sure that the libraries of the extra ``serve`` are installed; see `require_training`."""
    _require(_SERVE, "serve", purpose)


def require_formats(purpose: str) -> None:
    """Make sure that the libraries of the extra ``formats`` are there; see `require_training`."""
    _require(_FORMATS, "formats", purpose)


def require_parquet(purpose: str) -> None:
    """Make sure that the library of the extra ``parquet`` is there; see `require_training`."""
    _require(_PARQUET, "parquet", purpose)


def require_scale(purpose: str) -> None:
    """Make sure that fsspec, of the extra ``scale``, is installed; see `require_training`."""
    _require(_SCALE, "scale", purpose)


def require_ray(purpose: str) -> None:
    """Make sure that Ray, of the extra ``scale``, is installed; see `require_training`."""
    _require(_RAY, "scale", purpose)


def require_tensorboard(purpose: str) -> None:
    """Make sure that the library of the extra ``tensorboard`` is there; see `require_training`."""
    _require(_TENSORBOARD, "tensorboard", purpose)


def require_mlflow(purpose: str) -> None:
    """Make sure that the library of the extra ``mlflow`` is there; see `require_training`."""
    _require(_MLFLOW, "mlflow", purpose)


def require_web(purpose: str) -> None:
    """Make sure that the package of the extra ``web`` is there; see `require_training`."""
    _require(_WEB, "web", purpose, ", or in a checkout: make web")


def require_sweeping(purpose: str) -> None:
    """Make sure that the library of the extra ``sweep`` is there; see `require_training`."""
    _require(_SWEEP, "sweep", purpose)


def _require(libraries: Mapping[str, str], extra: str, purpose: str, otherwise: str = "") -> None:
    missing = [name for module, name in libraries.items() if not importlib.util.find_spec(module)]
    if missing:
        raise LibraryError(
            f"{purpose} needs {', '.join(missing)}: pip install 'inkwise[{extra}]'{otherwise}"
        )
