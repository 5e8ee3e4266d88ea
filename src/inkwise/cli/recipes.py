"""The command that lists recipes, and writes them as files."""

import json
from typing import Annotated

import typer

from inkwise.cli.console import new_table, show_table
from inkwise.cli.streams import echo
from inkwise.errors import ArgumentError


def recipes(
    what: Annotated[
        str, typer.Argument(metavar="[list|show|schema]", help="What to print.")
    ] = "list",
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The recipe to show, or a file of one, such as a run's recipe.json.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the recipes; `show NAME` prints one as a file, `schema` the JSON Schema of such files.

    A recipe is a file in TOML: `inkwise recipes show case-study > mine.toml`
    writes one with a comment for every value, and `inkwise train mine.toml`
    trains it.
    """
    from inkwise.training.named_recipes import ABOUT, RECIPES, get_recipe
    from inkwise.training.recipe_files import find_recipe, recipe_schema, to_toml

    match what, name:
        case "list", None:
            table = new_table("name", "what it is for", "epochs", "parameters", left=2)
            for each in RECIPES.values():
                count = each.describe_network((28, 28), 10).parameter_count
                table.add_row(each.name, ABOUT[each.name], f"{each.epochs}", f"{count:,}")
            show_table(table)
        case "show", str():
            recipe, _ = find_recipe(name)
            echo(to_toml(get_recipe(recipe)).rstrip())
        case "show", None:
            raise ArgumentError(f"name the recipe to show: {', '.join(RECIPES)}")
        case "schema", None:
            echo(json.dumps(recipe_schema(), indent=2, ensure_ascii=False))
        case _:
            given = what if name is None else f"{what} {name}"
            raise ArgumentError(f"recipes takes list, show NAME or schema, not {given}")
