"""Metrics for Prometheus: requests, latencies, batches, and verdicts."""

import os
from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder through which workers share their metrics."""

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
"""All other methods are counted as one, because clients can invent any number of them."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Metrics:
    """The metrics of one worker; `show` combines those of all workers."""

    def __init__(self) -> None:
        disable_created_metrics()
        self._registry = CollectorRegistry()
        make: dict[str, Any] = {"registry": self._registry}
        self._requests = Counter(
            "inkwise_requests",
            "Requests that were answered.",
            ["endpoint", "method", "status"],
            **make,
        )
        self._seconds = Histogram(
            "inkwise_request_seconds",
            "Seconds from the end of a request's head to the end of its response.",
            ["endpoint"],
            buckets=_SECONDS,
            **make,
        )
        self._batches = Histogram(
            "inkwise_batch_images", "Images that were computed together.", buckets=_IMAGES, **make
        )
        self._waiting = Gauge(
            "inkwise_waiting_images",
            "Work in the queue, in images; a picture counts as several.",
            multiprocess_mode="livesum",
            **make,
        )
        self._verdicts = Counter(
            "inkwise_verdicts", "Answers by their verdicts.", ["verdict"], **make
        )
        self._model = Gauge(
            "inkwise_model_info",
            "1 for the model that is served, 0 for those that were served before.",
            ["name", "version"],
            multiprocess_mode="livemax",
            **make,
        )
        if SHARED not in os.environ:
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)
        # Cached, because looking a metric up by its labels takes longer than counting.
        self._children: dict[
            tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]
        ] = {}
        self._counts: dict[str, Callable[[float], None]] = {}
        self._served: tuple[str, str] | None = None

    def request(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count a request by the route that handled it, and not by its path."""
        key = endpoint, method, status
        child = self._children.get(key)
        if child is None:
            shown = method if method in METHODS else "other"
            child = (
                self._requests.labels(endpoint, shown, str(status)).inc,
                self._seconds.labels(endpoint).observe,
            )
            if shown == method:
                self._children[key] = child
        count, observe = child
        count()
        observe(seconds)

    def batch(self, images: int) -> None:
        """Record the number of images in a batch."""
        self._batches.observe(images)

    def waiting(self, images: int) -> None:
        """Record the amount of queued work."""
        self._waiting.set(images)

    def verdict(self, verdict: str, count: int = 1) -> None:
        """Count answers by verdict; pictures that cannot be read are counted as ``unreadable``."""
        add = self._counts.get(verdict)
        if add is None:
            add = self._counts[verdict] = self._verdicts.labels(verdict).inc
        add(count)

    def model(self, name: str, version: str) -> None:
        """Record which model is served from now on."""
        if self._served is not None:
            self._model.labels(*self._served).set(0)
        self._served = name, version
        self._model.labels(name, version).set(1)

    def show(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        everyone = CollectorRegistry()
        multiprocess.MultiProcessCollector(everyone)
        return generate_latest(everyone)
