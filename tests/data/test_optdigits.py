import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from inkwise.data.dataset import Dataset
from inkwise.data.optdigits import load_optdigits


def every_image(dataset: Dataset) -> NDArray[np.uint8]:
    return np.concatenate([dataset.train.images, dataset.test.images])


def test_optdigits_is_all_of_scikit_learn_s_digits(optdigits: Dataset) -> None:
    assert optdigits.name == "optdigits"
    assert optdigits.class_names == tuple("0123456789")
    assert optdigits.train.images.shape == (1438, 28, 28)
    assert optdigits.test.images.shape == (359, 28, 28)
    labels = np.concatenate([optdigits.train.labels, optdigits.test.labels])
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(load_digits().target))
    assert len(np.unique(every_image(optdigits), axis=0)) == 1797


def test_both_parts_hold_every_class_at_its_share(optdigits: Dataset) -> None:
    train, test = (np.bincount(part.labels) for part in (optdigits.train, optdigits.test))
    np.testing.assert_array_less(abs(test - (train + test) * 359 / 1797), 1)


def test_the_digits_are_in_mnist_s_geometry(optdigits: Dataset) -> None:
    for image in every_image(optdigits):
        rows, columns = np.nonzero(image)
        # Antialiasing may leave the outermost row or column empty.
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        centre = np.average(np.argwhere(image), axis=0, weights=image[rows, columns])
        np.testing.assert_allclose(centre, 14, atol=0.5)
        assert image.max() > 150


def test_the_digits_look_as_they_did_at_eight_pixels(optdigits: Dataset) -> None:
    # Shrunk again, an image resembles its own original more than nearly all the others.
    originals = load_digits().images.reshape(1797, -1)
    images = optdigits.test.images[:, 4:24, 4:24].astype(float)
    small = images.reshape(-1, 10, 2, 10, 2).mean(axis=(2, 4))[:, 1:9, 1:9].reshape(359, -1)
    labels = load_digits().target
    nearest = np.corrcoef(small, originals)[:359, 359:].argmax(axis=1)
    assert (labels[nearest] == optdigits.test.labels).mean() > 0.8


def test_everybody_gets_the_same_parts(optdigits: Dataset) -> None:
    assert load_optdigits().sha256 == optdigits.sha256
