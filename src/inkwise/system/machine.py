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
        "instructions": " ".join(
            filter(None, [torch.backends.cpu.get_cpu_capability(), bfloat16_units()])
        ),
        "threads": torch.get_num_threads(),
        "cores": available_cores(),
        "system": platform.platform(),
    }


def bfloat16_units() -> str | None:
    """Return what the processor computes with in bfloat16: ``AMX``, ``BF16`` of AVX-512, or None.

    Others emulate it, which may be slower than single precision. The answer is also None with a
    version of PyTorch that lacks ``torch.cpu.get_capabilities``.
    """
    import torch

    if not hasattr(torch.cpu, "get_capabilities"):
        return None
    capabilities = torch.cpu.get_capabilities()
    names = {"AMX": "amx_bf16", "BF16": "avx512_bf16"}
    return next((units for units, name in names.items() if capabilities.get(name)), None)


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
