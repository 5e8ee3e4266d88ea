import pytest
import torch

from inkwise.errors import ArgumentError
from inkwise.training.device import choose_device, describe_device


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    assert choose_device("cpu").type == "cpu"


def test_auto_takes_the_processor_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "cpu"
    assert choose_device("mps").type == "mps"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_here_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.mps, "is_available", lambda: False)
    with pytest.raises(ArgumentError, match=f"has no device '{name}': use --device auto"):
        choose_device(name)


def test_a_graphics_processor_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    assert describe_device(torch.device("cuda")) == "NVIDIA H200"
    assert describe_device(torch.device("cpu")) == "cpu"


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(ArgumentError, match="unknown device 'tpu': use auto, cpu, cuda, mps"):
        choose_device("tpu")
