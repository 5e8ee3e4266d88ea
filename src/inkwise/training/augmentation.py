"""Random changes that leave a digit what it is, for whole batches at once."""

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
"""Names of the functions of `inkwise.training.effects`, whose import takes PyTorch."""

_CELLS = 5
"""Points along a side between which an elastic displacement is interpolated."""


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How other people write, and how other devices see; drawn anew for every image each time.

    First one warp: rotation, shear, zoom and stretch about the centre, shift, and a smooth local
    distortion, each uniform between its negative and positive limit. Then effects, each on a share
    of the images.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in pixels.
    rotation : float
        Largest rotation, in degrees.
    zoom : float
        Largest change of size, as a share: 0.1 draws factors from 0.9 to 1.1.
    shear : float
        Largest slant, in pixels across for a pixel up.
    stretch : float
        Largest logarithm of the factor by which the width grows and the height shrinks.
    elastic : float
        Largest standard deviation of a smooth displacement of the pixels, in pixels.
    effects : mapping of str to float
        Shares of a batch, in [0, 1], by names in `EFFECTS`, in whose order they follow each
        other. Of a batch that is so small that a share is less than half an image, none.

    Raises
    ------
    ArgumentError
        A limit is negative or not finite, the zoom is 1 or more, an effect is unknown or its share
        is none.

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
                "augmentation limits must be numbers, not negative, and the zoom below 1, not "
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
            What moves in from outside the image is 0, the ground.

        Returns
        -------
        Tensor of float32, shape (N, 1, H, W)
            Sampled bilinearly. The draws come from PyTorch's global generator.
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

        def uniform(limit: float) -> "Tensor":
            if not limit:
                return torch.zeros(count, device=images.device)
            return (torch.rand(count, device=images.device) * 2 - 1) * limit

        angle = uniform(math.radians(self.rotation))
        scale = 1 / (1 + uniform(self.zoom))
        cosine, sine = scale * angle.cos(), scale * angle.sin()
        # affine_grid works in units of half the image, which differ when it is not square.
        turn = torch.stack(
            [
                torch.stack([cosine, -sine * height / width], 1),
                torch.stack([sine * width / height, cosine], 1),
            ],
            dim=1,
        )
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
        # The grid leads from the result back to the image, so the shift, done last, is undone
        # first: through the turn, or the zoom would scale it.
        matrix = torch.cat([turn, -turn @ shift[..., None]], dim=2)
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        if self.elastic:
            coarse = torch.randn(count, 2, _CELLS, _CELLS, device=images.device)
            field = functional.interpolate(
                coarse, size=(height, width), mode="bicubic", align_corners=True
            )
            # Made there and not sent there, which a step that is being recorded may not do.
            size = torch.cat([images.new_full((1,), side) for side in (width, height)])
            reach = uniform(self.elastic).view(-1, 1, 1, 1) * 2 / size
            grid = grid + field.permute(0, 2, 3, 1) * reach
        return functional.grid_sample(images, grid, align_corners=False)
