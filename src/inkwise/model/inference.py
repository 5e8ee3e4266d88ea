"""Opening a model's network on ONNX Runtime."""

import contextlib
from typing import TYPE_CHECKING

from inkwise.errors import ModelError
from inkwise.model.saving import DOCUMENT_FILE, ONNX_FILE
from inkwise.networks.as_onnx import INPUT, LOGITS, OUTPUTS, PROBABILITIES, SCORE
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.network import Network
from inkwise.networks.sessions import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_model(content: bytes, network: Network | Ensemble) -> "InferenceSession":
    """Open a model's ONNX file, and make sure that its inputs and outputs fit the network."""
    session = open_session(content, ONNX_FILE)
    each = ["N", network.classes]
    shapes = {PROBABILITIES: each, LOGITS: each, SCORE: ["N"]}
    contract = [
        (INPUT, "tensor(uint8)", ["N", *network.image_size]),
        *((name, "tensor(float)", shapes[name]) for name in OUTPUTS),
    ]
    ends = None
    with contextlib.suppress(UnicodeDecodeError):  # names are decoded, and fail, only here
        ends = [
            (end.name, end.type, end.shape)
            for end in (*session.get_inputs(), *session.get_outputs())
        ]
    if ends != contract:
        raise ModelError(
            f"{ONNX_FILE} and {DOCUMENT_FILE} do not describe the same model: train the model again"
        )
    return session
