"""Attributions that follow gradients: integrated gradients and Grad-CAM, by Captum."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from inkwise.errors import ArgumentError
from inkwise.explanation.receptive_field import last_field
from inkwise.model import Model
from inkwise.networks.as_torch import build


class Gradients:
    """A model's network in PyTorch, and what its gradients say of an image.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    field : Field or None
        Where the places of the last convolution look; None as from `last_field`.
    """

    def __init__(self, model: Model) -> None:
        self.field = last_field(model.network)
        self._module = build(model.network)
        weights = {name: torch.tensor(array) for name, array in model.weights.items()}
        self._module.load_state_dict(weights)
        self._module.eval().requires_grad_(False)
        for layer in self._module.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # what Captum has taken note of must not change

    def integrated_gradients(
        self, image: NDArray[np.uint8], label: int, against: int | None = None, steps: int = 128
    ) -> NDArray[np.float32]:
        """Share out what the ink adds to a logit over the pixels.

        The gradient is taken along the straight way from a black image, paper without ink, to the
        image, averaged, and multiplied by the pixel.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W)
        label : int
            The class whose logit is followed.
        against : int, optional
            Another class: then the difference of the two logits is followed.
        steps : int
            Points on the way, at which Gauss and Legendre would take the integral.

        Returns
        -------
        ndarray of float32, shape (H, W)
            In logits. Their sum is what is followed, less what it is for the black image, up to
            the error of the integral. A black pixel has 0, whatever its being black means.

        References
        ----------
        M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML 2017,
        arXiv:1703.01365.
        """
        method = IntegratedGradients(self._follow(label, against))
        values = method.attribute(self._tensor(image), n_steps=steps, internal_batch_size=steps)
        return values[0, 0].float().numpy(force=True)

    def grad_cam(
        self, image: NDArray[np.uint8], label: int, against: int | None = None
    ) -> NDArray[np.float32]:
        """Weigh the maps of the last convolution by their gradients, and keep what speaks for it.

        Each place of the small map is put where the pixels lie that it was made of, and what is
        between places is interpolated. Stretching the map over the whole image, as is often done,
        would be off by several pixels, for the convolutions here have no padding.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W)
        label : int
            The class whose logit is followed.
        against : int, optional
            Another class: then the difference of the two logits is followed.

        Returns
        -------
        ndarray of float32, shape (H, W)
            From 0; the unit is that of no other map.

        Raises
        ------
        ArgumentError
            The network has no convolution, or is an ensemble.

        References
        ----------
        R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
        gradient-based localization", ICCV 2017, arXiv:1610.02391.
        """
        if self.field is None:
            raise ArgumentError("Grad-CAM takes a single network with a convolution")
        field, layers = self.field, dict(self._module.named_children())
        layer = layers.get(f"{field.layer}_relu", layers[field.layer])
        method = LayerGradCam(self._follow(label, against), layer)
        values = method.attribute(self._tensor(image), relu_attributions=True)
        height, width = image.shape
        # From a pixel to the place of the map: OpenCV wants columns first, and numbers in between.
        shift = -field.first / field.step
        to_place = np.array([[1 / field.step, 0, shift], [0, 1 / field.step, shift]])
        return cv2.warpAffine(
            values[0, 0].numpy(force=True),
            to_place,
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _follow(self, label: int, against: int | None) -> Callable[[Tensor], Tensor]:
        def follow(inputs: Tensor) -> Tensor:
            logits: Tensor = self._module(inputs)
            return logits[:, label] if against is None else logits[:, label] - logits[:, against]

        return follow

    @staticmethod
    def _tensor(image: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(image).float().div(255)[None, None].requires_grad_()
