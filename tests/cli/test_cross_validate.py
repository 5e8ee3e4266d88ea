"""``inkwise cross-validate``: two recipes on the same folds, in words and in a table; refused."""

from pathlib import Path

import pytest

from tests.cli.conftest import Call

OPTIONS = ("--dataset", "optdigits", "--set", "epochs=1", "--folds", "2", "--at-once", "1")


@pytest.mark.usefixtures("trains")
def test_recipes_are_compared_on_the_same_folds(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('network = [{layer = "flatten"}, {layer = "dense"}]')
    recipes = ("perceptron", tmp_path / "mine.toml")
    result = call("cross-validate", *recipes, *OPTIONS, "-o", tmp_path / "folds")
    assert result.code == 0, result.err
    assert [line.partition(":")[0] for line in result.err.splitlines()] == [
        "perceptron, repeat 1, fold 1",
        "mine, repeat 1, fold 1",
        "perceptron, repeat 1, fold 2",
        "mine, repeat 1, fold 2",
    ]
    assert "perceptron: mean accuracy" in result.out
    assert "corrected resampled t-test" in result.out
    assert "The test images were not opened." in result.out
    assert f"Folds: {tmp_path / 'folds' / 'folds.csv'}" in result.out
    again = call("cross-validate", *recipes, *OPTIONS, "-o", tmp_path / "folds")
    assert again.out == result.out


def test_cross_validation_is_refused_in_a_line(call: Call, tmp_path: Path) -> None:
    for arguments, told in (
        (("swift", "swift"), "two recipes are called swift: rename one"),
        (("swiift",), "did you mean 'swift'?"),
        (("swift", "--folds", "1"), "there are at least two folds"),
        (("swift", "--writers", tmp_path / "nobody.csv"), "cannot read"),
    ):
        result = call(
            "cross-validate", *arguments, "--dataset", "optdigits", "-o", tmp_path / "folds"
        )
        assert result.code in (1, 2)
        assert result.err.startswith("error: ")
        assert result.err.count("\n") == 1
        assert told in result.err
    assert not (tmp_path / "folds").exists()
