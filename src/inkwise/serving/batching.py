"""Batching: simultaneous requests are computed together, in threads beside the event loop."""

import asyncio
import dataclasses
import functools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import DataError, InkwiseError
from inkwise.ink import Ink
from inkwise.ink.image_files import Page
from inkwise.model import Answer, Model
from inkwise.model.answers import judge_each, preprocess, stack_readings
from inkwise.model.hands import shift
from inkwise.networks.as_onnx import OUTPUTS
from inkwise.networks.sessions import BATCH
from inkwise.serving.metrics import Metrics
from inkwise.serving.problems import too_busy

GATHER_SECONDS = 0.002
"""Time for which the first item of a batch waits for others.

A longer wait delays the answers, and does not make the batches larger.
"""

CHUNK = 8
"""Number of pictures of one request that are computed together.

A request with more of them is shared by several threads.
"""

PICTURE = 8
"""Cost of a picture, counted in images that are ready for the network.

The cost includes decoding and preprocessing: 2 for a picture of MNIST's, 50 for a photo.
"""

LARGE = 1 << 17
"""Number of bytes above which a picture is a batch of its own: small ones would wait for it."""

Floats = NDArray[np.float32]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


class Outputs(NamedTuple):
    """The network's outputs for N images, float32: (N, classes), (N, classes) and (N,)."""

    probabilities: Floats
    logits: Floats
    scores: Floats


class Seen(NamedTuple):
    """The result for one picture.

    Parameters
    ----------
    answer : Answer or InkwiseError
        The result of `Model.classify_each`.
    probabilities : list of float or None
        Probabilities of all classes, to six decimals; None if the network was not run.
    """

    answer: Answer | InkwiseError
    probabilities: list[float] | None


@dataclasses.dataclass(eq=False)
class Work:
    """Pictures or images that are computed together for one request.

    Parameters
    ----------
    model : Model
        The model that was served when the request came.
    pictures : sequence of bytes or Page
        Encoded pictures; empty if there are images.
    images : ndarray of uint8, shape (N, H, W), or None
        Images that are ready for the network.
    hand : str
        Where the writers of the pictures learned to write; see `inkwise.model.hands`.
    """

    model: Model
    pictures: Sequence[bytes | Page] = ()
    images: NDArray[np.uint8] | None = None
    hand: str = "any"

    def __post_init__(self) -> None:
        count = len(self.pictures) if self.images is None else len(self.images)
        self.size = count
        self.cost = count * PICTURE if self.images is None else count
        self.alone = count > BATCH or any(
            isinstance(picture, Page) or len(picture) > LARGE for picture in self.pictures
        )
        self.future: asyncio.Future[list[Seen] | Outputs] | None = None


class Batcher:
    """A bounded queue of work, and the threads that do it.

    Parameters
    ----------
    threads : int
        Number of threads that compute at the same time.
    limit : int
        Largest amount of queued work, in images; see `Limits.waiting`.
    metrics : Metrics
        The metrics that record batches and queued work.
    """

    def __init__(self, threads: int, limit: int, metrics: Metrics) -> None:
        self.pool = ThreadPoolExecutor(threads, "inkwise")
        self._idle = threads
        self._limit = limit
        self._metrics = metrics
        self._queue: deque[Work] = deque()
        self._cost = 0
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Cancel the work that has not begun, and end the threads."""
        self.pool.shutdown(wait=True, cancel_futures=True)

    def make_sure_of_room(self) -> None:
        """Raise a `Problem` if the queue is full."""
        if self._cost >= self._limit:
            raise too_busy()

    async def see(self, model: Model, pictures: Sequence[bytes | Page], hand: str) -> list[Seen]:
        """Classify pictures, and return the results in their order.

        The result for a picture that cannot be read holds its error. Raises `Problem` if the queue
        is full.
        """
        parts = await self._compute(
            [
                Work(model, pictures[first : first + CHUNK], hand=hand)
                for first in range(0, len(pictures), CHUNK)
            ]
        )
        return [seen for part in parts if isinstance(part, list) for seen in part]

    async def run(self, model: Model, images: NDArray[np.uint8]) -> Outputs:
        """Return the network's outputs for images, uint8 (N, H, W).

        Raises `Problem` if the queue is full.
        """
        (outputs,) = await self._compute([Work(model, images=images)])
        assert isinstance(outputs, Outputs)  # noqa: S101
        return outputs

    async def call(
        self,
        cost: int,
        function: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> _Result:
        """Call a function in one of the threads, and count its cost while it waits and works.

        Raises `Problem` if the queue is full.
        """
        self.make_sure_of_room()
        self._cost += cost
        self._metrics.waiting(self._cost)
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self.pool, functools.partial(function, *arguments, **options)
            )
        finally:
            self._cost -= cost
            self._metrics.waiting(self._cost)

    async def _compute(self, works: Sequence[Work]) -> "list[list[Seen] | Outputs]":
        self.make_sure_of_room()
        loop = asyncio.get_running_loop()
        futures = []
        for work in works:
            work.future = loop.create_future()
            futures.append(work.future)
            self._queue.append(work)
            self._cost += work.cost
        self._metrics.waiting(self._cost)
        self._wake(loop)
        try:
            return [await future for future in futures]
        finally:
            for future in futures:  # those that are not done: the request timed out, or failed
                future.cancel()

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._idle:
            return  # the first thread that becomes idle takes the queued work
        if sum(work.size for work in self._queue) >= BATCH:
            self._dispatch()
        elif self._timer is None:
            self._timer = loop.call_later(GATHER_SECONDS, self._dispatch)

    def _dispatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle and (works := self._take()):
            self._idle -= 1
            self._metrics.batch(sum(work.size for work in works))
            task = asyncio.get_running_loop().run_in_executor(self.pool, compute, works)
            task.add_done_callback(lambda task, works=works: self._finish(task, works))  # type: ignore[misc]
        self._metrics.waiting(self._cost)

    def _take(self) -> list[Work]:
        """Take the next batch out of the queue: work for one model, up to `BATCH` images."""
        works: list[Work] = []
        size = 0
        while self._queue:
            work = self._queue[0]
            fits = not works or (
                size + work.size <= BATCH
                and work.model is works[0].model
                and not (work.alone or works[0].alone)
            )
            if not fits:
                break
            self._queue.popleft()
            self._cost -= work.cost
            if work.future is not None and not work.future.done():  # else the request has ended
                works.append(work)
                size += work.size
        return works

    def _finish(
        self, task: "asyncio.Future[list[list[Seen] | Outputs]]", works: Sequence[Work]
    ) -> None:
        self._idle += 1
        if self._queue:
            self._dispatch()
        if task.cancelled():
            return
        error = task.exception()
        results = [None] * len(works) if error else task.result()
        for work, result in zip(works, results, strict=True):
            future = work.future
            if future is None or future.done():
                continue
            if error is not None:
                future.set_exception(error)
            elif result is not None:
                future.set_result(result)


def compute(works: Sequence[Work]) -> list[list[Seen] | Outputs]:
    """Do several pieces of work for one model in one pass of the network.

    Returns
    -------
    list
        For each piece of work, the results for its pictures, or the outputs for its images.
    """
    model = works[0].model
    image_size = model.network.image_size
    inks = [[_preprocess(picture, model) for picture in work.pictures] for work in works]
    blocks = [
        stack_readings(found, image_size) if work.images is None else work.images
        for work, found in zip(works, inks, strict=True)
    ]
    # Blocks of (R, H, W), where R is the number of readings or images of a piece of work.
    outputs = _run(model, np.concatenate(blocks))
    results: list[list[Seen] | Outputs] = []
    first = 0
    for work, found, block in zip(works, inks, blocks, strict=True):
        part = Outputs(*(output[first : first + len(block)] for output in outputs))
        results.append(_see(work, found, part) if work.images is None else part)
        first += len(block)
    return results


def _preprocess(picture: bytes | Page, model: Model) -> Ink | InkwiseError:
    try:
        return preprocess(picture, model.network.image_size, model.together)
    except Exception:  # one odd picture must not fail the other requests of its batch
        _log.exception("a picture could not be preprocessed")
        return DataError("the picture cannot be read: save it as PNG or JPEG")


def _run(model: Model, images: NDArray[np.uint8]) -> Outputs:
    """Run the network in this thread, in batches that fit the core's cache."""
    parts = [
        model.run(images[first : first + BATCH], *OUTPUTS)
        for first in range(0, max(1, len(images)), BATCH)
    ]
    return Outputs(*(np.concatenate(output) for output in zip(*parts, strict=True)))


def _see(work: Work, inks: Sequence[Ink | InkwiseError], outputs: Outputs) -> list[Seen]:
    probabilities = shift(outputs.probabilities, work.model.class_names, work.hand)
    rounded = probabilities.astype(np.float64).round(6).tolist()
    answers = judge_each(work.model, inks, probabilities, outputs.scores)
    return [Seen(answer, None if row is None else rounded[row]) for answer, row in answers]
