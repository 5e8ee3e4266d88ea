"""Export of a model as a quantised ONNX file with int8 weights, for ONNX Runtime."""

import dataclasses
import hashlib
import itertools
import json
import tempfile
from collections import Counter
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
from inkwise.networks.folding import fold
from inkwise.system.files import read_bytes, storage, write_bytes

if TYPE_CHECKING:
    from onnx import GraphProto

CALIBRATION = 1000
"""Number of training images from which the activations' ranges are measured.

If there are fewer than twice as many training images, all of them are used.
"""

_SEED = 0
_BATCHES = 10  # the quantiser holds all activations of a batch in memory at once


def int8_bytes(model: Model, train: Split) -> bytes:
    """Return a model as a statically quantised ONNX file.

    Weights are stored as int8, with a scale for every channel, but use only 7 of the 8 bits:
    products of 8 bits overflow on processors without VNNI. Activations are uint8, with ranges from
    calibration images. The first convolution and its pooling stay float32, because int8 is slower
    for the single channel of a grey image. The softmax stays float32, too: its probabilities would
    be multiples of 1/256. Batch normalisation is folded where that is possible, and stays float32
    elsewhere. The same arguments give the same bytes.

    Parameters
    ----------
    model : Model
        The model to quantise, a single network.
    train : Split
        The images that the model was trained on. The calibration images are a stratified sample of
        them, with a fixed seed.

    Returns
    -------
    bytes
        A file with the inputs, outputs and metadata of `Model.onnx`, and the additional entry
        ``quantisation``. This is a JSON object with the types of ``weights`` and ``activations``,
        the names of the nodes left in ``float32``, and ``calibration``: the number of
        calibration ``images``, the number ``of`` images in their ``split``, the ``seed`` of the
        sample, and its ``sha256``.

    Raises
    ------
    ArgumentError
        The model is an ensemble.
    DataError
        A class has too few training images for a stratified sample.
    StorageError
        Temporary files cannot be written.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018, arXiv:1712.05877.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    network, weights = fold(require_single(model.network, "onnx-int8"), model.weights)
    images = _draw(train)
    folded = dataclasses.replace(model, network=network, weights=weights)
    original = onnx.load_from_string(folded.onnx)
    source = onnx.load_from_string(folded.onnx)
    float32 = [*_part_first_block(source.graph), *_behind_logits(source.graph)]
    # Without this the quantiser logs advice to fuse nodes, which ONNX Runtime does anyway.
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
    """Gives the quantiser the calibration images, one batch at a time."""

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
    """Move the first block's ReLU to its end; return the names of the nodes to leave in float32.

    ONNX Runtime moves the quantisation of activations ahead of a max-pooling, and then pools in
    uint8 with the channels first, which makes the whole network slower than in float32. It does
    not move it past a ReLU, which it fuses with the quantisation instead. Max-pooling and ReLU
    commute, so the outputs stay the same.
    """
    nodes = list(graph.node)
    weighted = [place for place, node in enumerate(nodes) if node.op_type in ("Conv", "Gemm")]
    # The first block ends before the second layer with weights; it is empty if a dense layer is
    # the first one.
    end = weighted[1] if nodes[weighted[0]].op_type == "Conv" else weighted[0]
    block = nodes[:end]
    taken = Counter(name for node in nodes for name in node.input)
    alone = all(taken[node.output[0]] == 1 for node in block[:-1])
    if alone and {node.op_type for node in block} <= _COMMUTING:
        names = [node.output[0] for node in block]
        block.sort(key=lambda node: node.op_type == "Relu")
        for node, name in zip(block, names, strict=True):
            node.output[0] = name
        for before, after in itertools.pairwise(block):
            after.input[0] = before.output[0]
        del graph.node[:]
        graph.node.extend([*block, *nodes[end:]])
    return [node.name for node in block]


_COMMUTING = {"Cast", "Div", "Reshape", "Conv", "Relu", "MaxPool"}
"""Nodes of a first block in which the ReLU can go to the end."""


def _behind_logits(graph: "GraphProto") -> list[str]:
    """Return the names of the nodes that compute probabilities and the score from the logits."""
    names = [node.name for node in graph.node]
    last = [LOGITS in node.output for node in graph.node].index(True)
    return names[last + 1 :]
