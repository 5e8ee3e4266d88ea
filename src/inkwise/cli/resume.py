"""The command that resumes an interrupted training, or trains a finished one further."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.options import (
    DataDirOption,
    DeviceOption,
    OwnDataOption,
    TrackOption,
)
from inkwise.cli.train import show_outcome


def resume(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A directory that `inkwise train` wrote.", show_default=False
        ),
    ],
    epochs: Annotated[
        int | None,
        typer.Option(help="Number of epochs in all, with those that are finished."),
    ] = None,
    folder: OwnDataOption = None,
    data_dir: DataDirOption = None,
    device: DeviceOption = "auto",
    track: TrackOption = None,
) -> None:
    """Resume a training that was interrupted or that crashed, from its last finished epoch.

    With --epochs, a complete run is trained further, too.
    """
    from inkwise.cli.display import Display
    from inkwise.runs.directory import INTERRUPTED
    from inkwise.study import resume as resume_run

    with Display() as display:
        outcome = resume_run(
            run,
            epochs=epochs,
            data=folder,
            data_dir=data_dir,
            device=device,
            track=track,
            progress=display,
            on_epoch=display.epoch,
        )
    show_outcome(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)
