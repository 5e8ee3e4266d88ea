"""Outlier exposure: pictures of no class, drawn in training, that the network learns to reject."""

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional

from inkwise.training.augmentation import Augmentation

_DRAW = ("serifs", "lines", "zigzag", "stripe")
"""Effects that draw strokes: one of them upright on an empty background would be a 1."""

_THINNEST = 0.4
"""Least width and height of a polygon, as a share of the greatest: a thin one is a stroke."""

_CLOSEST, _WIDEST = -0.12, 0.3
"""Least and greatest gap between the ink of two images side by side, as shares of their width."""

_INK = 0.3
"""Least level of what counts as ink when images are put side by side."""


def augmentation_of_outliers(augmentation: Augmentation) -> Augmentation:
    """Return the augmentation of outliers: that of images, without effects that draw strokes."""
    effects = {name: share for name, share in augmentation.effects.items() if name not in _DRAW}
    return dataclasses.replace(augmentation, effects=effects)


def make_outliers(images: Tensor, count: int) -> Tensor:
    """Draw pictures of no class.

    There are seven kinds in equal numbers, but twice as many of the first, which is the likeliest
    to come:

    - two images side by side, from overlapping to apart, reduced to the size of one,
    - quarters of different images,
    - a scribble,
    - a polygon,
    - straight strokes that cross,
    - texture, from fine noise to broad blobs,
    - specks on an empty background.

    Parameters
    ----------
    images : Tensor of float32, shape (N, 1, H, W)
        Images of the classes, in [0, 1], parts of which are used.
    count : int
        Number of pictures to draw.

    Returns
    -------
    Tensor of float32, shape (count, 1, H, W)
        Pictures with values in [0, 1]. The draws come from PyTorch's global generator.

    References
    ----------
    D. Hendrycks, M. Mazeika, T. Dietterich, "Deep anomaly detection with outlier exposure",
    ICLR 2019.
    """
    kinds = (_pairs, _pairs, _mosaics, _scribbles, _polygons, _crossings, _textures, _specks)
    starts = [round(place * count / len(kinds)) for place in range(len(kinds) + 1)]
    return torch.cat(
        [
            kind(images, stop - start)
            for kind, start, stop in zip(kinds, starts, starts[1:], strict=False)
            if stop > start
        ]
    )


def _some(images: Tensor, count: int) -> Tensor:
    return images[torch.randint(len(images), (count,), device=images.device)]


def _pairs(images: Tensor, count: int) -> Tensor:
    """Put two images side by side, from overlapping to apart, and fit their ink into one."""
    height, width = images.shape[2:]
    left, right = _some(images, count), _some(images, count)
    columns = torch.arange(2 * width, device=images.device)
    # In each row, where the left one's ink ends, and where the right one's starts, (N, H).
    ends = torch.where(left[:, 0] > _INK, columns[:width], -width).amax(2)
    starts = torch.where(right[:, 0] > _INK, columns[:width], 2 * width).amin(2)
    gap = width * (_CLOSEST + (_WIDEST - _CLOSEST) * torch.rand(count, device=images.device))
    shift = ((ends - starts).amax(1) + 1 + gap).clamp(width // 4, width).long()  # (N,)
    source = columns - shift[:, None]  # (N, 2W)
    inside = (source >= 0) & (source < width)
    moved = right.gather(
        3, source.clamp(0, width - 1)[:, None, None].expand(-1, 1, height, -1)
    ) * inside.to(images.dtype).view(count, 1, 1, 2 * width)
    return _fit(torch.maximum(functional.pad(left, (0, width)), moved), (height, width))


def _fit(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale the ink of pictures (N, 1, H, W) to fit the middle five sevenths of images."""
    whole = torch.tensor(pictures.shape[:1:-1], device=pictures.device)  # width and height
    least, most = [], []
    for axis, side in enumerate(whole.tolist()):
        some = (pictures[:, 0] > _INK).any(1 + axis)  # (N, side)
        places = torch.arange(side, device=pictures.device)
        least.append(torch.where(some, places, side).amin(1))
        most.append(torch.where(some, places, -1).amax(1) + 1)
    start, stop = torch.stack(least, 1), torch.stack(most, 1)  # (N, 2), x and y
    # A blank pair has no ink to fit; it stays as it is.
    extent = (stop - start).amax(1).clamp(min=1) * 1.4
    turn = torch.diag_embed(extent[:, None] / whole)
    middle = (start + stop) / whole - 1
    grid = functional.affine_grid(
        torch.cat([turn, middle[..., None]], 2),
        [len(pictures), 1, 3 * size[0], 3 * size[1]],
        align_corners=False,
    )
    fine = functional.grid_sample(pictures, grid.to(pictures.dtype), align_corners=False)
    return functional.avg_pool2d(fine, 3)


def _mosaics(images: Tensor, count: int) -> Tensor:
    height, width = images.shape[2:]
    y, x = (torch.arange(side, device=images.device) >= side // 2 for side in (height, width))
    # The upper quarters come from images upside down: otherwise a quarter often continues the
    # strokes of the one below it.
    turned = images.flip(2)
    rows = [
        torch.where(x, _some(source, count), _some(source, count)) for source in (turned, images)
    ]
    return torch.where(y[:, None], rows[0], rows[1])


def _scribbles(images: Tensor, count: int) -> Tensor:
    corners = torch.rand(count, 2, 7, device=images.device)
    path = functional.interpolate(corners, size=64, mode="linear", align_corners=True)
    path = functional.avg_pool1d(functional.pad(path, (5, 5), mode="replicate"), 11, stride=1)
    return _strokes(images, path)


def _polygons(images: Tensor, count: int) -> Tensor:
    corners = torch.rand(count, 2, 4, device=images.device)
    least, most = corners.amin(2, keepdim=True), corners.amax(2, keepdim=True)
    side = _THINNEST + (1 - _THINNEST) * torch.rand(count, 2, 1, device=images.device)
    start = (1 - side) * torch.rand(count, 2, 1, device=images.device)
    corners = start + side * (corners - least) / (most - least).clamp(min=1e-6)
    closed = torch.cat([corners, corners[..., :1]], 2)
    return _strokes(
        images, functional.interpolate(closed, size=64, mode="linear", align_corners=True)
    )


def _crossings(images: Tensor, count: int) -> Tensor:
    # Near the middle of each: otherwise strokes would make a 4, a 7 or a 1 with a foot.
    first, turn = (torch.rand(count, 1, 1, device=images.device) * math.pi for _ in range(2))
    third = torch.rand(count, 1, 1, device=images.device) < 0.3
    second = first + math.pi / 3 + turn / 3
    angles = torch.cat([first, second, (first + second) / 2], 1)
    length = 0.7 + 0.5 * torch.rand(count, 3, 1, device=images.device)
    middle = (torch.rand(count, 3, 1, device=images.device) - 0.5) / 3
    along = length * (torch.linspace(-0.5, 0.5, 32, device=images.device) + middle)
    strokes = torch.stack([along * angles.sin(), along * angles.cos()], 1)
    strokes[:, :, 2] = torch.where(third, strokes[:, :, 2], strokes[:, :, 0])
    return _strokes(images, 0.5 + strokes.flatten(2))


def _strokes(images: Tensor, path: Tensor) -> Tensor:
    """Draw along points (N, 2, P), y and x, whose 0 and 1 are a fifth of the side from a border."""
    height, width = images.shape[2:]
    ys, xs = (
        ((0.2 + 0.6 * path[:, axis]) * side)[..., None, None]
        for axis, side in enumerate((height, width))
    )
    y, x = (torch.arange(side, device=images.device) + 0.5 for side in (height, width))
    distance = ((x - xs) ** 2 + (y[:, None] - ys) ** 2).amin(1, keepdim=True).sqrt()
    radius = torch.rand(len(path), 1, 1, 1, device=images.device) * height / 28 + 0.7
    return (radius + 0.5 - distance).clamp(0, 1)


def _textures(images: Tensor, count: int) -> Tensor:
    size = list(images.shape[2:])
    cells = [max(2, min(size) // part) for part in (1, 3, 8)]
    fields = [
        functional.interpolate(
            torch.randn(count, 1, side, side, device=images.device), size=size, mode="bicubic"
        )
        for side in cells
    ]
    kind = torch.randint(len(cells), (count,), device=images.device)
    field = torch.stack(fields)[kind, torch.arange(count, device=images.device)]
    level, slope = (torch.rand(count, 1, 1, 1, device=images.device) for _ in range(2))
    return torch.sigmoid((field - 2 * level) * (1 + 9 * slope))


def _specks(images: Tensor, count: int) -> Tensor:
    share = torch.rand(count, 1, 1, 1, device=images.device) * 0.02
    dots = torch.rand(count, 1, *images.shape[2:], device=images.device) < share
    broad = torch.rand(count, 1, 1, 1, device=images.device) < 0.5
    specks = dots.to(images.dtype)
    return torch.where(broad, functional.max_pool2d(specks, 3, stride=1, padding=1), specks)
