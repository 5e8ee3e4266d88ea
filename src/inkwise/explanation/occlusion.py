"""Occlusion: how the answer weakens when a patch of the ink is erased. It needs no PyTorch."""

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
    """Erase one patch of an image after another, and measure how much the answer weakens.

    A square patch is moved over the image, and the pixels under it are set to 0, the background.
    Where there is no ink, nothing changes, so the network is not run for empty patches. The value
    of a pixel is the mean over the patches that cover it.

    Parameters
    ----------
    model : Model
        The model; only its ONNX file is run.
    image : ndarray of uint8, shape (H, W)
        An image that is ready for the network, as for `Model.predict_proba`.
    label : int, optional
        The class whose logit is attributed; by default the predicted class.
    against : int, optional
        Another class, whose logit is subtracted: the difference of the two is attributed.
    side : int, optional
        Side of the patch in pixels; by default a fifth of the image's shorter side, 6 of 28.
    stride : int, optional
        Distance in pixels between neighbouring patches; by default a third of the patch's side.

    Returns
    -------
    ndarray of float32, shape (H, W)
        The decrease of the logit, or of the difference: positive where the ink speaks for the
        class, negative where it speaks against it, and exactly 0 where every patch that covers
        the pixel is empty.

    Raises
    ------
    ArgumentError
        There is no such class, the patch is larger than the image, the stride is larger than the
        patch, or the image has another type or size.

    References
    ----------
    M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
    section 4.2. The map is that of Captum's ``Occlusion`` wherever the patches end at the border.
    """
    occlusion = Occlusion(image, side=side, stride=stride)
    return occlusion.map(model.logits(occlusion.copies), label, against)


class Occlusion:
    """Copies of an image with one patch erased in each, for callers that run the model themselves.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W)
        The image, as for `occlusion_map`.
    side, stride : int, optional
        Side and distance of the patches, as for `occlusion_map`.

    Attributes
    ----------
    copies : ndarray of uint8, shape (1 + patches with ink, H, W)
        The unchanged image, followed by a copy for each patch that holds ink.

    Raises
    ------
    ArgumentError
        The patch is larger than the image, or the stride is larger than the patch.
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
        """Make the map from the copies' logits, (1 + patches, classes); see `occlusion_map`."""
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
    """Return the values that an attribution explains: a class's logits, or a difference of logits.

    Parameters
    ----------
    logits : ndarray, shape (N, classes)
        The logits of N images.
    label : int or None
        The class; None is the likeliest class of the first row.
    against : int or None
        The class whose logits are subtracted; None subtracts nothing.

    Returns
    -------
    ndarray, shape (N,)

    Raises
    ------
    ArgumentError
        There is no such class, or both classes are the same.
    """
    label = int(logits[0].argmax()) if label is None else label
    classes = logits.shape[1]
    for index in (label, against):
        if index is not None and not 0 <= index < classes:
            raise ArgumentError(f"there is no class {index}: the last one is {classes - 1}")
    if against is None:
        return logits[:, label]
    if against == label:
        raise ArgumentError("a class cannot be compared with itself: name another one")
    return logits[:, label] - logits[:, against]


def _steps(length: int, side: int, stride: int) -> list[int]:
    """Return the first pixel of each patch along a side; the last patch ends at the border."""
    last = length - side
    return sorted({*range(0, last, stride), last})
