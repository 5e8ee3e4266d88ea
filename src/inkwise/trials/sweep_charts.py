"""The charts of a sweep's page, as SVG in the page's own colours."""

import html
import math
from collections.abc import Sequence

import numpy as np

from inkwise.trials.outcome import Sweep, Trial, show_value

_WIDTH, _HEIGHT = 900, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 80, 46, 30
_PLOT = _HEIGHT - _TOP - _BOTTOM
_LABEL = 24  # characters of an axis' name


class Scale:
    """The axis of the metric, from worst to best; values far below the others stand at its foot."""

    def __init__(self, swept: Sweep, values: Sequence[float]) -> None:
        self._swept = swept
        self._sign = 1 if swept.maximises else -1
        signed = self._sign * np.array(values or [0.0])
        low, quarter, upper, self._high = np.quantile(signed, [0, 0.25, 0.75, 1]).tolist()
        self._low = max(low, quarter - 1.5 * (upper - quarter))
        self.cut = self._low > low
        if self._low == self._high:
            self._low -= 1e-9

    def __call__(self, value: float) -> float:
        """Return where a value stands, from 0 for the worst to 1 for the best."""
        share = (self._sign * value - self._low) / (self._high - self._low)
        return min(1.0, max(0.0, share))

    @property
    def ends(self) -> tuple[str, str]:
        """The texts of the lower and the upper end."""
        low, high = (self._swept.show(self._sign * end) for end in (self._low, self._high))
        worse = ("≤ " if self._swept.maximises else "≥ ") if self.cut else ""
        return f"{worse}{low}", high


def draw_parallel(swept: Sweep) -> str:
    """Draw parallel coordinates: an axis for each varied value and one for the metric."""
    final = [trial.value for trial in swept.trials if trial.value is not None]
    early = [trial.curve[-1] for trial in swept.trials if trial.curve]
    scale, axes = Scale(swept, final or early), [*swept.space.items()]
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(axes))
    parts = []
    for trial in _worst_first(swept):
        value = trial.curve[-1] if trial.value is None and trial.curve else trial.value
        if value is None or len(trial.values) < len(axes):
            continue
        points = [
            (_LEFT + place * step, _y(values.position(trial.values[name])))
            for place, (name, values) in enumerate(axes)
        ]
        points.append((_LEFT + len(axes) * step, _y(scale(value))))
        parts.append(_line(swept, trial, points))
    for place, (name, values) in enumerate(axes):
        x = _LEFT + place * step
        parts += _axis(x, name)
        marks = values.marks if len(values.marks) <= 12 else ()
        for mark in marks:
            parts.append(_text(x - 8, _y(values.position(mark)) + 4, show_value(mark), "end"))
    x = _LEFT + len(axes) * step
    parts += _axis(x, swept.metric)
    parts += [_text(x + 8, _y(at) + 4, end) for at, end in zip((0, 1), scale.ends, strict=True)]
    return _svg("Parallel coordinates: the values of every trial, and what it reached", parts)


def draw_curves(swept: Sweep) -> str:
    """Draw the metric of every trial by epoch."""
    scale = Scale(swept, [value for trial in swept.trials for value in trial.curve])
    most = max((len(trial.curve) for trial in swept.trials), default=1)
    width = _WIDTH - _LEFT - _RIGHT
    parts = []
    for trial in _worst_first(swept):
        points = [
            (_LEFT + width * (epoch / max(1, most - 1)), _y(scale(value)))
            for epoch, value in enumerate(trial.curve)
        ]
        if points:
            parts.append(_line(swept, trial, points))
            x, y = points[-1]
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{_colour(swept, trial)}"/>'
            )
    parts += _axis(_LEFT, swept.metric)
    parts += [
        _text(_LEFT - 8, _y(at) + 4, end, "end") for at, end in zip((0, 1), scale.ends, strict=True)
    ]
    jump = max(1, math.ceil(most / 12))
    for epoch in range(0, most, jump):
        x = _LEFT + width * (epoch / max(1, most - 1))
        parts.append(_text(x, _HEIGHT - 8, str(epoch + 1), "middle"))
    parts.append(_text(_WIDTH - _RIGHT + 34, _HEIGHT - 8, "epoch", "middle"))
    return _svg("Learning curves: what every trial reached after each epoch", parts)


def _worst_first(swept: Sweep) -> list[Trial]:
    """Return the trials in the order in which they are drawn: the best lies on top."""
    done = [*swept.ranked]
    return [*(trial for trial in swept.trials if trial not in done), *reversed(done)]


def _colour(swept: Sweep, trial: Trial) -> str:
    """Return the colour of a trial: from blue for the worst to orange for the best."""
    if trial.value is None:
        return "currentColor"
    values = sorted({each.value for each in swept.trials if each.value is not None})
    share = values.index(trial.value) / max(1, len(values) - 1)
    share = share if swept.maximises else 1 - share
    worst, best = (90, 140, 200), (230, 110, 20)
    mixed = (round(a + share * (b - a)) for a, b in zip(worst, best, strict=True))
    return f"rgb({' '.join(map(str, mixed))})"


def _line(swept: Sweep, trial: Trial, points: Sequence[tuple[float, float]]) -> str:
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    title = html.escape(str(trial))
    first = trial == (swept.ranked[0] if swept.ranked else None)
    look = 'stroke-width="3"' if first else 'stroke-width="1.4"'
    if trial.state != "complete":
        look = 'stroke-width="1" stroke-dasharray="3 3" opacity="0.45"'
    return (
        f'<path class="trial" d="{path}" fill="none" stroke="{_colour(swept, trial)}" {look}>'
        f"<title>{title}</title></path>"
    )


def _y(share: float) -> float:
    return _TOP + _PLOT * (1 - share)


def _axis(x: float, name: str) -> list[str]:
    told = name if len(name) <= _LABEL else f"…{name[1 - _LABEL :]}"
    return [
        f'<path d="M{x:.1f} {_TOP}V{_TOP + _PLOT}" stroke="currentColor" stroke-width="1"/>',
        _text(x, _TOP - 20, told, "middle", bold=True),
    ]


def _text(x: float, y: float, text: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{html.escape(text)}</text>'
    )


def _svg(title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="currentColor"><title>{title}</title>'
        f"{''.join(parts)}</svg>"
    )
