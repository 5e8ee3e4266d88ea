"""The command that shows the network of a recipe before anything is trained."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import console, new_table, show_path, show_table
from inkwise.cli.options import SetOption
from inkwise.errors import ArgumentError


def design(
    recipe: Annotated[
        str,
        typer.Argument(metavar="[RECIPE]", help="A name from `inkwise recipes` or a TOML file."),
    ] = "case-study",
    changes: SetOption = None,
    size: Annotated[
        str, typer.Option(metavar="HEIGHTxWIDTH", help="Height and width of the images.")
    ] = "28x28",
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 10,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Draw the network into this SVG file, too."
        ),
    ] = None,
) -> None:
    """Show a recipe's network: shapes, parameters, work, what each layer sees; and draw it.

    Remarks name what is legal and yet often a mistake. Nothing is trained.
    """
    from inkwise.networks.ensemble import members
    from inkwise.networks.remarks import remarks
    from inkwise.pages.network_drawing import draw_network
    from inkwise.system.files import write_text
    from inkwise.training.named_recipes import get_recipe
    from inkwise.training.recipe_files import find_recipe

    image_size = _image_size(size)
    if not 1 <= classes <= _MOST:
        raise ArgumentError(f"--classes must be a number from 1 to {_MOST:,}, not {classes}")
    chosen, explained = find_recipe(recipe, changes or ())
    with explained():
        network = get_recipe(chosen).describe_network(image_size, classes)
    summary = network.summary()
    table = new_table(*summary.columns, left=2)
    *rows, sums = summary.rows()
    for row in rows:
        table.add_row(*row)
    table.add_section()
    table.add_row(*sums)
    show_table(table)
    for prefix, member in members(network):
        for remark in remarks(member):
            console.print(f"{prefix}{remark}", style="yellow", soft_wrap=True)
    if output is not None:
        if output.suffix != ".svg":
            raise ArgumentError(f"the drawing is an SVG file: let {output} end in .svg")
        show_path("Drawing", write_text(output, draw_network(network)))


_MOST = 1 << 16  # pixels on a side, or classes


def _image_size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().replace("×", "x").partition("x")
    sides = [int(side) if side.isdecimal() and len(side) < 9 else 0 for side in (height, width)]
    if not all(1 <= side <= _MOST for side in sides):
        raise ArgumentError(
            f"--size must be HEIGHTxWIDTH, such as 28x28, each from 1 to {_MOST:,}, not {text!r}"
        )
    return sides[0], sides[1]
