"""The browser's reading of numbers does what the library's does."""

import dataclasses
import itertools
import json
from typing import Any

import cv2
import numpy as np
import pytest
from compose import KINDS, compose
from numpy.typing import NDArray

import inkwise
from inkwise import Dataset, Split
from inkwise.errors import ArgumentError
from inkwise.ink.all_ink import find_all_ink
from inkwise.reading import checks
from inkwise.reading.alphabet import DIGITS, MARKS, SIGNS
from inkwise.reading.ctc import align, decode
from inkwise.reading.line_model import load_line_model
from inkwise.reading.numbers import Numbers, read_numbers
from inkwise.reading.text_lines import find_lines
from tests.browser.engine import Engine
from tests.reading.test_numbers import DOT, small_on_a_page, up_to_the_edges

pytestmark = pytest.mark.browser

CLOSE = 1e-12


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Split:
    return mnist.train.take(np.arange(57_000, 60_000))


def along_lines(count: int) -> list[NDArray[np.float32]]:
    """Probabilities along lines, some of them clear and some not, with signs that repeat."""
    lines = []
    for seed in range(count):
        generator = np.random.default_rng(seed)
        places = int(generator.integers(1, 60))
        weights = generator.choice([0.02, 0.1, 0.5]) * np.ones(len(SIGNS) + 1)
        weights[-1] *= 10
        line = generator.dirichlet(weights, places).repeat(generator.integers(1, 3), axis=0)
        lines.append(line.astype(np.float32))
    return lines


@pytest.mark.parametrize("beams", [3, 16])
def test_readings_and_the_places_of_their_signs(beams: int, engine: Engine) -> None:
    lines = along_lines(60 if beams < 10 else 25)  # Python takes seconds with many beams
    answers = engine(
        """
        const { decode, align } = await load("reading/ctc.js");
        return lines.map((line) =>
          decode(line, beams).map((one) => ({ ...one, spans: align(line, one.text) })),
        );
        """,
        lines=[line.ravel() for line in lines],
        beams=beams,
    )
    for line, found in zip(lines, answers, strict=True):
        expected = decode(line, beams)
        assert [one["text"] for one in found] == [one.text for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert one["probability"] == pytest.approx(other.probability, rel=CLOSE, abs=0)
            assert [tuple(span) for span in one["spans"]] == align(line, other.text)


def numbers_to_check() -> list[str]:
    generator = np.random.default_rng(0)
    texts = ["", "7", "0", "79927398713", "4012888888881881", "9783161484100", "0306406152"]
    texts += ["89370400440532013000", "12.50", "-3", "1-2", "?12"]
    for length in (*range(1, 24), *[10, 13] * 40):
        texts.append("".join(generator.choice(list(DIGITS + MARKS[:2]), length)))
        texts.append("".join(generator.choice(list(DIGITS), length)))
    return texts


@pytest.mark.parametrize(
    "known",
    [
        *[(None, None, name) for name in ("luhn", "isbn", "mod11", "iban:DE", "iban:GB")],
        *[(digits, None, None) for digits in (1, 5, 13)],
        *[(None, pattern, None) for pattern in ("#", "####", "##.##", "-#", "#,#", "1#", "#é")],
        (2, "#.#", "luhn"),
        (None, None, None),
    ],
    ids=str,
)
def test_checks(known: tuple[int | None, str | None, str | None], engine: Engine) -> None:
    texts = numbers_to_check()
    allows = checks.make_check(*known)
    found = engine(
        """
        const { makeCheck } = await load("reading/checks.js");
        const check = makeCheck(...known);
        return check && texts.map(check);
        """,
        texts=texts,
        known=known,
    )
    assert found == (None if allows is None else [allows(text) for text in texts])


@pytest.mark.parametrize(
    "known",
    [(0, None, None), (-1, None, None), (None, "", None), (None, "12", None)]
    + [(None, None, name) for name in ("", "iban", "iban:de", "iban:DEU", "LUHN")],
    ids=str,
)
def test_checks_that_are_none(
    known: tuple[int | None, str | None, str | None], engine: Engine
) -> None:
    with pytest.raises(ArgumentError) as raised:
        checks.make_check(*known)
    found = engine(
        """
        const { makeCheck } = await load("reading/checks.js");
        try { makeCheck(...known); } catch (error) { return [error.name, error.message]; }
        """,
        known=known,
    )
    assert found == ["ArgumentError", str(raised.value)]


def pictures(digits: Split, count: int) -> list[NDArray[np.uint8]]:
    """Compose numbers of all kinds, and draw others in several lines."""
    composed = [
        compose(digits, kind, np.random.default_rng([5, place]))[0]
        for kind in KINDS.values()
        for place in range(count)
    ]
    # Too small when the page is reduced, and so looked at closer.
    page = np.full((1100, 1700), 255, np.uint8)
    small = cv2.resize(composed[0], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    page[300 : 300 + len(small), 500 : 500 + small.shape[1]] = small
    composed.append(page)
    return composed + [scribble(np.random.default_rng(place)) for place in range(2 * count)]


def scribble(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Draw strokes, dots and long lines in several rows."""
    picture = np.full((300, 420), 255, np.uint8)
    for row in range(int(generator.integers(1, 4))):
        climb = generator.normal(0, 0.1)
        for column in range(int(generator.integers(1, 7))):
            middle = 60 + 55 * column, 50 + 80 * row + climb * 60 * column
            points = generator.normal(middle, (9, 14), (4, 2)).round().astype(np.int32)
            cv2.polylines(picture, [points], False, 0, 4, cv2.LINE_AA)
            if generator.random() < 0.3:
                cv2.circle(picture, (points[0] + 20).tolist(), 3, 0, -1)
        if generator.random() < 0.5:
            y = 85 + 80 * row
            cv2.line(picture, (30, y), (390, y + 9), int(generator.choice([0, 120, 200])), 3)
    return picture


def test_lines_of_a_page(digits: Split, engine: Engine) -> None:
    boxes = [(0, 0, 1, 1), (3, 5, 30, 41)]
    for picture in pictures(digits, 2):
        page = find_all_ink(picture)
        expected = find_lines(page)
        found = engine(
            """
            const { findLines } = await load("reading/text_lines.js");
            const { found, dropped } = findLines({ levels, mask });
            const lines = found.map((line) => [
              line.levels, boxes.map((box) => line.onThePage(box)), line.height,
            ]);
            return { lines, dropped };
            """,
            levels=page.levels,
            mask=page.mask,
            boxes=boxes,
        )
        assert found["dropped"] == [*expected.dropped]
        assert len(found["lines"]) == len(expected.found)
        for (levels, places, height), line in zip(found["lines"], expected.found, strict=True):
            assert height == pytest.approx(line.height)
            assert levels.shape == line.levels.shape
            # OpenCV's sums are of single precision, in an order that depends on the processor.
            off = np.abs(levels - line.levels.astype(int))
            assert off.max() <= 1
            assert off.mean() < 1e-3
            for place, box in zip(places, boxes, strict=True):
                assert place == pytest.approx(line.on_the_page(box), abs=1e-9)


class Recorder:
    """A network of lines that remembers what it was asked and what it answered."""

    def __init__(self) -> None:
        self._model = load_line_model()
        self._asked: list[tuple[tuple[int, ...], NDArray[np.float32]]] = []
        self.calibrate = self._model.calibrate

    def run(self, levels: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities = self._model.run(levels)
        self._asked.append((levels.shape, probabilities.ravel()))
        return probabilities

    @property
    def told(self) -> dict[str, Any]:
        """What `RECORDED` needs."""
        return {"asked": self._asked, "slope": self._model.slope, "offset": self._model.offset}


RECORDED = """
const { LineModel } = await load("reading/line_model.js");
const run = async (input, levels, [count, rows, columns], outputs) => {
  const [[height, width], probabilities] = asked.shift();
  if (rows !== height || columns !== Math.ceil(width / 16) * 16) throw Error("another line");
  return [probabilities];
};
const lines = async () => new LineModel({ run }, slope, offset);
const { height, width } = picture;
const data = new Uint8ClampedArray(4 * height * width).fill(255);
picture.data.forEach((level, pixel) => data.fill(level, 4 * pixel, 4 * pixel + 3));
const canvas = { height, width, data };
"""


@pytest.fixture
def recorders(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    """The networks of lines that were opened; each reading opens another."""
    opened: list[Recorder] = []

    def load() -> Recorder:
        opened.append(Recorder())
        return opened[-1]

    monkeypatch.setattr("inkwise.reading.numbers.load_line_model", load)
    return opened


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"marks": False},
        {"digits": 4},
        {"pattern": "###.##"},
        {"check": "mod11", "marks": False},
    ],
    ids=str,
)
def test_numbers_of_a_picture(
    known: dict[str, Any], digits: Split, engine: Engine, recorders: list[Recorder]
) -> None:
    marks = known.pop("marks", True)
    check = [known.get(name) for name in ("digits", "pattern", "check")]
    # Every other picture where something is known: all of them take seconds.
    for picture in pictures(digits, 1)[:: 2 if known else 1]:
        numbers = read_numbers(picture, checks.make_check(*check), marks=marks)
        found = engine(
            RECORDED
            + """
            const { makeCheck } = await load("reading/checks.js");
            const { readNumbers } = await load("reading/numbers.js");
            return readNumbers(canvas, lines, makeCheck(...check), marks);
            """,
            picture=picture,
            check=check,
            marks=marks,
            **recorders[-1].told,
        )
        assert found == nearly(in_json(numbers))


def test_boxes_lie_in_the_picture_and_are_not_empty(
    digits: Split, engine: Engine, recorders: list[Recorder]
) -> None:
    for seed in range(8):
        picture = up_to_the_edges(digits, seed)
        numbers = read_numbers(picture)
        found = engine(
            RECORDED
            + """
            const { readNumbers } = await load("reading/numbers.js");
            return readNumbers(canvas, lines, null, true);
            """,
            picture=picture,
            **recorders[-1].told,
        )
        assert found == nearly(in_json(numbers))
        for number in found["numbers"]:
            for top, left, bottom, right in [one["box"] for one in (number, *number["digits"])]:
                assert 0 <= top < bottom <= picture.shape[0], seed
                assert 0 <= left < right <= picture.shape[1], seed


def few_digits(digits: Split) -> list[NDArray[np.uint8]]:
    """Draw single digits: in the network's geometry, larger, and small on a page; two that touch;
    a dot on a page; and nothing."""
    images = digits.images[:4]
    sheets = [np.pad(255 - cv2.resize(one, (90, 90)), 9, constant_values=255) for one in images]
    two = [np.hstack([one[:, :85], other[:, 23:]]) for one, other in itertools.pairwise(sheets)]
    small = [small_on_a_page(cv2.resize(images[0], (40, 40))), small_on_a_page(DOT)]
    return [*images, *sheets, *two, *small, np.full((80, 90), 255, np.uint8)]


@pytest.mark.parametrize("known", [{}, {"digits": 2}, {"check": "isbn"}], ids=str)
def test_a_single_digit_is_read_as_it_is_classified(
    known: dict[str, Any], digits: Split, engine: Engine, recorders: list[Recorder]
) -> None:
    model = inkwise.load_pretrained()
    for picture in few_digits(digits):
        told = Recorder().told
        recorders.clear()
        numbers = model.read(picture, **known)
        (answer,) = model.classify([picture])
        found = engine(
            RECORDED
            + """
            const { read } = await load("reading/read.js");
            const classify = async () => answer;
            const classifier = { description: { class_names: [..."0123456789"] }, classify };
            return read(classifier, lines, canvas, known);
            """,
            picture=picture,
            known=known,
            answer={
                "label": answer.label,
                "verdict": answer.verdict,
                "top": answer.top,
                "box": None if answer.ink is None else answer.ink.box,
                "dropped": None if answer.ink is None else answer.ink.dropped,
            },
            **(recorders[-1].told if recorders else told),
        )
        assert found == {"file": None} | nearly(in_json(numbers))


def test_a_model_of_other_classes_reads_no_numbers(engine: Engine) -> None:
    with pytest.raises(RuntimeError, match="only a model whose classes are the digits 0 to 9"):
        engine(
            """
            const { read } = await load("reading/read.js");
            return read({ description: { class_names: ["a", "b"] } }, null, null);
            """
        )


def in_json(numbers: Numbers) -> Any:
    """Return numbers, and what was left out, as /v1/read tells them."""
    told = [dataclasses.asdict(number) for number in numbers]
    return json.loads(json.dumps({"numbers": told, "dropped": numbers.dropped}))


def nearly(value: Any) -> Any:
    """Return a value whose probabilities and boxes are compared to within rounding errors."""
    if isinstance(value, dict):
        box = {"box": pytest.approx(value["box"], abs=2)} if "box" in value else {}
        return {key: nearly(one) for key, one in value.items()} | box
    if isinstance(value, list):
        return [nearly(one) for one in value]
    return pytest.approx(value, rel=1e-9, abs=1e-15) if isinstance(value, float) else value
