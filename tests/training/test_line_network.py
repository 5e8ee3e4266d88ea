"""The network of lines in PyTorch: as ONNX, and how it learns."""

import numpy as np
import pytest
import torch

from inkwise import Dataset, Split
from inkwise.reading.line_model import open_line_model
from inkwise.training import line_learning
from inkwise.training.line_network import line_network, to_onnx

FEW = {"CHUNK": 64, "BATCH": 8}
"""A chunk of as many batches as ever, with fewer lines."""

start_composer = line_learning._start


def start_with_few(digits: Split) -> None:
    """Begin the process that composes lines, which knows of no patch of this one."""
    for name, lines in FEW.items():
        setattr(line_learning, name, lines)
    start_composer(digits)


def test_onnx_gives_the_same_probabilities_and_calibration() -> None:
    torch.manual_seed(0)
    network = line_network()
    with torch.no_grad():  # statistics of batches that are not those of the start
        for _ in range(3):
            network(torch.rand(4, 1, 32, 64))
    network.eval()
    line = np.random.default_rng(0).integers(0, 256, (32, 80), np.uint8)
    with torch.no_grad():
        scores = network(torch.from_numpy(line)[None, None].float() / 255)
    expected = scores[0, :, 0].T.softmax(-1).numpy()
    model = open_line_model(to_onnx(network, 0.7, -0.2))
    # The weights are stored in half precision.
    np.testing.assert_allclose(model.run(line), expected, atol=2e-3)
    assert (model.slope, model.offset) == (0.7, -0.2)


@pytest.mark.slow
def test_the_loss_falls_and_the_same_seed_gives_the_same_weights(
    mnist: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**FEW, "REPORTED": 1, "_start": start_with_few}.items():
        monkeypatch.setattr(line_learning, name, value)
    digits = mnist.train.take(np.arange(500))
    losses: list[float] = []
    weights: list[dict[str, torch.Tensor]] = []

    def hear(_: int, loss: float, network: torch.nn.Module) -> None:
        losses.append(loss)
        weights.append({name: value.clone() for name, value in network.state_dict().items()})
        if len(losses) == 3:
            raise KeyboardInterrupt

    line_learning.train(digits, chunks=2, seed=3, on_chunk=hear)
    with pytest.raises(KeyboardInterrupt):
        line_learning.train(digits, chunks=2, seed=3, on_chunk=hear)
    assert losses[1] < 0.6 * losses[0]
    assert losses[2] == losses[0]
    assert all(torch.equal(value, weights[2][name]) for name, value in weights[0].items())
