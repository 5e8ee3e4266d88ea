"""Compare the answers of random networks on PyTorch, ONNX Runtime and Keras, and when folded.

The networks are those of the property tests: every layer, in every order that is allowed, with
random weights. Prints the largest difference between probabilities, and fails above 1e-5. The
benchmark is for development; the tests draw a few dozen of the same networks.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record import write_record

from inkwise.networks.as_keras import build_keras, require_keras, set_weights
from inkwise.networks.as_onnx import to_onnx
from inkwise.networks.as_torch import build
from inkwise.networks.folding import fold
from inkwise.networks.network import Network

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.networks import draw_weights, networks

LIMIT = 1e-5


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=300, metavar="N")
    count = parser.parse_args().networks
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    require_keras("this benchmark")
    worst = {"onnx": 0.0, "onnx, folded": 0.0, "keras": 0.0}
    kinds: dict[str, int] = {}

    @settings(
        max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(network=networks(), seed=st.integers(0, 2**32 - 1))
    def compare(network: Network, seed: int) -> None:
        for kind in {type(line.layer).__name__ for line in network.summary()}:
            kinds[kind] = kinds.get(kind, 0) + 1
        for way, difference in differences(network, seed).items():
            worst[way] = max(worst[way], difference)

    compare()
    for way, difference in worst.items():
        print(f"{way}: probabilities differ from PyTorch's by up to {difference:.1e}")
    print(", ".join(f"{kind} in {count}" for kind, count in sorted(kinds.items())))
    figures = {"networks": count, "largest_difference": worst, "networks_with": kinds}
    print(f"wrote {write_record('random-networks', figures)}")
    sys.exit(max(worst.values()) > LIMIT)


def differences(network: Network, seed: int) -> dict[str, float]:
    """Return the largest difference from PyTorch's probabilities, by way of computing them."""
    weights = draw_weights(network, seed)
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (4, *network.image_size), np.uint8)
    module = build(network).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    with torch.no_grad():
        expected = module(torch.from_numpy(images).unsqueeze(1) / 255).softmax(1).numpy()
    keras = build_keras(network)
    set_weights(keras, weights)
    answers = {"keras": np.asarray(keras(images[..., None].astype(np.float32) / 255))}
    for way, parts in (("onnx", (network, weights)), ("onnx, folded", fold(network, weights))):
        session = onnxruntime.InferenceSession(to_onnx(*parts, {}))
        (answers[way],) = session.run(["probabilities"], {"images": images})
    return {way: float(abs(found - expected).max()) for way, found in answers.items()}


if __name__ == "__main__":
    main()
