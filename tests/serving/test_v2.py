"""The Open Inference Protocol, as its own clients speak it, and as they would not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from inkwise.model import Model
from inkwise.networks.layers import Dense, Flatten
from inkwise.networks.network import Network
from inkwise.serving.tensors import HEADER_LENGTH
from tests.serving.conftest import TOKEN, MakeClient
from tests.serving.processes import Running, StartServer
from tests.strokes import strokes

INFER = "/v2/models/inkwise/infer"

RANDOM = np.random.default_rng(5).integers(0, 256, (50, 28, 28), dtype=np.uint8)


# --- a client of Triton's ---


@pytest.fixture
def server(start_server: StartServer) -> Running:
    return start_server("--token", TOKEN)


@pytest.fixture
def triton(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(server.address.removeprefix("http://"))
    yield client
    client.close()


@pytest.mark.slow
def test_a_client_of_tritons_works_unchanged(triton: Any, server: Running) -> None:
    from tritonclient import http

    key = {"Authorization": f"Bearer {TOKEN}"}
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("inkwise", headers=key)
    assert not triton.is_model_ready("other", headers=key)
    assert "binary_tensor_data" in triton.get_server_metadata(headers=key)["extensions"]
    metadata = triton.get_model_metadata("inkwise", headers=key)
    (version,) = metadata["versions"]
    assert triton.get_model_metadata("inkwise", version, headers=key) == metadata
    assert [each["name"] for each in metadata["inputs"]] == ["images"]

    model = strokes()
    for binary_in in (False, True):
        images = http.InferInput("images", [*RANDOM.shape], "UINT8")
        images.set_data_from_numpy(RANDOM, binary_data=binary_in)
        for binary_out in (False, True):
            outputs = [
                http.InferRequestedOutput("probabilities", binary_data=binary_out),
                http.InferRequestedOutput("logits", binary_data=not binary_out),
            ]
            result = triton.infer("inkwise", [images], outputs=outputs, request_id="7", headers=key)
            assert np.array_equal(result.as_numpy("probabilities"), model.predict_proba(RANDOM))
            assert np.array_equal(result.as_numpy("logits"), model.logits(RANDOM))
            assert result.as_numpy("score") is None
            assert result.get_response()["id"] == "7"
        every = triton.infer("inkwise", [images], model_version=version, headers=key)
        assert every.as_numpy("score").shape == (50,)

    with pytest.raises(http.InferenceServerException, match="no model 'other'") as caught:
        triton.infer("other", [images], headers=key)
    assert caught.value.status() == "404"
    with pytest.raises(http.InferenceServerException, match="requires a token"):
        triton.infer("inkwise", [images])
    wrong = http.InferInput("images", [1, 28, 28], "FP32")
    wrong.set_data_from_numpy(np.zeros((1, 28, 28), np.float32))
    with pytest.raises(http.InferenceServerException, match="UINT8, not FP32"):
        triton.infer("inkwise", [wrong], headers=key)
    triton.load_model("inkwise", headers=key)
    server.wait_for(lambda: any(line["event"] == "model loaded" for line in server.lines()))


# --- the protocol itself ---


def tensor(**changes: Any) -> dict[str, Any]:
    return {
        "name": "images",
        "datatype": "UINT8",
        "shape": [2, 28, 28],
        "data": RANDOM[:2].ravel().tolist(),
        **changes,
    }


def post(client: TestClient, document: Any, rest: bytes = b"", length: int | None = None) -> Any:
    header = document if isinstance(document, bytes) else json.dumps(document).encode()
    headers = {"Content-Type": "application/octet-stream" if rest else "application/json"}
    if rest or length is not None:
        headers[HEADER_LENGTH] = str(len(header) if length is None else length)
    return client.post(INFER, content=header + rest, headers=headers)


@pytest.mark.parametrize("data", [RANDOM[:2].ravel(), RANDOM[:2]])
def test_numbers_may_be_flat_or_nested(client: TestClient, data: Any) -> None:
    answer = post(client, {"inputs": [tensor(data=data.tolist())]}).json()
    outputs = {each["name"]: each for each in answer["outputs"]}
    assert [*outputs] == ["probabilities", "logits", "score"]
    assert outputs["probabilities"]["shape"] == [2, 3]
    given = np.reshape(outputs["probabilities"]["data"], (2, 3)).astype(np.float32)
    assert np.array_equal(given, strokes().predict_proba(RANDOM[:2]))
    assert "id" not in answer


def test_all_outputs_may_be_binary(client: TestClient) -> None:
    asked = {
        "inputs": [tensor(data=None, parameters={"binary_data_size": 2 * 784})],
        "parameters": {"binary_data_output": True},
    }
    response = post(client, asked, RANDOM[:2].tobytes())
    length = int(response.headers[HEADER_LENGTH])
    described = json.loads(response.content[:length])["outputs"]
    assert [each["parameters"]["binary_data_size"] for each in described] == [24, 24, 8]
    given = np.frombuffer(response.content[length : length + 24], "<f4").reshape(2, 3)
    assert np.array_equal(given, strokes().predict_proba(RANDOM[:2]))
    assert len(response.content) == length + 24 + 24 + 8


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"{", "not JSON"),
        ({}, "inputs: Field required"),
        ({"inputs": []}, "one input"),
        ({"inputs": [tensor(), tensor()]}, "one input"),
        ({"inputs": [tensor(name="pictures")]}, "no input 'pictures'"),
        ({"inputs": [tensor(datatype="BYTES")]}, "UINT8, not BYTES"),
        ({"inputs": [tensor(shape=[2, 784])]}, r"shape \[N, 28, 28\], not \[2, 784\]"),
        ({"inputs": [tensor(shape=[2, 28, 20])]}, "1,568 numbers"),
        ({"inputs": [tensor(shape=[-2, -28, 28])]}, "of shape"),
        ({"inputs": [tensor(shape=[0, 28, 28], data=[])]}, "of shape"),
        ({"inputs": [tensor(shape=[1, 28, 28])]}, "1,568 numbers"),
        ({"inputs": [tensor(shape=[1, 28, 28], data=RANDOM[:2].tolist())]}, "but its data have"),
        ({"inputs": [tensor(data=[-1] * 1568)]}, "from 0 to 255"),
        ({"inputs": [tensor(data=["a"] * 1568)]}, "whole numbers"),
        ({"inputs": [tensor(data=None)]}, "neither data"),
        ({"inputs": [tensor()], "outputs": [{"name": "digit"}]}, "no output 'digit'"),
        ({"inputs": [tensor(parameters={"binary_data_size": 784})]}, "is 784, but there are 0"),
        ({"inputs": [tensor(parameters={"binary_data_size": "x"})]}, "binary_data_size is x"),
        ({"inputs": [tensor(shape=[10**30, 28, 28])]}, "shape"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    client: TestClient, document: Any, told: str
) -> None:
    response = post(client, document)
    problem = response.json()
    assert response.status_code == 400
    assert problem["error"] == problem["detail"]
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(problem["detail"])


def test_lengths_that_make_no_sense_are_refused(client: TestClient) -> None:
    good = {"inputs": [tensor(data=None, parameters={"binary_data_size": 2 * 784})]}
    assert post(client, good, RANDOM[:2].tobytes()).status_code == 200
    assert post(client, good, RANDOM[:2].tobytes()[:-1]).status_code == 400
    assert post(client, good, RANDOM[:2].tobytes() + b" ").status_code == 400
    assert post(client, good, RANDOM[:2].tobytes(), length=100_000).status_code == 400
    assert post(client, good, RANDOM[:2].tobytes(), length=-1).status_code == 400
    assert post(client, {"inputs": [tensor()]}, b"left over").status_code == 400


def test_a_version_must_be_the_one_that_is_served(client: TestClient) -> None:
    (version,) = client.get("/v2/models/inkwise").json()["versions"]
    for path in ("", "/ready"):
        assert client.get(f"/v2/models/inkwise/versions/{version}{path}").status_code == 200
        assert client.get(f"/v2/models/inkwise/versions/1{path}").status_code == 404
    asked = {"inputs": [tensor()]}
    assert (
        client.post(f"/v2/models/inkwise/versions/{version}/infer", json=asked).status_code == 200
    )
    assert client.post("/v2/models/inkwise/versions/1/infer", json=asked).status_code == 404


# --- another model ---


def other_size() -> Model:
    """A model of two classes, 4×6 pixels."""
    weight = np.repeat(np.array([[1], [-1]], np.float32), 24, axis=1)
    weights = {"dense1.weight": weight, "dense1.bias": np.zeros(2, np.float32)}
    return Model(Network((4, 6), (Flatten(), Dense(2))), weights, ("light", "dark"))


def test_any_classes_and_any_size_are_served(make_client: MakeClient, tmp_path: Path) -> None:
    client = make_client(model=other_size().save(tmp_path / "other"))
    metadata = client.get("/v2/models/inkwise").json()
    assert metadata["inputs"][0]["shape"] == [-1, 4, 6]
    assert metadata["outputs"][0]["shape"] == [-1, 2]
    answer = client.post("/v1/predict/array", json={"images": [[255] * 6] * 4}).json()
    assert (answer["class_names"], answer["labels"]) == (["light", "dark"], ["light"])


def test_loading_takes_the_model_that_lies_there(make_client: MakeClient, tmp_path: Path) -> None:
    folder = strokes().save(tmp_path / "model")
    key = {"Authorization": f"Bearer {TOKEN}"}
    client = make_client(model=folder, token=TOKEN)
    load = "/v2/repository/models/inkwise/load"

    def describe() -> Any:
        metadata = client.get("/v2/models/inkwise", headers=key).json()
        return metadata["versions"], metadata["inputs"][0]["shape"]

    before = describe()
    (folder / "model.onnx").write_bytes(b"damaged")
    response = client.post(load, headers=key)
    assert response.status_code == 400
    assert "is not the file" in response.json()["error"]
    assert describe() == before
    other_size().save(folder)
    assert client.post(load).status_code == 401
    assert client.post(load.replace("inkwise", "other"), headers=key).status_code == 404
    assert describe() == before
    assert client.post(load, headers=key).status_code == 200
    version, shape = describe()
    assert version != before[0]
    assert shape == [-1, 4, 6]
    info = [
        line
        for line in client.get("/metrics", headers=key).text.splitlines()
        if "model_info{" in line
    ]
    assert {(before[0][0] in line, line.endswith(" 1.0")) for line in info} == {
        (True, False),
        (False, True),
    }


def test_without_a_token_nobody_loads(client: TestClient) -> None:
    assert client.post("/v2/repository/models/inkwise/load").status_code == 403
