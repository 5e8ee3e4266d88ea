"""The command that trains, and the outcome of a training."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkwise.cli.console import console, show_path
from inkwise.cli.options import (
    DataDirOption,
    DatasetOption,
    DeviceOption,
    LabelsOption,
    OwnDataOption,
    SetOption,
    TrackOption,
)
from inkwise.errors import ArgumentError

if TYPE_CHECKING:
    from inkwise.runs.directory import Run


def train(
    given: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            help="A name from `inkwise recipes`, a TOML file or a run's recipe.json; case-study by "
            "default.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="RECIPE", help="The same as an option.", show_default=False),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Go on from a model, on your pictures and a share of what it has learned before: "
            "pretrained (the package's), a run, a model directory or an .onnx file of inkwise. "
            "What it has learned is found or, beside --data, named with --dataset.",
            show_default=False,
        ),
    ] = None,
    changes: SetOption = None,
    dataset: DatasetOption = None,
    folder: OwnDataOption = None,
    data_dir: DataDirOption = None,
    labels: LabelsOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="RUN", help="The run directory to write, new or empty."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Number of epochs: passes over the training images.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Number of images per step.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of the weights, the order of images, dropout and data augmentation."
        ),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Dropout rate before the last layer, from 0 to below 1.")
    ] = None,
    augment: Annotated[
        bool,
        typer.Option(
            "--augment",
            help="Data augmentation: shift, rotate and zoom the training images at random.",
        ),
    ] = False,
    optimiser: Annotated[
        str | None, typer.Option(metavar="NAME", help="The optimiser: adam, sgd or muon.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Learning rate of the optimiser.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Train for the binary task of this class: is it the class, or any other?",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The library that trains: torch, or keras (on TensorFlow)."
        ),
    ] = "torch",
    device: DeviceOption = "auto",
    track: TrackOption = None,
) -> None:
    """Train a network, evaluate it, and write everything, with a report, into a run directory.

    Options that are not given are as the recipe says. Ctrl-C interrupts the
    training and keeps what is finished; `inkwise resume` continues it.
    """
    from inkwise.cli.display import Display
    from inkwise.runs.directory import INTERRUPTED
    from inkwise.study import train as train_run
    from inkwise.training.recipe_files import find_recipe

    if given is not None and recipe is not None:
        raise ArgumentError(f"{given} and --recipe {recipe} are two recipes: leave out one of them")
    asked = recipe if given is None else given
    named = "case-study" if asked is None and start is None else asked
    if named is None and changes:
        raise ArgumentError("--set changes a recipe: with --from, name one to change")
    chosen, explained = (
        (None, contextlib.nullcontext) if named is None else find_recipe(named, changes or ())
    )
    options = {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "dropout": dropout,
        "optimiser": optimiser,
        "learning_rate": learning_rate,
        "positive": positive,
    }
    with Display() as display, explained():
        run = train_run(
            chosen,
            dataset,
            start=start,
            data=folder,
            data_dir=data_dir,
            labels=labels,
            output=output,
            augment=augment,
            engine=engine,
            device=device,
            track=track,
            progress=display,
            on_epoch=display.epoch,
            **{name: value for name, value in options.items() if value is not None},
        )
    show_outcome(run)
    if run.status == INTERRUPTED:
        raise typer.Exit(130)


def show_outcome(run: "Run") -> None:
    """Show the outcome of a training."""
    from inkwise.cli.evaluate import show_binary, show_headline
    from inkwise.runs.directory import INTERRUPTED

    if run.status == INTERRUPTED:
        done, epochs = len(run.history), run.recipe.epochs
        when = f"after {done} of {epochs} epochs" if done < epochs else "while the report was made"
        console.print(f"The training was interrupted {when}.", soft_wrap=True)
        if done:
            console.print(
                "The model of the last finished epoch is kept. To continue: "
                f"inkwise resume {run.path}. To see what it has reached: "
                f"inkwise evaluate {run.path}, then inkwise report {run.path}",
                soft_wrap=True,
            )
        else:
            console.print("No epoch was finished, so there is no model.")
    else:
        show_headline(run.evaluation)
        if positive := run.recipe.positive:
            show_binary(run.evaluation, positive)
        if gains := run.gains:
            for gain in gains:
                console.print(str(gain), soft_wrap=True)
            console.print(f"To use it: inkwise serve --model {run.path}", soft_wrap=True)
        show_path("Report", run.report_path)
    show_path("Run", run.path)
