"""What is read from somebody else's file, and the model that is made of it."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from inkwise.errors import ArgumentError, ModelError
from inkwise.export.assembling import Pixels, Refusal
from inkwise.model import Model
from inkwise.networks.folding import Weights
from inkwise.networks.network import Network


class Found(NamedTuple):
    """A network that was read from a file.

    Parameters
    ----------
    network : Network
    weights : dict of str to ndarray of float32
        The arrays with the names and shapes that ``network.summary()`` states.
    pixels : tuple of float
        What the file's network takes for a black and for a white pixel.
    source : mapping
        What else there is to say about where it comes from, as JSON values.
    """

    network: Network
    weights: Weights
    pixels: Pixels
    source: Mapping[str, Any]


@contextlib.contextmanager
def explained(path: Path, program: str) -> Iterator[None]:
    """Turn any error in reading a file of a program into a `ModelError` of one line."""
    try:
        yield
    except (Refusal, ArgumentError) as error:  # ArgumentError: layers that do not fit together
        raise ModelError(f"cannot import {path}: {error}") from error
    except Exception as error:  # zipfile, HDF5, JSON and protobuf raise many kinds of errors
        raise ModelError(
            f"{path} is damaged, or not a model that {program} saved ({type(error).__name__}: "
            f"{error}): save it in {program} again"
        ) from error


def make_model(path: Path, raw: bytes, found: Found, class_names: Sequence[str] | None) -> Model:
    """Make the model of what was found in a file; raises `ModelError` as `Model` does."""
    names = map(str, range(found.network.classes)) if class_names is None else class_names
    source = {
        "file": path.name,
        "sha256": hashlib.sha256(raw).hexdigest(),
        **found.source,
        "pixels": list(found.pixels),
    }
    return Model(found.network, found.weights, tuple(names), {"imported": source})
