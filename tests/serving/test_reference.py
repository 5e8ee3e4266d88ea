"""The OpenAPI document and the page that shows it."""

import re
import subprocess

import pytest
from starlette.testclient import TestClient

from tests.serving.conftest import TOKEN, MakeClient


def test_nothing_comes_from_another_host(client: TestClient) -> None:
    for path in ("/docs", "/static/pages.css"):
        response = client.get(path)
        assert response.status_code == 200
        text = response.text.replace("http://testserver", "")
        assert not re.findall(r"(?:https?:)?//[a-z]|@import|url\(|<script|style=", text)


def test_the_page_shows_every_operation_with_an_example(client: TestClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}</code>" in page
            assert operation["description"]
            assert operation["summary"]
            if method == "post":
                assert operation["x-codeSamples"]
    assert "curl -F pictures=@seven.png -F pictures=@photo.jpg http://testserver/v1/predict" in page


def test_a_token_is_told_of_where_one_is_asked_for(make_client: MakeClient) -> None:
    paths = make_client().get("/openapi.json").json()["paths"]
    assert "security" not in paths["/v1/predict"]["post"]
    paths = make_client(token=TOKEN).get("/openapi.json").json()["paths"]
    assert paths["/v1/predict"]["post"]["security"] == [{"token": []}]
    assert paths["/v2/health/live"]["get"]["security"] == []
    assert "401" in paths["/v1/predict"]["post"]["responses"]


def test_it_shows_of_every_endpoint_the_options_that_it_takes(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    known = ["check", "digits", "marks", "pattern"]
    for path, fields, query in (
        ("/v1/predict", ["hand", "with_image"], ["hand", "with_image"]),
        ("/v1/explain", ["hand"], ["hand"]),
        ("/v1/read", [], known),
    ):
        operation = document["paths"][path]["post"]
        content = operation["requestBody"]["content"]
        form = content["multipart/form-data"]["schema"]
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for schema in (form, document["components"]["schemas"][name]):
            assert sorted(schema["properties"]) == sorted([*fields, "pictures"])
            assert schema["additionalProperties"] is False
        assert sorted(each["name"] for each in operation["parameters"]) == query


def test_examples_are_what_a_shell_can_read(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    samples = [
        sample["source"].format(url="http://localhost")
        for operations in document["paths"].values()
        for operation in operations.values()
        for sample in operation.get("x-codeSamples", ())
    ]
    assert len(samples) >= 5
    for sample in samples:
        done = subprocess.run(["sh", "-n", "-c", sample], check=False, capture_output=True)
        assert done.returncode == 0, sample


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_are_whole(client: TestClient, path: str) -> None:
    page = client.get(path).text
    assert '<html lang="en">' in page
    assert '<meta name="viewport"' in page
    assert page.count("<h1>") == 1
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
