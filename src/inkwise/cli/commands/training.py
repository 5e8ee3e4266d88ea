"""The commands that train."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.options import (
    DataDirOption,
    DeviceOption,
    FolderOption,
    LabelsOption,
    RunArgument,
    choose_data,
)


def train(
    recipe: Annotated[
        str,
        typer.Option(metavar="NAME", help="The recipe: case-study, swift, precise or ensemble."),
    ] = "case-study",
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The data set: auto, mnist or optdigits; auto if not given.",
            show_default=False,
        ),
    ] = None,
    folder: FolderOption = None,
    data_dir: DataDirOption = None,
    labels: LabelsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="The run directory, new or empty."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="How often every training image is seen.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in a step.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides weights, order, dropout and augmentation.")
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="Rate of dropout before the last layer, 0 to below 1.")
    ] = None,
    augment: Annotated[
        bool,
        typer.Option("--augment", help="Shift, rotate and zoom the training images at random."),
    ] = False,
    optimiser: Annotated[
        str | None, typer.Option(metavar="NAME", help="adam, sgd or muon.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of the optimiser.")] = None,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="What trains: torch, or keras, on TensorFlow.")
    ] = "torch",
    device: DeviceOption = "auto",
) -> None:
    """Train a network, evaluate it, and write the report: a run directory with everything in it.

    What is not given is as the recipe says. Ctrl-C ends the training and keeps what is finished;
    `inkwise resume` goes on with it.
    """
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_outcome
    from inkwise.runs.directory import INTERRUPTED
    from inkwise.study import train as train_run

    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "dropout": dropout,
        "optimiser": optimiser,
        "learning_rate": learning_rate,
    }
    with Display() as display:
        run = train_run(
            recipe,
            choose_data(dataset, folder, display) or "auto",
            data_dir=data_dir,
            labels=labels,
            output=output,
            augment=augment,
            engine=engine,
            device=device,
            on_notice=display.notice,
            on_download=display.download,
            on_batch=display.batch,
            on_epoch=display.epoch,
            **{name: value for name, value in given.items() if value is not None},
        )
    show_outcome(run)
    if run.status == INTERRUPTED:
        raise typer.Exit(130)


def resume(
    run: RunArgument,
    folder: FolderOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Go on with a training that was interrupted, or that died, from its last finished epoch."""
    from inkwise.cli.progress import Display
    from inkwise.cli.show import show_outcome
    from inkwise.data.picture_folder import load_folder
    from inkwise.runs.directory import INTERRUPTED
    from inkwise.study import resume as resume_run

    with Display() as display:
        outcome = resume_run(
            run,
            dataset=None if folder is None else load_folder(folder, display.read),
            data_dir=data_dir,
            device=device,
            on_notice=display.notice,
            on_download=display.download,
            on_batch=display.batch,
            on_epoch=display.epoch,
        )
    show_outcome(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)
