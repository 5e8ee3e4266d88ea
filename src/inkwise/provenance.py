"""Where a result was made: the machine and the versions of the libraries that matter."""

import importlib.metadata
import os
import platform
from pathlib import Path

LIBRARIES = (
    "inkwise",
    "torch",
    "onnxruntime",
    "numpy",
    "scikit-learn",
    "pillow",
    "opencv-python-headless",
)


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide a result."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}


def describe_machine() -> dict[str, str | int | None]:
    """Return what of the machine decides a result, or how long it takes to get it.

    Returns
    -------
    dict
        The processor's name and its vector instructions, the cores that this process may use, the
        threads that PyTorch computes on, and the operating system.
    """
    import torch

    return {
        "processor": _processor_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cores": available_cores(),
        "system": platform.platform(),
    }


def available_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")  # platform.processor() is empty on most Linux systems
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
