"""Augmentation: random changes that leave a digit what it is, for whole batches at once."""

import dataclasses
import math
from typing import TYPE_CHECKING

from inkwise.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Random rotation and zoom about the centre, then shift, drawn anew for every image each time.

    Each is uniform between its negative and positive limit.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in pixels.
    rotation : float
        Largest rotation, in degrees.
    zoom : float
        Largest change of size, as a share: 0.1 draws factors from 0.9 to 1.1.

    Raises
    ------
    ArgumentError
        A limit is negative or not finite, or the zoom is 1 or more.
    """

    shift: float = 2.0
    rotation: float = 10.0
    zoom: float = 0.1

    def __post_init__(self) -> None:
        limits = (self.shift, self.rotation, self.zoom)
        if not (all(0 <= limit < math.inf for limit in limits) and self.zoom < 1):
            raise ArgumentError(
                "augmentation limits must be numbers, not negative, and the zoom below 1, not "
                f"shift {self.shift}, rotation {self.rotation}, zoom {self.zoom}"
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
        from torch.nn import functional

        count, _, height, width = images.shape

        def uniform(limit: float) -> "Tensor":
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
        # The grid leads from the result back to the image, so the shift, done last, is undone
        # first: through the turn, or the zoom would scale it.
        matrix = torch.cat([turn, -turn @ shift[..., None]], dim=2)
        grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)
