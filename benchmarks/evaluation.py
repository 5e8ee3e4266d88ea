"""Time the commands that evaluate a run, each as a whole process.

Every command is run several times on a copy of the run; the record has the medians, in seconds.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from handwriting import name_and_path
from record import write_record


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "runs", nargs="+", type=name_and_path, metavar="NAME=RUN", help="complete runs on MNIST"
    )
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            name: Path(shutil.copytree(run, Path(folder) / name)) for name, run in arguments.runs
        }
        first = next(iter(runs.values()))
        for title, run in runs.items():
            commands: dict[str, list[str | Path]] = {
                "evaluate": ["evaluate", run],
                "report": ["report", run],
                "robustness": ["robustness", run],
            }
            if run != first:
                commands["robustness"] += ["--baseline", first]
                commands["compare"] = ["compare", first, run]
            figures[title] = {
                name: statistics.median(measure(command) for _ in range(arguments.repeats))
                for name, command in commands.items()
            }
            print(title, figures[title], flush=True)
    record = {"repeats": arguments.repeats, "seconds": figures}
    print(f"wrote {write_record('evaluation', record)}")


def measure(command: list[str | Path]) -> float:
    """Run inkwise with these arguments, and return the duration in seconds."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "inkwise", *command], check=True, stdout=subprocess.DEVNULL
    )
    return round(time.perf_counter() - started, 2)


if __name__ == "__main__":
    main()
