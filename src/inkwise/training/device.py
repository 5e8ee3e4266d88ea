"""Where a training runs: the processor, or a graphics processor."""

import torch

from inkwise.errors import ArgumentError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> torch.device:
    """Return the device of a name.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "mps"}
        ``auto`` is ``cuda`` where there is one, else ``cpu``; Apple's ``mps`` has to be asked for,
        because the recipes were not measured on it.

    Raises
    ------
    ArgumentError
        There is no such device, or not here.
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
    """Return the name of a device, for CUDA that of the graphics processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
