"""Tests of the bench, and measurements and contenders made up for them."""

from collections.abc import Callable
from typing import Any

from inkwise.bench.contenders import Contender
from inkwise.bench.measurement import Measurement

FAKE = "tests.bench.fake"

Enter = Callable[..., None]
"""Lets the bench have these contenders and no others; see `tests.bench.fixtures`."""


def measurement(contender: str = "swift", number: int = 1, **figures: Any) -> Measurement:
    return Measurement(
        contender,
        number,
        **{
            "training_images": 1_000,
            "startup_seconds": 2.0,
            "history": ((3.0, 0.985), (6.0, 0.991)),
            "evaluation_seconds": 1.0,
            "test_images": 10_000,
            "batch_seconds": 0.2,
            "single_seconds": 1e-4,
            "training_memory": 500_000_000,
            "prediction_memory": None,
            "model_bytes": 1_000_000,
            **figures,
        },
    )


def fake(name: str, **fields: Any) -> Contender:
    """Return a contender whose program does what its name says; see `tests.bench.fake`."""
    return Contender(name, f"the {name}", (FAKE,), **fields)
