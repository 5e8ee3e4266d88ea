"""The trained artifact: save, load, predict."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError, ModelError
from inkwise.files import json_bytes, read_bytes, storage, write_together
from inkwise.networks.layers import Network

if TYPE_CHECKING:
    from torch import nn

SCHEMA = "inkwise-model/1"
WEIGHTS_FILE = "weights.safetensors"
DOCUMENT_FILE = "model.json"


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A trained network with all that is needed to use it.

    Parameters
    ----------
    network : Network
        The description from which the network is built.
    weights : mapping of str to ndarray of float32
        The trained arrays, by the names and of the shapes that ``network.summary()`` states.
    class_names : tuple of str
        One a class, in the order of the probabilities.
    provenance : mapping
        JSON values: recipe, data set and its hash, split sizes, library versions, headline
        metrics. It decides nothing in prediction.

    Raises
    ------
    ModelError
        The weights are not those of the network, or the class names not as many as its outputs,
        or two of them are the same.
    """

    network: Network
    weights: Mapping[str, NDArray[np.float32]]
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = {
            name: shape
            for line in self.network.summary()
            for name, shape in line.parameters.items()
        }
        found = {name: array.shape for name, array in self.weights.items()}
        if found != expected:
            odd = sorted(
                name for name in {*found, *expected} if found.get(name) != expected.get(name)
            )
            raise ModelError(f"the weights do not fit the network: {', '.join(odd)}")
        if any(array.dtype != np.float32 for array in self.weights.values()):
            raise ModelError("the weights must be float32")
        if not all(isinstance(name, str) for name in self.class_names):
            raise ModelError(f"class names must be text, not {self.class_names}")
        if len(set(self.class_names)) != len(self.class_names):
            raise ModelError(f"two classes have one name: {', '.join(self.class_names)}")
        if len(self.class_names) != self.network.classes:
            raise ModelError(
                f"{len(self.class_names)} class names do not go with the network's "
                f"{self.network.classes} outputs"
            )

    def predict_proba(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of every class for every image.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, H, W)
            Grey levels, light ink on a black ground, of the size the network was trained on.

        Returns
        -------
        ndarray of float32, shape (N, classes)
            Rows sum to 1 within rounding.

        Raises
        ------
        ArgumentError
            The images have another type or size.
        """
        import torch

        from inkwise.training.loop import predict_logits

        # A copy only of what PyTorch cannot read in place, such as a mirrored or read-only view.
        images = np.require(images, requirements=["C", "W"])
        size = self.network.image_size
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != size:
            raise ArgumentError(
                f"this model takes uint8 images of shape (N, {size[0]}, {size[1]}), not "
                f"{images.dtype} of shape {images.shape}"
            )
        if len(images) == 0:
            return np.empty((0, len(self.class_names)), np.float32)
        logits = predict_logits(self._module, torch.from_numpy(images))
        return logits.softmax(1).numpy()

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the index of the most probable class, int64 (N,); see `predict_proba`."""
        return self.predict_proba(images).argmax(axis=1)

    def with_provenance(self, **entries: Any) -> "Model":
        """Return the same model with entries added to its provenance."""
        return dataclasses.replace(self, provenance={**self.provenance, **entries})

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model as ``weights.safetensors`` and ``model.json``.

        Each file holds a hash of the other's content, so that a mixed or changed pair is noticed
        when it is loaded.

        Parameters
        ----------
        folder : path-like
            Created if missing; a model that stands there is replaced.

        Returns
        -------
        Path
            `folder`.

        Raises
        ------
        StorageError
            The folder cannot be written.
        """
        import safetensors.numpy

        folder = Path(folder)
        document = {
            "schema": SCHEMA,
            "input": {
                "dtype": "uint8",
                "shape": ["N", *self.network.image_size],
                "range": [0, 255],
                "polarity": "light ink on a black ground",
                "scaling": "divided by 255",
            },
            "class_names": list(self.class_names),
            "network": self.network.to_list(),
            "provenance": dict(self.provenance),
        }
        weights = safetensors.numpy.save(
            {name: np.ascontiguousarray(array) for name, array in self.weights.items()},
            metadata={"model_json_sha256": _document_hash(document)},
        )
        signed = {**document, "weights_sha256": hashlib.sha256(weights).hexdigest()}
        write_together({folder / WEIGHTS_FILE: weights, folder / DOCUMENT_FILE: json_bytes(signed)})
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "Model":
        """Read a model that `save` wrote; no code from its files is run.

        Parameters
        ----------
        folder : path-like

        Returns
        -------
        Model
            It gives the same probabilities, to the bit, as the one that was saved.

        Raises
        ------
        ModelError
            A file is missing, truncated, changed or foreign, or the two do not belong together.
        StorageError
            A file cannot be read.
        """
        folder = Path(folder)
        for name in (DOCUMENT_FILE, WEIGHTS_FILE):
            with storage(folder, "read"):
                missing = not (folder / name).is_file()
            if missing:
                raise ModelError(f"there is no model in {folder}: it has no {name}")
        document = _read_document(folder / DOCUMENT_FILE)
        raw = read_bytes(folder / WEIGHTS_FILE)
        if hashlib.sha256(raw).hexdigest() != document.pop("weights_sha256", None):
            raise ModelError(
                f"{folder / WEIGHTS_FILE} is not the file that {DOCUMENT_FILE} was written with: "
                "it was changed, cut or mixed up; copy or train the model again"
            )
        weights, metadata = _read_weights(raw, folder / WEIGHTS_FILE)
        intact = False
        with contextlib.suppress(ValueError, RecursionError):  # what `save` would not have written
            intact = metadata.get("model_json_sha256") == _document_hash(document)
        if not intact:
            raise ModelError(
                f"{folder / DOCUMENT_FILE} was changed after the model was saved; copy or train "
                "the model again"
            )
        try:
            _, height, width = document["input"]["shape"]
            return cls(
                Network.from_list((height, width), document["network"]),
                weights,
                tuple(document["class_names"]),
                dict(document["provenance"]),
            )
        except (KeyError, TypeError, ValueError, ModelError) as error:
            raise ModelError(
                f"{folder / DOCUMENT_FILE} does not describe a whole model "
                f"({type(error).__name__}: {error}): train the model again"
            ) from error

    @functools.cached_property
    def _module(self) -> "nn.Module":
        import torch

        from inkwise.networks.module import build

        # On the meta device nothing is allocated or drawn for weights that are replaced at once.
        with torch.device("meta"):
            module = build(self.network)
        weights = {name: torch.from_numpy(array) for name, array in self.weights.items()}
        module.load_state_dict(weights, assign=True)
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _document_hash(document: Mapping[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is truncated or not JSON: copy or train the model again"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ModelError(f"{path} does not describe an inkwise model (schema {SCHEMA})")
    return document


def _read_weights(raw: bytes, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    import safetensors
    import safetensors.numpy

    try:
        weights = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} is not a safetensors file: {error}") from error
    # The library returns the arrays only; the header it has just checked holds the metadata.
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return weights, header.get("__metadata__") or {}
