"""Adversarial attacks: small changes of images that make a given network misclassify them.

The attacks follow the gradient of the network, so they measure its worst case and say nothing about
handwriting. The budget bounds the change of every pixel (the L∞ norm), in whole grey levels, so the
results are ordinary uint8 images.

References
----------
I. J. Goodfellow, J. Shlens, C. Szegedy, "Explaining and harnessing adversarial examples", ICLR
2015, arXiv:1412.6572; A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu, "Towards deep
learning models resistant to adversarial attacks", ICLR 2018, arXiv:1706.06083.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from inkwise.errors import ArgumentError
from inkwise.model import Model
from inkwise.system.extras import require_training

if TYPE_CHECKING:
    from torch import Tensor, nn

STEPS = 40
"""Number of steps of projected gradient descent, as used by Madry et al."""

_BATCH = 256


def fgsm(
    model: Model, images: NDArray[np.uint8], labels: NDArray[np.int64], budget: int
) -> NDArray[np.uint8]:
    """Attack by the fast gradient sign method: one step of the size of the budget.

    Parameters
    ----------
    model : Model
    images : ndarray of uint8, shape (N, H, W)
        Light ink on a black background, of the model's image size.
    labels : ndarray of int64, shape (N,)
        The true classes.
    budget : int
        Largest change of a pixel, from 0 to 255 grey levels; ε is this divided by 255.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)
        The attacked images. An image that the model misclassifies already is returned unchanged.

    Raises
    ------
    ArgumentError
        The budget is out of range, or the images do not have the type or size of the model.
    LibraryError
        PyTorch is not installed.
    """
    return _attack(model, images, labels, budget, steps=1, size=budget, start=images)


def pgd(
    model: Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    budget: int,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Attack by projected gradient descent: many short steps from a random start.

    It takes at most forty steps of a sixteenth of the budget, at least one grey level, from a start
    drawn within the budget. An image is finished as soon as the model misclassifies it. Everything
    else is as in `fgsm`.

    Parameters
    ----------
    model, images, labels, budget
        As for `fgsm`.
    seed : int
        Seed of the random start.
    """
    _check_budget(budget)
    generator = np.random.default_rng(seed)
    noise = generator.integers(-budget, budget, size=images.shape, endpoint=True)
    start = np.clip(images + noise, 0, 255).astype(np.uint8)
    return _attack(
        model, images, labels, budget, STEPS, size=max(1, round(budget / 16)), start=start
    )


def _check_budget(budget: int) -> None:
    if budget not in range(256):
        raise ArgumentError(f"a budget is a whole number of grey levels, 0 to 255, not {budget}")


def _attack(
    model: Model,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    budget: int,
    steps: int,
    size: int,
    start: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Increase the loss by signed gradient steps from `start`, within `budget` of `images`."""
    require_training("an attack")
    import torch

    _check_budget(budget)
    attacked = images.copy()
    to_do = np.flatnonzero(model.predict(images) == labels)
    if budget == 0:
        return attacked
    module = _build(model)
    for places in np.split(to_do, range(_BATCH, len(to_do), _BATCH)):
        original = torch.from_numpy(images[places]).float().unsqueeze(1)  # (N, 1, H, W)
        low, high = (original - budget).clamp(min=0), (original + budget).clamp(max=255)
        now = torch.from_numpy(start[places]).float().unsqueeze(1)
        true = torch.from_numpy(labels[places])
        left = torch.arange(len(places))  # images still classified correctly
        for _ in range(steps):
            logits, gradient = _climb(module, now[left], true[left])
            right = logits.argmax(1) == true[left]
            left, gradient = left[right], gradient[right]
            if not len(left):
                break
            now[left] = (now[left] + size * gradient.sign()).clamp(low[left], high[left])
        attacked[places] = now.squeeze(1).byte().numpy()
    return attacked


def _build(model: Model) -> "nn.Module":
    """Return the model's network in PyTorch, leaving PyTorch's random generator as it was."""
    import torch

    from inkwise.networks.as_torch import build

    with torch.random.fork_rng(devices=[]):
        module = build(model.network)
    module.load_state_dict({name: torch.tensor(array) for name, array in model.weights.items()})
    return module.eval().requires_grad_(requires_grad=False)


def _climb(module: "nn.Module", images: "Tensor", labels: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return the logits, and the gradient of the loss with respect to the grey levels."""
    import torch
    from torch.nn import functional

    images = images.requires_grad_()
    logits = module(images / 255)
    loss = functional.cross_entropy(logits, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, images)
    return logits.detach(), gradient
