"""Occlusion: what the answer loses when a patch of the ink is blanked. Needs no PyTorch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError
from inkwise.model import Model


def occlusion_map(
    model: Model,
    image: NDArray[np.uint8],
    label: int | None = None,
    against: int | None = None,
    *,
    side: int | None = None,
    stride: int | None = None,
) -> NDArray[np.float32]:
    """Blank one patch of an image after another, and see by how much the answer weakens.

    A square patch is moved over the image, and what is under it made black, which is paper without
    ink. Where there is no ink nothing changes, so that empty patches are not run at all. A pixel
    gets the mean over the patches that cover it.

    Parameters
    ----------
    model : Model
        Only its ONNX file is run.
    image : ndarray of uint8, shape (H, W)
        As for `Model.predict_proba`.
    label : int, optional
        The class whose logit is followed; by default the one that the model predicts.
    against : int, optional
        Another class: then the difference of the two logits is followed.
    side : int, optional
        Of the patch, in pixels; by default a fifth of the image's, 6 of 28.
    stride : int, optional
        By how many pixels the patch is moved; by default a third of its side.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In logits: positive where the ink speaks for the class, negative where it speaks against
        it, exactly 0 where every patch that covers the pixel is blank.

    Raises
    ------
    ArgumentError
        There is no such class, the patch does not fit the image or the stride the patch, or the
        image is of another type or size.

    References
    ----------
    M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
    section 4.2. The map is that of Captum's ``Occlusion`` wherever the patches end at the border.
    """
    occlusion = Occlusion(image, side=side, stride=stride)
    return occlusion.map(model.logits(occlusion.copies), label, against)


class Occlusion:
    """An image with one patch after another blanked, for whoever runs the model in another way.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
    side, stride : int, optional
        As for `occlusion_map`.

    Attributes
    ----------
    copies : ndarray of uint8, shape (1 + patches with ink, H, W)
        The image itself first.

    Raises
    ------
    ArgumentError
        The patch does not fit the image or the stride the patch.
    """

    def __init__(
        self, image: NDArray[np.uint8], *, side: int | None = None, stride: int | None = None
    ) -> None:
        shorter = min(image.shape)
        side = max(1, round(shorter / 5)) if side is None else side
        stride = max(1, side // 3) if stride is None else stride
        if not 1 <= side <= shorter:
            raise ArgumentError(f"the patch must have 1 to {shorter} pixels a side, not {side}")
        if not 1 <= stride <= side:
            raise ArgumentError(
                f"the stride must lie between 1 and the patch's side of {side}, not {stride}"
            )
        self._places = [
            (slice(top, top + side), slice(left, left + side))
            for top in _steps(image.shape[0], side, stride)
            for left in _steps(image.shape[1], side, stride)
        ]
        self._inked = [place for place in self._places if image[place].any()]
        self.copies = np.repeat(image[None], len(self._inked) + 1, axis=0)
        for copy, place in zip(self.copies[1:], self._inked, strict=True):
            copy[place] = 0

    def map(
        self,
        logits: NDArray[np.floating[Any]],
        label: int | None = None,
        against: int | None = None,
    ) -> NDArray[np.float32]:
        """Make the map of the copies' logits, (N, classes); see `occlusion_map`."""
        margins = margin(logits.astype(np.float64), label, against)
        shape = self.copies.shape[1:]
        total, covers = np.zeros(shape), np.zeros(shape)
        for place in self._places:
            covers[place] += 1
        for place, loss in zip(self._inked, margins[0] - margins[1:], strict=True):
            total[place] += loss
        return (total / covers).astype(np.float32)


def margin(
    logits: NDArray[np.float64], label: int | None, against: int | None
) -> NDArray[np.float64]:
    """Return what an attribution follows: a class' logit, or by how much it is above another's.

    Parameters
    ----------
    logits : ndarray, shape (N, classes)
    label : int or None
        None is the first row's likeliest class.
    against : int or None

    Raises
    ------
    ArgumentError
        There is no such class, or it is the same one twice.
    """
    label = int(logits[0].argmax()) if label is None else label
    classes = logits.shape[1]
    for index in (label, against):
        if index is not None and not 0 <= index < classes:
            raise ArgumentError(f"there is no class {index}: the last one is {classes - 1}")
    if against is None:
        return logits[:, label]
    if against == label:
        raise ArgumentError("a class does not differ from itself: name another one to compare with")
    return logits[:, label] - logits[:, against]


def _steps(length: int, side: int, stride: int) -> list[int]:
    """Return where the patch begins along a side; the last one ends at the border."""
    last = length - side
    return sorted({*range(0, last, stride), last})
