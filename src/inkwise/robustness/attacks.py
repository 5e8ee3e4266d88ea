"""Attacks: images changed by as little as it takes to mislead one certain network.

They look into the network for its gradient, so that they say how far it is from its worst case,
and nothing about handwriting. Every grey level may move by a budget (the L∞ norm), in whole levels:
what comes out are images like any others.

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
"""Of projected gradient descent: Madry's."""

_BATCH = 256


def fgsm(
    model: Model, images: NDArray[np.uint8], labels: NDArray[np.int64], budget: int
) -> NDArray[np.uint8]:
    """Attack by the fast gradient sign method: one step, as far as the budget goes.

    Parameters
    ----------
    model : Model
    images : ndarray of uint8, shape (N, H, W)
        Light ink on a black ground, of the model's size.
    labels : ndarray of int64, shape (N,)
    budget : int
        How far a pixel may move, from 0 to 255 grey levels; ε is this divided by 255.

    Returns
    -------
    ndarray of uint8, shape (N, H, W)
        An image that the model is wrong about comes back as it was: there is nothing left to do.

    Raises
    ------
    ArgumentError
        The budget is out of range, or the images have another type or size.
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
    """Attack by projected gradient descent: many short steps from a random place in the budget.

    Forty steps of a sixteenth of the budget, at least one grey level, so that it can be crossed
    more than twice; an image rests as soon as the model is wrong about it. Otherwise it is like
    `fgsm`.

    Parameters
    ----------
    model, images, labels, budget
        As for `fgsm`.
    seed : int
        Draws where to start.
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
    """Climb the loss from `start` in steps of a size, never farther than `budget` from `images`."""
    require_training("an attack")
    import torch

    _check_budget(budget)
    attacked = images.copy()
    to_do = np.flatnonzero(model.predict(images) == labels)
    if budget == 0:
        return attacked
    module = _build(model)
    for places in np.split(to_do, range(_BATCH, len(to_do), _BATCH)):
        original = torch.from_numpy(images[places]).float().unsqueeze(1)
        low, high = (original - budget).clamp(min=0), (original + budget).clamp(max=255)
        now = torch.from_numpy(start[places]).float().unsqueeze(1)
        true = torch.from_numpy(labels[places])
        left = torch.arange(len(places))  # that the model is still right about
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
    """Return the model's network in PyTorch; it draws nothing from its generator."""
    import torch

    from inkwise.networks.as_torch import build

    with torch.random.fork_rng(devices=[]):
        module = build(model.network)
    module.load_state_dict({name: torch.tensor(array) for name, array in model.weights.items()})
    return module.eval().requires_grad_(requires_grad=False)


def _climb(module: "nn.Module", images: "Tensor", labels: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return logits, and the gradient of the loss with respect to grey levels."""
    import torch
    from torch.nn import functional

    images = images.requires_grad_()
    logits = module(images / 255)
    loss = functional.cross_entropy(logits, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, images)
    return logits.detach(), gradient
