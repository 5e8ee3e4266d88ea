"""Effects: what other pens, papers and devices do to a digit, for whole batches at once.

Each is a data augmentation. It takes images, float32 (N, 1, H, W) in [0, 1], of light ink (the
foreground) on a black background, and returns changed copies in [0, 1]. Every image has its own
draws from PyTorch's global generator, in tensors of shape (N, 1, 1, 1). Nothing waits for the host,
so that a step on a graphics processor can be recorded.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

_BITMAP = 32
"""The side of a form reader's bitmap, in pixels."""


def serifs(images: Tensor) -> Tensor:
    """Add a short stroke that leads up to the top of the digit, a foot below it, or both."""
    flag, foot = _chance(images, 0.75), _chance(images, 0.4)
    side = torch.where(_chance(images, 0.8), 1, -1)
    up = _uniform(images, -0.4, 0.4)
    top = _farthest(images, up.sin(), -up.cos())
    down = up + side * _uniform(images, math.radians(20), math.radians(60))
    length = _uniform(images, 2.5, 11)
    end = top[0] - length * down.sin(), top[1] + length * down.cos()
    bottom = _farthest(images, torch.zeros_like(up), torch.ones_like(up))
    left, right = (bottom[0] + sign * _uniform(images, 1.5, 5) for sign in (-1, 1))
    lean = _uniform(images, -1, 1)
    radius, ink = _uniform(images, 0.9, 1.8), images.amax((2, 3), keepdim=True)
    for wanted, start, stop in (
        (flag, top, end),
        (foot | ~flag, (left, bottom[1] + lean), (right, bottom[1] - lean)),
    ):
        stroke = (radius - _distance(images, start, stop)).clamp(0, 1)
        images = torch.maximum(images, stroke * ink * wanted)
    return images


def thicker(images: Tensor) -> Tensor:
    """Widen strokes by up to a pixel on every side."""
    return torch.lerp(images, _widest(images), _uniform(images, 0.3, 1))


def thinner(images: Tensor) -> Tensor:
    """Narrow strokes by up to 0.7 pixels on every side."""
    return torch.lerp(images, -_widest(-images), _uniform(images, 0.2, 0.7))


def low_resolution(images: Tensor) -> Tensor:
    """Average over cells of 1.65 to 4 pixels a side, and enlarge again, linearly or cubically."""
    rows, columns = (_there_and_back(images, side) for side in images.shape[2:])
    return (rows @ images @ columns.mT).clamp(0, 1)


def form_reader(images: Tensor) -> Tensor:
    """Imitate the preprocessing of a form reader.

    The digit is stretched to a box as a black and white bitmap, strokes are made evenly wide, its
    slant is removed, and its ink is counted in few cells.

    References
    ----------
    M. D. Garris et al., "NIST form-based handprint recognition system", NISTIR 5469, 1994.
    """
    bitmaps = _stretch_to_box(images)
    bitmaps = torch.where(_chance(images, 0.7), _even_ink(bitmaps), bitmaps)
    bitmaps = _upright(bitmaps)
    coarse = _chance(images, 0.5)
    # The ink in cells of 4 or 2 pixels a side, (N, 1, 16, 16); the coarse ones fill a quarter.
    counts = torch.where(
        coarse,
        functional.pad(functional.avg_pool2d(bitmaps, 4), (0, 8, 0, 8)),
        functional.avg_pool2d(bitmaps, 2),
    )
    box = 5 / 7 * min(images.shape[2:])
    cell = box * torch.where(coarse, 4, 2) / _BITMAP
    rows, columns = (
        _interpolate(
            images, (_places(images, side) - (side - box) / 2 + _uniform(images, -1, 1)) / cell, 16
        )
        for side in images.shape[2:]
    )
    return (rows @ counts @ columns.mT * _uniform(images, 0.85, 1)).clamp(0, 1)


def blur(images: Tensor) -> Tensor:
    """Blur by a Gaussian whose width differs between the axes."""
    rows, columns = (_gaussian(images, side) for side in images.shape[2:])
    return rows @ images @ columns.mT


def motion_blur(images: Tensor) -> Tensor:
    """Blur along a line of 3 to 9 pixels in any direction, as a camera that moves does."""
    reach = 5
    x, y = _pixels(images, 2 * reach + 1, 2 * reach + 1)
    x, y = x - reach, y - reach
    angle = _uniform(images, 0, math.pi)
    across, along = y * angle.cos() - x * angle.sin(), x * angle.cos() + y * angle.sin()
    kernels = (1 - across.abs()).clamp(0) * (along.abs() <= _uniform(images, 1.5, 4.5))
    kernels = kernels / kernels.sum((2, 3), keepdim=True)
    return functional.conv2d(
        images.transpose(0, 1), kernels, padding=reach, groups=len(images)
    ).transpose(0, 1)


def threshold(images: Tensor) -> Tensor:
    """Turn to nearly black and white, by a steep sigmoid about a random level."""
    level, softness = _uniform(images, 0.2, 0.7), _uniform(images, 0.02, 0.1)
    return torch.sigmoid((images - level) / softness)


def contrast(images: Tensor) -> Tensor:
    """Make the ink fainter, down to a quarter of its level."""
    return images * _uniform(images, 0.25, 1)


def tone(images: Tensor) -> Tensor:
    """Apply a gamma correction with an exponent of 0.4 to 2.5."""
    return images.clamp(min=1e-4) ** _uniform(images, -0.9, 0.9).exp()


def brightness(images: Tensor) -> Tensor:
    """Lighten the background, and lighten the ink as much or squeeze it into the range left."""
    ground = _uniform(images, 0.1, 0.6)
    within = torch.lerp(ground, images.new_ones(()), images)
    return _either(images, (images + ground).clamp(max=1), within)


def noise(images: Tensor) -> Tensor:
    """Add Gaussian noise with a standard deviation of 0.03 to 0.35."""
    return (images + torch.randn_like(images) * _uniform(images, 0.03, 0.35)).clamp(0, 1)


def shot_noise(images: Tensor) -> Tensor:
    """Add shot noise, as if full ink gave 3 to 20 photons (a Poisson distribution)."""
    photons = _uniform(images, 3, 20)
    return (torch.poisson(images * photons) / photons).clamp(max=1)


def impulses(images: Tensor) -> Tensor:
    """Set 2 to 30% of the pixels to black or white."""
    share, draw = _uniform(images, 0.02, 0.3), torch.rand_like(images)
    return torch.where(draw < share / 2, 0, torch.where(draw < share, 1, images))


def lines(images: Tensor) -> Tensor:
    """Draw two straight strokes, solid or dashed, from 8 to 48 pixels long."""
    x, y = _pixels(images)
    for _ in range(2):
        angle, middle = _uniform(images, 0, math.pi), _points(images)
        across = (y - middle[1]) * angle.cos() - (x - middle[0]) * angle.sin()
        along = (x - middle[0]) * angle.cos() + (y - middle[1]) * angle.sin()
        ink = (_uniform(images, 0.9, 1.7) - across.abs()).clamp(0, 1)
        ink = ink * (along.abs() < _uniform(images, 4, 24))
        gaps = (along / _uniform(images, 2, 5)) % 2 > 1
        images = _draw(images, ink * ~(gaps & _chance(images, 0.4)))
    return images


def zigzag(images: Tensor) -> Tensor:
    """Draw a zigzag stroke from one side of the picture to the other."""
    height, width = images.shape[2:]
    corners = 7
    # Coordinates of the corners, as shares of the sides, (N, corners, 1, 1).
    share = torch.linspace(0, 1, corners, device=images.device).view(1, corners, 1, 1)
    sign = torch.arange(corners, device=images.device) % 2 * 2 - 1
    along = share + torch.randn_like(share.expand(len(images), -1, -1, -1)) / 25
    across = _uniform(images, 0, 1) + _uniform(images, -0.5, 0.5) * (share - 0.5)
    across = across + _uniform(images, 0.02, 0.25) * sign.view(1, corners, 1, 1)
    upright = _chance(images, 0.3)
    xs = torch.where(upright, across, along) * width
    ys = torch.where(upright, along, across) * height
    distance = torch.full_like(images, math.inf)
    for start, end in zip(range(corners - 1), range(1, corners), strict=True):
        first, second = ((xs[:, at : at + 1], ys[:, at : at + 1]) for at in (start, end))
        distance = torch.minimum(distance, _distance(images, first, second))
    return _draw(images, (_uniform(images, 0.9, 1.6) - distance).clamp(0, 1))


def stripe(images: Tensor) -> Tensor:
    """Invert a band of the picture, or all but a band, or cover it with one grey."""
    x, y = _pixels(images)
    height, width = images.shape[2:]
    place = torch.where(_chance(images, 0.5), x / width, y / height)
    start = _uniform(images, 0, 0.9)
    band = (place >= start) & (place < start + _uniform(images, 0.1, 0.55))
    band = band ^ _chance(images, 0.5)
    fill = torch.where(_chance(images, 0.7), 1 - images, _uniform(images, 0, 1))
    return torch.where(band, fill, images)


def fog(images: Tensor) -> Tensor:
    """Add haze with structure at every scale."""
    haze = sum((_field(images, cells) / cells for cells in (2, 4, 8, 14)), torch.zeros_like(images))
    low, high = haze.amin((2, 3), keepdim=True), haze.amax((2, 3), keepdim=True)
    foggy = images + _uniform(images, 0.3, 1.5) * (haze - low) / (high - low + 1e-6)
    return foggy / foggy.amax((2, 3), keepdim=True).clamp(min=1)


def blots(images: Tensor) -> Tensor:
    """Add blots of ink, or erase the ink in them, at random places."""
    wetness = _field(images, 14) + 0.3 * torch.randn_like(images)
    blot = torch.sigmoid(8 * (wetness - _uniform(images, 1, 2)))
    return torch.lerp(images, _chance(images, 0.7).to(images.dtype), blot)


def outline(images: Tensor) -> Tensor:
    """Keep only the edges of the strokes."""
    outer, inner = _widest(images), -_widest(-images)
    edges = _either(images, outer - inner, outer - images)
    sharp = torch.sigmoid(15 * (edges - _uniform(images, 0.2, 0.6)))
    return torch.where(_chance(images, 0.6), sharp, edges)


def invert(images: Tensor) -> Tensor:
    """Turn to dark ink on a light background."""
    return 1 - images


def jitter(images: Tensor) -> Tensor:
    """Take every pixel from a random place nearby, as frosted glass does."""
    height, width = images.shape[2:]
    unit = torch.eye(2, 3, device=images.device).expand(len(images), 2, 3)
    grid = functional.affine_grid(unit, list(images.shape), align_corners=False)
    size = torch.cat([images.new_full((1,), side) for side in (width, height)])
    reach = _uniform(images, 0, 1.6)
    jump = torch.randn_like(grid) * reach * 2 / size
    return functional.grid_sample(images, grid + jump, align_corners=False)


def move(images: Tensor) -> Tensor:
    """Move the digit by up to 6 pixels along each axis."""
    height, width = images.shape[2:]
    unit = torch.eye(2, 2, device=images.device).expand(len(images), 2, 2)
    shift = torch.cat([_uniform(images, -12 / side, 12 / side) for side in (width, height)], 1)
    grid = functional.affine_grid(
        torch.cat([unit, shift[:, :, 0]], 2), list(images.shape), align_corners=False
    )
    return functional.grid_sample(images, grid, align_corners=False)


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Draw a number for every image, (N, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, device=images.device) * (high - low) + low


def _chance(images: Tensor, share: float) -> Tensor:
    """Draw yes or no for every image, (N, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, device=images.device) < share


def _either(images: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return torch.where(_chance(images, 0.5), one, other)


def _points(images: Tensor) -> tuple[Tensor, Tensor]:
    """Draw a point of every image: x and y in pixels, (N, 1, 1, 1) each."""
    height, width = images.shape[2:]
    return _uniform(images, 0, width), _uniform(images, 0, height)


def _pixels(
    images: Tensor, height: int | None = None, width: int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the pixels' x, (W,), and y, (H, 1), by default of the images' own size."""
    rows, columns = images.shape[2:]
    return (
        torch.arange(width or columns, device=images.device, dtype=images.dtype),
        torch.arange(height or rows, device=images.device, dtype=images.dtype)[:, None],
    )


def _farthest(images: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y of the ink that lies farthest in a direction, moved a pixel inwards."""
    xs, ys = _pixels(images)
    inked = images > images.amax((2, 3), keepdim=True) / 2
    reach = torch.where(inked, xs * x + ys * y, -math.inf).flatten(2)
    place = reach.argmax(2)[..., None, None]
    width = images.shape[3]
    return place % width - x, place // width - y


def _distance(images: Tensor, start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor]) -> Tensor:
    """Return the distance of every pixel from a straight stroke, in pixels, (N, 1, H, W)."""
    x, y = _pixels(images)
    by_x, by_y = end[0] - start[0], end[1] - start[1]
    along = (x - start[0]) * by_x + (y - start[1]) * by_y
    share = (along / (by_x**2 + by_y**2 + 1e-6)).clamp(0, 1)
    across = (x - start[0] - share * by_x) ** 2 + (y - start[1] - share * by_y) ** 2
    return across.sqrt()


def _widest(images: Tensor) -> Tensor:
    """Return the maximum over the 3×3 neighbourhood of every pixel."""
    return functional.max_pool2d(images, 3, stride=1, padding=1)


def _draw(images: Tensor, ink: Tensor) -> Tensor:
    """Draw strokes over images, mostly light and sometimes as dark as the background."""
    light = _uniform(images, 0.6, 1) * _chance(images, 0.85)
    return torch.lerp(images, light.expand_as(images), ink)


def _field(images: Tensor, cells: int) -> Tensor:
    """Draw smooth noise of about unit variance, with `cells` cells a side, (N, 1, H, W)."""
    coarse = torch.randn(len(images), 1, cells, cells, device=images.device)
    size = list(images.shape[2:])
    return functional.interpolate(coarse, size=size, mode="bicubic", align_corners=True)


def _gaussian(images: Tensor, side: int) -> Tensor:
    """Return matrices that blur along a side, (N, 1, side, side)."""
    place = torch.arange(side, device=images.device, dtype=images.dtype)
    width = _uniform(images, 0.5, 1.6)
    weights = torch.exp(-(((place[:, None] - place) / width) ** 2) / 2)
    return weights / weights.sum(3, keepdim=True)


def _there_and_back(images: Tensor, side: int) -> Tensor:
    """Return matrices that average over cells along a side and interpolate, (N, 1, side, side)."""
    pixels = torch.arange(side, device=images.device, dtype=images.dtype)
    cell = side / _uniform(images, side / 4, side / 1.65)
    shift = _uniform(images, 0, 1)
    cells = pixels.view(1, 1, -1, 1) - shift
    overlap = torch.minimum(pixels + 1, (cells + 1) * cell) - torch.maximum(pixels, cells * cell)
    average = overlap.clamp(min=0) / cell
    return _interpolate(images, _places(images, side) / cell + shift, side) @ average


def _places(images: Tensor, side: int) -> Tensor:
    """Return the centres of the pixels along a side, (side, 1)."""
    return torch.arange(side, device=images.device, dtype=images.dtype)[:, None] + 0.5


def _interpolate(images: Tensor, places: Tensor, cells: int) -> Tensor:
    """Return matrices that interpolate between cells, linearly or cubically, (N, 1, P, cells).

    The unit of `places`, (N, 1, P, 1), is a cell; the centre of the first cell is at 0.5.
    """
    middles = torch.arange(cells, device=images.device, dtype=images.dtype) + 0.5
    distance = (places - middles).abs()
    linear = (1 - distance).clamp(min=0)
    # Keys' cubic convolution with a = -0.5, IEEE Transactions on Acoustics 29 (1981).
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    cubic = torch.where(distance < 1, near, torch.where(distance < 2, far, 0))
    return _either(images, linear, cubic)


def _stretch_to_box(images: Tensor) -> Tensor:
    """Return black and white digits as tall as a bitmap; of most, the width is changed."""
    ink = images.amax((2, 3), keepdim=True)
    inked = images > ink / 2
    (top, bottom), (left, right) = _ends(inked.any(3)), _ends(inked.any(2))
    own = ((right - left) / (bottom - top)).clamp(0.1, 1)
    drawn = torch.where(_chance(images, 0.5), 0.625, _uniform(images, 0.45, 1))
    width = torch.where(_chance(images, 0.2), own, drawn)
    place = _places(images, _BITMAP) / _BITMAP
    across = (place.mT - 0.5) / width
    x, y = torch.broadcast_tensors(
        (left + right) / 2 + across * (right - left), top + place * (bottom - top)
    )
    rows, columns = images.shape[2:]
    grid = torch.cat([2 * x / columns - 1, 2 * y / rows - 1], 1).permute(0, 2, 3, 1)
    digits = functional.grid_sample(images, grid, align_corners=False)
    black = (digits > _uniform(images, 0.4, 0.6) * ink) & (across.abs() < 0.5)
    return black.to(images.dtype)


def _ends(flags: Tensor) -> tuple[Tensor, Tensor]:
    """Return the start of the first flag and the end of the last one, (N, 1, 1, 1) each."""
    numbers = flags.to(torch.uint8)
    last = flags.shape[2] - numbers.flip(2).argmax(2)
    return numbers.argmax(2)[..., None, None], last[..., None, None]


def _even_ink(bitmaps: Tensor) -> Tensor:
    """Widen strokes if there is little ink, and narrow them if there is much, at most twice."""
    ink = bitmaps.sum((2, 3), keepdim=True) * _uniform(bitmaps, 0.85, 1.15)
    for least, most in ((256, 412), (108, 560)):
        shrunk = torch.where(ink > most, -_cross(-bitmaps), bitmaps)
        bitmaps = torch.where(ink < least, _cross(bitmaps), shrunk)
    return bitmaps


def _cross(images: Tensor) -> Tensor:
    """Return the maximum over every pixel and its four neighbours."""
    return torch.maximum(
        functional.max_pool2d(images, (3, 1), stride=1, padding=(1, 0)),
        functional.max_pool2d(images, (1, 3), stride=1, padding=(0, 1)),
    )


def _upright(bitmaps: Tensor) -> Tensor:
    """Shear most bitmaps until their left edge is upright, and others a little."""
    side = bitmaps.shape[3]
    top, bottom = _ends(bitmaps.any(3))
    top, bottom = (top + 2).clamp(max=side - 1), (bottom - 3).clamp(min=0)

    def edge(row: Tensor) -> Tensor:
        return bitmaps.gather(2, row.expand(-1, -1, 1, side)).argmax(3, keepdim=True)

    upright = (edge(top) - edge(bottom)) / (bottom - top).clamp(min=1)
    slope = torch.where(_chance(bitmaps, 0.65), upright, _uniform(bitmaps, -0.2, 0.2)).clamp(-1, 1)
    columns = torch.arange(side, device=bitmaps.device)
    source = columns - ((columns[:, None] - side // 2) * slope).round().long()
    inside = (source >= 0) & (source < side)
    return bitmaps.gather(3, source.clamp(0, side - 1)) * inside
