"""The pretrained model that comes with the package."""

from importlib import resources

from inkwise.errors import ModelError
from inkwise.model.artifact import Model

FOLDER = resources.files("inkwise.model")
"""The package that holds the file: a folder, or a zip file that Python imports from."""

FILE = "pretrained.onnx"
"""One file, as `inkwise export RUN --format onnx` writes it, so that it holds the weights once."""


def load_pretrained() -> Model:
    """Load the pretrained model that comes with the package, without data, training or PyTorch.

    Returns
    -------
    Model
        A model for pictures of handwritten digits.

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
            "this copy of inkwise was built without the pretrained model: train one with "
            "`inkwise train`, and name the run's directory as the model"
        ) from error
    try:
        return Model.from_onnx(content)
    except ModelError as error:
        raise ModelError(f"the model that comes with inkwise is damaged: {error}") from error
