"""Lines of writing: which ink of a page belongs to which, each brought to one size."""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inkwise.ink.all_ink import Page
from inkwise.ink.components import Components
from inkwise.ink.levels import Box, Levels

HEIGHT = 20
"""Height of a digit in a line that was brought to one size, in pixels."""

ABOVE = 6
"""Room above and below the digits of such a line, in pixels."""

INK = 64
"""Least level of a pixel that counts as ink in such a line."""

ROWS = HEIGHT + 2 * ABOVE
"""Height of such a line."""

LARGE = 0.5
"""Least height of a component that shows how high digits are, as a share of the highest."""

SMALLEST, SPECK = 0.25, 0.06
"""Least height of a digit, and least length of more than a speck, as shares of their height."""

FLAT = 0.22
"""Greatest ratio of height to width of a component that is an underline or a stray line."""

PALE = 120
"""Least highest level of what is written; what is paler shines through, or is a stamp's."""

FULL = 0.65
"""Share of its box that a level line fills, and digits do not."""

LONG = 1.6
"""Least width of such a line, as a multiple of the digits' height."""

APART = 1.5
"""Least gap between two numbers that stand side by side, as a multiple of the digits' height."""

WIDEST = 60
"""Greatest width of a line, in heights of its digits: wider ones are no numbers."""

MOST_LINES = 200
"""Greatest number of lines that are read."""


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """A line of writing, level, and with digits about `HEIGHT` pixels high.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W)
        Light ink on a black background; the digits stand between the rows `ABOVE` and
        `ABOVE` + `HEIGHT`.
    back : ndarray of float64, shape (2, 3)
        The affine map from places in `levels`, x and y, to places in the page.
    """

    levels: Levels
    back: NDArray[np.float64]

    @property
    def height(self) -> float:
        """Height of its digits on the page, in pixels."""
        return HEIGHT * float(self.back[1, 1])

    def on_the_page(self, box: Box) -> tuple[float, float, float, float]:
        """Return top, left, bottom and right, on the page, of what is in a box of the line."""
        top, left, bottom, right = box
        corners = np.array([[x, y, 1.0] for x in (left, right) for y in (top, bottom)])
        x, y = self.back @ corners.T
        return float(y.min()), float(x.min()), float(y.max()), float(x.max())


class Lines(NamedTuple):
    """The lines of a page, from top to bottom.

    Parameters
    ----------
    found : list of Line
    dropped : tuple of str
        What else is on the page and in no line: ``pale ink``, ``lines``, ``small writing``,
        ``specks``, ``wide lines of writing`` and ``lines of writing after the 200th``.
    """

    found: list[Line]
    dropped: tuple[str, ...]


def find_lines(page: Page) -> Lines:
    """Find the lines of a page.

    The high components show how high digits are and which of them stand in one line; the small
    ones, such as points and loose flags, go with the nearest line.
    """
    components = Components.of(page.mask)
    flat = _flat(components)
    if flat.any():  # a pale line may join digits
        within = flat[components.labels] & (page.levels < PALE)
        page = dataclasses.replace(page, mask=page.mask & ~within)
        components = Components.of(page.mask)
        flat = _flat(components)
    high = (components.bottom - components.top).astype(np.float64)
    wide = (components.right - components.left).astype(np.float64)
    pale = _highest_levels(components, page.levels) < PALE
    upright = ~flat & ~pale
    upright[0] = False
    if not upright.any():
        return Lines([], ("pale ink",) if pale[1:].any() else ())
    # The height that most ink belongs to: a speck or a blot decides nothing.
    tall = upright & (high >= LARGE * _common_height(high[upright], components.area[upright]))
    size = float(np.median(high[tall]))
    ruled = ~pale & flat & (wide >= LONG * size)
    ink = ~pale & ~ruled & (components.longest >= SPECK * size)
    ink[0] = False
    bases = tall & ink & (high >= SMALLEST * size)
    groups = _group(components, bases, size)
    members = [list(group) for group in groups]
    tilts = [_tilt(components, group) for group in groups]
    for one in np.flatnonzero(ink & ~bases).tolist():
        nearest = _nearest(components, one, groups, tilts, size)
        if nearest is not None:
            members[nearest].append(one)
    order = _in_order(components, groups, size)
    each = [
        _level(page, components, groups[place], members[place], tilts[place])
        for place in order[:MOST_LINES]
    ]
    kept = np.zeros(len(components), np.bool_)
    kept[[one for group in members for one in group]] = True
    outside = ~kept
    outside[0] = False
    small = components.longest < SMALLEST * size
    told = {
        "pale ink": (outside & pale & ~small).any(),
        "lines": ruled.any(),
        "small writing": (outside & ~pale & ~ruled & ~small).any(),
        "specks": (outside & ~pale & ~ruled & small).any(),
        "wide lines of writing": None in each,
        f"lines of writing after the {MOST_LINES}th": len(order) > MOST_LINES,
    }
    dropped = tuple(name for name, true in told.items() if true)
    return Lines([line for line in each if line is not None], dropped)


def _flat(components: Components) -> NDArray[np.bool_]:
    """Tell which components are lines, level or not, and not a row of digits that touch."""
    high, wide = components.bottom - components.top, components.right - components.left
    flat = high < FLAT * wide
    flat[0] = False
    for place in np.flatnonzero(flat).tolist():
        ink = components.cut(place) > 0
        tall = len(ink) - np.argmax(ink[::-1], axis=0) - np.argmax(ink, axis=0)
        full = components.area[place] > FULL * high[place] * wide[place]
        flat[place] = full or tall[ink.any(0)].mean() < high[place] / 2
    return flat


def _highest_levels(components: Components, levels: Levels) -> NDArray[np.uint8]:
    """Return the highest level in each component."""
    highest = np.zeros(len(components), np.uint8)
    np.maximum.at(highest, components.labels.ravel(), levels.ravel())
    return highest


def _nearest(
    components: Components,
    one: int,
    groups: list[list[int]],
    tilts: list[tuple[float, float]],
    size: float,
) -> int | None:
    """Return the index of the line that a small component belongs to; None if it is far off."""
    x, y = components.centres[one]
    best, place = APART * size, None
    for number, (group, (slope, start)) in enumerate(zip(groups, tilts, strict=True)):
        away = max(
            int(components.left[group].min() - components.right[one]),
            int(components.left[one] - components.right[group].max()),
            0,
        )
        aside = abs(y - (slope * x + start))
        if aside <= size and max(away, aside) < best:
            best, place = max(away, aside), number
    return place


def _in_order(components: Components, groups: list[list[int]], size: float) -> list[int]:
    """Return the indices of lines from top to bottom, and of those side by side, to the right."""
    middles = [float(np.mean(components.centres[group, 1])) for group in groups]
    rows: list[list[int]] = []
    for place in np.argsort(middles, kind="stable").tolist():
        if rows and middles[place] - middles[rows[-1][0]] < LARGE * size:
            rows[-1].append(place)
        else:
            rows.append([place])
    return [
        place
        for row in rows
        for place in sorted(row, key=lambda k: components.left[groups[k]].min())
    ]


def _common_height(high: NDArray[np.float64], area: NDArray[np.int32]) -> float:
    """Return the height below which the components with half of the ink lie."""
    order = np.argsort(high, kind="stable")
    total = np.cumsum(area[order])
    return float(high[order][int(np.searchsorted(total, total[-1] / 2))])


def _group(components: Components, bases: NDArray[np.bool_], size: float) -> list[list[int]]:
    """Group high components into lines: neighbours whose rows overlap by half."""
    groups: list[list[int]] = []
    for one in np.flatnonzero(bases)[np.argsort(components.left[bases], kind="stable")].tolist():
        best, place = 0.4, -1
        for number, group in enumerate(groups):
            last = group[-3:]
            top = float(np.mean(components.top[last]))
            bottom = float(np.mean(components.bottom[last]))
            shared = min(bottom, components.bottom[one]) - max(top, components.top[one])
            least = min(bottom - top, components.bottom[one] - components.top[one])
            if components.left[one] - components.right[last].max() < APART * size:
                share = shared / max(least, 1.0)
                if share > best:
                    best, place = share, number
        if place < 0:
            groups.append([one])
        else:
            groups[place].append(one)
    return groups


def _tilt(components: Components, group: list[int]) -> tuple[float, float]:
    """Return slope and height at x = 0 of the line through the middles of a group."""
    x = (components.left[group] + components.right[group]) / 2
    y = (components.top[group] + components.bottom[group]) / 2
    if len(group) < 3 or np.ptp(x) < 1.5 * np.median(
        components.bottom[group] - components.top[group]
    ):
        return 0.0, float(np.mean(y))
    slope, start = np.polyfit(x, y, 1)
    if abs(slope) > 0.5:
        return 0.0, float(np.mean(y))
    return float(slope), float(start)


def _level(
    page: Page,
    components: Components,
    group: list[int],
    members: list[int],
    tilt: tuple[float, float],
) -> Line | None:
    """Cut a line out of the page, level, and with digits of the height `HEIGHT`."""
    slope, _ = tilt
    shift = slope * components.centres[group, 0]
    tops, bottoms = components.top[group] - shift, components.bottom[group] - shift
    top, bottom = float(np.median(tops)), float(np.median(bottoms))
    scale = HEIGHT / max(1.0, bottom - top)
    first = int(components.left[members].min())
    last = int(components.right[members].max())
    width = round((last - first) * scale) + 8
    if width > WIDEST * HEIGHT:
        return None
    keep = np.zeros(len(components), np.uint8)
    keep[members] = 1
    rows = slice(
        max(0, int(components.top[members].min()) - 2), int(components.bottom[members].max()) + 2
    )
    columns = slice(max(0, first - 2), last + 2)
    own = keep[components.labels[rows, columns]]
    others = (components.labels[rows, columns] > 0).astype(np.uint8) & ~own
    around = cv2.dilate(own, np.ones((3, 3), np.uint8)) & ~others
    cut = cv2.multiply(page.levels[rows, columns], around)
    # To the cut-out's place from the page's, then from there to the line's.
    down, across = rows.start, columns.start
    step = max(1, int(1 / scale + 1e-6))  # not decided by rounding errors of the tilt
    if step > 1:  # reduced first, so that no pixel is skipped
        cut = cv2.resize(
            cut, (-(-cut.shape[1] // step), -(-cut.shape[0] // step)), interpolation=cv2.INTER_AREA
        )
    zoom = scale * step
    # x' = zoom * x + a; y' = zoom * (y - slope * x) + b, with x, y in the reduced cut-out.
    a = 4 - (first - across) * scale
    b = ABOVE - (top - down + slope * across) * scale
    forward = np.array([[zoom, 0.0, a], [-slope * zoom, zoom, b]])
    levels = cv2.warpAffine(
        cut,
        forward,
        (width, ROWS),
        flags=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR,
    )
    whole = np.array(
        [[scale, 0.0, 4 - first * scale], [-slope * scale, scale, ABOVE - top * scale]]
    )
    return Line(levels, cv2.invertAffineTransform(whole))
