"""Libraries that predicting does without, and a line for whoever lacks them."""

import importlib.util

from inkwise.errors import LibraryError

_TRAIN = {
    "cleanlab": "cleanlab",
    "matplotlib": "matplotlib",
    "onnx": "onnx",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
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
    missing = [name for module, name in _TRAIN.items() if not importlib.util.find_spec(module)]
    if missing:
        raise LibraryError(f"{purpose} needs {', '.join(missing)}: pip install 'inkwise[train]'")
