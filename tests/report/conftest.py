"""A run whose names are as awkward as a user's own may be."""

import dataclasses

import pytest

from inkwise import Dataset, Run, train


@pytest.fixture(scope="session")
def awkward(
    animals: Dataset, tmp_path_factory: pytest.TempPathFactory, matplotlib_home: None
) -> Run:
    """A run with names full of HTML, and others far too long for a phone. It is shared."""
    dataset = dataclasses.replace(
        animals,
        name="my <i>scans</i>",
        title="Scans & <u>photos</u>",
        class_names=("<b>&amp;", "<script>alert('1')</script>", "donaudampfschifffahrt" * 3),
        source="/a/very/long/folder" * 8,
        notice="<img src=x onerror=alert(1)> " + "unbroken" * 15,
    )
    path = tmp_path_factory.mktemp("awkward") / "run"
    return train(dataset=dataset, epochs=1, output=path)
