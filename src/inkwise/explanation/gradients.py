"""Attributions by gradients: integrated gradients and Grad-CAM, computed by Captum."""

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
from inkwise.networks.layers import ACTIVATIONS


class Gradients:
    """A model's network in PyTorch, and attributions by its gradients.

    Parameters
    ----------
    model : Model
        The model whose answers are explained.

    Attributes
    ----------
    field : Field or None
        The receptive fields of the last convolution; None as from `last_field`.
    """

    def __init__(self, model: Model) -> None:
        self.field = last_field(model.network)
        self._module = build(model.network)
        weights = {name: torch.tensor(array) for name, array in model.weights.items()}
        self._module.load_state_dict(weights)
        self._module.eval().requires_grad_(False)
        for layer in self._module.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # Captum keeps the layers' outputs, which must not change

    def integrated_gradients(
        self, image: NDArray[np.uint8], label: int, against: int | None = None, steps: int = 128
    ) -> NDArray[np.float32]:
        """Attribute a logit to the pixels by integrated gradients.

        The baseline is a black image, the background without ink. The gradient is averaged along
        the straight path from the baseline to the image, and multiplied by the pixel's value.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W)
            An image that is ready for the network, as for `Model.predict_proba`.
        label : int
            The class whose logit is attributed.
        against : int, optional
            Another class, whose logit is subtracted: the difference of the two is attributed.
        steps : int
            Number of points on the path, at which Gauss–Legendre quadrature takes the gradient.

        Returns
        -------
        ndarray of float32, shape (H, W)
            Contributions in logits. They sum to the logit, or difference, of the image minus that
            of the baseline, up to the error of the quadrature. A black pixel always gets 0, even
            where the missing ink decides.

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
        """Return the class activation map of the last convolution by Grad-CAM.

        The feature maps are weighted by their mean gradients, added up, and clipped at 0. Each
        place of the result is put at the centre of its receptive field, and values between the
        places are interpolated. Stretching the map over the whole image, as is often done, would
        displace it by several pixels, because the convolutions here have no padding.

        Parameters
        ----------
        image : ndarray of uint8, shape (H, W)
            An image that is ready for the network, as for `Model.predict_proba`.
        label : int
            The class whose logit is attributed.
        against : int, optional
            Another class, whose logit is subtracted: the difference of the two is attributed.

        Returns
        -------
        ndarray of float32, shape (H, W)
            Values from 0, in arbitrary units that cannot be compared with those of other maps.

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
            raise ArgumentError("Grad-CAM needs a single network with a convolution")
        field, layers = self.field, dict(self._module.named_children())
        activations = (f"{field.layer}_{activation}" for activation in ACTIVATIONS)
        behind = (layers[name] for name in activations if name in layers)
        layer = next(behind, layers[field.layer])
        method = LayerGradCam(self._follow(label, against), layer)
        values = method.attribute(self._tensor(image), relu_attributions=True)
        height, width = image.shape
        # The affine map from pixels to places of the feature map; OpenCV puts columns first.
        down, right = (-centre / field.step for centre in field.first)
        to_place = np.array([[1 / field.step, 0, right], [0, 1 / field.step, down]])
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
