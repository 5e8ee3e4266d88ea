from typing import Any

MACHINE: dict[str, Any] = {
    "processor": "a processor",
    "instructions": "AVX2",
    "threads": 2,
    "cores": 2,
    "system": "Linux",
    "device": "cpu",
    "versions": {"python": "3.11.7", "inkwise": "0.1.0"},
}
"""A machine as a run records it."""
