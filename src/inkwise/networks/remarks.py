"""Remarks about the design of a network: what is legal, and yet often a mistake."""

from collections.abc import Iterator, Sequence

from inkwise.networks.layer_summaries import LayerSummary
from inkwise.networks.layers import AveragePool, Conv, Dense, MaxPool
from inkwise.networks.network import Network

DIGIT = 20 / 28
"""Side of a digit as a share of its image's, as MNIST's digits fill it."""

_LARGE = 1 / 3


def remarks(network: Network) -> list[str]:
    """Return a sentence for each thing in a network that looks wrong.

    Examples
    --------
    >>> from inkwise.networks.layers import Conv, Dense, Flatten
    >>> from inkwise.networks.network import Network
    >>> wide = Network((28, 28), (Conv(8, 3, "relu"), Flatten(), Dense(64, "relu"), Dense(10)))
    >>> for remark in remarks(wide):
    ...     print(remark)
    dense1 has 100% of all parameters: pool before it, or put global_pool in place of flatten
    conv1 sees 3×3 pixels, less than a digit of 20×20: only the layers behind...
    """
    # A shortcut only brings a map to the shape of the sum, often with a stride and no window.
    lines = [line for line in network.summary() if ".shortcut." not in line.name]
    return [*_sizes(network, lines), *_skips(lines), *_linear(lines)]


def _sizes(network: Network, lines: Sequence[LayerSummary]) -> Iterator[str]:
    convolutions = [line for line in lines if isinstance(line.layer, Conv)]
    for line in lines:
        share = line.parameter_count / network.parameter_count
        if convolutions and isinstance(line.layer, Dense) and share > _LARGE:
            yield (
                f"{line.name} has {share:.0%} of all parameters: pool before it, or put "
                "global_pool in place of flatten"
            )
    digit = round(DIGIT * min(network.image_size))
    if convolutions and convolutions[-1].field.side < digit:
        side = convolutions[-1].field.side
        yield (
            f"{convolutions[-1].name} sees {side}×{side} pixels, less than a digit of "
            f"{digit}×{digit}: only the layers behind the maps see a whole one"
        )


def _skips(lines: Sequence[LayerSummary]) -> Iterator[str]:
    for line in lines:
        match line.layer:
            case Conv(kernel=size, stride=step):
                pass
            case MaxPool(size) | AveragePool(size):
                step = line.layer.step
            case _:
                continue
        if step > size:
            yield f"{line.name} skips pixels: its stride {step} is larger than its side {size}"


def _linear(lines: Sequence[LayerSummary]) -> Iterator[str]:
    by_name = {line.name: line for line in lines}
    for line in lines:
        before = by_name.get(line.inputs[0])
        if (
            isinstance(line.layer, Conv | Dense)
            and before is not None
            and isinstance(before.layer, Conv | Dense)
            and before.layer.activation == "linear"
        ):
            yield (
                f"{before.name} has no activation before {line.name}: the two compute no more than "
                "one layer could"
            )
