"""`/v1/read`: numbers in pictures over HTTP."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import inkwise
from inkwise import Dataset
from tests.reading.test_numbers import written
from tests.serving.conftest import MakeClient, png

IMAGE = {"Content-Type": "image/png"}


@pytest.fixture
def reader(make_client: MakeClient) -> TestClient:
    return make_client(model=None)


@pytest.fixture(scope="module")
def pictures(mnist: Dataset) -> list[bytes]:
    digits = mnist.train.take(np.arange(57_000, 60_000))
    drawn = [
        written(digits, "402", "73", seed=1)[0],
        written(digits, "40213", seed=2)[0],
        np.full((60, 90), 255, np.uint8),
    ]
    files = []
    for pixels in drawn:
        Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
        files.append(file.getvalue())
    return files


def post(client: TestClient, *files: bytes, query: str = "") -> Any:
    return client.post(
        f"/v1/read{query}", files=[("pictures", (f"{i}.png", file)) for i, file in enumerate(files)]
    )


def test_numbers_are_read_as_the_library_reads_them(
    reader: TestClient, pictures: list[bytes]
) -> None:
    response = post(reader, *pictures, b"no picture")
    assert response.status_code == 200
    *entries, damaged = response.json()["pictures"]
    assert [entry["file"] for entry in entries] == ["0.png", "1.png", "2.png"]
    for entry, content in zip(entries, pictures, strict=True):
        numbers = inkwise.read(content)
        assert [number["text"] for number in entry["numbers"]] == [each.text for each in numbers]
        for number, expected in zip(entry["numbers"], numbers, strict=True):
            assert number["probability"] == pytest.approx(expected.probability)
            assert number["verdict"] == expected.verdict
            assert [sign["label"] for sign in number["digits"]] == list(expected.text)
            assert tuple(number["box"]) == expected.box
    assert [len(entry["numbers"]) for entry in entries] == [2, 1, 0]
    assert damaged["error"]["status"] in (415, 422)


def test_what_is_known_chooses(reader: TestClient, pictures: list[bytes]) -> None:
    def verdict(query: str) -> str:
        (entry,) = post(reader, pictures[1], query=query).json()["pictures"]
        return str(entry["numbers"][0]["verdict"])

    assert verdict("?digits=5&pattern=%23%23%23%23%23&marks=false") == "number"
    assert verdict("?digits=9") == "unsure"


@pytest.mark.parametrize(
    "query",
    [
        *("digits=0", "digits=x", "pattern=ab", "check=sum", "marks=perhaps", "digit=4"),
        *("hand=europe", "with_image=true"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    query: str, reader: TestClient, pictures: list[bytes]
) -> None:
    response = post(reader, pictures[1], query=f"?{query}")
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert query.partition("=")[0] in detail or query.partition("=")[2] in detail


@pytest.mark.parametrize("option", [{"digits": 5}, {"hand": "europe"}, {"with_image": "true"}])
def test_the_body_has_no_options(
    option: dict[str, Any], reader: TestClient, pictures: list[bytes]
) -> None:
    document = {"pictures": [base64.b64encode(pictures[1]).decode()]}
    files = {"pictures": ("a.png", pictures[1])}
    for response in (
        reader.post("/v1/read", json={**document, **option}),
        reader.post("/v1/read", files=files, data=option),
    ):
        assert response.status_code == 422
        detail = response.json()["detail"]
        assert next(iter(option)) in detail
        told = "use only `pictures`, and `digits`, `pattern`, `check` and `marks` in the query"
        assert told in detail
    assert reader.post("/v1/read", json=document).status_code == 200
    as_body = reader.post("/v1/read?digits=5", content=pictures[1], headers=IMAGE)
    assert as_body.status_code == 200


def test_a_model_of_other_classes_reads_no_numbers(client: TestClient) -> None:
    response = post(client, png("upright"))
    assert response.status_code == 422
    assert "digits 0 to 9" in response.json()["detail"]
