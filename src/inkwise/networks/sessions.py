"""Running an ONNX file on ONNX Runtime, on every core."""

import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ModelError
from inkwise.networks.as_onnx import INPUT
from inkwise.system.machine import available_cores

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

BATCH = 32
"""Number of images that a core computes in one pass.

16 to 64 are fastest; the activations of more do not fit the core's cache.
"""


def open_session(content: bytes, file: str) -> "InferenceSession":
    """Open the content of an ONNX file for `run_session`; raises ModelError if it is not one."""
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
        raise ModelError(f"{file} is not an ONNX model: train the model again") from error


def run_session(
    session: "InferenceSession",
    images: NDArray[np.uint8],
    outputs: Sequence[str],
    file: str,
    entry: str = INPUT,
) -> list[NDArray[np.float32]]:
    """Return the named outputs for any number of images, uint8 (N, H, W), at the named input.

    Up to `BATCH` images are computed on the caller's thread, more of them on every core.

    Raises
    ------
    ModelError
        The graph is damaged, or gives infinite values or NaN.
    """
    try:
        run = _run_batch if len(images) <= BATCH else _run_on_all_cores
        answers = run(session, images, outputs, entry)
    except Exception as error:  # ONNX Runtime's many exceptions have no common base class
        raise ModelError(f"{file} cannot be run: train the model again") from error
    if not all(np.isfinite(values).all() for values in answers):
        raise ModelError(f"{file} gives values that are infinite or NaN: train the model again")
    return answers


def _run_batch(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str], entry: str
) -> list[NDArray[np.float32]]:
    # With test-time augmentation, a layer inside the network gives (rotations * N, ...) values,
    # those of the first rotation first.
    return [values[: len(images)] for values in session.run(outputs, {entry: images})]


def _run_on_all_cores(
    session: "InferenceSession", images: NDArray[np.uint8], outputs: Sequence[str], entry: str
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
            batches[place] = _run_batch(session, batch, outputs, entry)

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
