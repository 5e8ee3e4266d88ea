"""What is counted."""

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.serving.conftest import png


def metrics(client: TestClient) -> dict[tuple[str, tuple[str, ...]], float]:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_batches_and_verdicts_are_counted(client: TestClient) -> None:
    kinds = ("flat", "upright", "plus", "cross", "blank")
    files = [("pictures", (kind, png(kind))) for kind in kinds] + [("pictures", ("a", b"a"))]
    for _ in range(2):
        client.post("/v1/predict", files=files)
    client.post("/v1/predict", content=b"", headers={"Content-Type": "text/plain"})
    client.post("/v1/predict/array", json={"images": [[[0] * 28] * 28] * 3})
    client.get("/a/path/that/callers/make/up")
    client.request("BREW", "/v1/predict")
    found = metrics(client)
    requests = {
        labels: value for (name, labels), value in found.items() if name.endswith("_requests_total")
    }
    assert requests == {
        ("/v1/predict", "POST", "200"): 2,
        ("/v1/predict", "POST", "415"): 1,
        ("/v1/predict/array", "POST", "200"): 1,
        ("other", "GET", "404"): 1,
        ("/v1/predict", "other", "405"): 1,
    }
    verdicts = {labels: value for (name, labels), value in found.items() if "verdicts" in name}
    assert verdicts == {
        ("digit",): 4,
        ("unsure",): 2,
        ("not a digit",): 4 + 3,
        ("unreadable",): 2,
    }
    assert found["inkwise_batch_images_sum", ()] == 2 * 6 + 3
    assert found["inkwise_request_seconds_count", ("/v1/predict",)] == 4
    assert found["inkwise_waiting_images", ()] == 0
    assert found["process_resident_memory_bytes", ()] > 0
