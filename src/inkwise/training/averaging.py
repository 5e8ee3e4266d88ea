"""Weight averaging: a network whose weights are the moving average of another's."""

import copy

import torch
from torch import Tensor, nn


# PyTorch's AveragedModel counts its updates on the host, so that no CUDA graph can record one whose
# share depends on the count; it copies the first weights, and is no faster.
class Average:
    """A copy of a module with an exponential moving average of its weights.

    Parameters
    ----------
    module : torch.nn.Module
        The module that is trained.
    decay : float
        Factor of the old average in an update, in (0, 1). The first updates use a smaller one, so
        that the initial weights are soon forgotten.

    References
    ----------
    B. T. Polyak, A. B. Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self._current, self._averages = (
            [value for value in each.state_dict().values() if value.is_floating_point()]
            for each in (module, self.module)
        )
        self._decay = decay
        self._updates = torch.zeros((), device=self._averages[0].device)

    @torch.no_grad()
    def update(self) -> None:
        """Update the average with the current weights of the module."""
        self._updates += 1
        share = 1 - ((1 + self._updates) / (10 + self._updates)).clamp(max=self._decay)
        for average, current in zip(self._averages, self._current, strict=True):
            average.lerp_(current, share)

    def state(self) -> dict[str, Tensor]:
        """Return the averages and the number of updates, not copied."""
        return {**self.module.state_dict(), "updates": self._updates}
