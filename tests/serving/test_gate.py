"""What every request passes: limits, ids, headers, the log, the token, other origins."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from inkwise import Model
from inkwise.errors import ArgumentError
from inkwise.ink import Picture
from inkwise.model.answers import preprocess
from inkwise.serving.settings import Limits, Settings
from tests.serving.conftest import TOKEN, MakeClient, png

IMAGE = {"Content-Type": "image/png"}
PREPROCESS = "inkwise.serving.batching.preprocess"


def predict(client: TestClient, content: bytes | Iterator[bytes], **headers: str) -> int:
    response = client.post("/v1/predict", content=content, headers={**IMAGE, **headers})
    if response.status_code != 200:
        problem = response.json()
        assert response.headers["content-type"] == "application/problem+json"
        assert problem["status"] == response.status_code
        assert problem["detail"]
    return response.status_code


# --- limits ---


def test_a_body_has_a_limit_whether_its_length_is_told_or_not(make_client: MakeClient) -> None:
    content = png("flat")
    client = make_client(limits=Limits(body_bytes=len(content)))
    assert predict(client, content) == 200
    assert predict(client, iter([content[:9], content[9:]])) == 200
    assert predict(client, content + b" ") == 413
    assert predict(client, iter([content, b" "])) == 413
    assert predict(client, content) == 200


def test_all_bodies_together_have_one(make_client: MakeClient) -> None:
    client = make_client(limits=Limits(held_bytes=1000))
    for _ in range(3):  # what was refused is held no longer
        assert predict(client, bytes(1001)) == 503
        assert predict(client, bytes(1000)) == 200


def test_a_request_has_so_many_pictures(make_client: MakeClient) -> None:
    client = make_client(limits=Limits(pictures=2, images=2))
    for count, status in ((2, 200), (3, 413)):
        files = [("pictures", ("a.png", png("flat")))] * count
        assert client.post("/v1/predict", files=files).status_code == status
        assert client.post("/v1/predict", json={"pictures": ["AAAA"] * count}).status_code == status
        response = client.post(
            f"/v1/predict/array?shape={count},28,28",
            content=bytes(count * 784),
            headers={"Content-Type": "application/octet-stream"},
        )
        assert response.status_code == status


def test_a_picture_has_so_many_pixels(make_client: MakeClient) -> None:
    client = make_client(limits=Limits(pixels=9_999))
    response = client.post("/v1/predict", content=png("flat"), headers=IMAGE)
    (entry,) = response.json()["pictures"]
    assert entry["error"]["status"] == 413
    assert "9,999 pixels" in entry["error"]["detail"]
    client = make_client(limits=Limits(pixels=10_000))
    assert "label" in client.post("/v1/predict", content=png("flat"), headers=IMAGE).text


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Nothing is computed before this event."""
    event = threading.Event()

    def wait(picture: Picture, *options: Any, **named: Any) -> object:
        event.wait(30)
        return preprocess(picture, *options, **named)

    monkeypatch.setattr(PREPROCESS, wait)
    yield event
    event.set()


def test_an_answer_has_so_much_time(make_client: MakeClient, slowly: threading.Event) -> None:
    client = make_client(limits=Limits(seconds=0.2))
    response = client.post("/v1/predict", content=png("flat"), headers=IMAGE)
    assert response.status_code == 503
    assert "no answer after 0.2 s" in response.json()["detail"]
    slowly.set()
    end = time.monotonic() + 30
    while (status := predict(client, png("flat"))) == 503:  # a busy machine may take as long
        assert time.monotonic() < end
    assert status == 200


def test_so_much_may_wait(make_client: MakeClient, slowly: threading.Event) -> None:
    client = make_client(limits=Limits(waiting=9))
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(predict(client, png("flat")))

    callers = [threading.Thread(target=ask) for _ in range(40)]
    for caller in callers:
        caller.start()
        time.sleep(0.005)
    end = time.monotonic() + 30
    while not statuses and time.monotonic() < end:
        time.sleep(0.01)
    response = client.post("/v1/predict", content=png("flat"), headers=IMAGE)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    infer = client.post("/v2/models/inkwise/infer", json={})
    assert infer.status_code == 503
    slowly.set()
    for caller in callers:
        caller.join(30)
    assert set(statuses) == {200, 503}
    assert predict(client, png("flat")) == 200  # and it recovers


@pytest.mark.parametrize("name", ["body_bytes", "seconds", "waiting"])
def test_a_limit_is_more_than_nothing(name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        Limits(**{name: 0})


# --- what comes with every answer ---


def test_a_sane_id_is_taken_over_and_another_replaced(client: TestClient) -> None:
    def id_of(given: str) -> str:
        headers = {"X-Request-ID": given.encode()}
        return client.get("/v2/health/live", headers=headers).headers["x-request-id"]

    assert id_of("trace-7.a:b/c=") == "trace-7.a:b/c="
    for odd in ("", "a b", "a" * 129, '"', "ä"):
        made = id_of(odd)
        assert made != odd
        assert len(made) == 32
    assert id_of("") != id_of("")


@pytest.mark.parametrize("path", ["/", "/docs", "/v2", "/nowhere", "/metrics", "/page/canvas.js"])
def test_answers_protect_whoever_reads_them(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert "access-control-allow-origin" not in headers


def test_a_request_is_logged_and_nothing_of_what_it_brings(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "inkwise.serving")
    headers = {"X-Request-ID": "mine"}
    files = {"pictures": ("secret-name.png", png("flat"))}
    client.post("/v1/predict", files=files, headers=headers)
    client.post("/v1/predict?secret=1", files=files, headers=headers)
    answered, refused = (
        vars(each)["fields"] for each in caplog.records if each.getMessage() == "request"
    )
    for fields, status in ((answered, 200), (refused, 422)):
        told = fields["request_id"], fields["status"], fields["path"]
        assert told == ("mine", status, "/v1/predict")
        assert fields["milliseconds"] > 0
        assert "secret" not in str(fields)
    assert answered["bytes_in"] > len(png("flat"))


def test_unknown_addresses_and_methods_are_problems(client: TestClient) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("GET", "/v1/predict", 405),
        ("BREW", "/v2", 405),
        ("GET", "/static/../app.py", 404),
        ("GET", "/static/nothing.css", 404),
    ):
        response = client.request(method, path)
        assert (response.status_code, response.json()["status"]) == (status, status)


def test_a_mistake_of_ours_is_a_problem_and_is_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Model, "run", fail)
    response = client.post("/v1/predict", content=png("flat"), headers=IMAGE)
    assert (response.status_code, response.json()["status"]) == (500, 500)
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()

    def fail_at_one(picture: Picture, *options: Any, **named: Any) -> object:
        if picture == png("plus"):
            fail()
        return preprocess(picture, *options, **named)

    monkeypatch.setattr(PREPROCESS, fail_at_one)  # which fails no other
    files = [("pictures", (f"{kind}.png", png(kind))) for kind in ("flat", "plus", "upright")]
    first, odd, last = client.post("/v1/predict", files=files).json()["pictures"]
    assert odd["error"]["status"] == 422
    assert (first["label"], last["label"]) == ("flat", "upright")


# --- the token ---


def test_without_the_token_only_pages_and_health_are_open(make_client: MakeClient) -> None:
    client = make_client(token=TOKEN)
    for path in ("/", "/docs", "/openapi.json", "/static/pages.css", "/page/canvas.js"):
        assert client.get(path).status_code == 200
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert client.get(path).status_code == 200
    for path in ("/metrics", "/v2", "/v2/models/inkwise", "/nowhere", "/docs/"):
        response = client.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
    for odd in ("", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}"):
        assert predict(client, png("flat"), Authorization=odd) == 401
    for good in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        assert predict(client, png("flat"), Authorization=good) == 200


@pytest.mark.parametrize("token", ["", "short", "with spaces in its middle", "ä" * 20, "a" * 600])
def test_a_token_that_cannot_be_one_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ArgumentError, match="openssl rand") as caught:
        Settings(token=token)
    assert not token or token not in str(caught.value)
    assert TOKEN not in repr(Settings(token=TOKEN))


# --- other origins ---

PREFLIGHT = {
    "Origin": "https://example.com",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


def test_other_origins_are_let_in_only_if_asked_for(make_client: MakeClient) -> None:
    assert make_client().options("/v1/predict", headers=PREFLIGHT).status_code == 405
    client = make_client(cors=("https://example.com",), token=TOKEN)
    allowed = client.options("/v1/predict", headers=PREFLIGHT)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://example.com"
    # A page can read why it was refused.
    refused = client.post("/v1/predict", headers={"Origin": "https://example.com"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://example.com"
    other = client.options("/v1/predict", headers={**PREFLIGHT, "Origin": "https://example.org"})
    assert "access-control-allow-origin" not in other.headers


def test_pages_of_other_origins_can_read_what_the_gate_refuses(
    make_client: MakeClient, slowly: threading.Event
) -> None:
    client = make_client(
        cors=("https://example.com",), limits=Limits(body_bytes=len(png("flat")), seconds=0.2)
    )
    for content, status in ((png("flat") + b" ", 413), (png("flat"), 503)):
        for origin in ("https://example.com", "https://example.org"):
            response = client.post(
                "/v1/predict", content=content, headers={**IMAGE, "Origin": origin}
            )
            assert response.status_code == status
            allowed = response.headers.get("access-control-allow-origin")
            assert allowed == (origin if origin == "https://example.com" else None)
            assert response.headers["vary"] == "Origin"
            # What the gate adds to every answer is there once.
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["x-request-id"] == response.json()["request_id"]
    slowly.set()


def test_pages_of_other_origins_can_read_that_they_were_too_slow(make_client: MakeClient) -> None:
    client = make_client(cors=("*",), limits=Limits(seconds=0.1))
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"image/png"), (b"origin", b"https://example.com")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/predict",
        "query_string": b"",
        "headers": headers,
    }
    asyncio.run(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 408
    assert (b"access-control-allow-origin", b"*") in sent[0]["headers"]


@pytest.mark.parametrize("origin", ["example.com", "https://example.com/page", "https://*", ""])
def test_an_origin_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ArgumentError, match="is not an origin"):
        Settings(cors=(origin,))


@pytest.mark.parametrize(
    "values", [{"port": -1}, {"port": 70_000}, {"workers": 0}, {"workers": 1000}]
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match=str(next(iter(values.values())))):
        Settings(**values)  # type: ignore[arg-type]
