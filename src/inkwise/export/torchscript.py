"""A model as a TorchScript file."""

import io
import warnings

import torch
from torch import Tensor, nn

from inkwise.model import Model
from inkwise.networks.module import build


class _Predictor(nn.Module):
    """Grey levels, uint8 (N, H, W), to probabilities, as `Model.predict_proba` has it."""

    class_names: list[str]
    temperature: float

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.class_names = list(model.class_names)
        self.temperature = model.calibration.temperature
        self.network = build(model.network)
        weights = {name: torch.tensor(array) for name, array in model.weights.items()}
        self.network.load_state_dict(weights)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(images.unsqueeze(1).float() / 255)
        return torch.softmax(logits / self.temperature, 1)


def torchscript_bytes(model: Model) -> bytes:
    """Return a TorchScript file: uint8 (N, H, W) to float32 (N, classes), and ``class_names``."""
    module = _Predictor(model).eval().requires_grad_(False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # PyTorch would rather have its new format, which needs more than a runtime to be read.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()
