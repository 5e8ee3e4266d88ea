"""Requests that nobody would send, and those that the OpenAPI document allows."""

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from inkwise.serving.app import create_app
from inkwise.serving.service import Service
from inkwise.serving.settings import Settings
from tests.serving.conftest import MakeClient, png
from tests.serving.test_v2 import tensor

GOOD = [png("flat"), png("plus")]


@pytest.mark.slow
def test_what_the_openapi_document_allows_is_answered_as_it_says(model_folder: Any) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    app = create_app(Service(Settings(model=model_folder)))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    chosen = schemathesis.checks.CHECKS.get_by_names(
        [
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_schema_conformance",
        ]
    )
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 9
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=25,
            database=None,
            suppress_health_check=[*HealthCheck],
            derandomize=True,
        )
        def answers(case: Any) -> None:
            case.validate_response(case.call(), checks=chosen)

        answers()


def mutations(good: bytes) -> st.SearchStrategy[bytes]:
    """A few bytes changed, cut off, or put in."""

    def mutate(changes: list[tuple[int, int]], cut: int, more: bytes) -> bytes:
        mutated = bytearray(good)
        for place, value in changes:
            mutated[place] = value
        mutated[cut:cut] = more
        return bytes(mutated[: cut + len(more)] if cut % 3 == 0 else mutated)

    place = st.integers(0, len(good) - 1)
    return st.builds(
        mutate,
        st.lists(st.tuples(place, st.integers(0, 255)), max_size=8),
        place,
        st.binary(max_size=8),
    )


FORM = b"".join(
    b'--XX\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
    + each
    + b"\r\n"
    for each in GOOD
)
BODIES = {
    ("/v1/predict", "image/png"): GOOD[0],
    ("/v1/predict", "multipart/form-data; boundary=XX"): FORM + b"--XX--\r\n",
    ("/v1/predict", "application/json"): json.dumps(
        {"pictures": [base64.b64encode(each).decode() for each in GOOD], "with_image": True}
    ).encode(),
    ("/v1/predict/array", "application/json"): b'{"images": [' + b"[0, 1, 255], " * 9 + b"[]]}",
    ("/v1/predict/array", "application/x-npy"): b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', "
    b"'fortran_order': False, 'shape': (1, 28, 28), }" + b" " * 57 + b"\n" + bytes(784),
    ("/v1/models/inkwise:predict", "application/json"): json.dumps(
        {"instances": [[[0, 1, 255, 2] * 7] * 28]}
    ).encode(),
    ("/v2/models/inkwise/infer", "application/json"): json.dumps({"inputs": [tensor()]}).encode(),
}


@pytest.mark.parametrize("target", BODIES, ids=" ".join)
def test_damaged_bodies_are_answered_or_refused(
    target: tuple[str, str], make_client: MakeClient
) -> None:
    client = make_client()
    path, kind = target

    @given(body=mutations(BODIES[target]))
    @settings(max_examples=60, suppress_health_check=[*HealthCheck])
    def answers(body: bytes) -> None:
        response = client.post(path, content=body, headers={"Content-Type": kind})
        assert response.status_code in {200, 400, 413, 415, 422}
        document = response.json()
        if response.status_code == 200:
            assert document.get("model") or document.get("model_name") or document["predictions"]
        else:
            assert document["detail"]
            assert "\n" not in document["detail"]

    answers()


@given(content=st.binary(max_size=200), kind=st.text(max_size=40))
@settings(max_examples=100, suppress_health_check=[*HealthCheck])
def test_any_type_of_body_is_answered_or_refused(
    content: bytes, kind: str, session_client: TestClient
) -> None:
    for path in (
        "/v1/predict",
        "/v1/predict/array",
        "/v1/models/inkwise:predict",
        "/v2/models/inkwise/infer",
    ):
        response = session_client.post(
            path,
            content=content,
            headers={"Content-Type": kind.encode()},
        )
        assert response.status_code in {200, 400, 415, 422}


SIDES = st.sampled_from([28, 1, 0, -1, 2, 10**6])


@given(
    shape=st.lists(SIDES, max_size=2).map(lambda sides: [*sides, 28, 28])
    | st.lists(SIDES, min_size=1, max_size=4),
    size=st.integers(0, 3).map(lambda images: 784 * images) | st.integers(0, 3000),
)
def test_a_shape_is_what_there_is_or_is_refused(
    shape: list[int], size: int, session_client: TestClient
) -> None:
    response = session_client.post(
        "/v1/predict/array",
        params={"shape": ",".join(map(str, shape))},
        content=bytes(size),
        headers={"Content-Type": "application/octet-stream"},
    )
    fits = shape[-2:] == [28, 28] and (len(shape) == 2 or shape[0] > 0) and len(shape) < 4
    assert response.status_code == (
        200 if fits and np.prod(shape) == size else response.status_code
    )
    assert response.status_code in ({200, 413, 422} if fits else {422})


@pytest.fixture(scope="module")
def session_client(model_folder: Any) -> Any:
    service = Service(Settings(model=model_folder))
    with TestClient(create_app(service), raise_server_exceptions=False) as client:
        yield client
