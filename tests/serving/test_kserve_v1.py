"""KServe's protocol, version 1."""

import re
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from inkwise.serving.settings import Limits
from tests.serving.conftest import TOKEN, MakeClient
from tests.strokes import strokes

PREDICT = "/v1/models/inkwise:predict"

RANDOM = np.random.default_rng(5).integers(0, 256, (50, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 50])  # 50 are read on another thread
@pytest.mark.parametrize("name", ["instances", "inputs"])
def test_predictions_are_the_models_probabilities(
    name: str, count: int, client: TestClient
) -> None:
    answer = client.post(PREDICT, json={name: RANDOM[:count].tolist(), "signature_name": "x"})
    assert answer.status_code == 200
    assert [*answer.json()] == ["predictions"]
    expected = strokes().predict_proba(RANDOM[:count])
    np.testing.assert_allclose(answer.json()["predictions"], expected, atol=1e-6)


def test_the_model_is_listed_and_ready(client: TestClient) -> None:
    assert client.get("/v1/models").json() == {"models": ["inkwise"]}
    assert client.get("/v1/models/inkwise").json() == {"name": "inkwise", "ready": True}
    for response in (
        client.get("/v1/models/other"),
        client.post("/v1/models/other:predict", json={"instances": RANDOM[:1].tolist()}),
    ):
        assert response.status_code == 404
        assert "no model 'other'" in response.json()["detail"]
    assert client.post("/v1/models/inkwise").status_code == 405


@pytest.mark.parametrize(
    ("method", "verb", "status", "told"),
    [
        ("GET", "predict", 405, "by POST"),
        ("GET", "explain", 405, "by POST"),
        ("PUT", "predict", 405, "does not accept this method"),
        ("POST", "explain", 501, "/v1/explain"),
        ("POST", "classify", 404, "use :predict"),
    ],
)
def test_verbs_and_methods_that_there_are_not(
    method: str, verb: str, status: int, told: str, client: TestClient
) -> None:
    answer = client.request(method, f"/v1/models/inkwise:{verb}", json={"instances": []})
    assert answer.status_code == status
    assert told in answer.json()["detail"]
    assert answer.json()["error"] == answer.json()["detail"]
    assert (answer.headers.get("Allow") is not None) == (status == 405)
    assert client.request(method, f"/v1/models/other:{verb}").status_code in (404, 405)


@pytest.mark.parametrize(
    ("document", "status", "told"),
    [
        (b"{", 400, "not JSON"),
        ({}, 422, "as `instances`, or as `inputs`"),
        ({"instances": [], "inputs": []}, 422, "as `instances`, or as `inputs`"),
        ({"instances": 7}, 422, "instances"),
        ({"instances": []}, 422, r"shape \(N, 28, 28\)"),
        ({"instances": RANDOM[:2, :20].tolist()}, 422, r"shape \(N, 28, 28\)"),
        ({"instances": [[[0] * 28] * 27 + [[0] * 27]]}, 422, "different lengths"),
        ({"instances": [[[256] * 28] * 28]}, 422, "from 0 to 255"),
        ({"instances": [[[0.5] * 28] * 28]}, 422, "whole numbers"),
        ({"instances": [{"b64": "AAAA"}]}, 422, "each of 28 rows .*, without names or base64"),
        ({"inputs": [{"images": [[0] * 28] * 28}]}, 422, "inputs must be a list of images, each"),
        ({"instances": RANDOM[0].tolist()}, 422, "put a single image in brackets"),
        ({"instances": RANDOM[0].ravel().tolist()}, 422, "here lists are 1 deep"),
        ({"instances": RANDOM[:2].reshape(2, 784).tolist()}, 422, "here lists are 2 deep"),
        ({"instances": RANDOM[:2, ..., None].tolist()}, 422, "here lists are 4 deep"),
        ({"instances": [["a", "b"]]}, 422, "here lists are 2 deep"),
        ({"instances": [[["a"]]]}, 422, "whole numbers"),
    ],
)
def test_mistakes_are_named(document: Any, status: int, told: str, client: TestClient) -> None:
    if isinstance(document, bytes):
        headers = {"Content-Type": "application/json"}
        response = client.post(PREDICT, content=document, headers=headers)
    else:
        response = client.post(PREDICT, json=document)
    assert response.status_code == status
    assert re.search(told, response.json()["detail"])


def test_other_types_of_body_are_refused(client: TestClient) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    response = client.post(PREDICT, content=bytes(784), headers=headers)
    assert response.status_code == 415
    assert "application/json" in response.json()["detail"]


def test_a_token_is_asked_for(make_client: MakeClient) -> None:
    client = make_client(token=TOKEN)
    assert client.get("/v1/models").status_code == 401
    assert client.post(PREDICT, json={"instances": RANDOM[:1].tolist()}).status_code == 401


def test_too_many_images_are_refused(make_client: MakeClient) -> None:
    client = make_client(limits=Limits(images=2))
    assert client.post(PREDICT, json={"instances": RANDOM[:2].tolist()}).status_code == 200
    assert client.post(PREDICT, json={"instances": RANDOM[:3].tolist()}).status_code == 413
