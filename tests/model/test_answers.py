import dataclasses
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError, DataError, StorageError
from inkwise.model import Answer, Model
from inkwise.model.answers import CHUNK
from inkwise.model.calibration import Calibration
from inkwise.system.machine import available_cores
from tests.models import small
from tests.strokes import draw, strokes

VERDICTS = {
    "upright": ("digit", "upright"),
    "flat": ("digit", "flat"),
    "plus": ("unsure", "upright"),
    "cross": ("not a digit", None),
    "blank": ("not a digit", None),
    "pair": ("several", None),
}


def told(answers: list[Answer]) -> list[tuple[str, str | None]]:
    return [(answer.verdict, answer.label) for answer in answers]


def encoded(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_pictures_of_every_kind_get_their_verdicts(tmp_path: Path) -> None:
    model = strokes()
    for kind, verdict in VERDICTS.items():
        dark, light = draw(kind), draw(kind, ink=230, paper=20)
        path = tmp_path / f"{kind}.png"
        dark.save(path)
        pictures: list[Any] = [dark, light, np.asarray(dark), encoded(light), path, str(path)]
        assert told(model.classify(pictures)) == [verdict] * len(pictures)


def test_the_boxes_of_several_things_are_told() -> None:
    (answer,) = strokes().classify([draw("pair")])
    assert (answer.label, answer.probability, answer.top) == (None, 0, ())
    (top, left, bottom, right), (_, start, _, stop) = answer.parts
    assert [top, left, bottom, right, start, stop] == pytest.approx([10, 19, 90, 31, 69, 81], abs=7)
    assert strokes().classify([draw("upright")])[0].parts == ()


def test_an_answer_is_what_the_network_says_about_what_it_saw() -> None:
    model = strokes()
    for answer in model.classify(
        [draw(kind) for kind in VERDICTS if kind not in ("blank", "pair")]
    ):
        assert answer.ink is not None
        images = answer.ink.image[None]
        (probabilities,), (logits,) = model.predict_proba(images), model.logits(images)
        places = (-probabilities).argsort(kind="stable")
        assert answer.top == tuple(
            (model.class_names[place], float(probabilities[place])) for place in places
        )
        assert answer.probability == answer.top[0][1]
        assert answer.score == pytest.approx(np.logaddexp.reduce(logits.astype(np.float64)))


def test_a_picture_without_ink_is_an_answer() -> None:
    (answer,) = strokes().classify([draw("blank")])
    assert (answer.verdict, answer.label, answer.probability) == ("not a digit", None, 0)
    assert (answer.top, answer.score, answer.ink) == ((), -np.inf, None)


def test_a_verdict_turns_below_its_threshold_and_not_at_it() -> None:
    model = strokes()
    (answer,) = model.classify([draw("plus")])
    at = Calibration(2.0, answer.score, answer.probability)
    above_score = Calibration(2.0, float(np.nextafter(answer.score, np.inf)), 0)
    above_probability = Calibration(2.0, lowest_probability=answer.probability + 1e-12)
    verdicts = {at: "digit", above_score: "not a digit", above_probability: "unsure"}
    for calibration, verdict in verdicts.items():
        (answer,) = dataclasses.replace(model, calibration=calibration).classify([draw("plus")])
        assert answer.verdict == verdict


def test_of_two_readings_the_one_that_the_network_knows_better_is_answered() -> None:
    upright = np.zeros((28, 28), np.uint8)
    upright[:, 13:16] = 255  # as high as no digit of MNIST's, and known better as it is
    shifted = np.zeros((28, 28), np.uint8)
    shifted[4:24, 2:5] = 255  # known better where it is moved to the middle
    pictures = [upright, shifted, upright.T, shifted.T]
    model = strokes()
    answers = model.classify(pictures)
    assert [answer.label for answer in answers] == ["upright", "upright", "flat", "flat"]
    for answer, picture, as_it_is in zip(answers, pictures, [True, False] * 2, strict=True):
        assert answer.ink is not None
        assert (answer.ink.image == picture).all() == as_it_is
        assert answer.probability == model.predict_proba(answer.ink.image[None]).max()
        assert answer.score == float(model.run(answer.ink.image[None], "score")[0][0])


def test_no_more_than_three_classes_are_named(model: Model, mnist: Dataset) -> None:
    (answer,) = model.classify(mnist.train.images[:1])
    probabilities = model.predict_proba(mnist.train.images[:1])[0]
    assert [name for name, _ in answer.top] == [str(i) for i in (-probabilities).argsort()[:3]]


def test_digits_of_mnist_are_answered_as_they_are(model: Model, mnist: Dataset) -> None:
    images = mnist.train.images[:100]
    answers = model.classify(images)
    predicted = model.predict_proba(images).max(axis=1)
    as_they_are = [
        answer.ink is not None and bool((answer.ink.image == image).all())
        for answer, image in zip(answers, images, strict=True)
    ]
    assert sum(as_they_are) > 90
    for place in np.flatnonzero(as_they_are):
        assert answers[place].probability == pytest.approx(predicted[place], abs=1e-6)


def test_an_array_is_as_many_pictures_as_its_first_axis_has() -> None:
    model, kinds = strokes(), list(VERDICTS)
    grey = np.stack([np.asarray(draw(kind)) for kind in kinds])
    colour = np.stack([grey] * 3, axis=-1)
    expected = [VERDICTS[kind] for kind in kinds]
    assert told(model.classify(grey)) == told(model.classify(colour)) == expected
    assert told(model.classify(iter(grey))) == expected
    assert model.classify([]) == model.classify(grey[:0]) == []


@pytest.mark.parametrize(
    "picture",
    [
        "seven.png",
        Path("seven.png"),
        encoded(draw("plus")),
        draw("plus"),
        np.asarray(draw("plus")),
        np.asarray(draw("plus").convert("RGB")),
        np.asarray(draw("plus").convert("RGBA")),
        7,
        None,
    ],
)
def test_a_single_picture_is_refused_and_goes_into_a_list(picture: Any) -> None:
    with pytest.raises(ArgumentError, match="a list of pictures: put a single one in brackets"):
        strokes().classify(picture)


def test_a_damaged_picture_is_told_by_its_place(tmp_path: Path) -> None:
    good, cut = draw("flat"), encoded(draw("plus"))[:100]
    with pytest.raises(DataError, match=r"^pictures\[2\]: .*damaged"):
        strokes().classify([good, good, cut, good])
    with pytest.raises(StorageError, match=rf"^pictures\[0\]: .*{tmp_path / 'nowhere.png'}"):
        strokes().classify([tmp_path / "nowhere.png"])
    odd: list[Any] = [good, object()]
    with pytest.raises(ArgumentError, match=r"^pictures\[1\]: "):
        strokes().classify(odd)


def test_one_after_another_a_damaged_picture_does_not_stop_the_others() -> None:
    earlier = DataError("told before")
    cut = encoded(draw("plus"))[:100]
    pictures: list[Any] = [draw("flat"), earlier, cut, draw("blank"), draw("upright")]
    first, second, third, *others = strokes().classify_each(pictures)
    assert second is earlier
    assert isinstance(third, DataError)
    answers = [answer for answer in (first, *others) if isinstance(answer, Answer)]
    assert told(answers) == [VERDICTS["flat"], VERDICTS["blank"], VERDICTS["upright"]]


def test_many_pictures_are_answered_in_order_and_as_if_alone() -> None:
    model = strokes()
    kinds = [kind for kind in VERDICTS for _ in range(3)] * 20
    answers = model.classify([draw(kind, ink=place % 60) for place, kind in enumerate(kinds)])
    assert told(answers) == [VERDICTS[kind] for kind in kinds]
    for place in (0, 7, 150, 299):
        (alone,) = model.classify([draw(kinds[place], ink=place % 60)])
        assert answers[place].probability == pytest.approx(alone.probability, abs=1e-6)


def test_pictures_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[Image.Image]:
        nonlocal taken
        while True:
            taken += 1
            yield draw("flat")

    answers = [*itertools.islice(strokes().classify_each(endless()), 20)]
    assert len(answers) == 20
    assert taken < 20 + CHUNK * (available_cores() + 3)


def test_a_model_of_another_size_takes_pictures_of_that_size_alone() -> None:
    fitting = np.zeros((6, 7), np.uint8)
    fitting[2, 3] = 255
    (answer,) = small().classify([fitting])
    np.testing.assert_array_equal(answer.ink.image if answer.ink else None, fitting)
    assert answer.probability == small().predict_proba(fitting[None]).max()
    for other in (fitting[:5], 255 - fitting, draw("flat")):
        with pytest.raises(DataError, match=r"bring it to 7×6 pixels, light ink") as caught:
            small().classify([fitting, other])
        assert str(caught.value).startswith("pictures[1]: ")
        assert "\n" not in str(caught.value)


def test_an_array_of_paths_is_a_list_of_pictures(tmp_path: Path) -> None:
    path = tmp_path / "flat.png"
    draw("flat").save(path)
    (expected,) = strokes().classify([path])
    for paths in (np.array([str(path)]), np.array([str(path)], object), np.array([path])):
        (answer,) = strokes().classify(paths)
        assert answer.label == expected.label
