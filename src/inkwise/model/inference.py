"""Running a model on ONNX Runtime, on every core."""

import contextlib
import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.model.saving import DOCUMENT_FILE, ONNX_FILE
from inkwise.networks.as_onnx import INPUT, LOGITS, OUTPUTS, PROBABILITIES, SCORE
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.network import Network
from inkwise.system.machine import available_cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = 32
"""Number of images that a core computes in one pass.

16 to 64 are fastest; the activations of more do not fit the core's cache.
"""


def open_model(content: bytes, network: Network | Ensemble) -> "InferenceSession":
    """Open a model's ONNX file, and make sure that its inputs and outputs fit the network."""
    session = open_session(content)
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


def open_session(content: bytes) -> "InferenceSession":
    """Open an ONNX file for `run_session`; raises ModelError if it is not one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One image is too little work for several threads: several batches run in parallel instead.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised as exceptions, and need no log on stderr
    try:
        return onnxruntime.InferenceSession(
            content,
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # it would try the same provider again, and print a message
        )
    except Exception as error:  # ONNX Runtime's many exceptions have no common base class
        raise ModelError(f"{ONNX_FILE} is not an ONNX model: train the model again") from error


def run_session(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Return the named outputs for any number of images, uint8 (N, H, W).

    Up to `BATCH` images are computed on the caller's thread, more of them on every core.

    Raises
    ------
    ModelError
        The graph is damaged, or gives infinite values or NaN.
    """
    try:
        run = _run_batch if len(images) <= BATCH else _run_on_all_cores
        answers = run(session, images, outputs)
    except Exception as error:  # ONNX Runtime's many exceptions have no common base class
        raise ModelError(f"{ONNX_FILE} cannot be run: train the model again") from error
    if not all(np.isfinite(values).all() for values in answers):
        raise ModelError(
            f"{ONNX_FILE} gives values that are infinite or NaN: train the model again"
        )
    return answers


def _run_batch(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    # With test-time augmentation, a layer inside the network gives (rotations * N, ...) values,
    # those of the first rotation first.
    return [values[: len(images)] for values in session.run(outputs, {INPUT: images})]


def _run_on_all_cores(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Return the outputs for all images; each core takes one batch after another.

    The batches do not depend on the number of cores, and so neither do the outputs.
    """
    from concurrent.futures import ThreadPoolExecutor

    batches: list[list[NDArray[np.float32]]] = [[]] * math.ceil(len(images) / BATCH)
    places = iter(range(len(batches)))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                place = next(places, None)
            if place is None:
                return
            batch = images[place * BATCH : (place + 1) * BATCH]
            batches[place] = _run_batch(session, batch, outputs)

    workers = min(available_cores(), len(batches))
    with ThreadPoolExecutor(workers) as pool:
        helpers = [pool.submit(work) for _ in range(workers - 1)]
        try:
            work()
        finally:
            with taking:
                deque(places, maxlen=0)  # after an error or Ctrl-C the other threads stop, too
    for helper in helpers:
        helper.result()
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
