"""A pen: digits as people around the world write them, drawn from strokes.

A stroke is a line of points, float64 (P, 2), x to the right and y down, in any unit. Strokes come
from the forms in `inkwise.training.forms`, or from people's own pens, see `inkwise.data.pendigits`.
Every digit is changed as hands differ, and drawn with a pen of its own, in MNIST's geometry.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.data.pendigits import KEPT_ASIDE, PenDigit
from inkwise.data.splits import Splits
from inkwise.ink.fitting import BOX, fit_and_centre
from inkwise.training.forms import FORMS, Form, Stroke

Strokes = list[NDArray[np.float64]]

_STEP = 0.02
"""Distance between points along a stroke, as a share of the digit's larger side."""

_FINE = 7
"""Pixels of a drawing for each pixel of the 20×20 box that it is scaled to."""

_SUBPIXEL = 4
"""Binary digits after the point of the coordinates that OpenCV draws with."""


def add_drawn(
    splits: Splits,
    share: float,
    class_names: Sequence[str],
    seed: int,
    written: Sequence[PenDigit] = (),
) -> Splits:
    """Add digits drawn by pens to the training and validation images.

    Parameters
    ----------
    splits : Splits
        The parts of a data set of digits, with images of 28×28.
    share : float
        How many digits are drawn, as a share of the images that they are added to.
    class_names : sequence of str
        The data set's classes, all of them labels in `FORMS`.
    seed : int
        Seed of the draws.
    written : sequence of PenDigit, optional
        Digits that people wrote, which are drawn as well. Those of the writers that are kept aside
        join the validation images only.

    Returns
    -------
    Splits
        The test images are the same.
    """
    forms = [FORMS[name] for name in class_names]

    def enlarge(split: Split, kept_aside: bool, generator: np.random.Generator) -> Split:
        digits = [each for each in written if (each.writer in KEPT_ASIDE) == kept_aside]
        people = [
            [digit.strokes for digit in digits if digit.label == name] for name in class_names
        ]
        count = round(share * len(split))
        labels = np.arange(count) % len(class_names)
        drawn = [_draw_one(forms[label], people[label], generator) for label in labels.tolist()]
        if not drawn:
            return split
        return Split(np.concatenate([split.images, drawn]), np.concatenate([split.labels, labels]))

    first, second = np.random.default_rng(seed).spawn(2)
    return dataclasses.replace(
        splits,
        train=enlarge(splits.train, False, first),
        validation=enlarge(splits.validation, True, second),
    )


def _draw_one(
    forms: Sequence[Form], people: Sequence[Strokes], generator: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw a digit as somebody wrote it or, every other time, in one of its forms."""
    if people and generator.random() < 0.5:
        strokes = people[int(generator.integers(len(people)))]
    else:
        shares = np.array([form.share for form in forms])
        place = int(generator.choice(len(forms), p=shares / shares.sum()))
        strokes = trace(forms[place], generator)
    return draw(vary(strokes, generator), generator)


def trace(form: Form, generator: np.random.Generator) -> Strokes:
    """Return the strokes of a digit of a form: a random mean of its shapes, its points moved."""
    count = len(form.shapes)
    weights = generator.dirichlet(np.full(count, 0.7))
    weights = weights + (weights - 1 / count) * generator.uniform(0, 0.3)  # and a little beyond
    wobble = generator.uniform(0, 5)  # hundredths of the digit's height
    return [
        _curve(
            Stroke(
                sum(
                    weight * shape[place].points
                    for weight, shape in zip(weights, form.shapes, strict=True)
                )
                + generator.normal(0, wobble, form.shapes[0][place].points.shape),
                form.shapes[0][place].corners,
            )
        )
        for place in range(len(form.shapes[0]))
    ]


def vary(strokes: Strokes, generator: np.random.Generator) -> Strokes:
    """Change strokes as hands differ: proportion, slant, curvature, joins, ends, tremor.

    Returns
    -------
    list of ndarray of float64, shape (P, 2)
        Points at equal distances; the larger side of the digit is about 1 long.
    """
    strokes = _resample(_unit(strokes))
    strokes = _bend(strokes, generator)
    if len(strokes) > 1 and generator.random() < 0.12:
        strokes = _resample([np.vstack(strokes)])  # the pen was not lifted
    reach = generator.uniform(0, 0.08) / _STEP  # points that a fast hand rounds a corner by
    strokes = [_smooth(stroke, reach) for stroke in strokes]
    if generator.random() < 0.35:
        strokes = [_trim(stroke, generator) for stroke in strokes]
    tremor = generator.uniform(0, 0.008) * (generator.random() < 0.4)
    return [
        stroke + _smooth(generator.normal(0, 2 * tremor, stroke.shape), 2) for stroke in strokes
    ]


def draw(strokes: Strokes, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw strokes with a random pen in MNIST's geometry, uint8 (28, 28).

    Pens differ in their width, in the width across their tip, as fountain pens have it, and in how
    much the width follows the pressure.
    """
    strokes = _unit(strokes)
    size = BOX * _FINE
    width = np.exp(generator.uniform(np.log(1.1), np.log(4.2))) * _FINE
    nib, angle = generator.uniform(0, 0.6) * (generator.random() < 0.3), generator.uniform(0, np.pi)
    pressure = generator.uniform(0, 0.35) * (generator.random() < 0.6)
    taper = generator.uniform(0, 0.7) * (generator.random() < 0.3)
    margin = 2 * width + 2
    reach = np.vstack(strokes).max(0) * size
    canvas = np.zeros(np.ceil(reach[::-1] + 2 * margin).astype(int), np.uint8)
    for stroke in strokes:
        corners = np.round((stroke * size + margin) * 2**_SUBPIXEL).astype(int)
        count = len(corners)
        widths = np.full(count, width)
        if nib and count > 1:
            ahead = np.gradient(stroke, axis=0)
            across = np.sin(np.arctan2(ahead[:, 1], ahead[:, 0]) - angle)
            widths *= 1 - nib * (1 - np.abs(across))
        if pressure:
            coarse = generator.normal(0, pressure, 5)
            widths *= np.exp(np.interp(np.linspace(0, 4, count), range(5), coarse))
        if taper:
            widths *= 1 - taper * np.linspace(0, 1, count) ** 2
        thickness = np.maximum(1, np.round(widths)).astype(int)
        for place in range(max(1, count - 1)):
            start, end = corners[place], corners[min(place + 1, count - 1)]
            cv2.line(canvas, start, end, 255, int(thickness[place]), cv2.LINE_8, _SUBPIXEL)
    return fit_and_centre(canvas)


def _curve(stroke: Stroke) -> NDArray[np.float64]:
    """Return points along a stroke: between its corners, a centripetal Catmull-Rom spline."""
    from scipy.interpolate import CubicHermiteSpline

    stops = [0, *(np.flatnonzero(stroke.corners[1:-1]) + 1), len(stroke.points) - 1]
    pieces = []
    for start, stop in itertools.pairwise(stops):
        points = stroke.points[start : stop + 1]
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        times = np.concatenate([[0], np.cumsum(np.sqrt(np.maximum(steps, 1e-3)))])
        curve = CubicHermiteSpline(times, points, np.gradient(points, times, axis=0))
        pieces.append(curve(np.linspace(0, times[-1], 12 * len(steps))))
    return np.vstack(pieces)


def _unit(strokes: Strokes) -> Strokes:
    """Move and scale strokes so that the larger side of their box goes from 0 to 1."""
    points = np.vstack(strokes)
    low, high = points.min(0), points.max(0)
    return [(stroke - low) / max((high - low).max(), 1e-6) for stroke in strokes]


def _resample(strokes: Strokes) -> Strokes:
    """Return the same lines with points at equal distances."""
    lines = []
    for stroke in strokes:
        steps = np.linalg.norm(np.diff(stroke, axis=0), axis=1)
        along = np.concatenate([[0], np.cumsum(steps)])
        places = np.linspace(0, along[-1], max(2, round(along[-1] / _STEP) + 1))
        lines.append(np.stack([np.interp(places, along, axis) for axis in stroke.T], 1))
    return lines


def _bend(strokes: Strokes, generator: np.random.Generator) -> Strokes:
    """Turn, shear and stretch strokes, and displace them smoothly; the augmentation adds to it."""
    angle, slant = np.radians(generator.normal(0, 4)), generator.normal(0.05, 0.12)
    ratio = np.exp(generator.normal(0, 0.12))
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = matrix @ np.array([[ratio, -slant], [0, 1 / ratio]])
    waves = generator.normal(0, 0.6, (3, 2))  # directions and lengths of waves
    phases = generator.uniform(0, 2 * np.pi, (3, 2))
    heights = generator.normal(0, generator.uniform(0, 0.03), (3, 2))
    bent = []
    for stroke in strokes:
        phase = 2 * np.pi * (stroke @ waves.T)[..., None] + phases  # (P, 3, 2)
        bent.append((stroke + (heights * np.sin(phase)).sum(1)) @ matrix.T)
    return bent


def _smooth(stroke: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """Average every point with those within a reach, but less at the ends, which stay."""
    side = min(round(reach), len(stroke) - 1)
    if side < 1:
        return stroke
    padded = np.pad(stroke, ((side, side), (0, 0)), mode="reflect", reflect_type="odd")
    sums = np.cumsum(np.vstack([np.zeros((1, 2)), padded]), 0)
    width = 2 * side + 1
    return (sums[width:] - sums[:-width]) / width


def _trim(stroke: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Cut off up to a tenth of a stroke at its ends, as where a loop does not close."""
    cut = (generator.uniform(0, 0.1, 2) * len(stroke)).astype(int)
    return stroke[cut[0] : len(stroke) - cut[1]]
