"""A model's files: they are written completely, and are read only if their hashes agree."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.model.calibration import Calibration
from inkwise.model.model_parts import Parts
from inkwise.networks.as_onnx import read_metadata, read_weights
from inkwise.networks.ensemble import Ensemble, from_json, to_json
from inkwise.networks.network import Network
from inkwise.system.files import json_bytes, read_bytes, storage, to_utf8, write_together
from inkwise.version import __version__

SCHEMA = "inkwise-model/3"
WEIGHTS_FILE = "weights.safetensors"
ONNX_FILE = "model.onnx"
DOCUMENT_FILE = "model.json"

TOGETHER = "all of a picture's together"
"""What the input contract says of the ink of a model whose classes are made of several pieces."""


def save_parts(parts: Parts, onnx: bytes, folder: Path) -> None:
    """Write a model's parts and its ONNX file into a folder; see `Model.save`."""
    import safetensors.numpy

    document = {
        "schema": SCHEMA,
        **_describe(parts),
        "provenance": dict(parts.provenance),
        "onnx_sha256": hashlib.sha256(onnx).hexdigest(),
    }
    weights = safetensors.numpy.save(
        {name: np.ascontiguousarray(array) for name, array in parts.weights.items()},
        metadata={"model_json_sha256": _document_hash(document)},
    )
    signed = {**document, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    write_together(
        {
            folder / WEIGHTS_FILE: weights,
            folder / ONNX_FILE: onnx,
            folder / DOCUMENT_FILE: json_bytes(signed),
        }
    )


def load_parts(folder: Path) -> tuple[Parts, bytes]:
    """Read the parts of the model in a folder, and its ONNX file; see `Model.load`."""
    for name in (DOCUMENT_FILE, WEIGHTS_FILE, ONNX_FILE):
        with storage(folder, "read"):
            missing = not (folder / name).is_file()
        if missing:
            raise ModelError(f"there is no model in {folder}: it has no {name}")
    document = _read_document(folder / DOCUMENT_FILE)
    raw = _read_verified(folder / WEIGHTS_FILE, document.pop("weights_sha256", None))
    weights, metadata = _read_weights(raw, folder / WEIGHTS_FILE)
    intact = False
    with contextlib.suppress(ValueError, RecursionError):  # `save` does not write such a document
        intact = metadata.get("model_json_sha256") == _document_hash(document)
    if not intact:
        raise ModelError(
            f"{folder / DOCUMENT_FILE} was changed after the model was saved; copy or train "
            "the model again"
        )
    onnx = _read_verified(folder / ONNX_FILE, document.get("onnx_sha256"))
    try:
        parts = _read_parts(document, weights, dict(document["provenance"]))
    except (KeyError, TypeError, ValueError, ModelError) as error:
        raise ModelError(
            f"{folder / DOCUMENT_FILE} does not describe a complete model "
            f"({type(error).__name__}: {error}): train the model again"
        ) from error
    return parts, onnx


def parts_from_onnx(content: bytes) -> Parts:
    """Read a model's parts from its ONNX file alone; see `Model.from_onnx`."""
    try:
        metadata = read_metadata(content)
        described = (*_DESCRIBED, "recipe")
        document = {key: json.loads(metadata[key]) for key in described if key in metadata}
        provenance = {key: document[key] for key in ("recipe",) if key in document}
        if "dataset_sha256" in metadata:
            provenance["dataset"] = {"sha256": metadata["dataset_sha256"]}
            if "dataset_name" in metadata:  # which earlier versions left out
                provenance["dataset"]["name"] = metadata["dataset_name"]
        weights = read_weights(content, _read_network(document))
        return _read_parts(document, weights, provenance)
    except (KeyError, TypeError, ValueError, RecursionError, ModelError) as error:
        raise ModelError(
            f"the ONNX file was not written by inkwise, or is damaged ({type(error).__name__}: "
            f"{error}): name a file that `inkwise export --format onnx` wrote"
        ) from error


def is_ours(content: bytes) -> bool:
    """Tell whether content is that of an ONNX file of inkwise."""
    try:
        return "inkwise_version" in read_metadata(content)
    except ModelError:
        return False


def onnx_metadata(parts: Parts) -> dict[str, str]:
    """Return the metadata that a model's ONNX file holds beside its graph; see `Model.onnx`."""
    metadata = {name: _json(value) for name, value in _describe(parts).items()}
    metadata["inkwise_version"] = __version__
    if "recipe" in parts.provenance:
        metadata["recipe"] = _json(parts.provenance["recipe"])
    dataset = parts.provenance.get("dataset")
    if isinstance(dataset, Mapping) and isinstance(dataset.get("sha256"), str):
        metadata["dataset_sha256"] = dataset["sha256"]
        if isinstance(dataset.get("name"), str):
            metadata["dataset_name"] = to_utf8(dataset["name"]).decode()
    return metadata


_DESCRIBED = ("class_names", "input", "network", "calibration", "rotations")


def _describe(parts: Parts) -> dict[str, Any]:
    """Return all parts but weights and provenance as JSON values, which `_read_parts` reads."""
    contract = {
        "dtype": "uint8",
        "shape": ["N", *parts.network.image_size],
        "range": [0, 255],
        "polarity": "light ink on a black ground",
        "scaling": "divided by 255",
        **({"ink": TOGETHER} if parts.together else {}),
    }
    values = (
        list(parts.class_names),
        contract,
        to_json(parts.network),
        parts.calibration.to_dict(),
        list(parts.rotations),
    )
    return dict(zip(_DESCRIBED, values, strict=True))


def _read_parts(
    document: Mapping[str, Any], weights: Mapping[str, NDArray[Any]], provenance: Mapping[str, Any]
) -> Parts:
    parts = Parts(
        _read_network(document),
        weights,
        tuple(document["class_names"]),
        provenance,
        Calibration.from_dict(document["calibration"]),
        tuple(document["rotations"]),
        document["input"].get("ink") == TOGETHER,
    )
    parts.check()
    return parts


def _read_network(document: Mapping[str, Any]) -> Network | Ensemble:
    _, height, width = document["input"]["shape"]
    return from_json((height, width), document["network"])


def _document_hash(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_utf8(_json(document))).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is truncated, or is not JSON: copy or train the model again"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ModelError(f"{path} does not describe an inkwise model (schema {SCHEMA})")
    return document


def _read_verified(path: Path, sha256: object) -> bytes:
    raw = read_bytes(path)
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise ModelError(
            f"{path} is not the file that was saved with {DOCUMENT_FILE}: it was changed or "
            "truncated, or belongs to another model; copy or train the model again"
        )
    return raw


def _read_weights(raw: bytes, path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    import safetensors
    import safetensors.numpy

    try:
        weights = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{path} is not a safetensors file: {error}") from error
    # safetensors returns only the arrays; the metadata are in the header that it has just checked.
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    return weights, header.get("__metadata__") or {}
