"""The command that resumes an interrupted training, or trains a finished one further."""

from typing import Annotated

import typer

from inkwise.cli.options import (
    DataDirOption,
    DeviceOption,
    OwnDataOption,
    RunArgument,
    TrackOption,
)
from inkwise.cli.train import show_outcome


def resume(
    run: RunArgument,
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
    from inkwise.data.own_data import load_data
    from inkwise.runs.directory import INTERRUPTED, Run
    from inkwise.study import resume as resume_run

    with Display() as display:
        dataset = None
        if folder is not None:
            together = bool(Run(run).record["dataset"].get("together"))
            dataset = load_data(folder, display, together=together)
        outcome = resume_run(
            run,
            epochs=epochs,
            dataset=dataset,
            data_dir=data_dir,
            device=device,
            track=track,
            progress=display,
            on_epoch=display.epoch,
        )
    show_outcome(outcome)
    if outcome.status == INTERRUPTED:
        raise typer.Exit(130)
