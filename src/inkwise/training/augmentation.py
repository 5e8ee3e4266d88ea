"""Data augmentation: random changes that do not change a digit's label, for whole batches."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from inkwise.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor

EFFECTS = (
    "serifs",
    "thicker",
    "thinner",
    "low_resolution",
    "form_reader",
    "blur",
    "motion_blur",
    "threshold",
    "contrast",
    "tone",
    "brightness",
    "noise",
    "shot_noise",
    "impulses",
    "lines",
    "zigzag",
    "stripe",
    "fog",
    "blots",
    "outline",
    "jitter",
    "move",
    "invert",
)
"""Names of the functions of `inkwise.training.effects` in order; importing it needs PyTorch."""

_CELLS = 5
"""Number of points along a side between which an elastic displacement is interpolated."""


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Data augmentation: images as other people would write them and other devices record them.

    Every image is changed at random, each time anew. First comes one warp: rotation, shear, zoom
    and stretch about the centre, a shift, and a smooth local distortion, each uniform between its
    negative and positive limit. Then come effects, each on a share of the images.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in pixels.
    rotation : float
        Largest rotation, in degrees.
    zoom : float
        Largest change of size, as a share: 0.1 means factors from 0.9 to 1.1.
    shear : float
        Largest slant, in pixels across for each pixel up.
    stretch : float
        Largest logarithm of the factor by which the width grows and the height shrinks.
    elastic : float
        Largest standard deviation of a smooth displacement of the pixels, in pixels.
    effects : mapping of str to float
        Share of the images of a batch that an effect changes, in [0, 1], by names in `EFFECTS`,
        which also gives their order. The number of images is rounded: it can be 0 in a small batch.

    Raises
    ------
    ArgumentError
        A limit is negative or not finite, the zoom is 1 or more, or an effect is unknown or its
        share is not in [0, 1].

    References
    ----------
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best practices for convolutional neural networks
    applied to visual document analysis", ICDAR 2003 (affine and elastic distortions).
    """

    shift: float = 2.0
    rotation: float = 10.0
    zoom: float = 0.1
    shear: float = 0.0
    stretch: float = 0.0
    elastic: float = 0.0
    effects: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = {name: value for name, value in vars(self).items() if name != "effects"}
        if not (all(0 <= limit < math.inf for limit in limits.values()) and self.zoom < 1):
            raise ArgumentError(
                "augmentation limits must be finite and at least 0, and the zoom below 1, not "
                + ", ".join(f"{name} {value}" for name, value in limits.items())
            )
        if not isinstance(self.effects, Mapping):
            raise ArgumentError(f"effects must be a mapping of names to shares: {self.effects!r}")
        for name, share in self.effects.items():
            if name not in EFFECTS:
                raise ArgumentError(f"unknown effect {name!r}: use {', '.join(EFFECTS)}")
            if not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ArgumentError(
                    f"the share of the effect {name} must lie in [0, 1], not {share!r}"
                )

    def __call__(self, images: "Tensor") -> "Tensor":
        """Return changed copies of the images.

        Parameters
        ----------
        images : Tensor of float32, shape (N, 1, H, W)
            Images with values in [0, 1], light ink on a background of 0; what moves in from outside
            is background.

        Returns
        -------
        Tensor of float32, shape (N, 1, H, W)
            The changed images, sampled bilinearly. The draws come from PyTorch's global generator.
        """
        import torch

        from inkwise.training import effects

        images = self._warp(images)
        for name in EFFECTS:
            count = round(self.effects.get(name, 0) * len(images))
            if count:
                chosen = torch.rand(len(images), device=images.device).topk(count).indices
                changed = getattr(effects, name)(images.index_select(0, chosen))
                images = images.index_copy(0, chosen, changed)
        return images

    def _warp(self, images: "Tensor") -> "Tensor":
        import torch
        from torch.nn import functional

        count, _, height, width = images.shape

        def uniform(limit: float) -> "Tensor":  # (N,)
            if not limit:
                return torch.zeros(count, device=images.device)
            return (torch.rand(count, device=images.device) * 2 - 1) * limit

        angle = uniform(math.radians(self.rotation))
        scale = 1 / (1 + uniform(self.zoom))
        cosine, sine = scale * angle.cos(), scale * angle.sin()
        # affine_grid works in units of half the image, which differ when it is not square.
        turn = torch.stack(  # (N, 2, 2), as are `shape` and the product of both
            [
                torch.stack([cosine, -sine * height / width], 1),
                torch.stack([sine * width / height, cosine], 1),
            ],
            dim=1,
        )
        # (N, 2)
        shift = torch.stack([uniform(2 * self.shift / side) for side in (width, height)], 1)
        slant, ratio = uniform(self.shear), uniform(self.stretch).exp()
        zero = torch.zeros_like(slant)
        shape = torch.stack(
            [
                torch.stack([1 / ratio, slant * height / width], 1),
                torch.stack([zero, ratio], 1),
            ],
            dim=1,
        )
        turn = shape @ turn
        # The grid maps places in the result back to the image. So the shift, which comes last, is
        # undone first; if it were not multiplied by `turn`, the zoom would scale it.
        matrix = torch.cat([turn, -turn @ shift[..., None]], dim=2)  # (N, 2, 3)
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        # (N, H, W, 2)
        if self.elastic:
            coarse = torch.randn(count, 2, _CELLS, _CELLS, device=images.device)
            field = functional.interpolate(
                coarse, size=(height, width), mode="bicubic", align_corners=True
            )
            # Made on the device, because a step that is being recorded may not copy from the host.
            size = torch.cat([images.new_full((1,), side) for side in (width, height)])
            reach = uniform(self.elastic).view(-1, 1, 1, 1) * 2 / size
            grid = grid + field.permute(0, 2, 3, 1) * reach
        return functional.grid_sample(images, grid, align_corners=False)
