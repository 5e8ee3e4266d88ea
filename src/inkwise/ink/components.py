"""Connected components of a mask: the separate pieces of ink in a picture, and their shapes."""

import dataclasses
import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.levels import Box, Levels

DIRECTIONS = 72
"""Number of directions in which `coverage` looks around."""

_MOST_PIXELS = 4000  # of a component, that its shape is measured on


@dataclasses.dataclass(frozen=True, eq=False)
class Components:
    """The connected components of a mask.

    Everything about components has the shape (count,) or (count, 2), and the first one is the
    background.

    Parameters
    ----------
    mask : ndarray of uint8, shape (H, W)
        The mask, whose ink is 1.
    labels : ndarray of int32, shape (H, W)
        Number of the component that each pixel belongs to; 0 is the background.
    top, left, bottom, right : ndarray of int32, shape (count,)
        Bounding boxes, in pixels; bottom and right are exclusive.
    area : ndarray of int32, shape (count,)
        Numbers of pixels.
    centres : ndarray of float64, shape (count, 2)
        Means of the pixels' places, x and y.
    """

    mask: Levels
    labels: NDArray[np.int32]
    top: NDArray[np.int32]
    left: NDArray[np.int32]
    bottom: NDArray[np.int32]
    right: NDArray[np.int32]
    area: NDArray[np.int32]
    centres: NDArray[np.float64]

    @classmethod
    def of(cls, mask: Levels) -> "Components":
        """Find the components of a mask whose ink is 1, joined over sides and corners."""
        # The fastest of OpenCV's algorithms here, several times as fast as the default.
        _, labels, stats, centres = cv2.connectedComponentsWithStatsWithAlgorithm(
            mask, 8, cv2.CV_32S, cv2.CCL_GRANA
        )
        left, top, wide, high, area = stats.T
        return cls(mask, labels, top, left, top + high, left + wide, area, centres)

    def __len__(self) -> int:
        return len(self.area)

    @property
    def longest(self) -> NDArray[np.int32]:
        """The longer side of each bounding box, in pixels."""
        return np.maximum(self.bottom - self.top, self.right - self.left)

    @functools.cached_property
    def at_border(self) -> NDArray[np.bool_]:
        """Whether each component reaches the border of the picture."""
        height, width = self.labels.shape
        return (self.left == 0) | (self.top == 0) | (self.right == width) | (self.bottom == height)

    def box(self, chosen: NDArray[np.bool_] | int) -> Box:
        """Return the bounding box of one component, or of some of them together."""
        return (
            int(np.min(self.top[chosen])),
            int(np.min(self.left[chosen])),
            int(np.max(self.bottom[chosen])),
            int(np.max(self.right[chosen])),
        )

    def cut(self, place: int) -> Levels:
        """Return the mask of one component, cropped to its bounding box."""
        rows = slice(self.top[place], self.bottom[place])
        columns = slice(self.left[place], self.right[place])
        return (self.labels[rows, columns] == place).astype(np.uint8)

    def points(self, place: int) -> NDArray[np.float64]:
        """Return places of pixels of a component, x and y, (P, 2); a sample if there are many."""
        if place not in self._points:
            rows, columns = np.nonzero(self.cut(place))
            step = -(-len(rows) // _MOST_PIXELS)
            self._points[place] = np.column_stack(
                [columns[::step] + self.left[place] + 0.5, rows[::step] + self.top[place] + 0.5]
            )
        return self._points[place]

    def width(self, place: int) -> float:
        """Return the mean width of a component's strokes, in pixels."""
        if place not in self._widths:
            self._widths[place] = stroke_width(self.cut(place))
        return self._widths[place]

    @functools.cached_property
    def _points(self) -> dict[int, NDArray[np.float64]]:
        """What `points` has returned, which is asked for many times."""
        return {}

    @functools.cached_property
    def _widths(self) -> dict[int, float]:
        """What `width` has returned."""
        return {}


def middle(box: Box) -> tuple[float, float]:
    """Return the centre of a box, x and y."""
    top, left, bottom, right = box
    return (left + right) / 2, (top + bottom) / 2


def distances(
    points: NDArray[np.float64], centre: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how near and how far points are in each direction around a centre.

    Parameters
    ----------
    points : ndarray of float64, shape (P, 2)
        Places, x and y.
    centre : tuple of float
        The place, x and y, from which the points are seen.

    Returns
    -------
    near, far : ndarray of float64, shape (`DIRECTIONS`,)
        Distances of the nearest and of the farthest point; infinity and 0 where there is none.
    """
    x, y = points[:, 0] - centre[0], points[:, 1] - centre[1]
    directions = ((np.arctan2(y, x) / (2 * np.pi) + 0.5) * DIRECTIONS).astype(int) % DIRECTIONS
    distance = np.hypot(x, y)
    near, far = np.full(DIRECTIONS, np.inf), np.zeros(DIRECTIONS)
    np.minimum.at(near, directions, distance)
    np.maximum.at(far, directions, distance)
    return near, far


def coverage(points: NDArray[np.float64], centre: tuple[float, float]) -> float:
    """Return the share of the directions around a centre in which there are points, 0 to 1."""
    return float(np.mean(distances(points, centre)[1] > 0))


def elongation(points: NDArray[np.float64]) -> tuple[float, float]:
    """Return how narrow a cloud of points is, 0 (a line) to 1 (round), and its direction.

    The direction is the angle from level, in radians from -π/2 to π/2.
    """
    if len(points) < 3:
        return 1.0, 0.0
    values, axes = np.linalg.eigh(np.cov(points.T))
    x, y = axes[:, 1].tolist()
    return float(np.sqrt(max(0.0, values[0]) / max(values[1], 1e-9))), float(
        np.arctan(y / x) if x else np.pi / 2
    )


def stroke_width(mask: Levels) -> float:
    """Return the mean width of the strokes of a mask, in pixels.

    The mean distance of a stroke's pixels from its edge is a quarter of its width.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    distance = cv2.mean(cv2.distanceTransform(padded, cv2.DIST_L2, 5), padded)[0]
    # Distances are measured to the centre of the next pixel outside, half a pixel too far.
    return max(1.0, 4 * distance - 2)
