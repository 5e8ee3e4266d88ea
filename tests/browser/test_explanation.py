"""The browser's explanation is that of the library."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inkwise.explanation.evidence import where
from inkwise.explanation.occlusion import Occlusion
from tests.browser.engine import Engine

pytestmark = pytest.mark.browser


def images() -> list[NDArray[np.uint8]]:
    """Images of several sizes, some with ink in one place, and one without."""
    generator = np.random.default_rng(0)
    made = [np.zeros((28, 28), np.uint8)]
    for height, width in [(28, 28), (28, 28), (8, 8), (5, 9), (32, 20), (3, 3)]:
        image = generator.integers(0, 256, (height, width), np.uint8)
        image[generator.random((height, width)) < 0.7] = 0
        image[: generator.integers(height), : generator.integers(width)] = 0
        made.append(image)
    return made


def test_the_map_and_the_place_of_the_strongest_evidence(engine: Engine) -> None:
    generator = np.random.default_rng(1)
    for image in images():
        occlusion = Occlusion(image)
        logits = generator.normal(0, 3, (len(occlusion.copies), 10)).astype(np.float32)
        values = occlusion.map(logits)
        found = engine(
            """
            const { occlude } = await load("explanation.js");
            let copies;
            const run = async (images) => { copies = images; return { logits }; };
            return { ...(await occlude(image, { run })), copies };
            """,
            image=image,
            logits=logits.ravel(),
        )
        assert found["copies"].tolist() == occlusion.copies.ravel().tolist()
        assert found["evidence"] == values.astype(float).round(4).tolist()
        assert found["strongest"] == (where(values) if values.max() > 0 else None)
