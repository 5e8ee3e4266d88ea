"""Our own interface: pictures and arrays."""

import base64
import dataclasses
import io
import json
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inkwise.data.dataset import Dataset
from inkwise.ink import normalise
from inkwise.model.hands import HANDS
from inkwise.model.pretrained import load_pretrained
from tests.mixed import PAGED, PAGES, SINGLE, write_mixed
from tests.serving.conftest import MakeClient, png
from tests.strokes import draw, strokes

KINDS = ("upright", "flat", "plus", "cross", "blank", "pair")

Answers = list[dict[str, Any]]


def as_form(client: TestClient, *contents: bytes, **fields: str) -> Any:
    files = [("pictures", (f"{place}.png", content)) for place, content in enumerate(contents)]
    return client.post("/v1/predict", files=files, data=fields)


def as_json(client: TestClient, *contents: bytes, **fields: bool | str) -> Any:
    pictures = [base64.b64encode(content).decode() for content in contents]
    return client.post("/v1/predict", json={"pictures": pictures, **fields})


def images() -> Any:
    """The strokes of `KINDS`, but for blank paper, as the network sees them."""
    return np.array([normalise(draw(kind)).image for kind in KINDS[:4]])


# --- pictures ---


@pytest.mark.parametrize("ask", [as_form, as_json])
def test_every_picture_is_answered_as_the_library_answers(client: TestClient, ask: Any) -> None:
    response = ask(client, *map(png, KINDS))

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    entries = response.json()["pictures"]
    expected = strokes().classify([draw(kind) for kind in KINDS])
    assert len(entries) == len(expected)
    for entry, answer in zip(entries, expected, strict=True):
        assert (entry["label"], entry["verdict"]) == (answer.label, answer.verdict)
        assert entry["probability"] == pytest.approx(answer.probability, abs=1e-6)
        assert [name for name, _ in entry["top"]] == [name for name, _ in answer.top]
        assert "image" not in entry
        assert entry["parts"] == [[*box] for box in answer.parts]
        if answer.verdict == "several":
            assert entry["probabilities"] is entry["label"] is None
            continue
        if answer.ink is None:
            assert entry["probabilities"] is entry["box"] is entry["score"] is None
            continue
        assert entry["probabilities"] == {
            name: pytest.approx(probability, abs=1e-6) for name, probability in answer.top
        }
        assert entry["score"] == pytest.approx(answer.score, abs=1e-4)
        assert entry["box"] == [*answer.ink.box]
        assert (entry["polarity"], entry["scale"]) == (answer.ink.polarity, answer.ink.scale)
    assert [entry["verdict"] for entry in entries] == [
        *("digit", "digit", "unsure", "not a digit", "not a digit", "several")
    ]


def test_a_body_that_is_a_picture_is_answered(client: TestClient) -> None:
    response = client.post(
        "/v1/predict", content=png("flat"), headers={"Content-Type": "image/png"}
    )
    (entry,) = response.json()["pictures"]
    assert (entry["file"], entry["label"]) == (None, "flat")


def test_pictures_keep_their_names(client: TestClient) -> None:
    entries = as_form(client, png("flat"), b"seven").json()["pictures"]
    assert [entry["file"] for entry in entries] == ["0.png", "1.png"]


def test_what_the_network_saw_is_shown_if_asked_for(client: TestClient) -> None:
    seen = normalise(draw("plus")).image.tolist()
    for response in (
        as_form(client, png("plus"), png("blank"), with_image="true"),
        as_json(client, png("plus"), png("blank"), with_image=True),
    ):
        assert [entry["image"] for entry in response.json()["pictures"]] == [seen, None]
    response = client.post(
        "/v1/predict?with_image=true", content=png("plus"), headers={"Content-Type": "image/png"}
    )
    assert response.json()["pictures"][0]["image"] == seen


def test_the_hand_shifts_the_odds_of_a_1_against_a_7(
    make_client: MakeClient, tmp_path: Path
) -> None:
    model = dataclasses.replace(strokes(), class_names=("1", "7", "0"))
    client = make_client(model=model.save(tmp_path / "model"))

    def as_body(client: TestClient, content: bytes, hand: str) -> Any:
        headers = {"Content-Type": "image/png"}
        return client.post(f"/v1/predict?hand={hand}", content=content, headers=headers)

    for ask in (as_form, as_json, as_body):
        for hand, factor in HANDS.items():
            (entry,) = ask(client, png("plus"), hand=hand).json()["pictures"]
            chances = entry["probabilities"]
            assert chances["1"] / chances["7"] == pytest.approx(factor, rel=0.05)
            assert dict(entry["top"]) == chances
            (expected,) = model.classify([draw("plus")], hand=hand)
            assert (entry["label"], entry["verdict"]) == (expected.label, expected.verdict)
        refused = ask(client, png("plus"), hand="left")
        assert refused.status_code == 422
        assert "hand" in refused.json()["detail"]


def test_a_bad_picture_does_not_fail_the_others(client: TestClient) -> None:
    contents = [png("flat"), b"seven", png("flat")[:100], b"", png("upright")]
    for response in (as_form(client, *contents), as_json(client, *contents)):
        assert response.status_code == 200
        entries = response.json()["pictures"]
        assert [entry.get("label") for entry in entries] == ["flat", None, None, None, "upright"]
        for entry in entries[1:4]:
            assert entry["error"]["status"] == 422
            assert entry["error"]["detail"]
            assert "\n" not in entry["error"]["detail"]


def test_every_page_of_a_file_is_answered(client: TestClient) -> None:
    pages = [Image.open(io.BytesIO(png(kind))).convert("L") for kind in ("flat", "upright")]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    files = [
        ("pictures", ("one.png", png("upright"))),
        ("pictures", ("two.tif", buffer.getvalue())),
    ]
    entries = client.post("/v1/predict", files=files).json()["pictures"]
    assert [(entry["file"], entry["label"]) for entry in entries] == [
        *(("one.png", "upright"), ("two.tif", "flat"), ("two.tif#2", "upright"))
    ]
    answer = client.post("/v1/explain", files=files[1:])
    assert answer.status_code == 422
    assert "only one picture or page is explained" in answer.json()["detail"]


def test_everything_in_a_mixed_folder_is_answered_or_refused(
    client: TestClient, tmp_path: Path
) -> None:
    folder = write_mixed(tmp_path / "mixed", lambda _: draw("flat"))
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    files = [("pictures", (name, (folder / name).read_bytes())) for name in names]
    entries = client.post("/v1/predict", files=files).json()["pictures"]
    for name in names:
        own = [
            entry for entry in entries if entry["file"].partition("#")[0] == name.partition("#")[0]
        ]
        if name in SINGLE or name in PAGED:
            assert [entry.get("label") for entry in own] == ["flat"] * (
                PAGES if name in PAGED else 1
            )
        else:
            assert [entry["error"]["status"] for entry in own] == [422]


def test_base64_comes_in_many_forms(client: TestClient) -> None:
    content = b"P5 3  1 255 " + bytes([0xFB, 0xEF, 0xBE])  # of these bytes the alphabets differ
    plain = base64.b64encode(content).decode()
    assert "+" in plain
    pictures = [
        plain,
        plain.rstrip("="),
        base64.urlsafe_b64encode(content).decode(),
        base64.encodebytes(content * 9).decode(),
        " \r\n".join(plain),
        f"data:image/x-portable-graymap;base64,{plain}",
        f"DATA:;charset=utf-8;BASE64,{urllib.parse.quote(plain)}",
    ]
    entries = client.post("/v1/predict", json={"pictures": pictures}).json()["pictures"]
    assert all("base64" not in entry.get("error", {}).get("detail", "") for entry in entries)


def test_what_is_not_base64_is_a_bad_picture(client: TestClient) -> None:
    good = base64.b64encode(png("flat")).decode()
    pictures = ["ä", good, "A", "a.b", "data:image/svg+xml,<svg/>", f"data:{good}"]
    entries = client.post("/v1/predict", json={"pictures": pictures}).json()["pictures"]
    assert ["base64" in entry.get("error", {}).get("detail", "") for entry in entries] == [
        *(True, False, True, True, True, True)
    ]


def test_many_pictures_come_back_in_their_order(client: TestClient) -> None:
    kinds = [KINDS[place % 2] for place in range(100)]
    entries = as_form(client, *map(png, kinds)).json()["pictures"]
    assert [entry["label"] for entry in entries] == kinds


def test_the_model_in_the_package_is_served_by_default(
    make_client: MakeClient, mnist: Dataset
) -> None:
    # The last of MNIST's training images are no part of what chose anything here.
    digits = mnist.train.take(np.arange(59_800, 60_000))
    client = make_client(model=None)
    response = client.post(
        "/v1/predict/array",
        params={"shape": "200,28,28"},
        content=digits.images.tobytes(),
        headers={"Content-Type": "application/octet-stream"},
    )
    model = load_pretrained()
    assert np.allclose(
        response.json()["probabilities"], model.predict_proba(digits.images), atol=1e-6
    )


# --- arrays ---


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def post_array(client: TestClient, kind: str, array: Any) -> Any:
    bodies = {
        "application/json": lambda: json.dumps({"images": array.tolist()}).encode(),
        "application/x-npy": lambda: npy(array),
        "application/octet-stream": array.tobytes,
    }
    return client.post(
        "/v1/predict/array",
        content=bodies[kind](),
        headers={"Content-Type": kind, "X-Shape": ",".join(map(str, array.shape))},
    )


ARRAY_KINDS = ["application/json", "application/x-npy", "application/octet-stream"]


@pytest.mark.parametrize("kind", ARRAY_KINDS)
@pytest.mark.parametrize("count", [4, 400])
def test_images_are_answered_as_the_library_answers(
    client: TestClient, kind: str, count: int
) -> None:
    array = np.resize(images(), (count, 28, 28))
    answer = post_array(client, kind, array).json()
    expected = strokes().classify([array[0], array[1], array[2], array[3]])
    assert answer["class_names"] == [*strokes().class_names]
    assert answer["verdicts"][:4] == [each.verdict for each in expected]
    assert answer["labels"][:4] == [each.label for each in expected]
    assert answer["scores"][:4] == pytest.approx([each.score for each in expected], abs=1e-4)
    assert np.allclose(answer["probabilities"], strokes().predict_proba(array), atol=1e-6)
    assert {len(answer[each]) for each in ("labels", "verdicts", "scores")} == {count}


@pytest.mark.parametrize("kind", ARRAY_KINDS)
def test_one_image_needs_no_third_side(client: TestClient, kind: str) -> None:
    assert post_array(client, kind, images()[1]).json()["labels"] == ["flat"]


@pytest.mark.parametrize(
    ("kind", "body", "status", "told"),
    [
        ("application/x-npy", npy(np.zeros((1, 28, 28))), 422, "float64, not uint8"),
        ("application/x-npy", npy(np.zeros((28, 20), np.uint8)), 422, r"\(N, 28, 28\), not"),
        ("application/x-npy", npy(np.zeros((2, 28, 28), np.uint8))[:-1], 422, "1,567 bytes"),
        ("application/x-npy", npy(np.zeros((2, 28, 28), np.uint8, "F")), 422, "Fortran"),
        ("application/x-npy", npy(np.array([{}]), allow_pickle=True), 422, "object, not uint8"),
        ("application/x-npy", b"\x93NUMPY\x01\x00\xff\xff{", 422, "not a .npy file"),
        ("application/x-npy", b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000, 422, "not a .npy"),
        ("application/x-npy", b"", 422, "not a .npy file"),
        ("application/octet-stream", bytes(783), 422, "783 bytes"),
        ("application/json", b"{", 400, "not JSON"),
        ("application/json", b"[" * 100_000, 400, "not JSON"),
        ("application/json", b'{"images": [[1, 2], [3]]}', 422, "different lengths"),
        ("application/json", b'{"images": [["a"]]}', 422, "values that are not whole numbers"),
        ("application/json", b'{"images": [[0.5]]}', 422, "values that are not whole numbers"),
        ("application/json", b'{"images": [[1e400]]}', 422, "values that are not whole numbers"),
        ("application/json", b'{"images": [[' + b"9" * 50 + b"]]}", 422, "not whole numbers"),
        ("application/json", b'{"images": []}', 422, r", not \[0\]"),
        (
            "application/json",
            json.dumps({"images": np.full((28, 28), 256).tolist()}).encode(),
            422,
            "from 0 to 255",
        ),
        ("application/json", b'{"images": [], "more": 1}', 422, "more: Extra inputs"),
        ("text/plain", b"7", 415, "not as text/plain"),
        ("", b"7", 415, "not as a body without a type"),
    ],
)
def test_other_arrays_are_refused(
    client: TestClient, kind: str, body: bytes, status: int, told: str
) -> None:
    headers = {"Content-Type": kind, "X-Shape": "28,28"}
    response = client.post("/v1/predict/array", content=body, headers=headers)
    assert response.status_code == status
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(response.json()["detail"])


@pytest.mark.parametrize(
    "shape", [None, "", "28", "28,28,1", "1,1,28,28", "-1,28,28", "0,28,28", "²,28,28", "9" * 5000]
)
def test_a_shape_that_is_none_is_refused(client: TestClient, shape: str | None) -> None:
    response = client.post(
        "/v1/predict/array",
        params={} if shape is None else {"shape": shape},
        content=bytes(784),
        headers={"Content-Type": "application/octet-stream"},
    )
    assert response.status_code == 422
    assert len(response.json()["detail"]) < 200


# --- requests that are none ---


@pytest.mark.parametrize(
    ("kind", "body", "status", "told"),
    [
        ("application/json", b"", 400, "not JSON"),
        ("application/json", b'{"pictures": []}', 422, "at least 1 item"),
        ("application/json", b'{"pictures": ["AAAA"], "image": true}', 422, "image: Extra"),
        ("application/json", b'{"pictures": "AAAA"}', 422, "pictures: .*valid"),
        ("application/json", b"7", 422, "the body: "),
        ("multipart/form-data", b"", 400, "Missing boundary"),
        ("multipart/form-data; boundary=X", b"seven", 400, "damaged"),
        ("multipart/form-data; boundary=X", b"--X--\r\n", 422, "no picture"),
        ("application/x-www-form-urlencoded", b"a=1", 415, "not as application/x-www"),
    ],
)
def test_other_requests_are_refused(
    client: TestClient, kind: str, body: bytes, status: int, told: str
) -> None:
    response = client.post("/v1/predict", content=body, headers={"Content-Type": kind})
    problem = response.json()
    assert (response.status_code, problem["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == response.headers["x-request-id"]
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(problem["detail"])


def test_unknown_fields_of_a_form_are_refused(client: TestClient) -> None:
    assert as_form(client, png("flat"), colour="blue").status_code == 422
    assert as_form(client, png("flat"), with_image="maybe").status_code == 422
    assert client.post("/v1/predict", files={"picture": png("flat")}).status_code == 422
    no_file = {"pictures": (None, "seven")}
    assert "are not files" in client.post("/v1/predict", files=no_file).json()["detail"]


@pytest.mark.parametrize(
    ("path", "options", "unknown"),
    [
        ("/v1/predict", "`with_image` and `hand`", "colour=blue"),
        ("/v1/explain", "`hand`", "with_image=true"),
    ],
)
def test_a_query_has_options_only_beside_a_picture_that_is_the_body(
    client: TestClient, path: str, options: str, unknown: str
) -> None:
    files = {"pictures": ("a.png", png("flat"))}
    document = {"pictures": [base64.b64encode(png("flat")).decode()]}
    image = {"Content-Type": "image/png"}

    def told(query: str, **body: Any) -> str:
        response = client.post(f"{path}?{query}", **body)
        assert response.status_code == 422
        return str(response.json()["detail"])

    assert client.post(f"{path}?hand=any", content=png("flat"), headers=image).status_code == 200
    name = unknown.partition("=")[0]
    expected = f"the query has '{name}': use only {options}"
    assert told(unknown, content=png("flat"), headers=image) == expected
    for query in ("hand=any", unknown):
        for body in ({"files": files}, {"json": document}):
            detail = told(query, **body)
            assert query.partition("=")[0] in detail
            assert "options are fields of the body: use only `pictures`" in detail
            assert detail.endswith(options)
    fields = dict([unknown.split("=")])
    assert client.post(path, files=files, data=fields).status_code == 422
    response = client.post(path, json={**document, **fields})
    assert response.status_code == 422
    assert response.json()["detail"].endswith(options)


def test_an_unknown_name_in_the_query_of_arrays_is_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/octet-stream", "X-Shape": "28,28"}
    for query, status in (("", 200), ("?shape=28,28", 200), ("?sides=28,28", 422)):
        response = client.post(f"/v1/predict/array{query}", content=bytes(784), headers=headers)
        assert response.status_code == status


@pytest.mark.parametrize(
    ("charset", "name", "expected"),
    [
        ("utf-7", b"+2AA-.png", "\\ud800.png"),
        ("raw_unicode_escape", b"\\udcff.png", "\\udcff.png"),
        ("utf-8", "drei — 3.png".encode(), "drei — 3.png"),
        ("utf-8", b"\xff.png", "ÿ.png"),
    ],
)
def test_a_name_in_any_encoding_is_answered(
    client: TestClient, charset: str, name: bytes, expected: str
) -> None:
    head = b'Content-Disposition: form-data; name="pictures"; filename="' + name + b'"'
    body = b"--X\r\n" + head + b"\r\n\r\n" + png("flat") + b"\r\n--X--\r\n"
    kind = f"multipart/form-data; boundary=X; charset={charset}"
    response = client.post("/v1/predict", content=body, headers={"Content-Type": kind})
    assert response.status_code == 200
    (entry,) = response.json()["pictures"]
    assert (entry["file"], entry["label"]) == (expected, "flat")


def test_compressed_bodies_are_refused(client: TestClient) -> None:
    headers = {"Content-Type": "image/png", "Content-Encoding": "gzip"}
    assert client.post("/v1/predict", content=b"", headers=headers).status_code == 415
