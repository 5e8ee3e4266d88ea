"""Answers about pictures: from ink and what the network gives for it to a verdict."""

import dataclasses
import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import InkwiseError, NoInkError
from inkwise.model.calibration import Verdict
from inkwise.networks.as_onnx import PROBABILITIES, SCORE
from inkwise.system.machine import available_cores

if TYPE_CHECKING:
    from concurrent.futures import Future

    from inkwise.ink import Ink, Picture
    from inkwise.model.artifact import Model

CHUNK = 8
"""Pictures that a core reads and answers at once; more would keep the first answers waiting."""

CANDIDATES = 3
"""How many classes an answer names."""


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What a model says about a picture.

    Parameters
    ----------
    verdict : {"digit", "unsure", "not a digit"}
        ``digit``: it looks like one of the model's classes, whatever they are, and the label is
        the one; ``unsure``: the label is the likeliest of several; ``not a digit``: it looks like
        none of the classes, or holds no ink.
    label : str or None
        The name of the likeliest class; None where the picture is not a digit.
    probability : float
        That of the likeliest class, calibrated; 0 where there is no ink.
    top : tuple of (str, float)
        The three likeliest classes and their probabilities, the likeliest first; fewer where the
        model has fewer, none where there is no ink.
    score : float
        How much the picture looks like any of the classes, see `Calibration`; minus infinity
        where there is no ink.
    ink : Ink or None
        What the network saw, and where in the picture; None where there is no ink.

    Examples
    --------
    >>> import inkwise
    >>> image = inkwise.load_dataset("optdigits").test.images[4]
    >>> answer = inkwise.load_pretrained().classify([image])[0]
    >>> answer.verdict, answer.label
    ('digit', '5')
    >>> answer.ink.image.shape  # what the network saw
    (28, 28)
    """

    verdict: Verdict
    label: str | None
    probability: float
    top: tuple[tuple[str, float], ...]
    score: float
    ink: "Ink | None"


NO_INK = Answer("not a digit", None, 0.0, (), -math.inf, None)
"""The answer about a picture in which there is no ink."""


def choose_readings(
    inks: "Iterable[Ink]", scores: NDArray[np.float32]
) -> "Iterator[tuple[Ink, int]]":
    """Choose of every ink's readings the one that looks most like any of the classes.

    Parameters
    ----------
    inks : iterable of Ink
    scores : ndarray of float32, shape (R,)
        Of all their `readings`, one after another.

    Yields
    ------
    Ink
        With the reading as its image.
    int
        The reading's place in `scores`.
    """
    first = 0
    for ink in inks:
        count = len(ink.readings)
        place = int(scores[first : first + count].argmax())
        yield ink.read_as(place), first + place
        first += count


def answer_each(
    model: "Model", pictures: "Iterable[Picture | InkwiseError]"
) -> "Iterator[Answer | InkwiseError]":
    """Answer about pictures on every core, in their order; see `Model.classify_each`."""
    rest = iter(pictures)
    chunk = [*itertools.islice(rest, CHUNK)]
    if len(chunk) < CHUNK:  # not worth a thread
        yield from _answer(model, chunk)
        return

    from concurrent.futures import ThreadPoolExecutor

    cores = available_cores()
    _answer(model, [])  # opens the model, once and not in each thread
    pending: deque[Future[list[Answer | InkwiseError]]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        try:
            while chunk or pending:
                while chunk and len(pending) <= cores:
                    pending.append(pool.submit(_answer, model, chunk))
                    chunk = [*itertools.islice(rest, CHUNK)]
                yield from pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _answer(
    model: "Model", pictures: "Sequence[Picture | InkwiseError]"
) -> list[Answer | InkwiseError]:
    inks = [preprocess(picture, model.network.image_size) for picture in pictures]
    found = [ink for ink in inks if not isinstance(ink, InkwiseError)]
    readings = [reading for ink in found for reading in ink.readings]
    images = np.array(readings, np.uint8).reshape(-1, *model.network.image_size)
    probabilities, scores = model.run(images, PROBABILITIES, SCORE)
    chosen = choose_readings(found, scores)
    answers: list[Answer | InkwiseError] = []
    for ink in inks:
        if isinstance(ink, NoInkError):
            answers.append(NO_INK)
        elif isinstance(ink, InkwiseError):
            answers.append(ink)
        else:
            seen, row = next(chosen)
            answers.append(judge(model, seen, probabilities[row], float(scores[row])))
    return answers


def preprocess(
    picture: "Picture | InkwiseError", image_size: tuple[int, int]
) -> "Ink | InkwiseError":
    """Bring a picture to what a network for this size expects, or return why that cannot be."""
    from inkwise.ink import CANVAS, Ink, normalise, take_as_is

    if isinstance(picture, InkwiseError):
        return picture
    try:
        if image_size == (CANVAS, CANVAS):
            return normalise(picture)
        image = take_as_is(picture, image_size)
    except InkwiseError as error:
        return error
    return Ink(image, "light ink", (0, 0, *image_size), 1.0)


def judge(model: "Model", ink: "Ink", probabilities: NDArray[np.float32], score: float) -> Answer:
    """Make an answer of what the model gave for an ink: probabilities (classes,), a score."""
    likeliest_first = (-probabilities).argsort(kind="stable")[:CANDIDATES]
    top = tuple(
        (model.class_names[place], float(probabilities[place])) for place in likeliest_first
    )
    label, probability = top[0]
    (verdict,) = model.calibration.verdicts(np.array([probability]), np.array([score]))
    named = None if verdict == "not a digit" else label
    return Answer(verdict, named, probability, top, score, ink)
