"""The command that trains a recipe with many values, and the best of them anew."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwise.cli.console import (
    console,
    going_on_later,
    new_table,
    open_page,
    show_path,
    show_table,
)
from inkwise.cli.options import (
    AddressOption,
    AtOnceOption,
    DataDirOption,
    DatasetOption,
    DeviceOption,
    EngineOption,
    OpenOption,
    OwnDataOption,
    SetOption,
)
from inkwise.pages.number_formats import interval, percent

if TYPE_CHECKING:
    from inkwise.trials.outcome import Sweep

_SHOWN = 10  # trials


def sweep(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="[RECIPE]",
            help="A name from `inkwise recipes`, a TOML file or a run's recipe.json.",
        ),
    ] = "case-study",
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="KEY=VALUES",
            help="What to vary: a range 0.1..0.5, orders of magnitude log:1e-4..1e-1, whole "
            "numbers int:16..64, or a list 16,32,64. Keys are as for --set. Can be given several "
            "times.",
            show_default=False,
        ),
    ] = None,
    changes: SetOption = None,
    dataset: DatasetOption = None,
    folder: OwnDataOption = None,
    data_dir: DataDirOption = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Number of trials in all; by default 20 or, of a grid, all."),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What trials are judged by: validation.accuracy or validation.loss.",
        ),
    ] = "validation.accuracy",
    sampler: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What chooses the values: tpe, which learns from earlier trials; random; or grid.",
        ),
    ] = "tpe",
    pruning: Annotated[
        bool,
        typer.Option(
            "--pruning/--no-pruning",
            help="End trials early that are behind others, by successive halving.",
        ),
    ] = True,
    best: Annotated[
        int,
        typer.Option(
            help="How many of the best designs to train anew, and to evaluate on the test images."
        ),
    ] = 3,
    seeds: Annotated[int, typer.Option(help="On how many fresh seeds each, from 1 to 100.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the sampler.")] = 0,
    at_once: AtOnceOption = None,
    engine: EngineOption = "here",
    address: AddressOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="The folder of the sweep; by default runs/sweep-RECIPE-DATASET.",
            show_default=False,
        ),
    ] = None,
    device: DeviceOption = "auto",
    open_: OpenOption = False,
) -> None:
    """Train a recipe with many values, judged on validation images; train the best anew.

    Every trial is a run. The same command goes on after Ctrl-C or a kill, in
    the middle of a trial too; with more --trials it adds to a complete sweep.
    """
    from inkwise.cli.display import Display
    from inkwise.training.recipe_files import find_recipe
    from inkwise.trials.ranges import read_options
    from inkwise.trials.sweeping import sweep as run_sweep

    given = read_options(vary or ())
    chosen, explained = find_recipe(recipe, changes or ())
    with Display() as display, explained(), going_on_later():
        swept = run_sweep(
            chosen,
            dataset,
            vary=given,
            trials=trials,
            metric=metric,
            sampler=sampler,
            pruning=pruning,
            best=best,
            seeds=seeds,
            seed=seed,
            at_once=at_once,
            engine=engine,
            address=address,
            data=folder,
            data_dir=data_dir,
            output=output,
            device=device,
            progress=display,
            on_trial=lambda trial: display.line(str(trial)),
        )
    _show(swept)
    if open_:
        open_page(swept.page_path)


def _show(swept: "Sweep") -> None:
    """Show the best trials, the best designs, and what may be concluded."""
    from inkwise.trials.outcome import show_value

    table = new_table("trial", *swept.space, swept.metric, "epochs")
    for trial in swept.ranked[:_SHOWN]:
        table.add_row(
            str(trial.number),
            *(show_value(trial.values[place]) for place in swept.space),
            swept.show(trial.value),
            str(len(trial.curve)),
        )
    show_table(table)
    if swept.designs:
        table = new_table("best", "run", "test accuracy", "95% interval", left=2)
        for design in swept.designs:
            for run in design.runs:
                accuracy = run.evaluation.accuracy
                table.add_row(
                    f"trial {design.trial.number}",
                    run.path.name,
                    percent(accuracy),
                    interval(accuracy),
                )
        show_table(table)
    for conclusion in swept.conclusions:
        console.print(conclusion, soft_wrap=True)
    show_path("Trials", swept.path / "trials.csv")
    show_path("Page", swept.page_path)
