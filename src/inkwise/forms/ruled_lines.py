"""Ruled lines: how dark a photograph is along them, their directions, and each line's course."""

import dataclasses
import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.levels import Levels, sample

Points = NDArray[np.float64]
"""Places, x and y, float64 (..., 2)."""

WIDEST = 45
"""The longest side of a picture divided by the greatest width of a ruled line."""

DARKEST = 0.35
"""Least lightness of paper in a shadow, as a share of that of light paper."""

GRAIN = 32
"""Side of the blocks in which noise is measured, in pixels."""

DARKER = 1.3
"""Median of the noise below the lightest paper, divided by what a quarter of it is below."""

QUIET, EVEN = 8.0, 1.5
"""Greatest noise that is left as it is: its level, and relative to that of quiet paper."""

STREAK, TILTED = 17, 25
"""Length in pixels, and greatest tilt in degrees, of the short lines by which faint ones show."""

SPREAD = 25
"""Greatest angle between a line and the direction of its family, in degrees."""

STRAY = 2.0
"""Greatest angle between a line and the way to its vanishing point, in degrees."""

TRIES = 300
"""Number of pairs of lines that a vanishing point is guessed from."""

STRIPS = 48
"""Number of strips across all lines in each of which a line has a place."""

POWERS = 4
"""Degree of the polynomials by which all lines of a sheet bend."""

PALE, NOISY = 0.12, 0.4
"""Least darkness of a line, as shares of that of dark lines and of the level of noise."""

NEAR = 4.0
"""Greatest distance of a place of a line from its curve, in pixels."""

FAR = 4
"""Greatest number of strips from one place of a line to the next."""


def thin_darkness(grey: Levels) -> Levels:
    """Return how much darker thin things are than what is around them, as shares of 255."""
    side = max(3, max(grey.shape) // WIDEST) | 1
    around = cv2.morphologyEx(
        grey, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    )
    # What is much darker than the paper, such as a desk, holds no lines, but noise.
    light = np.maximum(around, DARKEST * float(np.quantile(sample(around), 0.9)))
    shares = (around.astype(np.float32) - grey) * (255 / np.maximum(light, 1))
    noise = _noise(shares)
    least = max(QUIET, EVEN * float(np.quantile(noise, 0.25)))
    calm = least / np.maximum(noise, least)
    size = grey.shape[1], grey.shape[0]
    noise, calm = (cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in (noise, calm))
    return (np.maximum(0, shares - noise) * calm).clip(0, 255).astype(np.uint8)


def _noise(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level that half of the paper's noise reaches, in coarse blocks of a picture."""
    height, width = (max(1, side // GRAIN) for side in shares.shape)
    across = cv2.resize(shares, (width * 16, height * 16), interpolation=cv2.INTER_NEAREST)
    blocks = across.reshape(height, 16, width, 16).transpose(0, 2, 1, 3).reshape(height, width, -1)
    # Where much is written, ink takes up less than three quarters.
    quiet = np.quantile(blocks, 0.25, axis=2).astype(np.float32)
    return cv2.medianBlur(DARKER * quiet, 3)


def streaks(darkness: Levels) -> Levels:
    """Return how dark a picture is along short straight lines, up to `TILTED` from its sides.

    Noise is as dark along none, so that lines show that are fainter than it.
    """
    half = STREAK // 2
    best = np.zeros_like(darkness)
    for rise in np.linspace(-1, 1, 7) * half * math.tan(math.radians(TILTED)):
        kernel = np.zeros((STREAK, STREAK), np.float32)
        cv2.line(kernel, (0, round(half - rise)), (STREAK - 1, round(half + rise)), 1.0)
        kernel /= kernel.sum()
        for one in (kernel, kernel.T):
            best = np.maximum(best, cv2.filter2D(darkness, -1, one))
    return best


def noise_level(darkness: Levels) -> float:
    """Return the level of darkness that hardly any paper without ink reaches."""
    values = sample(darkness)
    # Half of the noise is darker than the median, which is 0 here.
    return min(max(8.0, 4 * float(np.quantile(values, 0.75)) / 0.67), 60.0)


def find_segments(darkness: Levels) -> NDArray[np.float64]:
    """Return straight edges in a picture, both ends of each: x, y, x, y; float64 (N, 4)."""
    found = cv2.createLineSegmentDetector().detect(darkness)[0]
    if found is None:
        return np.empty((0, 4))
    segments = found.reshape(-1, 4).astype(np.float64)
    return segments[lengths_of(segments) >= max(darkness.shape) / 80]


def lengths_of(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of each segment."""
    return np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])


def straighten(segments: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the homography that makes two families of lines level and upright.

    Each family meets in a vanishing point. The homography leaves the size of things in the middle
    of the segments as it is.

    Returns
    -------
    ndarray of float64, shape (3, 3), or None
        From the picture to a plane whose origin is the middle; None if there are not two families.
    """
    if len(segments) < 4:
        return None
    lengths = lengths_of(segments)
    middles = (segments[:, :2] + segments[:, 2:]) / 2
    centre = np.average(middles, axis=0, weights=lengths)
    size = float(np.abs(middles - centre).max()) or 1.0
    angles = np.degrees(
        np.arctan2(segments[:, 3] - segments[:, 1], segments[:, 2] - segments[:, 0])
    )
    turned = angles[None] - np.arange(-45.0, 45.0)[:, None]
    off = np.abs((turned + 45) % 90 - 45)
    tilt = float(np.argmax((np.maximum(0, 1 - off / 8) * lengths).sum(1))) - 45
    scaled = np.hstack([segments[:, :2] - centre, segments[:, 2:] - centre]) / size
    ways = []
    for start in (tilt, tilt + 90):
        own = np.abs((angles - start + 90) % 180 - 90) < SPREAD
        point = _vanishing_point(scaled[own], lengths[own])
        if point is None:
            return None
        ways.append(point)
    level, upright = ways
    # The inverse maps the directions of the axes to the vanishing points, and 0 to the middle.
    level = level / np.hypot(*level[:2]) * np.sign(level[0] or 1)
    upright = upright / np.hypot(*upright[:2]) * np.sign(upright[1] or 1)
    inverse = np.column_stack([level, upright, [0.0, 0.0, 1.0]])
    if abs(np.linalg.det(inverse)) < 0.3:
        return None
    to_unit = np.array(
        [[1 / size, 0, -centre[0] / size], [0, 1 / size, -centre[1] / size], [0, 0, 1]]
    )
    return np.diag([size, size, 1.0]) @ np.linalg.inv(inverse) @ to_unit


def _vanishing_point(
    segments: NDArray[np.float64], lengths: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the point, in homogeneous coordinates, that most of the segments' length points to."""
    if len(segments) < 2:
        return None
    starts = np.column_stack([segments[:, :2], np.ones(len(segments))])
    ends = np.column_stack([segments[:, 2:], np.ones(len(segments))])
    lines = np.cross(starts, ends)
    lines /= np.maximum(np.hypot(lines[:, 0], lines[:, 1]), 1e-9)[:, None]
    middles = (segments[:, :2] + segments[:, 2:]) / 2
    own = np.arctan2(segments[:, 3] - segments[:, 1], segments[:, 2] - segments[:, 0])
    generator = np.random.default_rng(0)
    pairs = generator.choice(len(segments), (TRIES, 2), p=lengths / lengths.sum())
    points = np.cross(lines[pairs[:, 0]], lines[pairs[:, 1]])
    # And parallel lines, in the direction of each family's longest.
    longest = np.argsort(lengths)[-20:]
    parallel = np.column_stack([np.cos(own[longest]), np.sin(own[longest]), 0 * own[longest]])
    points = np.concatenate([points, parallel])
    points = points[np.linalg.norm(points, axis=1) > 1e-9]
    points /= np.linalg.norm(points, axis=1)[:, None]

    def off(point: NDArray[np.float64]) -> NDArray[np.float64]:
        way = point[..., None, :2] - middles * point[..., None, 2:]
        angle = np.degrees(np.arctan2(way[..., 1], way[..., 0]) - own)
        return np.abs((angle + 90) % 180 - 90)

    # A vanishing point among the lines would turn some of them over.
    apart = np.hypot(points[:, 0], points[:, 1]) > 1.8 * np.abs(points[:, 2])
    points = points[apart]
    if not len(points):
        return None
    scores = (np.maximum(0, 1 - (off(points) / STRAY) ** 2) * lengths).sum(1)
    best = points[int(scores.argmax())]
    for _ in range(3):
        weights = np.maximum(0, 1 - (off(best) / STRAY) ** 2) * lengths
        if np.count_nonzero(weights) < 3:
            break
        _, _, axes = np.linalg.svd(lines * np.sqrt(weights)[:, None], full_matrices=False)
        if np.hypot(*axes[-1, :2]) <= 1.8 * abs(axes[-1, 2]):
            break
        best = axes[-1]
    return best


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """The course of a line that is nearly level.

    Parameters
    ----------
    places : ndarray of float64, shape (P, 2)
        Places along it, x and y, from left to right.
    strength : float
        Its median darkness.
    coefficients : ndarray of float64
        Of the polynomial that gives y from x.
    """

    places: Points
    strength: float
    coefficients: NDArray[np.float64]

    def at(self, x: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return y of the line at x."""
        return np.asarray(np.polyval(self.coefficients, x), np.float64)

    def moved(self, by: float) -> "Line":
        """Return a line beside this one."""
        coefficients = self.coefficients.copy()
        coefficients[-1] += by
        return Line(self.places + np.array([0.0, by]), self.strength, coefficients)


def level_line(y: float) -> Line:
    """Return a line that is known, and not seen."""
    return Line(np.array([[0.0, y]]), 0.0, np.array([y]))


def trace_lines(darkness: Levels) -> list[Line]:
    """Follow all nearly level lines through a picture, from strip to strip.

    Parameters
    ----------
    darkness : ndarray of uint8, shape (H, W)
        A picture in which the lines are nearly level.

    Returns
    -------
    list of Line
        From top to bottom.
    """
    width = darkness.shape[1]
    strip = strip_of(width)
    centres = np.arange(strip // 2, width, strip)
    steady = steady_darkness(darkness)
    mean = cv2.GaussianBlur(steady[:, centres].astype(np.float32), (1, 5), 0.8)
    low, quiet = np.quantile(mean, [0.1, 0.25])
    least = max(3.0, quiet + 5 * (quiet - low) / 0.61)
    highest = cv2.dilate(mean, np.ones((9, 1), np.uint8))
    peaks = (mean >= highest) & (mean > least)
    chains: list[list[tuple[int, float, float]]] = []
    for place in range(len(centres)):
        rows = _middles(peaks[:, place])
        _link(chains, place, [(row, float(mean[round(row), place])) for row in rows], strip)
    joined = _join([chain for chain in chains if len(chain) >= 3], strip)
    least_length = 0.25 * len(centres)
    long = [
        chain
        for chain in joined
        if len(chain) >= max(least_length, 0.5 * (chain[-1][0] - chain[0][0]))
    ]
    strengths = np.array([np.median([each[2] for each in chain]) for chain in long])
    if long:
        faintest = max(PALE * float(np.quantile(strengths, 0.85)), NOISY * noise_level(darkness))
        long = list(itertools.compress(long, strengths >= faintest))
    lines = _fit_together(
        [np.array([(centres[at], row) for at, row, _ in chain], np.float64) for chain in long],
        [float(np.median([each[2] for each in chain])) for chain in long],
        width,
    )
    return sorted(lines, key=lambda line: float(line.at(width / 2)))


def strip_of(width: int) -> int:
    """Return the width of the strips in each of which a line has a place, in pixels."""
    return max(6, min(max(14, round(width / STRIPS)), width // 8))


def steady_darkness(darkness: Levels) -> Levels:
    """Return what is dark all along a strip, up or down by a pixel; few strokes of digits are."""
    steady = cv2.blur(cv2.dilate(darkness, np.ones((3, 1), np.uint8)), (5, 1))
    strip = strip_of(darkness.shape[1])
    return cv2.morphologyEx(steady, cv2.MORPH_OPEN, np.ones((1, strip), np.uint8))


def _middles(peaks: NDArray[np.bool_]) -> list[float]:
    """Return the middle of each run of peaks: a thick line has several of the same height."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], peaks.view(np.int8), [0]])))
    return [(start + stop - 1) / 2 for start, stop in edges.reshape(-1, 2).tolist()]


def _link(
    chains: list[list[tuple[int, float, float]]],
    place: int,
    peaks: list[tuple[float, float]],
    strip: int,
) -> None:
    """Add each peak of a strip to the chain that leads to it, or begin one."""
    pairs = []
    for number, chain in enumerate(chains):
        last, row, strength = chain[-1]
        gap = place - last
        if not 0 < gap <= FAR:
            continue
        expected = row + _slope(chain) * gap
        for peak, (at, level) in enumerate(peaks):
            away = abs(at - expected)
            if away <= 2 + 0.07 * strip * gap:
                # A line is as dark as it was; a stroke that crosses it is not.
                pairs.append((away + 2 * abs(np.log(level / strength)), number, peak))
    taken: set[int] = set()
    used: set[int] = set()
    for _, number, peak in sorted(pairs):
        if number not in used and peak not in taken:
            chains[number].append((place, *peaks[peak]))
            used.add(number)
            taken.add(peak)
    chains += [[(place, *peak)] for n, peak in enumerate(peaks) if n not in taken]


def _slope(chain: list[tuple[int, float, float]]) -> float:
    """Return rows for a strip at the end of a chain."""
    if len(chain) < 4:
        return 0.0
    first, last = chain[-min(len(chain), 8)], chain[-1]
    return (last[1] - first[1]) / (last[0] - first[0])


def _join(
    chains: list[list[tuple[int, float, float]]], strip: int
) -> list[list[tuple[int, float, float]]]:
    """Join chains that lead to each other over a gap."""
    chains = sorted(chains, key=lambda chain: -len(chain))
    joined: list[list[tuple[int, float, float]]] = []
    # A texture has thousands of chains: what cannot lead anywhere is told for all at once.
    inside = np.zeros((len(chains), 1 + max((chain[-1][0] for chain in chains), default=0)), bool)
    lowest, highest = np.zeros((2, len(chains)))
    for chain in chains:
        strips = [at for at, _, _ in chain]
        rows = np.array([row for _, row, _ in chain])
        count = len(joined)
        ends = rows[[0, -1], None]
        near = (ends >= lowest[:count] - FAR * strip) & (ends <= highest[:count] + FAR * strip)
        apart = ~inside[:count, strips].any(1)
        for number in np.flatnonzero(near.any(0) & apart).tolist():
            if _leads(joined[number], chain, strip):
                joined[number] = sorted(joined[number] + chain)
                break
        else:
            number = count
            joined.append(chain)
            lowest[number], highest[number] = rows.min(), rows.max()
        inside[number, strips] = True
        lowest[number] = min(lowest[number], rows.min())
        highest[number] = max(highest[number], rows.max())
    return joined


def _leads(
    one: list[tuple[int, float, float]], other: list[tuple[int, float, float]], strip: int
) -> bool:
    places = {at for at, _, _ in one}
    if any(at in places for at, _, _ in other):
        return False
    x, y = np.array([(at, row) for at, row, _ in one], np.float64).T
    ends = [(at, row) for at, row, _ in (other[0], other[-1])]
    near = min(ends, key=lambda end: float(np.abs(x - end[0]).min()))
    # Most are far from each other, which is told at once.
    if abs(float(np.interp(near[0], x, y)) - near[1]) > FAR * strip:
        return False
    gap = float(np.abs(x - near[0]).min())
    inside = x.min() < near[0] < x.max()
    if inside:
        expected = float(np.interp(near[0], x, y))
    else:
        order = np.argsort(np.abs(x - near[0]))[:12]
        line = np.polyfit(x[order], y[order], 1 if len(order) > 3 else 0)
        expected = float(np.polyval(line, near[0]))
    return abs(expected - near[1]) <= 2 + 0.04 * strip * min(gap, 12)


def _fit_together(places: list[Points], strengths: list[float], width: int) -> list[Line]:
    """Fit curves to lines of one sheet, which bend alike; what does not bend so is left out.

    y of a line is a constant of its own plus a polynomial in x, whose coefficients change slowly
    from line to line.
    """
    if not places:
        return []
    own = np.concatenate([np.full(len(each), number) for number, each in enumerate(places)])
    x, y = np.concatenate(places).T
    heights = np.array([np.median(each[:, 1]) for each in places])
    middle, reach = float(heights.mean()), max(1.0, float(np.ptp(heights)) / 2)
    t = (x - width / 2) / (width / 2)
    s = ((heights - middle) / reach)[own]
    bends = 2 if len(places) > 3 else 1
    terms = [t**power * s**bend for power in range(1, POWERS + 1) for bend in range(bends + 1)]
    design = np.column_stack([*(own == number for number in range(len(places))), *terms])
    # Bends are small unless the lines show them: where there is no line, nothing bends.
    penalty = np.diag([0.0] * len(places) + [0.3] * len(terms))
    lengths = np.array([len(each) for each in places], np.float64)
    trust = (lengths / lengths.max())[own]
    weights = trust.copy()
    fitted = np.zeros(design.shape[1])
    off = np.zeros(len(y))
    for scale in (12, 8, 5, 3, 2, 1.5, 1.5):
        weighted = design * weights[:, None]
        fitted = np.linalg.lstsq(weighted.T @ design + penalty, weighted.T @ y, rcond=None)[0]
        off = np.abs(design @ fitted - y)
        weights = trust / (1 + (off / scale) ** 2) ** 2
    shared = fitted[len(places) :].reshape(POWERS, bends + 1)
    lines = []
    for number, each in enumerate(places):
        if np.mean(off[own == number] < NEAR) < 0.6:
            continue
        at = (heights[number] - middle) / reach
        in_t = [float(row @ at ** np.arange(bends + 1)) for row in shared]
        polynomial = np.poly1d([*in_t[::-1], fitted[number]])
        coefficients = polynomial(np.poly1d([2 / width, -1.0])).coeffs
        lines.append(Line(each, strengths[number], coefficients))
    return lines
