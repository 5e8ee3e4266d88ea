"""Whether classes are made of several pieces, as their images tell."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from inkwise import Dataset, Split
from inkwise.data.several_pieces import keeps_together
from inkwise.ink import normalise
from tests.folders import IN_PIECES, write_symbols


@pytest.mark.parametrize(
    "symbol", sorted(IN_PIECES.keys() - {"percent"})
)  # whose pieces touch at 28×28
def test_images_of_signs_in_pieces_are_known(symbol: str, mnist: Dataset, tmp_path: Path) -> None:
    folder = write_symbols(tmp_path, {symbol: symbol}, 10)
    signs = np.stack([normalise(file, together=True).image for file in folder.glob("*/*.png")])
    digits = mnist.train.take(np.arange(500))
    both = Split(
        np.concatenate([digits.images, signs]), np.concatenate([digits.labels, np.full(10, 10)])
    )

    dataset = Dataset("own", "own", (*mnist.class_names, symbol), both, both, "drawn")

    assert keeps_together(dataset)
    assert not keeps_together(dataclasses.replace(dataset, together=False))
    assert not keeps_together(mnist)


def test_images_that_the_network_takes_as_they_are_have_no_pieces() -> None:
    images = np.zeros((10, 20, 20), np.uint8)
    images[:, 2:8] = images[:, 12:18] = 255
    split = Split(images, np.arange(10) % 2)
    assert not keeps_together(Dataset("bars", "bars", ("a", "b"), split, split, "drawn"))
