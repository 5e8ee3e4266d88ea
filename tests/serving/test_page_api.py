"""What the page asks for besides answers: what is served, what answers hang on, corrections."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inkwise import Model, Split, load_folder, train
from inkwise.errors import ArgumentError, StorageError
from inkwise.explanation.neighbours import FILE, make_neighbours
from inkwise.explanation.occlusion import occlusion_map
from inkwise.serving.service import Service
from inkwise.serving.settings import Settings
from tests.folders import write_symbols
from tests.serving.conftest import TOKEN, MakeClient, png
from tests.strokes import strokes

IMAGE = {"Content-Type": "image/png"}


# --- what is served ---


def test_a_page_is_told_what_it_must_know(client: TestClient, make_client: MakeClient) -> None:
    told = client.get("/v1/model").json()
    assert told["class_names"] == ["upright", "flat", "dot"]
    assert told["image_size"] == [28, 28]
    assert (
        told["model"]
        == client.post("/v1/predict", content=png("flat"), headers=IMAGE).json()["model"]
    )
    assert not told["has_neighbours"]
    assert not told["keeps_corrections"]
    assert make_client(token=TOKEN).get("/v1/model").status_code == 401


# --- explanations ---


@pytest.fixture
def compared(tmp_path: Path) -> Path:
    """The model of strokes, with six images that it was trained on, if one believes it."""
    model = strokes()
    images = np.zeros((6, 28, 28), np.uint8)
    for place in range(3):
        images[place, 2 + place : 26, 13:16] = 255
        images[3 + place] = images[place].T
    folder = model.save(tmp_path / "compared")
    make_neighbours(model, Split(images, np.repeat([0, 1], 3))).save(folder / FILE)
    return folder


def test_an_explanation_is_that_of_the_library(client: TestClient) -> None:
    answered = client.post("/v1/explain", content=png("plus"), headers=IMAGE).json()
    predicted = client.post("/v1/predict?with_image=true", content=png("plus"), headers=IMAGE)
    assert answered["picture"] == predicted.json()["pictures"][0]
    image = np.array(answered["picture"]["image"], np.uint8)
    np.testing.assert_allclose(answered["evidence"], occlusion_map(strokes(), image), atol=1e-4)
    assert answered["neighbours"] is None
    # Of a plus, the upright line speaks for upright, and the flat one against nothing.
    assert answered["strongest"] in ("top", "bottom")


def test_an_explanation_shows_the_training_images_that_a_run_has(
    make_client: MakeClient, compared: Path
) -> None:
    client = make_client(model=compared)
    assert client.get("/v1/model").json()["has_neighbours"]
    near = client.post("/v1/explain", content=png("upright"), headers=IMAGE).json()["neighbours"]
    assert len(near) == 6
    assert [each["label"] for each in near[:3]] == ["upright"] * 3
    assert np.array(near[0]["image"]).shape == (28, 28)
    assert near[0]["similarity"] >= near[-1]["similarity"]


@pytest.mark.parametrize("damage", ["foreign", "torn"])
def test_training_images_that_do_not_belong_to_the_model_are_not_shown(
    make_client: MakeClient, compared: Path, damage: str
) -> None:
    if damage == "torn":
        (compared / FILE).write_bytes((compared / FILE).read_bytes()[:200])
    else:
        model = strokes()
        other = {**model.weights, "dense1.bias": np.ones(3, np.float32)}
        Model(model.network, other, model.class_names).save(compared)
    client = make_client(model=compared)
    assert not client.get("/v1/model").json()["has_neighbours"]
    answered = client.post("/v1/explain", content=png("upright"), headers=IMAGE).json()
    assert answered["neighbours"] is None


def test_what_cannot_be_explained_is_answered_without(client: TestClient) -> None:
    blank = client.post("/v1/explain", content=png("blank"), headers=IMAGE).json()
    assert blank["picture"]["verdict"] == "not a digit"
    assert blank["evidence"] is blank["strongest"] is blank["neighbours"] is None
    torn = client.post("/v1/explain", content=b"torn", headers=IMAGE).json()
    assert torn["picture"]["error"]["status"] == 422
    assert torn["evidence"] is None
    two = [("pictures", ("a.png", png("flat")))] * 2
    assert client.post("/v1/explain", files=two).status_code == 422
    damaged = client.post("/v1/explain", json={"pictures": ["no base64!"]})
    assert "base64" in damaged.json()["picture"]["error"]["detail"]


# --- corrections ---


def correct(client: TestClient, content: bytes, label: str, **headers: str) -> int:
    url = "/v1/corrections"
    response = client.post(
        url, content=content, params={"label": label}, headers={**IMAGE, **headers}
    )
    assert response.json()
    return response.status_code


def kept(folder: Path) -> list[str]:
    return sorted(str(file.parent.name) for file in folder.glob("*/*"))


def test_nothing_is_kept_unless_the_service_is_told_to(client: TestClient, tmp_path: Path) -> None:
    assert correct(client, png("flat"), "flat") == 404
    assert "neither stored nor logged" in client.get("/openapi.json").json()["info"]["description"]


def test_what_is_corrected_can_be_learnt_from(make_client: MakeClient, tmp_path: Path) -> None:
    folder = tmp_path / "kept" / "here"
    client = make_client(corrections=folder)
    assert client.get("/v1/model").json()["keeps_corrections"]
    for ink in range(0, 50, 10):
        for kind in ("upright", "flat"):
            assert correct(client, png(kind, ink), kind) == 201
    dataset = load_folder(folder)
    assert dataset.class_names == ("flat", "upright")
    assert len(dataset.train) + len(dataset.test) == 10
    wrong = strokes().predict(dataset.train.images) == dataset.train.labels
    assert not wrong.any()  # the model has the names the other way round


@pytest.mark.usefixtures("unreported")
def test_the_loop_of_serving_correcting_and_learning(
    finished: Path, make_client: MakeClient, tmp_path: Path
) -> None:
    def draw_hand(name: str, seed: int) -> dict[str, list[bytes]]:
        folder = write_symbols(tmp_path / name, {"3": "tick", "8": "tee"}, 10, seed)
        return {
            each.name: [file.read_bytes() for file in each.iterdir()]
            for each in [*folder.iterdir()]
        }

    def count_wrong(client: TestClient, hand: dict[str, list[bytes]]) -> int:
        return sum(
            client.post("/v1/predict", content=picture, headers=IMAGE).json()["pictures"][0][
                "label"
            ]
            != label
            for label, pictures in hand.items()
            for picture in pictures
        )

    later = draw_hand("later", 99)
    client = make_client(model=finished, corrections=tmp_path / "corrections")
    for label, pictures in draw_hand("now", 0).items():
        for picture in pictures:
            assert correct(client, picture, label) == 201
    run = train(
        start=finished,
        data=tmp_path / "corrections",
        output=tmp_path / "mine",
        learning_rate=1e-3,
    )

    assert [gain.name for gain in run.gains] == ["corrections", "optdigits"]
    assert count_wrong(client, later) >= 10
    assert count_wrong(make_client(model=run.path), later) <= 4


def test_a_picture_is_kept_once_under_its_last_name(
    make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client(corrections=tmp_path)
    for label in ("upright", "upright", "dot"):
        assert correct(client, png("plus"), label) == 201
    assert kept(tmp_path) == ["dot"]
    assert correct(client, png("cross"), "dot") == 201
    assert kept(tmp_path) == ["dot", "dot"]


def test_nothing_of_a_photo_is_kept_but_its_pixels(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(corrections=tmp_path)
    photo = Image.open(io.BytesIO(png("flat"))).resize((1700, 1600))
    exif = photo.getexif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010E] = "at home"
    file = io.BytesIO()
    photo.save(file, "JPEG", exif=exif)
    assert correct(client, file.getvalue(), "upright", **{"Content-Type": "image/jpeg"}) == 201
    (found,) = tmp_path.glob("*/*")
    assert b"at home" not in found.read_bytes()
    image = Image.open(found)
    assert not image.getexif()
    assert max(image.size) <= 800
    assert strokes().classify([found])[0].label == "upright"


@pytest.mark.parametrize(
    ("content", "label", "kind", "status"),
    [
        (png("flat"), "seven", "image/png", 422),
        (png("flat"), "../flat", "image/png", 422),
        (png("blank"), "flat", "image/png", 422),
        (b"torn", "flat", "image/png", 422),
        (png("flat"), "flat", "multipart/form-data; boundary=a", 415),
        (png("flat"), "flat", "text/plain", 415),
    ],
)
def test_what_cannot_be_learnt_from_is_not_kept(
    make_client: MakeClient, tmp_path: Path, content: bytes, label: str, kind: str, status: int
) -> None:
    client = make_client(corrections=tmp_path / "kept")
    assert correct(client, content, label, **{"Content-Type": kind}) == status
    for query in ("", "?label=flat&hand=any"):
        response = client.post(f"/v1/corrections{query}", content=content, headers=IMAGE)
        assert response.status_code == 422
    assert kept(tmp_path / "kept") == []


def test_a_folder_that_is_full_or_gone_is_a_problem_that_names_no_path(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(corrections=tmp_path)
    monkeypatch.setattr("inkwise.serving.kept_pictures.MOST", 1)
    assert correct(client, png("flat"), "flat") == 201
    response = client.post("/v1/corrections?label=dot", content=png("plus"), headers=IMAGE)
    assert response.status_code == 507
    assert str(tmp_path) not in response.text
    assert kept(tmp_path) == ["flat"]


def test_a_token_guards_the_folder(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(corrections=tmp_path, token=TOKEN)
    assert correct(client, png("flat"), "flat") == 401
    assert correct(client, png("flat"), "flat", Authorization=f"Bearer {TOKEN}") == 201


def test_a_folder_that_cannot_be_is_told_before_anything_is_served(
    model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        Service(Settings(model_folder, corrections=tmp_path / "file"))
    model = strokes()
    named = Model(model.network, model.weights, ("a/b", "c", "d")).save(tmp_path / "model")
    with pytest.raises(ArgumentError, match="a/b"):
        Service(Settings(named, corrections=tmp_path / "kept"))
