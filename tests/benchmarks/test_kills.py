"""Jobs of many pictures that are killed and gone on with: the long measurement in small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kills import write_source

from tests.batches.conftest import encoded, numbered
from tests.strokes import strokes

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from kills import go_through
from inkwise import Model
counts = go_through(Path(sys.argv[2]), Path(sys.argv[3]), Model.load(sys.argv[4]), 4, seed=1)
print(counts["kills"], counts["wrong_rows"])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are measured where processes fork")
def test_killed_at_random_moments_the_rows_are_the_same_once_each(tmp_path: Path) -> None:
    contents = [encoded(shown) for _, shown in numbered(100)]
    source = write_source(tmp_path / "scans.tar", "tar", contents)
    model = strokes().save(tmp_path / "model")
    benchmarks = Path(__file__).parents[2] / "benchmarks"

    done = subprocess.run(  # a process without this one's threads
        [sys.executable, "-c", SCRIPT, benchmarks, source, tmp_path / "answers", model],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout.split() == ["4", "0"]
