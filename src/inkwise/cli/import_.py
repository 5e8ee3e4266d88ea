"""The command that makes a model of one that another program saved."""

from pathlib import Path
from typing import Annotated

import typer

from inkwise.cli.console import show_path


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A model that Keras saved, as .keras or .h5.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="MODEL",
            help="The model directory, new or empty; named after the file if not given.",
        ),
    ] = None,
    class_names: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="In the order of the outputs, with commas between; 0,1,2 and so on if not given.",
        ),
    ] = None,
) -> None:
    """Make a model directory of a model that Keras saved; no code from the file is run.

    Without a Rescaling layer, the model is taken to expect grey levels divided by 255.

    Light ink on a black ground in either case.
    """
    from inkwise.export.from_keras import import_keras
    from inkwise.system.folders import claim_folder

    names = None if class_names is None else [name.strip() for name in class_names.split(",")]
    model = import_keras(file, names)
    show_path("Model", model.save(claim_folder(output or Path(file.stem))))
