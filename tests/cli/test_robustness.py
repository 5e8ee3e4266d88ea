"""`inkwise robustness`: the tables, the files, and errors in one line."""

import shutil
from pathlib import Path

from inkwise import Run
from inkwise.robustness.corruptions import CORRUPTIONS
from tests.cli.conftest import Call


def test_robustness_shows_what_it_wrote(call: Call, run: Run) -> None:
    result = call("robustness", run.path, "--images", 15)

    assert result.code == 0
    assert "15 of the 359 images of optdigits, test split" in result.err
    document = run.robustness
    assert document is not None
    assert f"corruptions {document['mean_error']:.2%} at MNIST-C's" in result.out
    assert all(f"{name} " in result.out for name in (*CORRUPTIONS, "shift,", "rotation,", "size,"))
    assert f"{document['corruptions']['fog']['points'][4]['value']:.2%}" in result.out
    assert "FGSM" not in result.out
    assert str(run.path) in result.out


def test_robustness_against_a_baseline_and_attacks(
    call: Call, run: Run, finished: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(finished, tmp_path / "case-study")

    result = call("robustness", run.path, "--baseline", other, "--attacks", "--images", 5)

    assert result.code == 0
    assert result.out.count("+0.00") == len(CORRUPTIONS)
    assert "FGSM, grey levels" in result.out
    assert "PGD, grey levels" in result.out


def test_attacks_and_ink_exclude_each_other_in_one_line(call: Call, run: Run) -> None:
    result = call("robustness", run.path, "--through-ink", "--attacks")

    assert result.code == 2
    assert result.err.splitlines()[-1].startswith(
        "error: attacks follow the gradient of the network"
    )
    assert "Traceback" not in result.err
