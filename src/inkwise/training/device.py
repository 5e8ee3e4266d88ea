"""The device that a training runs on: the CPU or a graphics processor (GPU)."""

import torch

from inkwise.errors import ArgumentError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """Return the device with this name.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        ``auto`` is ``cuda`` if there is such a device, else ``cpu``. Apple's ``mps`` is used only
        when named, because the recipes were not measured on it.

    Raises
    ------
    ArgumentError
        The name is unknown, or this machine has no such device.
    """
    if name not in DEVICES:
        raise ArgumentError(f"unknown device {name!r}: use {', '.join(DEVICES)}")
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if name == "auto":
        name = "cuda" if here["cuda"] else "cpu"
    if not here[name]:
        raise ArgumentError(
            f"this machine, or this build of PyTorch, has no device {name!r}: use --device auto"
        )
    return torch.device(name)


def describe_device(device: torch.device) -> str:
    """Return the name of the GPU for a CUDA device, else the type of the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
