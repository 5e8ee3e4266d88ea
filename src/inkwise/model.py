"""The trained artifact: save, load, predict."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import inkwise
from inkwise.errors import ArgumentError, ModelError
from inkwise.files import json_bytes, read_bytes, storage, write_together
from inkwise.networks.layers import Network
from inkwise.networks.onnx import INPUT, OUTPUT, to_onnx
from inkwise.provenance import available_cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

SCHEMA = "inkwise-model/2"
WEIGHTS_FILE = "weights.safetensors"
ONNX_FILE = "model.onnx"
DOCUMENT_FILE = "model.json"

BATCH = 32
"""Images in one pass of a core; from 16 to 64 is fastest, more fall out of the core's cache."""


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
        ModelError
            ``model.onnx`` holds something else than what ``model.json`` describes, though their
            hashes agree.
        """
        images = np.asarray(images)
        height, width = self.network.image_size
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (height, width):
            raise ArgumentError(
                f"this model takes uint8 images of shape (N, {height}, {width}), not "
                f"{images.dtype} of shape {images.shape}"
            )
        if len(images) <= BATCH:
            return _run(self._session, images)
        probabilities = np.empty((len(images), len(self.class_names)), np.float32)
        _run_on_all_cores(self._session, images, probabilities)
        return probabilities

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the index of the most probable class, int64 (N,); see `predict_proba`."""
        return self.predict_proba(images).argmax(axis=1)

    def with_provenance(self, **entries: Any) -> "Model":
        """Return the same model with entries added to its provenance."""
        return dataclasses.replace(self, provenance={**self.provenance, **entries})

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model as ``weights.safetensors``, ``model.onnx`` and ``model.json``.

        The files hold each other's hashes, so that mixed or changed ones are noticed when the
        model is loaded.

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
            "input": self._contract,
            "class_names": list(self.class_names),
            "network": self.network.to_list(),
            "provenance": dict(self.provenance),
            "onnx_sha256": hashlib.sha256(self.onnx).hexdigest(),
        }
        weights = safetensors.numpy.save(
            {name: np.ascontiguousarray(array) for name, array in self.weights.items()},
            metadata={"model_json_sha256": _document_hash(document)},
        )
        signed = {**document, "weights_sha256": hashlib.sha256(weights).hexdigest()}
        write_together(
            {
                folder / WEIGHTS_FILE: weights,
                folder / ONNX_FILE: self.onnx,
                folder / DOCUMENT_FILE: json_bytes(signed),
            }
        )
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
            A file is missing, truncated, changed or foreign, or they do not belong together.
        StorageError
            A file cannot be read.
        """
        folder = Path(folder)
        for name in (DOCUMENT_FILE, WEIGHTS_FILE, ONNX_FILE):
            with storage(folder, "read"):
                missing = not (folder / name).is_file()
            if missing:
                raise ModelError(f"there is no model in {folder}: it has no {name}")
        document = _read_document(folder / DOCUMENT_FILE)
        raw = _read_verified(folder / WEIGHTS_FILE, document.pop("weights_sha256", None))
        weights, metadata = _read_weights(raw, folder / WEIGHTS_FILE)
        intact = False
        with contextlib.suppress(ValueError, RecursionError):  # what `save` would not have written
            intact = metadata.get("model_json_sha256") == _document_hash(document)
        if not intact:
            raise ModelError(
                f"{folder / DOCUMENT_FILE} was changed after the model was saved; copy or train "
                "the model again"
            )
        onnx = _read_verified(folder / ONNX_FILE, document.get("onnx_sha256"))
        try:
            _, height, width = document["input"]["shape"]
            model = cls(
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
        vars(model)["onnx"] = onnx  # what the property would make, without the onnx package
        return model

    @functools.cached_property
    def onnx(self) -> bytes:
        """The model as an ONNX file, with softmax and scaling in its graph.

        Its metadata hold the class names, the input contract, the recipe, the data set's hash
        and the version of inkwise, all but the last two as JSON.
        """
        metadata = {
            "class_names": _json(self.class_names),
            "input": _json(self._contract),
            "inkwise_version": inkwise.__version__,
        }
        if "recipe" in self.provenance:
            metadata["recipe"] = _json(self.provenance["recipe"])
        dataset = self.provenance.get("dataset")
        if isinstance(dataset, Mapping) and isinstance(dataset.get("sha256"), str):
            metadata["dataset_sha256"] = dataset["sha256"]
        return to_onnx(self.network, self.weights, metadata)

    @property
    def _contract(self) -> dict[str, Any]:
        """What the network takes, as JSON values."""
        return {
            "dtype": "uint8",
            "shape": ["N", *self.network.image_size],
            "range": [0, 255],
            "polarity": "light ink on a black ground",
            "scaling": "divided by 255",
        }

    @functools.cached_property
    def _session(self) -> "InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # An image is too little work to share: whole batches run side by side instead.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised, and printing is not ours to do
        content = self.onnx
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has a dozen kinds of "damaged", and no base
            raise ModelError(f"{ONNX_FILE} is no ONNX model: train the model again") from error
        contract = [
            (INPUT, "tensor(uint8)", ["N", *self.network.image_size]),
            (OUTPUT, "tensor(float)", ["N", self.network.classes]),
        ]
        ends = [*session.get_inputs(), *session.get_outputs()]
        if [(end.name, end.type, end.shape) for end in ends] != contract:
            raise ModelError(
                f"{ONNX_FILE} and {DOCUMENT_FILE} do not describe the same model: train it again"
            )
        return session


def _run(session: "InferenceSession", images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return session.run(None, {INPUT: images})[0]


def _run_on_all_cores(
    session: "InferenceSession", images: NDArray[np.uint8], probabilities: NDArray[np.float32]
) -> None:
    """Fill in the probabilities, every core one batch after another.

    The batches are the same on any number of cores, and so are the answers.
    """
    from concurrent.futures import ThreadPoolExecutor

    starts = iter(range(0, len(images), BATCH))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                start = next(starts, None)
            if start is None:
                return
            batch = slice(start, start + BATCH)
            probabilities[batch] = _run(session, images[batch])

    workers = min(available_cores(), math.ceil(len(images) / BATCH))
    with ThreadPoolExecutor(workers) as pool:
        helpers = [pool.submit(work) for _ in range(workers - 1)]
        try:
            work()
        finally:
            with taking:
                deque(starts, maxlen=0)  # an error or Ctrl-C leaves the helpers nothing to do
    for helper in helpers:
        helper.result()


def _document_hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json(document).encode()).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


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


def _read_verified(path: Path, sha256: object) -> bytes:
    raw = read_bytes(path)
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ModelError(
            f"{path} is not the file that {DOCUMENT_FILE} was written with: it was changed, cut "
            "or mixed up; copy or train the model again"
        )
    return raw


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
