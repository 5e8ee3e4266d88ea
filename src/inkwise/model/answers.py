"""From pictures to answers, for the library, the service and the evaluation.

There is one function for each step. Preprocessing finds the ink, which is the foreground of a
picture of handwriting, and turns it into images that the network expects. An ink usually has one
such image, and sometimes two, which are called its readings; it also has images of what may be a
digit by itself, such as the sides of a cut. The network classifies all images in one pass, and the
reading with the highest score is chosen for each ink. If what may be a digit by itself looks more
like one than the reading does, there are several; otherwise the model's calibration gives the
verdict.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import InkwiseError, NoInkError
from inkwise.model.calibration import Calibration, Verdict
from inkwise.model.hands import shift
from inkwise.networks.as_onnx import LOGITS, PROBABILITIES, SCORE
from inkwise.networks.ensemble import Ensemble
from inkwise.networks.network import Network
from inkwise.system.machine import available_cores
from inkwise.system.threads import map_ahead

if TYPE_CHECKING:
    from inkwise.ink import Ink, Picture
    from inkwise.ink.levels import Box

CHUNK = 8
"""Number of pictures that a thread classifies at a time; more would delay the first answers."""

CANDIDATES = 3
"""Number of classes that an answer lists."""

MORE_ALONE = 0.5
"""Least difference of the scores by which parts alone look more like a class than all together."""


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """A model's answer about a picture.

    Parameters
    ----------
    verdict : {"digit", "unsure", "several", "not a digit"}
        ``digit``: the picture shows one of the model's classes, whatever they are, and the label
        names it. With the other verdicts the model abstains. ``unsure``: its confidence is below
        the threshold, and the label is only the likeliest of several classes. ``several``: the
        picture shows more than one thing, such as the digits of a number. ``not a digit``: the
        picture is out-of-distribution, like none of the classes, or holds no ink.
    label : str or None
        Name of the likeliest class; None if the verdict is ``several`` or ``not a digit``.
    probability : float
        Calibrated probability of the likeliest class, the confidence; 0 if there is no ink, or if
        there are several things.
    top : tuple of (str, float)
        Names and probabilities of the three likeliest classes, the likeliest first; fewer if the
        model has fewer classes, and none if there is no ink or there are several things.
    score : float
        Energy score: the higher, the more the picture looks like one of the classes (see
        `Calibration`); minus infinity if there is no ink.
    ink : Ink or None
        The image that the network saw, and where its ink was found; None if there is no ink.

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

    verdict: Verdict | Literal["several"]
    label: str | None
    probability: float
    top: tuple[tuple[str, float], ...]
    score: float
    ink: "Ink | None"

    @property
    def parts(self) -> tuple["Box", ...]:
        """The boxes of the several things, as `Ink.box`, from left to right; otherwise empty.

        There is a single box if the things touch.
        """
        if self.verdict != "several" or self.ink is None:
            return ()
        return self.ink.parts or (self.ink.box,)


class Classifier(Protocol):
    """The attributes of a model that an answer needs; see `inkwise.Model`, which has them."""

    @property
    def network(self) -> Network | Ensemble:
        """The description of the network, which states the size of its images."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""

    @property
    def calibration(self) -> Calibration:
        """The calibration, which gives the verdicts."""

    @property
    def together(self) -> bool:
        """Whether all ink of a picture is kept together."""

    def run(self, images: NDArray[np.uint8], *outputs: str) -> list[NDArray[np.float32]]:
        """Return the network's outputs with the given names."""


NO_INK = Answer("not a digit", None, 0.0, (), -math.inf, None)
"""The answer about a picture in which there is no ink."""


def answer_each(
    model: Classifier, pictures: "Iterable[Picture | InkwiseError]", hand: str
) -> "Iterator[Answer | InkwiseError]":
    """Classify pictures on every core, in their order; see `Model.classify_each`."""
    rest = iter(pictures)
    chunk = [*itertools.islice(rest, CHUNK)]
    if len(chunk) < CHUNK:  # too few pictures to be worth threads
        yield from answer_chunk(model, chunk, hand)
        return
    answer_chunk(model, [], hand)  # opens the model's session once, before several threads would
    chunks = iter(lambda: [*itertools.islice(rest, CHUNK)], [])
    for answers in map_ahead(
        lambda some: answer_chunk(model, some, hand),
        itertools.chain([chunk], chunks),
        available_cores(),
    ):
        yield from answers


def answer_chunk(
    model: Classifier, pictures: "Sequence[Picture | InkwiseError]", hand: str
) -> list[Answer | InkwiseError]:
    """Classify a few pictures on the caller's thread; see `Model.classify_each`."""
    image_size = model.network.image_size
    inks = [preprocess(picture, image_size, model.together) for picture in pictures]
    probabilities, scores = model.run(stack_readings(inks, image_size), PROBABILITIES, SCORE)
    probabilities = shift(probabilities, model.class_names, hand)
    return [answer for answer, _ in judge_each(model, inks, probabilities, scores)]


def preprocess(
    picture: "Picture | InkwiseError", image_size: tuple[int, int], together: bool = False
) -> "Ink | InkwiseError":
    """Preprocess a picture for a network, or return the error if that is impossible.

    Parameters
    ----------
    picture : Picture or InkwiseError
        The picture; an error in its place is returned unchanged.
    image_size : tuple of int
        Height and width of the network's images. For any other size than 28×28 the picture must
        be such an image already.
    together : bool
        Whether all ink is kept together, as for `inkwise.ink.normalise`.

    Returns
    -------
    Ink or InkwiseError
        The preprocessed picture; a `NoInkError` if it holds no ink, another error if it cannot be
        read.
    """
    from inkwise.ink import CANVAS, Ink, normalise, take_as_is

    if isinstance(picture, InkwiseError):
        return picture
    try:
        if image_size == (CANVAS, CANVAS):
            return normalise(picture, together=together)
        image = take_as_is(picture, image_size)
    except InkwiseError as error:
        return error
    return Ink(image, "light ink", (0, 0, *image_size), 1.0)


def stack_readings(
    inks: "Iterable[Ink | InkwiseError]", image_size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return the readings of all inks, one after another, as one array, uint8 (R, H, W)."""
    readings = [
        image
        for ink in inks
        if not isinstance(ink, InkwiseError)
        for image in (*ink.readings, *itertools.chain(*ink.alone))
    ]
    return np.array(readings) if readings else np.empty((0, *image_size), np.uint8)


def choose_readings(
    inks: "Iterable[Ink]", scores: NDArray[np.float32]
) -> "Iterator[tuple[Ink, int, float]]":
    """Choose, for every ink, the reading that looks most like one of the classes.

    Parameters
    ----------
    inks : iterable of Ink
        The preprocessed pictures.
    scores : ndarray of float32, shape (R,)
        Scores of all their readings, in the order of `stack_readings`.

    Yields
    ------
    Ink
        The ink with the chosen reading as its image.
    int
        The chosen reading's index in `scores`.
    float
        The highest score of what may be a digit by itself; minus infinity if there is none.
    """
    first = 0
    for ink in inks:
        stop = first + len(ink.readings)
        row = first + int(scores[first:stop].argmax())
        alone = -math.inf
        for images in ink.alone:
            start, stop = stop, stop + len(images)
            alone = max(alone, float(scores[start:stop].min()))
        yield ink.read_as(row - first), row, alone
        first = stop


def judge_each(
    model: Classifier,
    inks: "Sequence[Ink | InkwiseError]",
    probabilities: NDArray[np.floating[Any]],
    scores: NDArray[np.float32],
) -> Iterator[tuple[Answer | InkwiseError, int | None]]:
    """Turn a model's outputs for the readings of inks into answers.

    Parameters
    ----------
    model : Classifier
        The model that gave the outputs.
    inks : sequence of Ink or InkwiseError
        Results of `preprocess`.
    probabilities : ndarray of float32, shape (R, classes)
        Probabilities of all readings, in the order of `stack_readings`.
    scores : ndarray of float32, shape (R,)
        Scores of the same readings.

    Yields
    ------
    Answer or InkwiseError
        The answer for each item of `inks`, in their order. A `NoInkError` becomes an answer; any
        other error is yielded unchanged.
    int or None
        The row of the reading that was chosen; None if there is no reading.
    """
    chosen = choose_readings((ink for ink in inks if not isinstance(ink, InkwiseError)), scores)
    for ink in inks:
        if isinstance(ink, NoInkError):
            yield NO_INK, None
        elif isinstance(ink, InkwiseError):
            yield ink, None
        else:
            read, row, alone = next(chosen)
            yield _judge(model, read, probabilities[row], float(scores[row]), alone), row


def _judge(
    model: Classifier,
    ink: "Ink",
    probabilities: NDArray[np.floating[Any]],
    score: float,
    alone: float,
) -> Answer:
    likeliest_first = (-probabilities).argsort(kind="stable")[:CANDIDATES]
    top = tuple(
        (model.class_names[place], float(probabilities[place])) for place in likeliest_first
    )
    label, probability = top[0]
    (verdict,) = model.calibration.verdicts(np.array([probability]), np.array([score]))
    several = ink.apart or (len(ink.parts) > 1 and verdict != "digit")
    if several or alone > max(score + MORE_ALONE, model.calibration.lowest_score):
        return Answer("several", None, 0.0, (), score, ink)
    named = None if verdict == "not a digit" else label
    return Answer(verdict, named, probability, top, score, ink)


def preprocess_all(
    pictures: "Iterable[Picture]", image_size: tuple[int, int], together: bool = False
) -> "list[Ink | InkwiseError]":
    """Preprocess pictures on every core, so that several models can be run on the results.

    Each result is that of `preprocess`, and they are in the order of the pictures.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(available_cores()) as pool:
        return list(pool.map(lambda picture: preprocess(picture, image_size, together), pictures))


def chosen_logits(model: Classifier, inks: "Sequence[Ink]") -> NDArray[np.float32]:
    """Return the logits, float32 (N, classes), of the reading that is chosen for each ink."""
    logits, scores = model.run(stack_readings(inks, model.network.image_size), LOGITS, SCORE)
    return logits[[row for _, row, _ in choose_readings(inks, scores)]]
