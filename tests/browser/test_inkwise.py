"""The public module in a real browser answers as the service does."""

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from compose import KINDS as KINDS_OF_NUMBERS
from compose import compose
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image
from surroundings import RARER_AROUND, RARER_SEVERAL, draw_pictures, list_kinds

from inkwise.data.dataset import Dataset
from inkwise.model.pretrained import load_pretrained
from inkwise.serving.app import create_app
from inkwise.serving.service import Service
from inkwise.serving.settings import Settings
from tests.browser.engine import Engine, lay_out
from tests.browser.hosts import hosted
from tests.devtools import Browser
from tests.ink.pictures import KINDS, encode, fine_pen, marker, photo

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.browser

SOURCE = """
const { Inkwise } = await load("inkwise.js");
window.inkwise ??= new Inkwise();
const blobOf = (text) => fetch(`data:image/png;base64,${text}`).then((answer) => answer.blob());
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module, a model and the runtime in one folder."""
    pytest.importorskip("inkwise_web", reason="`make web` builds it")
    return lay_out(tmp_path_factory.mktemp("site") / "package", load_pretrained())


@pytest.fixture(scope="module")
def module(browser: Browser, package: Path) -> Iterator[Engine]:
    with hosted(package) as host:
        yield Engine(browser, host.address)


@pytest.fixture(scope="module")
def service() -> Iterator[TestClient]:
    with TestClient(create_app(Service(Settings()))) as client:
        yield client


def png(picture: NDArray[np.uint8] | bytes) -> bytes:
    """Return a picture as PNG, which every decoder reads alike."""
    if isinstance(picture, bytes):
        picture = np.asarray(Image.open(io.BytesIO(picture)))
    return encode(picture, "PNG")


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def see(service: TestClient, content: bytes, hand: str = "any") -> Any:
    answer = service.post(
        f"/v1/predict?with_image=true&hand={hand}",
        content=content,
        headers={"Content-Type": "image/png"},
    ).json()
    return answer["pictures"][0]


def test_answers_are_those_of_the_service(
    module: Engine, service: TestClient, mnist: Dataset
) -> None:
    generator = np.random.default_rng(5)
    for draw in KINDS:
        content = png(draw(mnist.train.images[generator.integers(59_000, 60_000)], generator))
        answer = module(SOURCE + "return inkwise.classify(await blobOf(one));", one=text(content))
        expected = see(service, content)
        for name in ("verdict", "label", "polarity", "box", "dropped", "parts"):
            assert answer[name] == expected[name], (draw.__name__, name)
        difference = np.abs(np.subtract(answer["image"], expected["image"]))
        assert difference.max() <= 1, draw.__name__
        assert answer["score"] == pytest.approx(expected["score"], abs=1e-2)
        assert dict(answer["top"]) == pytest.approx(dict(expected["top"]), abs=1e-3)
        assert answer.keys() == expected.keys()


@pytest.fixture(scope="module")
def in_chrome(chrome: "Chrome", package: Path) -> Iterator[Engine]:
    with hosted(package) as host:
        yield Engine(chrome, host.address)


# In one browser: from the pixels on, which are compared in both, each computes the same.
@pytest.mark.parametrize("kind", [*RARER_AROUND, *RARER_SEVERAL])
def test_what_is_around_or_beside_a_digit_is_told_as_by_the_service(
    kind: str, in_chrome: Engine, service: TestClient, mnist: Dataset
) -> None:
    pictures, _ = draw_pictures(list_kinds()[kind], mnist.train, 5, [7])
    for picture in pictures:
        content = png(picture)
        answer = in_chrome(
            SOURCE + "return inkwise.classify(await blobOf(one));", one=text(content)
        )
        expected = see(service, content)
        for name in ("verdict", "label", "box", "dropped", "parts"):
            assert answer[name] == expected[name], name


@pytest.mark.parametrize("turned", [False, True])
def test_a_digit_on_a_long_strip(
    turned: bool, module: Engine, service: TestClient, mnist: Dataset
) -> None:
    digit = np.repeat(np.repeat(mnist.train.images[59_005], 3, 0), 3, 1)
    strip = np.full((90, 760), 225, np.uint8)
    strip[3:87, 300:384] -= (digit // 255 * 190 + digit // 2).astype(np.uint8)
    strip += np.random.default_rng(6).integers(0, 12, strip.shape, np.uint8)
    content = png(strip.T if turned else strip)
    answer = module(SOURCE + "return inkwise.classify(await blobOf(one));", one=text(content))
    expected = see(service, content)
    assert answer == near(expected)


def test_the_model_is_described_as_by_the_service(module: Engine, service: TestClient) -> None:
    described = module(SOURCE + "return inkwise.model();")
    expected = service.get("/v1/model").json()
    assert described.keys() == expected.keys()
    for name in ("model", "class_names", "image_size", "most_pixels"):
        assert described[name] == expected[name]


def near(value: Any) -> Any:
    """Return a value whose numbers are compared to within what the runtimes differ by."""
    if isinstance(value, dict):
        return {key: near(one) for key, one in value.items()}
    if isinstance(value, list):
        return [near(one) for one in value]
    return pytest.approx(value, abs=2e-3) if isinstance(value, float) else value


@pytest.mark.parametrize("known", ["", "digits=5", "marks=false", "pattern=%23%23.%23%23"])
def test_numbers_are_those_of_the_service(
    known: str, module: Engine, service: TestClient, mnist: Dataset
) -> None:
    for kind in ("apart to overlapping", "with marks"):
        content = png(
            compose(mnist.train, KINDS_OF_NUMBERS[kind], np.random.default_rng([8, 1]))[0]
        )
        answer = module(
            SOURCE
            + """
            const known = Object.fromEntries(new URLSearchParams(query));
            if (known.digits) known.digits = Number(known.digits);
            if (known.marks) known.marks = known.marks === "true";
            return inkwise.read(await blobOf(one), known);
            """,
            one=text(content),
            query=known,
        )
        asked = service.post(
            f"/v1/read?{known}", content=content, headers={"Content-Type": "image/png"}
        )
        assert answer == near(asked.json()["pictures"][0])


def test_explanations_are_those_of_the_service(
    module: Engine, service: TestClient, mnist: Dataset
) -> None:
    generator = np.random.default_rng(9)
    digits = [marker(mnist.train.images[59_005], generator), np.full((90, 90), 255, np.uint8)]
    for picture in (*digits, np.hstack([digits[0], digits[0]])):
        content = png(picture)
        answer = module(SOURCE + "return inkwise.explain(await blobOf(one));", one=text(content))
        asked = service.post("/v1/explain", content=content, headers={"Content-Type": "image/png"})
        assert answer == near(asked.json())


def test_every_kind_of_source_is_the_same_picture(module: Engine, mnist: Dataset) -> None:
    content = png(marker(mnist.train.images[59_001], np.random.default_rng(1)))
    answers = module(
        SOURCE
        + """
        const blob = await blobOf(one);
        const bitmap = await createImageBitmap(blob);
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
        const context = canvas.getContext("2d");
        context.drawImage(bitmap, 0, 0);
        const offscreen = new OffscreenCanvas(bitmap.width, bitmap.height);
        offscreen.getContext("2d").drawImage(bitmap, 0, 0);
        const shown = new Image();
        shown.src = URL.createObjectURL(blob);
        await shown.decode();
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
        const file = new File([blob], "one.png");
        const sources = [blob, file, bitmap, canvas, offscreen, shown, pixels];
        return Promise.all(sources.map((source) => inkwise.classify(source)));
        """,
        one=text(content),
    )
    assert answers[0]["verdict"] == "digit"
    assert all(answer == answers[0] for answer in answers)


def test_transparent_pixels_are_paper_or_show_white_ink(
    module: Engine, service: TestClient, mnist: Dataset
) -> None:
    digit = np.repeat(np.repeat(mnist.train.images[59_002], 5, 0), 5, 1)
    for ink in (0, 255):
        colours = np.full((*digit.shape, 3), ink, np.uint8)
        content = png(np.dstack([colours, np.where(digit > 127, 255, 0).astype(np.uint8)]))
        answer = module(SOURCE + "return inkwise.classify(await blobOf(one));", one=text(content))
        expected = see(service, content)
        assert answer["image"] == expected["image"]
        assert answer["polarity"] == expected["polarity"] == ("light ink" if ink else "dark ink")


def test_a_large_photo_is_reduced_as_it_is_read(
    module: Engine, service: TestClient, mnist: Dataset
) -> None:
    generator = np.random.default_rng(2)
    small = Image.open(io.BytesIO(photo(mnist.train.images[59_003], generator)))
    large = np.asarray(small.resize((2000, 1500), Image.Resampling.BICUBIC).convert("RGB"))
    content = png(large)
    answer = module(SOURCE + "return inkwise.classify(await blobOf(one));", one=text(content))
    expected = see(service, content)
    assert answer["box"] == expected["box"]
    assert np.abs(np.subtract(answer["image"], expected["image"])).max() <= 1


def test_a_hand_shifts_the_odds_of_a_one_and_a_seven(
    module: Engine, service: TestClient, mnist: Dataset
) -> None:
    content = png(fine_pen(mnist.train.images[59_004], np.random.default_rng(3)))
    for hand in ("europe", "america"):
        answer = module(
            SOURCE + "return inkwise.classify(await blobOf(one), { hand });",
            one=text(content),
            hand=hand,
        )
        expected = see(service, content, hand)["probabilities"]
        assert answer["probabilities"] == pytest.approx(expected, abs=1e-4)


def test_errors_say_what_is_wrong(module: Engine) -> None:
    told = module(
        SOURCE
        + """
        const tell = (asked) => asked.then(() => null, ({ name, message }) => [name, message]);
        const blank = (width, height) => {
          const canvas = new OffscreenCanvas(width, height);
          canvas.getContext("2d");
          return canvas;
        };
        return Promise.all([
          tell(inkwise.classify("a picture")),
          tell(inkwise.classify(new Blob(["no picture"]))),
          tell(inkwise.classify(blank(9, 9), { hand: "left" })),
          tell(inkwise.classify(blank(6000, 5000))),
          tell(new Inkwise({ model: "./nowhere/" }).model()),
        ]);
        """
    )
    names = ["ArgumentError", "DataError", "ArgumentError", "TooManyPixelsError", "ModelError"]
    assert [name for name, _ in told] == names
    messages = [message for _, message in told]
    assert "canvas" in messages[0]
    assert "damaged" in messages[1]
    assert "any, europe, america" in messages[2]
    assert "25,000,000" in messages[3]
    assert "nowhere/model" in messages[4]
    assert "missing (404)" in messages[4]


def test_blank_paper_is_no_digit(module: Engine, service: TestClient) -> None:
    content = png(np.full((200, 200), 240, np.uint8))
    answer = module(SOURCE + "return inkwise.classify(await blobOf(one));", one=text(content))
    assert answer == see(service, content)


# Tells the error that a promise is rejected with, or that it is not settled.
TELL = """
const wait = (resolve) => setTimeout(() => resolve(["unsettled", ""]), 20e3);
const tell = (asked) =>
  Promise.race([
    asked.then(() => null, ({ name, message }) => [name, message]),
    new Promise(wait),
  ]);
const canvas = document.createElement("canvas");
canvas.getContext("2d");
const ask = (other) =>
  [other.model(), other.classify(canvas), other.read(canvas), other.explain(canvas)].map(tell);
"""


def test_a_closed_engine_answers_no_more(module: Engine) -> None:
    told = module(
        SOURCE
        + TELL
        + """
        const other = new Inkwise();
        const before = ask(other);
        other.close();
        const after = ask(other);
        return Promise.all([...before, ...after]);
        """
    )
    assert [name for name, _ in told] == ["ModelError"] * 8
    assert all("closed" in message for _, message in told)


def test_an_engine_without_its_worker_answers_nothing(
    browser: Browser, package: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(package, tmp_path / "package")
    (damaged / "worker.js").unlink()
    with hosted(damaged) as host:
        told = Engine(browser, host.address)(
            SOURCE
            + TELL
            + """
            const other = new Inkwise();
            const before = await Promise.all(ask(other));
            return [...before, ...(await Promise.all(ask(other)))];
            """
        )
    assert [name for name, _ in told] == ["ModelError"] * 8
    assert all("missing or damaged" in message for _, message in told)


def test_what_a_worker_cannot_be_sent_is_refused(
    browser: Browser, package: Path, tmp_path: Path
) -> None:
    Image.new("L", (60, 60), 255).save(tmp_path / "elsewhere.png")
    with hosted(package) as host, hosted(tmp_path) as other:
        told = Engine(browser, host.address)(
            SOURCE
            + TELL
            + """
            const closed = await createImageBitmap(new ImageData(9, 9));
            closed.close();
            const shown = new Image();
            shown.src = elsewhere;
            await shown.decode();
            const asked = [
              inkwise.read(canvas, { check: (text) => text === "12" }),
              inkwise.classify(closed),
              inkwise.classify(shown),
              inkwise.model(),
            ];
            return Promise.all(asked.map(tell));
            """,
            elsewhere=f"{other.address}/elsewhere.png",
        )
    assert told.pop() is None
    assert [name for name, _ in told] == ["ArgumentError"] * 3
    assert all("cannot be sent to a worker" in message for _, message in told)
