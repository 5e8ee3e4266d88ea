"""Reading PyTorch's weights for the network of a recipe."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from inkwise import get_recipe, import_model
from inkwise.errors import ModelError
from inkwise.networks.layers import Activation, BatchNorm, Conv, Dense, Flatten, MaxPool
from inkwise.training.recipe import Recipe
from tests.telling import Heard

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 28, 28), np.uint8)


def theirs() -> nn.Sequential:
    torch.manual_seed(0)
    module = nn.Sequential(
        OrderedDict(
            first=nn.Conv2d(1, 4, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(4),
            act=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            second=nn.Conv2d(4, 5, 3),
            flat=nn.Flatten(),
            end=nn.Linear(5 * 12 * 12, 10),
        )
    )
    for name, buffer in module.named_buffers():
        if "running" in name:
            nn.init.uniform_(buffer, 0.5, 1)
    return module.eval()


def ours() -> Recipe:
    front = Conv(4, 3, padding="same"), BatchNorm(), Activation("relu"), MaxPool(2)
    layers = *front, Conv(5, 3), Flatten(), Dense()
    return get_recipe("case-study", network=layers)


def expected(module: nn.Module) -> Any:
    with torch.no_grad():
        return module(torch.from_numpy(IMAGES[:, None] / np.float32(255))).softmax(1).numpy()


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"epoch": 3, "state_dict": it}])
def test_weights_of_other_names_give_pytorchs_answers(wrap: Any, tmp_path: Path) -> None:
    module, path = theirs(), tmp_path / "weights.pth"
    torch.save(wrap(module.state_dict()), path)

    heard = Heard()
    model = import_model(path, recipe=ours(), progress=heard)

    np.testing.assert_allclose(model.predict_proba(IMAGES), expected(module), atol=1e-5)
    assert "conv1 has the weights of first, batch_norm1 of norm, conv2" in heard.notices[0]
    told = model.provenance["imported"]["torch"]
    assert told == {"conv1": "first", "batch_norm1": "norm", "conv2": "second", "dense1": "end"}


def test_another_order_is_told_by_the_shapes(tmp_path: Path) -> None:
    module, path = theirs(), tmp_path / "weights.pth"
    torch.save(dict(sorted(module.state_dict().items(), key=lambda each: each[0][::-1])), path)
    state = module.state_dict()
    names = ["norm", "second", "first", "end"]
    torch.save({key: state[key] for name in names for key in state if key.startswith(name)}, path)

    model = import_model(path, recipe=ours())

    np.testing.assert_allclose(model.predict_proba(IMAGES), expected(module), atol=1e-5)


def ambiguous() -> dict[str, torch.Tensor]:
    state = theirs().state_dict()
    del state["second.weight"], state["second.bias"]
    return {"another.weight": state["first.weight"], **state}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ambiguous, r"and 2 modules have \(another, first\) the shapes of conv1"),
        (lambda: {"end.weight": torch.zeros(10, 3)}, "it has 1 module with weights"),
        (lambda: {"end.weight": torch.zeros(())}, "name the recipe that describes this module"),
        (lambda: {"a": 3}, "'a', which is no tensor"),
        (dict, "it holds no tensors"),
        (theirs, "holds more than tensors, which could run code"),
    ],
    ids=["ambiguous", "few", "scalar", "number", "empty", "module"],
)
def test_what_does_not_fit_is_one_line(content: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content(), path)

    with pytest.raises(ModelError, match=reason) as caught:
        import_model(path, recipe=ours())
    assert "\n" not in str(caught.value)


class Trap:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("it ran"),)


def test_no_code_of_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("weights.pth").write_bytes(pickle.dumps({"a": Trap()}))

    with pytest.raises(ModelError, match="could run code"):
        import_model("weights.pth", recipe=ours())

    assert not Path("it ran").exists()
