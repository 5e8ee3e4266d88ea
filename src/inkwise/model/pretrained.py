"""The pretrained model that comes with the package."""

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any

from inkwise.errors import ModelError
from inkwise.model.artifact import Model

if TYPE_CHECKING:
    from inkwise.ink import Picture
    from inkwise.reading.numbers import Numbers

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


def read(picture: "Picture", *, model: Model | None = None, **known: Any) -> "Numbers":
    """Read the numbers in a picture with the model that comes with the package.

    Parameters
    ----------
    picture : Picture
        A picture in any form that `inkwise.ink.normalise` takes.
    model : Model, optional
        Another model of the ten digits.
    **known
        What is known of the numbers: `digits`, `pattern`, `check` and `marks` of `Model.read`.

    Returns
    -------
    Numbers
        From top to bottom, and in each line from left to right; empty if there is no number.

    Raises
    ------
    InkwiseError
        As `Model.read` does.

    Examples
    --------
    >>> import inkwise, numpy
    >>> from PIL import Image
    >>> digits = inkwise.load_dataset("optdigits").test.images[[4, 12, 13]]
    >>> picture = Image.fromarray(255 - numpy.hstack(digits)).resize((336, 112))
    >>> number = inkwise.read(picture)[0]
    >>> number.text, number.verdict
    ('507', 'number')
    """
    return (model or _pretrained()).read(picture, **known)


@functools.cache
def _pretrained() -> Model:
    return load_pretrained()
