"""The model that comes with the package."""

from importlib import resources

from inkwise.errors import ModelError
from inkwise.model.artifact import Model

FOLDER = resources.files("inkwise.model")
"""Where it lies: in a folder, or in a zip file that Python imports from."""

FILE = "pretrained.onnx"
"""What `inkwise export RUN --format onnx` writes: one file, with the weights once in it."""


def load_pretrained() -> Model:
    """Load the model that comes with the package; no data, training or PyTorch is needed.

    Returns
    -------
    Model
        For pictures of handwritten digits.

    Raises
    ------
    ModelError
        The package was built without its model, or the file is damaged.

    Examples
    --------
    >>> import inkwise
    >>> from PIL import Image
    >>> digits = inkwise.load_dataset("optdigits").test
    >>> Image.fromarray(digits.images[4]).save("digit.png")
    >>> inkwise.load_pretrained().classify(["digit.png"])[0].label
    '5'
    """
    try:
        content = FOLDER.joinpath(FILE).read_bytes()
    except FileNotFoundError as error:
        raise ModelError(
            "this inkwise was built without a trained model: train one with `inkwise train` and "
            "name its run as the model"
        ) from error
    try:
        return Model.from_onnx(content)
    except ModelError as error:
        raise ModelError(f"the model that comes with inkwise is damaged: {error}") from error
