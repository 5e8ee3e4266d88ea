import pytest
import torch
from torch import Tensor

from inkwise.data.dataset import Dataset
from inkwise.training.augmentation import Augmentation
from inkwise.training.outliers import augmentation_of_outliers, make_outliers
from inkwise.training.step import to_inputs


@pytest.fixture(scope="module")
def digits(mnist: Dataset) -> Tensor:
    return to_inputs(torch.from_numpy(mnist.train.images[:200]))


@pytest.mark.parametrize("count", [1, 5, 6, 25, 300])
def test_as_many_pictures_are_drawn_as_were_asked_for(count: int, digits: Tensor) -> None:
    torch.manual_seed(0)
    outliers = make_outliers(digits, count)
    assert outliers.shape == (count, 1, 28, 28)
    assert outliers.dtype == torch.float32
    assert outliers.min() >= 0
    assert outliers.max() <= 1


def test_no_outlier_is_an_image_and_no_two_are_the_same(digits: Tensor) -> None:
    torch.manual_seed(0)
    outliers = make_outliers(digits, 300).flatten(1)
    assert torch.cdist(outliers, digits.flatten(1)).min() > 0.5
    drawn = outliers[outliers.sum(1) > 0]
    assert len(torch.unique(drawn, dim=0)) == len(drawn) > 270


def test_images_of_any_size() -> None:
    torch.manual_seed(0)
    assert make_outliers(torch.rand(10, 1, 17, 30), 60).shape == (60, 1, 17, 30)


def test_a_pair_shows_two_images_from_overlapping_to_apart_in_the_place_of_one() -> None:
    bar = torch.zeros(4, 1, 28, 28)
    bar[..., 4:24, 10:18] = 1
    torch.manual_seed(0)
    pairs = make_outliers(bar, 400)[:100, 0]
    row = pairs[:, 14] > 0.5
    starts = row[:, 0].int() + (row[:, 1:] & ~row[:, :-1]).sum(1)
    assert {1, 2} == set(starts.tolist())
    assert (starts == 2).float().mean() > 0.5
    assert pairs[:, :3].max() == pairs[:, -3:].max() == 0
    assert pairs[..., :3].max() == pairs[..., -3:].max() == 0


def test_outliers_undergo_nothing_that_draws_a_stroke() -> None:
    drawn = ("serifs", "lines", "zigzag", "stripe")
    augmentation = Augmentation(shift=1, effects=dict.fromkeys(drawn, 1) | {"blur": 1})
    assert augmentation_of_outliers(augmentation) == Augmentation(shift=1, effects={"blur": 1})


@pytest.mark.parametrize("kind", [4, 5])
def test_polygons_and_crossed_strokes_are_not_thin(kind: int, digits: Tensor) -> None:
    torch.manual_seed(0)
    drawn = make_outliers(digits, 800)[100 * kind : 100 * (kind + 1)]
    for picture in drawn[:, 0] > 0.5:
        rows, columns = picture.nonzero(as_tuple=True)
        # 0.4 of the 0.6 of 28 pixels on which they are drawn, less what is rounded away.
        assert min(rows.max() - rows.min(), columns.max() - columns.min()) >= 6
