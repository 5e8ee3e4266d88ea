"""Export of a model as a TorchScript file."""

import io
import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkwise.model import Model
from inkwise.networks.as_torch import build
from inkwise.networks.rotations import rotation_grid


class _Predictor(nn.Module):
    """A module from grey levels, uint8 (N, H, W), to the probabilities of `Model.predict_proba`.

    With several rotations it does test-time augmentation: it averages the probabilities over them.
    """

    class_names: list[str]
    temperature: float
    looks: int
    rotated: bool

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.class_names = list(model.class_names)
        self.temperature = model.calibration.temperature
        self.network = build(model.network)
        weights = {name: torch.tensor(array) for name, array in model.weights.items()}
        self.network.load_state_dict(weights)
        self.looks = len(model.rotations)
        self.rotated = any(model.rotations)
        size = model.network.image_size
        grids = [rotation_grid(size, degrees) for degrees in model.rotations]
        self.grids = nn.Buffer(torch.from_numpy(np.concatenate(grids)))

    def forward(self, images: Tensor) -> Tensor:
        inputs = images.unsqueeze(1).float() / 255  # (N, 1, H, W)
        if not self.rotated:
            logits = self.network(inputs)
        else:
            grids = self.grids.repeat_interleave(len(inputs), 0)  # (looks * N, H, W, 2)
            looks = inputs.repeat(self.looks, 1, 1, 1)  # (looks * N, 1, H, W)
            rotated = functional.grid_sample(looks, grids, align_corners=False)
            each = torch.log_softmax(self.network(rotated), 1)  # (looks * N, classes)
            # The logarithm of the sum of the probabilities; the softmax below normalises it.
            logits = torch.logsumexp(each.unflatten(0, [self.looks, -1]), 0)
        return torch.softmax(logits / self.temperature, 1)


def torchscript_bytes(model: Model) -> bytes:
    """Return a TorchScript file, a module from uint8 (N, H, W) to probabilities (N, classes).

    The module also has the attribute ``class_names``.
    """
    module = _Predictor(model).eval().requires_grad_(False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch recommends its newer export format, but no plain runtime can read that.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()
