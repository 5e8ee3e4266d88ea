"""A model as an ONNX file in int8, for ONNX Runtime."""

import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.data.dataset import Split
from inkwise.data.splits import stratified_draw
from inkwise.model import Model
from inkwise.networks.as_onnx import INPUT, LOGITS
from inkwise.networks.ensemble import require_single
from inkwise.system.files import read_bytes, storage, write_bytes

if TYPE_CHECKING:
    from onnx import GraphProto

CALIBRATION = 1000
"""How many training images tell the ranges of the activations; of fewer than twice as many, all."""

_SEED = 0
_BATCHES = 10  # all activations of a batch are held at once


def int8_bytes(model: Model, train: Split) -> bytes:
    """Return a model as a statically quantised ONNX file.

    Weights are int8 of 7 bits, with a scale for every channel: products of 8 bits overflow on
    processors without VNNI. Activations are uint8, with ranges from the calibration images. A
    first convolution and its pooling stay float32, because over the single channel of a grey
    image int8 is the slower one. So does the softmax, whose answers would be multiples of 1/256.
    The same arguments give the same bytes.

    Parameters
    ----------
    model : Model
    train : Split
        The images that the model was trained on; some of them are drawn by class, always the
        same ones.

    Returns
    -------
    bytes
        A file with inputs, outputs and metadata of `Model.onnx`, and the entry ``quantisation``
        beside them: a JSON object with the types of ``weights`` and ``activations``, the nodes
        left in ``float32``, and ``calibration``, which says how many ``images`` of how many in
        which ``split``, with which ``seed``, and their ``sha256``.

    Raises
    ------
    ArgumentError
        The model is an ensemble.
    DataError
        The training images cannot be drawn from by class.
    StorageError
        There is no room for temporary files.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018, arXiv:1712.05877.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    require_single(model.network, "onnx-int8")
    images = _draw(train)
    original = onnx.load_from_string(model.onnx)
    source = onnx.load_from_string(model.onnx)
    float32 = [*_part_first_block(source.graph), *_behind_logits(source.graph)]
    # The quantiser else advises, on the root logger, to fuse what ONNX Runtime fuses anyway.
    onnx.helper.set_model_props(source, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as folder, storage(folder, "write to"):
        path, quantised = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        write_bytes(path, source.SerializeToString())
        quantize_static(
            path,
            quantised,
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            nodes_to_exclude=float32,
        )
        result = onnx.load_from_string(read_bytes(quantised))
    calibration = {
        "split": "train",
        "images": len(images),
        "of": len(train),
        "seed": _SEED,
        "sha256": hashlib.sha256(images.tobytes()).hexdigest(),
    }
    quantisation = {
        "weights": "int8",
        "activations": "uint8",
        "float32": float32,
        "calibration": calibration,
    }
    metadata = {entry.key: entry.value for entry in original.metadata_props}
    onnx.helper.set_model_props(result, {**metadata, "quantisation": json.dumps(quantisation)})
    result.producer_name = original.producer_name
    result.producer_version = original.producer_version
    onnx.checker.check_model(result, full_check=True)
    return result.SerializeToString(deterministic=True)


class _Reader:
    """Hands the quantiser the calibration images, a batch at a time."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(np.array_split(images, _BATCHES))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def _draw(train: Split) -> NDArray[np.uint8]:
    if len(train) < 2 * CALIBRATION:
        return train.images
    _, drawn = stratified_draw(train.labels, CALIBRATION, _SEED)
    return train.images[drawn]


def _part_first_block(graph: "GraphProto") -> list[str]:
    """Put the first block's ReLU at its end; return the names of the nodes to leave in float32.

    ONNX Runtime moves the step to uint8 forward, past a pooling into which nothing but it leads,
    and pools in uint8, channels first: that makes the whole slower than float32. It does not move
    it past a ReLU, which then becomes a part of that step. The maximum commutes with ReLU.
    """
    nodes = list(graph.node)
    weighted = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "Gemm")]
    # The second layer with weights ends the first one's block; a dense layer first has none.
    end = weighted[1] if nodes[weighted[0]].op_type == "Conv" else weighted[0]
    block = sorted(nodes[:end], key=lambda node: node.op_type == "Relu")
    ordered = [*block, *nodes[end:]]
    for before, after in itertools.pairwise(ordered[: end + 1]):
        after.input[0] = before.output[0]
    del graph.node[:]
    graph.node.extend(ordered)
    return [node.name for node in block]


def _behind_logits(graph: "GraphProto") -> list[str]:
    """Return the names of the nodes that make probabilities and a score of the logits."""
    names = [node.name for node in graph.node]
    last = [LOGITS in node.output for node in graph.node].index(True)
    return names[last + 1 :]
