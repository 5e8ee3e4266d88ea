"""Folding: batch normalisation becomes part of the layer before it."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from inkwise.networks.layers import BATCH_NORM_EPSILON, BatchNorm, Conv, Dense, Layer, Residual
from inkwise.networks.network import Network, named_layers

Weights = dict[str, NDArray[np.float32]]


def fold(network: Network, weights: Mapping[str, NDArray[np.float32]]) -> tuple[Network, Weights]:
    """Fold every batch normalisation that directly follows a layer with weights into it.

    One that follows an activation, a pooling or the image itself stays.

    Parameters
    ----------
    network : Network
        The network.
    weights : mapping of str to ndarray of float32
        Arrays with the names and shapes that ``network.summary()`` states.

    Returns
    -------
    network : Network
        The network without these layers.
    weights : dict of str to ndarray of float32
        Its weights, with which it gives the same logits, within rounding.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018, section 3.2.
    """
    layers, folded = _fold(network.layers, weights, "", "")
    return Network(network.image_size, layers), folded


def _fold(
    layers: Sequence[Layer],
    weights: Mapping[str, NDArray[np.float32]],
    prefix: str,
    new_prefix: str,
) -> tuple[tuple[Layer, ...], Weights]:
    """Fold a chain whose layers' names follow a prefix; they get names behind the new one."""
    kept: list[tuple[str, Layer]] = []
    arrays: dict[str, Weights] = {}
    for name, layer in named_layers(layers):
        start = f"{prefix}{name}."
        own = {
            key.removeprefix(start): array
            for key, array in weights.items()
            if key.startswith(start)
        }
        before, last = kept[-1] if kept else ("", None)
        foldable = isinstance(last, Conv | Dense) and last.activation == "linear"
        if isinstance(layer, BatchNorm) and foldable:
            arrays[before] = _scale(arrays[before], own)
        else:
            kept.append((name, layer))
            arrays[name] = own
    result: list[Layer] = []
    found: Weights = {}
    renamed = named_layers([layer for _, layer in kept])
    for (old, layer), (new, _) in zip(kept, renamed, strict=True):
        if not isinstance(layer, Residual):
            result.append(layer)
            found |= {f"{new_prefix}{new}.{role}": array for role, array in arrays[old].items()}
            continue
        ways = {}
        for part in ("layers", "shortcut"):
            places = f"{prefix}{old}.{part}.", f"{new_prefix}{new}.{part}."
            ways[part], inner = _fold(getattr(layer, part), weights, *places)
            found |= inner
        result.append(dataclasses.replace(layer, **ways))
    return tuple(result), found


def _scale(arrays: Weights, norm: Weights) -> Weights:
    """Return the arrays of a layer with a normalisation folded into them."""
    factor = norm["weight"] / np.sqrt(norm["running_var"] + np.float32(BATCH_NORM_EPSILON))
    shape = (-1, *[1] * (arrays["weight"].ndim - 1))
    return {
        "weight": arrays["weight"] * factor.reshape(shape),
        "bias": (arrays["bias"] - norm["running_mean"]) * factor + norm["bias"],
    }
