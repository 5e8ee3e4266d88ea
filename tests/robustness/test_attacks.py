from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inkwise import Run
from inkwise.data.dataset import Dataset
from inkwise.errors import ArgumentError
from inkwise.model import Model
from inkwise.robustness.attacks import fgsm, pgd
from tests.strokes import draw, strokes

BUDGETS = (1, 16, 40)


@pytest.fixture(scope="module")
def model(finished: Path) -> Model:
    return Run(finished).model


def test_no_budget_changes_nothing(model: Model, optdigits: Dataset) -> None:
    digits = optdigits.train
    for attack in (fgsm, pgd):
        assert np.array_equal(attack(model, digits.images, digits.labels, 0), digits.images)


def test_what_comes_out_is_within_the_budget(model: Model, optdigits: Dataset) -> None:
    digits = optdigits.train.take(np.arange(40))
    before = digits.images.copy()
    for attack in (fgsm, pgd):
        for budget in BUDGETS:
            attacked = attack(model, digits.images, digits.labels, budget)
            assert attacked.dtype == np.uint8
            assert np.abs(attacked.astype(int) - digits.images).max() == budget
    assert np.array_equal(digits.images, before)


def test_many_steps_mislead_at_least_as_often_as_one(model: Model, optdigits: Dataset) -> None:
    digits = optdigits.train.take(np.arange(60))

    def right(images: NDArray[np.uint8]) -> int:
        return int(np.sum(model.predict(images) == digits.labels))

    clean = right(digits.images)
    for budget in BUDGETS:
        one = right(fgsm(model, digits.images, digits.labels, budget))
        many = right(pgd(model, digits.images, digits.labels, budget))
        assert many <= one <= clean
    assert many < one < 0.9 * clean


def test_noise_as_large_misleads_less(model: Model, optdigits: Dataset) -> None:
    digits = optdigits.train.take(np.arange(120))
    signs = np.random.default_rng(0).choice([-24, 24], size=digits.images.shape)
    noisy = np.clip(digits.images + signs, 0, 255).astype(np.uint8)
    attacked = fgsm(model, digits.images, digits.labels, 24)
    errors = [np.mean(model.predict(images) != digits.labels) for images in (noisy, attacked)]
    assert errors[1] > errors[0] + 0.1


def test_of_a_linear_model_the_step_is_known() -> None:
    model = strokes()
    image = 255 - np.asarray(draw("upright").resize((28, 28)))[None]
    labels = np.array([0])
    attacked = fgsm(model, image, labels, 10).astype(int) - image
    weight = model.weights["dense1.weight"].reshape(3, 28, 28)
    # The loss grows where flat, the only other stroke to speak of, has more weight.
    toward = np.sign(weight[1] - weight[0])
    inner = (image[0] >= 10) & (image[0] <= 245) & (toward != 0)
    assert np.array_equal(attacked[0][inner], 10 * toward[inner])


def test_what_is_wrong_already_stays_as_it_is(model: Model, optdigits: Dataset) -> None:
    digits = optdigits.train.take(np.arange(50))
    wrong = (digits.labels + 1) % 10
    for attack in (fgsm, pgd):
        attacked = attack(model, digits.images, wrong, 20)
        moved = (attacked != digits.images).any(axis=(1, 2))
        assert not moved[model.predict(digits.images) != wrong].any()


def test_pgd_is_the_same_again_and_leaves_pytorchs_generator(
    model: Model, optdigits: Dataset
) -> None:
    digits = optdigits.train.take(np.arange(30))
    state = torch.get_rng_state()
    first, again = (pgd(model, digits.images, digits.labels, 20, seed=3) for _ in range(2))
    assert np.array_equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("budget", [-1, 256, 0.5])
def test_budget_out_of_range_is_refused(model: Model, optdigits: Dataset, budget: int) -> None:
    digits = optdigits.test
    for attack in (fgsm, pgd):
        with pytest.raises(ArgumentError, match="grey levels, 0 to 255"):
            attack(model, digits.images, digits.labels, budget)
