"""Records of measurements: JSON files with the results, the machine and the date."""

import datetime
from pathlib import Path
from typing import Any

from inkwise.system.files import write_json
from inkwise.system.machine import describe_machine, library_versions

RESULTS = Path(__file__).parent / "results"


def write_record(name: str, figures: dict[str, Any]) -> Path:
    """Write a record to ``benchmarks/results/<name>.json``."""
    return write_json(
        RESULTS / f"{name}.json",
        {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": describe_machine(),
            "versions": library_versions(),
            **figures,
        },
    )
