"""The machine that a result was made on, and the versions of the libraries that matter."""

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
    """Return the versions of Python and of the libraries that a result depends on, by name."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), **versions}


def describe_machine() -> dict[str, str | int | None]:
    """Describe those parts of the machine that a result, or its computing time, depends on.

    Returns
    -------
    dict
        The processor's name (``processor``), its vector and matrix instructions
        (``instructions``), the number of threads that PyTorch computes on (``threads``), the number
        of cores that this process may use (``cores``), and the operating system (``system``).
    """
    import torch

    return {
        "processor": _processor_name(),
        "instructions": torch.backends.cpu.get_cpu_capability()
        + (" AMX" if has_bfloat16_units() else ""),
        "threads": torch.get_num_threads(),
        "cores": available_cores(),
        "system": platform.platform(),
    }


def has_bfloat16_units() -> bool:
    """Tell whether the processor has hardware for matrix products in bfloat16 (AMX).

    On other processors bfloat16 may be slower than single precision. The answer is also no with a
    version of PyTorch that lacks ``torch.cpu.get_capabilities``.
    """
    import torch

    return hasattr(torch.cpu, "get_capabilities") and bool(
        torch.cpu.get_capabilities().get("amx_bf16", False)
    )


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
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
