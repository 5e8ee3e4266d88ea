from pathlib import Path

import pytest

from inkwise.model import Model
from inkwise.networks.named import case_study
from tests.models import DIGITS, PROVENANCE, make, small


@pytest.fixture(scope="module")
def model() -> Model:
    return make(case_study((28, 28), 10), DIGITS, **PROVENANCE)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return small().save(tmp_path / "model")
