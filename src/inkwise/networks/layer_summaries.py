"""What each layer of a network does to one image: shapes, numbers, and the pixels it sees."""

import dataclasses
import math

from inkwise.networks.layers import Layer

Shape = tuple[int, ...]
"""(height, width, channels) of a feature map, or (features,)."""


@dataclasses.dataclass(frozen=True)
class Field:
    """The pixels from which each place of a feature map, or a vector, is computed.

    Parameters
    ----------
    low, high : tuple of int
        First and last row, and column, of the pixels of the first place; outside of the image
        where zeros surround it.
    step : int
        Distance in pixels between the pixels of neighbouring places.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    arXiv:1603.07285.
    """

    low: tuple[int, int] = (0, 0)
    high: tuple[int, int] = (0, 0)
    step: int = 1

    @property
    def side(self) -> int:
        """Height or width in pixels, the larger of both."""
        return max(high - low + 1 for low, high in zip(self.low, self.high, strict=True))

    def through(self, reach: int, stride: int, before: tuple[int, int] = (0, 0)) -> "Field":
        """Return the field after a window of `reach` places, with `before` zeros ahead of it."""
        low = tuple(low - pad * self.step for low, pad in zip(self.low, before, strict=True))
        high = tuple(
            high + (reach - 1 - pad) * self.step
            for high, pad in zip(self.high, before, strict=True)
        )
        return Field((low[0], low[1]), (high[0], high[1]), self.step * stride)

    def all_of(self, shape: Shape) -> "Field":
        """Return the field of a value that is computed from a whole feature map."""
        rows, columns, _ = shape
        high = (
            self.high[0] + (rows - 1) * self.step,
            self.high[1] + (columns - 1) * self.step,
        )
        return Field(self.low, high)

    def joined(self, other: "Field") -> "Field":
        """Return the field of the sum of two values."""
        low = tuple(map(min, self.low, other.low))
        high = tuple(map(max, self.high, other.high))
        return Field((low[0], low[1]), (high[0], high[1]), max(self.step, other.step))


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One line of a network's summary.

    Parameters
    ----------
    name : str
        Unique in its network; the layer's parameters are ``<name>.weight`` and ``<name>.bias``.
        Those of a residual block's layers begin with the block's, such as
        ``residual1.layers.conv1``.
    layer : Layer
        The layer itself.
    inputs : tuple of str
        Names of the layers whose outputs it takes, that of the image being empty; of a residual
        block, those that it adds.
    input_shape, output_shape : tuple of int
        (height, width, channels) or (features,), for one image.
    parameters : dict of str to tuple of int
        Shapes of the arrays, in PyTorch's layout, by their names in the network.
    multiply_adds : int
        Multiplications, each with an addition, for one image. Only convolutions and dense layers
        are counted.
    field : Field
        The pixels that it sees.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    parameters: dict[str, Shape]
    multiply_adds: int
    field: Field

    @property
    def parameter_count(self) -> int:
        """Number of trained parameters of this layer."""
        return sum(
            math.prod(shape)
            for name, shape in self.parameters.items()
            if ".running_" not in name  # averages over batches, which no optimiser changes
        )

    @property
    def flops(self) -> int:
        """Floating-point operations for one image: two for a multiply-add, one for a bias."""
        biases = math.prod(self.output_shape) if self.multiply_adds else 0
        return 2 * self.multiply_adds + biases

    @property
    def memory(self) -> int:
        """Bytes of the output for one image, in single precision."""
        return 4 * math.prod(self.output_shape)


class Summary(tuple[LayerSummary, ...]):
    """The lines of a network's summary; as text, a table."""

    columns = (
        *("layer", "what it does", "output", "parameters", "multiply-adds", "of all", "memory"),
        "sees",
    )
    """The heads of the table's columns; the first two are aligned to the left."""

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's cells, row by row; the last row has the sums."""
        total = sum(line.multiply_adds for line in self)
        largest = max(self[0].input_shape)
        rows = [
            (
                line.name,
                str(line.layer),
                times(line.output_shape),
                f"{line.parameter_count:,}",
                f"{line.multiply_adds:,}",
                f"{line.multiply_adds / (total or 1):.0%}",
                _kibibytes(line.memory),
                # The zeros around an image are not seen.
                times((min(line.field.side, largest),) * 2),
            )
            for line in self
        ]
        parameters = sum(line.parameter_count for line in self)
        memory = _kibibytes(sum(line.memory for line in self))
        return [*rows, ("all", "", "", f"{parameters:,}", f"{total:,}", "", memory, "")]

    def __str__(self) -> str:
        """Return the table as plain text."""
        *rows, sums = self.rows()
        widths = [max(map(len, column)) for column in zip(self.columns, *rows, sums, strict=True)]
        rule = "─" * (sum(widths) + 2 * len(widths) - 2)
        head, *told = (
            "  ".join(
                cell.ljust(width) if place < 2 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.columns, *rows, sums)
        )
        return "\n".join([head, rule, *told[:-1], rule, told[-1]])


def times(shape: Shape) -> str:
    """Return a shape as people write it, such as 28×28×1."""
    return "×".join(map(str, shape))


def _kibibytes(count: int) -> str:
    return f"{count / 1024:.1f} KiB"
