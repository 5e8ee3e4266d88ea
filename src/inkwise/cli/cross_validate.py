"""The command that cross-validates recipes."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import console, going_on_later, new_table, show_path, show_table
from inkwise.cli.options import (
    AddressOption,
    AtOnceOption,
    DataDirOption,
    DatasetOption,
    DeviceOption,
    EngineOption,
    OwnDataOption,
    SetOption,
)
from inkwise.pages.number_formats import ends, percent


def cross_validate(
    recipes: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE...",
            help="Names from `inkwise recipes`, TOML files or recipe.json of runs; several are "
            "compared on the same folds.",
            show_default=False,
        ),
    ],
    changes: SetOption = None,
    dataset: DatasetOption = None,
    folder: OwnDataOption = None,
    data_dir: DataDirOption = None,
    folds: Annotated[
        int, typer.Option(help="Into how many parts the training images are divided.")
    ] = 10,
    repeats: Annotated[int, typer.Option(help="How often, each time anew, from 1 to 100.")] = 1,
    writers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV table with a column `writer`: who wrote each training image, in their "
            "order. No two folds then share a writer.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the division.")] = 0,
    at_once: AtOnceOption = None,
    engine: EngineOption = "here",
    address: AddressOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="The folder of the folds; by default runs/folds-DATASET.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Train recipes on all folds of the training images but one, and test them on that one.

    The test images stay closed. Every fold is a run. The same command goes on
    after Ctrl-C or a kill; with more recipes or --repeats it adds to what is
    there.
    """
    from inkwise.cli.display import Display
    from inkwise.training.recipe_files import find_recipe
    from inkwise.trials.cross_validation import cross_validate as run_folds

    chosen = [find_recipe(recipe, changes or ())[0] for recipe in recipes]
    with Display() as display, going_on_later():
        checked = run_folds(
            *chosen,
            dataset=dataset,
            folds=folds,
            repeats=repeats,
            writers=writers,
            seed=seed,
            at_once=at_once,
            engine=engine,
            address=address,
            data=folder,
            data_dir=data_dir,
            output=output,
            device=device,
            progress=display,
            on_fold=lambda fold: display.line(str(fold)),
        )
    table = new_table("recipe", "folds", "mean accuracy", "95% interval", "standard deviation")
    for result in checked.results:
        table.add_row(
            result.name,
            str(len(result.folds)),
            percent(result.accuracy),
            ends(result.accuracy),
            percent(result.deviation),
        )
    show_table(table)
    for conclusion in checked.conclusions:
        console.print(conclusion, soft_wrap=True)
    show_path("Folds", checked.path / "folds.csv")
