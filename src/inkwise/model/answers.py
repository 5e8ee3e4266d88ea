"""From pictures to answers, a function a step, for the library, the service and the evaluation.

Pictures are preprocessed to ink, the readings of all inks are run together, of every ink the
reading is chosen that looks most like a class, and what the network gave for it is judged.
"""

import dataclasses
import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import InkwiseError, NoInkError
from inkwise.model.calibration import Calibration, Verdict
from inkwise.networks.as_onnx import LOGITS, PROBABILITIES, SCORE
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.layers import Network
from inkwise.system.machine import available_cores

if TYPE_CHECKING:
    from concurrent.futures import Future

    from inkwise.ink import Ink, Picture

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


class Classifier(Protocol):
    """What an answer takes of a model; see `inkwise.Model`, which has it."""

    @property
    def network(self) -> Network | Ensemble:
        """Says how large images are."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One a class."""

    @property
    def calibration(self) -> Calibration:
        """Makes verdicts."""

    def run(self, images: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """Return the network's outputs by their names."""


NO_INK = Answer("not a digit", None, 0.0, (), -math.inf, None)
"""The answer about a picture in which there is no ink."""


def answer_each(
    model: Classifier, pictures: "Iterable[Picture | InkwiseError]"
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
    model: Classifier, pictures: "Sequence[Picture | InkwiseError]"
) -> list[Answer | InkwiseError]:
    image_size = model.network.image_size
    inks = [preprocess(picture, image_size) for picture in pictures]
    probabilities, scores = model.run(stack_readings(inks, image_size), PROBABILITIES, SCORE)
    return [answer for answer, _ in judge_each(model, inks, probabilities, scores)]


def preprocess(
    picture: "Picture | InkwiseError", image_size: tuple[int, int]
) -> "Ink | InkwiseError":
    """Bring a picture to what a network for this size expects, or return why that cannot be.

    Parameters
    ----------
    picture : Picture or InkwiseError
        An error in a picture's place comes out again.
    image_size : tuple of int
        Height and width.
    """
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


def stack_readings(
    inks: "Iterable[Ink | InkwiseError]", image_size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the readings of all inks, uint8 (R, H, W), one after another, to be run at once."""
    readings = [
        reading for ink in inks if not isinstance(ink, InkwiseError) for reading in ink.readings
    ]
    return np.array(readings) if readings else np.empty((0, *image_size), np.uint8)


def choose_readings(
    inks: "Iterable[Ink]", scores: NDArray[np.float32]
) -> "Iterator[tuple[Ink, int]]":
    """Choose of every ink's readings the one that looks most like any of the classes.

    Parameters
    ----------
    inks : iterable of Ink
    scores : ndarray of float32, shape (R,)
        Of all their readings, as `stack_readings` puts them.

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


def judge_each(
    model: Classifier,
    inks: "Sequence[Ink | InkwiseError]",
    probabilities: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> Iterator[tuple[Answer | InkwiseError, int | None]]:
    """Make answers of what a model gave for the readings of inks.

    Parameters
    ----------
    model : Classifier
    inks : sequence of Ink or InkwiseError
        From `preprocess`.
    probabilities : ndarray of float32, shape (R, classes)
    scores : ndarray of float32, shape (R,)
        Of their readings, as `stack_readings` puts them.

    Yields
    ------
    Answer or InkwiseError
        One an ink, in their order; no ink is an answer, and another error comes out again.
    int or None
        The row of the reading that was chosen; None where there is none.
    """
    chosen = choose_readings((ink for ink in inks if not isinstance(ink, InkwiseError)), scores)
    for ink in inks:
        if isinstance(ink, NoInkError):
            yield NO_INK, None
        elif isinstance(ink, InkwiseError):
            yield ink, None
        else:
            read, row = next(chosen)
            yield _judge(model, read, probabilities[row], float(scores[row])), row


def _judge(
    model: Classifier, ink: "Ink", probabilities: NDArray[np.float32], score: float
) -> Answer:
    likeliest_first = (-probabilities).argsort(kind="stable")[:CANDIDATES]
    top = tuple(
        (model.class_names[place], float(probabilities[place])) for place in likeliest_first
    )
    label, probability = top[0]
    (verdict,) = model.calibration.verdicts(np.array([probability]), np.array([score]))
    named = None if verdict == "not a digit" else label
    return Answer(verdict, named, probability, top, score, ink)


def preprocess_all(
    pictures: "Iterable[Picture]", image_size: tuple[int, int]
) -> "list[Ink | InkwiseError]":
    """Preprocess pictures on every core, for several models to be measured on; see `preprocess`."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(available_cores()) as pool:
        return list(pool.map(lambda picture: preprocess(picture, image_size), pictures))


def chosen_logits(model: Classifier, inks: "Sequence[Ink]") -> NDArray[np.float32]:
    """Return a model's logits, float32 (N, classes), of the reading that it chooses of each ink."""
    logits, scores = model.run(stack_readings(inks, model.network.image_size), LOGITS, SCORE)
    return logits[[row for _, row in choose_readings(inks, scores)]]
