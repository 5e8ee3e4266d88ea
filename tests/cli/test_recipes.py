"""recipes: the list, a recipe as a file, the schema; and training by a file."""

import json
from pathlib import Path

import pytest

from inkwise import Run, read_recipe
from inkwise.training.named_recipes import RECIPES
from inkwise.training.recipe_files import recipe_schema, to_toml
from tests.cli.conftest import Call

TINY = """
network = [
  {layer = "conv", filters = 2, kernel = 9, stride = 3, activation = "relu"},
  {layer = "batch_norm"},
  {layer = "flatten"},
  {layer = "dense"},
]
epochs = 1
"""


def test_recipes_lists_every_recipe(call: Call) -> None:
    result = call("recipes")
    rows = {line.split()[0] for line in result.out.splitlines() if line.strip()}
    assert result.code == 0
    assert rows >= {*RECIPES}


def test_a_shown_recipe_is_a_file(call: Call, tmp_path: Path) -> None:
    result = call("recipes", "show", "swift")
    path = tmp_path / "mine.toml"
    path.write_text(result.out, encoding="utf-8")
    assert read_recipe(path).epochs == RECIPES["swift"].epochs


def test_the_recipe_of_a_run_is_shown_as_a_file(call: Call, finished: Path, tmp_path: Path) -> None:
    result = call("recipes", "show", finished / "recipe.json")
    path = tmp_path / "mine.toml"
    path.write_text(result.out, encoding="utf-8")
    assert to_toml(read_recipe(path)) == to_toml(Run(finished).recipe)


def test_the_schema_is_printed(call: Call) -> None:
    assert json.loads(call("recipes", "schema").out) == recipe_schema()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show"], "name the recipe to show: case-study, swift"),
        (["show", "swif"], "unknown recipe 'swif' (did you mean 'swift'?)"),
        (["print"], "recipes takes list, show NAME or schema, not print"),
    ],
)
def test_what_recipes_cannot_print_is_one_line(call: Call, arguments: list[str], told: str) -> None:
    result = call("recipes", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {told}")
    assert result.err.count("\n") == 1


@pytest.mark.usefixtures("unreported")
def test_a_file_is_trained_by(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY)
    output = tmp_path / "run"
    arguments = ["--set", "network.0.filters=3", "--dataset", "optdigits", "--output", output]
    result = call("train", tmp_path / "mine.toml", *arguments)
    assert result.code == 0, result.err
    run = Run(output)
    assert run.recipe == read_recipe(tmp_path / "mine.toml", ["network.0.filters=3"])
    assert [line.name for line in run.model.network.summary()][:2] == ["conv1", "batch_norm1"]
    assert len(run.history) == 1


def test_a_network_that_does_not_fit_is_one_line(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TINY.replace("kernel = 9", "kernel = 29"))
    for arguments in ([path], ["--recipe", path]):
        result = call("train", *arguments, "--dataset", "optdigits")
        assert result.code == 2
        assert result.err.startswith(f"error: {path}, line 3, network.0: conv1, layer 0 of the net")
    result = call("train", path, "--recipe", "swift")
    assert result.err.startswith(f"error: {path} and --recipe swift are two recipes: leave out one")
